//! Finding the daemon of this user, and saying plainly why it cannot be reached.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use qpq_net::socket::{ConnectError, SocketClient};
use qpq_proto::limits::WIRE_VERSION;
use qpq_proto::{Client, v1};

use crate::exit::Error;
use crate::patience::Patient;

/// The methods of the daemon.
pub(crate) type Daemon = Client<Patient>;

/// Where the daemon and its files are.
#[derive(Debug, Clone)]
pub(crate) struct Location {
    /// The data directory, as named or as found.
    pub(crate) data_dir: PathBuf,
    /// The socket.
    pub(crate) socket: PathBuf,
    /// The data directory was named, so that a daemon must be started with the same name.
    named: bool,
}

impl Location {
    /// The socket named, else the one that flags, environment and the settings file of the daemon name.
    pub(crate) fn resolve(data_dir: Option<PathBuf>, socket: Option<PathBuf>) -> Result<Self, Error> {
        let named = data_dir.is_some();
        let misplaced = |error: qpqd::paths::PathError| Error::Usage(error.to_string());
        let socket = qpqd::paths::owner_socket(data_dir.clone(), socket).map_err(misplaced)?;
        // Without a home directory a socket that was named is still good.
        let beside = || socket.parent().map(Path::to_owned).unwrap_or_default();
        let data_dir = qpqd::paths::data_dir(data_dir).unwrap_or_else(|_| beside());
        Ok(Self { data_dir, socket, named })
    }

    /// The command that starts the daemon for this place.
    pub(crate) fn start_command(&self) -> String {
        if self.data_dir == Path::new(SYSTEM_DATA_DIR) {
            return "sudo systemctl start qpqd".to_owned();
        }
        if self.named { format!("qpqd --data-dir {}", quote(&self.data_dir)) } else { "qpqd".to_owned() }
    }

    /// The command that helps with a daemon that runs and does not answer.
    fn restart_command(&self) -> &'static str {
        if self.data_dir == Path::new(SYSTEM_DATA_DIR) {
            "sudo systemctl restart qpqd"
        } else if self.named {
            "ps -C qpqd -o pid,stat,args"
        } else {
            "systemctl --user restart qpqd"
        }
    }
}

/// Connects, and checks that both sides speak a common version.
pub(crate) async fn connect(location: &Location) -> Result<Daemon, Error> {
    let client =
        SocketClient::connect(&location.socket).await.map_err(|error| unreachable(location, &error))?;
    let daemon = Client::new(Patient::new(client));
    let spoken = v1::HealthRequest { wire_version_min: WIRE_VERSION, wire_version_max: WIRE_VERSION };
    let health = daemon.health(&spoken).await.map_err(|error| unanswered(location, error.into()))?;
    if !(health.wire_version_min..=health.wire_version_max).contains(&WIRE_VERSION) {
        return Err(other_version(location, &health));
    }
    Ok(daemon)
}

/// What a failed connection means, and what helps.
fn unreachable(location: &Location, error: &ConnectError) -> Error {
    let socket = location.socket.display();
    let start = location.start_command();
    match error {
        ConnectError::NoSocket { .. } => Error::Unreachable {
            reason: format!("the daemon is not running: there is no socket {socket}"),
            fix: start,
        },
        ConnectError::NotRunning { .. } => Error::Unreachable {
            reason: format!("the daemon is not running: nobody listens on {socket}, which it left behind"),
            fix: start,
        },
        ConnectError::PermissionDenied { .. } => foreign_socket(location),
        other => Error::Unreachable {
            reason: format!("the daemon cannot be reached at {socket}: {other}"),
            fix: "qpq doctor".to_owned(),
        },
    }
}

/// What it means that the first call brought no answer, and what helps.
fn unanswered(location: &Location, error: Error) -> Error {
    match error {
        Error::Silent(reason) => Error::Unreachable {
            reason: format!("the daemon does not answer: {reason}"),
            fix: location.restart_command().to_owned(),
        },
        // A daemon ends the connection of whoever is not its user, if the socket lets them connect at all.
        Error::Lost(_) if is_foreign(&location.socket) => foreign_socket(location),
        other => other,
    }
}

/// Whether a file belongs to another user, and this program does not run as root, whom every daemon serves.
fn is_foreign(path: &Path) -> bool {
    let user = rustix::process::geteuid();
    !user.is_root() && path.metadata().is_ok_and(|metadata| metadata.uid() != user.as_raw())
}

