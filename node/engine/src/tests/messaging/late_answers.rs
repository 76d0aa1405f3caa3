//! Answers that come when what they are about has changed: nobody loses what is his, and nothing is counted twice.

use qpq_proto::{Method, v1};

use crate::tables::{CURSORS, OUTGOING, PAYLOADS};
use crate::tests::{
    groups::{add, group, remove},
    world::World,
};

const ALICE: usize = 0;
const BOB: usize = 1;
const CAROL: usize = 2;

fn block(world: &mut World, node: usize, name: &str, unblock: bool) {
    let request = v1::BlockContactRequest { name: name.into(), unblock };
    world.owner::<v1::BlockContactResponse>(node, Method::BlockContact, &request).unwrap();
}

/// Of an own message of alice: its state, and how many have it of how many.
fn progress(world: &mut World, id: &[u8]) -> (String, u32, u32) {
    let message = world.history(ALICE).into_iter().find(|message| message.id == id).unwrap();
    (message.state, message.delivered, message.recipients)
}

#[test]
fn an_answer_after_a_removal_takes_nothing_from_those_who_stay() {
    let mut world = group(&["alice", "bob", "carol"]);
    world.cut(ALICE, CAROL);
    let sent = world.send(ALICE, "#village", "hello").unwrap();
    // It is under way to bob while he is removed.
    remove(&mut world, ALICE, "bob").unwrap();
    world.settle();
    assert_eq!(progress(&mut world, &sent.id), ("queued".into(), 0, 2), "carol has not got it");
    world.join(ALICE, CAROL);
    world.settle();
    assert_eq!(world.received(CAROL), ["alice: hello"]);
    assert_eq!(world.show(CAROL, "#village").unwrap().members.len(), 2, "nor did she miss the commit");
    assert_eq!(world.nodes[ALICE].memory.count(OUTGOING), 0);
}

#[test]
fn an_answer_after_a_removal_and_a_return_takes_nothing_from_others() {
    let mut world = group(&["alice", "bob", "carol"]);
    world.cut(ALICE, CAROL);
    world.send(ALICE, "#village", "first").unwrap();
    remove(&mut world, ALICE, "bob").unwrap();
    add(&mut world, ALICE, "bob").unwrap();
    world.send(ALICE, "#village", "second").unwrap();
    world.settle();
    world.join(ALICE, CAROL);
    world.settle();
    assert_eq!(world.received(CAROL), ["alice: first", "alice: second"]);
    assert_eq!(world.received(BOB).last().unwrap(), "alice: second");
    assert_eq!(
        (world.nodes[ALICE].memory.count(OUTGOING), world.nodes[ALICE].memory.count(PAYLOADS)),
        (0, 0)
    );
}

#[test]
fn an_answer_after_a_block_changes_nothing() {
    let mut world = World::friends(&["alice", "bob"]);
    let sent = world.send(ALICE, "@bob", "hello").unwrap();
    world.send(ALICE, "@bob", "and more").unwrap();
    block(&mut world, ALICE, "bob", false);
    world.settle();
    assert_eq!(world.state_of(ALICE, &sent.id), "failed");
    assert_eq!(world.nodes[ALICE].memory.count(OUTGOING), 0);
    block(&mut world, ALICE, "bob", true);
    let later = world.send(ALICE, "@bob", "again").unwrap();
    world.settle();
    assert_eq!(world.state_of(ALICE, &later.id), "delivered");
    assert_eq!(world.received(BOB).last().unwrap(), "alice: again");
}

#[test]
fn an_answer_of_an_earlier_run_is_not_needed() {
    let mut world = World::friends(&["alice", "bob"]);
    let sent = world.send(ALICE, "@bob", "hello").unwrap();
    world.step();
    // Bob has it; the node is killed before it hears so.
    world.stop(ALICE);
    world.start(ALICE);
    world.settle();
    assert_eq!(world.received(BOB), ["alice: hello"]);
    assert_eq!(progress(&mut world, &sent.id), ("delivered".into(), 1, 1));
}

#[test]
fn whoever_took_everything_leaves_no_cursor_behind() {
    let mut world = group(&["alice", "bob", "carol"]);
    for number in 0..5 {
        world.send(ALICE, "#village", &format!("{number}")).unwrap();
        world.settle();
    }
    remove(&mut world, ALICE, "bob").unwrap();
    remove(&mut world, ALICE, "carol").unwrap();
    world.settle();
    assert_eq!(world.nodes[ALICE].memory.count(CURSORS), 0);
}
