//! Notes what a transaction does to the bundles held.

use std::collections::BTreeSet;

use bytes::Bytes;
use qpq_engine::BundleStore;
use qpq_mesh::storage::{Loaded, Record, TombstoneRecord};
use qpq_mesh::{BundleId, SortKey, StorageError, Store};

use crate::routers::ours::disk::Change;

/// A transaction's view of the store.
pub(super) struct Recorder<'a> {
    inner: BundleStore<'a>,
    held: &'a BTreeSet<BundleId>,
    changes: Vec<Change>,
    is_changed: bool,
}

impl<'a> Recorder<'a> {
    /// `held` is what was held before.
    pub(super) fn new(inner: BundleStore<'a>, held: &'a BTreeSet<BundleId>) -> Self {
        Self { inner, held, changes: Vec::new(), is_changed: false }
    }

    /// What became of bundles, in order, and whether anything at all was written.
    pub(super) fn finish(self) -> (Vec<Change>, bool) {
        (self.changes, self.is_changed)
    }

    fn holds(&self, id: &BundleId) -> bool {
        let changed = self.changes.iter().rev().find(|change| change.id == *id);
        changed.map_or_else(|| self.held.contains(id), |change| change.is_put)
    }
}

impl Store for Recorder<'_> {
    fn put(&mut self, record: &Record, body: &Bytes) -> Result<(), StorageError> {
        self.is_changed = true;
        self.changes.push(Change { id: *record.header.id(), is_put: true });
        self.inner.put(record, body)
    }

    fn update(&mut self, record: &Record) -> Result<(), StorageError> {
        self.is_changed = true;
        self.inner.update(record)
    }

    fn body(&mut self, id: &BundleId) -> Result<Option<Bytes>, StorageError> {
        self.inner.body(id)
    }

    fn remove(&mut self, id: &BundleId) -> Result<(), StorageError> {
        self.is_changed = true;
        if self.holds(id) {
            self.changes.push(Change { id: *id, is_put: false });
        }
        self.inner.remove(id)
    }

    fn put_tombstone(&mut self, key: SortKey, tombstone: &TombstoneRecord) -> Result<(), StorageError> {
        self.is_changed = true;
        self.inner.put_tombstone(key, tombstone)
    }

    fn remove_tombstone(&mut self, key: SortKey) -> Result<(), StorageError> {
        self.is_changed = true;
        self.inner.remove_tombstone(key)
    }

    fn put_instance(&mut self, instance: [u8; 16]) -> Result<(), StorageError> {
        self.is_changed = true;
        self.inner.put_instance(instance)
    }

    fn load(&mut self, each: &mut dyn FnMut(Loaded)) -> Result<(), StorageError> {
        self.inner.load(each)
    }
}
