//! The file of a backup: written once, whole, private; read in pieces.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;

use qpq_crypto::backup::{BACKUP_HEADER_BYTES, BackupReader, BackupWriter};
use qpq_crypto::passphrase::PassphraseCost;
use qpq_engine::tables::{IN_BACKUP, MESSAGES};
use qpq_store::{PlacedRecord, Snapshot};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::entries::{self, BackupRecord, Header, Kind, Trailer};
use super::relay::export as export_relay;
use super::{FileError, Source};
use crate::objects::Folder;
use crate::private_file;

/// Writes a backup, and returns its length in bytes and the messages in it. What could not be finished is
/// removed.
pub(super) fn write(
    source: &Source,
    header: Header,
    snapshot: &Snapshot,
    relay: Option<&Folder>,
    cost: PassphraseCost,
    rng: &mut dyn CryptoRng,
) -> Result<(u64, u64), FileError> {
    let mut options = OpenOptions::new();
    let opened = options.write(true).create_new(true).mode(0o600).open(&source.path);
    let file = opened.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => FileError::Exists(source.path.clone()),
        _ => source.io(error),
    })?;
    let written =
        begin(source, file, cost, rng).and_then(|sealed| write_entries(sealed, header, snapshot, relay));
    if written.is_err() {
        // It is of no use, and what went wrong is told already.
        let _ = std::fs::remove_file(&source.path);
    }
    written
}

fn begin<'a>(
    source: &'a Source,
    file: File,
    cost: PassphraseCost,
    rng: &mut dyn CryptoRng,
) -> Result<Sealed<'a>, FileError> {
    let (writer, start) =
        BackupWriter::new(rng, &source.passphrase, cost).map_err(qpq_crypto::backup::BackupError::from)?;
    let mut sealed = Sealed { source, file, writer, bytes: 0 };
    sealed.append(&start)?;
    Ok(sealed)
}

fn write_entries(
    mut sealed: Sealed<'_>,
    header: Header,
    snapshot: &Snapshot,
    relay: Option<&Folder>,
) -> Result<(u64, u64), FileError> {
    sealed.push(Kind::Header(header))?;
    let (mut records, mut messages) = (0, 0);
    let mut push = |record| {
        records += 1;
        sealed.push(Kind::Record(record))
    };
    snapshot.export::<FileError>(IN_BACKUP, &mut |placed| {
        messages += u64::from(placed.table == MESSAGES);
        push(placed.into())
    })?;
    if let Some(objects) = relay {
        export_relay(snapshot, objects, &mut push)?;
    }
    sealed.push(Kind::Trailer(Trailer { records }))?;
    Ok((sealed.finish()?, messages))
}

impl From<PlacedRecord> for BackupRecord {
    fn from(placed: PlacedRecord) -> Self {
        Self {
            table: placed.table.0.to_owned(),
            prefix: placed.record.prefix,
            ordinal: placed.ordinal,
            value: placed.record.value,
        }
    }
}

/// A file whose content is sealed on the way.
struct Sealed<'a> {
    source: &'a Source,
    file: File,
    writer: BackupWriter,
    bytes: u64,
}

impl Sealed<'_> {
    fn push(&mut self, kind: Kind) -> Result<(), FileError> {
        let entry = Zeroizing::new(entries::encode(kind));
        let bytes = self.writer.push(&entry);
        self.append(&bytes)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes).map_err(|error| self.source.io(error))
    }

    /// Writes the end, and waits until all of it is on disk.
    fn finish(mut self) -> Result<u64, FileError> {
        let end = self.writer.finish();
        self.bytes += end.len() as u64;
        let on_disk = self.file.write_all(&end).and_then(|()| self.file.sync_all());
        let named =
            on_disk.and_then(|()| private_file::sync_directory(private_file::parent(&self.source.path)));
        named.map_err(|error| self.source.io(error))?;
        Ok(self.bytes)
    }
}

/// Reads a backup to its end, handing on each record; returns the header once everything has proved to be there.
pub(super) fn read(
    source: &Source,
    sink: &mut dyn FnMut(BackupRecord) -> Result<(), FileError>,
) -> Result<Header, FileError> {
    let mut file = File::open(&source.path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => FileError::Missing(source.path.clone()),
        _ => source.io(error),
    })?;
    let mut start = Vec::with_capacity(BACKUP_HEADER_BYTES);
    let header_bytes = BACKUP_HEADER_BYTES as u64;
    (&mut file).take(header_bytes).read_to_end(&mut start).map_err(|error| source.io(error))?;
    let mut opened = BackupReader::new(&source.passphrase, &start)?;
    let mut entries = entries::Reader::default();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        match file.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => entries.push(&opened.push(&piece[..length])?, sink)?,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(source.io(error)),
        }
    }
    opened.finish()?;
    Ok(entries.finish()?)
}

impl Source {
    fn io(&self, source: std::io::Error) -> FileError {
        FileError::Io { path: self.path.clone(), source }
    }
}

const PIECE_BYTES: usize = 64 * 1024;
