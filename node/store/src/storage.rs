//! What the database on disk and the one in memory have in common.

use std::fmt;
use std::ops::RangeInclusive;

use bytes::Bytes;
use qpq_engine::storage::{Direction, Table};
use zeroize::Zeroizing;

use crate::batch::Batch;
use crate::changes::Changes;
use crate::error::{CommitError, Failure};
use crate::key::{Blinded, RecordKey, SecretKey};

/// Longest prefix of a record.
pub const PREFIX_BYTES_MAX: usize = 1024;

/// Longest value of a record or secret. The state of a group of a thousand members takes about a tenth.
pub const VALUE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Storage that takes batches: the [`Store`](crate::Store), or a [`MemoryStore`](crate::MemoryStore).
///
/// Callers need [`begin`](Self::begin) only; the rest is what a [`Batch`] is built on.
pub trait Storage: Sized + Send {
    /// Starts a batch. It takes no lock and reads nothing until it is used.
    fn begin(&mut self) -> Batch<'_, Self> {
        Batch::new(self)
    }

    /// The hash that stands for a prefix in a table.
    fn blind_prefix(&self, table: Table, prefix: &[u8]) -> Blinded;
    /// The hash that stands for a namespace of secrets.
    fn blind_namespace(&self, namespace: &[u8]) -> Blinded;
    /// The hash that stands for the name of a secret, whatever its namespace.
    fn blind_name(&self, name: &[u8]) -> Blinded;

    /// A committed record.
    fn record(&self, table: Table, key: &RecordKey) -> Result<Option<Record>, Failure>;
    /// Committed records whose keys lie in a range, in order.
    fn records(
        &self,
        table: Table,
        keys: RangeInclusive<RecordKey>,
        direction: Direction,
    ) -> Result<Records<'_>, Failure>;
    /// A committed secret.
    fn secret(&self, key: &SecretKey) -> Result<Option<Secret>, Failure>;
    /// The keys of the committed secrets of a namespace.
    fn secret_keys(&self, namespace: Blinded) -> Result<Vec<SecretKey>, Failure>;

    /// Writes all changes or none, and returns when they are as durable as asked for.
    fn write(&mut self, changes: &Changes, durability: Durability) -> Result<CommitInfo, CommitError>;
    /// Makes durable what was [deferred](Durability::Deferred). Costs nothing if nothing was.
    fn sync(&mut self) -> Result<CommitInfo, CommitError>;
}

/// When a batch survives the loss of power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// As soon as its commit returns.
    Immediate,
    /// With the next commit that is immediate, or the next [`Storage::sync`], at the latest; until then it is all there
    /// or not at all. For what nobody was promised and what is found out again: it spares a sync.
    Deferred,
}

/// Records in the order of a scan, opened one by one as they are asked for.
pub type Records<'a> = Box<dyn Iterator<Item = Result<(RecordKey, Record), Failure>> + 'a>;

/// The value of a secret.
pub type Secret = Zeroizing<Vec<u8>>;

/// A record in the clear.
///
/// It carries its prefix, because the key on disk has only a hash of it: whoever moves records to storage
/// with another key (a backup) must hash it anew.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// What the record belongs to.
    pub prefix: Bytes,
    /// What the engine stored.
    pub value: Bytes,
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record").field("value_bytes", &self.value.len()).finish_non_exhaustive()
    }
}

/// What a commit cost, and a checkpoint in the background while it lasted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CommitInfo {
    /// Records and secrets written or removed.
    pub changes: usize,
    /// Bytes handed to files.
    pub bytes: u64,
    /// Times a file was forced to disk; 0 if the batch was empty.
    pub syncs: u64,
}
