//! Texts that wait until their conversation has a group: counted, limited, and sealed in the end.

use qpq_proto::Status;

use crate::tables::{OUTGOING, UNSEALED};
use crate::tests::{groups, world::World};

const ALICE: usize = 0;
const BOB: usize = 1;

/// Bob has asked alice, who does not answer, to become a contact; his conversations take so many deliveries.
fn asking(outbox_deliveries_max: usize) -> World {
    let mut world = World::of(&["alice", "bob"]);
    let link = world.invite(ALICE, false);
    world.stop(ALICE);
    world.follow(BOB, &link).unwrap();
    world.limit(BOB, |limits| limits.outbox_deliveries_max = outbox_deliveries_max);
    world
}

/// Sends texts until one is refused; returns how many were taken.
fn fill(world: &mut World, node: usize, to: &str) -> usize {
    let refused = (0..16).find_map(|taken| Some((taken, world.send(node, to, &format!("{taken}")).err()?)));
    let (taken, refusal) = refused.unwrap();
    assert_eq!(refusal.status, Status::QuotaExceeded);
    taken
}

#[test]
fn texts_that_wait_unsealed_count_against_the_limit() {
    for limit in [1, 2, 5] {
        let mut world = asking(limit);
        assert_eq!(fill(&mut world, BOB, "@alice"), limit);
        assert_eq!(world.nodes[BOB].memory.count(UNSEALED), limit);
        assert_eq!(world.history(BOB).len(), limit, "nothing is left of what was refused");
    }
}

#[test]
fn sealed_texts_are_limited_alike() {
    for limit in [1, 2, 5] {
        let mut world = World::friends(&["alice", "bob"]);
        world.stop(ALICE);
        world.limit(BOB, |limits| limits.outbox_deliveries_max = limit);
        assert_eq!(fill(&mut world, BOB, "@alice"), limit);
        assert_eq!(world.nodes[BOB].memory.count(OUTGOING), limit);
    }
}

#[test]
fn the_limit_is_each_conversations_own() {
    let mut world = groups::group(&["alice", "bob", "carol"]);
    (1..3).for_each(|other| world.stop(other));
    world.limit(ALICE, |limits| limits.outbox_deliveries_max = 3);
    for to in ["@bob", "#village", "@carol"] {
        assert_eq!(fill(&mut world, ALICE, to), 3, "{to}");
    }
}

#[test]
fn there_is_room_again_when_the_group_is_there() {
    let mut world = asking(3);
    assert_eq!(fill(&mut world, BOB, "@alice"), 3);
    world.start(ALICE);
    world.settle();
    assert_eq!(world.nodes[BOB].memory.count(UNSEALED), 0);
    world.send(BOB, "@alice", "room again").unwrap();
    world.settle();
    assert_eq!(world.received(ALICE), ["bob: 0", "bob: 1", "bob: 2", "bob: room again"]);
}

#[test]
fn a_restart_forgets_nothing_that_waits() {
    let mut world = asking(3);
    world.send(BOB, "@alice", "before").unwrap();
    world.stop(BOB);
    world.start(BOB);
    world.limit(BOB, |limits| limits.outbox_deliveries_max = 3);
    assert_eq!(fill(&mut world, BOB, "@alice"), 2);
}
