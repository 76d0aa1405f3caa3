//! The storage the engine needs: ordered records in named tables, inside one transaction.
//!
//! `qpq-store` implements it over redb, the simulator in memory. A key has two halves: a prefix, which may
//! reveal a person and which the implementer replaces by a keyed hash, and an ordinal, which keeps its order.

use std::ops::Range;

use bytes::Bytes;
use qpq_crypto::key_value::{KeyValue, KeyValueError};

/// A failure of the storage below; the transaction must be dropped.
#[derive(Debug, thiserror::Error)]
#[error("storage failed: {0}")]
pub struct StorageError(#[from] pub Box<dyn std::error::Error + Send + Sync>);

impl From<KeyValueError> for StorageError {
    fn from(error: KeyValueError) -> Self {
        Self(error.0)
    }
}

/// A table of records. The name is written to disk in the clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Table(pub &'static str);

/// Where a record lies in its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key<'a> {
    /// What the record belongs to; hidden by the implementer.
    pub prefix: &'a [u8],
    /// Order among the records of one prefix; visible on disk.
    pub ordinal: u64,
}

/// In which order a scan goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the smallest ordinal.
    Forward,
    /// From the largest ordinal.
    Backward,
}

/// One transaction: reads see its own writes, nothing is durable before the driver commits it.
pub trait Transaction {
    /// The record under a key, if there is one.
    fn get(&self, table: Table, key: Key<'_>) -> Result<Option<Bytes>, StorageError>;
    /// Writes a record.
    fn put(&mut self, table: Table, key: Key<'_>, value: Bytes) -> Result<(), StorageError>;
    /// Removes a record; nothing happens where there is none.
    fn delete(&mut self, table: Table, key: Key<'_>) -> Result<(), StorageError>;
    /// At most `limit` records of one prefix whose ordinals lie in the range, in order.
    fn scan(
        &self,
        table: Table,
        prefix: &[u8],
        ordinals: Range<u64>,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<(u64, Bytes)>, StorageError>;
    /// Every record of a table, in no order that means anything. For small tables only.
    fn all(&self, table: Table) -> Result<Vec<Bytes>, StorageError>;
    /// Storage for MLS state, whose values lie under the key that is replaced when epochs retire.
    fn secrets(&mut self) -> &mut dyn KeyValue;
}
