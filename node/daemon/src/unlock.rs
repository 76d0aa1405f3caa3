//! The at-rest key: found, asked for, or made with a new database.
//!
//! It comes from a file outside the data directory, so that a copy of the directory alone tells nothing, or
//! from a passphrase. Which of the two was chosen when the database was made; a node never makes a new key
//! for a database that exists.

use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use qpq_crypto::at_rest::AtRestKey;
use qpq_crypto::passphrase::{PassphraseError, PassphraseKdf};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::environment::Environment;
use crate::node::passphrase_cost_of;
use crate::paths;
use crate::private_file::{self, Guard, PrivateFileError};
use crate::settings::Settings;

/// The database cannot be unlocked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnlockError {
    /// The database exists, its key does not.
    #[error(
        "the key file of this database is missing: {path}\n\
         put it back from where you keep it, or name it with --key-file; without it the data cannot be read"
    )]
    KeyMissing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The place of the key file cannot be written.
    #[error(
        "the key file {path} cannot be made: {source}\n\
         name another place outside the data directory with --key-file, or use a passphrase"
    )]
    KeyNotWritten {
        /// The key file.
        path: PathBuf,
        /// Why.
        source: PrivateFileError,
    },
    /// The key file would be copied together with what it protects.
    #[error("the key file {path} lies inside the data directory: name a place outside with --key-file")]
    KeyInsideData {
        /// The key file.
        path: PathBuf,
    },
    /// What is in the key file is not a key.
    #[error("{path}: not a key file (32 bytes are expected)")]
    NotAKey {
        /// The file.
        path: PathBuf,
    },
    /// The database was made with a passphrase, and none is given.
    #[error(
        "this database is sealed with a passphrase: name its file with --passphrase-file, or - to be asked"
    )]
    PassphraseNeeded,
    /// The database was made with a key file, and a passphrase is given.
    #[error("this database is sealed with a key file, not with a passphrase: leave out passphrase_file")]
    PassphraseNotUsed,
    /// The passphrase cannot be asked for.
    #[error("the passphrase cannot be asked for: {0}")]
    Prompt(std::io::Error),
    /// The parameters beside the database, or the passphrase, are no good.
    #[error(transparent)]
    Passphrase(#[from] PassphraseError),
    /// A file cannot be used.
    #[error(transparent)]
    File(#[from] PrivateFileError),
}

/// Where the at-rest key of a node comes from.
#[derive(Debug)]
pub(crate) struct Unlock<'a> {
    /// The node's settings.
    pub(crate) settings: &'a Settings,
    /// The process's variables.
    pub(crate) environment: &'a Environment,
    /// The node's data directory.
    pub(crate) data_dir: &'a Path,
}

/// An at-rest key and where state about it may be kept: beside the key, outside the data directory.
#[derive(Debug)]
pub(crate) struct Unlocked {
    /// The key.
    pub(crate) key: AtRestKey,
    /// The key file; none with a passphrase.
    pub(crate) key_file: Option<PathBuf>,
}

