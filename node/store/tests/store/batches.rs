//! Batches and transactions, over both implementations.

use bytes::Bytes;
use proptest::prelude::*;
use qpq_engine::storage::{Direction, Key, Table, Transaction};
use qpq_store::testing::Disk;
use qpq_store::{MemoryStore, PREFIX_BYTES_MAX, Storage, Store, VALUE_BYTES_MAX};

use crate::common::open;
use crate::model::{Model, Operation, operation};

const TABLE: Table = Table("messages");

fn key(ordinal: u64) -> Key<'static> {
    Key { prefix: b"alice", ordinal }
}

/// Runs batches of transactions on storage and model, comparing after each, and after what comes between them.
fn check_against_model<S: Storage>(
    storage: &mut S,
    batches: &[Vec<(Vec<Operation>, bool)>],
    mut between: impl FnMut(&mut S, &Model),
) {
    let mut model = Model::default();
    for transactions in batches {
        let mut batch = storage.begin();
        for (operations, is_accepted) in transactions {
            let before = model.clone();
            let mut transaction = batch.transaction();
            operations.iter().for_each(|operation| model.apply(operation, &mut transaction));
            assert_eq!(Model::read(&mut transaction), model);
            if *is_accepted {
                transaction.accept();
            } else {
                drop(transaction);
                model = before;
            }
            assert_eq!(Model::read(&mut batch.transaction()), model);
        }
        batch.commit().unwrap();
        assert_eq!(Model::read(&mut storage.begin().transaction()), model);
        between(storage, &model);
        assert_eq!(Model::read(&mut storage.begin().transaction()), model);
    }
}

/// What may come between two batches: it changes where things lie, and nothing that is read.
const BETWEEN: [fn(&mut Store); 5] = [
    |_| {},
    |store| assert!(store.begin_checkpoint().is_ok()),
    |store| assert!(store.end_checkpoint().is_ok()),
    |store| assert!(store.checkpoint().is_ok()),
    |store| assert!(store.rotate_secrets().is_ok()),
];

