//! A database file in which bytes were flipped: it is told to be damaged, and nothing wrong is read from it.

use bytes::Bytes;
use qpq_engine::storage::{Direction, Key, Transaction};
use qpq_store::testing::Disk;
use qpq_store::{OpenError, Storage, Store};

use crate::common::{TABLE, key, lock, open, rng, used_disk};

const RECORDS: u64 = 200;

/// Every page is hit, at another place in each.
const STEP: usize = 4_001;

/// A store with inner pages, closed in order.
fn filled_disk() -> Disk {
    let disk = used_disk();
    let mut store = open(&disk).unwrap();
    let mut batch = store.begin();
    let mut transaction = batch.transaction();
    for ordinal in 0..RECORDS {
        transaction.put(TABLE, Key { prefix: b"many", ordinal }, value(ordinal)).unwrap();
        transaction.secrets().put(b"many", &ordinal.to_be_bytes(), &value(ordinal)).unwrap();
    }
    transaction.accept();
    batch.commit().unwrap();
    store.close().unwrap();
    disk
}

fn value(ordinal: u64) -> Bytes {
    vec![u8::try_from(ordinal % 256).unwrap(); 100].into()
}

/// Reads all there is, and writes. What can be read must be right.
fn use_all(store: &mut Store) {
    let mut batch = store.begin();
    let mut transaction = batch.transaction();
    for ordinal in 0..RECORDS {
        if let Ok(Some(read)) = transaction.get(TABLE, Key { prefix: b"many", ordinal }) {
            assert_eq!(read, value(ordinal));
        }
        if let Ok(Some(read)) = transaction.secrets().get(b"many", &ordinal.to_be_bytes()) {
            assert_eq!(read, value(ordinal));
        }
    }
    for direction in [Direction::Forward, Direction::Backward] {
        for (ordinal, read) in
            transaction.scan(TABLE, b"many", 0..RECORDS, direction, 1_000).unwrap_or_default()
        {
            assert_eq!(read, value(ordinal));
        }
    }
    let _ = transaction.all(TABLE);
    let _ = transaction.secrets().clear_namespace(b"many");
    let _ = transaction.put(TABLE, Key { prefix: b"many", ordinal: RECORDS }, value(0));
    transaction.accept();
    let _ = batch.commit();
    let _ = store.rotate_secrets();
    let _ = store.compact();
}

#[test]
fn flipped_bytes_are_told_and_nothing_wrong_is_read() {
    let whole = filled_disk();
    let (database, secrets_key) = (whole.database(), whole.secrets_key());
    let in_use = database.iter().rposition(|byte| *byte != 0).unwrap();
    let mut damaged = 0;
    for at in (0..in_use).step_by(STEP) {
        let disk = Disk::new();
        let mut flipped = database.clone();
        flipped[at..(at + 3).min(in_use)].iter_mut().for_each(|byte| *byte ^= 0xa5);
        disk.replace_database(flipped);
        disk.replace_secrets_key(secrets_key.clone());
        match lock(&disk).and_then(|locked| locked.unlock(&key())) {
            Ok(mut store) => use_all(&mut store),
            Err(OpenError::Failure(failure)) => panic!("byte {at}: {failure:?}"),
            Err(_) => damaged += 1,
        }
    }
    assert!(damaged > 0);
}

#[test]
fn a_file_whose_end_is_missing_is_told_to_be_damaged() {
    let whole = filled_disk();
    for kept in [1, 2, 3] {
        let disk = whole.copy();
        let mut database = whole.database();
        database.truncate(database.len() / 4 * kept);
        disk.replace_database(database);
        let error = open(&disk).map(|mut store| use_all(&mut store)).err();
        assert!(matches!(error, None | Some(OpenError::Damaged(_))), "{error:?}");
    }
}

#[test]
fn pages_of_noise_are_told_and_nothing_wrong_is_read() {
    use rand_core::Rng;
    let whole = filled_disk();
    let (database, secrets_key) = (whole.database(), whole.secrets_key());
    for page in (4_096..database.len()).step_by(4_096) {
        if database[page..page + 4_096].iter().all(|byte| *byte == 0) {
            continue;
        }
        let disk = Disk::new();
        let mut noisy = database.clone();
        rng(page as u64).fill_bytes(&mut noisy[page..page + 4_096]);
        disk.replace_database(noisy);
        disk.replace_secrets_key(secrets_key.clone());
        match open(&disk) {
            Ok(mut store) => use_all(&mut store),
            Err(OpenError::Failure(failure)) => panic!("page {page}: {failure:?}"),
            Err(_) => {}
        }
    }
}
