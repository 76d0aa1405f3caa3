//! A relay in a backup: its records, the certificate that its clients pin, and its blobs, all as records of the backup.
//!
//! ```text
//! relay_...            a record of the relay's
//! node                 the certificate
//! blob_pieces          prefix: hash of the blob; ordinal: offset; value: the bytes from there on
//! ```
//!
//! What belongs to a relay may be far more than fits into memory. It is read and written piece by piece, and becomes
//! durable piece by piece: a relay whose restoring was cut short is none, and is restored into a fresh directory.

use std::fs::File;
use std::io::Read;
use std::sync::Arc;

use bytes::Bytes;
use qpq_engine::storage::{Key, Table, Transaction};
use qpq_proto::Failure;
use qpq_relay::tables::{ALL, BLOBS, SECRETS};
use qpq_relay::{BlobHash, BlobJob, BlobResult, UploadId};
use qpq_store::{Snapshot, Storage};
use tokio::sync::mpsc;

use super::entries::BackupRecord;
use super::{FileError, Source, file, in_background};
use crate::objects::Folder;
use crate::open::{CERTIFICATE, NODE_TABLE, NodeCore};
use crate::service::Writer;

/// Hands over everything of the relay's, piece by piece.
pub(super) fn export(
    snapshot: &Snapshot,
    objects: &Folder,
    push: &mut dyn FnMut(BackupRecord) -> Result<(), FileError>,
) -> Result<(), FileError> {
    let tables: Vec<Table> = ALL.iter().map(|table| Table(table.0)).collect();
    let mut blobs = Vec::new();
    snapshot.export::<FileError>(&tables, &mut |placed| {
        if placed.table.0 == BLOBS.0 {
            blobs.extend(<[u8; 32]>::try_from(placed.record.prefix.as_ref()).map(BlobHash));
        }
        push(placed.into())
    })?;
    if let Some(value) =
        snapshot.get(NODE_TABLE, CERTIFICATE).map_err(|error| FileError::Storage(error.to_string()))?
    {
        let prefix = Bytes::from_static(CERTIFICATE.prefix);
        push(BackupRecord { table: NODE_TABLE.0.to_owned(), prefix, ordinal: CERTIFICATE.ordinal, value })?;
    }
    for hash in blobs {
        // One that was removed since the snapshot has ended.
        if let Some(blob) = objects.open(hash).map_err(FileError::Blob)? {
            export_blob(hash, blob, push)?;
        }
    }
    Ok(())
}

fn export_blob(
    hash: BlobHash,
    mut blob: File,
    push: &mut dyn FnMut(BackupRecord) -> Result<(), FileError>,
) -> Result<(), FileError> {
    let prefix = Bytes::copy_from_slice(&hash.0);
    let mut offset = 0;
    loop {
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        (&mut blob).take(PIECE_BYTES as u64).read_to_end(&mut piece).map_err(FileError::Blob)?;
        if piece.is_empty() {
            return Ok(());
        }
        let length = piece.len() as u64;
        let (table, prefix, value) = (PIECES.to_owned(), prefix.clone(), Bytes::from(piece));
        push(BackupRecord { table, prefix, ordinal: offset, value })?;
        offset += length;
    }
}

/// Whether a record of a backup belongs to a relay.
pub(super) fn is_relays(record: &BackupRecord) -> bool {
    record.table == PIECES || place(record).is_some()
}

/// In which table of the database a record of a relay's belongs.
fn place(record: &BackupRecord) -> Option<Table> {
    if record.table == NODE_TABLE.0 {
        return (record.prefix == CERTIFICATE.prefix && record.ordinal == CERTIFICATE.ordinal)
            .then_some(NODE_TABLE);
    }
    ALL.iter().find(|table| table.0 == record.table).map(|table| Table(table.0))
}

/// Writes everything of the relay's into a node that never was one. The backup was read to its end before.
pub(super) async fn restore(writer: &Writer, objects: Folder, source: Arc<Source>) -> Result<(), Failure> {
    if writer.work(has_been_relay).await?? {
        return Err(Failure::conflict(
            "this node is or was a relay already: restore into a fresh data directory",
        ));
    }
    let (batches, mut waiting) = mpsc::channel(BATCHES_WAITING_MAX);
    let reading = in_background(move || read(&source, &objects, &batches));
    let writing = async {
        while let Some(batch) = waiting.recv().await {
            writer.work(move |core| put(core, batch)).await??;
        }
        Ok(())
    };
    let (read, written): (_, Result<(), Failure>) = tokio::join!(reading, writing);
    // That nobody takes the batches any more says less than why.
    written.and(read)
}

