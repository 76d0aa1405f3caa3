//! What the files give away to whoever has them, and what deleting means.

use bytes::Bytes;
use qpq_engine::storage::{Key, Table, Transaction};
use qpq_store::testing::{Disk, Fault, Survivors};
use qpq_store::{OpenError, Storage, Store};

use crate::common::{key, lock, open, rng};

const TABLE: Table = Table("messages");

fn commit(store: &mut Store, change: impl FnOnce(&mut dyn Transaction)) {
    let mut batch = store.begin();
    let mut transaction = batch.transaction();
    change(&mut transaction);
    transaction.accept();
    batch.commit().unwrap();
}

fn secret(store: &mut Store, name: &[u8]) -> Option<Vec<u8>> {
    store.begin().transaction().secrets().get(b"group", name).unwrap()
}

fn hex(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect()
}

fn base32(bytes: &[u8]) -> Vec<u8> {
    let bits: Vec<u8> = bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
    let letter = |bits: &[u8]| bits.iter().fold(0, |value, bit| value << 1 | bit);
    bits.chunks_exact(5).map(|bits| b"abcdefghijklmnopqrstuvwxyz234567"[usize::from(letter(bits))]).collect()
}

fn contains(contents: &[u8], bytes: &[u8]) -> bool {
    contents.windows(bytes.len()).any(|window| window.eq_ignore_ascii_case(bytes))
}

#[test]
fn nothing_a_person_wrote_lies_in_the_files() {
    let private: [&[u8]; 5] = [
        b"prefix-of-alice",
        b"value-of-a-message",
        b"namespace-of-group",
        b"name-of-secret",
        b"value-of-secret",
    ];
    let disk = Disk::new();
    let mut store = open(&disk).unwrap();
    for ordinal in 0..20 {
        commit(&mut store, |transaction| {
            let place = Key { prefix: private[0], ordinal };
            transaction.put(TABLE, place, Bytes::from_static(private[1])).unwrap();
            transaction.secrets().put(private[2], private[3], private[4]).unwrap();
        });
    }
    let while_open = disk.contents();
    assert!(!contains(&disk.journal(), b"messages"), "what lies in the journal shows not even its table");
    store.rotate_secrets().unwrap();
    store.close().unwrap();
    let contents = [while_open, disk.contents()].concat();
    assert!(contains(&contents, b"t/messages"), "table names are in the clear, so the search works");
    for bytes in private.iter().copied().chain([key().as_bytes().as_slice()]) {
        for form in [bytes.to_vec(), hex(bytes), base32(bytes)] {
            assert!(!contains(&contents, &form), "{}", String::from_utf8_lossy(&form));
        }
    }
}

#[test]
fn a_value_moved_to_another_place_is_refused() {
    let disk = Disk::new();
    let mut store = open(&disk).unwrap();
    commit(&mut store, |transaction| {
        for ordinal in 0..2 {
            transaction.put(TABLE, Key { prefix: b"alice", ordinal }, Bytes::from(vec![b'x'; 40])).unwrap();
        }
        transaction.secrets().put(b"group", b"tree", b"value").unwrap();
    });
    store.checkpoint().unwrap();
    drop(store);
    swap_values(&disk);
    let mut store = open(&disk).unwrap();
    let mut batch = store.begin();
    let mut transaction = batch.transaction();
    for ordinal in 0..2 {
        let error = transaction.get(TABLE, Key { prefix: b"alice", ordinal }).unwrap_err();
        assert!(error.to_string().contains("messages"), "{error}");
    }
    assert!(transaction.all(TABLE).is_err());
    assert!(transaction.secrets().get(b"group", b"tree").is_err());
}

/// Exchanges the values of the first two records, and cuts the first secret short.
fn swap_values(disk: &Disk) {
    use redb::ReadableTable;
    let database = disk.open_redb().unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let mut table =
            transaction.open_table(redb::TableDefinition::<&[u8; 24], &[u8]>::new("t/messages")).unwrap();
        let entries: Vec<_> = table
            .iter()
            .unwrap()
            .map(Result::unwrap)
            .map(|(key, value)| (*key.value(), value.value().to_vec()))
            .collect();
        table.insert(&entries[0].0, entries[1].1.as_slice()).unwrap();
        table.insert(&entries[1].0, entries[0].1.as_slice()).unwrap();
        let mut secrets =
            transaction.open_table(redb::TableDefinition::<&[u8; 32], &[u8]>::new("secrets")).unwrap();
        let (key, value) =
            secrets.pop_first().unwrap().map(|(k, v)| (*k.value(), v.value().to_vec())).unwrap();
        secrets.insert(&key, &value[..value.len() - 1]).unwrap();
    }
    transaction.commit().unwrap();
}

#[test]
fn rotating_erases_what_was_deleted() {
    for is_in_database in [true, false] {
        let disk = Disk::new();
        let mut store = open(&disk).unwrap();
        commit(&mut store, |transaction| {
            transaction.secrets().put(b"group", b"old", b"deleted").unwrap();
            transaction.secrets().put(b"group", b"new", b"living").unwrap();
        });
        if is_in_database {
            store.checkpoint().unwrap();
        }
        let thief = disk.copy();
        commit(&mut store, |transaction| transaction.secrets().delete(b"group", b"old").unwrap());
        store.rotate_secrets().unwrap();
        assert_eq!(secret(&mut store, b"new").as_deref(), Some(&b"living"[..]));
        drop(store);

        // Even database and journal as they were then, and the at-rest key, do not bring it back without the older key.
        let restored = disk.copy();
        restored.replace_database(thief.database());
        restored.replace_journal(thief.journal());
        let mut store = open(&restored).unwrap();
        assert!(store.is_rolled_back());
        let old = store.begin().transaction().secrets().get(b"group", b"old");
        assert!(if is_in_database { old.is_err() } else { matches!(old, Ok(None)) });
        // What cannot be read can be cleared and is dropped by the next rotation.
        store.rotate_secrets().unwrap();
        assert_eq!(secret(&mut store, b"old"), None);
        commit(&mut store, |transaction| transaction.secrets().put(b"group", b"old", b"again").unwrap());
        assert_eq!(secret(&mut store, b"old").as_deref(), Some(&b"again"[..]));
    }
}

