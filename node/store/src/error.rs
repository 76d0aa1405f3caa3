//! What can go wrong below the storage traits.

use std::io;

use qpq_crypto::key_value::KeyValueError;
use qpq_engine::storage::StorageError;

use crate::guard::{Panicked, guarded};

/// Why an operation on open storage failed.
///
/// The engine sees it boxed in a [`StorageError`]; the daemon downcasts when it wants to tell causes apart.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The caller named a table that cannot exist: names are 1 to 32 of `a-z`, `0-9`, `_`.
    #[error("table name {0:?} is not 1 to 32 characters of a-z, 0-9 and _")]
    TableName(&'static str),
    /// The caller's prefix is longer than [`PREFIX_BYTES_MAX`](crate::PREFIX_BYTES_MAX).
    #[error("a prefix of {0} bytes is too long")]
    PrefixTooLong(usize),
    /// The caller's value is longer than [`VALUE_BYTES_MAX`](crate::VALUE_BYTES_MAX).
    #[error("a value of {0} bytes is too long")]
    ValueTooLong(usize),
    /// The caller wrote to a snapshot.
    #[error("a snapshot cannot be written to")]
    ReadOnly,
    /// The system could not give random bytes.
    #[error("the system's random generator failed: {0}")]
    Randomness(getrandom::Error),
    /// A value in the file was altered, moved or damaged: its seal does not open.
    #[error("a value of table {table:?} in the database file is damaged or was altered")]
    Damaged {
        /// The table it lies in.
        table: String,
    },
    /// A secret lies under a key that was erased. Only an older copy of the database file can hold one.
    #[error("a secret lies under a key that was erased: the database file is an older copy")]
    Erased,
    /// The database file contradicts itself. Restore a backup.
    #[error("the database file is damaged: {0}")]
    Contradiction(String),
    /// The database below failed.
    #[error("database: {0}")]
    Database(#[from] Box<redb::Error>),
    /// A file beside the database could not be read or written.
    #[error("{file}: {source}")]
    File {
        /// Which one.
        file: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// An earlier write failed, so that what is on disk is unknown until the store is opened again.
    #[error("an earlier write failed: the store must be opened again")]
    Latched,
}

/// A batch is not known to be on disk. The store refuses everything from here on; open it again.
#[derive(Debug, thiserror::Error)]
#[error("commit failed: {0}")]
pub struct CommitError(#[from] pub Failure);

impl Failure {
    /// Whether there was no space left on the disk, or in the user's share of it.
    pub fn is_disk_full(&self) -> bool {
        match self {
            Self::Database(error) => matches!(&**error, redb::Error::Io(error) if is_disk_full(error.kind())),
            Self::File { source, .. } => is_disk_full(source.kind()),
            _ => false,
        }
    }

    /// Runs what reads or writes the database; where that panics, the file is damaged.
    pub(crate) fn guarded<T>(run: impl FnOnce() -> Result<T, Self>) -> Result<T, Self> {
        guarded(run).unwrap_or_else(|Panicked(reason)| Err(Self::Contradiction(reason)))
    }
}

impl CommitError {
    /// Whether there was no space left: make some, and open the store again.
    pub fn is_disk_full(&self) -> bool {
        self.0.is_disk_full()
    }
}

pub(crate) fn is_disk_full(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

impl From<Failure> for StorageError {
    fn from(failure: Failure) -> Self {
        Self(Box::new(failure))
    }
}

impl From<Failure> for KeyValueError {
    fn from(failure: Failure) -> Self {
        Self(Box::new(failure))
    }
}

/// Every one of redb's error types becomes its common one.
macro_rules! from_redb {
    ($($error:ty),*) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::Database(Box::new(error.into()))
            }
        }
    )*};
}

from_redb!(
    redb::StorageError,
    redb::TableError,
    redb::TransactionError,
    redb::CommitError,
    redb::CompactionError,
    redb::SetDurabilityError
);
