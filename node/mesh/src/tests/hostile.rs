//! What hostile neighbours cannot do.

use super::world::{Made, World, config, key_of};
use crate::bundle::Transit;
use crate::wire::NodeKind::{Carrier, Mobile};
use crate::wire::{
    FetchVerdict, OfferItem, OfferVerdict, Refusal, Request, Response, Settlement, Transfer, TransferVerdict,
    Want,
};
use crate::work::solve;
use crate::{Bundle, CallRefused, Class, Effect, Input, Secret, SizeClass, SortKey, Tier};

/// A carrier, and a neighbour of this standing that says what the test wants.
fn carrier_and(standing: Tier) -> World {
    let mut world = World::with(vec![config(Carrier), config(Mobile)]);
    world.link_as(0, 1, standing);
    world.settle_down();
    world
}

fn transfer(bundles: Vec<Bundle>) -> Request {
    Request::Transfer(Transfer { bundles, solution: None })
}

fn verdicts(response: Result<Response, CallRefused>) -> Vec<TransferVerdict> {
    let Ok(Response::Transfer(verdicts)) = response else { panic!("{response:?}") };
    verdicts.verdicts
}

fn handed(world: &mut World, bundle: &Bundle) -> TransferVerdict {
    verdicts(world.call(1, 0, transfer(vec![bundle.clone()])))[0]
}

fn accepted(verdict: &TransferVerdict) -> bool {
    matches!(verdict, TransferVerdict::Accepted(_))
}

fn short_of(bundle: &Bundle) -> crate::bundle::ShortId {
    SortKey::of(bundle.header()).short()
}

#[test]
fn who_does_not_say_hello_is_not_heard() {
    let mut world = World::new(&[Carrier, Carrier]);
    let request = || transfer(vec![Made::to(9).bundle(1)]);
    assert_eq!(world.call(1, 0, request()), Err(CallRefused::NoSession), "no link");
    world.handle(0, Input::LinkUp { node: key_of(1), standing: Tier::Paired });
    assert_eq!(world.call(1, 0, request()), Err(CallRefused::NoSession), "no hello");
    assert_eq!(world.nodes[0].mesh.held(), 0);
}

#[test]
fn a_foreign_secret_makes_nothing_disappear() {
    let mut world = carrier_and(Tier::Contact);
    let bundle = Made::to(9).bundle(1);
    world.deposit(0, &bundle);
    let settle = |secret| Request::Settle(vec![Settlement { short: short_of(&bundle), secret }]);
    world.call(1, 0, settle(Secret::from_bytes([1; 32]))).unwrap();
    assert!(world.holds(0, &bundle));
    let unknown = Made::to(9).bundle(2);
    let secret = super::world::secret_of(unknown.body());
    world.call(1, 0, Request::Settle(vec![Settlement { short: short_of(&unknown), secret }])).unwrap();
    assert_eq!(world.nodes[0].mesh.tombstones(), 0, "what is not held takes no room");
    world.call(1, 0, settle(super::world::secret_of(bundle.body()))).unwrap();
    assert!(!world.holds(0, &bundle), "its own secret does");
}

#[test]
fn a_wrong_secret_in_a_verdict_is_not_believed() {
    let mut world = carrier_and(Tier::Contact);
    let bundle = Made::to(9).bundle(1);
    let id = world.deposit(0, &bundle);
    let key = SortKey::of(bundle.header());
    let wrong = Secret::from_bytes([4; 32]);
    world.with_mesh(0, |mesh, cx| mesh.settle(cx, key, wrong)).unwrap();
    world.handle(0, Input::Settle { id, secret: wrong });
    assert!(world.holds(0, &bundle));
}

#[test]
fn a_replay_is_taken_once() {
    let mut world = carrier_and(Tier::Contact);
    let bundle = Made::to(9).bundle(1);
    assert!(accepted(&handed(&mut world, &bundle)));
    assert_eq!(handed(&mut world, &bundle), TransferVerdict::Have);
    let id = *bundle.id();
    world.handle(0, Input::Settle { id, secret: super::world::secret_of(bundle.body()) });
    assert!(matches!(handed(&mut world, &bundle), TransferVerdict::Settled(_)));
    assert!(!world.holds(0, &bundle), "what was settled does not come back");
}

