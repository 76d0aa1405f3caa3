//! Storage by the code that nodes run: the engine's records of custody, sealed and committed by `qpq-store`.
//!
//! Real here are the records, the batches, the journal, redb, and what a commit promises: one that answers a neighbour
//! is synced, any other is synced with the next that is, as the daemon does it. The application beside the mesh is not
//! the engine: of it there are the messages it has and those it has handed to the mesh, written in the same
//! transaction.

mod recorder;

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context as _;
use bytes::Bytes;
use chacha20::ChaCha8Rng;
use qpq_engine::BundleStore;
use qpq_engine::storage::{Key, StorageError as Failed, Table, Transaction};
use qpq_engine::tables::{CARRIED, CLOCK, SEEN};
use qpq_mesh::storage::Loaded;
use qpq_mesh::{BundleId, StorageError, Store as _};
use qpq_store::testing::{self, Fault, Survivors};
use qpq_store::{Options, Storage as _, Store};
use rand_core::{Rng as _, SeedableRng as _};

use self::recorder::Recorder;
use super::{Beside, Change, Ended, Fate};
use crate::observation::Cause;
use crate::random::Random;

/// A database, open while the node is up.
#[derive(Debug)]
pub(in crate::routers::ours) struct Database {
    /// None for one on real files, which never loses power.
    disk: Option<testing::Disk>,
    store: Option<Store>,
    /// What is held as far as was told.
    held: BTreeSet<BundleId>,
    /// Why bundles were to be removed by a commit that failed.
    pending: Vec<(BundleId, Cause)>,
}

/// What is found at a start.
#[derive(Debug)]
pub(in crate::routers::ours) struct Found {
    /// Messages that the application has, and those it has handed to the mesh.
    pub(in crate::routers::ours) delivered: BTreeSet<u32>,
    pub(in crate::routers::ours) deposited: BTreeSet<u32>,
    pub(in crate::routers::ours) clock: Option<[u64; 2]>,
    /// What is held and was not told, and what was told and is not held any more, with the reason if there is one.
    pub(in crate::routers::ours) more: Vec<BundleId>,
    pub(in crate::routers::ours) fewer: Vec<(BundleId, Cause)>,
}

/// Little, so that the journal is emptied into the database again and again.
const OPTIONS: Options = Options { cache_bytes: 256 << 10, journal_bytes: 96 << 10, open_counter: None };
/// How likely the power goes while a store is opened after a crash, and among how many operations.
const FALLS_WHILE_OPENING: f64 = 0.2;
const OPENING_OPERATIONS: usize = 24;

impl Database {
    /// An empty one on a disk in memory.
    pub(in crate::routers::ours) fn faulty(random: &mut Random) -> anyhow::Result<Self> {
        let disk = testing::Disk::new();
        let store = disk.open_store(&OPTIONS, generator(random))?;
        Ok(Self::new(Some(disk), store))
    }

    /// One on real files in a folder, with the memory that a node gives it.
    pub(in crate::routers::ours) fn in_folder(folder: &Path) -> anyhow::Result<Self> {
        Ok(Self::new(None, testing::open_in(folder, &Options::default())?))
    }

    fn new(disk: Option<testing::Disk>, store: Store) -> Self {
        Self { disk, store: Some(store), held: BTreeSet::new(), pending: Vec::new() }
    }

    /// As [`Disk::transact`](super::Disk::transact).
    pub(super) fn transact<T>(
        &mut self,
        beside: Beside,
        run: impl FnOnce(&mut dyn qpq_mesh::Store) -> Result<T, StorageError>,
        decide: impl FnOnce(bool) -> Fate,
    ) -> Ended<T> {
        let Some(store) = &mut self.store else { return Ended::GivenUp };
        let mut batch = store.begin();
        let mut transaction = batch.transaction();
        let mut recorder = Recorder::new(BundleStore::new(&mut transaction), &self.held);
        let result = run(&mut recorder);
        let (changes, is_changed) = recorder.finish();
        let Ok(result) = result else { return Ended::GivenUp };
        if beside.write(&mut transaction, is_changed).is_err() {
            return Ended::GivenUp;
        }
        let fate = decide(is_changed);
        if fate == Fate::FallsBeforeCommit {
            return Ended::GivenUp;
        }
        if let Some(disk) = &self.disk {
            plan(disk, fate);
        }
        transaction.accept();
        let committed = if beside.is_promise { batch.commit() } else { batch.commit_deferred() };
        if committed.is_err() {
            return Ended::Unknown { changes };
        }
        for Change { id, is_put } in &changes {
            if *is_put {
                self.held.insert(*id)
            } else {
                self.held.remove(id)
            };
        }
        Ended::Committed { result, changes, fate }
    }

    /// Why a commit that failed was to remove bundles: if it is on the disk after all, they are gone for this reason.
    pub(in crate::routers::ours) fn expect_removed(&mut self, removed: Vec<(BundleId, Cause)>) {
        self.pending.extend(removed);
    }

    /// The process ends, or the power goes with it. What was deferred was in memory only.
    pub(super) fn fall(&mut self, random: &mut Random) {
        self.store = None;
        let Some(disk) = &self.disk else { return };
        if disk.is_off() || random.chance(0.5) {
            lose_power(disk, random);
        } else {
            disk.kill();
            disk.set_fault(None);
        }
    }

