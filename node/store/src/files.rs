//! The files of a store, and how often they are written and forced to disk.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

use crate::error::Failure;
use crate::open_error::OpenError;
use crate::suspicion::Io;

/// Name of the database in the data directory.
pub const DATABASE_FILE: &str = "node.redb";
/// Name of the file in which commits are durable before they are in the database.
pub const JOURNAL_FILE: &str = "node.journal";
/// Name of the file that holds the key of the secrets; it is also what one process at a time locks.
pub const SECRETS_KEY_FILE: &str = "secrets.key";
/// What errors call the file that counts how often a store was opened.
pub(crate) const OPEN_COUNTER_FILE: &str = "open counter";

/// The files a store consists of, on disk or in a test's memory.
#[derive(Debug)]
pub struct Files {
    /// The database.
    pub database: Box<dyn StorageBackend>,
    /// The commits that the database does not hold for sure yet.
    pub journal: Box<dyn StorageBackend>,
    /// The key under which secrets are sealed, in two slots.
    pub secrets_key: Box<dyn StorageBackend>,
    /// The count of openings and commits, kept away from the database so that an older copy of it is noticed.
    pub open_counter: Option<Box<dyn StorageBackend>>,
}

impl Files {
    /// The files in a data directory (mode 0700, files 0600), made if they are not there.
    ///
    /// # Errors
    /// [`OpenError::Permission`], [`OpenError::ReadOnly`] or [`OpenError::Io`], with the path;
    /// [`OpenError::DiskFull`].
    pub fn in_directory(directory: &Path, open_counter: Option<&Path>) -> Result<Self, OpenError> {
        create_directory(directory).map_err(|source| OpenError::io(directory, source))?;
        let open = |path: PathBuf| open_file(&path).map_err(|source| OpenError::io(&path, source));
        let files = Self {
            database: open(directory.join(DATABASE_FILE))?,
            journal: open(directory.join(JOURNAL_FILE))?,
            secrets_key: open(directory.join(SECRETS_KEY_FILE))?,
            open_counter: open_counter.map(Self::open_counter).transpose()?,
        };
        // A new file is found after a crash only when the directory that names it is on disk.
        sync_directory(directory).map_err(|source| OpenError::io(directory, source))?;
        Ok(files)
    }

    /// The file that counts openings and commits, made if it is not there; its directory must be.
    ///
    /// # Errors
    /// As [`in_directory`](Self::in_directory).
    pub fn open_counter(path: &Path) -> Result<Box<dyn StorageBackend>, OpenError> {
        let file = open_file(path).map_err(|source| OpenError::io(path, source))?;
        if let Some(directory) = path.parent() {
            sync_directory(directory).map_err(|source| OpenError::io(directory, source))?;
        }
        Ok(file)
    }
}

fn open_file(path: &Path) -> io::Result<Box<dyn StorageBackend>> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    close_to_others(&file)?;
    let backend = FileBackend::new(file).map_err(io::Error::other)?;
    Ok(Box::new(backend))
}

#[cfg(unix)]
fn create_directory(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

#[cfg(not(unix))]
fn create_directory(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)
}

