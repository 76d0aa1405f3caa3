//! After a failed sync, what a file shows is not what the disk holds.
//!
//! Linux marks pages that it could not write as clean: they can be read until the power goes, and no later
//! sync writes them. A store that is closed after the failure and opened again without a restart of the
//! machine would build on such pages, and lose with them what it answers from then on.
//!
//! So a failed write leaves a mark, itself in the page cache: exactly as long as the mark can be read, so can
//! pages that are not on the disk. Opening a marked store writes every file once more, byte for byte, before
//! anything relies on it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use portable_atomic::AtomicU64;
use redb::StorageBackend;

/// Bytes written and syncs of all files of a store, and where to leave the mark.
#[derive(Debug)]
pub(crate) struct Io {
    bytes: AtomicU64,
    syncs: AtomicU64,
    is_cut: AtomicBool,
    marked: Arc<dyn StorageBackend>,
}

impl Io {
    /// `marked` is the file of the secrets' keys.
    pub(crate) fn new(marked: Arc<dyn StorageBackend>) -> Self {
        Self { bytes: AtomicU64::new(0), syncs: AtomicU64::new(0), is_cut: AtomicBool::new(false), marked }
    }

    /// Bytes handed to files, and how often a file was forced to disk.
    pub(crate) fn totals(&self) -> (u64, u64) {
        (self.bytes.load(Ordering::Relaxed), self.syncs.load(Ordering::Relaxed))
    }

    pub(crate) fn count_write(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn count_sync(&self) {
        self.syncs.fetch_add(1, Ordering::Relaxed);
    }

    /// Lets nothing be written any more. redb would make durable what it holds in memory when it is closed, and so
    /// perhaps a batch whose commit failed.
    pub(crate) fn cut(&self) {
        self.is_cut.store(true, Ordering::Relaxed);
    }

    pub(crate) fn check_cut(&self) -> io::Result<()> {
        if self.is_cut.load(Ordering::Relaxed) {
            Err(io::Error::other("an earlier write failed"))
        } else {
            Ok(())
        }
    }

    /// Leaves the mark if a write failed.
    pub(crate) fn watch<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if result.is_err()
            && let Err(error) = self.marked.write(MARK_OFFSET, &[1])
        {
            // Then the page cache takes no writes at all, and this process is the last to see it.
            tracing::warn!(%error, "a failed write could not be noted");
        }
        result
    }

    /// Writes every file once more if there is a mark, and gives whether there was. The caller holds the
    /// store's lock.
    pub(crate) fn rewrite_if_marked(&self, files: &[&dyn StorageBackend]) -> io::Result<bool> {
        if self.marked.len()? <= MARK_OFFSET {
            return Ok(false);
        }
        let mut mark = [0];
        self.marked.read(MARK_OFFSET, &mut mark)?;
        if mark == [0] {
            return Ok(false);
        }
        tracing::warn!("a write failed when the store was last open: writing all of it again");
        files.iter().try_for_each(|file| rewrite(*file))?;
        self.marked.write(MARK_OFFSET, &[0])?;
        self.marked.sync_data()?;
        Ok(true)
    }
}

/// Writes a file once more.
pub(crate) fn rewrite(file: &dyn StorageBackend) -> io::Result<()> {
    let length = file.len()?;
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut offset = 0;
    while offset < length {
        let rest = usize::try_from(length - offset).unwrap_or(usize::MAX);
        let chunk = &mut buffer[..rest.min(CHUNK_BYTES)];
        file.read(offset, chunk)?;
        file.write(offset, chunk)?;
        offset += chunk.len() as u64;
    }
    file.sync_data()
}

/// Behind the slots of the file of the secrets' keys.
const MARK_OFFSET: u64 = 3 * 4096;
const CHUNK_BYTES: usize = 64 * 1024;
