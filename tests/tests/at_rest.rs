//! What lies on disk, and in the log, says nothing about people.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use data_encoding::{BASE32, BASE32_NOPAD, BASE64_NOPAD, HEXLOWER, HEXUPPER};
use qpq_tests::{Person, befriend, group_of};

const TEXTS: [&str; 2] =
    ["the heron lands at seven behind the mill", "bring the lantern with the green glass"];
const NAMES: [&str; 3] = ["wilhelmina", "archibald", "cartographers"];

/// A text, a name or a key, and how it would look in a file.
struct Secret {
    what: String,
    forms: Vec<Vec<u8>>,
}

impl Secret {
    fn new(what: &str, bytes: &[u8]) -> Self {
        let encodings = [HEXLOWER, HEXUPPER, BASE32, BASE32_NOPAD, BASE64_NOPAD];
        let mut forms = vec![bytes.to_vec()];
        forms.extend(encodings.iter().map(|encoding| encoding.encode(bytes).into_bytes()));
        forms.push(BASE32_NOPAD.encode(bytes).to_lowercase().into_bytes());
        Self { what: what.to_owned(), forms }
    }

    fn is_in(&self, content: &[u8]) -> bool {
        self.forms.iter().any(|form| content.windows(form.len()).any(|window| window == form.as_slice()))
    }
}

#[test]
fn the_disk_tells_nothing() {
    let (mut alice, mut bob) = (Person::new(NAMES[0]), Person::new(NAMES[1]));
    let secrets = talk(&alice, &bob);
    let backup = alice.folder().join("data").join("backup.qpq");
    make_backup(&alice, &backup);

    // As the files are while the daemon runs, after a power cut, and after an orderly end.
    assert_tells_nothing(&alice, &secrets);
    alice.kill9();
    assert_tells_nothing(&alice, &secrets);
    assert!(bob.terminate().success());
    assert_tells_nothing(&bob, &secrets);
}

#[test]
fn logs_tell_nothing() {
    let (alice, bob) = (Person::new(NAMES[0]), Person::new(NAMES[1]));
    let secrets = talk(&alice, &bob);
    for person in [&alice, &bob] {
        let log = person.log();
        assert!(!log.is_empty());
        for secret in &secrets {
            assert!(
                !secret.is_in(log.as_bytes()),
                "the log of {} holds {}:\n{log}",
                person.name(),
                secret.what
            );
        }
    }
}

#[test]
fn files_are_the_owners_alone() {
    use std::os::unix::fs::PermissionsExt;

    let alice = Person::new("alice");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&alice.data_dir()), 0o700);
    assert_eq!(mode(&alice.key_file()), 0o600);
    for path in files(&alice.data_dir()) {
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    assert!(!alice.key_file().starts_with(alice.data_dir()));
}

#[test]
fn what_is_erased_is_gone() {
    let (mut alice, bob) = (Person::new(NAMES[0]), Person::new(NAMES[1]));
    let secrets = talk(&alice, &bob);
    alice.ok(&["contact", "remove", &format!("@{}", NAMES[1]), "--yes"]);
    assert_eq!(alice.state_of(NAMES[1]), "");
    alice.kill9();
    assert_tells_nothing(&alice, &secrets);
}

/// Two people exchange what must not be found, and this is what it is.
fn talk(alice: &Person, bob: &Person) -> Vec<Secret> {
    befriend(alice, bob);
    group_of(NAMES[2], alice, &[bob]);
    alice.deliver(&format!("@{}", NAMES[1]), TEXTS[0]);
    bob.deliver(&format!("#{}", NAMES[2]), TEXTS[1]);
    let words = TEXTS.iter().chain(&NAMES).map(|word| Secret::new(word, word.as_bytes()));
    let keys = [alice, bob].map(|person| {
        let identity = person.ok(&["id"])["identity"].as_str().unwrap().to_owned();
        Secret::new("an identity key", &HEXLOWER.decode(identity.as_bytes()).unwrap())
    });
    words.chain(keys).collect()
}

fn make_backup(person: &Person, path: &Path) {
    let passphrase = person.folder().join("passphrase");
    fs::write(&passphrase, "correct horse battery staple").unwrap();
    fs::set_permissions(&passphrase, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let (path, passphrase) = (path.to_str().unwrap(), passphrase.to_str().unwrap());
    person.ok(&["backup", "create", path, "--passphrase-file", passphrase]);
}

#[track_caller]
fn assert_tells_nothing(person: &Person, secrets: &[Secret]) {
    let files = files(&person.data_dir());
    assert!(!files.is_empty());
    for path in files {
        let content = fs::read(&path).unwrap();
        for secret in secrets {
            assert!(!secret.is_in(&content), "{} holds {}", path.display(), secret.what);
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.extend(files(&entry.path()));
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
    found
}
