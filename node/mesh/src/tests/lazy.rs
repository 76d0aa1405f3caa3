//! News outruns bodies on stable links between carriers.

use super::world::{Made, World, config};
use crate::wire::NodeKind::{Carrier, Leaf};
use crate::wire::{OfferItem, Request};
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
    assert_eq!(world.transfers, 6, "from 3 to 8, and one replica to the other side");
    assert_eq!(holders(&world, &branch), 0);
    world.pass(24 * HOUR_MS);
    assert_eq!((world.transfers, holders(&world, &branch)), (6, 0), "nobody hears of it any more");
}

#[test]
fn news_travels_at_once_and_costs_little() {
    let mut world = row(8);
    let before = world.bytes;
    let bundle = Made { size: SizeClass::Kib64, ..Made::to(99) }.bundle(1);
    world.deposit(0, &bundle);
    world.pass(20_000);
    assert_eq!(world.transfers, 1, "the replica without which all would depend on one carrier");
    let news = world.bytes - before - SizeClass::Kib64.bytes();
    assert!(news < 800, "{news} bytes");
    assert!((2..8).all(|node| world.nodes[node].mesh.rumours.get(short_of(&bundle)).is_some()));
}

fn short_of(bundle: &crate::Bundle) -> crate::bundle::ShortId {
    crate::SortKey::of(bundle.header()).short()
}

#[test]
fn a_bundle_for_nobody_here_stays_with_few() {
    let mut world = row(8);
    let bundle = Made::to(99).bundle(1);
    world.deposit(0, &bundle);
    world.pass(12 * HOUR_MS);
    assert_eq!((holders(&world, &bundle), world.transfers), (2, 1));
}

#[test]
fn a_want_waits_until_there_is_a_way() {
    let mut world = row(3);
    world.unlink(2, 3);
    let bundle = Made::to(3).bundle(1);
    world.deposit(0, &bundle);
    world.pass(10_000);
    world.unlink(1, 2);
    assert!(!world.holds(2, &bundle));
    world.link(2, 3);
    world.pass(HOUR_MS);
    assert_eq!(world.opened(3, &bundle), 0, "nobody there has it");
    world.link(1, 2);
    world.pass(10_000);
    assert_eq!(world.opened(3, &bundle), 1, "it was not asked for once more");
}

#[test]
fn a_want_goes_round_a_ring_once() {
    let mut world = row(6);
    world.link(5, 0);
    world.pass(HOUR_MS);
    let bundle = Made::to(6).bundle(1);
    world.deposit(2, &bundle);
    world.pass(20_000);
    assert_eq!(world.opened(6, &bundle), 1);
    let ways = [5, 6];
    assert!(
        ways.contains(&world.transfers),
        "replicas to both sides, one way to the end: {}",
        world.transfers
    );
    let before = world.bytes;
    world.pass(10 * HOUR_MS);
    assert_eq!(world.bytes, before, "nothing is asked for again");
}

#[test]
fn a_broken_way_is_replaced_by_another() {
    let mut world = World::new(&[Carrier, Carrier, Carrier, Carrier, Leaf]);
    [(0, 1), (0, 2), (1, 3), (2, 3)].into_iter().for_each(|(a, b)| world.link(a, b));
    world.pass(HOUR_MS);
    let bundle = Made::to(4).bundle(1);
    world.deposit(0, &bundle);
    world.pass(10_000);
    assert_eq!(holders(&world, &bundle), 3);
    world.unlink(1, 3);
    world.link(3, 4);
    world.pass(10_000);
    assert_eq!(world.opened(4, &bundle), 1, "by the other way");
    assert_eq!(holders(&world, &bundle), 0);
}

#[test]
fn rumours_end_with_their_bundles() {
    let mut world = row(3);
    let of = |number| Made { lifetime_s: 86_400, ..Made::to(99) }.bundle(number);
    world.deposit(0, &of(1));
    world.pass(10_000);
    let knows = |world: &World, number| world.nodes[2].mesh.rumours.get(short_of(&of(number))).is_some();
    assert!(knows(&world, 1));
    world.unlink(1, 2);
    assert!(knows(&world, 1), "the link is gone, the news is not");
    world.link(1, 2);
    world.pass(25 * HOUR_MS);
    world.deposit(0, &of(2));
    world.pass(10_000);
    assert!(!knows(&world, 1) && knows(&world, 2));
}

