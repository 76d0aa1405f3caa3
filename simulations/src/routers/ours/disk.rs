//! A node's store: transactions over memory, which tell what they changed.

use bytes::Bytes;
use qpq_mesh::storage::{Loaded, Record, TombstoneRecord};
use qpq_mesh::{BundleId, MemoryStore, SortKey, StorageError, Store};

/// A bundle that was written or removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) id: BundleId,
    pub(super) is_put: bool,
}

/// The store.
#[derive(Debug, Default)]
pub(super) struct Disk {
    memory: MemoryStore,
    changes: Vec<Change>,
}

impl Disk {
    /// Ends the transaction and returns what it changed, in order.
    pub(super) fn commit(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }
}

impl Store for Disk {
    fn put(&mut self, record: &Record, body: &Bytes) -> Result<(), StorageError> {
        self.changes.push(Change { id: *record.header.id(), is_put: true });
        self.memory.put(record, body)
    }

    fn update(&mut self, record: &Record) -> Result<(), StorageError> {
        self.memory.update(record)
    }

    fn body(&mut self, id: &BundleId) -> Result<Option<Bytes>, StorageError> {
        self.memory.body(id)
    }

    fn remove(&mut self, id: &BundleId) -> Result<(), StorageError> {
        if self.memory.contains(id) {
            self.changes.push(Change { id: *id, is_put: false });
        }
        self.memory.remove(id)
    }

    fn put_tombstone(&mut self, key: SortKey, tombstone: &TombstoneRecord) -> Result<(), StorageError> {
        self.memory.put_tombstone(key, tombstone)
    }

    fn remove_tombstone(&mut self, key: SortKey) -> Result<(), StorageError> {
        self.memory.remove_tombstone(key)
    }

    fn put_instance(&mut self, instance: [u8; 16]) -> Result<(), StorageError> {
        self.memory.put_instance(instance)
    }

    fn load(&mut self, each: &mut dyn FnMut(Loaded)) -> Result<(), StorageError> {
        self.memory.load(each)
    }
}
