//! What hostile neighbours cannot do.

use super::world::{Made, World, config, key_of};
use crate::bundle::Transit;
use crate::wire::NodeKind::{Carrier, Mobile};
use crate::wire::{FetchVerdict, Refusal, Request, Response, Settlement, Transfer, TransferVerdict, Want};
use crate::{Bundle, CallRefused, Class, Effect, Input, Secret, SizeClass, SortKey, Tier};

mod floods;

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
