//! Bundles reach whom they are for, and disappear when they have.

use super::world::{Made, World, config};
use crate::wire::Durability;
use crate::wire::NodeKind::{Carrier, Leaf, Mobile};
use crate::{Config, Effect, SizeClass};

#[test]
fn two_neighbours_hand_over_and_settle() {
    let mut world = World::new(&[Mobile, Mobile]);
    let bundle = Made::to(1).bundle(1);
    let id = world.deposit(0, &bundle);
    world.link(0, 1);
    world.settle_down();
    assert_eq!(world.nodes[1].opened, [id]);
    assert!(!world.holds(0, &bundle) && !world.holds(1, &bundle));
    let effects = &world.nodes[0].effects;
    assert!(
        matches!(
            effects[..],
            [
                Effect::Handed { kind: Mobile, durability: Durability::Durable, is_own: true, .. },
                Effect::Settled { is_own: true, .. }
            ] | [Effect::Settled { is_own: true, .. }, Effect::Handed { .. }]
        ) || effects.iter().any(|effect| matches!(effect, Effect::Settled { is_own: true, .. })),
        "{effects:?}"
    );
}

#[test]
fn a_carrier_brings_together_those_who_never_meet() {
    let mut world = World::new(&[Leaf, Carrier, Leaf]);
    let bundle = Made::to(2).bundle(1);
    world.deposit(0, &bundle);
    world.link(0, 1);
    world.settle_down();
    world.unlink(0, 1);
    assert!(world.holds(1, &bundle));
    world.link(1, 2);
    world.settle_down();
    assert_eq!(world.opened(2, &bundle), 1);
    assert!(!world.holds(1, &bundle), "the recipient settled it");
    world.unlink(1, 2);
    world.link(0, 1);
    world.settle_down();
    assert!(!world.holds(0, &bundle), "the sender learns it at the next meeting");
}

#[test]
fn settlement_runs_back_along_a_chain() {
    let mut world = World::new(&[Carrier; 6]);
    let bundle = Made { size: SizeClass::Kib16, ..Made::to(5) }.bundle(1);
    (0..5).for_each(|node| world.link(node, node + 1));
    world.deposit(0, &bundle);
    world.pass(60_000);
    assert_eq!(world.opened(5, &bundle), 1);
    for node in 0..6 {
        assert!(!world.holds(node, &bundle), "node {node}");
        assert_eq!(world.nodes[node].mesh.tombstones(), 1, "node {node}");
    }
}

#[test]
fn a_settled_bundle_does_not_come_back() {
    let mut world = World::new(&[Carrier, Carrier, Carrier]);
    let bundle = Made::to(2).bundle(1);
    world.deposit(0, &bundle);
    world.link(0, 1);
    world.settle_down();
    world.unlink(0, 1);
    // The first one does not learn yet that it has arrived.
    world.link(1, 2);
    world.settle_down();
    world.unlink(1, 2);
    assert!(world.holds(0, &bundle) && !world.holds(1, &bundle));
    world.link(0, 2);
    world.pass(10_000);
    assert!(!world.holds(0, &bundle));
    assert_eq!(world.opened(2, &bundle), 1);
    assert_eq!(world.transfers, 2);
}

#[test]
fn what_nothing_settles_is_carried_on_by_a_carrier_and_remembered_by_a_leaf() {
    let mut world = World::new(&[Leaf, Carrier, Leaf]);
    let to_carrier = Made { settles: false, ..Made::to(1) }.bundle(1);
    let to_leaf = Made { settles: false, ..Made::to(2) }.bundle(2);
    world.deposit(0, &to_carrier);
    world.deposit(0, &to_leaf);
    world.link(0, 1);
    world.link(1, 2);
    world.pass(10_000);
    assert_eq!((world.opened(1, &to_carrier), world.opened(2, &to_leaf)), (1, 1));
    assert!(world.holds(1, &to_carrier) && world.holds(1, &to_leaf) && !world.holds(2, &to_leaf));
    world.unlink(1, 2);
    world.link(1, 2);
    world.pass(10_000);
    assert_eq!(world.opened(2, &to_leaf), 1, "once");
}

#[test]
fn lifetimes_end_everywhere_and_the_sender_is_told() {
    let mut world = World::new(&[Mobile, Carrier]);
    let bundle = Made { lifetime_s: 3_600, ..Made::to(9) }.bundle(1);
    let id = world.deposit(0, &bundle);
    world.link(0, 1);
    world.pass(3_000_000);
    assert!(world.holds(0, &bundle) && world.holds(1, &bundle));
    world.pass(700_000);
    assert!(!world.holds(0, &bundle) && !world.holds(1, &bundle));
    assert!(world.nodes[0].effects.contains(&Effect::Expired { id, is_own: true }));
    assert!(world.nodes[1].effects.contains(&Effect::Expired { id, is_own: false }));
}

#[test]
fn mobile_nodes_pass_on_no_more_copies_than_there_are() {
    let six = Config { copies: [6; 4], ..config(Mobile) };
    let mut world = World::with(vec![six; 12]);
    let bundle = Made::to(99).bundle(1);
    world.deposit(0, &bundle);
    for a in 0..12 {
        for b in a + 1..12 {
            world.link(a, b);
            world.settle_down();
            world.unlink(a, b);
        }
    }
    let holders = (0..12).filter(|node| world.holds(*node, &bundle)).count();
    assert!((3..=6).contains(&holders), "{holders}");
    assert_eq!(world.transfers, holders - 1);
}

#[test]
fn carriers_replicate_and_give_mobile_nodes_their_share() {
    let mut world = World::new(&[Carrier, Carrier, Carrier, Mobile, Mobile, Mobile]);
    let bundle = Made::to(99).bundle(1);
    world.deposit(0, &bundle);
    world.link(0, 1);
    world.link(1, 2);
    world.pass(5_000);
    assert!((0..3).all(|node| world.holds(node, &bundle)));
    (3..5).for_each(|mobile| world.link(0, mobile));
    world.link(2, 5);
    world.pass(5_000);
    assert!((3..5).all(|node| world.holds(node, &bundle)));
    assert!(!world.holds(5, &bundle), "a replica has no copies to hand on");
}

#[test]
fn the_last_hop_is_no_obstacle_to_the_recipient() {
    let mut world = World::new(&[Carrier, Carrier, Carrier, Carrier]);
    let mut bundle = Made::to(3).bundle(1);
    bundle.transit.hops_left = 1;
    world.deposit(0, &bundle);
    (0..3).for_each(|node| world.link(node, node + 1));
    world.pass(5_000);
    assert!(world.holds(1, &bundle) && !world.holds(2, &bundle), "one hop and no further");
    world.link(1, 3);
    world.pass(30_000);
    assert_eq!(world.opened(3, &bundle), 1);
}