#[test]
fn claims_about_time_and_copies_are_believed_within_limits() {
    let mut world = World::with(vec![config(Mobile), config(Mobile), config(Mobile)]);
    world.link(0, 1);
    world.settle_down();
    let mut bundle = Made { lifetime_s: 3_600, ..Made::to(9) }.bundle(1);
    bundle.transit = Transit { remaining_s: u32::MAX, hops_left: u8::MAX, copies: u16::MAX };
    assert!(accepted(&handed(&mut world, &bundle)));
    world.pass(3_700_000);
    assert!(!world.holds(0, &bundle), "no longer than its maximum");
    let mut ended = Made::to(9).bundle(2);
    ended.transit.remaining_s = 0;
    assert_eq!(handed(&mut world, &ended), TransferVerdict::Refused(Refusal::Expired));
}

#[test]
fn a_flood_fills_its_own_share_only() {
    let mut world = carrier_and(Tier::Contact);
    let own: Vec<Bundle> = (0..20).map(|number| Made::to(9).bundle(number)).collect();
    own.iter().for_each(|bundle| {
        world.deposit(0, bundle);
    });
    let mut taken = 0;
    for round in 0..40 {
        let flood = (0..100).map(|number| Made::to(9).bundle(1_000 + round * 100 + number)).collect();
        taken +=
            verdicts(world.call(1, 0, transfer(flood))).iter().filter(|verdict| accepted(verdict)).count();
        world.pass(1_000);
    }
    assert_eq!(taken, 256);
    assert!(own.iter().all(|bundle| world.holds(0, bundle)));
    assert!(world.nodes[0].mesh.held_bytes_of(Tier::Contact) <= 2 << 20);
    let refused = handed(&mut world, &Made::to(9).bundle(99_999));
    assert_eq!(refused, TransferVerdict::Refused(Refusal::QuotaExceeded));
}

#[test]
fn who_brings_too_much_at_a_time_is_told_when_to_come_back() {
    let mut slow = config(Carrier);
    slow.ingress_bundles_per_s_max = 5;
    let mut world = World::with(vec![slow, config(Mobile)]);
    world.link_as(0, 1, Tier::Contact);
    world.settle_down();
    let many = |from: u64| (from..from + 30).map(|number| Made::to(9).bundle(number)).collect();
    let response = world.call(1, 0, transfer(many(0)));
    let Ok(Response::Transfer(answer)) = response else { panic!("{response:?}") };
    assert_eq!(answer.verdicts.iter().filter(|verdict| accepted(verdict)).count(), 20);
    assert_eq!(answer.verdicts[20], TransferVerdict::Refused(Refusal::NotAccepting));
    assert_eq!(answer.retry_after_ms, 200);
    world.now_ms += 1_000;
    assert_eq!(verdicts(world.call(1, 0, transfer(many(100)))).iter().filter(|one| accepted(one)).count(), 5);
}

#[test]
fn too_many_offers_are_not_looked_at() {
    let mut world = carrier_and(Tier::Stranger);
    let offer = |round: u64| {
        let items = (0..512).map(|number| {
            let mut short = [0x10; 9];
            short[1..].copy_from_slice(&(round << 16 | number).to_be_bytes());
            OfferItem {
                short: crate::bundle::ShortId::from_bytes(short),
                salt: [0; 8],
                tag_start: [9; 8],
                is_held: true,
                is_spare: true,
                ends_in: 1,
            }
        });
        Request::Offer(items.collect())
    };
    let answers: Vec<_> = (0..200).map(|round| world.call(1, 0, offer(round))).collect();
    assert!(answers[0].is_ok());
    assert_eq!(answers[199], Err(CallRefused::TooManyCalls));
    let Ok(Response::Offer(last)) =
        answers.iter().rev().find_map(|answer| answer.clone().ok()).map(Ok::<_, ()>).unwrap()
    else {
        panic!("offers are answered with verdicts")
    };
    assert_eq!(last.verdicts[0], OfferVerdict::Busy, "no more than the limit is waited for");
    world.now_ms += 10_000;
    assert!(world.call(1, 0, offer(999)).is_ok(), "later again");
}

