//! The power goes at every operation: nothing that was answered is lost, nothing is half there.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use qpq_store::testing::{Disk, Fault, Survivors};
use qpq_store::{Batch, CommitError, Storage, Store};

use crate::common::{open, rng};
use crate::model::{Model, Operation, operation};

/// What a node does between starting and losing its power.
#[derive(Debug, Clone)]
enum Step {
    /// Transactions of one batch; one that is not accepted must leave nothing behind.
    Commit(Vec<(Vec<Operation>, bool)>),
    Defer(Vec<(Vec<Operation>, bool)>),
    Sync,
    RotateSecrets,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let transaction = (proptest::collection::vec(operation(), 0..6), proptest::bool::weighted(0.8));
    let transactions = proptest::collection::vec(transaction, 0..4).boxed();
    prop_oneof![
        6 => transactions.clone().prop_map(Step::Commit),
        3 => transactions.prop_map(Step::Defer),
        1 => Just(Step::Sync),
        2 => Just(Step::RotateSecrets),
        1 => Just(Step::Reopen),
    ]
}

/// A store with what it should hold: surely, and possibly if a commit was under way or not synced.
struct Node {
    disk: Disk,
    certain: Model,
    possible: Option<Model>,
    /// What is read while the store is open.
    visible: Model,
}

impl Node {
    fn new() -> Self {
        Self { disk: Disk::new(), certain: Model::default(), possible: None, visible: Model::default() }
    }

    /// Runs until the power goes; true if it never did.
    fn run(&mut self, steps: &[Step]) -> bool {
        let Ok(mut store) = open(&self.disk) else {
            return false;
        };
        for step in steps {
            let done = match step {
                Step::Commit(transactions) => self.commit(&mut store, transactions),
                Step::Defer(transactions) => self.defer(&mut store, transactions),
                Step::Sync => store.sync().map(|_| self.all_is_certain()),
                Step::RotateSecrets => store.rotate_secrets().map(|_| self.all_is_certain()),
                Step::Reopen => {
                    drop(store);
                    match open(&self.disk) {
                        Ok(opened) => store = opened,
                        Err(_) => return false,
                    }
                    self.find(&mut store);
                    Ok(())
                }
            };
            if done.is_err() {
                assert!(store.rotate_secrets().is_err(), "a store that failed must stay closed");
                assert!(store.snapshot().is_err(), "a store that failed must stay closed");
                return false;
            }
        }
        store.close().is_ok()
    }

    fn commit(
        &mut self,
        store: &mut Store,
        transactions: &[(Vec<Operation>, bool)],
    ) -> Result<(), CommitError> {
        let (batch, model) = self.batch(store, transactions);
        self.possible = Some(model.clone());
        let info = batch.commit()?;
        assert_eq!(info.changes == 0, info.syncs == 0, "an empty batch touches no disk, another is synced");
        if info.changes > 0 {
            self.visible = model;
            self.all_is_certain();
        }
        Ok(())
    }

    fn defer(
        &mut self,
        store: &mut Store,
        transactions: &[(Vec<Operation>, bool)],
    ) -> Result<(), CommitError> {
        let (batch, model) = self.batch(store, transactions);
        let info = batch.commit_deferred()?;
        assert_eq!(info.syncs, 0, "what is deferred is not synced");
        self.visible = model;
        self.possible = Some(self.visible.clone());
        Ok(())
    }

    fn all_is_certain(&mut self) {
        self.certain = self.visible.clone();
        self.possible = None;
    }

    /// What an opened store holds is what it surely or possibly should.
    fn find(&mut self, store: &mut Store) {
        let found = Model::read(&mut store.begin().transaction());
        if self.possible.take().is_some_and(|possible| possible == found) {
            self.certain = found.clone();
        }
        assert_eq!(found, self.certain);
        self.visible = found;
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

    /// After the power came back: all or nothing of the last batch is there, and the store goes on.
    fn check(&mut self) {
        let mut store = open(&self.disk).unwrap();
        assert!(!store.is_rolled_back());
        self.find(&mut store);
        let more = Operation::PutSecret { namespace: 1, name: 1, value: b"after".to_vec() };
        self.commit(&mut store, &[(vec![more], true)]).unwrap();
        store.rotate_secrets().unwrap();
        drop(store);
        let mut store = open(&self.disk).unwrap();
        assert_eq!(Model::read(&mut store.begin().transaction()), self.certain);
    }
}

/// Tries every operation at which the power can go, in every way.
fn crash_everywhere(steps: &[Step], seed: u64) {
    let mut whole = Node::new();
    assert!(whole.run(steps));
    let operations = whole.disk.operations();
    whole.check();
    for survivors in Survivors::ALL {
        for at in 0..operations {
            let mut node = Node::new();
            node.disk.set_fault(Some(Fault::PowerAt(at)));
            node.run(steps);
            assert!(node.disk.is_off(), "the power never went, at {at} of {operations} operations");
            node.disk.crash(survivors, &mut rng(seed ^ at));
            node.check();
        }
    }
}

/// Tries every sync that can fail; the node is started again, goes on, and then the power goes.
fn fail_every_sync(steps: &[Step], seed: u64) {
    let mut whole = Node::new();
    assert!(whole.run(steps));
    for at in 0..whole.disk.operations() {
        let mut node = Node::new();
        node.disk.set_fault(Some(Fault::SyncAt(at)));
        node.run(steps);
        node.disk.set_fault(None);
        node.check();
        node.disk.crash(Survivors::Nothing, &mut rng(seed ^ at));
        node.check();
    }
}

/// Random steps, the same for the same seed.
fn random_steps(seed: u8, count: usize) -> Vec<Step> {
    let test_rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), test_rng);
    proptest::collection::vec(step(), count).new_tree(&mut runner).unwrap().current()
}

#[test]
fn nothing_answered_is_lost_at_any_operation() {
    for seed in 0..3 {
        crash_everywhere(&random_steps(seed, 8), u64::from(seed));
    }
}

#[test]
fn nothing_answered_after_a_failed_sync_is_lost() {
    for seed in 0..3 {
        fail_every_sync(&random_steps(seed, 8), u64::from(seed));
    }
}
