//! Storage in memory: transactions that can be rolled back, and tell what they changed.

use std::collections::BTreeMap;

use bytes::Bytes;
use qpq_mesh::storage::{Loaded, Record, TombstoneRecord};
use qpq_mesh::{BundleId, SortKey, StorageError, Store};

use super::Change;

/// The storage.
#[derive(Debug, Default)]
pub(in crate::routers::ours) struct Memory {
    bundles: BTreeMap<BundleId, (Record, Bytes)>,
    tombstones: BTreeMap<SortKey, TombstoneRecord>,
    instance: Option<[u8; 16]>,
    changes: Vec<Change>,
    /// How it was before the transaction, what changed last at the end.
    before: Vec<Before>,
}

#[derive(Debug)]
enum Before {
    Bundle(BundleId, Option<(Record, Bytes)>),
    Tombstone(SortKey, Option<TombstoneRecord>),
    Instance(Option<[u8; 16]>),
}

impl Memory {
    /// Whether the transaction has changed anything.
    pub(super) fn is_changed(&self) -> bool {
        !self.before.is_empty()
    }

    /// Ends the transaction and returns what it changed, in order.
    pub(super) fn commit(&mut self) -> Vec<Change> {
        self.before.clear();
        std::mem::take(&mut self.changes)
    }

    /// Gives the transaction up.
    pub(super) fn roll_back(&mut self) {
        self.changes.clear();
        while let Some(before) = self.before.pop() {
            match before {
                Before::Bundle(id, bundle) => restore(&mut self.bundles, id, bundle),
                Before::Tombstone(key, tombstone) => restore(&mut self.tombstones, key, tombstone),
                Before::Instance(instance) => self.instance = instance,
            }
        }
    }

    /// Everything that is held.
    pub(in crate::routers::ours) fn ids(&self) -> impl Iterator<Item = &BundleId> {
        self.bundles.keys()
    }
}

fn restore<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: Option<V>) {
    match value {
        Some(value) => map.insert(key, value),
        None => map.remove(&key),
    };
}

impl Store for Memory {
    fn put(&mut self, record: &Record, body: &Bytes) -> Result<(), StorageError> {
        let id = *record.header.id();
        let before = self.bundles.insert(id, (record.clone(), body.clone()));
        self.changes.push(Change { id, is_put: true });
        self.before.push(Before::Bundle(id, before));
        Ok(())
    }

    fn update(&mut self, record: &Record) -> Result<(), StorageError> {
        if let Some(stored) = self.bundles.get_mut(record.header.id()) {
            self.before.push(Before::Bundle(*record.header.id(), Some(stored.clone())));
            stored.0 = record.clone();
        }
        Ok(())
    }

    fn body(&mut self, id: &BundleId) -> Result<Option<Bytes>, StorageError> {
        Ok(self.bundles.get(id).map(|(_, body)| body.clone()))
    }

    fn remove(&mut self, id: &BundleId) -> Result<(), StorageError> {
        if let Some(bundle) = self.bundles.remove(id) {
            self.changes.push(Change { id: *id, is_put: false });
            self.before.push(Before::Bundle(*id, Some(bundle)));
        }
        Ok(())
    }

    fn put_tombstone(&mut self, key: SortKey, tombstone: &TombstoneRecord) -> Result<(), StorageError> {
        let before = self.tombstones.insert(key, *tombstone);
        self.before.push(Before::Tombstone(key, before));
        Ok(())
    }

    fn remove_tombstone(&mut self, key: SortKey) -> Result<(), StorageError> {
        let before = self.tombstones.remove(&key);
        self.before.push(Before::Tombstone(key, before));
        Ok(())
    }

    fn put_instance(&mut self, instance: [u8; 16]) -> Result<(), StorageError> {
        self.before.push(Before::Instance(self.instance.replace(instance)));
        Ok(())
    }

    fn load(&mut self, each: &mut dyn FnMut(Loaded)) -> Result<(), StorageError> {
        self.bundles.values().for_each(|(record, _)| each(Loaded::Bundle(record.clone())));
        self.tombstones.iter().for_each(|(key, tombstone)| each(Loaded::Tombstone(*key, *tombstone)));
        self.instance.into_iter().for_each(|instance| each(Loaded::Instance(instance)));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use qpq_mesh::{Bundle, Class, Label, SortKey};

    use super::*;

    fn bundle(number: u8) -> (Record, Bytes) {
        let label = Label {
            class: Class::Message,
            lifetime_max_s: 60,
            salt: [number; 8],
            tag: [0; 16],
            settle: None,
        };
        let bundle = Bundle::new(label, vec![0; 1024].into()).unwrap();
        let record = Record {
            header: bundle.header().clone(),
            expires_ms: 0,
            arrival: 0,
            hops_left: 1,
            copies: 1,
            bringer: None,
            tier: qpq_mesh::Tier::Own,
            is_mine: false,
            is_opened: false,
        };
        (record, bundle.body().clone())
    }

    /// Writes, changes or removes one of a few bundles and tombstones.
    fn change(disk: &mut Memory, (kind, number): (u8, u8)) {
        let (mut record, body) = bundle(number);
        let (id, key) = (*record.header.id(), SortKey::of(&record.header));
        let tombstone = TombstoneRecord { secret: None, expires_ms: u64::from(kind), sequence: 0 };
        match kind {
            0 => disk.put(&record, &body).unwrap(),
            1 => disk.remove(&id).unwrap(),
            2 => disk.put_tombstone(key, &tombstone).unwrap(),
            3 => disk.remove_tombstone(key).unwrap(),
            _ => {
                record.copies = u16::from(kind);
                disk.update(&record).unwrap();
            }
        }
    }

    fn contents(disk: &mut Memory) -> String {
        let mut all = String::new();
        disk.load(&mut |loaded| all += &format!("{loaded:?}")).unwrap();
        all
    }

    proptest! {
        #[test]
        fn rolling_back_leaves_what_was_committed(
            first in prop::collection::vec((0_u8..7, 0_u8..5), 0..20),
            second in prop::collection::vec((0_u8..7, 0_u8..5), 0..20),
        ) {
            let mut disk = Memory::default();
            first.into_iter().for_each(|one| change(&mut disk, one));
            disk.commit();
            let before = contents(&mut disk);
            second.into_iter().for_each(|one| change(&mut disk, one));
            disk.roll_back();
            prop_assert_eq!(contents(&mut disk), before);
            prop_assert!(!disk.is_changed() && disk.commit().is_empty());
        }
    }
}
