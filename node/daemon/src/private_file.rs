//! Files that hold secrets: written whole or not at all, readable by their owner alone.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// A private file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PrivateFileError {
    /// There is no such file.
    #[error("{path}: no such file")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// Others than its owner could read it.
    #[error("{path}: others can read this file (mode {mode:04o}); run: chmod 600 {path}")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The directory is somebody else's, who could read and replace whatever lies in it.
    #[error(
        "{path}: this directory belongs to another user (uid {owner}), who could read and change what is in it; \
         name one of your own"
    )]
    NotOurs {
        /// The directory.
        path: PathBuf,
        /// Its owner's user id.
        owner: u32,
    },
    /// The directory stays open to others although it was closed, as on some file systems.
    #[error("{path}: others can enter this directory (mode {mode:04o}), and its file system keeps it so")]
    StaysOpen {
        /// The directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is a directory, a device or the like.
    #[error("{path}: not a regular file")]
    NotAFile {
        /// What is there.
        path: PathBuf,
    },
    /// It is longer than such a file can be.
    #[error("{path}: longer than {bytes_max} bytes")]
    TooLong {
        /// The file.
        path: PathBuf,
        /// What is allowed.
        bytes_max: u64,
    },
    /// The system refuses.
    #[error("{path}: {source}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl PrivateFileError {
    /// Whether there simply is no such file.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Self::Missing { .. })
    }
}

/// Who vouches that nobody else can read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guard {
    /// Its permission bits.
    Mode,
    /// The directory it lies in, as systemd does for credentials.
    Directory,
}

/// Reads a private file of at most so many bytes.
pub(crate) fn read(
    path: &Path,
    bytes_max: u64,
    guard: Guard,
) -> Result<Zeroizing<Vec<u8>>, PrivateFileError> {
    let io = |source: std::io::Error| match source.kind() {
        ErrorKind::NotFound => PrivateFileError::Missing { path: path.to_owned() },
        _ => PrivateFileError::Io { path: path.to_owned(), source },
    };
    let file = File::open(path).map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    if !metadata.is_file() {
        return Err(PrivateFileError::NotAFile { path: path.to_owned() });
    }
    if guard == Guard::Mode {
        check_mode(path, metadata.permissions().mode())?;
    }
    let too_long = || PrivateFileError::TooLong { path: path.to_owned(), bytes_max };
    let length =
        usize::try_from(metadata.len()).ok().filter(|_| metadata.len() <= bytes_max).ok_or_else(too_long)?;
    // One byte to spare, so that the vector never grows and leaves a copy of the secret behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(length + 1));
    file.take(metadata.len()).read_to_end(&mut bytes).map_err(io)?;
    Ok(bytes)
}

/// Writes a private file: a reader finds it whole or not at all, and it is on disk on return.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), PrivateFileError> {
    let io = |source| PrivateFileError::Io { path: path.to_owned(), source };
    let directory = parent(path);
    make_private_directory(directory)?;
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.new", std::process::id()));
    let temporary = PathBuf::from(temporary);
    let written = write_new(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    if let Err(error) = written {
        // What is left of it holds a secret; that it may not exist is fine.
        let _ = fs::remove_file(&temporary);
        return Err(io(error));
    }
    sync_directory(directory).map_err(io)
}

/// Makes a directory that its owner alone can enter, and those above it; one that exists stays as it is.
pub(crate) fn make_private_directory(path: &Path) -> Result<(), PrivateFileError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| PrivateFileError::Io { path: path.to_owned(), source })
}

/// Makes a directory that its owner alone can enter, or takes one that is there: it must be this user's, and is closed
/// to others if it is not. Returns the permission bits that were too many, if there were such.
pub(crate) fn claim_directory(path: &Path) -> Result<Option<u32>, PrivateFileError> {
    make_private_directory(path)?;
    let io = |source| PrivateFileError::Io { path: path.to_owned(), source };
    // Held, so that what is closed is what was looked at.
    let directory = File::open(path).map_err(io)?;
    let metadata = directory.metadata().map_err(io)?;
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(PrivateFileError::NotOurs { path: path.to_owned(), owner: metadata.uid() });
    }
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & OTHERS == 0 {
        return Ok(None);
    }
    directory.set_permissions(Permissions::from_mode(mode & !OTHERS)).map_err(io)?;
    match directory.metadata().map_err(io)?.permissions().mode() & 0o7777 {
        closed if closed & OTHERS == 0 => Ok(Some(mode)),
        mode => Err(PrivateFileError::StaysOpen { path: path.to_owned(), mode }),
    }
}

/// Refuses permission bits that let others read.
pub(crate) fn check_mode(path: &Path, mode: u32) -> Result<(), PrivateFileError> {
    if mode & OTHERS != 0 {
        return Err(PrivateFileError::Exposed { path: path.to_owned(), mode: mode & 0o7777 });
    }
    Ok(())
}

/// Forces a directory's entries to disk.
pub(crate) fn sync_directory(path: &Path) -> std::io::Result<()> {
    File::open(path)?.sync_all()
}

/// The directory a file lies in.
pub(crate) fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn write_new(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Permission bits of everybody but the owner.
const OTHERS: u32 = 0o077;

#[cfg(test)]
mod tests;
