//! Snapshots while the writer goes on, and moving records to a store with another key.

use bytes::Bytes;
use qpq_crypto::at_rest::AtRestKey;
use qpq_engine::storage::{Direction, Key, Table, Transaction};
use qpq_store::testing::{Disk, Fault, Survivors};
use qpq_store::{Failure, PlacedRecord, Record, RestoreError, Storage, Store};

use crate::common::{lock, open, rng};

const MESSAGES: Table = Table("messages");
const CONTACTS: Table = Table("contacts");

fn filled(disk: &Disk) -> Store {
    let mut store = open(disk).unwrap();
    let mut batch = store.begin();
    let mut transaction = batch.transaction();
    for ordinal in 0..50 {
        let value = Bytes::from(format!("message {ordinal}"));
        transaction.put(MESSAGES, Key { prefix: b"alice", ordinal }, value).unwrap();
    }
    transaction.put(CONTACTS, Key { prefix: b"alice", ordinal: 0 }, Bytes::from_static(b"Alice")).unwrap();
    transaction.secrets().put(b"group", b"tree", b"secret").unwrap();
    transaction.accept();
    batch.commit().unwrap();
    store
}

fn export(store: &Store, tables: &[Table]) -> Vec<PlacedRecord> {
    let mut records = Vec::new();
    let mut sink = |record| {
        records.push(record);
        Ok::<_, Failure>(())
    };
    store.snapshot().unwrap().export(tables, &mut sink).unwrap();
    records
}

fn new_store_with_another_key(disk: &Disk) -> Store {
    lock(disk).unwrap().unlock(&AtRestKey::from_bytes(&[9; 32])).unwrap()
}

fn restore(store: &mut Store, records: Vec<PlacedRecord>) -> Result<usize, RestoreError<Failure>> {
    store.restore(records.into_iter().map(Ok)).map(|info| info.changes)
}

#[test]
fn a_snapshot_does_not_move() {
    let disk = Disk::new();
    let mut store = filled(&disk);
    let mut snapshot = store.snapshot().unwrap();
    let mut batch = store.begin();
    let mut transaction = batch.transaction();
    transaction.delete(MESSAGES, Key { prefix: b"alice", ordinal: 3 }).unwrap();
    transaction.secrets().clear_namespace(b"group").unwrap();
    transaction.accept();
    batch.commit().unwrap();
    store.rotate_secrets().unwrap();

    let there = std::thread::spawn(move || {
        let key = Key { prefix: b"alice", ordinal: 3 };
        assert_eq!(snapshot.get(MESSAGES, key).unwrap().unwrap(), "message 3");
        assert_eq!(snapshot.secrets().get(b"group", b"tree").unwrap().as_deref(), Some(&b"secret"[..]));
        assert_eq!(snapshot.all(MESSAGES).unwrap().len(), 50);
        let last = snapshot.scan(MESSAGES, b"alice", 0..49, Direction::Backward, 2).unwrap();
        assert_eq!(last.iter().map(|(ordinal, _)| *ordinal).collect::<Vec<_>>(), [48, 47]);
        assert_eq!(snapshot.scan(MESSAGES, b"alice", 9..9, Direction::Forward, 2).unwrap(), []);
        assert_eq!(snapshot.all(Table("nothing")).unwrap().len(), 0);
        snapshot
    });
    let mut snapshot = there.join().unwrap();
    let key = Key { prefix: b"alice", ordinal: 3 };
    assert!(snapshot.put(MESSAGES, key, Bytes::new()).is_err() && snapshot.delete(MESSAGES, key).is_err());
    let secrets = snapshot.secrets();
    assert!(secrets.put(b"", b"", b"").is_err() && secrets.delete(b"", b"").is_err());
    assert!(secrets.copy_namespace(b"group", b"").is_err() && secrets.clear_namespace(b"group").is_err());
    assert_eq!(store.snapshot().unwrap().all(MESSAGES).unwrap().len(), 49);
}

