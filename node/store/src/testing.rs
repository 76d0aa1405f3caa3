//! A disk in memory that loses power: for crash tests, and for the simulator to run the real store on.
//!
//! Writes reach the disk when they are synced. When the power goes, what was not synced is lost, kept, or
//! kept in part: [`Survivors`] says how. A [`Fault`] makes the power go, a sync fail or the disk full at a chosen
//! operation; operations of all files count as one sequence, so that a test can try every one of them.

mod checkpoints;
mod file;
mod hold;
mod state;

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use qpq_crypto::at_rest::AtRestKey;
use rand_core::CryptoRng;
use redb::{Database, DatabaseError, StorageBackend};

use self::file::DiskFile;
use self::state::{FileState, State, surviving};
use crate::files::Files;
use crate::open::{LockedStore, Options};
use crate::open_error::OpenError;
use crate::store::Store;

/// A disk with the four files of a store. A clone is another handle to the same disk.
#[derive(Clone, Default)]
pub struct Disk(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Told when a thread is [held](Disk::hold_database), and when it is let go.
    held: Condvar,
}

/// What happens at an operation. Operations count from 0: writes, changes of length and syncs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The power goes during this operation: it fails, as does everything after it. [`Disk::crash`] decides
    /// what of it reached the disk.
    PowerAt(u64),
    /// The first sync from this operation on fails, and what it should have written never reaches the disk,
    /// though it can be read until the power goes. Later syncs succeed. Linux behaves like this.
    SyncAt(u64),
    /// The disk is full from this operation on: every write and every growth of a file fails, and leaves no
    /// trace, until another fault or none is planned.
    FullAt(u64),
}

/// What is left of the writes that were not synced when the power goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Survivors {
    /// Nothing.
    Nothing,
    /// All of them.
    Everything,
    /// Those up to some moment, in all files.
    Earliest,
    /// Any sectors of any of them, whatever the order was; a write is torn at sectors of 512 bytes.
    AnySectors,
}

impl Survivors {
    /// Every way.
    pub const ALL: [Self; 4] = [Self::Nothing, Self::Everything, Self::Earliest, Self::AnySectors];
}

