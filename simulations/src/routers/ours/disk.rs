//! A node's storage: what is on it survives a crash, if it was promised to.
//!
//! - Where nothing crashes, nothing needs to be written: bodies are looked up in the table of all bundles.
//! - [`Memory`] is a map that can be rolled back: every commit is durable.
//! - [`Database`] is the node's own code down to the file: the engine's [`BundleStore`](qpq_engine::BundleStore) over
//!   `qpq-store` (batches, sealing, journal, redb) over a disk that loses power.

mod database;
mod lean;
mod memory;

use std::path::PathBuf;

use qpq_mesh::{BundleId, StorageError, Store};

pub(super) use self::database::{Database, Found};
use self::lean::Lean;
pub(super) use self::memory::Memory;
use super::bundles::Bundles;
use crate::random::Random;

/// A bundle that was written or removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) id: BundleId,
    pub(super) is_put: bool,
}

/// What a transaction writes besides what the mesh writes, and what its commit is good for.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Beside {
    /// A message that the application gets.
    pub(super) delivers: Option<u32>,
    /// A message of the application that the mesh takes.
    pub(super) deposits: Option<u32>,
    /// Node time and wall clock, ms.
    pub(super) clock: [u64; 2],
    /// A neighbour is answered: the commit must be durable. Any other is made durable by the next that is.
    pub(super) is_promise: bool,
}

/// What becomes of a node at a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Lives,
    FallsBeforeCommit,
    FallsAfterCommit,
    FallsAfterEffects,
    /// The power goes after so many more operations of the disk, in this commit or a later one.
    PowerGoes(u64),
    /// The next sync fails.
    SyncFails,
    /// The disk is full.
    DiskIsFull,
}

/// How a transaction ended.
#[derive(Debug)]
pub(super) enum Ended<T> {
    /// Committed; nothing of it is lost by a crash of the process.
    Committed { result: T, changes: Vec<Change>, fate: Fate },
    /// Given up: nothing of it was kept.
    GivenUp,
    /// The commit failed: whether it is on the disk shows at the next start.
    Unknown { changes: Vec<Change> },
}

/// A node's storage.
#[derive(Debug)]
pub(super) enum Disk {
    /// Of a node that never crashes.
    Lean,
    Memory(Memory),
    Database(Box<Database>),
}

/// Which storage nodes have.
#[derive(Debug, Clone)]
pub(super) enum DiskKind {
    Lean,
    Memory,
    /// A database on a disk in memory that loses power.
    Faulty,
    /// A database on real files, in a folder for each node.
    Files(PathBuf),
}

impl Disk {
    /// Runs a transaction. `decide` says what becomes of the node once it is known whether anything was written.
    pub(super) fn transact<T>(
        &mut self,
        bundles: &Bundles,
        beside: Beside,
        run: impl FnOnce(&mut dyn Store) -> Result<T, StorageError>,
        decide: impl FnOnce(bool) -> Fate,
    ) -> Ended<T> {
        match self {
            Self::Lean => {
                let mut lean = Lean::new(bundles);
                let result = run(&mut lean).expect("what stores nothing does not fail");
                Ended::Committed { result, changes: lean.changes, fate: Fate::Lives }
            }
            Self::Memory(memory) => {
                let result = run(memory).expect("a store in memory does not fail");
                let fate = decide(memory.is_changed());
                if fate == Fate::FallsBeforeCommit {
                    memory.roll_back();
                    return Ended::GivenUp;
                }
                Ended::Committed { result, changes: memory.commit(), fate }
            }
            Self::Database(database) => database.transact(beside, run, decide),
        }
    }

    /// What may happen to it at a transaction.
    pub(super) fn fates(&self, random: &mut Random) -> Fate {
        const OF_PROCESS: [Fate; 3] =
            [Fate::FallsBeforeCommit, Fate::FallsAfterCommit, Fate::FallsAfterEffects];
        /// A commit in the journal takes a write and a sync; one that empties the journal takes some dozens.
        const OPERATIONS: usize = 12;
        match self {
            Self::Lean => Fate::Lives,
            Self::Memory(_) => OF_PROCESS[random.below(3)],
            Self::Database(_) => match random.below(8) {
                process @ 0..3 => OF_PROCESS[process],
                3..6 => Fate::PowerGoes(random.below(OPERATIONS) as u64),
                6 => Fate::SyncFails,
                _ => Fate::DiskIsFull,
            },
        }
    }

    /// Every bundle on it, of a node that may crash.
    pub(super) fn ids(&self) -> Box<dyn Iterator<Item = &BundleId> + '_> {
        match self {
            Self::Lean => Box::new(std::iter::empty()),
            Self::Memory(memory) => Box::new(memory.ids()),
            Self::Database(database) => Box::new(database.held()),
        }
    }

    /// The node crashes.
    pub(super) fn fall(&mut self, random: &mut Random) {
        if let Self::Database(database) = self {
            database.fall(random);
        }
    }
}
