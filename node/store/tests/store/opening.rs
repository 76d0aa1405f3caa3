//! Opening: which store, whose key, whose fault.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use bytes::Bytes;
use qpq_crypto::at_rest::AtRestKey;
use qpq_engine::storage::{Key, Transaction};
use qpq_store::testing::{Disk, Fault, Survivors};
use qpq_store::{
    DATABASE_FILE, JOURNAL_FILE, LockedStore, OpenError, Options, SECRETS_KEY_FILE, Storage, Store,
};

use crate::common::{TABLE, disk_of_another_store, get, key, lock, open, put, rng, used_disk};

#[test]
fn a_directory_is_private_and_opens_again() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("new").join("data");
    let options = Options { open_counter: Some(parent.path().join("node.opens")), ..Options::default() };
    let mut store = Store::open(&directory, &key(), &options).unwrap();
    let id = store.id();
    put(&mut store, b"value");
    assert!(matches!(LockedStore::open(&directory, &options), Err(OpenError::InUse)));
    store.close().unwrap();

    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(directory.clone()), 0o700);
    let in_directory = [DATABASE_FILE, JOURNAL_FILE, SECRETS_KEY_FILE].map(|file| directory.join(file));
    for path in in_directory.into_iter().chain([parent.path().join("node.opens")]) {
        assert_eq!(mode(path.clone()), 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    }
    let mut store = Store::open(&directory, &key(), &options).unwrap();
    assert_eq!(mode(directory.join(DATABASE_FILE)), 0o600);
    assert_eq!(store.id(), id);
    assert_eq!(get(&mut store), (Some(Bytes::from_static(b"value")), Some(b"value".to_vec())));
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let parent = tempfile::tempdir().unwrap();
    let file = parent.path().join("file");
    fs::write(&file, "").unwrap();
    let error = LockedStore::open(&file.join("data"), &Options::default()).unwrap_err();
    assert!(error.to_string().contains("file"), "{error}");
}

#[test]
fn the_id_is_known_before_the_key() {
    let disk = Disk::new();
    let locked = lock(&disk).unwrap();
    assert!(locked.is_new());
    let id = locked.id();
    assert_eq!(locked.unlock(&key()).unwrap().id(), id);
    let locked = lock(&disk).unwrap();
    assert!(!locked.is_new());
    assert_eq!(locked.id(), id);
    assert_eq!(id.to_string().len(), 32);
    assert_ne!(lock(&Disk::new()).unwrap().unlock(&key()).unwrap().id().as_bytes(), &[0; 16]);
}

#[test]
fn another_key_is_refused_and_the_right_one_still_opens() {
    let disk = used_disk();
    let locked = lock(&disk).unwrap();
    let wrong = AtRestKey::from_bytes(&[1; 32]);
    assert!(matches!(locked.check_key(&wrong), Err(OpenError::WrongKey)));
    locked.check_key(&key()).unwrap();
    assert_eq!(get(&mut locked.unlock(&key()).unwrap()).0, Some(Bytes::from_static(b"value")));
    assert!(matches!(lock(&disk).unwrap().unlock(&wrong), Err(OpenError::WrongKey)));
}

#[test]
fn one_process_at_a_time() {
    let disk = used_disk();
    let first = open(&disk).unwrap();
    assert!(matches!(lock(&disk), Err(OpenError::InUse)));
    drop(first);
    open(&disk).unwrap();
}

#[test]
fn what_is_not_ours_is_not_touched() {
    let foreign = b"SQLite format 3\0 and some more bytes".to_vec();
    let disk = Disk::new();
    disk.replace_database(foreign.clone());
    assert!(matches!(lock(&disk), Err(OpenError::NotAStore)));
    assert_eq!(disk.database(), foreign);

    let disk = Disk::new();
    let database = disk.open_redb().unwrap();
    let transaction = database.begin_write().unwrap();
    drop(transaction.open_table(redb::TableDefinition::<u64, u64>::new("other")).unwrap());
    transaction.commit().unwrap();
    drop(database);
    assert!(matches!(lock(&disk), Err(OpenError::NotAStore)));
}

