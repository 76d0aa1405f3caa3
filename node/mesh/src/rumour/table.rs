//! A table of names that are known, eight bytes each: a keyed print of a name and where what is known of it stands.
//!
//! It is looked up and never walked through, so that its order decides nothing. Its key is random, so that nobody can
//! make names that fall on each other.

use crate::bundle::ShortId;

/// Slots of a table that is not empty, at least.
const SLOTS_MIN: usize = 64;
/// An odd number without a pattern: 2^64 divided by the golden ratio.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Open addressing with linear probing. Where a print belongs grows with the print, so that nothing but prints is needed
/// to make the table larger.
#[derive(Debug)]
pub(super) struct Table {
    key: u64,
    /// A print in the upper half, a place in the lower one; [`EMPTY`] where there is none.
    slots: Vec<u64>,
    used: usize,
}

const EMPTY: u64 = u64::MAX;

impl Table {
    pub(super) const fn new(key: u64) -> Self {
        Self { key, slots: Vec::new(), used: 0 }
    }

    /// What stands for a name.
    pub(super) fn print(&self, short: ShortId) -> u32 {
        let bytes = short.as_bytes();
        let (_, id) = bytes.split_at(1);
        let number = id.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        let mixed = (number ^ self.key).wrapping_mul(SPREAD);
        let mixed = (mixed ^ (mixed >> 29) ^ u64::from(bytes[0])).wrapping_mul(SPREAD);
        // The upper half; never that of an empty slot.
        u32::try_from(mixed >> 32).map_or(0, |print| print.min(u32::MAX - 1))
    }

    /// The first of the places noted under a print that is the right one.
    pub(super) fn find(&self, print: u32, is_right: impl FnMut(u32) -> bool) -> Option<u32> {
        self.slot_of(print, is_right).map(|slot| halves(self.slots[slot]).1)
    }

    /// What stands where a print belongs, whatever it is: brings it near.
    pub(super) fn touch(&self, print: u32) -> u64 {
        self.slots.get(self.home(print)).copied().unwrap_or_default()
    }

    /// Notes a place under a print.
    pub(super) fn insert(&mut self, print: u32, place: u32) {
        if (self.used + 1) * 8 > self.slots.len() * 7 {
            self.grow();
        }
        self.put(print, place);
        self.used += 1;
    }

    /// Notes another place instead of one.
    pub(super) fn replace(&mut self, print: u32, place: u32, by: u32) {
        if let Some(slot) = self.slot_of(print, |other| other == place) {
            self.slots[slot] = whole(print, by);
        }
    }

    /// Forgets a place.
    pub(super) fn remove(&mut self, print: u32, place: u32) {
        let Some(mut hole) = self.slot_of(print, |other| other == place) else { return };
        self.used -= 1;
        let mut slot = hole;
        loop {
            slot = self.after(slot);
            let found = self.slots[slot];
            if found == EMPTY {
                break;
            }
            // What was put further than where it belongs moves up, unless that is behind the hole.
            let home = self.home(halves(found).0);
            if self.distance(home, slot) >= self.distance(hole, slot) {
                self.slots[hole] = found;
                hole = slot;
            }
        }
        self.slots[hole] = EMPTY;
    }

    fn slot_of(&self, print: u32, mut is_right: impl FnMut(u32) -> bool) -> Option<usize> {
        if self.slots.is_empty() {
            return None;
        }
        let mut slot = self.home(print);
        loop {
            let found = self.slots[slot];
            if found == EMPTY {
                return None;
            }
            let (other, place) = halves(found);
            if other == print && is_right(place) {
                return Some(slot);
            }
            slot = self.after(slot);
        }
    }

    fn put(&mut self, print: u32, place: u32) {
        let mut slot = self.home(print);
        while self.slots[slot] != EMPTY {
            slot = self.after(slot);
        }
        self.slots[slot] = whole(print, place);
    }

    fn grow(&mut self) {
        let before = std::mem::take(&mut self.slots);
        self.slots = vec![EMPTY; (before.len() * 2).max(SLOTS_MIN)];
        before.into_iter().filter(|found| *found != EMPTY).for_each(|found| {
            let (print, place) = halves(found);
            self.put(print, place);
        });
    }

    /// The slot to which a print belongs.
    fn home(&self, print: u32) -> usize {
        let scaled = (u64::from(print) * self.slots.len() as u64) >> 32;
        usize::try_from(scaled).unwrap_or_default()
    }

    const fn after(&self, slot: usize) -> usize {
        if slot + 1 == self.slots.len() { 0 } else { slot + 1 }
    }

    /// Steps from one slot to another.
    const fn distance(&self, from: usize, to: usize) -> usize {
        if to >= from { to - from } else { to + self.slots.len() - from }
    }
}

const fn whole(print: u32, place: u32) -> u64 {
    (print as u64) << 32 | place as u64
}

#[expect(clippy::cast_possible_truncation, reason = "the two halves of a number")]
const fn halves(found: u64) -> (u32, u32) {
    ((found >> 32) as u32, found as u32)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// It knows what a set of pairs knows, however many prints fall on each other.
        #[test]
        fn it_is_a_set_of_pairs(
            steps in prop::collection::vec((any::<bool>(), 0..40_u32, 0..4_u32, any::<bool>()), 0..600),
        ) {
            let mut table = Table::new(7);
            let mut pairs = BTreeSet::new();
            for (is_put, number, place, is_high) in steps {
                // Some belong to the last slots, and go round to the first ones.
                let print = if is_high { u32::MAX - 1 - number } else { number << 24 };
                if !is_put {
                    table.remove(print, place);
                    pairs.remove(&(print, place));
                } else if pairs.insert((print, place)) {
                    table.insert(print, place);
                }
                prop_assert_eq!(table.used, pairs.len());
                for (print, place) in &pairs {
                    prop_assert_eq!(table.find(*print, |other| other == *place), Some(*place));
                }
                let is_known = table.find(print, |other| other == place).is_some();
                prop_assert_eq!(is_known, pairs.contains(&(print, place)));
            }
        }
    }

    #[test]
    fn prints_differ_by_name_and_by_key() {
        let short = |kind, number| ShortId::from_bytes([kind, 0, 0, 0, 0, 0, 0, 0, number]);
        let (one, other) = (Table::new(1), Table::new(2));
        let prints: BTreeSet<u32> =
            (0..=255).flat_map(|number| [1, 2].map(|kind| one.print(short(kind, number)))).collect();
        assert_eq!(prints.len(), 512);
        assert_ne!(one.print(short(1, 1)), other.print(short(1, 1)));
    }
}