fn has_been_relay(core: &mut NodeCore) -> Result<bool, Failure> {
    let mut batch = core.storage.begin();
    let tx = batch.transaction();
    let found = Transaction::all(&tx, Table(SECRETS.0)).map_err(|_| Failure::internal())?;
    Ok(core.machine.relay.is_some() || !found.is_empty())
}

fn put(core: &mut NodeCore, records: Vec<BackupRecord>) -> Result<(), Failure> {
    let mut batch = core.storage.begin();
    let mut tx = batch.transaction();
    for record in records {
        let Some(table) = place(&record) else { continue };
        let key = Key { prefix: &record.prefix, ordinal: record.ordinal };
        Transaction::put(&mut tx, table, key, record.value)
            .map_err(|error| Failure::bad_request("path", error.to_string()))?;
    }
    tx.accept();
    batch.commit().map_err(|error| {
        tracing::error!("a relay could not be restored: {error}");
        Failure::internal()
    })?;
    Ok(())
}

/// Reads the backup once more: its records go into batches, its blobs into their files.
fn read(
    source: &Source,
    objects: &Folder,
    batches: &mpsc::Sender<Vec<BackupRecord>>,
) -> Result<(), FileError> {
    objects.make().map_err(|error| FileError::Blob(std::io::Error::other(error)))?;
    let (mut batch, mut bytes) = (Vec::new(), 0);
    let mut blob: Option<Blob> = None;
    let send = |batch| batches.blocking_send(batch).map_err(|_| FileError::Interrupted);
    file::read(source, &mut |record| {
        if record.table == PIECES {
            let hash = BlobHash(record.prefix.as_ref().try_into().map_err(|_| FileError::BlobDamaged)?);
            if let Some(whole) = blob.take_if(|blob| blob.hash != hash) {
                whole.finish(objects)?;
            }
            return blob.get_or_insert(Blob { hash, bytes: 0 }).append(objects, record);
        }
        if place(&record).is_some() {
            bytes += record.value.len();
            batch.push(record);
        }
        if bytes > BATCH_BYTES || batch.len() > BATCH_RECORDS {
            bytes = 0;
            send(std::mem::take(&mut batch))?;
        }
        Ok(())
    })?;
    send(batch)?;
    blob.map_or(Ok(()), |blob| blob.finish(objects))
}

/// A blob whose pieces come in order.
struct Blob {
    hash: BlobHash,
    bytes: u64,
}

impl Blob {
    /// Under which name its file grows.
    fn upload(&self) -> UploadId {
        let mut id = [0; 16];
        id.copy_from_slice(&self.hash.0[..16]);
        UploadId(id)
    }

    fn append(&mut self, objects: &Folder, record: BackupRecord) -> Result<(), FileError> {
        if record.ordinal != self.bytes {
            return Err(FileError::BlobDamaged);
        }
        self.bytes += record.value.len() as u64;
        let job = BlobJob::Append { upload: self.upload(), offset: record.ordinal, chunk: record.value };
        carry_out(objects, job)
    }

    /// Its hash is looked at, and its file gets its name.
    fn finish(self, objects: &Folder) -> Result<(), FileError> {
        let (upload, hash, total_bytes) = (self.upload(), self.hash, self.bytes);
        carry_out(objects, BlobJob::Finish { upload, hash, total_bytes })?;
        carry_out(objects, BlobJob::Discard { upload })
    }
}

fn carry_out(objects: &Folder, job: BlobJob) -> Result<(), FileError> {
    match objects.carry_out(job).map_err(FileError::Blob)? {
        BlobResult::Done => Ok(()),
        _ => Err(FileError::BlobDamaged),
    }
}

/// The name of the pieces of blobs among the tables.
const PIECES: &str = "blob_pieces";
const PIECE_BYTES: usize = 256 * 1024;
/// Records that become durable together.
const BATCH_RECORDS: usize = 1_000;
const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// Read ahead of those that are written.
const BATCHES_WAITING_MAX: usize = 2;