impl Disk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// The files of a store, until the power goes.
    pub fn files(&self) -> Files {
        Files {
            database: self.file(DATABASE),
            journal: self.file(JOURNAL),
            secrets_key: self.file(SECRETS_KEY),
            open_counter: Some(self.file(OPEN_COUNTER)),
        }
    }

    /// Opens the store on this disk, or makes it, under a key that every test knows.
    ///
    /// # Errors
    /// As [`LockedStore::open_files`] and [`LockedStore::unlock`].
    pub fn open_store(&self, options: &Options, rng: Box<dyn CryptoRng + Send>) -> Result<Store, OpenError> {
        LockedStore::open_files(self.files(), options, rng)?.unlock(&known_key())
    }

    /// Operations so far.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Whether the power is gone.
    pub fn is_off(&self) -> bool {
        self.state().is_off
    }

    /// Plans a fault, or none.
    pub fn set_fault(&self, fault: Option<Fault>) {
        self.state().fault = fault;
    }

    /// The power goes and comes back: open files are dead, locks are free, no fault is planned.
    pub fn crash(&self, survivors: Survivors, rng: &mut dyn CryptoRng) {
        let mut state = self.state();
        let pending = std::mem::take(&mut state.pending);
        for (name, change) in surviving(pending, survivors, rng) {
            change.apply(&mut state.files.entry(name).or_default().durable);
        }
        for file in state.files.values_mut() {
            file.live = file.durable.clone();
            file.is_locked = false;
        }
        state.fault = None;
        state.is_off = false;
        state.cycle += 1;
    }

    /// The process is killed: open files are dead and locks are free. What it wrote can be read, and what of it was not
    /// synced is still lost when the power goes.
    pub fn kill(&self) {
        let mut state = self.state();
        state.files.values_mut().for_each(|file| file.is_locked = false);
        state.cycle += 1;
    }

    /// Everything that lies on the disk, of all files one after another.
    pub fn contents(&self) -> Vec<u8> {
        self.state().files.values().flat_map(|file| &file.live).copied().collect()
    }

    /// A disk with the same contents, all of them synced.
    #[must_use]
    pub fn copy(&self) -> Self {
        let copy = Self::new();
        for (name, file) in &self.state().files {
            let contents = || file.live.clone();
            let file = FileState { live: contents(), durable: contents(), is_locked: false };
            copy.state().files.insert(name, file);
        }
        copy
    }

    /// A disk with the same contents, of which the same are synced.
    #[must_use]
    pub fn unsynced_copy(&self) -> Self {
        let state = self.state();
        let copy = Self::new();
        copy.state().pending = state.pending.clone();
        for (name, file) in &state.files {
            let file = FileState { live: file.live.clone(), durable: file.durable.clone(), is_locked: false };
            copy.state().files.insert(name, file);
        }
        drop(state);
        copy
    }

    /// Puts another disk's database, journal and secrets' key in place, as restoring a copy of the data directory
    /// does; the open counter stays.
    pub fn restore_data_directory(&self, other: &Self) {
        for name in [DATABASE, JOURNAL, SECRETS_KEY] {
            self.replace(name, other.read(name));
        }
    }

    /// The contents of the database file.
    pub fn database(&self) -> Vec<u8> {
        self.read(DATABASE)
    }

    /// Opens the database file without the store, to damage or forge what lies in it.
    ///
    /// # Errors
    /// Those of redb.
    pub fn open_redb(&self) -> Result<Database, DatabaseError> {
        Database::builder().create_with_backend(self.open_file(DATABASE))
    }

    /// Replaces the database file; it must not be open.
    pub fn replace_database(&self, contents: Vec<u8>) {
        self.replace(DATABASE, contents);
    }

    /// The contents of the journal.
    pub fn journal(&self) -> Vec<u8> {
        self.read(JOURNAL)
    }

    /// Replaces the journal; it must not be open.
    pub fn replace_journal(&self, contents: Vec<u8>) {
        self.replace(JOURNAL, contents);
    }

    /// The contents of the file of secrets' keys.
    pub fn secrets_key(&self) -> Vec<u8> {
        self.read(SECRETS_KEY)
    }

    /// Replaces the file of secrets' keys; it must not be open.
    pub fn replace_secrets_key(&self, contents: Vec<u8>) {
        self.replace(SECRETS_KEY, contents);
    }

    /// The contents of the open counter.
    pub fn open_counter(&self) -> Vec<u8> {
        self.read(OPEN_COUNTER)
    }

    /// Replaces the open counter; it must not be open.
    pub fn replace_open_counter(&self, contents: Vec<u8>) {
        self.replace(OPEN_COUNTER, contents);
    }

    fn read(&self, name: &'static str) -> Vec<u8> {
        self.state().files.get(name).map(|file| file.live.clone()).unwrap_or_default()
    }

    fn replace(&self, name: &'static str, contents: Vec<u8>) {
        let file = FileState { live: contents.clone(), durable: contents, is_locked: false };
        let mut state = self.state();
        state.pending.retain(|(of, _)| *of != name);
        state.files.insert(name, file);
    }

    fn file(&self, name: &'static str) -> Box<dyn StorageBackend> {
        Box::new(self.open_file(name))
    }

    fn open_file(&self, name: &'static str) -> DiskFile {
        DiskFile::open(self, name)
    }

    /// A test that panicked while it held the lock has failed already.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("Disk")
            .field("operations", &state.operations)
            .field("pending", &state.pending.len())
            .finish_non_exhaustive()
    }
}

/// Opens the store in a folder, or makes it, under a key that every test knows: for measurements on real files.
///
/// # Errors
/// As [`Store::open`].
pub fn open_in(folder: &std::path::Path, options: &Options) -> Result<Store, OpenError> {
    Store::open(folder, &known_key(), options)
}

fn known_key() -> AtRestKey {
    AtRestKey::from_bytes(&[42; 32])
}

const DATABASE: &str = "database";
const JOURNAL: &str = "journal";
const SECRETS_KEY: &str = "secrets key";
const OPEN_COUNTER: &str = "open counter";

#[cfg(test)]
mod tests;