    /// Comes up again; the power may go meanwhile, again and again.
    pub(in crate::routers::ours) fn restart(&mut self, random: &mut Random) -> anyhow::Result<Found> {
        let mut store = self.open(random)?;
        let found = load(&mut store);
        self.store = Some(store);
        self.compare(found?)
    }

    fn open(&self, random: &mut Random) -> anyhow::Result<Store> {
        let disk = self.disk.as_ref().context("only a disk in memory loses power")?;
        loop {
            if random.chance(FALLS_WHILE_OPENING) {
                let at = disk.operations() + random.below(OPENING_OPERATIONS) as u64;
                disk.set_fault(Some(Fault::PowerAt(at)));
            }
            let opened = disk.open_store(&OPTIONS, generator(random));
            let went_off = disk.is_off();
            disk.set_fault(None);
            if !went_off {
                return Ok(opened?);
            }
            drop(opened);
            lose_power(disk, random);
        }
    }

    /// Compares what is there with what was told.
    fn compare(&mut self, found: Stored) -> anyhow::Result<Found> {
        let Stored { held, delivered, deposited, clock } = found;
        let more = held.difference(&self.held).copied().collect();
        let pending = std::mem::take(&mut self.pending);
        let cause =
            |id: &BundleId| pending.iter().rev().find(|(other, _)| other == id).map(|(_, cause)| *cause);
        let gone = self.held.difference(&held);
        let fewer = gone.map(|id| (*id, cause(id).unwrap_or(Cause::Lost))).collect();
        self.held = held;
        Ok(Found { delivered, deposited, clock, more, fewer })
    }

    /// What is held, as far as was told.
    pub(in crate::routers::ours) fn held(&self) -> impl Iterator<Item = &BundleId> {
        self.held.iter()
    }
}

impl Beside {
    fn write(&self, transaction: &mut dyn Transaction, is_changed: bool) -> Result<(), Failed> {
        let messages = [(SEEN, self.delivers), (CARRIED, self.deposits)];
        for (table, message) in messages.into_iter().filter_map(|(table, message)| Some((table, message?))) {
            put(transaction, table, &message.to_be_bytes(), &message.to_be_bytes())?;
        }
        let is_written = is_changed || self.delivers.or(self.deposits).is_some();
        if !is_written {
            return Ok(());
        }
        let clock: Vec<u8> = self.clock.iter().flat_map(|reading| reading.to_be_bytes()).collect();
        put(transaction, CLOCK, b"", &clock)
    }
}

fn put(transaction: &mut dyn Transaction, table: Table, prefix: &[u8], value: &[u8]) -> Result<(), Failed> {
    transaction.put(table, Key { prefix, ordinal: 0 }, Bytes::copy_from_slice(value))
}

/// What lies in a store.
struct Stored {
    held: BTreeSet<BundleId>,
    delivered: BTreeSet<u32>,
    deposited: BTreeSet<u32>,
    clock: Option<[u64; 2]>,
}

fn load(store: &mut Store) -> anyhow::Result<Stored> {
    let mut batch = store.begin();
    let mut transaction = batch.transaction();
    let number = |value: Bytes| Some(u32::from_be_bytes(value.as_ref().try_into().ok()?));
    let delivered = transaction.all(SEEN)?.into_iter().filter_map(number).collect();
    let deposited = transaction.all(CARRIED)?.into_iter().filter_map(number).collect();
    let clock = transaction.get(CLOCK, Key { prefix: b"", ordinal: 0 })?.and_then(|value| {
        let (node, wall) = value.split_first_chunk()?;
        Some([u64::from_be_bytes(*node), u64::from_be_bytes(wall.try_into().ok()?)])
    });
    let mut held = BTreeSet::new();
    let mut bodies = BundleStore::new(&mut transaction);
    bodies.load(&mut |loaded| {
        if let Loaded::Bundle(record) = loaded {
            held.insert(*record.header.id());
        }
    })?;
    for id in &held {
        anyhow::ensure!(bodies.body(id)?.is_some(), "a bundle has lost its body");
    }
    Ok(Stored { held, delivered, deposited, clock })
}

fn plan(disk: &testing::Disk, fate: Fate) {
    let now = disk.operations();
    let fault = match fate {
        Fate::PowerGoes(after) => Fault::PowerAt(now + after),
        Fate::SyncFails => Fault::SyncAt(now),
        Fate::DiskIsFull => Fault::FullAt(now),
        Fate::Lives | Fate::FallsBeforeCommit | Fate::FallsAfterCommit | Fate::FallsAfterEffects => return,
    };
    disk.set_fault(Some(fault));
}

fn lose_power(disk: &testing::Disk, random: &mut Random) {
    let survivors = Survivors::ALL[random.below(Survivors::ALL.len())];
    disk.crash(survivors, random.generator());
}

fn generator(random: &mut Random) -> Box<ChaCha8Rng> {
    let mut seed = [0; 32];
    random.generator().fill_bytes(&mut seed);
    Box::new(ChaCha8Rng::from_seed(seed))
}
