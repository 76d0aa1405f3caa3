//! Older copies are noticed, and nothing else is taken for one.

use std::fs;

use qpq_store::testing::Disk;
use qpq_store::{LockedStore, OpenError, Options};

use crate::common::{disk_of_another_store, key, open, options, put, rng, used_disk};

#[test]
fn an_older_copy_is_noticed_until_it_is_dealt_with() {
    let disk = used_disk();
    let copy = disk.copy();
    for use_it in [
        |disk: &Disk| drop(open(disk).unwrap()),
        |disk: &Disk| open(disk).unwrap().close().unwrap(),
        |disk: &Disk| assert_eq!(open(disk).unwrap().rotate_secrets().unwrap().changes, 0),
    ] {
        use_it(&disk);
        disk.restore_data_directory(&copy);
        assert!(open(&disk).unwrap().is_rolled_back());
        let mut store = open(&disk).unwrap();
        assert!(store.is_rolled_back(), "it must be told again after a restart");
        store.acknowledge_rollback().unwrap();
        assert!(!store.is_rolled_back());
        drop(store);
        assert!(!open(&disk).unwrap().is_rolled_back());
    }
}

#[test]
fn a_copy_made_while_the_store_was_open_is_told_from_what_it_became() {
    let disk = used_disk();
    let store = open(&disk).unwrap();
    let copy = disk.copy();
    store.close().unwrap();
    disk.restore_data_directory(&copy);
    assert!(open(&disk).unwrap().is_rolled_back());
}

/// The process was killed, and a copy made earlier while it ran was put back.
#[test]
fn a_copy_that_lacks_a_single_commit_is_noticed() {
    let disk = used_disk();
    let mut store = open(&disk).unwrap();
    for value in [b"one".as_slice(), b"two", b"three"] {
        let copy = disk.copy();
        put(&mut store, value);
        let killed = disk.copy();
        assert!(!open(&killed).unwrap().is_rolled_back());
        killed.restore_data_directory(&copy);
        assert!(open(&killed).unwrap().is_rolled_back());
    }
}

#[test]
fn the_counter_may_come_after_the_id() {
    let disk = Disk::new();
    let open = |disk: &Disk| {
        let mut files = disk.files();
        let counter = files.open_counter.take().unwrap();
        let locked = LockedStore::open_files(files, &options(), Box::new(rng(disk.operations()))).unwrap();
        locked.count_in_file(counter).unwrap().unlock(&key()).unwrap()
    };
    put(&mut open(&disk), b"old");
    let copy = disk.copy();
    put(&mut open(&disk), b"new");
    assert!(!open(&disk).is_rolled_back());
    disk.restore_data_directory(&copy);
    assert!(open(&disk).is_rolled_back());

    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("data");
    let locked = LockedStore::open(&directory, &Options::default()).unwrap();
    let counter = parent.path().join(locked.id().to_string());
    drop(locked.count_in(&counter).unwrap().unlock(&key()).unwrap());
    assert!(fs::metadata(&counter).unwrap().len() > 0);
    let locked = LockedStore::open(&directory, &Options::default()).unwrap();
    let absent = locked.count_in(&parent.path().join("absent").join("counter")).unwrap_err();
    assert!(absent.to_string().contains("absent"), "{absent}");
}

#[test]
fn a_damaged_counter_counts_as_a_rollback_and_a_foreign_one_as_a_mistake() {
    let disk = used_disk();
    let mut counter = disk.open_counter();
    // One of two slots may be torn by a loss of power.
    counter[20] ^= 1;
    disk.replace_open_counter(counter.clone());
    assert!(!open(&disk.copy()).unwrap().is_rolled_back());
    counter[512 + 20] ^= 1;
    disk.replace_open_counter(counter);
    assert!(open(&disk).unwrap().is_rolled_back());

    disk.replace_open_counter(disk_of_another_store().open_counter());
    assert!(matches!(open(&disk), Err(OpenError::Foreign { .. })));

    // A counter that begins later than the store is no reason for alarm.
    disk.replace_open_counter(Vec::new());
    let mut store = open(&disk).unwrap();
    store.acknowledge_rollback().unwrap();
    drop(store);
    assert!(!open(&disk).unwrap().is_rolled_back());
}
