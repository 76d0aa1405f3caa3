//! The power goes at every operation: nothing that was answered is lost, nothing is half there, and the order is kept.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use qpq_store::testing::{Fault, Survivors};

use crate::common::rng;
use crate::node::{Node, Step, step};

/// Tries every operation at which the power can go, in every way. It goes once more while the node starts again.
fn crash_everywhere(steps: &[Step], seed: u64) {
    let mut whole = Node::new();
    assert_eq!(whole.run(steps), Ok(()));
    let operations = whole.disk.operations();
    whole.check();
    for survivors in Survivors::ALL {
        for at in 0..operations {
            let mut node = Node::new();
            node.disk.set_fault(Some(Fault::PowerAt(at)));
            // It may go when everything is done and the files are closed.
            let _ = node.run(steps);
            assert!(node.disk.is_off(), "the power never went, at {at} of {operations} operations");
            node.disk.crash(survivors, &mut rng(seed ^ at));
            node.crash_while_opening(at % OPENING_OPERATIONS, survivors, seed ^ at);
            node.check();
        }
    }
}

/// Tries every sync that can fail; the node is started again, goes on, and then the power goes.
fn fail_every_sync(steps: &[Step], seed: u64) {
    let mut whole = Node::new();
    assert_eq!(whole.run(steps), Ok(()));
    for at in 0..whole.disk.operations() {
        let mut node = Node::new();
        node.disk.set_fault(Some(Fault::SyncAt(at)));
        // The last one may be of a store that is dropped.
        let _ = node.run(steps);
        node.disk.set_fault(None);
        node.check();
        node.disk.crash(Survivors::Nothing, &mut rng(seed ^ at));
        node.check();
    }
}

/// Tries every write that finds the disk full. The node says so, and goes on when there is space, with or without a
/// loss of power before.
fn fill_the_disk_at_every_write(steps: &[Step], seed: u64) {
    let mut whole = Node::new();
    assert_eq!(whole.run(steps), Ok(()));
    for at in 0..whole.disk.operations() {
        for survivors in [None, Some(Survivors::Nothing), Some(Survivors::AnySectors)] {
            let mut node = Node::new();
            node.disk.set_fault(Some(Fault::FullAt(at)));
            if let Err(stop) = node.run(steps) {
                assert!(stop.is_disk_full, "at {at}: {stop:?}");
            }
            match survivors {
                Some(survivors) => node.disk.crash(survivors, &mut rng(seed ^ at)),
                None => node.disk.set_fault(None),
            }
            node.check();
        }
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
fn nothing_answered_is_lost_at_any_operation_of_many_short_commits() {
    let step = prop_oneof![
        6 => Step::commit(),
        2 => Step::defer(),
        1 => Just(Step::Sync),
        1 => Just(Step::BeginCheckpoint),
        1 => Just(Step::Kill),
    ];
    let test_rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), test_rng);
    let steps = proptest::collection::vec(step, 24).new_tree(&mut runner).unwrap().current();
    crash_everywhere(&steps, 7);
}

#[test]
fn nothing_answered_after_a_failed_sync_is_lost() {
    for seed in 0..4 {
        fail_every_sync(&random_steps(seed, 8), u64::from(seed));
    }
}

#[test]
fn nothing_answered_is_lost_on_a_disk_that_runs_full() {
    for seed in 4..6 {
        fill_the_disk_at_every_write(&random_steps(seed, 8), u64::from(seed));
    }
}

/// A node that was killed with many commits in its journal: each operation of the start that brings them into the
/// database fails once, and each operation of the start after that one.
#[test]
fn a_start_that_breaks_off_twice_applies_the_journal_once() {
    let mut killed = Node::new();
    let steps: Vec<_> = random_steps(11, 60)
        .into_iter()
        .filter(|step| matches!(step, Step::Commit(_) | Step::Defer(_)))
        .take(9)
        .collect();
    assert_eq!(killed.run_and_stay(&steps), Ok(()));
    killed.disk.crash(Survivors::Everything, &mut rng(0));
    let opening = |node: &Node| {
        let copy = node.copy();
        let before = copy.disk.operations();
        copy.open().unwrap();
        copy.disk.operations() - before
    };
    for survivors in Survivors::ALL {
        for first in 0..opening(&killed) {
            let once = killed.copy();
            once.crash_while_opening(first, survivors, first);
            for second in (first % 5..opening(&once)).step_by(5) {
                let twice = once.copy();
                twice.crash_while_opening(second, survivors, first ^ second);
                drop(twice.open().unwrap());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(160))]

    /// A long life with a loss of power now and then, at any operation and in any way.
    #[test]
    fn a_node_is_its_model_through_many_crashes(
        steps in proptest::collection::vec(step(), 1..30),
        crashes in proptest::collection::vec((0..200_u64, 0..4_usize, any::<u64>()), 0..6),
    ) {
        let mut node = Node::new();
        let mut rest = steps.as_slice();
        for (after, survivors, seed) in crashes {
            node.disk.set_fault(Some(Fault::PowerAt(node.disk.operations() + after)));
            rest = match node.run(rest) {
                Ok(()) => &[],
                Err(stop) => &rest[stop.step..],
            };
            node.disk.crash(Survivors::ALL[survivors], &mut rng(seed));
        }
        prop_assert_eq!(node.run(rest), Ok(()));
        node.check();
    }
}

/// Operations that a start takes at least when it finds something in the journal.
const OPENING_OPERATIONS: u64 = 24;