impl Unlock<'_> {
    /// The key of a database that exists.
    pub(crate) fn existing(&self, store_id: &[u8; 16]) -> Result<Unlocked, UnlockError> {
        let parameters = self.read_parameters()?;
        match (parameters, self.passphrase_source()) {
            (Some(kdf), Some(source)) => self.derive(&source, &kdf),
            (Some(_), None) => Err(UnlockError::PassphraseNeeded),
            (None, Some(_)) => Err(UnlockError::PassphraseNotUsed),
            (None, None) => {
                let path = self.key_file(store_id)?;
                match read_key(&path) {
                    Err(UnlockError::File(error)) if error.is_missing() => {
                        Err(UnlockError::KeyMissing { path })
                    }
                    key => Ok(Unlocked { key: key?, key_file: Some(path) }),
                }
            }
        }
    }

    /// The key for a database about to be made under this id. It is on disk on return.
    ///
    /// A key that is there already is taken: an earlier start may have ended before the database was made, or
    /// the owner put one there.
    pub(crate) fn create(
        &self,
        store_id: &[u8; 16],
        rng: &mut dyn CryptoRng,
    ) -> Result<Unlocked, UnlockError> {
        if let Some(source) = self.passphrase_source() {
            let kdf = match self.read_parameters()? {
                Some(kdf) => kdf,
                None => self.write_parameters(rng)?,
            };
            return self.derive(&source, &kdf);
        }
        if self.read_parameters()?.is_some() {
            return Err(UnlockError::PassphraseNeeded);
        }
        let path = self.key_file(store_id)?;
        let key = match read_key(&path) {
            Err(UnlockError::File(error)) if error.is_missing() => {
                let key = AtRestKey::generate(rng);
                private_file::write(&path, key.as_bytes())
                    .map_err(|source| UnlockError::KeyNotWritten { path: path.clone(), source })?;
                key
            }
            key => key?,
        };
        Ok(Unlocked { key, key_file: Some(path) })
    }

    /// Where the key file lies: as set, else named after the database in the config directory, else beside the
    /// data directory.
    fn key_file(&self, store_id: &[u8; 16]) -> Result<PathBuf, UnlockError> {
        let path = match (&self.settings.key_file, paths::keys_dir(self.environment)) {
            (Some(path), _) => path.clone(),
            (None, Some(directory)) => directory.join(format!("{}.key", HEXLOWER.encode(store_id))),
            (None, None) => {
                let mut path = self.data_dir.as_os_str().to_owned();
                path.push(".key");
                PathBuf::from(path)
            }
        };
        if is_inside(&path, self.data_dir) {
            return Err(UnlockError::KeyInsideData { path });
        }
        Ok(path)
    }

    fn passphrase_source(&self) -> Option<PassphraseSource> {
        match &self.settings.passphrase_file {
            Some(path) if path.as_os_str() == "-" => Some(PassphraseSource::Terminal),
            Some(path) => Some(PassphraseSource::File(path.clone(), Guard::Mode)),
            None => {
                let credential = self.environment.directory("CREDENTIALS_DIRECTORY")?.join("qpq-passphrase");
                credential.exists().then_some(PassphraseSource::File(credential, Guard::Directory))
            }
        }
    }

    fn derive(&self, source: &PassphraseSource, kdf: &PassphraseKdf) -> Result<Unlocked, UnlockError> {
        let passphrase = source.read()?;
        Ok(Unlocked { key: AtRestKey::from_passphrase(&passphrase, kdf)?, key_file: None })
    }

    fn parameters_file(&self) -> PathBuf {
        self.data_dir.join("passphrase.params")
    }

    fn read_parameters(&self) -> Result<Option<PassphraseKdf>, UnlockError> {
        match private_file::read(&self.parameters_file(), PARAMETERS_BYTES_MAX, Guard::Mode) {
            Ok(bytes) => Ok(Some(PassphraseKdf::decode(&bytes)?)),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn write_parameters(&self, rng: &mut dyn CryptoRng) -> Result<PassphraseKdf, UnlockError> {
        let kdf = PassphraseKdf::generate(rng, passphrase_cost_of(self.settings.profile))?;
        private_file::write(&self.parameters_file(), &kdf.encode())?;
        Ok(kdf)
    }
}

/// Where a passphrase comes from.
#[derive(Debug, PartialEq, Eq)]
enum PassphraseSource {
    Terminal,
    File(PathBuf, Guard),
}

impl PassphraseSource {
    fn read(&self) -> Result<Zeroizing<Vec<u8>>, UnlockError> {
        match self {
            Self::Terminal => {
                let typed =
                    rpassword::prompt_password("Passphrase of the node: ").map_err(UnlockError::Prompt)?;
                Ok(Zeroizing::new(typed.into_bytes()))
            }
            Self::File(path, guard) => {
                let mut bytes = private_file::read(path, PASSPHRASE_BYTES_MAX, *guard)?;
                // Editors end a file with a line break that nobody means to be part of the passphrase.
                let length =
                    bytes.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r')).map_or(0, |last| last + 1);
                bytes.truncate(length);
                Ok(bytes)
            }
        }
    }
}

fn read_key(path: &Path) -> Result<AtRestKey, UnlockError> {
    let bytes = match private_file::read(path, AT_REST_KEY_BYTES, Guard::Mode) {
        Err(PrivateFileError::TooLong { path, .. }) => return Err(UnlockError::NotAKey { path }),
        bytes => bytes?,
    };
    match <&[u8; 32]>::try_from(bytes.as_slice()) {
        Ok(key) => Ok(AtRestKey::from_bytes(key)),
        Err(_) => Err(UnlockError::NotAKey { path: path.to_owned() }),
    }
}

/// Whether a file lies below a directory, whatever links lead there. The file need not exist.
pub(crate) fn is_inside(file: &Path, directory: &Path) -> bool {
    let resolve = |path: &Path| path.canonicalize().or_else(|_| std::path::absolute(path));
    let (Ok(parent), Ok(directory)) = (resolve(private_file::parent(file)), resolve(directory)) else {
        return false;
    };
    parent.starts_with(directory)
}

const AT_REST_KEY_BYTES: u64 = 32;
const PARAMETERS_BYTES_MAX: u64 = 64;
const PASSPHRASE_BYTES_MAX: u64 = 4096;

#[cfg(test)]
mod tests;
