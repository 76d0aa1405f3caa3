use std::fs;
use std::os::unix::fs::PermissionsExt;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use tempfile::TempDir;

use super::*;
use crate::settings::Profile;

const ID: [u8; 16] = [0xab; 16];

/// A home with a data directory, and what settings and variables say.
struct Home {
    directory: TempDir,
    settings: Settings,
    environment: Environment,
}

impl Home {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("data")).unwrap();
        let environment = Environment::from_iter([("XDG_CONFIG_HOME", directory.path().join("config"))]);
        // The cheapest passphrase there is.
        let settings = Settings { profile: Profile::Router, ..Settings::default() };
        Self { directory, settings, environment }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn unlock<T>(&self, action: impl FnOnce(Unlock<'_>) -> T) -> T {
        let data_dir = self.path("data");
        action(Unlock { settings: &self.settings, environment: &self.environment, data_dir: &data_dir })
    }

    fn create(&self) -> Result<Unlocked, UnlockError> {
        self.unlock(|unlock| unlock.create(&ID, &mut ChaCha20Rng::from_seed([1; 32])))
    }

    fn existing(&self) -> Result<Unlocked, UnlockError> {
        self.unlock(|unlock| unlock.existing(&ID))
    }

    fn secret_file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.path(name);
        private_file::write(&path, content).unwrap();
        path
    }
}

#[test]
fn a_new_database_gets_a_key_file_named_after_it() {
    let home = Home::new();
    let made = home.create().unwrap();
    let path = home.path(&format!("config/qpq/keys/{}.key", "ab".repeat(16)));
    assert_eq!(made.key_file.as_deref(), Some(path.as_path()));
    assert_eq!(fs::read(&path).unwrap(), made.key.as_bytes());
    assert_eq!(home.existing().unwrap().key.as_bytes(), made.key.as_bytes());
    assert_eq!(
        home.create().unwrap().key.as_bytes(),
        made.key.as_bytes(),
        "a key that exists is never replaced"
    );
}

#[test]
fn a_named_key_file_is_used() {
    let mut home = Home::new();
    home.settings.key_file = Some(home.path("elsewhere/node.key"));
    home.create().unwrap();
    assert_eq!(home.existing().unwrap().key_file, home.settings.key_file);
}

#[test]
fn without_a_home_the_key_lies_beside_the_data_directory() {
    let mut home = Home::new();
    home.environment = Environment::default();
    assert_eq!(home.create().unwrap().key_file, Some(home.path("data.key")));
}

#[test]
fn a_missing_key_is_never_made_anew() {
    let home = Home::new();
    let error = home.existing().unwrap_err();
    assert!(matches!(error, UnlockError::KeyMissing { .. }), "{error}");
    assert!(!home.path("config").exists());
}

#[test]
fn a_key_inside_the_data_directory_is_refused_through_links_too() {
    let mut home = Home::new();
    std::os::unix::fs::symlink(home.path("data"), home.path("link")).unwrap();
    for inside in ["data/node.key", "link/node.key", "data/deeper/node.key"] {
        home.settings.key_file = Some(home.path(inside));
        let error = home.create().unwrap_err();
        assert!(matches!(error, UnlockError::KeyInsideData { .. }), "{inside}: {error}");
    }
}

#[test]
fn a_file_that_is_no_key_is_refused() {
    let mut home = Home::new();
    for content in [&[0; 31][..], &[0; 33], b""] {
        home.settings.key_file = Some(home.secret_file("node.key", content));
        assert!(matches!(home.existing(), Err(UnlockError::NotAKey { .. })), "{} bytes", content.len());
    }
}

#[test]
fn a_key_file_that_others_can_read_is_refused() {
    let mut home = Home::new();
    let path = home.secret_file("node.key", &[7; 32]);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    home.settings.key_file = Some(path);
    for error in [home.existing().unwrap_err(), home.create().unwrap_err()] {
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }
}

#[test]
fn a_passphrase_gives_the_same_key_again_whatever_ends_its_line() {
    let mut home = Home::new();
    home.settings.passphrase_file = Some(home.secret_file("passphrase", b"correct horse\n"));
    let made = home.create().unwrap();
    assert_eq!(made.key_file, None);
    home.settings.passphrase_file = Some(home.secret_file("other", b"correct horse"));
    assert_eq!(home.existing().unwrap().key.as_bytes(), made.key.as_bytes());
    home.settings.passphrase_file = Some(home.secret_file("wrong", b"correct house"));
    assert_ne!(home.existing().unwrap().key.as_bytes(), made.key.as_bytes());
}

#[test]
fn a_credential_of_the_service_manager_is_a_passphrase() {
    let mut home = Home::new();
    let credential = home.secret_file("credentials/qpq-passphrase", b"correct horse");
    fs::set_permissions(&credential, fs::Permissions::from_mode(0o440)).unwrap();
    home.environment = Environment::from_iter([("CREDENTIALS_DIRECTORY", home.path("credentials"))]);
    let made = home.create().unwrap();
    assert_eq!(home.existing().unwrap().key.as_bytes(), made.key.as_bytes());
}

#[test]
fn key_file_and_passphrase_are_not_confused() {
    let mut home = Home::new();
    home.create().unwrap();
    home.settings.passphrase_file = Some(home.secret_file("passphrase", b"correct horse"));
    assert!(matches!(home.existing(), Err(UnlockError::PassphraseNotUsed)));

    let mut home = Home::new();
    home.settings.passphrase_file = Some(home.path("absent"));
    assert!(matches!(home.create(), Err(UnlockError::File(error)) if error.is_missing()));
    home.settings.passphrase_file = Some(home.secret_file("passphrase", b"correct horse"));
    home.create().unwrap();
    home.settings.passphrase_file = None;
    assert!(matches!(home.existing(), Err(UnlockError::PassphraseNeeded)));
}

#[test]
fn an_empty_passphrase_is_refused() {
    let mut home = Home::new();
    home.settings.passphrase_file = Some(home.secret_file("passphrase", b"\n"));
    assert!(matches!(home.create(), Err(UnlockError::Passphrase(PassphraseError::Empty))));
}