#[test]
fn a_header_that_was_zeroed_does_not_cost_the_data() {
    let disk = used_disk();
    let mut damaged = disk.database();
    damaged[..512].fill(0);
    disk.replace_database(damaged.clone());
    assert!(matches!(lock(&disk), Err(OpenError::NotAStore)));
    assert_eq!(disk.database(), damaged);
}

#[test]
fn a_newer_format_asks_for_an_upgrade() {
    let disk = used_disk();
    let database = disk.open_redb().unwrap();
    let transaction = database.begin_write().unwrap();
    let meta = redb::TableDefinition::<&str, &[u8]>::new("meta");
    transaction.open_table(meta).unwrap().insert("schema", &99_u32.to_be_bytes()[..]).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let error = lock(&disk).unwrap_err();
    assert!(matches!(error, OpenError::Newer { found: 99, .. }));
    assert!(error.to_string().contains("upgrade"), "{error}");
}

#[test]
fn a_missing_half_is_named() {
    let disk = used_disk();
    disk.replace_secrets_key(Vec::new());
    assert!(matches!(open(&disk), Err(OpenError::SecretsKeyLost)));

    let disk = used_disk();
    disk.replace_database(Vec::new());
    assert!(matches!(open(&disk), Err(OpenError::DatabaseLost)));

    let disk = used_disk();
    disk.replace_secrets_key(disk_of_another_store().secrets_key());
    assert!(matches!(lock(&disk), Err(OpenError::Foreign { .. })));
}

#[test]
fn an_older_copy_of_the_secrets_key_is_refused() {
    let disk = used_disk();
    let older = disk.secrets_key();
    open(&disk).unwrap().rotate_secrets().unwrap();
    let newer = disk.secrets_key();
    disk.replace_secrets_key(older);
    assert!(matches!(open(&disk), Err(OpenError::SecretsKeyLost)));
    disk.replace_secrets_key(newer);
    assert_eq!(get(&mut open(&disk).unwrap()).1, Some(b"value".to_vec()));
}

#[test]
fn a_store_that_was_never_finished_is_made_anew() {
    let whole = Disk::new();
    drop(open(&whole).unwrap());
    for at in 0..whole.operations() {
        for survivors in Survivors::ALL {
            let disk = Disk::new();
            disk.set_fault(Some(Fault::PowerAt(at)));
            drop(open(&disk));
            disk.crash(survivors, &mut rng(at));
            let mut store = open(&disk).unwrap();
            put(&mut store, b"value");
            assert!(!store.is_rolled_back());
        }
    }
}

#[test]
fn errors_of_the_database_latch_the_store() {
    let disk = used_disk();
    let mut store = open(&disk).unwrap();
    disk.set_fault(Some(Fault::SyncAt(disk.operations())));
    let mut batch = store.begin();
    let mut transaction = batch.transaction();
    transaction.put(TABLE, Key { prefix: b"", ordinal: 0 }, Bytes::from_static(b"new")).unwrap();
    transaction.accept();
    assert!(batch.commit().is_err());
    // The disk works again, but nobody knows what is on it.
    let mut batch = store.begin();
    let mut transaction = batch.transaction();
    assert!(transaction.get(TABLE, Key { prefix: b"", ordinal: 0 }).is_err());
    assert!(transaction.secrets().get(b"group", b"tree").is_err());
    transaction.put(TABLE, Key { prefix: b"", ordinal: 0 }, Bytes::from_static(b"new")).unwrap();
    transaction.accept();
    assert!(batch.commit().is_err());
    assert!(store.rotate_secrets().is_err() && store.snapshot().is_err() && store.compact().is_err());
    drop(store);
    disk.crash(Survivors::Nothing, &mut rng(0));
    assert_eq!(get(&mut open(&disk).unwrap()).0, Some(Bytes::from_static(b"value")));
}
