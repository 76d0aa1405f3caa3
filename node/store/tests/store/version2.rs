//! A store that a program of version 2 wrote, and was killed with commits in its journal.
//!
//! The program committed to the table `messages` under `alice` and to the secrets of `group`, six times: record `n`
//! is `message n` and secret `n` is `secret n`. Before the third commit there was a checkpoint. The fourth was deferred.
//! The fifth also deleted records 0 and 3, the sixth secret 1.

use bytes::Bytes;
use qpq_engine::storage::{Direction, Transaction};
use qpq_store::testing::{Disk, Fault, Survivors};
use qpq_store::{Storage, Store};

use crate::common::{TABLE, open, rng};
use crate::journal::killed;

/// Database, journal, secrets' key and open counter, one after the other: length (4) and as many bytes of runs. A run is
/// its length (4) and the byte that it repeats; with the first bit set it is as many bytes that follow.
const FILES: &[u8] = include_bytes!("fixtures/version2.bin");

fn disk_of_version_2() -> Disk {
    let mut rest = FILES;
    let mut next = || {
        let length = length(&mut rest);
        unpacked(rest.split_off(..length).unwrap())
    };
    let disk = Disk::new();
    disk.replace_database(next());
    disk.replace_journal(next());
    disk.replace_secrets_key(next());
    disk.replace_open_counter(next());
    disk
}

fn unpacked(mut runs: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    while !runs.is_empty() {
        match length(&mut runs) {
            repeated if repeated < LITERAL => {
                let byte = *runs.split_off_first().unwrap();
                bytes.resize(bytes.len() + repeated, byte);
            }
            literal => bytes.extend(runs.split_off(..literal - LITERAL).unwrap()),
        }
    }
    bytes
}

fn length(bytes: &mut &[u8]) -> usize {
    let length = bytes.split_off(..4).unwrap();
    u32::from_be_bytes(length.try_into().unwrap()).try_into().unwrap()
}

const LITERAL: usize = 1 << 31;

#[track_caller]
fn check(store: &mut Store) {
    assert!(!store.is_rolled_back());
    let mut batch = store.begin();
    let mut transaction = batch.transaction();
    let records = transaction.scan(TABLE, b"alice", 0..9, Direction::Forward, 9).unwrap();
    let expected = [1, 2, 4, 5].map(|number| (number, Bytes::from(format!("message {number}"))));
    assert_eq!(records, expected);
    for number in 0..6_u8 {
        let secret = transaction.secrets().get(b"group", &[number]).unwrap();
        assert_eq!(secret, (number != 1).then(|| format!("secret {number}").into_bytes()));
    }
}

#[test]
fn it_is_read_with_all_that_its_journal_holds() {
    let disk = disk_of_version_2();
    let mut store = open(&disk).unwrap();
    check(&mut store);
    let mut batch = store.begin();
    let mut transaction = batch.transaction();
    transaction.secrets().put(b"group", &[9], b"newer").unwrap();
    transaction.accept();
    batch.commit().unwrap();
    let mut store = killed(&disk, store);
    check(&mut store);
    store.rotate_secrets().unwrap();
    store.close().unwrap();
    check(&mut open(&disk).unwrap());
}

#[test]
fn its_first_opening_may_break_off_anywhere() {
    let whole = disk_of_version_2();
    let before = whole.operations();
    drop(open(&whole).unwrap());
    for at in before..whole.operations() {
        for survivors in Survivors::ALL {
            let disk = disk_of_version_2();
            disk.set_fault(Some(Fault::PowerAt(at)));
            drop(open(&disk));
            disk.crash(survivors, &mut rng(at));
            check(&mut open(&disk).unwrap());
        }
    }
}
