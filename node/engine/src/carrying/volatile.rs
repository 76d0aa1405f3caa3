//! Custody in memory: what others' bundles need never reaches the disk, and is lost at a restart.
//!
//! The driver drops a transaction now and then, and then nothing of it may remain here either: what is changed is noted
//! until the input's transaction is kept.

use std::collections::BTreeMap;

use bytes::Bytes;
use qpq_mesh::storage::{Loaded, Record, TombstoneRecord};
use qpq_mesh::{BundleId, SortKey};

/// Bundles, tombstones and the name of the custody, with what the present input has changed.
#[derive(Debug, Default)]
pub(super) struct Volatile {
    bundles: BTreeMap<BundleId, (Record, Bytes)>,
    tombstones: BTreeMap<SortKey, TombstoneRecord>,
    instance: Option<[u8; 16]>,
    undo: Vec<Undo>,
}

/// What was there before a change.
#[derive(Debug)]
enum Undo {
    Bundle(BundleId, Option<(Record, Bytes)>),
    Tombstone(SortKey, Option<TombstoneRecord>),
    Instance(Option<[u8; 16]>),
}

impl Volatile {
    /// The present input's changes stay.
    pub(super) fn keep(&mut self) {
        self.undo.clear();
    }

    /// The present input's changes are taken back.
    pub(super) fn discard(&mut self) {
        while let Some(undo) = self.undo.pop() {
            match undo {
                Undo::Bundle(id, Some(before)) => drop(self.bundles.insert(id, before)),
                Undo::Bundle(id, None) => drop(self.bundles.remove(&id)),
                Undo::Tombstone(key, Some(before)) => drop(self.tombstones.insert(key, before)),
                Undo::Tombstone(key, None) => drop(self.tombstones.remove(&key)),
                Undo::Instance(before) => self.instance = before,
            }
        }
    }

    pub(super) fn holds(&self, id: &BundleId) -> bool {
        self.bundles.contains_key(id)
    }

    pub(super) fn put(&mut self, record: &Record, body: Bytes) {
        let id = *record.header.id();
        let before = self.bundles.insert(id, (record.clone(), body));
        self.undo.push(Undo::Bundle(id, before));
    }

    pub(super) fn body(&self, id: &BundleId) -> Option<Bytes> {
        self.bundles.get(id).map(|(_, body)| body.clone())
    }

    pub(super) fn remove(&mut self, id: &BundleId) {
        let before = self.bundles.remove(id);
        self.undo.push(Undo::Bundle(*id, before));
    }

    pub(super) fn has_tombstone(&self, key: SortKey) -> bool {
        self.tombstones.contains_key(&key)
    }

    pub(super) fn put_tombstone(&mut self, key: SortKey, tombstone: TombstoneRecord) {
        let before = self.tombstones.insert(key, tombstone);
        self.undo.push(Undo::Tombstone(key, before));
    }

    pub(super) fn remove_tombstone(&mut self, key: SortKey) {
        let before = self.tombstones.remove(&key);
        self.undo.push(Undo::Tombstone(key, before));
    }

    pub(super) fn put_instance(&mut self, instance: [u8; 16]) {
        let before = self.instance.replace(instance);
        self.undo.push(Undo::Instance(before));
    }

    pub(super) fn load(&self, each: &mut dyn FnMut(Loaded)) {
        self.bundles.values().for_each(|(record, _)| each(Loaded::Bundle(record.clone())));
        self.tombstones.iter().for_each(|(key, tombstone)| each(Loaded::Tombstone(*key, *tombstone)));
        self.instance.into_iter().for_each(|instance| each(Loaded::Instance(instance)));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use qpq_mesh::{Bundle, Class, Label, Tier, bundle::Kind};
    use qpq_proto::ids::NodeKey;

    use super::*;

    fn record(number: u8, copies: u16) -> Record {
        let label = Label {
            class: Class::Message,
            lifetime_max_s: 60,
            salt: [number; 8],
            tag: [1; 16],
            settle: None,
        };
        let bundle = Bundle::new(label, vec![number; 1_024].into()).unwrap();
        Record {
            header: Arc::clone(bundle.header()),
            expires_ms: 5,
            arrival: 1,
            hops_left: 1,
            copies,
            bringer: Some(NodeKey::from_bytes([2; 32])),
            tier: Tier::Contact,
            is_mine: false,
            is_opened: false,
        }
    }

    fn key(record: &Record) -> SortKey {
        SortKey::new(Kind { class: Class::Message, size: record.header.kind().size }, record.header.id())
    }

    fn change(memory: &mut Volatile, (what, number, copies): (u8, u8, u16)) {
        let record = record(number, copies);
        let tombstone = TombstoneRecord { secret: None, expires_ms: copies.into(), sequence: 1 };
        match what {
            0 => memory.put(&record, Bytes::from(vec![number])),
            1 => memory.remove(record.header.id()),
            2 => memory.put_tombstone(key(&record), tombstone),
            3 => memory.remove_tombstone(key(&record)),
            _ => memory.put_instance([number; 16]),
        }
    }

    fn all(memory: &Volatile) -> Vec<String> {
        let mut all = Vec::new();
        memory.load(&mut |loaded| all.push(format!("{loaded:?}")));
        all
    }

    proptest! {
        #[test]
        fn what_is_dropped_leaves_nothing_behind(
            kept in prop::collection::vec((0..5_u8, 0..4_u8, 0..9_u16), 0..20),
            dropped in prop::collection::vec((0..5_u8, 0..4_u8, 0..9_u16), 0..20),
        ) {
            let mut memory = Volatile::default();
            kept.into_iter().for_each(|step| change(&mut memory, step));
            memory.keep();
            let before = all(&memory);
            dropped.into_iter().for_each(|step| change(&mut memory, step));
            memory.discard();
            prop_assert_eq!(all(&memory), before);
        }
    }
}