/// A file that was copied here may be open to others.
#[cfg(unix)]
fn close_to_others(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = file.metadata()?.permissions().mode();
    if mode & 0o077 != 0 {
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn close_to_others(_: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn sync_directory(path: &Path) -> io::Result<()> {
    // The parent of a bare file name is the empty path.
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    File::open(path)?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}

/// A file that counts what is written, and notes what could not be.
#[derive(Debug)]
pub(crate) struct Counted {
    inner: Arc<dyn StorageBackend>,
    io: Arc<Io>,
}

impl Counted {
    pub(crate) fn new(inner: Arc<dyn StorageBackend>, io: &Arc<Io>) -> Self {
        Self { inner, io: Arc::clone(io) }
    }
}

impl StorageBackend for Counted {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.inner.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.io.check_cut()?;
        self.io.watch(self.inner.set_len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.io.check_cut()?;
        self.io.count_sync();
        self.io.watch(self.inner.sync_data())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.io.check_cut()?;
        self.io.count_write(data.len());
        self.io.watch(self.inner.write(offset, data))
    }

    fn close(&self) -> io::Result<()> {
        self.inner.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.query_lock_range(start, end)
    }
}

/// A small file that is overwritten in place: by records within one sector each, or by pages.
#[derive(Debug)]
pub(crate) struct SmallFile {
    name: &'static str,
    backend: Counted,
}

impl SmallFile {
    pub(crate) fn new(name: &'static str, backend: Counted) -> Self {
        Self { name, backend }
    }

    /// Takes the lock that one process at a time holds until it closes the file; false if it is taken.
    pub(crate) fn lock(&self) -> Result<bool, Failure> {
        match self.backend.try_lock_range(Bound::Unbounded, Bound::Unbounded) {
            Ok(is_ours) => Ok(is_ours),
            // redb goes on without a lock on such a system too.
            Err(BackendError::Unsupported) => Ok(true),
            Err(error) => Err(self.failure(error.into())),
        }
    }

    /// The bytes at an offset; zeros where the file ends earlier.
    pub(crate) fn read<const N: usize>(&self, offset: u64) -> Result<[u8; N], Failure> {
        let mut bytes = [0; N];
        let length = self.backend.len().map_err(|error| self.failure(error))?;
        if offset + N as u64 <= length {
            self.backend.read(offset, &mut bytes).map_err(|error| self.failure(error))?;
        }
        Ok(bytes)
    }

    /// Bytes at an offset, all of which lie within the file.
    pub(crate) fn read_long(&self, offset: u64, length: u32) -> Result<Vec<u8>, Failure> {
        let length = usize::try_from(length).map_err(|error| self.failure(io::Error::other(error)))?;
        let mut bytes = vec![0; length];
        self.backend.read(offset, &mut bytes).map_err(|error| self.failure(error))?;
        Ok(bytes)
    }

    /// How long the file is, in bytes.
    pub(crate) fn length(&self) -> Result<u64, Failure> {
        self.backend.len().map_err(|error| self.failure(error))
    }

    /// Writes and returns when it is durable.
    pub(crate) fn write(&self, writes: &[(u64, &[u8])]) -> Result<(), Failure> {
        let write_all = || {
            for (offset, bytes) in writes {
                let end = offset + bytes.len() as u64;
                if self.backend.len()? < end {
                    self.backend.set_len(end)?;
                }
                self.backend.write(*offset, bytes)?;
            }
            self.backend.sync_data()
        };
        write_all().map_err(|error| self.failure(error))
    }

    /// Writes zeros up to this length, if the file is shorter, so that its blocks are there when they are needed.
    pub(crate) fn fill(&self, length: u64) -> Result<(), Failure> {
        let mut end = self.length()?;
        while end < length {
            let bytes = usize::try_from(length - end).unwrap_or(usize::MAX).min(ZEROS.len());
            self.write_soon(end, &ZEROS[..bytes])?;
            end += bytes as u64;
        }
        Ok(())
    }

    /// Makes the file this long, if it is shorter.
    pub(crate) fn reserve(&self, length: u64) -> Result<(), Failure> {
        let is_shorter = self.length()? < length;
        if is_shorter { self.backend.set_len(length).map_err(|error| self.failure(error)) } else { Ok(()) }
    }

    /// Writes what lies within the file already; durable when the system sees fit.
    pub(crate) fn write_soon(&self, offset: u64, bytes: &[u8]) -> Result<(), Failure> {
        self.backend.write(offset, bytes).map_err(|error| self.failure(error))
    }

    fn failure(&self, source: io::Error) -> Failure {
        Failure::File { file: self.name, source }
    }
}

impl Drop for SmallFile {
    fn drop(&mut self) {
        // Releases the lock; what matters was synced when it was written.
        if let Err(error) = self.backend.close() {
            tracing::debug!(file = self.name, %error, "file was not closed cleanly");
        }
    }
}

/// Checksum of a record in a small file: tells a torn or erased one from a whole one.
pub(crate) fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut checksum = [0; CHECKSUM_BYTES];
    checksum.copy_from_slice(&blake3::hash(bytes).as_bytes()[..CHECKSUM_BYTES]);
    checksum
}

/// Splits a record from the checksum at its end, if that is right.
pub(crate) fn checked(bytes: &[u8]) -> Option<&[u8]> {
    let (record, sum) = bytes.split_at_checked(bytes.len().checked_sub(CHECKSUM_BYTES)?)?;
    (checksum(record) == *sum).then_some(record)
}

pub(crate) const CHECKSUM_BYTES: usize = 16;

static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];
