//! A store on a disk in memory.

use chacha20::ChaCha20Rng;
use qpq_crypto::at_rest::AtRestKey;
use qpq_store::testing::Disk;
use qpq_store::{LockedStore, OpenError, Store};
use rand_core::SeedableRng;

pub(crate) const CACHE_BYTES: usize = 256 * 1024;

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
    LockedStore::open_files(disk.files(), CACHE_BYTES, Box::new(rng(disk.operations())))
}

/// A disk with a store whose id no other disk here has.
pub(crate) fn disk_of_another_store() -> Disk {
    let disk = Disk::new();
    let locked = LockedStore::open_files(disk.files(), CACHE_BYTES, Box::new(rng(u64::MAX))).unwrap();
    drop(locked.unlock(&key()).unwrap());
    disk
}

pub(crate) fn open(disk: &Disk) -> Result<Store, OpenError> {
    lock(disk)?.unlock(&key())
}
