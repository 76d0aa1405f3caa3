//! Somebody says that another's node is theirs: in a link, or in a certificate, neither of which the node has signed.

use qpq_proto::{Method, v1};

use super::{groups::group, world::World};
use crate::{records::PersonRecord, tables};

const ALICE: usize = 0;
const BOB: usize = 1;
const MALLORY: usize = 2;

fn person(world: &mut World, node: usize, name: &str) -> PersonRecord {
    world.act(node, |engine, cx| engine.find_contact(cx, name).unwrap())
}

/// A group of three, in which mallory's certificate says that she is at bob's node.
fn claimed() -> World {
    let mut world = group(&["alice", "bob", "mallory"]);
    let (bob, mallory) = (person(&mut world, ALICE, "bob"), person(&mut world, ALICE, "mallory"));
    let claim = PersonRecord { nodes: [mallory.nodes.clone(), bob.nodes.clone()].concat(), ..mallory };
    world.act(ALICE, |engine, cx| engine.save_person(cx, &claim).unwrap());
    world
}

#[test]
fn whose_node_is_claimed_is_reached_all_the_same() {
    let mut world = claimed();
    world.send(ALICE, "#village", "while connected").unwrap();
    world.settle();
    assert_eq!(world.received(BOB), ["alice: while connected"]);
    world.stop(BOB);
    world.send(ALICE, "#village", "while away").unwrap();
    world.send(ALICE, "@bob", "for bob").unwrap();
    world.settle();
    world.start(BOB);
    world.settle();
    let mut received = world.received(BOB);
    received.sort();
    assert_eq!(received, ["alice: for bob", "alice: while away", "alice: while connected"]);
    assert_eq!(world.received(MALLORY), ["alice: while connected", "alice: while away"]);
}

#[test]
fn a_claim_ends_with_the_claimant() {
    let mut world = World::friends(&["alice", "bob", "mallory"]);
    world.befriend(ALICE, MALLORY);
    let (bob, mallory) = (person(&mut world, ALICE, "bob"), person(&mut world, ALICE, "mallory"));
    let node = bob.node_keys()[0];
    let claim = PersonRecord { nodes: bob.nodes.clone(), ..mallory.clone() };
    let owners = |world: &mut World| world.act(ALICE, |engine, cx| engine.owners_of_node(cx, node).unwrap());
    for _ in 0..3 {
        world.act(ALICE, |engine, cx| engine.save_person(cx, &claim).unwrap());
    }
    assert_eq!(owners(&mut world), [bob.identity.clone(), mallory.identity]);
    let remove = v1::RemoveContactRequest { name: "mallory".into() };
    world.owner::<v1::RemoveContactResponse>(ALICE, Method::RemoveContact, &remove).unwrap();
    assert_eq!(owners(&mut world), [bob.identity]);
    let remove = v1::RemoveContactRequest { name: "bob".into() };
    world.owner::<v1::RemoveContactResponse>(ALICE, Method::RemoveContact, &remove).unwrap();
    assert_eq!(owners(&mut world), Vec::<Vec<u8>>::new());
    assert_eq!(
        world.nodes[ALICE].memory.count(tables::NODES),
        0,
        "the node that mallory had before is forgotten too"
    );
}