#[test]
fn comparing_all_the_time_is_refused() {
    let mut world = carrier_and(Tier::Stranger);
    let ranges =
        || Request::Reconcile(crate::wire::Ranges { lower: crate::hello::START, ranges: Vec::new() });
    let refused = (0..100).filter(|_| world.call(1, 0, ranges()) == Err(CallRefused::TooManyCalls)).count();
    assert_eq!(refused, 36);
}

#[test]
fn strangers_work_under_pressure() {
    let mut small = config(Carrier);
    small.bytes_max = 64 * 1_280;
    small.work_bits = 8;
    let mut world = World::with(vec![small, config(Mobile), config(Mobile), config(Mobile), config(Mobile)]);
    (1..4).for_each(|stranger| world.link_as(0, stranger, Tier::Stranger));
    world.settle_down();
    let one = |number: u64| transfer(vec![Made::to(9).bundle(number)]);
    for (number, stranger) in [1, 1, 1, 1, 2, 2, 2, 2, 3].into_iter().enumerate() {
        assert!(accepted(&verdicts(world.call(stranger, 0, one(number as u64)))[0]), "{number}");
    }
    let response = world.call(3, 0, one(100));
    let Ok(Response::Transfer(answer)) = response else { panic!("{response:?}") };
    assert_eq!(answer.verdicts, [TransferVerdict::Refused(Refusal::WorkNeeded)]);
    let challenge = answer.challenge.expect("it is told what to solve");
    let with = |solution| Request::Transfer(Transfer { bundles: vec![Made::to(9).bundle(100)], solution });
    let of_another = solve(&challenge, &key_of(2), 0, 1 << 20);
    let refused = [TransferVerdict::Refused(Refusal::WorkNeeded)];
    assert_eq!(verdicts(world.call(3, 0, with(of_another))), refused, "solved for another node");
    let solution = solve(&challenge, &key_of(3), 0, 1 << 20);
    assert!(accepted(&verdicts(world.call(3, 0, with(solution)))[0]));
    world.link_as(0, 4, Tier::Contact);
    world.settle_down();
    assert!(accepted(&verdicts(world.call(4, 0, one(300)))[0]), "contacts do not work");
}

#[test]
fn a_mesh_asks_for_the_solution_and_hands_over_when_it_has_it() {
    let mut small = config(Carrier);
    small.bytes_max = 64 * 1_280;
    small.work_bits = 8;
    let mut world = World::with(vec![config(Mobile), small, config(Mobile), config(Mobile), config(Mobile)]);
    for stranger in 2..5 {
        world.link_as(1, stranger, Tier::Stranger);
        world.settle_down();
        for number in 0..4 {
            let bundle = Made::to(9).bundle(stranger as u64 * 100 + number);
            verdicts(world.call(stranger, 1, transfer(vec![bundle])));
        }
    }
    (10..15).for_each(|number| {
        world.deposit(0, &Made::to(9).bundle(number));
    });
    world.link_as(0, 1, Tier::Stranger);
    world.pass(60_000);
    let asked = world.nodes[0].effects.iter().find_map(|effect| match effect {
        Effect::Work { node, challenge } => Some((*node, *challenge)),
        _ => None,
    });
    let held = world.nodes[1].mesh.held();
    let (node, challenge) = asked.expect("the share of strangers is more than half full");
    let solution = solve(&challenge, &key_of(0), 0, 1 << 20).unwrap();
    world.handle(0, Input::Worked { node, solution });
    world.pass(3_600_000);
    assert!(world.nodes[1].mesh.held() > held);
}

