//! Backups: the engine's records and those of a relay with its blobs, sealed under a passphrase, in one file.
//!
//! A backup is written while the node runs, from a snapshot of the database. It never holds live MLS state,
//! for a ratchet that is used twice gives its secrets away: a restored node is a new device. Restoring reads
//! and checks the whole file first; then its records and what the engine makes of them become durable
//! together or not at all.

mod entries;
mod file;
mod relay;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use chacha20::ChaCha20Rng;
use prost::Message;
use qpq_crypto::backup::BackupError;
use qpq_crypto::passphrase::PassphraseCost;
use qpq_engine::Now;
use qpq_engine::storage::{Key, Table, Transaction};
use qpq_engine::tables::{IN_BACKUP, MESSAGES};
use qpq_proto::limits::PASSPHRASE_BYTES_MIN;
use qpq_proto::{Failure, Method, v1};
use qpq_store::Snapshot;
use rand_core::SeedableRng;
use zeroize::Zeroizing;

use crate::objects::Folder;
use crate::service::Writer;
use entries::{BackupRecord, EntriesError, Header};

/// A backup cannot be written or read.
#[derive(Debug, thiserror::Error)]
enum FileError {
    /// The file exists.
    #[error("{} exists already: choose another name", .0.display())]
    Exists(PathBuf),
    /// There is no such file.
    #[error("{}: no such file", .0.display())]
    Missing(PathBuf),
    /// The system refuses.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It does not open with this passphrase, or is damaged.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// What is in it is not in order.
    #[error("what is in the backup is not in order: {0}")]
    Entries(#[from] EntriesError),
    /// A relay's blob cannot be read or written.
    #[error("a blob of the relay's: {0}")]
    Blob(std::io::Error),
    /// A relay's blob is not what its name says.
    #[error("a blob of the relay's is damaged")]
    BlobDamaged,
    /// A record cannot be read.
    #[error("{0}")]
    Storage(String),
    /// The node stopped, or its database failed.
    #[error("the node stopped before everything was restored: restore into a fresh data directory")]
    Interrupted,
    /// It holds more than a node can take back.
    #[error("the backup holds more than {RESTORED_BYTES_MAX} bytes")]
    TooLarge,
    /// The database cannot be read.
    #[error(transparent)]
    Store(#[from] qpq_store::Failure),
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        let message = error.to_string();
        match error {
            FileError::Exists(_) => Self::conflict(message),
            FileError::Missing(_) => Self::not_found(message),
            FileError::Io { source, .. } => match source.kind() {
                ErrorKind::NotFound => Self::not_found(message),
                ErrorKind::PermissionDenied => Self::forbidden(message),
                _ => Self::conflict(message),
            },
            // The request was understood; the answer is that this file is no good, or not with this passphrase.
            FileError::Backup(BackupError::WrongPassphrase | BackupError::Passphrase(_)) => {
                Self { field: "passphrase".to_owned(), ..Self::conflict(message) }
            }
            FileError::Blob(_) | FileError::Interrupted => Self::conflict(message),
            FileError::Backup(_) | FileError::Entries(_) | FileError::BlobDamaged | FileError::TooLarge => {
                Self { field: "path".to_owned(), ..Self::conflict(message) }
            }
            FileError::Store(_) | FileError::Storage(_) => {
                tracing::error!("a backup failed: {message}");
                Self::internal()
            }
        }
    }
}

/// Where a backup lies and what opens it, checked.
struct Source {
    path: PathBuf,
    passphrase: Zeroizing<Vec<u8>>,
}

impl Source {
    fn new(path: &str, passphrase: Vec<u8>) -> Result<Self, Failure> {
        let passphrase = Zeroizing::new(passphrase);
        if !Path::new(path).is_absolute() {
            return Err(Failure::bad_request("path", "the path must be absolute"));
        }
        if passphrase.len() < PASSPHRASE_BYTES_MIN {
            let message = format!("the passphrase must have at least {PASSPHRASE_BYTES_MIN} bytes");
            return Err(Failure::bad_request("passphrase", message));
        }
        Ok(Self { path: PathBuf::from(path), passphrase })
    }
}

/// Writes a backup of the person that the status tells of.
pub(crate) async fn create(
    writer: &Writer,
    request: v1::CreateBackupRequest,
    status: &v1::NodeStatusResponse,
    relay: Option<Folder>,
    now: Now,
    cost: PassphraseCost,
) -> Result<v1::CreateBackupResponse, Failure> {
    let source = Source::new(&request.path, request.passphrase)?;
    if status.identities.is_empty() && relay.is_none() {
        return Err(Failure::not_found("this node has no identity yet, so there is nothing to back up"));
    }
    let person = status.identities.first().cloned().unwrap_or_default();
    let header = Header {
        identity: person.identity.into(),
        name: person.name,
        created_at_ms: now.wall_ms,
        contacts: status.contacts,
    };
    let mut rng = generator()?;
    let snapshot = take_snapshot(writer).await?;
    let contacts = header.contacts;
    let written = move || file::write(&source, header, &snapshot, relay.as_ref(), cost, &mut rng);
    let (bytes, messages) = in_background(written).await?;
    Ok(v1::CreateBackupResponse { bytes, contacts, messages })
}

/// Opens a backup and counts what is in it.
pub(crate) async fn verify(request: v1::VerifyBackupRequest) -> Result<v1::VerifyBackupResponse, Failure> {
    let source = Source::new(&request.path, request.passphrase)?;
    let counted = move || {
        let mut messages = 0;
        let header = file::read(&source, &mut |record| {
            messages += u64::from(record.table == MESSAGES.0);
            Ok(())
        })?;
        Ok((header, messages))
    };
    let (header, messages) = in_background(counted).await?;
    Ok(v1::VerifyBackupResponse {
        identity: header.identity.to_vec(),
        name: header.name,
        created_at_ms: header.created_at_ms,
        contacts: header.contacts,
        messages,
    })
}

/// Puts the records of a backup into a node without an identity, and has the engine make a new device of it.
pub(crate) async fn restore(
    writer: &Writer,
    objects: &Folder,
    request: v1::RestoreBackupRequest,
) -> Result<v1::RestoreBackupResponse, Failure> {
    let source = Arc::new(Source::new(&request.path, request.passphrase)?);
    let of_person = Arc::clone(&source);
    let (records, has_relay) = in_background(move || read_records(&of_person)).await?;
    if has_relay {
        relay::restore(writer, objects.clone(), source).await?;
    }
    if records.is_empty() && has_relay {
        return Ok(v1::RestoreBackupResponse::default());
    }
    let messages = records.iter().filter(|record| record.table == MESSAGES.0).count() as u64;
    let prepare = move |tx: &mut dyn Transaction| put_records(tx, records);
    // The engine needs neither path nor passphrase.
    let answer = writer.call_after(prepare, Method::RestoreBackup, Bytes::new()).await?;
    let response = v1::RestoreBackupResponse::decode(answer).map_err(|_| Failure::internal())?;
    Ok(v1::RestoreBackupResponse { messages, ..response })
}

/// The person's records, and whether there are others, of a relay.
fn read_records(source: &Source) -> Result<(Vec<BackupRecord>, bool), FileError> {
    let mut records = Vec::new();
    let mut bytes = 0;
    let mut has_relay = false;
    file::read(source, &mut |record| {
        if relay::is_relays(&record) {
            has_relay = true;
            return Ok(());
        }
        bytes += record.encoded_len();
        if bytes > RESTORED_BYTES_MAX {
            return Err(FileError::TooLarge);
        }
        records.push(record);
        Ok(())
    })?;
    Ok((records, has_relay))
}

fn put_records(tx: &mut dyn Transaction, records: Vec<BackupRecord>) -> Result<(), Failure> {
    for record in records {
        let table = table_named(&record.table).ok_or_else(|| {
            Failure::bad_request("path", format!("the backup has an unknown table {:?}", record.table))
        })?;
        let key = Key { prefix: &record.prefix, ordinal: record.ordinal };
        tx.put(table, key, record.value).map_err(|error| Failure::bad_request("path", error.to_string()))?;
    }
    Ok(())
}

fn table_named(name: &str) -> Option<Table> {
    IN_BACKUP.iter().copied().find(|table| table.0 == name)
}

async fn take_snapshot(writer: &Writer) -> Result<Snapshot, Failure> {
    let taken = writer.work(|core| core.storage.snapshot()).await?;
    Ok(taken.map_err(FileError::Store)?)
}

/// Does slow work on files where it keeps no call waiting.
async fn in_background<R: Send + 'static>(
    work: impl FnOnce() -> Result<R, FileError> + Send + 'static,
) -> Result<R, Failure> {
    let done = tokio::task::spawn_blocking(work).await.map_err(|_| Failure::internal())?;
    Ok(done?)
}

fn generator() -> Result<ChaCha20Rng, Failure> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut_slice()).map_err(|_| Failure::internal())?;
    Ok(ChaCha20Rng::from_seed(*seed))
}

/// What a restored backup may take in memory, in bytes: its records are written in one transaction.
const RESTORED_BYTES_MAX: usize = 512 * 1024 * 1024;

#[cfg(test)]
mod tests;
