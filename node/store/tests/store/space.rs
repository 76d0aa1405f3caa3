//! What the file of a database takes.

use bytes::Bytes;
use qpq_engine::storage::{Key, Table, Transaction};
use qpq_store::testing::Disk;
use qpq_store::{CommitInfo, LockedStore, Options, Storage, Store};

use crate::common::{TABLE, key, open, open_with, options, rng};

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
        let locked = LockedStore::open_files(files, &options(), Box::new(rng(0))).unwrap();
        let mut store = locked.unlock(&key()).unwrap();
        change(&mut store, 0..RECORDS, Some(&value));
        change(&mut store, RECORDS..RECORDS + 1, Some(&value))
    });
    println!("with a counter {counted:?}, without {uncounted:?}");
    assert_eq!(counted.syncs, uncounted.syncs);
    assert!(counted.bytes <= uncounted.bytes + 8 * 1024);
}

/// What a chat message changes costs no more in a store that holds much already.
#[test]
fn a_message_writes_at_most_64_kib_whatever_is_there() {
    let average = |records: u64| {
        let disk = Disk::new();
        let long = Options { cache_bytes: 4 << 20, journal_bytes: 256 << 10, ..options() };
        let mut store = open_with(&disk, &long, true).unwrap();
        for first in (0..records).step_by(500) {
            change(&mut store, first..first + 500, Some(&Bytes::from(vec![7; 1024])));
        }
        store.checkpoint().unwrap();
        let messages = 200;
        let bytes: u64 = (0..messages).map(|number| message(&mut store, records + number).bytes).sum();
        bytes / messages
    };
    for records in [0, 4_000] {
        let average = average(records);
        println!("{average} bytes a message in a store of {records} records");
        assert!(average < 64 * 1024, "{average} bytes");
    }
}

/// Eight records and secrets of 6 KB, in one of many conversations.
fn message(store: &mut Store, number: u64) -> CommitInfo {
    let conversation = (number * 7919 % 50).to_be_bytes();
    let mut batch = store.begin();
    let mut transaction = batch.transaction();
    for (table, ordinal, bytes) in [
        ("messages", number, 1_300),
        ("conversations", 0, 400),
        ("outbox", number, 1_400),
        ("events", number, 200),
    ] {
        let value = Bytes::from(vec![7; bytes]);
        transaction.put(Table(table), Key { prefix: &conversation, ordinal }, value).unwrap();
    }
    for (name, bytes) in [("ratchet", 900), ("generations", 700), ("pending", 1_100), ("count", 8)] {
        transaction.secrets().put(&conversation, name.as_bytes(), &vec![7; bytes]).unwrap();
    }
    transaction.accept();
    batch.commit().unwrap()
}
