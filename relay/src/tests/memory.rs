//! Storage in memory: a transaction is a copy, which takes the place of what is committed if it is kept.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;
use prost::Message;

use crate::storage::{Direction, Key, StorageError, Table, Transaction};

#[derive(Debug, Clone, Default)]
pub(crate) struct Memory {
    records: BTreeMap<(Table, Vec<u8>, u64), Bytes>,
    /// Records that were read by the last inputs.
    pub reads: std::cell::Cell<usize>,
    /// Records that were written by the last inputs.
    pub writes: usize,
}

impl Memory {
    /// Records of a table.
    pub(crate) fn count(&self, table: Table) -> usize {
        self.records.keys().filter(|(of, _, _)| *of == table).count()
    }

    /// All records of a table, with their ordinals.
    pub(super) fn all<R: Message + Default>(&self, table: Table) -> Vec<(u64, R)> {
        let of_table = self.records.iter().filter(|((of, _, _), _)| *of == table);
        of_table.map(|((_, _, ordinal), bytes)| (*ordinal, R::decode(bytes.clone()).unwrap())).collect()
    }

    /// Whether bytes are in any record, or in its key.
    pub(super) fn holds(&self, bytes: &[u8]) -> bool {
        let has = |of: &[u8]| of.windows(bytes.len()).any(|window| window == bytes);
        self.records.iter().any(|((_, prefix, _), value)| has(prefix) || has(value))
    }
}

impl Transaction for Memory {
    fn get(&self, table: Table, key: Key<'_>) -> Result<Option<Bytes>, StorageError> {
        self.reads.set(self.reads.get() + 1);
        Ok(self.records.get(&(table, key.prefix.to_vec(), key.ordinal)).cloned())
    }

    fn put(&mut self, table: Table, key: Key<'_>, value: Bytes) -> Result<(), StorageError> {
        self.writes += 1;
        self.records.insert((table, key.prefix.to_vec(), key.ordinal), value);
        Ok(())
    }

    fn delete(&mut self, table: Table, key: Key<'_>) -> Result<(), StorageError> {
        self.writes += 1;
        self.records.remove(&(table, key.prefix.to_vec(), key.ordinal));
        Ok(())
    }

    fn scan(
        &self,
        table: Table,
        prefix: &[u8],
        ordinals: Range<u64>,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<(u64, Bytes)>, StorageError> {
        let at = |ordinal| (table, prefix.to_vec(), ordinal);
        let range = self.records.range(at(ordinals.start)..at(ordinals.end));
        let range = range.map(|((_, _, ordinal), value)| (*ordinal, value.clone()));
        let found: Vec<_> = match direction {
            Direction::Forward => range.take(limit).collect(),
            Direction::Backward => range.rev().take(limit).collect(),
        };
        self.reads.set(self.reads.get() + found.len());
        Ok(found)
    }
}
