//! News outruns bodies on stable links between carriers.

use super::world::{Made, World, config};
use crate::wire::NodeKind::{Carrier, Leaf};
use crate::{Config, SizeClass};

const HOUR_MS: u64 = 3_600_000;

/// Carriers in a row that have been linked for long, with a leaf at its end.
fn row(carriers: usize) -> World {
    let mut configs: Vec<Config> = vec![config(Carrier); carriers];
    configs.push(config(Leaf));
    let mut world = World::with(configs);
    (0..carriers).for_each(|node| world.link(node, node + 1));
    world.pass(HOUR_MS);
    world
}

fn holders(world: &World, bundle: &crate::Bundle) -> usize {
    (0..world.nodes.len()).filter(|node| world.holds(*node, bundle)).count()
}

#[test]
fn a_body_goes_only_where_it_is_wanted() {
    let mut world = row(8);
    let branch = Made { size: SizeClass::Kib16, ..Made::to(8) }.bundle(1);
    world.deposit(3, &branch);
    world.pass(10_000);
    assert_eq!(world.opened(8, &branch), 1);
    assert_eq!(world.transfers, 5, "from 3 to 8, and none to the other side");
    assert_eq!(holders(&world, &branch), 0);
    world.pass(24 * HOUR_MS);
    assert_eq!((world.transfers, holders(&world, &branch)), (5, 0), "nobody hears of it any more");
}

#[test]
fn news_travels_at_once_and_costs_little() {
    let mut world = row(8);
    let before = world.bytes;
    let bundle = Made { size: SizeClass::Kib64, ..Made::to(99) }.bundle(1);
    world.deposit(0, &bundle);
    world.pass(20_000);
    assert_eq!(world.transfers, 0);
    assert!(world.bytes - before < 600, "{} bytes", world.bytes - before);
    assert!((1..8).all(|node| world.nodes[node].mesh.rumours.get(short_of(&bundle)).is_some()));
}

fn short_of(bundle: &crate::Bundle) -> crate::bundle::ShortId {
    crate::SortKey::of(bundle.header()).short()
}

#[test]
fn a_bundle_for_nobody_here_spreads_in_growing_time() {
    let mut world = row(8);
    let bundle = Made::to(99).bundle(1);
    world.deposit(0, &bundle);
    let mut spread = Vec::new();
    for _ in 0..12 {
        world.pass(30_000);
        spread.push(holders(&world, &bundle));
    }
    assert!(spread[0] <= 2 && spread[11] >= 3 && spread[11] < 8, "{spread:?}");
    world.pass(12 * HOUR_MS);
    assert_eq!(holders(&world, &bundle), 8, "but in the end it is everywhere");
    assert_eq!(world.transfers, 7, "and nobody got it twice");
}

#[test]
fn a_broken_way_is_replaced_by_another() {
    let mut world = World::new(&[Carrier, Carrier, Carrier, Carrier, Leaf]);
    [(0, 1), (0, 2), (1, 3), (2, 3)].into_iter().for_each(|(a, b)| world.link(a, b));
    world.pass(HOUR_MS);
    let bundle = Made::to(4).bundle(1);
    world.deposit(0, &bundle);
    world.pass(10_000);
    assert_eq!(holders(&world, &bundle), 1);
    world.unlink(1, 3);
    world.link(3, 4);
    world.pass(10_000);
    assert_eq!(world.opened(4, &bundle), 1, "by the other way");
    assert_eq!(holders(&world, &bundle), 0);
}

#[test]
fn rumours_are_bounded_and_forgotten() {
    let mut world = row(2);
    let bundle = Made { lifetime_s: 86_400, ..Made::to(99) }.bundle(1);
    world.deposit(0, &bundle);
    world.pass(10_000);
    assert!(world.nodes[1].mesh.rumours.get(short_of(&bundle)).is_some());
    world.unlink(0, 1);
    assert!(
        world.nodes[1].mesh.rumours.get(short_of(&bundle)).is_some_and(|rumour| rumour.sources.is_empty())
    );
    world.link(0, 1);
    world.pass(HOUR_MS);
    assert!(world.holds(1, &bundle));
    assert!(world.nodes[1].mesh.rumours.get(short_of(&bundle)).is_none());
}

#[test]
fn laziness_can_be_switched_off() {
    let mut eager = config(Carrier);
    eager.lazy_after_ms = u64::MAX;
    let mut world = World::with(vec![eager.clone(), eager.clone(), eager]);
    world.link(0, 1);
    world.link(1, 2);
    world.pass(HOUR_MS);
    let bundle = Made::to(99).bundle(1);
    world.deposit(0, &bundle);
    world.pass(1_000);
    assert_eq!(holders(&world, &bundle), 3);
}
