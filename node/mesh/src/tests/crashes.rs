//! Nodes that crash and links that break lose nothing that was answered as taken.

use super::world::{Made, World};
use crate::wire::NodeKind::{Carrier, Leaf, Mobile};
use crate::{Bundle, Effect};

#[test]
fn custody_survives_a_restart() {
    let mut world = World::new(&[Leaf, Carrier, Leaf]);
    let bundle = Made::to(2).bundle(1);
    world.deposit(0, &bundle);
    world.link(0, 1);
    world.settle_down();
    world.restart(1);
    assert!(world.holds(1, &bundle));
    world.link(1, 2);
    world.settle_down();
    assert_eq!(world.opened(2, &bundle), 1);
    world.restart(1);
    assert_eq!(world.nodes[1].mesh.tombstones(), 1);
    world.link(0, 1);
    world.settle_down();
    assert!(!world.holds(0, &bundle), "the tombstone was kept");
}

#[test]
fn what_was_not_opened_is_announced_again() {
    let mut world = World::new(&[Leaf, Leaf]);
    world.opens = false;
    let bundle = Made::to(1).bundle(1);
    world.deposit(0, &bundle);
    world.link(0, 1);
    world.settle_down();
    let is_mine =
        |effect: &Effect| matches!(effect, Effect::Mine { bundle: found } if found.id() == bundle.id());
    assert_eq!(world.nodes[1].effects.iter().filter(|effect| is_mine(effect)).count(), 1);
    world.restart(1);
    assert_eq!(world.nodes[1].effects.iter().filter(|effect| is_mine(effect)).count(), 2);
    world.opens = true;
    world.restart(1);
    assert_eq!(world.opened(1, &bundle), 1);
    assert!(!world.holds(1, &bundle));
}

#[test]
fn lost_calls_are_made_again() {
    let mut world = World::new(&[Mobile, Carrier, Carrier, Mobile]);
    world.loss_percent = 40;
    let bundles: Vec<Bundle> = (0..50).map(|number| Made::to(3).bundle(number)).collect();
    bundles.iter().for_each(|bundle| {
        world.deposit(0, bundle);
    });
    (0..3).for_each(|node| world.link(node, node + 1));
    world.pass(3_600_000);
    for bundle in &bundles {
        assert_eq!(world.opened(3, bundle), 1);
        assert!((0..4).all(|node| !world.holds(node, bundle)));
    }
}

#[test]
fn copies_whose_transfer_failed_come_back() {
    let mut world = World::new(&[Mobile, Mobile, Mobile]);
    let bundle = Made::to(9).bundle(1);
    world.deposit(0, &bundle);
    world.loss_percent = 100;
    for _ in 0..20 {
        world.link(0, 1);
        world.step();
        world.unlink(0, 1);
    }
    world.loss_percent = 0;
    world.link(0, 1);
    world.settle_down();
    world.link(0, 2);
    world.settle_down();
    assert!(world.holds(1, &bundle) && world.holds(2, &bundle));
}
