//! Neighbours that bring, offer or ask too much.

use super::super::world::{Made, World, config, key_of};
use super::{accepted, carrier_and, handed, transfer, verdicts};
use crate::wire::NodeKind::{Carrier, Mobile};
use crate::wire::{OfferItem, OfferVerdict, Refusal, Request, Response, Transfer, TransferVerdict};
use crate::work::solve;
use crate::{Bundle, CallRefused, Effect, Input, Tier};

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
