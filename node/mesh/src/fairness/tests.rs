use proptest::prelude::*;

use super::*;
use crate::bundle::{BundleId, Class, Kind, SizeClass};

const KIB: u64 = 1_024;
const BUDGET: Budget = Budget { cost_max: 256 * KIB, count_max: 1_000 };

fn node(byte: u8) -> NodeKey {
    NodeKey::from_bytes([byte; 32])
}

fn waiting(class: Class, number: u64, bringer: Option<u8>, cost: u64) -> Waiting {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&number.to_be_bytes());
    let key = SortKey::new(Kind { class, size: SizeClass::Kib1 }, &BundleId::from_bytes(id));
    Waiting { key, bringer: bringer.map(node), cost }
}

/// So many bundles of 4 KiB of one class from each bringer.
fn queue(class: Class, of: &[(Option<u8>, u64)]) -> Vec<Waiting> {
    let each = of.iter().enumerate();
    let mut all: Vec<_> = each
        .flat_map(|(index, (bringer, count))| {
            (0..*count).map(move |number| waiting(class, number << 8 | index as u64, *bringer, 4 * KIB))
        })
        .collect();
    all.sort_by_key(|one| one.key);
    all
}

fn chosen_of(waiting: &[Waiting], chosen: &[SortKey], bringer: u8) -> usize {
    let of =
        |key: &&SortKey| waiting.iter().any(|one| one.key == **key && one.bringer == Some(node(bringer)));
    chosen.iter().filter(of).count()
}

#[test]
fn control_comes_before_all_else() {
    let mut all = queue(Class::Control, &[(Some(1), 10)]);
    all.extend(queue(Class::Message, &[(None, 100)]));
    let chosen = Turns::default().choose(0, &all, BUDGET);
    assert_eq!(chosen.len(), 64);
    assert!(all[..10].iter().all(|one| chosen[..10].contains(&one.key)));
}

#[test]
fn own_comes_first_within_its_class() {
    let all = queue(Class::Message, &[(Some(1), 100), (None, 50)]);
    let chosen = Turns::default().choose(0, &all, BUDGET);
    assert_eq!(chosen_of(&all, &chosen, 1), 14);
}

#[test]
fn bringers_share_equally_however_much_waits() {
    let all = queue(Class::Message, &[(Some(1), 1_000), (Some(2), 20), (Some(3), 1_000)]);
    let mut turns = Turns::default();
    let chosen = turns.choose(0, &all, BUDGET);
    assert_eq!([1, 2, 3].map(|bringer| chosen_of(&all, &chosen, bringer)), [22, 20, 22]);
}

#[test]
fn a_flood_leaves_half_while_others_were_heard_of_lately() {
    let flood = queue(Class::Message, &[(Some(9), 1_000)]);
    let mut turns = Turns::default();
    assert_eq!(turns.choose(0, &flood, BUDGET).len(), 64, "alone");
    turns.choose(1_000, &queue(Class::Message, &[(Some(1), 1)]), BUDGET);
    assert_eq!(turns.choose(2_000, &flood, BUDGET).len(), 32, "room is kept");
    assert_eq!(turns.choose(60_999, &flood, BUDGET).len(), 32);
    assert_eq!(turns.choose(61_000, &flood, BUDGET).len(), 64, "nobody was heard of for a minute");
}

#[test]
fn nothing_larger_than_what_is_left_stops_what_is_smaller() {
    let all = [waiting(Class::Message, 1, None, 300 * KIB), waiting(Class::Message, 2, None, KIB)];
    assert_eq!(Turns::default().choose(0, &all, BUDGET), [all[1].key]);
}

proptest! {
    #[test]
    fn budgets_hold_and_nothing_is_chosen_twice(
        raw in prop::collection::btree_map((0..4_usize, any::<u64>()), (prop::option::of(0..5_u8), 1..70_000_u64), 0..200),
        cost_max in 0..500_000_u64,
        count_max in 0..100_usize,
    ) {
        let mut all: Vec<_> = raw
            .into_iter()
            .map(|((class, number), (bringer, cost))| waiting(Class::ALL[class], number, bringer, cost))
            .collect();
        all.sort_by_key(|one| one.key);
        let budget = Budget { cost_max, count_max };
        let mut turns = Turns::default();
        let mut chosen = turns.choose(0, &all, budget);
        let cost_of = |key: &SortKey| all.iter().find(|one| one.key == *key).map_or(0, |one| one.cost);
        prop_assert!(chosen.iter().map(cost_of).sum::<u64>() <= cost_max);
        prop_assert!(chosen.len() <= count_max);
        let count = chosen.len();
        chosen.sort();
        chosen.dedup();
        prop_assert_eq!(chosen.len(), count);
    }
}
