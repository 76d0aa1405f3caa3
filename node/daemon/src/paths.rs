//! Where things lie: the data directory, the owner's socket, the settings and the keys.
//!
//! The daemon and the command line share these rules, so that the two find each other without being told.
//! A user's node follows the XDG base directories; a service follows what systemd hands it.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::environment::Environment;
use crate::settings::{Flags, Settings, SettingsError};

/// A location cannot be worked out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// Neither a flag, nor a variable, nor a home directory says where the data lies.
    #[error("no home directory to keep data in: name a directory with --data-dir")]
    NoDataDirectory,
    /// The operating system limits how long a socket's path may be.
    #[error(
        "the socket's path {path} is longer than {SOCKET_PATH_BYTES_MAX} bytes: choose a shorter one with --socket"
    )]
    SocketPathTooLong {
        /// The path that is too long.
        path: PathBuf,
    },
    /// The settings, which may name the location, cannot be read.
    #[error(transparent)]
    Settings(#[from] Box<SettingsError>),
}

/// The directory that holds a node's database and its socket.
///
/// In this order: the flag, `QPQ_DATA_DIR`, the settings file, `STATE_DIRECTORY`, `$XDG_DATA_HOME/qpq`,
/// `~/.local/share/qpq`. The directory need not exist.
pub fn data_dir(flag: Option<PathBuf>) -> Result<PathBuf, PathError> {
    let environment = Environment::of_process();
    let settings = read_settings(&environment, flag, None)?;
    data_dir_of(&settings, &environment)
}

/// The owner's socket of the node in a data directory, where no setting names another.
pub fn socket_path(data_dir: &Path) -> Result<PathBuf, PathError> {
    checked_socket(data_dir.join("qpqd.sock"))
}

/// The owner's socket as flags, environment and the settings file say: what the command line connects to.
pub fn owner_socket(data_dir: Option<PathBuf>, socket: Option<PathBuf>) -> Result<PathBuf, PathError> {
    let environment = Environment::of_process();
    let settings = read_settings(&environment, data_dir, socket)?;
    socket_of(&settings, &environment)
}

/// The directory of settings and keys: `CONFIGURATION_DIRECTORY` of a service, else `/etc/qpq` for one that has
/// a `STATE_DIRECTORY`, else `$XDG_CONFIG_HOME/qpq`, else `~/.config/qpq`; none without any of them.
pub fn config_dir(environment: &Environment) -> Option<PathBuf> {
    let of_service = || environment.get("STATE_DIRECTORY").map(|_| PathBuf::from(SERVICE_CONFIG_DIRECTORY));
    let of_user = || {
        let base = environment.directory("XDG_CONFIG_HOME");
        base.or_else(|| Some(environment.directory("HOME")?.join(".config"))).map(|base| base.join("qpq"))
    };
    environment.directory("CONFIGURATION_DIRECTORY").or_else(of_service).or_else(of_user)
}

/// The directory of key files: the second `STATE_DIRECTORY` of a service, if it has one, else `keys` in the
/// config directory.
pub(crate) fn keys_dir(environment: &Environment) -> Option<PathBuf> {
    environment
        .nth_directory("STATE_DIRECTORY", 1)
        .or_else(|| config_dir(environment).map(|directory| directory.join("keys")))
}

/// The data directory as the settings or the environment name it.
pub(crate) fn data_dir_of(settings: &Settings, environment: &Environment) -> Result<PathBuf, PathError> {
    let by_environment = || {
        environment
            .directory("STATE_DIRECTORY")
            .or_else(|| environment.directory("XDG_DATA_HOME").map(|base| base.join("qpq")))
            .or_else(|| environment.directory("HOME").map(|home| home.join(".local/share/qpq")))
    };
    settings.data_dir.clone().or_else(by_environment).ok_or(PathError::NoDataDirectory)
}

/// The owner's socket as the settings name it, else the one in the data directory.
pub(crate) fn socket_of(settings: &Settings, environment: &Environment) -> Result<PathBuf, PathError> {
    match &settings.socket {
        Some(path) => checked_socket(path.clone()),
        None => socket_path(&data_dir_of(settings, environment)?),
    }
}

/// The settings file that is read when none is named.
pub(crate) fn default_config_file(environment: &Environment) -> Option<PathBuf> {
    config_dir(environment).map(|directory| directory.join("qpqd.toml"))
}

fn read_settings(
    environment: &Environment,
    data_dir: Option<PathBuf>,
    socket: Option<PathBuf>,
) -> Result<Settings, PathError> {
    let mut flags = Flags::default();
    flags.path("data_dir", data_dir).map_err(Box::new)?;
    flags.path("socket", socket).map_err(Box::new)?;
    Ok(Settings::load(&flags, environment).map_err(Box::new)?.settings)
}

fn checked_socket(path: PathBuf) -> Result<PathBuf, PathError> {
    if path.as_os_str().as_bytes().len() > SOCKET_PATH_BYTES_MAX {
        return Err(PathError::SocketPathTooLong { path });
    }
    Ok(path)
}

/// Below what any system allows (Linux 107, macOS 103).
const SOCKET_PATH_BYTES_MAX: usize = 100;
const SERVICE_CONFIG_DIRECTORY: &str = "/etc/qpq";

#[cfg(test)]
mod tests;
