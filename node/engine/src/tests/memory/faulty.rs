//! Storage that fails after so many operations.

use std::{cell::Cell, ops::Range};

use bytes::Bytes;
use qpq_crypto::key_value::{KeyValue, KeyValueError};

use super::Memory;
use crate::storage::{Direction, Key, StorageError, Table, Transaction};

/// A transaction over a copy of a memory, in which nothing works any more after so many operations.
pub(crate) struct Faulty {
    pub(crate) memory: Memory,
    operations_left: Cell<usize>,
    has_failed: Cell<bool>,
}

impl Faulty {
    pub(crate) fn after(memory: &Memory, operations: usize) -> Self {
        let operations_left = Cell::new(operations);
        Self { memory: memory.clone(), operations_left, has_failed: Cell::new(false) }
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.has_failed.get()
    }

    fn operate(&self) -> Result<(), KeyValueError> {
        match self.operations_left.get() {
            0 => {
                self.has_failed.set(true);
                Err(KeyValueError("the disk is gone".into()))
            }
            left => {
                self.operations_left.set(left - 1);
                Ok(())
            }
        }
    }
}

impl Transaction for Faulty {
    fn get(&self, table: Table, key: Key<'_>) -> Result<Option<Bytes>, StorageError> {
        self.operate()?;
        self.memory.get(table, key)
    }

    fn put(&mut self, table: Table, key: Key<'_>, value: Bytes) -> Result<(), StorageError> {
        self.operate()?;
        self.memory.put(table, key, value)
    }

    fn delete(&mut self, table: Table, key: Key<'_>) -> Result<(), StorageError> {
        self.operate()?;
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
        self.operate()?;
        self.memory.scan(table, prefix, ordinals, direction, limit)
    }

    fn all(&self, table: Table) -> Result<Vec<Bytes>, StorageError> {
        self.operate()?;
        self.memory.all(table)
    }

    fn secrets(&mut self) -> &mut dyn KeyValue {
        self
    }
}

impl KeyValue for Faulty {
    fn get(&self, namespace: &[u8], name: &[u8]) -> Result<Option<Vec<u8>>, KeyValueError> {
        self.operate()?;
        self.memory.secrets.get(namespace, name)
    }

    fn put(&mut self, namespace: &[u8], name: &[u8], value: &[u8]) -> Result<(), KeyValueError> {
        self.operate()?;
        self.memory.secrets.put(namespace, name, value)
    }

    fn delete(&mut self, namespace: &[u8], name: &[u8]) -> Result<(), KeyValueError> {
        self.operate()?;
        self.memory.secrets.delete(namespace, name)
    }

    fn copy_namespace(&mut self, from: &[u8], to: &[u8]) -> Result<(), KeyValueError> {
        self.operate()?;
        self.memory.secrets.copy_namespace(from, to)
    }

    fn clear_namespace(&mut self, namespace: &[u8]) -> Result<(), KeyValueError> {
        self.operate()?;
        self.memory.secrets.clear_namespace(namespace)
    }
}
