//! A node that does this and that until its power goes, and what it must remember.

use proptest::prelude::*;
use qpq_store::testing::{Disk, Fault, Survivors};
use qpq_store::{Batch, CommitError, Failure, OpenError, PlacedRecord, Storage, Store};

use crate::common::{open, rng};
use crate::model::{Model, Operation, TABLES, operation};

/// What a node does between starting and losing its power.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Transactions of one batch; one that is not accepted must leave nothing behind.
    Commit(Vec<(Vec<Operation>, bool)>),
    Defer(Vec<(Vec<Operation>, bool)>),
    Sync,
    Checkpoint,
    /// As when half of the journal is full.
    BeginCheckpoint,
    EndCheckpoint,
    RotateSecrets,
    /// Reads everything from a snapshot.
    Export,
    Compact,
    /// Starts again after an orderly end.
    Close,
    /// Starts again after the store was merely dropped.
    Reopen,
    /// Starts again after the process was killed.
    Kill,
}

type Transactions = Vec<(Vec<Operation>, bool)>;

fn transactions() -> impl Strategy<Value = Transactions> {
    let transaction = (proptest::collection::vec(operation(), 0..6), proptest::bool::weighted(0.8));
    proptest::collection::vec(transaction, 0..4)
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => Step::commit(),
        4 => Step::defer(),
        1 => Just(Step::Sync),
        1 => Just(Step::Checkpoint),
        2 => Just(Step::BeginCheckpoint),
        1 => Just(Step::EndCheckpoint),
        2 => Just(Step::RotateSecrets),
        1 => Just(Step::Export),
        1 => Just(Step::Compact),
        1 => Just(Step::Close),
        1 => Just(Step::Reopen),
        2 => Just(Step::Kill),
    ]
}

impl Step {
    pub(crate) fn commit() -> impl Strategy<Value = Self> {
        transactions().prop_map(Self::Commit)
    }

    pub(crate) fn defer() -> impl Strategy<Value = Self> {
        transactions().prop_map(Self::Defer)
    }
}

/// A store with what it should hold: surely, and possibly if a commit was under way or not synced.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) disk: Disk,
    certain: Model,
    /// What may be there besides: one after the other, each on top of the one before.
    possible: Vec<Model>,
    /// What is read while the store is open.
    visible: Model,
}

/// Where a node stopped, and why.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stop {
    /// The step that failed.
    pub(crate) step: usize,
    pub(crate) is_disk_full: bool,
    text: String,
}

impl From<OpenError> for Stop {
    fn from(error: OpenError) -> Self {
        Self { step: 0, is_disk_full: matches!(error, OpenError::DiskFull), text: error.to_string() }
    }
}

impl From<CommitError> for Stop {
    fn from(error: CommitError) -> Self {
        Self { step: 0, is_disk_full: error.is_disk_full(), text: error.to_string() }
    }
}

impl Node {
    pub(crate) fn new() -> Self {
        Self { disk: Disk::new(), certain: Model::default(), possible: Vec::new(), visible: Model::default() }
    }

    /// A node that goes on by itself from here.
    pub(crate) fn copy(&self) -> Self {
        Self { disk: self.disk.copy(), ..self.clone() }
    }

    /// Starts the node; what it holds is what it surely or possibly should.
    pub(crate) fn open(&self) -> Result<Store, OpenError> {
        let mut store = open(&self.disk)?;
        assert!(!store.is_rolled_back());
        let found = Model::read(&mut store.begin().transaction());
        assert!(found == self.certain || self.possible.contains(&found), "{found:?} is not {self:?}");
        Ok(store)
    }

    /// Runs until the power goes or something else fails, and ends in order if nothing does.
    pub(crate) fn run(&mut self, steps: &[Step]) -> Result<(), Stop> {
        let store = self.do_steps(steps)?;
        store.close().map_err(|error| at(steps.len(), error))?;
        self.all_is_certain();
        Ok(())
    }

    /// Runs, and leaves the store as a process does that is killed.
    pub(crate) fn run_and_stay(&mut self, steps: &[Step]) -> Result<(), Stop> {
        let store = self.do_steps(steps)?;
        self.kill(store);
        Ok(())
    }

    fn do_steps(&mut self, steps: &[Step]) -> Result<Store, Stop> {
        let mut store = self.start()?;
        for (index, step) in steps.iter().enumerate() {
            store = match step {
                Step::Close => {
                    store.close().map_err(|error| at(index, error))?;
                    self.all_is_certain();
                    self.start().map_err(|stop| Stop { step: index, ..stop })?
                }
                Step::Reopen => {
                    drop(store);
                    self.start().map_err(|stop| Stop { step: index, ..stop })?
                }
                Step::Kill => {
                    self.kill(store);
                    self.start().map_err(|stop| Stop { step: index, ..stop })?
                }
                step => {
                    if let Err(error) = self.change(&mut store, step) {
                        assert_latched(&mut store);
                        return Err(at(index, error));
                    }
                    store
                }
            };
        }
        Ok(store)
    }

