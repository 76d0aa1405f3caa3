//! What the file of a database takes.

use bytes::Bytes;
use qpq_engine::storage::{Key, Transaction};
use qpq_store::testing::Disk;
use qpq_store::{CommitInfo, LockedStore, Storage, Store};

use crate::common::{CACHE_BYTES, TABLE, key, open, rng};

const RECORDS: u64 = 48;
const RECORD_BYTES: usize = 16 * 1024;

/// Writes records in batches, or deletes them.
fn change(store: &mut Store, ordinals: std::ops::Range<u64>, value: Option<&Bytes>) -> CommitInfo {
    let mut batch = store.begin();
    let mut transaction = batch.transaction();
    for ordinal in ordinals {
        let key = Key { prefix: b"alice", ordinal };
        match value {
            Some(value) => transaction.put(TABLE, key, value.clone()).unwrap(),
            None => transaction.delete(TABLE, key).unwrap(),
        }
    }
    transaction.accept();
    batch.commit().unwrap()
}

fn replace_all(store: &mut Store, value: &Bytes) {
    for first in (0..RECORDS).step_by(8) {
        change(store, first..first + 8, None);
        change(store, first..first + 8, Some(value));
    }
}

#[test]
fn deleted_space_is_used_again_and_given_back_when_asked_for() {
    let disk = Disk::new();
    let mut store = open(&disk).unwrap();
    let value = Bytes::from(vec![7; RECORD_BYTES]);
    replace_all(&mut store, &value);
    let full = disk.database().len();
    for _ in 0..3 {
        replace_all(&mut store, &value);
        assert!(disk.database().len() <= full * 3 / 2, "{} after {full}", disk.database().len());
    }
    change(&mut store, 8..RECORDS, None);
    assert!(store.compact().unwrap());
    assert!(disk.database().len() < full / 4, "{} of {full}", disk.database().len());
    drop(store);
    let mut store = open(&disk).unwrap();
    let kept = store.begin().transaction().get(TABLE, Key { prefix: b"alice", ordinal: 7 }).unwrap();
    assert_eq!(kept, Some(value));
}

#[test]
fn counting_commits_costs_little() {
    let value = Bytes::from(vec![7; 1024]);
    let [counted, uncounted] = [true, false].map(|is_counted| {
        let disk = Disk::new();
        let mut files = disk.files();
        files.open_counter.take_if(|_| !is_counted);
        let locked = LockedStore::open_files(files, CACHE_BYTES, Box::new(rng(0))).unwrap();
        let mut store = locked.unlock(&key()).unwrap();
        change(&mut store, 0..RECORDS, Some(&value));
        change(&mut store, RECORDS..RECORDS + 1, Some(&value))
    });
    println!("with a counter {counted:?}, without {uncounted:?}");
    assert_eq!(counted.syncs, uncounted.syncs);
    assert!(counted.bytes <= uncounted.bytes + 8 * 1024);
}