#[test]
fn fetching_gives_no_copy_more() {
    let mut world = World::with(vec![config(Mobile), config(Mobile)]);
    let waiting = Made::to(9).bundle(1);
    world.deposit(0, &waiting);
    world.link(0, 1);
    world.settle_down();
    world.unlink(0, 1);
    let key = SortKey::of(waiting.header());
    world.with_mesh(0, |mesh, _| mesh.custody.get_mut(key).unwrap().copies = 1);
    world.restart(1);
    let mut effects = crate::MemoryStore::new();
    std::mem::swap(&mut world.nodes[1].store, &mut effects);
    world.restart(1);
    world.link(0, 1);
    world.settle_down();
    assert!(!world.holds(1, &waiting), "the last copy stays");
    let response = world.call(1, 0, Request::Fetch(vec![Want { short: short_of(&waiting), number: 1 }]));
    assert_eq!(response, Ok(Response::Fetch(vec![FetchVerdict::Coming])));
    world.pass(60_000);
    assert!(!world.holds(1, &waiting));
}

#[test]
fn classes_that_are_not_taken_are_refused_but_to_oneself() {
    let mut picky = config(Carrier);
    picky.accepts = Class::Control.bit();
    let mut world = World::with(vec![picky, config(Mobile)]);
    world.link(0, 1);
    world.settle_down();
    let refused = handed(&mut world, &Made { class: Class::Bulk, ..Made::to(9) }.bundle(1));
    assert_eq!(refused, TransferVerdict::Refused(Refusal::NotAccepting));
    assert!(accepted(&handed(&mut world, &Made { class: Class::Control, ..Made::to(9) }.bundle(2))));
    let mine = Made { class: Class::Bulk, ..Made::to(0) }.bundle(3);
    assert!(accepted(&handed(&mut world, &mine)));
    assert_eq!(world.opened(0, &mine), 1);
}

#[test]
fn unopened_bundles_of_this_node_are_bounded_too() {
    let mut world = carrier_and(Tier::Stranger);
    world.opens = false;
    let mut taken = 0;
    for number in 0..300 {
        let large = Made { size: SizeClass::Kib16, ..Made::to(0) }.bundle(number);
        taken += usize::from(accepted(&handed(&mut world, &large)));
        world.pass(1_000);
    }
    let held = world.nodes[0].mesh.held_bytes();
    assert!(taken > 64 && held <= (1 << 20) + (1 << 20) + 65_536, "{taken} bundles, {held} bytes");
}

#[test]
fn answers_that_do_not_fit_are_ignored() {
    let mut world = World::with(vec![config(Carrier), config(Carrier)]);
    let bundle = Made::to(9).bundle(1);
    world.deposit(0, &bundle);
    world.handle(0, Input::LinkUp { node: key_of(1), standing: Tier::Paired });
    for number in 0..50 {
        world.handle(0, Input::Answered { call: crate::CallId(number), result: Ok(Response::Settle) });
        world.pass(100_000);
    }
    assert!(world.holds(0, &bundle));
}

#[test]
fn more_links_than_sessions_wait_for_their_turn() {
    let mut world = World::new(&[Carrier]);
    let node = |number: u8| qpq_proto::ids::NodeKey::from_bytes([number + 100; 32]);
    for number in 0..70 {
        world.with_mesh(0, |mesh, cx| {
            mesh.handle(cx, Input::LinkUp { node: node(number), standing: Tier::Contact }).unwrap();
            cx.effects.clear();
        });
    }
    world.with_mesh(0, |mesh, cx| {
        let hello = mesh.hello(0, None);
        let full = mesh.answer(cx, &node(69), Request::Hello(hello)).unwrap();
        assert_eq!(full, Err(CallRefused::Full));
        mesh.handle(cx, Input::LinkDown { node: node(3) }).unwrap();
        let next = std::mem::take(cx.effects);
        assert!(next.iter().any(|effect| matches!(effect, Effect::Call { node: to, .. } if *to == node(64))));
    });
}
