//! Files that hold secrets: written whole or not at all, readable by their owner alone.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
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

/// Refuses permission bits that let others read.
pub(crate) fn check_mode(path: &Path, mode: u32) -> Result<(), PrivateFileError> {
    if mode & 0o077 != 0 {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_private() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys/a.key");
        write(&path, b"first").unwrap();
        write(&path, b"second").unwrap();
        assert_eq!(read(&path, 6, Guard::Mode).unwrap().as_slice(), b"second");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(parent(&path))), (0o600, 0o700));
        assert_eq!(fs::read_dir(parent(&path)).unwrap().count(), 1, "no temporary file is left");
    }

    #[test]
    fn an_exposed_file_is_refused_with_the_command_that_helps() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.key");
        write(&path, b"secret").unwrap();
        for mode in [0o640, 0o604, 0o622] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = read(&path, 99, Guard::Mode).unwrap_err().to_string();
            assert!(error.ends_with(&format!("run: chmod 600 {}", path.display())), "{error}");
        }
        assert!(read(&path, 99, Guard::Directory).is_ok());
    }

    #[test]
    fn each_violation_has_its_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.key");
        assert!(read(&path, 9, Guard::Mode).unwrap_err().is_missing());
        write(&path, b"0123456789").unwrap();
        assert!(matches!(read(&path, 9, Guard::Mode), Err(PrivateFileError::TooLong { bytes_max: 9, .. })));
        let error = read(directory.path(), 9, Guard::Mode).unwrap_err();
        assert!(matches!(error, PrivateFileError::NotAFile { .. }), "{error}");
        let error = write(&path.join("b"), b"x").unwrap_err();
        assert!(matches!(error, PrivateFileError::Io { .. }), "{error}");
    }

    #[test]
    fn a_bare_name_lies_in_the_present_directory() {
        assert_eq!(parent(Path::new("a.key")), Path::new("."));
        assert_eq!(parent(Path::new("/a.key")), Path::new("/"));
    }
}
