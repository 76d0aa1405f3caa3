//! A disk in memory that loses power: for crash tests, and for the simulator to run the real store on.
//!
//! Writes reach the disk when they are synced. When the power goes, what was not synced is lost, kept, or
//! kept in part: [`Survivors`] says how. A [`Fault`] makes the power go, a sync fail or the disk full at a chosen
//! operation; operations of all files count as one sequence, so that a test can try every one of them.

mod file;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand_core::CryptoRng;
use redb::{Database, DatabaseError, StorageBackend};

use self::file::DiskFile;
use crate::files::Files;

/// A disk with the three files of a store. A clone is another handle to the same disk.
#[derive(Clone, Default)]
pub struct Disk(Arc<Mutex<State>>);

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
            secrets_key: self.file(SECRETS_KEY),
            open_counter: Some(self.file(OPEN_COUNTER)),
        }
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

    /// Puts another disk's database and secrets' key in place, as restoring a copy of the data directory
    /// does; the open counter stays.
    pub fn restore_data_directory(&self, other: &Self) {
        for name in [DATABASE, SECRETS_KEY] {
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
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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

#[derive(Default)]
struct State {
    files: BTreeMap<&'static str, FileState>,
    /// What is in `live` and not in `durable`, oldest first.
    pending: Vec<(&'static str, Change)>,
    operations: u64,
    fault: Option<Fault>,
    is_off: bool,
    /// Counts how often the power came back; handles of an earlier time are dead.
    cycle: u64,
}

#[derive(Default)]
struct FileState {
    live: Vec<u8>,
    durable: Vec<u8>,
    is_locked: bool,
}

#[derive(Clone)]
enum Change {
    Write { offset: usize, data: Vec<u8> },
    Length(usize),
}

impl Change {
    fn apply(&self, contents: &mut Vec<u8>) {
        match self {
            Self::Length(length) => contents.resize(*length, 0),
            Self::Write { offset, data } => {
                let end = offset + data.len();
                if contents.len() < end {
                    contents.resize(end, 0);
                }
                contents[*offset..end].copy_from_slice(data);
            }
        }
    }

    fn sectors(self) -> Vec<Self> {
        let Self::Write { mut offset, data } = self else {
            return vec![self];
        };
        let mut rest = data.as_slice();
        let mut sectors = Vec::new();
        while !rest.is_empty() {
            let (sector, after) = rest.split_at(rest.len().min(SECTOR_BYTES - offset % SECTOR_BYTES));
            sectors.push(Self::Write { offset, data: sector.to_vec() });
            offset += sector.len();
            rest = after;
        }
        sectors
    }
}

fn surviving(
    mut pending: Vec<(&'static str, Change)>,
    survivors: Survivors,
    rng: &mut dyn CryptoRng,
) -> Vec<(&'static str, Change)> {
    match survivors {
        Survivors::Nothing => Vec::new(),
        Survivors::Everything => pending,
        Survivors::Earliest => {
            pending.truncate(below(rng, pending.len() + 1));
            pending
        }
        Survivors::AnySectors => {
            let torn =
                |(name, change): (_, Change)| change.sectors().into_iter().map(move |part| (name, part));
            let mut parts: Vec<_> = pending.into_iter().flat_map(torn).collect();
            for last in (1..parts.len()).rev() {
                parts.swap(last, below(rng, last + 1));
            }
            parts.retain(|_| rng.next_u32().is_multiple_of(2));
            parts
        }
    }
}

/// A number below a bound; the bias does not matter here.
fn below(rng: &mut dyn CryptoRng, bound: usize) -> usize {
    usize::try_from(rng.next_u64() % bound as u64).expect("below a usize")
}

impl State {
    /// Counts an operation; an error if the power goes or is gone.
    fn count(&mut self) -> io::Result<()> {
        let operation = self.operations;
        self.operations += 1;
        if let Some(Fault::PowerAt(at)) = self.fault {
            self.is_off |= operation >= at;
        }
        self.check_power()
    }

    fn check_power(&self) -> io::Result<()> {
        if self.is_off { Err(io::Error::other("the power is gone")) } else { Ok(()) }
    }

    fn change(&mut self, name: &'static str, change: Change) -> io::Result<()> {
        self.check_power()?;
        let operation = self.operations;
        let counted = self.count();
        if matches!(self.fault, Some(Fault::FullAt(at)) if operation >= at) && self.needs_space(name, &change)
        {
            return Err(io::ErrorKind::StorageFull.into());
        }
        // Part of an operation that the power cut short may be on the disk.
        change.apply(&mut self.files.entry(name).or_default().live);
        self.pending.push((name, change));
        counted
    }

    /// As on a file system that writes nothing in place.
    fn needs_space(&self, name: &str, change: &Change) -> bool {
        match change {
            Change::Write { .. } => true,
            Change::Length(length) => self.files.get(name).is_none_or(|file| file.live.len() < *length),
        }
    }

    fn sync(&mut self, name: &'static str) -> io::Result<()> {
        self.count()?;
        let pending = std::mem::take(&mut self.pending);
        let (synced, pending): (Vec<_>, _) = pending.into_iter().partition(|(of, _)| *of == name);
        self.pending = pending;
        if matches!(self.fault, Some(Fault::SyncAt(at)) if self.operations > at) {
            self.fault = None;
            return Err(io::Error::other("sync failed"));
        }
        let file = self.files.entry(name).or_default();
        synced.iter().for_each(|(_, change)| change.apply(&mut file.durable));
        Ok(())
    }
}

const DATABASE: &str = "database";
const SECRETS_KEY: &str = "secrets key";
const OPEN_COUNTER: &str = "open counter";
const SECTOR_BYTES: usize = 512;

#[cfg(test)]
mod tests {
    use std::ops::Bound;

    use redb::BackendError;

    use chacha20::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    fn rng(seed: u8) -> ChaCha20Rng {
        ChaCha20Rng::from_seed([seed; 32])
    }

    /// A disk where 2048 bytes are synced as ones, and then as many written as twos, in two writes.
    fn half_written() -> Disk {
        let disk = Disk::new();
        let file = disk.open_file(DATABASE);
        file.write(0, &[1; 2048]).unwrap();
        file.sync_data().unwrap();
        file.write(0, &[2; 1024]).unwrap();
        file.write(1024, &[2; 1024]).unwrap();
        disk
    }

    fn after_crash(survivors: Survivors, seed: u8) -> Vec<u8> {
        let disk = half_written();
        disk.crash(survivors, &mut rng(seed));
        disk.database()
    }

    #[test]
    fn what_was_not_synced_survives_as_planned() {
        assert_eq!(after_crash(Survivors::Nothing, 0), [1; 2048]);
        assert_eq!(after_crash(Survivors::Everything, 0), [2; 2048]);
        let sectors = |contents: Vec<u8>| contents.chunks(512).map(|sector| sector[0]).collect::<Vec<_>>();
        let mut earliest =
            Vec::from_iter((0..40).map(|seed| sectors(after_crash(Survivors::Earliest, seed))));
        earliest.sort();
        earliest.dedup();
        assert_eq!(earliest, [[1, 1, 1, 1], [2, 2, 1, 1], [2, 2, 2, 2]]);
        let mut any = Vec::from_iter((0..200).map(|seed| sectors(after_crash(Survivors::AnySectors, seed))));
        any.sort();
        any.dedup();
        assert_eq!(any.len(), 16);
    }

    #[test]
    fn sectors_are_torn_where_the_disk_has_them() {
        let change = Change::Write { offset: 500, data: vec![7; 600] };
        let parts: Vec<_> = change
            .sectors()
            .into_iter()
            .map(|part| match part {
                Change::Write { offset, data } => (offset, data.len()),
                Change::Length(length) => (length, 0),
            })
            .collect();
        assert_eq!(parts, [(500, 12), (512, 512), (1024, 76)]);
    }

    #[test]
    fn the_power_goes_at_the_planned_operation() {
        let disk = Disk::new();
        let file = disk.open_file(DATABASE);
        disk.set_fault(Some(Fault::PowerAt(1)));
        file.write(0, &[1]).unwrap();
        assert!(file.sync_data().is_err() && disk.is_off());
        assert!(file.write(0, &[1]).is_err() && file.len().is_err() && file.read(0, &mut [0]).is_err());
        disk.crash(Survivors::Nothing, &mut rng(0));
        assert!(file.len().is_err(), "a file that was open before is dead");
        assert_eq!(disk.open_file(DATABASE).len().unwrap(), 0);
    }

    #[test]
    fn a_full_disk_takes_nothing_until_there_is_space() {
        let disk = half_written();
        let file = disk.open_file(DATABASE);
        let before = disk.database();
        disk.set_fault(Some(Fault::FullAt(disk.operations() + 1)));
        file.write(0, &[7]).unwrap();
        let full = |result: io::Result<()>| {
            assert_eq!(result.unwrap_err().kind(), io::ErrorKind::StorageFull);
        };
        full(file.write(0, &[8]));
        full(file.set_len(1 << 20));
        file.set_len(1).unwrap();
        file.sync_data().unwrap();
        assert_ne!(before, [7]);
        assert_eq!(disk.database(), [7]);
        disk.set_fault(None);
        file.write(0, &[9]).unwrap();
        assert_eq!(disk.database(), [9]);
    }

    #[test]
    fn a_sync_fails_once_and_what_it_should_have_written_is_never_safe() {
        let disk = half_written();
        let file = disk.open_file(DATABASE);
        disk.set_fault(Some(Fault::SyncAt(0)));
        assert!(file.sync_data().is_err());
        file.sync_data().unwrap();
        assert_eq!(disk.database(), [2; 2048]);
        disk.crash(Survivors::Everything, &mut rng(0));
        assert_eq!(disk.database(), [1; 2048]);
    }

    #[test]
    fn a_lock_ends_with_its_file_or_the_power() {
        let whole = (Bound::Unbounded, Bound::Unbounded);
        let disk = Disk::new();
        let (first, second) = (disk.open_file(DATABASE), disk.open_file(DATABASE));
        assert!(first.try_lock_range(whole.0, whole.1).unwrap());
        assert!(!second.try_lock_range(whole.0, whole.1).unwrap());
        second.close().unwrap();
        assert!(!second.try_lock_range(whole.0, whole.1).unwrap(), "only its holder releases a lock");
        first.close().unwrap();
        assert!(second.try_lock_range(whole.0, whole.1).unwrap());
        disk.crash(Survivors::Nothing, &mut rng(0));
        assert!(disk.open_file(DATABASE).try_lock_range(whole.0, whole.1).unwrap());
        let part = (Bound::Included(1), Bound::Excluded(2));
        assert!(matches!(second.try_lock_range(part.0, part.1), Err(BackendError::Unsupported)));
    }

    #[test]
    fn bytes_beyond_the_end_are_not_read() {
        let disk = half_written();
        let file = disk.open_file(DATABASE);
        assert!(file.read(2047, &mut [0; 2]).is_err() && file.read(u64::MAX, &mut [0; 2]).is_err());
        file.set_len(4096).unwrap();
        let mut bytes = [9; 2];
        file.read(2047, &mut bytes).unwrap();
        assert_eq!(bytes, [2, 0]);
    }
}
