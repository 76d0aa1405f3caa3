//! One outbox entry for many recipients, each of whom takes it in its own time.

use qpq_proto::{Method, v1};

use super::groups::{add, group, remove, rotate, village};

const ALICE: usize = 0;
const BOB: usize = 1;
const CAROL: usize = 2;

#[test]
fn a_message_writes_as_much_in_a_larger_group() {
    let written = |names: &[&'static str]| {
        let mut world = group(names);
        (1..names.len()).for_each(|other| world.cut(ALICE, other));
        world.send(ALICE, "#village", "the first one also writes what is written once").unwrap();
        let before = world.nodes[ALICE].memory.clone();
        world.send(ALICE, "#village", "hello").unwrap();
        assert_eq!(world.nodes[ALICE].memory.count(crate::tables::OUTGOING), 2);
        world.nodes[ALICE].memory.bytes_since(&before)
    };
    let (small, large) = (written(&["alice", "bob"]), written(&["alice", "bob", "carol", "dave", "erin"]));
    assert!(large <= small + 16, "{small} bytes with two members, {large} with five");
}

#[test]
fn everybody_gets_a_message_in_their_own_time() {
    let mut world = group(&["alice", "bob", "carol", "dave"]);
    (1..4).for_each(|other| world.cut(ALICE, other));
    for number in 0..3 {
        world.send(ALICE, "#village", &format!("{number}")).unwrap();
    }
    for other in 1..4 {
        world.join(ALICE, other);
        world.settle();
        assert_eq!(world.received(other), ["alice: 0", "alice: 1", "alice: 2"]);
    }
    assert_eq!(world.nodes[ALICE].memory.count(crate::tables::OUTGOING), 0);
    assert_eq!(world.nodes[ALICE].memory.count(crate::tables::PAYLOADS), 0);
}

#[test]
fn a_newcomer_gets_nothing_of_what_waits_for_others() {
    let mut world = village(&["alice", "bob", "carol"]);
    let request = v1::CreateGroupRequest { name: "village".into(), members: vec!["bob".into()] };
    world.owner::<v1::CreateGroupResponse>(ALICE, Method::CreateGroup, &request).unwrap();
    world.settle();
    world.cut(ALICE, BOB);
    world.send(ALICE, "#village", "before").unwrap();
    add(&mut world, ALICE, "carol").unwrap();
    world.send(ALICE, "#village", "after").unwrap();
    world.settle();
    assert_eq!(world.received(CAROL), ["alice: after"]);
    world.join(ALICE, BOB);
    world.settle();
    assert_eq!(world.received(BOB), ["alice: before", "alice: after"]);
    assert_eq!(world.nodes[ALICE].memory.count(crate::tables::OUTGOING), 0);
}

#[test]
fn whoever_is_removed_takes_what_waits_along() {
    let mut world = group(&["alice", "bob", "carol"]);
    world.cut(ALICE, BOB);
    world.cut(BOB, CAROL);
    let sent = world.send(ALICE, "#village", "bob never sees this").unwrap();
    remove(&mut world, ALICE, "bob").unwrap();
    world.settle();
    assert_eq!(world.state_of(ALICE, &sent.id), "delivered");
    world.join(ALICE, BOB);
    world.settle();
    assert_eq!(world.received(BOB), Vec::<String>::new());
    assert_eq!(world.conversations(BOB).iter().find(|c| c.name == "#village").unwrap().state, "ended");
    assert_eq!(world.nodes[ALICE].memory.count(crate::tables::OUTGOING), 0);
}

#[test]
fn what_was_stored_and_can_no_longer_be_opened_is_sealed_again() {
    let mut world = group(&["alice", "bob", "carol"]);
    // Bob misses a commit of alice, and carol, who has it, sends him what he can only store.
    world.cut(ALICE, BOB);
    rotate(&mut world, ALICE, "#village");
    world.settle();
    let sent = world.send(CAROL, "#village", "from the epoch that bob misses").unwrap();
    world.settle();
    assert_eq!(world.received(BOB), Vec::<String>::new());
    assert_eq!(world.state_of(CAROL, &sent.id), "sent");
    // By the time he hears of alice again he is welcomed into a later epoch, past the one of the message.
    world.nodes[ALICE].memory.forget(crate::tables::OUTGOING);
    world.stop(ALICE);
    world.start(ALICE);
    world.join(ALICE, BOB);
    rotate(&mut world, BOB, "#village");
    world.pass(3_600_000);
    assert_eq!(world.received(BOB), ["carol: from the epoch that bob misses"]);
    assert_eq!(world.state_of(CAROL, &sent.id), "delivered");
}
