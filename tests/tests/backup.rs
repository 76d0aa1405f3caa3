//! Backups: made while the node runs, sealed, verified, restored as a new device.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use qpq_tests::{Node, Person, befriend};

const PASSPHRASE: &str = "correct horse battery staple";

#[test]
fn a_backup_brings_people_and_history_to_another_node() {
    let (mut alice, bob) = (Person::new("alice"), Person::new("bob"));
    befriend(&alice, &bob);
    alice.deliver("@bob", "remember this");
    let identity = alice.ok(&["id"])["identity"].clone();
    let file = alice.folder().join("alice.backup");
    let file = file.to_str().unwrap();
    let passphrase = secret(alice.folder(), PASSPHRASE);

    let made = alice.ok(&["backup", "create", file, "--passphrase-file", &passphrase]);
    assert_eq!((made["contacts"].as_u64(), made["messages"].as_u64()), (Some(1), Some(1)));
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    let seen = alice.ok(&["backup", "verify", file, "--passphrase-file", &passphrase]);
    assert_eq!(seen["identity"], identity);
    alice.terminate();

    let restored = Node::start("alice again");
    restored.ok(&["backup", "restore", file, "--passphrase-file", &passphrase]);
    assert_eq!(restored.ok(&["id"])["identity"], identity);
    assert_eq!(restored.ok_lines(&["read", "@bob"])[0]["text"], "remember this");
    assert_eq!(restored.ok(&["contact", "list"])["contacts"][0]["name"], "bob");
    restored.ok(&["send", "@bob", "from my new device", "--wait", "delivered", "--timeout", "60s"]);
    assert_eq!(bob.texts("@alice"), ["remember this", "from my new device"]);
}

#[test]
fn a_damaged_backup_and_a_wrong_passphrase_are_told_apart() {
    let alice = Person::new("alice");
    let file = alice.folder().join("alice.backup");
    let passphrase = secret(alice.folder(), PASSPHRASE);
    let path = file.to_str().unwrap();
    alice.ok(&["backup", "create", path, "--passphrase-file", &passphrase]);
    alice.qpq(&["backup", "create", path, "--passphrase-file", &passphrase]).expect_status(1);
    let nowhere = alice.folder().join("absent/alice.backup");
    let nowhere = nowhere.to_str().unwrap();
    alice.qpq(&["backup", "create", nowhere, "--passphrase-file", &passphrase]).expect_status(1);

    let other = tempfile::tempdir().unwrap();
    let wrong = secret(other.path(), "another passphrase");
    let refused = alice.qpq(&["backup", "verify", path, "--passphrase-file", &wrong]).expect_status(1);
    assert!(refused.stderr.contains("passphrase"), "{}", refused.stderr);

    let whole = fs::read(&file).unwrap();
    for damaged in [&whole[..whole.len() - 1], &whole[..whole.len() / 2], b"not a backup"] {
        fs::write(&file, damaged).unwrap();
        let refused =
            alice.qpq(&["backup", "verify", path, "--passphrase-file", &passphrase]).expect_status(1);
        assert!(!refused.stderr.contains("wrong passphrase"), "{}", refused.stderr);
    }
}

#[test]
fn a_node_with_an_identity_is_not_overwritten() {
    let (alice, bob) = (Person::new("alice"), Person::new("bob"));
    let file = alice.folder().join("alice.backup");
    let passphrase = secret(alice.folder(), PASSPHRASE);
    let path = file.to_str().unwrap();
    alice.ok(&["backup", "create", path, "--passphrase-file", &passphrase]);
    bob.qpq(&["backup", "restore", path, "--passphrase-file", &passphrase, "--yes"]).expect_status(1);
    assert_eq!(bob.ok(&["id"])["name"], "bob");
}

#[test]
fn a_database_put_back_from_a_copy_goes_on_as_a_new_device() {
    let (mut alice, bob) = (Person::new("alice"), Person::new("bob"));
    befriend(&alice, &bob);
    alice.deliver("@bob", "before the copy");
    alice.terminate();
    let (database, copy) = (alice.data_dir().join("node.redb"), alice.folder().join("copy.redb"));
    fs::copy(&database, &copy).unwrap();
    alice.run_again();
    alice.deliver("@bob", "after the copy");
    alice.terminate();

    fs::copy(&copy, &database).unwrap();
    alice.run_again();
    assert!(alice.log().contains("older copy"), "{}", alice.log());
    alice.ok(&["send", "@bob", "from the older copy", "--wait", "delivered", "--timeout", "60s"]);
    assert_eq!(bob.texts("@alice"), ["before the copy", "after the copy", "from the older copy"]);
    bob.deliver("@alice", "welcome back");
    alice.await_text("@bob", "welcome back");

    // Done once: the next start is like any other.
    alice.terminate();
    alice.run_again();
    alice.deliver("@bob", "and again");
    assert_eq!(bob.texts("@alice").len(), 5);
}

fn secret(folder: &Path, passphrase: &str) -> String {
    let path = folder.join("passphrase");
    fs::write(&path, passphrase).unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    path.to_str().unwrap().to_owned()
}
