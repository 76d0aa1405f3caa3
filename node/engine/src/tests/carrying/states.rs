//! What the sender is told of its messages while others carry them, and what they acknowledge.

use qpq_mesh::Class;
use qpq_proto::{Method, v1};

use super::{
    super::{groups::group, world::World},
    ALICE, BOB, CAROL, DAY_MS, MINUTE_MS, apart,
    look::{held, kinds, receipts},
    meet,
};

fn message(world: &mut World, id: &[u8]) -> v1::Message {
    world.history(ALICE).into_iter().find(|message| message.id == id).unwrap()
}

/// How many nodes carry a message, and how many of them in memory only.
fn handed(world: &mut World, id: &[u8]) -> (u32, u32) {
    let message = message(world, id);
    (message.handed, message.handed_volatile)
}

fn is_sent(world: &mut World, id: &[u8]) -> bool {
    let request = v1::WaitMessageRequest { id: id.to_vec(), state: "sent".into(), timeout_ms: 0 };
    world.owner::<v1::WaitMessageResponse>(ALICE, Method::WaitMessage, &request).unwrap().reached
}

#[test]
fn a_carrier_counts_once_and_the_recipient_is_none() {
    let mut world = apart();
    let id = world.send(ALICE, "@carol", "by bob").unwrap().id;
    for _ in 0..3 {
        meet(&mut world, ALICE, BOB);
    }
    world.stop(BOB);
    world.start(BOB);
    meet(&mut world, ALICE, BOB);
    assert_eq!(handed(&mut world, &id), (1, 0));
    meet(&mut world, ALICE, CAROL);
    assert_eq!((handed(&mut world, &id), message(&mut world, &id).state.as_str()), ((1, 0), "delivered"));
}

#[test]
fn whoever_has_it_from_a_carrier_carries_it_too() {
    let mut world = apart();
    let dave = world.add_person(3, "dave");
    world.befriend(ALICE, dave);
    world.befriend(BOB, dave);
    world.pass(MINUTE_MS);
    world.cut(ALICE, dave);
    world.cut(BOB, dave);
    let id = world.send(ALICE, "@carol", "by both").unwrap().id;
    meet(&mut world, ALICE, BOB);
    meet(&mut world, BOB, dave);
    assert_eq!(handed(&mut world, &id), (1, 0));
    meet(&mut world, ALICE, dave);
    assert_eq!(handed(&mut world, &id), (2, 0));
}

#[test]
fn custody_in_memory_is_weaker_and_is_shown_so() {
    let mut world = apart();
    in_memory(&mut world, BOB);
    let id = world.send(ALICE, "@carol", "by bob").unwrap().id;
    meet(&mut world, ALICE, BOB);
    assert_eq!((handed(&mut world, &id), message(&mut world, &id).state.as_str()), ((1, 1), "handed"));
    assert!(!is_sent(&mut world, &id));
    let request = v1::TraceMessageRequest { id: id.clone() };
    let trace: v1::TraceMessageResponse = world.owner(ALICE, Method::TraceMessage, &request).unwrap();
    assert!(
        trace.steps.iter().any(|step| step.detail == "another node carries it, in memory only"),
        "{trace:?}"
    );
    // From his next start on bob keeps on disk what he takes.
    world.stop(BOB);
    world.nodes[BOB].is_volatile = false;
    world.start(BOB);
    meet(&mut world, ALICE, BOB);
    assert_eq!((handed(&mut world, &id), is_sent(&mut world, &id)), ((1, 0), true));
}

/// A node's custody lives in memory from now on.
fn in_memory(world: &mut World, node: usize) {
    world.stop(node);
    world.nodes[node].is_volatile = true;
    world.start(node);
}

#[test]
fn a_restart_loses_what_is_in_memory_and_nothing_of_ones_own() {
    let mut world = apart();
    in_memory(&mut world, BOB);
    world.send(ALICE, "@carol", "lost with the first").unwrap();
    world.send(BOB, "@carol", "mine").unwrap();
    meet(&mut world, ALICE, BOB);
    assert_eq!(kinds(&world, BOB), [(Class::Message, 336)], "his own is on disk, and nothing else");
    world.stop(BOB);
    world.start(BOB);
    meet(&mut world, BOB, CAROL);
    assert_eq!(world.received(CAROL), ["bob: mine"]);
    // Alice's neighbour has another store now: she gives it to him again.
    meet(&mut world, ALICE, BOB);
    meet(&mut world, BOB, CAROL);
    assert_eq!(world.received(CAROL), ["bob: mine", "alice: lost with the first"]);
    assert_eq!(world.nodes[BOB].memory.count(crate::tables::BODIES), 0);
    assert_eq!(world.nodes[BOB].memory.count(crate::tables::TOMBSTONES), 0);
}