/// What was sealed for the journal before the key was replaced must not get into it afterwards.
#[test]
fn what_was_deferred_before_a_rotation_is_read_after_it() {
    let disk = Disk::new();
    let mut store = open(&disk).unwrap();
    let mut batch = store.begin();
    let mut transaction = batch.transaction();
    transaction.secrets().put(b"group", b"tree", b"deferred").unwrap();
    transaction.accept();
    batch.commit_deferred().unwrap();
    store.rotate_secrets().unwrap();
    commit(&mut store, |transaction| transaction.secrets().put(b"group", b"leaf", b"later").unwrap());
    disk.kill();
    drop(store);
    let mut store = open(&disk).unwrap();
    assert_eq!(secret(&mut store, b"tree").as_deref(), Some(&b"deferred"[..]));
    assert_eq!(secret(&mut store, b"leaf").as_deref(), Some(&b"later"[..]));
}

#[test]
fn what_the_journal_held_is_gone_with_the_older_key() {
    let disk = Disk::new();
    let mut store = open(&disk).unwrap();
    let place = Key { prefix: b"alice", ordinal: 1 };
    commit(&mut store, |transaction| transaction.put(TABLE, place, Bytes::from_static(b"hello")).unwrap());
    let thief = disk.copy();
    let read = |disk: &Disk| {
        let mut store = open(disk).unwrap();
        let mut batch = store.begin();
        batch.transaction().get(TABLE, place).unwrap()
    };
    assert_eq!(read(&thief.copy()), Some(Bytes::from_static(b"hello")), "only the journal has it");
    store.rotate_secrets().unwrap();
    thief.replace_secrets_key(disk.secrets_key());
    assert_eq!(read(&thief), None);
}

#[test]
fn the_older_key_is_overwritten() {
    let disk = Disk::new();
    let mut store = open(&disk).unwrap();
    let before = disk.secrets_key();
    let slot = &before[4096..4096 + 97];
    store.rotate_secrets().unwrap();
    assert!(!contains(&disk.secrets_key(), &slot[8..]));
    store.rotate_secrets().unwrap();
    store.rotate_secrets().unwrap();
    drop(store);
    open(&disk).unwrap();
}

#[test]
fn a_rotation_that_the_power_cut_short_is_finished() {
    let disk = Disk::new();
    let mut store = open(&disk).unwrap();
    commit(&mut store, |transaction| transaction.secrets().put(b"group", b"tree", b"living").unwrap());
    drop(store);
    let before = disk.copy();
    let length = {
        let mut store = open(&disk).unwrap();
        let start = disk.operations();
        store.rotate_secrets().unwrap();
        disk.operations() - start
    };
    for (at, survivors) in (0..length).flat_map(|at| Survivors::ALL.map(|survivors| (at, survivors))) {
        let disk = before.copy();
        let mut store = open(&disk).unwrap();
        disk.set_fault(Some(Fault::PowerAt(disk.operations() + at)));
        assert!(store.rotate_secrets().is_err());
        drop(store);
        disk.crash(survivors, &mut rng(at));
        // The power goes again while the next start finishes the rotation.
        disk.set_fault(Some(Fault::PowerAt(disk.operations() + at)));
        drop(open(&disk));
        disk.crash(survivors, &mut rng(at));
        let mut store = open(&disk).unwrap();
        assert_eq!(secret(&mut store, b"tree").as_deref(), Some(&b"living"[..]));
        store.rotate_secrets().unwrap();
        assert_eq!(secret(&mut store, b"tree").as_deref(), Some(&b"living"[..]));
    }
}

#[test]
fn a_slot_that_was_altered_is_not_a_free_one() {
    let disk = Disk::new();
    let mut store = open(&disk).unwrap();
    commit(&mut store, |transaction| transaction.secrets().put(b"group", b"tree", b"living").unwrap());
    drop(store);
    let mut altered = disk.secrets_key();
    altered[4096 + 30] ^= 1;
    disk.replace_secrets_key(altered);
    assert!(matches!(open(&disk), Err(OpenError::SecretsKeyLost)));
    let mut altered = disk.secrets_key();
    altered[0] ^= 1;
    disk.replace_secrets_key(altered);
    assert!(matches!(lock(&disk), Err(OpenError::Damaged(_))));
}

#[test]
fn nothing_secret_is_printed() {
    let disk = Disk::new();
    let mut store = open(&disk).unwrap();
    let mut batch = store.begin();
    let mut transaction = batch.transaction();
    transaction.secrets().put(b"group", b"tree", b"secret").unwrap();
    transaction.put(TABLE, Key { prefix: b"alice", ordinal: 1 }, Bytes::from_static(b"hello")).unwrap();
    let printed = format!("{transaction:?}");
    transaction.accept();
    let printed = format!("{printed} {batch:?}");
    batch.commit().unwrap();
    let printed = format!("{printed} {:?} {store:?}", store.snapshot().unwrap());
    for private in ["secret\"", "alice", "hello", "115, 101"] {
        assert!(!printed.contains(private), "{printed}");
    }
}
