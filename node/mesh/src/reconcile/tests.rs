use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::bundle::{BundleId, Class, Label, SizeClass};
use crate::storage::{Record, Tier};
use crate::tests::world::{Made, World, config};
use crate::wire::NodeKind::Carrier;
use crate::{Bundle, Input};

const KEY: [u8; 32] = [3; 32];

/// Two carriers that hold these bundles, as numbers, and have not met.
fn two(left: &BTreeSet<u64>, right: &BTreeSet<u64>) -> World {
    let mut world = World::new(&[Carrier, Carrier]);
    for (node, numbers) in [(0, left), (1, right)] {
        numbers.iter().for_each(|number| {
            world.deposit(node, &made(*number));
        });
    }
    world
}

fn made(number: u64) -> Bundle {
    let class = Class::ALL[(number % 2) as usize];
    Made { class, settles: false, ..Made::to(99) }.bundle(number)
}

fn meet(world: &mut World) {
    world.link(0, 1);
    world.pass(30_000);
}

fn same_everywhere(world: &World, numbers: impl Iterator<Item = u64>) -> bool {
    numbers.into_iter().all(|number| world.holds(0, &made(number)) && world.holds(1, &made(number)))
}

#[test]
fn the_cost_is_that_of_the_difference() {
    let common: BTreeSet<u64> = (0..4_000).collect();
    let (mut left, mut right) = (common.clone(), common);
    left.extend(10_000..10_010);
    right.extend(20_000..20_010);
    let mut world = two(&left, &right);
    meet(&mut world);
    assert!(same_everywhere(&world, left.union(&right).copied()));
    assert_eq!(world.transfers, 20);
    let bodies = 20 * 1_200;
    assert!(world.bytes - bodies < 20_000, "{} bytes to find 20 of 4,020", world.bytes - bodies);
}

#[test]
fn equal_sets_cost_one_fingerprint() {
    let common: BTreeSet<u64> = (0..1_000).collect();
    let mut world = two(&common, &common);
    meet(&mut world);
    assert_eq!(world.transfers, 0);
    assert!(world.bytes < 300, "{} bytes", world.bytes);
}

#[test]
fn one_who_lacks_everything_gets_it_from_control_on() {
    let mut world = two(&(0..3_000).collect(), &BTreeSet::from([5_000]));
    world.link(0, 1);
    let control = |world: &World| (0..3_000).step_by(2).filter(|n| world.holds(1, &made(*n))).count();
    let messages = |world: &World| (1..3_000).step_by(2).filter(|n| world.holds(1, &made(*n))).count();
    while messages(&world) == 0 {
        world.pass(20);
    }
    assert!(control(&world) >= 1_400, "{} of 1,500", control(&world));
    world.pass(1_000_000);
    assert!(same_everywhere(&world, 0..3_000));
}

#[test]
fn a_broken_walk_goes_on_where_it_was() {
    let (left, right) = ((0..2_000).collect(), (1_000..3_000).collect());
    let mut world = two(&left, &right);
    let mut meetings = 0;
    while !same_everywhere(&world, 0..3_000) {
        meetings += 1;
        assert!(meetings < 60, "each meeting brings them further");
        world.link(0, 1);
        for _ in 0..12 {
            world.step();
            world.now_ms += 300;
            (0..2).for_each(|node| world.handle(node, Input::Tick));
        }
        world.unlink(0, 1);
    }
    let before = world.bytes;
    meet(&mut world);
    assert!(world.bytes - before < 20_000, "{} bytes to see that nothing is new", world.bytes - before);
}

#[test]
fn more_than_the_queue_holds_comes_in_the_end() {
    let mut small = config(Carrier);
    small.offers_queued_max = 100;
    let mut world = World::with(vec![small.clone(), small]);
    (0..1_500).for_each(|number| {
        world.deposit(0, &made(number));
    });
    world.deposit(1, &made(9_999));
    world.link(0, 1);
    world.pass(3_600_000);
    assert!(same_everywhere(&world, 0..1_500));
}