#[test]
fn records_move_to_a_store_with_another_key() {
    let disk = Disk::new();
    let records = export(&filled(&disk), &[MESSAGES, CONTACTS, Table("nothing")]);
    assert_eq!(records.len(), 51);

    let other = Disk::new();
    let mut store = new_store_with_another_key(&other);
    // Tables may come in any order and more than once.
    let shuffled = records.iter().rev().skip(1).chain(records.last()).cloned().collect();
    assert_eq!(restore(&mut store, shuffled).unwrap(), 51);
    assert!(matches!(restore(&mut store, Vec::new()), Err(RestoreError::NotEmpty)));
    let mut unsaved = filled(&Disk::new());
    assert!(matches!(restore(&mut unsaved, Vec::new()), Err(RestoreError::NotEmpty)), "in the journal alone");
    drop(store);
    let mut store = new_store_with_another_key(&other);
    let mut batch = store.begin();
    let mut transaction = batch.transaction();
    let key = Key { prefix: b"alice", ordinal: 49 };
    assert_eq!(transaction.get(MESSAGES, key).unwrap().unwrap(), "message 49");
    assert_eq!(transaction.secrets().get(b"group", b"tree").unwrap(), None, "secrets are never in a backup");
    drop(transaction);
    drop(batch);
    let by_place = |record: &PlacedRecord| (record.table, record.ordinal);
    let (mut before, mut after) = (records, export(&store, &[MESSAGES, CONTACTS]));
    before.sort_by_key(by_place);
    after.sort_by_key(by_place);
    assert_eq!(before, after);
}

#[test]
fn an_export_ends_where_its_sink_fails() {
    let disk = Disk::new();
    let mut count = 0;
    let mut sink = |_| {
        count += 1;
        if count == 7 { Err(Failure::ReadOnly) } else { Ok(()) }
    };
    assert!(filled(&disk).snapshot().unwrap().export(&[MESSAGES], &mut sink).is_err());
    assert_eq!(count, 7);
}

#[test]
fn a_backup_that_breaks_off_leaves_an_empty_store() {
    let disk = Disk::new();
    let records = export(&filled(&disk), &[MESSAGES]);
    let other = Disk::new();
    let mut store = new_store_with_another_key(&other);
    let broken = records.iter().cloned().map(Ok).take(20).chain([Err(Failure::ReadOnly)]);
    assert!(matches!(store.restore(broken), Err(RestoreError::Source(Failure::ReadOnly))));
    assert_eq!(export(&store, &[MESSAGES]), []);

    let mut too_long = records[0].clone();
    too_long.record = Record { prefix: Bytes::from(vec![0; 5000]), value: Bytes::new() };
    let refused = restore(&mut store, vec![records[1].clone(), too_long]);
    assert!(matches!(refused, Err(RestoreError::Source(Failure::PrefixTooLong(5000)))));
    let nowhere = PlacedRecord { table: Table("No such"), ..records[0].clone() };
    assert!(restore(&mut store, vec![nowhere]).is_err());
    assert_eq!(restore(&mut store, records).unwrap(), 50);
}

#[test]
fn a_restore_is_all_or_nothing() {
    let records = export(&filled(&Disk::new()), &[MESSAGES]);
    let empty = Disk::new();
    drop(new_store_with_another_key(&empty));
    for at in 0.. {
        let disk = empty.copy();
        let mut store = new_store_with_another_key(&disk);
        disk.set_fault(Some(Fault::PowerAt(disk.operations() + at)));
        let restored = restore(&mut store, records.clone());
        drop(store);
        disk.crash(Survivors::AnySectors, &mut rng(at));
        let found = export(&new_store_with_another_key(&disk), &[MESSAGES]).len();
        if restored.is_ok() {
            assert_eq!(found, 50);
            return;
        }
        assert!([0, 50].contains(&found), "{found} records after the power went at {at}");
    }
}

#[test]
fn compacting_gives_space_back() {
    let disk = Disk::new();
    let mut store = filled(&disk);
    let mut write = |is_put: bool| {
        let mut batch = store.begin();
        let mut transaction = batch.transaction();
        for ordinal in 0..400 {
            let key = Key { prefix: b"bob", ordinal };
            if is_put {
                transaction.put(MESSAGES, key, Bytes::from(vec![7; 20_000])).unwrap();
            } else {
                transaction.delete(MESSAGES, key).unwrap();
            }
        }
        transaction.accept();
        batch.commit().unwrap();
    };
    write(true);
    write(false);
    let snapshot = store.snapshot().unwrap();
    assert!(!store.compact().unwrap(), "a snapshot holds its pages");
    drop(snapshot);
    let before = disk.database().len();
    assert!(store.compact().unwrap());
    assert!(disk.database().len() < before / 2);
    assert_eq!(export(&store, &[MESSAGES]).len(), 50);
}
