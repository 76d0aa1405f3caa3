//! Storage that counts what is read from it.

use std::{cell::Cell, ops::Range};

use bytes::Bytes;
use qpq_crypto::key_value::KeyValue;

use super::Memory;
use crate::storage::{Direction, Key, StorageError, Table, Transaction};

/// A transaction over a copy of a memory.
pub(crate) struct Counting {
    pub(crate) memory: Memory,
    read: Cell<usize>,
}

impl Counting {
    pub(crate) fn over(memory: &Memory) -> Self {
        Self { memory: memory.clone(), read: Cell::new(0) }
    }

    /// Records that were read, one that is not there counted as one.
    pub(crate) fn records_read(&self) -> usize {
        self.read.get()
    }

    fn count(&self, records: usize) {
        self.read.set(self.read.get() + records.max(1));
    }
}

impl Transaction for Counting {
    fn get(&self, table: Table, key: Key<'_>) -> Result<Option<Bytes>, StorageError> {
        self.count(1);
        self.memory.get(table, key)
    }

    fn put(&mut self, table: Table, key: Key<'_>, value: Bytes) -> Result<(), StorageError> {
        self.memory.put(table, key, value)
    }

    fn delete(&mut self, table: Table, key: Key<'_>) -> Result<(), StorageError> {
        self.memory.delete(table, key)
    }

    fn scan(
        &self,
        table: Table,
        prefix: &[u8],
        ordinals: Range<u64>,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<(u64, Bytes)>, StorageError> {
        let found = self.memory.scan(table, prefix, ordinals, direction, limit)?;
        self.count(found.len());
        Ok(found)
    }

    fn all(&self, table: Table) -> Result<Vec<Bytes>, StorageError> {
        let found = self.memory.all(table)?;
        self.count(found.len());
        Ok(found)
    }

    fn secrets(&mut self) -> &mut dyn KeyValue {
        self.memory.secrets()
    }
}