#[test]
fn what_is_settled_here_is_not_taken_again_there() {
    let mut world = two(&(0..300).collect(), &(0..300).collect());
    let settled = Made::to(1).bundle(5_000);
    world.deposit(0, &settled);
    meet(&mut world);
    assert_eq!(world.opened(1, &settled), 1);
    assert!(!world.holds(0, &settled) && !world.holds(1, &settled));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Any two sets end equal, with little more than each bundle that is missing handed over once.
    #[test]
    fn any_two_sets_end_equal(
        common in prop::collection::btree_set(0..100_000_u64, 0..600),
        left in prop::collection::btree_set(100_000..200_000_u64, 0..200),
        right in prop::collection::btree_set(200_000..300_000_u64, 0..200),
    ) {
        let mine: BTreeSet<u64> = common.union(&left).copied().collect();
        let theirs: BTreeSet<u64> = common.union(&right).copied().collect();
        let mut world = two(&mine, &theirs);
        meet(&mut world);
        prop_assert!(same_everywhere(&world, mine.union(&theirs).copied()));
        prop_assert_eq!(world.transfers, left.len() + right.len());
    }

    /// Whatever ranges a neighbour sends, they are answered within bounds and change nothing that is held.
    #[test]
    fn hostile_ranges_are_harmless(
        lower in any::<[u8; 9]>(),
        uppers in prop::collection::vec(any::<[u8; 9]>(), 0..80),
        ids in prop::collection::vec(any::<u64>(), 0..40),
        counts in prop::collection::vec(0..3_000_u32, 80),
    ) {
        let mut world = two(&(0..500).collect(), &(0..500).collect());
        meet(&mut world);
        let ranges = uppers.iter().zip(counts).map(|(upper, count)| {
            let content = match count % 3 {
                0 => RangeContent::Ids(ids.clone()),
                1 => RangeContent::Skip,
                _ => RangeContent::Fingerprint(crate::wire::Fingerprint { hash: [1; 16], count }),
            };
            Range { upper: Some(ShortId::from_bytes(*upper)), content }
        });
        let ranges = Ranges { lower: ShortId::from_bytes(lower), ranges: ranges.collect() };
        let answers = world.with_mesh(1, |mesh, _| mesh.answer_ranges(0, &ranges));
        prop_assert!(answers.len() <= MESH_RECONCILE_RANGES_MAX);
        world.pass(60_000);
        prop_assert!(same_everywhere(&world, 0..500));
    }

    /// Whatever a neighbour answers, the walk comes to an end.
    #[test]
    fn hostile_answers_end_the_walk(answers in prop::collection::vec((0..6_u8, any::<[u8; 9]>()), 1..300)) {
        let mut world = two(&(0..1_000).collect(), &BTreeSet::new());
        let mut mesh_answers = answers.into_iter().cycle();
        world.with_mesh(0, |mesh, cx| {
            let node = crate::tests::world::key_of(1);
            mesh.handle(cx, Input::LinkUp { node, standing: Tier::Paired }).unwrap();
            let mut theirs = mesh.hello(0, Some(START));
            theirs.held = 10;
            mesh.take_hello(0, &[0; 16], &theirs);
            let mut steps = 0;
            while let Some((Request::Reconcile(asked), _)) = mesh.next_ranges(0, 0) {
                let answer = asked.ranges.iter().map(|range| hostile(mesh_answers.next().unwrap(), range)).collect::<Vec<_>>();
                mesh.take_ranges(0, &answer);
                steps += 1;
                assert!(steps < 2_000, "it goes on for ever");
            }
        });
    }

    #[test]
    fn parts_cover_the_range(numbers in prop::collection::btree_set(any::<u64>(), 0..200), parts_max in 1..20_usize) {
        let custody = custody_of(numbers.iter().copied());
        let whole = Bounds { lower: START, upper: None };
        let parts = whole.parts(&custody, parts_max);
        prop_assert!(parts.len() <= parts_max);
        prop_assert_eq!(parts.first().unwrap().lower, START);
        prop_assert_eq!(parts.last().unwrap().upper, None);
        prop_assert!(parts.windows(2).all(|pair| pair[0].upper == Some(pair[1].lower)));
        let sum: u32 = parts.iter().map(|part| fingerprint(&KEY, &custody, *part).count).sum();
        prop_assert_eq!(sum as usize, numbers.len());
    }
}

/// An answer that a neighbour may make up.
fn hostile((kind, bytes): (u8, [u8; 9]), asked: &Range) -> RangeAnswer {
    let part = |upper| Range {
        upper,
        content: RangeContent::Fingerprint(crate::wire::Fingerprint { hash: [1; 16], count: 7 }),
    };
    match (kind, &asked.content) {
        (_, RangeContent::Skip) => RangeAnswer::Done,
        (0 | 1, RangeContent::Ids(ids)) => RangeAnswer::Lack(vec![bytes[0]; ids.len().div_ceil(8)]),
        (0, _) => RangeAnswer::Continue,
        (1 | 2, _) => RangeAnswer::Split(vec![part(Some(ShortId::from_bytes(bytes))), part(asked.upper)]),
        (3, _) => RangeAnswer::Empty,
        (4, _) => RangeAnswer::Lack(bytes.to_vec()),
        _ => RangeAnswer::Done,
    }
}

fn custody_of(numbers: impl Iterator<Item = u64>) -> crate::custody::Custody {
    let mut custody = crate::custody::Custody::default();
    for number in numbers {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&number.to_be_bytes());
        let label = Label { class: Class::Bulk, lifetime_max_s: 1, salt: [0; 8], tag: [0; 16], settle: None };
        let header = crate::Header::stored(BundleId::from_bytes(id), SizeClass::Kib1, label);
        custody.insert(&Record {
            header: std::sync::Arc::new(header),
            expires_ms: 0,
            arrival: 1,
            hops_left: 0,
            copies: 0,
            bringer: None,
            tier: Tier::Own,
            is_mine: false,
            is_opened: false,
        });
    }
    custody
}

#[test]
fn short_ids_depend_on_the_session() {
    let custody = custody_of(1..501);
    let keys: Vec<_> = custody.iter().map(|(key, _)| key).collect();
    let ids =
        |key: &[u8; 32]| -> BTreeSet<u64> { keys.iter().map(|one| short_id(key, &custody, *one)).collect() };
    assert_eq!(ids(&KEY).len(), 500);
    assert!(ids(&KEY).is_disjoint(&ids(&[4; 32])));
    let whole = Bounds { lower: START, upper: None };
    assert_ne!(fingerprint(&KEY, &custody, whole), fingerprint(&[4; 32], &custody, whole));
}
