//! Settings that can be read one by one, and still cannot be used together or on this machine. Found before a node
//! is started, so that `--check-config` says what a start would say.

use std::net::SocketAddr;
use std::path::PathBuf;

use qpq_crypto::relay_link::RELAY_PLACES_MAX;

use super::Settings;
use crate::direct::{self, DirectError};
use crate::environment::Environment;
#[cfg(not(feature = "metrics"))]
use crate::metrics;
use crate::paths::{self, PathError};
use crate::unlock::is_inside;

/// The settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnusableError {
    /// No address to listen on.
    #[error("`listen` names no address: leave it out for the default, or name one such as 0.0.0.0:4433")]
    NowhereToListen,
    /// Two addresses take packets for the same interfaces.
    #[error("`listen` names both {first} and {second}: at most one address of each family, IPv4 and IPv6")]
    TwoOfOneFamily {
        /// The one.
        first: SocketAddr,
        /// The other.
        second: SocketAddr,
    },
    /// More than a link has room for.
    #[error("`relay_places` names {0} places, and a link has room for {RELAY_PLACES_MAX}")]
    Places(usize),
    /// A database is sealed in one way.
    #[error("`key_file` and `passphrase_file` exclude each other: a database is sealed with one of them")]
    TwoKeys,
    /// The key file would be copied together with what it protects.
    #[error("`key_file` {path} lies inside the data directory: name a place outside")]
    KeyInsideData {
        /// The key file.
        path: PathBuf,
    },
    /// The passphrase cannot be read.
    #[error("`passphrase_file` {path}: {source}")]
    Passphrase {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The certificate of the direct listener cannot be used.
    #[error(transparent)]
    Direct(#[from] DirectError),
    /// There is nothing that could listen.
    #[cfg(not(feature = "metrics"))]
    #[error(transparent)]
    Metrics(#[from] metrics::MetricsError),
    /// There is no place for the data or the socket.
    #[error(transparent)]
    Path(#[from] PathError),
}

impl Settings {
    /// Whether the settings go together.
    pub(crate) fn check(&self) -> Result<(), UnusableError> {
        check_listen(&self.listen)?;
        #[cfg(not(feature = "metrics"))]
        metrics::check(self)?;
        if self.relay_places.len() > RELAY_PLACES_MAX {
            return Err(UnusableError::Places(self.relay_places.len()));
        }
        match (&self.key_file, &self.passphrase_file) {
            (Some(_), Some(_)) => Err(UnusableError::TwoKeys),
            _ => Ok(()),
        }
    }

    /// Whether a node could be started with these settings, as far as that can be told without starting one.
    pub(crate) fn check_files(&self, environment: &Environment) -> Result<(), UnusableError> {
        paths::socket_of(self, environment)?;
        self.check_key(environment)?;
        if self.rpc_listen.is_some() {
            direct::check(self)?;
        }
        Ok(())
    }

    fn check_key(&self, environment: &Environment) -> Result<(), UnusableError> {
        if let Some(path) = &self.key_file
            && is_inside(path, &paths::data_dir_of(self, environment)?)
        {
            return Err(UnusableError::KeyInsideData { path: path.clone() });
        }
        match &self.passphrase_file {
            Some(path) if path.as_os_str() != "-" => {
                let opened = std::fs::File::open(path);
                opened.map(|_| ()).map_err(|source| UnusableError::Passphrase { path: path.clone(), source })
            }
            _ => Ok(()),
        }
    }
}

/// The network takes one address of each family.
fn check_listen(listen: &[SocketAddr]) -> Result<(), UnusableError> {
    if listen.is_empty() {
        return Err(UnusableError::NowhereToListen);
    }
    for (index, second) in listen.iter().enumerate() {
        if let Some(first) = listen[..index].iter().find(|first| first.is_ipv4() == second.is_ipv4()) {
            return Err(UnusableError::TwoOfOneFamily { first: *first, second: *second });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn settings(listen: &[&str]) -> Settings {
        let listen = listen.iter().map(|address| address.parse().unwrap()).collect();
        Settings { listen, ..Settings::default() }
    }

    fn environment(home: &Path) -> Environment {
        Environment::from_iter([("HOME", home)])
    }

    #[test]
    fn the_defaults_can_be_used() {
        let home = tempfile::tempdir().unwrap();
        Settings::default().check().unwrap();
        Settings::default().check_files(&environment(home.path())).unwrap();
    }

    #[test]
    fn one_address_of_each_family() {
        for listen in [&["0.0.0.0:1"][..], &["[::1]:0"], &["127.0.0.1:1", "[::]:1"]] {
            assert!(settings(listen).check().is_ok(), "{listen:?}");
        }
        assert!(matches!(settings(&[]).check(), Err(UnusableError::NowhereToListen)));
        for listen in [&["127.0.0.1:1", "127.0.0.2:2"][..], &["[::1]:1", "0.0.0.0:1", "[::]:2"]] {
            assert!(
                matches!(settings(listen).check(), Err(UnusableError::TwoOfOneFamily { .. })),
                "{listen:?}"
            );
        }
    }

    #[test]
    fn one_key_outside_the_data_directory() {
        let home = tempfile::tempdir().unwrap();
        let data_dir = home.path().join("data");
        std::fs::create_dir(&data_dir).unwrap();
        let inside = Settings {
            key_file: Some(data_dir.join("node.key")),
            data_dir: Some(data_dir),
            ..Settings::default()
        };
        let refused = inside.check_files(&environment(home.path()));
        assert!(matches!(refused, Err(UnusableError::KeyInsideData { .. })));
        let two = Settings { passphrase_file: Some("-".into()), ..inside };
        assert!(matches!(two.check(), Err(UnusableError::TwoKeys)));
    }

    #[test]
    fn files_that_are_named_must_be_there() {
        let home = tempfile::tempdir().unwrap();
        let absent = home.path().join("absent");
        let refused = |settings: Settings| settings.check_files(&environment(home.path())).unwrap_err();
        let passphrase = Settings { passphrase_file: Some(absent.clone()), ..Settings::default() };
        assert!(refused(passphrase).to_string().contains("absent"));
        let certificate = Settings {
            rpc_listen: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
            rpc_certificate_file: Some(absent.clone()),
            rpc_certificate_key_file: Some(absent),
            ..Settings::default()
        };
        assert!(matches!(refused(certificate.clone()), UnusableError::Direct(_)));
        let half = Settings { rpc_certificate_key_file: None, ..certificate };
        assert!(matches!(refused(half), UnusableError::Direct(_)));
    }
}