/// Tells a node of a bundle by hearsay, as a neighbour of it.
fn tell(world: &mut World, [from, to]: [usize; 2], bundle: &crate::Bundle) {
    let (short, salt) = (short_of(bundle), *bundle.header().salt());
    let item = OfferItem { short, salt, tag_start: [99; 8], is_held: false, is_spare: false, ends_in: 0 };
    world.call(from, to, Request::Offer(vec![item.ending_in(HOUR_MS)])).unwrap();
}

#[test]
fn an_ended_rumour_that_is_told_again_goes_nowhere() {
    let few = Config { rumours_max: 8, ..config(Carrier) };
    let mut world = World::with(vec![few; 5]);
    (0..5).for_each(|node| world.link(node, (node + 1) % 5));
    world.pass(HOUR_MS);
    let of = |number| Made { lifetime_s: 86_400, ..Made::to(99) }.bundle(number);
    for number in 0..12 {
        world.deposit(0, &of(number));
        world.pass(60_000);
    }
    let knows = |world: &World, number| world.nodes[2].mesh.rumours.get(short_of(&of(number))).is_some();
    assert!(!knows(&world, 0) && knows(&world, 11), "the oldest made room");
    let before = world.bytes;
    tell(&mut world, [1, 2], &of(0));
    let once = world.bytes - before;
    world.pass(HOUR_MS);
    assert_eq!(world.bytes - before, once, "it is no news to anybody");
    assert!(!knows(&world, 0));
}

#[test]
fn a_want_is_answered_though_its_teller_is_forgotten() {
    let mut world = row(4);
    world.unlink(3, 4);
    let bundle = Made::to(4).bundle(1);
    world.deposit(0, &bundle);
    world.pass(10_000);
    // The neighbour comes back as one that lost its store: what it told and was told is forgotten.
    world.restart(2);
    world.nodes[2].store = crate::MemoryStore::new();
    world.restart(2);
    assert!(world.nodes[2].mesh.rumours.get(short_of(&bundle)).is_none());
    [(1, 2), (2, 3), (3, 4)].into_iter().for_each(|(a, b)| world.link(a, b));
    world.pass(2 * HOUR_MS);
    assert_eq!(world.opened(4, &bundle), 1);
    assert_eq!(holders(&world, &bundle), 0);
}

#[test]
fn a_want_goes_back_the_way_of_the_news_alone() {
    // A row of carriers to a leaf, and a side street with a dead end.
    let mut configs = vec![config(Carrier); 8];
    configs[4] = config(Leaf);
    let mut world = World::with(configs);
    [(0, 1), (1, 2), (2, 3), (3, 4), (2, 5), (5, 6), (6, 7)].into_iter().for_each(|(a, b)| world.link(a, b));
    world.pass(HOUR_MS);
    let bundle = Made::to(4).bundle(1);
    world.deposit(0, &bundle);
    world.pass(20_000);
    assert_eq!(world.opened(4, &bundle), 1);
    let rumours = |node: usize| &world.nodes[node].mesh.rumours;
    assert!((5..8).all(|node| rumours(node).get(short_of(&bundle)).is_some()), "the news came");
    assert!((5..8).all(|node| !rumours(node).wants.is_wanted(short_of(&bundle))), "the want did not");
}

#[test]
fn a_stream_of_news_goes_out_in_few_calls() {
    let mut world = World::new(&[Carrier, Carrier, Carrier]);
    world.link(0, 1);
    world.link(1, 2);
    world.pass(HOUR_MS);
    let bundle = |number| Made::to(99).bundle(number);
    tell(&mut world, [0, 1], &bundle(0));
    world.pass(1_000);
    let heard = |world: &World| {
        let rumours = &world.nodes[2].mesh.rumours;
        (0..121).filter(|number| rumours.get(short_of(&bundle(*number))).is_some()).count()
    };
    assert_eq!(heard(&world), 1, "a single piece goes at once");
    let mut batches = 0;
    for number in 1..121 {
        let before = heard(&world);
        tell(&mut world, [0, 1], &bundle(number));
        world.pass(1_000);
        batches += usize::from(heard(&world) > before);
    }
    assert!((1..4).contains(&batches), "{batches}");
    world.pass(120_000);
    assert_eq!(heard(&world), 121);
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
