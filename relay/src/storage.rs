//! The storage a relay needs: ordered records in named tables, inside one transaction.
//!
//! `qpq-store` implements it over the node's own database. A key has two halves: a prefix, which may reveal a person
//! and which the implementer replaces by a keyed hash, and an ordinal, which keeps its order. Everything that is done
//! often reaches its records by key, or by a scan of a few from a known ordinal on.

use std::ops::Range;

use bytes::Bytes;

/// A failure of the storage below; the transaction must be dropped.
#[derive(Debug, thiserror::Error)]
#[error("storage failed: {0}")]
pub struct StorageError(#[from] pub Box<dyn std::error::Error + Send + Sync>);

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
    ///
    /// # Errors
    /// [`StorageError`]
    fn get(&self, table: Table, key: Key<'_>) -> Result<Option<Bytes>, StorageError>;
    /// Writes a record.
    ///
    /// # Errors
    /// [`StorageError`]
    fn put(&mut self, table: Table, key: Key<'_>, value: Bytes) -> Result<(), StorageError>;
    /// Removes a record; nothing happens where there is none.
    ///
    /// # Errors
    /// [`StorageError`]
    fn delete(&mut self, table: Table, key: Key<'_>) -> Result<(), StorageError>;
    /// At most `limit` records of one prefix whose ordinals lie in the range, in order.
    ///
    /// # Errors
    /// [`StorageError`]
    fn scan(
        &self,
        table: Table,
        prefix: &[u8],
        ordinals: Range<u64>,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<(u64, Bytes)>, StorageError>;
}