fn foreign_socket(location: &Location) -> Error {
    let socket = location.socket.display();
    Error::NotPermitted {
        reason: format!("the daemon's socket {socket} belongs to another user; only its owner may use it"),
        fix: format!("sudo -u \"$(stat -c %U {0})\" qpq --socket {0} status", quote(&location.socket)),
    }
}

fn other_version(location: &Location, health: &v1::HealthResponse) -> Error {
    Error::Unreachable {
        reason: format!(
            "the daemon is qpqd {}, this is qpq {}: they have no wire version in common; restart the daemon from \
             the same release",
            health.version,
            env!("CARGO_PKG_VERSION")
        ),
        fix: location.start_command(),
    }
}

/// A path as a shell takes it.
pub(crate) fn quote(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |character: char| character.is_ascii_alphanumeric() || "/._-+:@%".contains(character);
    if !text.is_empty() && text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

const SYSTEM_DATA_DIR: &str = "/var/lib/qpq";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    fn resolve(data_dir: &str, socket: Option<&str>) -> Location {
        Location::resolve(Some(data_dir.into()), socket.map(PathBuf::from)).unwrap()
    }

    #[test]
    fn the_socket_named_wins() {
        assert_eq!(resolve("/tmp/data", Some("/tmp/other.sock")).socket, Path::new("/tmp/other.sock"));
        assert!(resolve("/tmp/data", None).socket.starts_with("/tmp/data"));
    }

    #[test]
    fn the_daemon_is_started_for_the_same_place() {
        assert_eq!(resolve("/tmp/a b", None).start_command(), "qpqd --data-dir '/tmp/a b'");
        assert_eq!(resolve(SYSTEM_DATA_DIR, None).start_command(), "sudo systemctl start qpqd");
    }

    #[test]
    fn a_path_too_long_for_a_socket_is_wrong_usage() {
        let error = Location::resolve(Some("/tmp".into()), Some("x".repeat(200).into())).unwrap_err();
        assert_eq!(error.exit(), Exit::Usage);
    }

    #[test]
    fn each_reason_is_said_plainly() {
        let location = resolve("/tmp/a b", None);
        let path = location.socket.clone();
        for (error, exit, words) in [
            (ConnectError::NoSocket { path: path.clone() }, Exit::Unreachable, "not running"),
            (ConnectError::NotRunning { path: path.clone() }, Exit::Unreachable, "nobody listens"),
            (ConnectError::PermissionDenied { path }, Exit::Denied, "belongs to another user"),
        ] {
            let error = unreachable(&location, &error);
            assert_eq!(error.exit(), exit);
            assert!(error.to_string().contains(words), "{error}");
            assert!(error.fix().is_some());
        }
    }

    #[tokio::test]
    async fn nobody_listens_where_there_is_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let location = Location::resolve(Some(directory.path().to_owned()), None).unwrap();
        let error = connect(&location).await.unwrap_err();
        assert_eq!(error.exit(), Exit::Unreachable);
        assert_eq!(error.fix(), Some(location.start_command().as_str()));
    }

    #[test]
    fn silence_and_a_lost_connection_are_told_apart() {
        let location = resolve("/tmp/a b", None);
        let silent = unanswered(&location, Error::Silent("nothing came within 5 seconds".into()));
        assert_eq!(silent.exit(), Exit::Unreachable);
        assert!(silent.to_string().starts_with("the daemon does not answer"), "{silent}");
        assert!(silent.fix().is_some());
        // A socket that is not there belongs to nobody else.
        assert!(matches!(unanswered(&location, Error::Lost("gone".into())), Error::Lost(_)));
        assert_eq!(foreign_socket(&location).exit(), Exit::Denied);
    }

    #[test]
    fn own_files_are_not_foreign() {
        let directory = tempfile::tempdir().unwrap();
        assert!(!is_foreign(directory.path()));
        assert!(!is_foreign(&directory.path().join("absent")));
        assert_eq!(is_foreign(Path::new("/")), !rustix::process::geteuid().is_root());
    }

    #[test]
    fn another_version_is_named() {
        let health = v1::HealthResponse { version: "9.9.9".into(), ..Default::default() };
        let error = other_version(&resolve("/tmp/data", None), &health);
        assert_eq!(error.exit(), Exit::Unreachable);
        assert!(error.to_string().contains("qpqd 9.9.9"), "{error}");
    }

    #[test]
    fn paths_are_quoted_for_a_shell() {
        for (path, quoted) in
            [("/tmp/a", "/tmp/a"), ("/tmp/a b", "'/tmp/a b'"), ("it's", r"'it'\''s'"), ("", "''")]
        {
            assert_eq!(quote(Path::new(path)), quoted);
        }
    }
}
