//! The checks of what lies on the disk, which need no daemon.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use super::{Check, Outcome};
use crate::connect::Location;

/// The data directory: there, a directory, and closed to others.
pub(super) fn check_data_dir(location: &Location) -> Check {
    let path = &location.data_dir;
    match fs::metadata(path) {
        Ok(metadata) => judge_data_dir(path, &metadata),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Check::new(
            "data-directory",
            Outcome::Warn,
            format!("{} does not exist; the daemon makes it", path.display()),
            &location.start_command(),
        ),
        Err(error) => {
            let fix = format!("ls -ld {}", path.display());
            Check::new("data-directory", Outcome::Fail, format!("{}: {error}", path.display()), &fix)
        }
    }
}

fn judge_data_dir(path: &Path, metadata: &Metadata) -> Check {
    let name = "data-directory";
    let shown = path.display();
    if !metadata.is_dir() {
        let text = format!("{shown} is no directory");
        return Check::new(name, Outcome::Fail, text, "qpq --data-dir DIR doctor");
    }
    match metadata.mode() & 0o077 {
        0 => Check::ok(name, format!("{shown}, for its owner alone")),
        _ => {
            let mode = metadata.mode() & 0o777;
            let text = format!("{shown} is open to others (mode {mode:o})");
            Check::new(name, Outcome::Warn, text, &format!("chmod 700 {shown}"))
        }
    }
}

/// The disk of the data directory, or where there is none yet, of the directory in which it will be made.
pub(super) fn check_disk(data_dir: &Path) -> Check {
    let existing = data_dir.ancestors().find(|directory| directory.is_dir()).unwrap_or(data_dir);
    Check::from(qpqd::check_disk(existing))
}

/// The owner's socket: there, a socket, and closed to others.
pub(super) fn check_socket(location: &Location) -> Check {
    let path = &location.socket;
    match fs::metadata(path) {
        Ok(metadata) => judge_socket(path, &metadata),
        Err(error) => {
            let text = format!("{}: {error}", path.display());
            Check::new("socket", Outcome::Fail, text, &location.start_command())
        }
    }
}

fn judge_socket(path: &Path, metadata: &Metadata) -> Check {
    let name = "socket";
    let shown = path.display();
    if !metadata.file_type().is_socket() {
        return Check::new(
            name,
            Outcome::Fail,
            format!("{shown} is no socket"),
            &format!("mv {shown} {shown}.old"),
        );
    }
    match metadata.mode() & 0o077 {
        0 => Check::ok(name, format!("{shown}, for its owner alone")),
        _ => {
            let mode = metadata.mode() & 0o777;
            let text = format!("{shown} is open to others (mode {mode:o})");
            Check::new(name, Outcome::Warn, text, &format!("chmod 600 {shown}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixListener;

    use super::*;

    fn location(directory: &Path) -> Location {
        Location::resolve(Some(directory.to_owned()), Some(directory.join("node.sock"))).unwrap()
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn without_a_daemon_everything_is_still_said() {
        let directory = tempfile::tempdir().unwrap();
        let absent = location(&directory.path().join("absent"));
        assert_eq!(check_data_dir(&absent).outcome, Outcome::Warn);
        let socket = check_socket(&absent);
        assert_eq!(socket.outcome, Outcome::Fail);
        assert!(socket.fix.starts_with("qpqd --data-dir"), "{}", socket.fix);
        let disk = check_disk(&absent.data_dir);
        assert!(disk.name == "disk" && disk.text.contains("free"), "{}", disk.text);
    }

    #[test]
    fn permissions_are_judged() {
        let directory = tempfile::tempdir().unwrap();
        let location = location(directory.path());
        let _listener = UnixListener::bind(&location.socket).unwrap();
        for (mode, outcome) in [(0o700, Outcome::Ok), (0o755, Outcome::Warn)] {
            set_mode(directory.path(), mode);
            assert_eq!(check_data_dir(&location).outcome, outcome, "{mode:o}");
        }
        for (mode, outcome) in [(0o600, Outcome::Ok), (0o666, Outcome::Warn)] {
            set_mode(&location.socket, mode);
            assert_eq!(check_socket(&location).outcome, outcome, "{mode:o}");
        }
    }

    #[test]
    fn a_file_in_the_wrong_place() {
        let directory = tempfile::tempdir().unwrap();
        let location = location(directory.path());
        fs::write(&location.socket, "").unwrap();
        assert!(check_socket(&location).text.ends_with("is no socket"));
        let misplaced = Location::resolve(Some(location.socket), None).unwrap();
        assert!(check_data_dir(&misplaced).text.ends_with("is no directory"));
    }
}
