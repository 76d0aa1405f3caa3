use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

const HOUR_MS: u64 = 3_600_000;

fn short(number: u64) -> ShortId {
    let mut bytes = [0x10; 9];
    bytes[1..].copy_from_slice(&number.to_be_bytes());
    ShortId::from_bytes(bytes)
}

fn item(number: u64) -> OfferItem {
    let (salt, tag_start) = (number.to_be_bytes(), [0; 8]);
    let item =
        OfferItem { short: short(number), salt, tag_start, is_held: false, is_spare: false, ends_in: 0 };
    item.ending_in(10 * HOUR_MS)
}

/// Hears of a bundle as a carrier does. Whether it was news.
fn hear(rumours: &mut Rumours, number: u64, slot: usize) -> bool {
    rumours.hear(short(number), slot) == Hearsay::Unknown && rumours.add(&item(number), slot, false, 0)
}

fn told(rumours: &mut Rumours, slot: usize, count_max: usize) -> Vec<u64> {
    let news = rumours.tell(slot, 0, count_max);
    news.items.iter().map(|item| u64::from_be_bytes(item.salt)).collect()
}

#[test]
fn a_neighbour_is_told_once_what_others_told() {
    let mut rumours = Rumours::new(100, 1);
    for (number, slot) in [(1, 0), (2, 1), (3, 2), (4, 0)] {
        assert!(hear(&mut rumours, number, slot));
    }
    assert!(!hear(&mut rumours, 1, 2), "no news");
    assert_eq!(told(&mut rumours, 2, 10), [4, 2], "neither what it told first nor what it told too");
    assert_eq!(told(&mut rumours, 2, 10), []);
    assert!(hear(&mut rumours, 5, 1));
    assert_eq!(told(&mut rumours, 2, 10), [5]);
    assert_eq!(told(&mut rumours, 3, 10), [1, 4, 2, 5, 3]);
}

#[test]
fn who_told_much_leaves_room_for_others() {
    let mut rumours = Rumours::new(1_000, 1);
    (0..100).for_each(|number| assert!(hear(&mut rumours, number, 0)));
    (100..103).for_each(|number| assert!(hear(&mut rumours, number, 1)));
    let first = rumours.tell(5, 0, 20);
    assert!(first.is_more);
    let numbers: Vec<_> = first.items.iter().map(|item| u64::from_be_bytes(item.salt)).collect();
    assert_eq!(numbers, (0..10).chain(100..103).collect::<Vec<_>>());
    rumours.untell(5, &first.told_before);
    assert_eq!(told(&mut rumours, 5, 20), numbers, "what did not arrive is told again");
    assert_eq!(told(&mut rumours, 5, 200), (10..100).collect::<Vec<_>>());
}

#[test]
fn who_told_most_makes_room() {
    let mut rumours = Rumours::new(10, 1);
    (0..3).for_each(|number| assert!(hear(&mut rumours, number, 0)));
    (10..1_000).for_each(|number| assert!(hear(&mut rumours, number, 1)));
    assert!((0..3).all(|number| rumours.get(short(number)).is_some()), "a flood displaces itself");
    assert_eq!((10..1_000).filter(|number| rumours.get(short(*number)).is_some()).count(), 7);
    assert!(rumours.gone.len() <= 7 && rumours.len == 10);
}

#[test]
fn what_has_ended_is_no_news() {
    let mut rumours = Rumours::new(100, 1);
    assert!(hear(&mut rumours, 1, 0));
    rumours.forget_old(9 * HOUR_MS);
    assert!(rumours.get(short(1)).is_some());
    rumours.forget_old(10 * HOUR_MS);
    assert!(rumours.get(short(1)).is_none());
    assert_eq!(rumours.hear(short(1), 2), Hearsay::Gone);
    assert!(!hear(&mut rumours, 1, 2) && told(&mut rumours, 3, 10).is_empty());
    let ended = OfferItem { ends_in: 0, ..item(2) };
    assert!(!rumours.add(&ended, 0, false, 0));
}

#[test]
fn a_forgotten_teller_leaves_what_it_told() {
    let mut rumours = Rumours::new(100, 1);
    for (number, slot) in [(1, 0), (2, 0), (2, 1), (3, 1), (4, 0)] {
        hear(&mut rumours, number, slot);
    }
    assert_eq!(told(&mut rumours, 0, 10), [3]);
    assert!(rumours.remove(short(4)).is_some());
    rumours.forget_neighbour(0);
    assert_eq!(rumours.first_teller(short(1)), None, "nobody is left who told it");
    assert_eq!(rumours.first_teller(short(2)), Some(1));
    assert_eq!(told(&mut rumours, 1, 10), [1]);
    assert_eq!(told(&mut rumours, 0, 10), [1, 3, 2], "whoever has the number now knows nothing");
    assert!(rumours.get(short(4)).is_none());
}

#[test]
fn what_may_be_for_this_node_after_all_is_looked_at_again() {
    let mut rumours = Rumours::new(100, 1);
    assert!(hear(&mut rumours, 1, 0));
    let known = |is_foreign| Hearsay::Known { heard_from: 1, is_foreign };
    assert_eq!(rumours.hear(short(1), 0), known(true));
    rumours.doubt();
    assert_eq!(rumours.hear(short(1), 0), known(false));
}

#[derive(Clone, Debug)]
enum Step {
    Hear(u64, usize),
    Tell(usize, usize),
    Remove(u64),
    Forget(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..60_u64, 0..4_usize).prop_map(|(number, slot)| Step::Hear(number, slot)),
        3 => (0..4_usize, 1..12_usize).prop_map(|(slot, count)| Step::Tell(slot, count)),
        2 => (0..60_u64).prop_map(Step::Remove),
        1 => (0..4_usize).prop_map(Step::Forget),
    ]
}

proptest! {
    /// Whatever happens, the bounds hold, who told what is known, nobody is told what it told, and everybody is told the
    /// rest.
    #[test]
    fn rumours_keep_their_promises(steps in prop::collection::vec(step(), 1..200)) {
        let mut rumours = Rumours::new(24, 9);
        let mut tellers: BTreeMap<u64, u64> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Hear(number, slot) => {
                    let was_known = tellers.contains_key(&number);
                    let is_news = hear(&mut rumours, number, slot);
                    prop_assert!(!(is_news && was_known));
                    if is_news || was_known {
                        *tellers.entry(number).or_default() |= 1 << slot;
                    }
                }
                Step::Tell(slot, count_max) => {
                    for number in told(&mut rumours, slot, count_max) {
                        prop_assert_eq!(tellers[&number] & 1 << slot, 0);
                    }
                }
                Step::Remove(number) => {
                    prop_assert_eq!(rumours.remove(short(number)).is_some(), tellers.remove(&number).is_some());
                }
                Step::Forget(slot) => {
                    rumours.forget_neighbour(slot);
                    tellers.values_mut().for_each(|bits| *bits &= !(1 << slot));
                }
            }
            tellers.retain(|number, _| rumours.get(short(*number)).is_some());
            prop_assert!(rumours.len <= 24 && rumours.gone.len() <= 18);
            for (number, bits) in &tellers {
                prop_assert_eq!(rumours.get(short(*number)).map(|rumour| rumour.heard_from), Some(*bits));
            }
        }
        let all: BTreeSet<u64> = told(&mut rumours, 9, 1_000).into_iter().collect();
        prop_assert_eq!(all, tellers.into_keys().collect::<BTreeSet<_>>());
    }
}
