//! A store on a disk in memory.

use bytes::Bytes;
use chacha20::ChaCha20Rng;
use qpq_crypto::at_rest::AtRestKey;
use qpq_engine::storage::{Key, Table, Transaction};
use qpq_store::testing::Disk;
use qpq_store::{CommitError, LockedStore, OpenError, Options, Storage, Store};
use rand_core::SeedableRng;

/// Little memory, and a journal that is full now and then.
pub(crate) fn options() -> Options {
    Options { cache_bytes: 256 * 1024, journal_bytes: JOURNAL_BYTES, open_counter: None }
}

/// Two headers and room for ten short frames.
pub(crate) const JOURNAL_BYTES: u64 = 12 * 4096;

/// The same numbers for the same seed.
pub(crate) fn rng(seed: u64) -> ChaCha20Rng {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    ChaCha20Rng::from_seed(bytes)
}

pub(crate) fn key() -> AtRestKey {
    AtRestKey::from_bytes(&[42; 32])
}

/// Each start of a disk has other randomness, the same in every run.
pub(crate) fn lock(disk: &Disk) -> Result<LockedStore, OpenError> {
    LockedStore::open_files(disk.files(), &options(), Box::new(rng(disk.operations())))
}

/// Opens a store with other options, which need no counter.
pub(crate) fn open_with(disk: &Disk, options: &Options, is_counted: bool) -> Result<Store, OpenError> {
    let mut files = disk.files();
    files.open_counter.take_if(|_| !is_counted);
    LockedStore::open_files(files, options, Box::new(rng(disk.operations())))?.unlock(&key())
}

/// A disk with a store whose id no other disk here has.
pub(crate) fn disk_of_another_store() -> Disk {
    let disk = Disk::new();
    let locked = LockedStore::open_files(disk.files(), &options(), Box::new(rng(u64::MAX))).unwrap();
    drop(locked.unlock(&key()).unwrap());
    disk
}

pub(crate) fn open(disk: &Disk) -> Result<Store, OpenError> {
    lock(disk)?.unlock(&key())
}

pub(crate) const TABLE: Table = Table("messages");

pub(crate) fn put(store: &mut Store, value: &'static [u8]) {
    try_put(store, value).unwrap();
}

pub(crate) fn try_put(store: &mut Store, value: &'static [u8]) -> Result<(), CommitError> {
    let mut batch = store.begin();
    let mut transaction = batch.transaction();
    transaction.put(TABLE, Key { prefix: b"", ordinal: 0 }, Bytes::from_static(value)).unwrap();
    transaction.secrets().put(b"group", b"tree", value).unwrap();
    transaction.accept();
    batch.commit().map(drop)
}

pub(crate) fn get(store: &mut Store) -> (Option<Bytes>, Option<Vec<u8>>) {
    let mut batch = store.begin();
    let mut transaction = batch.transaction();
    let record = transaction.get(TABLE, Key { prefix: b"", ordinal: 0 }).unwrap();
    (record, transaction.secrets().get(b"group", b"tree").unwrap())
}

pub(crate) fn used_disk() -> Disk {
    let disk = Disk::new();
    put(&mut open(&disk).unwrap(), b"value");
    disk
}