fn batches() -> impl Strategy<Value = Vec<Vec<(Vec<Operation>, bool)>>> {
    let transaction = (proptest::collection::vec(operation(), 0..8), any::<bool>());
    proptest::collection::vec(proptest::collection::vec(transaction, 0..4), 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_store_is_the_model(
        batches in batches(),
        between in proptest::collection::vec(0..BETWEEN.len(), 5),
    ) {
        let mut between = between.into_iter().cycle();
        let mut snapshots = Vec::new();
        check_against_model(&mut open(&Disk::new()).unwrap(), &batches, |store, model| {
            snapshots.push((store.snapshot().unwrap(), model.clone()));
            BETWEEN[between.next().unwrap()](store);
        });
        for (mut snapshot, model) in snapshots {
            prop_assert_eq!(Model::read(&mut snapshot), model, "a snapshot does not move");
        }
    }

    #[test]
    fn the_memory_store_is_the_model(batches in batches()) {
        check_against_model(&mut MemoryStore::new(), &batches, |_, _| {});
    }
}

#[test]
fn dropping_a_batch_forgets_it() {
    let mut store = MemoryStore::new();
    let mut batch = store.begin();
    let mut transaction = batch.transaction();
    transaction.put(TABLE, key(1), Bytes::from_static(b"value")).unwrap();
    transaction.accept();
    assert!(!batch.is_empty());
    drop(batch);
    assert_eq!(store.begin().transaction().get(TABLE, key(1)).unwrap(), None);
}

#[test]
fn a_leaked_transaction_leaves_nothing() {
    let mut store = MemoryStore::new();
    let mut batch = store.begin();
    let mut transaction = batch.transaction();
    transaction.put(TABLE, key(1), Bytes::from_static(b"value")).unwrap();
    std::mem::forget(transaction);
    assert_eq!(batch.transaction().get(TABLE, key(1)).unwrap(), None);
    let mut transaction = batch.transaction();
    transaction.put(TABLE, key(2), Bytes::from_static(b"value")).unwrap();
    std::mem::forget(transaction);
    assert_eq!(batch.commit().unwrap().changes, 0);
}

#[test]
fn a_batch_knows_what_it_holds() {
    let mut store = MemoryStore::new();
    let mut batch = store.begin();
    let mut bytes = |value: Option<&[u8]>, is_accepted| {
        let mut transaction = batch.transaction();
        match value {
            Some(value) => transaction.put(TABLE, key(1), Bytes::copy_from_slice(value)).unwrap(),
            None => transaction.delete(TABLE, key(1)).unwrap(),
        }
        if is_accepted {
            transaction.accept();
        } else {
            drop(transaction);
        }
        batch.bytes()
    };
    assert_eq!(bytes(Some(&[0; 100]), false), 0);
    let with_100 = bytes(Some(&[0; 100]), true);
    assert_eq!(bytes(Some(&[0; 50]), false), with_100);
    assert_eq!(bytes(Some(&[0; 50]), true), with_100 - 50);
    assert_eq!(bytes(None, true), with_100 - 100 - b"alice".len());
}

#[test]
fn one_sync_serves_a_batch() {
    let disk = Disk::new();
    let mut store = open(&disk).unwrap();
    let mut syncs = |count: u64| {
        let mut batch = store.begin();
        for ordinal in 0..count {
            let mut transaction = batch.transaction();
            transaction.put(TABLE, key(ordinal), Bytes::from_static(b"value")).unwrap();
            transaction.accept();
        }
        batch.commit().unwrap().syncs
    };
    assert_eq!(syncs(0), 0);
    assert_eq!(syncs(1), 1);
    assert_eq!(syncs(64), 1);
}

#[test]
fn an_empty_batch_touches_no_disk() {
    let disk = Disk::new();
    let mut store = open(&disk).unwrap();
    let operations = disk.operations();
    let mut batch = store.begin();
    let mut transaction = batch.transaction();
    assert_eq!(transaction.get(TABLE, key(1)).unwrap(), None);
    transaction.put(TABLE, key(1), Bytes::from_static(b"value")).unwrap();
    drop(transaction);
    batch.commit().unwrap();
    assert_eq!(disk.operations(), operations);
}

#[test]
fn lengths_and_names_are_bounded() {
    let mut store = MemoryStore::new();
    let mut batch = store.begin();
    let mut transaction = batch.transaction();
    let value = || Bytes::from_static(b"value");
    let longest = vec![0; PREFIX_BYTES_MAX];
    transaction.put(TABLE, Key { prefix: &longest, ordinal: 0 }, value()).unwrap();
    let too_long = vec![0; PREFIX_BYTES_MAX + 1];
    assert!(transaction.put(TABLE, Key { prefix: &too_long, ordinal: 0 }, value()).is_err());
    assert!(transaction.get(TABLE, Key { prefix: &too_long, ordinal: 0 }).is_err());
    let too_long = Bytes::from(vec![0; VALUE_BYTES_MAX + 1]);
    assert!(transaction.put(TABLE, key(0), too_long.clone()).is_err());
    assert!(transaction.secrets().put(b"namespace", b"name", &too_long).is_err());
    for name in ["", "Messages", "a/b", "ä", "a23456789_123456789_123456789_123"] {
        assert!(transaction.put(Table(name), key(0), value()).is_err(), "{name}");
        assert!(transaction.delete(Table(name), key(0)).is_err(), "{name}");
    }
}

#[test]
fn a_scan_of_an_empty_range_finds_nothing() {
    let mut store = MemoryStore::new();
    let mut batch = store.begin();
    let mut transaction = batch.transaction();
    transaction.put(TABLE, key(5), Bytes::from_static(b"value")).unwrap();
    for (from, to) in [(5, 5), (6, 5), (0, 0), (0, 5), (6, u64::MAX)] {
        assert_eq!(transaction.scan(TABLE, b"alice", from..to, Direction::Forward, 9).unwrap(), []);
    }
    assert_eq!(transaction.scan(TABLE, b"alice", 5..6, Direction::Backward, 9).unwrap().len(), 1);
    assert_eq!(transaction.scan(TABLE, b"alice", 5..6, Direction::Backward, 0).unwrap(), []);
    assert_eq!(transaction.scan(TABLE, b"bob", 0..9, Direction::Backward, 9).unwrap(), []);
}

#[test]
fn copying_a_namespace_onto_itself_changes_nothing() {
    let mut store = MemoryStore::new();
    let mut batch = store.begin();
    let mut transaction = batch.transaction();
    let secrets = transaction.secrets();
    secrets.put(b"group", b"tree", b"secret").unwrap();
    secrets.copy_namespace(b"group", b"group").unwrap();
    assert_eq!(secrets.get(b"group", b"tree").unwrap().as_deref(), Some(&b"secret"[..]));
}
