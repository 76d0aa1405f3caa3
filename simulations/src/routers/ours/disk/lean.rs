//! The storage of a node that never crashes: nothing is written down.

use bytes::Bytes;
use qpq_mesh::storage::{Loaded, Record, TombstoneRecord};
use qpq_mesh::{BundleId, SortKey, StorageError, Store};

use super::Change;
use crate::routers::ours::bundles::Bundles;

/// One transaction.
#[derive(Debug)]
pub(super) struct Lean<'a> {
    bundles: &'a Bundles,
    pub(super) changes: Vec<Change>,
}

impl<'a> Lean<'a> {
    pub(super) fn new(bundles: &'a Bundles) -> Self {
        Self { bundles, changes: Vec::new() }
    }
}

impl Store for Lean<'_> {
    fn put(&mut self, record: &Record, _body: &Bytes) -> Result<(), StorageError> {
        self.changes.push(Change { id: *record.header.id(), is_put: true });
        Ok(())
    }

    fn update(&mut self, _record: &Record) -> Result<(), StorageError> {
        Ok(())
    }

    fn body(&mut self, id: &BundleId) -> Result<Option<Bytes>, StorageError> {
        Ok(self.bundles.body(id))
    }

    fn remove(&mut self, id: &BundleId) -> Result<(), StorageError> {
        self.changes.push(Change { id: *id, is_put: false });
        Ok(())
    }

    fn put_tombstone(&mut self, _key: SortKey, _tombstone: &TombstoneRecord) -> Result<(), StorageError> {
        Ok(())
    }

    fn remove_tombstone(&mut self, _key: SortKey) -> Result<(), StorageError> {
        Ok(())
    }

    fn put_instance(&mut self, _instance: [u8; 16]) -> Result<(), StorageError> {
        Ok(())
    }

    fn load(&mut self, _each: &mut dyn FnMut(Loaded)) -> Result<(), StorageError> {
        Ok(())
    }
}