#[test]
fn what_was_taken_on_disk_is_kept_when_custody_moves_to_memory() {
    let mut world = apart();
    world.send(ALICE, "@carol", "promised").unwrap();
    meet(&mut world, ALICE, BOB);
    in_memory(&mut world, BOB);
    world.stop(BOB);
    world.start(BOB);
    meet(&mut world, BOB, CAROL);
    assert_eq!(world.received(CAROL), ["alice: promised"]);
    assert_eq!(kinds(&world, BOB), []);
}

#[test]
fn what_nobody_carries_any_more_is_queued_and_then_expires() {
    let mut world = apart();
    let id = world.send(ALICE, "@carol", "in vain").unwrap().id;
    meet(&mut world, ALICE, BOB);
    for (days, state, count) in [(13, "handed", 1), (2, "queued", 0), (19, "queued", 0), (2, "expired", 0)] {
        world.pass(days * DAY_MS);
        let now = message(&mut world, &id);
        assert_eq!((now.state.as_str(), now.handed), (state, count), "after {days} more days");
    }
    for node in [ALICE, BOB, CAROL] {
        assert_eq!(kinds(&world, node), []);
    }
}

/// Three of a group who cannot reach each other.
fn scattered() -> World {
    let mut world = group(&["alice", "bob", "carol"]);
    world.pass(MINUTE_MS);
    for (one, other) in [(ALICE, BOB), (ALICE, CAROL), (BOB, CAROL)] {
        world.cut(one, other);
    }
    world
}

#[test]
fn what_comes_together_is_acknowledged_together() {
    let mut world = scattered();
    let ids: Vec<Vec<u8>> =
        (0..5).map(|number| world.send(ALICE, "#village", &number.to_string()).unwrap().id).collect();
    meet(&mut world, ALICE, BOB);
    meet(&mut world, BOB, CAROL);
    assert_eq!(world.received(CAROL).len(), 5);
    // Among what carol has for alice is one receipt, which does not live longer than a day.
    let short: Vec<_> = held(&world, BOB).into_iter().filter(|(_, _, hours)| *hours == 24).collect();
    assert_eq!(short.len(), 1, "{short:?}");
    assert_eq!(short[0].0, Class::Control);
    meet(&mut world, ALICE, BOB);
    for id in ids {
        assert_eq!(message(&mut world, &id).state, "delivered");
    }
    assert!((0..3).all(|node| receipts(&world, node) == 0));
}

/// Two meet until the second has received something that it has not acknowledged yet.
fn hear(world: &mut World, one: usize, other: usize) {
    world.join(one, other);
    while world.received(other).is_empty() {
        world.pass(100);
    }
    assert_eq!(receipts(world, other), 1);
}

#[test]
fn a_receipt_goes_along_with_an_answer() {
    let mut world = scattered();
    let id = world.send(ALICE, "#village", "who is there?").unwrap().id;
    meet(&mut world, ALICE, BOB);
    hear(&mut world, BOB, CAROL);
    world.send(CAROL, "#village", "I am").unwrap();
    assert_eq!(receipts(&world, CAROL), 0);
    world.pass(MINUTE_MS);
    world.cut(BOB, CAROL);
    assert_eq!(kinds(&world, BOB), [(Class::Message, 336)], "no bundle is a receipt");
    meet(&mut world, ALICE, BOB);
    assert_eq!(message(&mut world, &id).state, "delivered");
    assert_eq!(world.received(ALICE), ["carol: I am"]);
}

#[test]
fn receipts_that_wait_outlast_a_restart() {
    let mut world = scattered();
    let id = world.send(ALICE, "#village", "one").unwrap().id;
    meet(&mut world, ALICE, BOB);
    hear(&mut world, BOB, CAROL);
    world.stop(CAROL);
    world.start(CAROL);
    world.pass(MINUTE_MS);
    assert_eq!(receipts(&world, CAROL), 0);
    meet(&mut world, ALICE, BOB);
    assert_eq!(message(&mut world, &id).state, "delivered");
}
