//! What is gone for good, and the proof of it.
//!
//! A tombstone stops a bundle wherever the two meet: an offer of it is answered with the secret, and whoever offered it
//! checks the secret against the header it holds and drops it too. Tombstones are kept for the longest lifetime of
//! their bundle and a quarter, so that none outlives its tombstone. Their number is bounded: the oldest makes room, and
//! what it was for may then come once more, to be settled once more.
//!
//! A node that carries for nobody remembers in the same way what it has opened, without a secret: it says only that it
//! has it.

use std::collections::{BTreeMap, BTreeSet};

use crate::bundle::{ShortId, SortKey};
use crate::storage::TombstoneRecord;

/// A tombstone, and who is still to be told.
#[derive(Clone, Copy, Debug)]
struct Tombstone {
    record: TombstoneRecord,
    /// Neighbours that hold the bundle and do not know that it is settled, a bit each. Lost at a restart; who was not
    /// told learns it when it offers the bundle.
    untold: u64,
}

/// The tombstones of a node.
#[derive(Debug, Default)]
pub(crate) struct Tombstones {
    by_key: BTreeMap<SortKey, Tombstone>,
    by_age: BTreeSet<(u64, SortKey)>,
    /// When the oldest ends, which is asked for at every input.
    next_expiry_ms: Option<u64>,
    /// By neighbour's slot, of what it is to be told.
    untold: BTreeMap<usize, BTreeSet<SortKey>>,
    sequence: u64,
}

impl Tombstones {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.by_key.len()
    }

    /// The tombstone of the bundle that neighbours call by this name.
    pub(crate) fn find(&self, short: ShortId) -> Option<(SortKey, &TombstoneRecord)> {
        let named = self.by_key.range(SortKey::first_of(short)..).next();
        named.filter(|(key, _)| key.short() == short).map(|(key, tombstone)| (*key, &tombstone.record))
    }

    /// The tombstone of a bundle.
    pub(crate) fn get(&self, key: SortKey) -> Option<&TombstoneRecord> {
        self.by_key.get(&key).map(|tombstone| &tombstone.record)
    }

    /// The number of the tombstone that comes now.
    pub(crate) const fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    /// Sets a tombstone of a bundle that these neighbours hold too.
    pub(crate) fn insert(&mut self, key: SortKey, record: TombstoneRecord, untold: u64) {
        self.remove(key);
        self.sequence = self.sequence.max(record.sequence);
        self.by_key.insert(key, Tombstone { record, untold });
        self.by_age.insert((record.sequence, key));
        self.note_oldest();
        self.add_untold(key, untold);
    }

    /// A neighbour holds a bundle of which it is to be told that it is settled. `false` if it is not.
    pub(crate) fn owe(&mut self, key: SortKey, bit: u64) -> bool {
        let Some(tombstone) = self.by_key.get_mut(&key).filter(|one| one.record.secret.is_some()) else {
            return false;
        };
        tombstone.untold |= bit;
        self.add_untold(key, bit);
        true
    }

    /// What the neighbour of a slot is to be told.
    pub(crate) fn untold(&self, slot: usize) -> impl Iterator<Item = SortKey> {
        self.untold.get(&slot).into_iter().flatten().copied()
    }

    /// The neighbour of a slot was told.
    pub(crate) fn told(&mut self, keys: &[SortKey], slot: usize) {
        for key in keys {
            if let Some(tombstone) = self.by_key.get_mut(key) {
                tombstone.untold &= !(1 << slot);
            }
            self.untold.get_mut(&slot).into_iter().for_each(|untold| {
                untold.remove(key);
            });
        }
    }

    /// Forgets what the neighbour of a slot holds.
    pub(crate) fn forget_neighbour(&mut self, slot: usize) {
        for key in self.untold.remove(&slot).into_iter().flatten() {
            if let Some(tombstone) = self.by_key.get_mut(&key) {
                tombstone.untold &= !(1 << slot);
            }
        }
    }

    fn add_untold(&mut self, key: SortKey, bits: u64) {
        for slot in slots_of(bits) {
            self.untold.entry(slot).or_default().insert(key);
        }
    }

    /// Takes a tombstone away.
    pub(crate) fn remove(&mut self, key: SortKey) {
        if let Some(tombstone) = self.by_key.remove(&key) {
            self.by_age.remove(&(tombstone.record.sequence, key));
            self.note_oldest();
            for slot in slots_of(tombstone.untold) {
                self.untold.entry(slot).or_default().remove(&key);
            }
        }
    }

    /// The oldest.
    pub(crate) fn oldest(&self) -> Option<SortKey> {
        self.by_age.first().map(|(_, key)| *key)
    }

    /// Node time at which the oldest ends. One behind it may end earlier; it waits, since the number is bounded anyway.
    pub(crate) const fn next_expiry_ms(&self) -> Option<u64> {
        self.next_expiry_ms
    }

    /// The oldest, if its time has come.
    pub(crate) fn expired(&self, now_ms: u64) -> Option<SortKey> {
        self.next_expiry_ms.filter(|expires_ms| *expires_ms <= now_ms)?;
        self.oldest()
    }

    fn note_oldest(&mut self) {
        let oldest = self.oldest().and_then(|oldest| self.get(oldest));
        self.next_expiry_ms = oldest.map(|tombstone| tombstone.expires_ms);
    }
}

/// The slots of which the bits are set.
fn slots_of(bits: u64) -> impl Iterator<Item = usize> {
    (0..u64::BITS as usize).filter(move |slot| bits & (1 << slot) != 0)
}
