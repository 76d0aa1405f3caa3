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

pub(crate) fn lock(disk: &Disk) -> Result<LockedStore, OpenError> {
    // Another start has other randomness.
    LockedStore::open_files(disk.files(), CACHE_BYTES, Box::new(rng(disk.operations())))
}

pub(crate) fn open(disk: &Disk) -> Result<Store, OpenError> {
    lock(disk)?.unlock(&key())
}
