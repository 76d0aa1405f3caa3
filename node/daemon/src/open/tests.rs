use std::fs;
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::*;

/// A home in which nodes are opened one after another.
struct Home {
    directory: TempDir,
    settings: Settings,
}

impl Home {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), settings: Settings::default() }
    }

    fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn keys(&self) -> PathBuf {
        self.directory.path().join("config/qpq/keys")
    }

    fn open(&self) -> Result<(NodeCore, Found), OpenNodeError> {
        let environment = Environment::from_iter([("XDG_CONFIG_HOME", self.directory.path().join("config"))]);
        let clock = Clock::start(&environment);
        open(&self.settings, &environment, &self.data_dir(), &Limits::ROUTER, clock)
    }

    fn node(&self) -> [u8; 32] {
        *self.open().unwrap().1.node_secret.0
    }

    fn refusal(&self) -> String {
        match self.open() {
            Ok(_) => panic!("the node was opened"),
            Err(error) => error.to_string().replace(&self.directory.path().display().to_string(), "~"),
        }
    }
}

#[test]
fn a_node_keeps_its_key_and_two_nodes_have_two() {
    let (home, other) = (Home::new(), Home::new());
    let first = home.node();
    assert_eq!(home.node(), first);
    assert_ne!(other.node(), first);
}

#[test]
fn a_second_daemon_is_refused() {
    let home = Home::new();
    let _first = home.open().unwrap();
    let expected = "another daemon uses ~/data: stop it, or choose another directory with --data-dir";
    assert_eq!(home.refusal(), expected);
}

#[test]
fn a_lost_key_is_not_made_anew() {
    let home = Home::new();
    let node = home.node();
    let kept = home.directory.path().join("kept");
    fs::rename(home.keys(), &kept).unwrap();
    assert!(home.refusal().starts_with("the key file of this database is missing: ~/config/qpq/keys/"));
    fs::rename(kept, home.keys()).unwrap();
    assert_eq!(home.node(), node);
}

#[test]
fn a_key_of_another_database_is_named() {
    let mut home = Home::new();
    home.settings.key_file = Some(home.directory.path().join("node.key"));
    home.node();
    private_file::write(&home.directory.path().join("node.key"), &[7; 32]).unwrap();
    assert_eq!(home.refusal(), "the key in ~/node.key is not the one the database in ~/data was made with");
}

#[test]
fn an_older_copy_of_the_database_is_noticed() {
    let home = Home::new();
    assert!(!home.open().unwrap().1.is_rolled_back);
    let copy = home.directory.path().join("copy");
    fs::create_dir(&copy).unwrap();
    let files: Vec<_> = fs::read_dir(home.data_dir()).unwrap().map(|entry| entry.unwrap().path()).collect();
    for file in &files {
        fs::copy(file, copy.join(file.file_name().unwrap())).unwrap();
    }
    assert!(!home.open().unwrap().1.is_rolled_back);
    for file in &files {
        fs::copy(copy.join(file.file_name().unwrap()), file).unwrap();
    }
    assert!(home.open().unwrap().1.is_rolled_back);
}

#[test]
fn a_file_that_is_no_database_is_left_alone() {
    let home = Home::new();
    fs::create_dir(home.data_dir()).unwrap();
    let file = home.data_dir().join(qpq_store::DATABASE_FILE);
    fs::write(&file, b"somebody's diary").unwrap();
    assert!(home.refusal().starts_with("the database in ~/data does not open: "));
    assert_eq!(fs::read(file).unwrap(), b"somebody's diary");
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let home = Home::new();
    fs::write(home.data_dir(), b"").unwrap();
    assert!(home.refusal().starts_with("~/data: "), "{}", home.refusal());
}

#[test]
fn a_directory_that_was_open_to_others_is_closed_at_every_start() {
    let home = Home::new();
    let node = home.node();
    let mode = || fs::metadata(home.data_dir()).unwrap().permissions().mode() & 0o777;
    for open in [0o755, 0o777, 0o710] {
        fs::set_permissions(home.data_dir(), fs::Permissions::from_mode(open)).unwrap();
        assert_eq!(home.node(), node);
        assert_eq!(mode(), 0o700, "{open:o}");
    }
}

#[test]
fn somebody_elses_directory_is_refused_before_anything_is_made_in_it() {
    let home = Home::new();
    fs::create_dir(home.data_dir()).unwrap();
    // Only a privileged test can give a directory away.
    if std::os::unix::fs::chown(home.data_dir(), Some(4_321), None).is_err() {
        return;
    }
    let expected = "~/data: this directory belongs to another user (uid 4321), who could read and change what is in \
                    it; name one of your own";
    assert_eq!(home.refusal(), expected);
    assert_eq!(fs::read_dir(home.data_dir()).unwrap().count(), 0);
    assert!(!home.keys().exists());
}
