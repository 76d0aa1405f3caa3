//! Putting the socket where the owner's programs look for it.

use std::fs::Permissions;
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

/// Longest path that fits into a socket's address, bytes; the terminating zero is not counted.
const PATH_BYTES_MAX: usize = 107;

/// Appended to the path while the socket is being prepared.
const UNFINISHED_SUFFIX: &str = ".new";

/// Why the socket could not be put in place.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// Another process listens there: most likely a node is running already.
    #[error("another process listens on {}", .path.display())]
    InUse {
        /// The socket's path.
        path: PathBuf,
    },
    /// Something that is not a socket has that name; it is left alone.
    #[error("{} exists and is not a socket", .path.display())]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// The system allows no path of this length for a socket.
    #[error("the path {} is too long for a socket, which takes {PATH_BYTES_MAX} bytes", .path.display())]
    PathTooLong {
        /// The path.
        path: PathBuf,
    },
    /// The system refused.
    #[error("cannot listen on {}: {source}", .path.display())]
    Io {
        /// The socket's path.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// A listening socket with a name in the file system, which is removed on drop unless somebody else took it over.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) socket: UnixListener,
    path: PathBuf,
    inode: (u64, u64),
}

impl Listener {
    /// Listens on `path` with mode 0600. A socket that nobody listens on any more is replaced.
    ///
    /// The socket gets its final name only when its mode is right, so that at no moment others could connect.
    pub(super) async fn bind(path: &Path) -> Result<Self, ListenError> {
        let unfinished = with_suffix(path);
        if unfinished.as_os_str().len() > PATH_BYTES_MAX {
            return Err(ListenError::PathTooLong { path: path.to_owned() });
        }
        refuse_taken(path).await?;
        let io = |source| ListenError::Io { path: path.to_owned(), source };
        remove_if_there(&unfinished).map_err(io)?;
        let socket = UnixListener::bind(&unfinished).map_err(io)?;
        std::fs::set_permissions(&unfinished, Permissions::from_mode(0o600)).map_err(io)?;
        std::fs::rename(&unfinished, path).map_err(io)?;
        let inode = inode(path).map_err(io)?;
        Ok(Self { socket, path: path.to_owned(), inode })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if inode(&self.path).is_ok_and(|inode| inode == self.inode) {
            // Nobody is left to tell; a stale socket is replaced at the next start.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Fails if somebody listens on the path, or if it is no socket.
async fn refuse_taken(path: &Path) -> Result<(), ListenError> {
    let io = |source| ListenError::Io { path: path.to_owned(), source };
    match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => {}
        Ok(_) => return Err(ListenError::NotASocket { path: path.to_owned() }),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io(error)),
    }
    match UnixStream::connect(path).await {
        Ok(_) => Err(ListenError::InUse { path: path.to_owned() }),
        Err(error) if matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound) => Ok(()),
        // A listener whose queue is full, or one of another user's: alive as far as we can tell.
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            Err(ListenError::InUse { path: path.to_owned() })
        }
        Err(error) => Err(io(error)),
    }
}

fn with_suffix(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(UNFINISHED_SUFFIX);
    name.into()
}

fn remove_if_there(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// What tells one file from another of the same name: device and inode.
fn inode(path: &Path) -> std::io::Result<(u64, u64)> {
    let metadata = std::fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}