    fn change(&mut self, store: &mut Store, step: &Step) -> Result<(), CommitError> {
        match step {
            Step::Commit(transactions) => self.commit(store, transactions)?,
            Step::Defer(transactions) => self.defer(store, transactions)?,
            Step::Sync => self.make_certain(store.sync())?,
            Step::Checkpoint => self.make_certain(store.checkpoint())?,
            Step::BeginCheckpoint => drop(store.begin_checkpoint()?),
            Step::EndCheckpoint => drop(store.end_checkpoint()?),
            Step::RotateSecrets => self.make_certain(store.rotate_secrets())?,
            Step::Compact => self.make_certain(store.compact())?,
            Step::Export => self.export(store)?,
            Step::Close | Step::Reopen | Step::Kill => unreachable!("they need the store itself"),
        }
        assert_eq!(Model::read(&mut store.begin().transaction()), self.visible);
        Ok(())
    }

    fn start(&mut self) -> Result<Store, Stop> {
        let mut store = self.open()?;
        let found = Model::read(&mut store.begin().transaction());
        // Whatever it found is on the disk by now.
        self.visible = found;
        self.all_is_certain();
        Ok(store)
    }

    /// What the process wrote stays, what it had in memory is gone.
    fn kill(&self, store: Store) {
        self.disk.kill();
        drop(store);
    }

    fn commit(
        &mut self,
        store: &mut Store,
        transactions: &[(Vec<Operation>, bool)],
    ) -> Result<(), CommitError> {
        let (batch, model) = self.batch(store, transactions);
        self.possible.push(model.clone());
        let info = batch.commit()?;
        assert_eq!(info.changes == 0, info.syncs == 0, "an empty batch touches no disk, another is synced");
        if info.changes > 0 {
            self.visible = model;
            self.all_is_certain();
        } else {
            self.possible.pop();
        }
        Ok(())
    }

    fn defer(
        &mut self,
        store: &mut Store,
        transactions: &[(Vec<Operation>, bool)],
    ) -> Result<(), CommitError> {
        let before = (self.disk.database(), self.disk.journal());
        let (batch, model) = self.batch(store, transactions);
        let info = batch.commit_deferred()?;
        let is_changed = (self.disk.database(), self.disk.journal()) != before;
        assert!(info.syncs == 0 || is_changed, "only for a checkpoint that made room");
        self.visible = model;
        self.possible.push(self.visible.clone());
        Ok(())
    }

    fn export(&self, store: &Store) -> Result<(), CommitError> {
        let mut records = Vec::new();
        let mut sink = |record: PlacedRecord| {
            records.push(record);
            Ok::<_, Failure>(())
        };
        store.snapshot()?.export(&TABLES, &mut sink)?;
        assert_eq!(records.len(), self.visible.records());
        Ok(())
    }

    fn make_certain<T>(&mut self, done: Result<T, CommitError>) -> Result<(), CommitError> {
        done.map(|_| self.all_is_certain())
    }

    fn all_is_certain(&mut self) {
        self.certain = self.visible.clone();
        self.possible.clear();
    }

    fn batch<'s>(
        &self,
        store: &'s mut Store,
        transactions: &[(Vec<Operation>, bool)],
    ) -> (Batch<'s, Store>, Model) {
        let mut model = self.visible.clone();
        let mut batch = store.begin();
        for (operations, is_accepted) in transactions {
            let before = model.clone();
            let mut transaction = batch.transaction();
            operations.iter().for_each(|operation| model.apply(operation, &mut transaction));
            if *is_accepted {
                transaction.accept();
            } else {
                drop(transaction);
                model = before;
            }
        }
        (batch, model)
    }

    /// The power goes at an operation of the next start, or right after it.
    pub(crate) fn crash_while_opening(&self, at: u64, survivors: Survivors, seed: u64) {
        self.disk.set_fault(Some(Fault::PowerAt(self.disk.operations() + at)));
        drop(self.open());
        self.disk.crash(survivors, &mut rng(seed));
    }

    /// After the power came back: all or nothing of what was under way is there, and the store goes on.
    pub(crate) fn check(&mut self) {
        let mut store = self.start().unwrap();
        let more = Operation::PutSecret { namespace: 1, name: 1, value: b"after".to_vec() };
        self.commit(&mut store, &[(vec![more], true)]).unwrap();
        self.kill(store);
        let mut store = self.start().unwrap();
        store.rotate_secrets().unwrap();
        drop(store);
        assert_eq!(Model::read(&mut self.open().unwrap().begin().transaction()), self.certain);
    }
}

fn at(step: usize, error: CommitError) -> Stop {
    Stop { step, ..error.into() }
}

fn assert_latched(store: &mut Store) {
    assert!(store.rotate_secrets().is_err(), "a store that failed must stay closed");
    assert!(store.checkpoint().is_err(), "a store that failed must stay closed");
    assert!(store.sync().is_err(), "a store that failed must stay closed");
    assert!(store.snapshot().is_err(), "a store that failed must stay closed");
}
