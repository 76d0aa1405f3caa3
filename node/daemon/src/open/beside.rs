//! Files of the node's outside of the data directory, beside the at-rest key: what a copy of the directory does not bring
//! along.

use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use qpq_store::StoreId;

use crate::environment::Environment;
use crate::heads::Heads;
use crate::{paths, private_file};

/// The file that tells an older copy of the database from the newest: outside the data directory. A service
/// that is sealed with a passphrase may have no such place.
pub(super) fn open_counter(
    key_file: Option<&Path>,
    environment: &Environment,
    data_dir: &Path,
    id: StoreId,
) -> Option<PathBuf> {
    let path = beside_key(key_file, environment, data_dir, id, ".opened");
    let directory = private_file::parent(&path);
    let is_usable = is_writable(directory);
    if !is_usable {
        tracing::info!(
            "an older copy of the database will not be noticed: {} is read-only",
            directory.display()
        );
    }
    is_usable.then_some(path)
}

/// The file that tells which trees the relay's log was signed at, if there is a place for it.
pub(super) fn open_heads(
    key_file: Option<&Path>,
    environment: &Environment,
    data_dir: &Path,
    id: StoreId,
) -> Option<Heads> {
    let path = beside_key(key_file, environment, data_dir, id, ".heads");
    let opened = is_writable(private_file::parent(&path)).then(|| Heads::open(&path)).transpose();
    opened.unwrap_or_else(|error| {
        tracing::error!("an older copy of a relay's log will not be noticed: {}: {error}", path.display());
        None
    })
}

/// Whether files can be made in a directory, which is made if it is absent.
fn is_writable(directory: &Path) -> bool {
    private_file::make_private_directory(directory).is_ok()
        && rustix::fs::access(directory, rustix::fs::Access::WRITE_OK).is_ok()
}

/// A file of the node's outside of the data directory, beside the at-rest key or where it would be.
fn beside_key(
    key_file: Option<&Path>,
    environment: &Environment,
    data_dir: &Path,
    id: StoreId,
    ending: &str,
) -> PathBuf {
    let base = match (key_file, paths::keys_dir(environment)) {
        (Some(key_file), _) => key_file.to_owned(),
        (None, Some(directory)) => directory.join(HEXLOWER.encode(id.as_bytes())),
        (None, None) => data_dir.to_owned(),
    };
    let mut path = base.into_os_string();
    path.push(ending);
    PathBuf::from(path)
}
