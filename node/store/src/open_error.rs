//! Why a store does not open.

use std::io;
use std::path::{Path, PathBuf};

use redb::DatabaseError;

use crate::error::{Failure, is_disk_full};
use crate::files::{DATABASE_FILE, JOURNAL_FILE, SECRETS_KEY_FILE};
use crate::guard::{Panicked, guarded};

/// Why a store does not open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The caller's key is not the one the store was made with. Ask again.
    #[error("this is not the key the store was made with")]
    WrongKey,
    /// Another process has the store open; talk to that one.
    #[error("the store is in use by another process")]
    InUse,
    /// The process may not read or write the file.
    #[error("no permission for {}", path.display())]
    Permission {
        /// Which file or directory.
        path: PathBuf,
    },
    /// The file system takes no writes. A node writes whatever it does: mount it for writing.
    #[error("{} is on a file system that is read-only", path.display())]
    ReadOnly {
        /// Which file or directory.
        path: PathBuf,
    },
    /// No space is left. Make some; nothing is lost.
    #[error("the disk is full, or the user's share of it")]
    DiskFull,
    /// The file is no database, or not one of ours. It was not touched.
    #[error("{DATABASE_FILE} is not a database of this program")]
    NotAStore,
    /// A newer program has written here. Upgrade.
    #[error("made by a newer version (format {found}, this one knows {supported}): upgrade")]
    Newer {
        /// The version in the file.
        found: u32,
        /// The newest one known here.
        supported: u32,
    },
    /// No migration leads from this version to ours. Upgrade by way of an older release.
    #[error("format {found} is too old (the oldest supported is {oldest}): upgrade in steps")]
    TooOld {
        /// The version in the file.
        found: u32,
        /// The oldest one known here.
        oldest: u32,
    },
    /// There are secrets, but the file with their key is gone or an older copy. Put it back, or restore a
    /// backup.
    #[error("{SECRETS_KEY_FILE} is missing or an older copy: put it back, or restore a backup")]
    SecretsKeyLost,
    /// There is a secrets' key, but the database is gone. Put it back, or restore a backup elsewhere.
    #[error("{DATABASE_FILE} is missing or empty while {SECRETS_KEY_FILE} is there: put it back")]
    DatabaseLost,
    /// The store was not closed in order, and the file that holds its newest commits is gone, cut short or a copy from
    /// another time. Put it back, or restore a backup.
    #[error(
        "{JOURNAL_FILE} is missing, cut short or of another time than {DATABASE_FILE}, which lacks the newest \
         messages: put it back, or restore a backup"
    )]
    JournalLost,
    /// A file of another store lies beside the database.
    #[error("{file} belongs to another store")]
    Foreign {
        /// Which one.
        file: &'static str,
    },
    /// The files contradict themselves. Restore a backup.
    #[error("the store is damaged, restore a backup: {0}")]
    Damaged(String),
    /// The file cannot be opened.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which file or directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The files could not be read or written.
    #[error(transparent)]
    Failure(Failure),
}

impl From<Failure> for OpenError {
    fn from(failure: Failure) -> Self {
        match failure {
            failure if failure.is_disk_full() => Self::DiskFull,
            Failure::Contradiction(text) => Self::Damaged(text),
            Failure::Database(error) if is_damage(&error) => Self::Damaged(error.to_string()),
            failure @ (Failure::Damaged { .. } | Failure::Erased) => Self::Damaged(failure.to_string()),
            failure => Self::Failure(failure),
        }
    }
}

impl OpenError {
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::PermissionDenied => Self::Permission { path: path.to_owned() },
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { path: path.to_owned() },
            kind if is_disk_full(kind) => Self::DiskFull,
            _ => Self::Io { path: path.to_owned(), source },
        }
    }
}

impl OpenError {
    /// Runs what reads or writes the database; where that panics, the file is damaged.
    pub(crate) fn guarded<T>(run: impl FnOnce() -> Result<T, Self>) -> Result<T, Self> {
        guarded(run).unwrap_or_else(|Panicked(reason)| Err(Self::Damaged(reason)))
    }
}

/// Whether an error can only come from what the file says.
fn is_damage(error: &redb::Error) -> bool {
    match error {
        // A page that is said to lie behind the end of the file.
        redb::Error::Io(error) => error.kind() == io::ErrorKind::UnexpectedEof,
        redb::Error::Corrupted(_)
        | redb::Error::TableTypeMismatch { .. }
        | redb::Error::TableIsMultimap(_)
        | redb::Error::TypeDefinitionChanged { .. } => true,
        _ => false,
    }
}

impl From<DatabaseError> for OpenError {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::DatabaseAlreadyOpen => Self::InUse,
            DatabaseError::UpgradeRequired(_) => Self::NotAStore,
            DatabaseError::Storage(redb::StorageError::Corrupted(text)) => Self::Damaged(text),
            error => Failure::Database(Box::new(error.into())).into(),
        }
    }
}
