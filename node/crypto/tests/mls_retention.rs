//! Past epochs are forgotten by their age, which the caller's clock measures.

#![allow(clippy::unwrap_used, reason = "what cannot be set up here has failed")]

mod mls_support;

use mls_support::{Circle, plaintext};
use proptest::prelude::*;
use qpq_crypto::mls::{Changes, Group, GroupId, MlsError, Opened, PAST_EPOCHS_MAX, Suite};

const HOUR_MS: u64 = 3_600_000;
const KEPT_MS: u64 = 24 * HOUR_MS;

/// Sweeps the groups of a member as the caller does every hour. Gives how many epochs were forgotten.
fn sweep(circle: &mut Circle, index: usize, node_ms: u64) -> usize {
    let id = circle.groups[index].id();
    let mut cx = circle.people[index].cx();
    if !Group::note_past_epochs(&mut cx, &id, node_ms, KEPT_MS).unwrap() {
        return 0;
    }
    let forgotten = circle.groups[index].forget_past_epochs(&mut cx, node_ms, KEPT_MS).unwrap();
    assert!(forgotten > 0, "the sweep said that some have expired");
    assert!(!Group::note_past_epochs(&mut cx, &id, node_ms, KEPT_MS).unwrap());
    forgotten
}

fn reload(circle: &mut Circle, index: usize) {
    let id = circle.groups[index].id();
    circle.groups[index] = circle.people[index].load(id);
}

/// A message of the present epoch, which ends at once.
fn message_of_ended_epoch(circle: &mut Circle, text: &[u8]) -> Vec<u8> {
    let message = circle.seal(0, text);
    circle.commit(0, Changes::default());
    message
}

#[test]
fn an_epoch_is_forgotten_when_it_has_been_past_for_long() {
    let mut circle = Circle::new(2, Suite::Classical);
    let first = message_of_ended_epoch(&mut circle, b"first");
    let late = message_of_ended_epoch(&mut circle, b"late");
    assert_eq!(sweep(&mut circle, 1, 0), 0);
    reload(&mut circle, 1);
    assert_eq!(sweep(&mut circle, 1, KEPT_MS), 0);
    assert_eq!(plaintext(circle.open(1, &first)), b"first");
    let newer = message_of_ended_epoch(&mut circle, b"newer");
    assert_eq!(sweep(&mut circle, 1, KEPT_MS + 1), 2);
    for is_reloaded in [false, true] {
        if is_reloaded {
            reload(&mut circle, 1);
        }
        let refused = circle.open(1, &late);
        assert!(matches!(refused, Err(MlsError::PastEpoch { epoch: 2, ours: 4 })), "{refused:?}");
        let opened = circle.open(1, &newer).unwrap();
        assert!(matches!(opened, Opened::Application { .. }) != is_reloaded, "{opened:?}");
    }
    let message = circle.seal(1, b"on we go");
    assert_eq!(plaintext(circle.open(0, &message)), b"on we go");
    circle.commit(1, Changes::default());
    assert_eq!(sweep(&mut circle, 1, 3 * KEPT_MS), 1);
}

#[test]
fn forgotten_secrets_are_gone_from_storage() {
    let mut circle = Circle::new(4, Suite::Classical);
    reload(&mut circle, 1);
    let count = |circle: &Circle| circle.people[1].storage.records().len();
    let before = count(&circle);
    for _ in 0..PAST_EPOCHS_MAX {
        for sender in [0, 2, 3] {
            let message = circle.seal(sender, b"leaves ratchets behind");
            plaintext(circle.open(1, &message));
        }
        circle.commit(0, Changes::default());
    }
    assert!(count(&circle) > before + 4 * PAST_EPOCHS_MAX);
    let written = circle.people[1].storage.bytes_put;
    assert_eq!(sweep(&mut circle, 1, 0), 0);
    assert_eq!(sweep(&mut circle, 1, KEPT_MS + 1), PAST_EPOCHS_MAX);
    assert!(circle.people[1].storage.bytes_put - written < 4 * 1024);
    // One record more than a group that never had a past epoch: since when epochs are past.
    assert_eq!(count(&circle), before + 1);
    reload(&mut circle, 1);
    let message = circle.seal(0, b"on we go");
    assert_eq!(plaintext(circle.open(1, &message)), b"on we go");
}

#[test]
fn a_sweep_with_nothing_to_do_writes_nothing() {
    let mut circle = Circle::new(2, Suite::Classical);
    circle.commit(0, Changes::default());
    assert_eq!(sweep(&mut circle, 1, 7), 0);
    let puts = circle.people[1].storage.puts;
    assert_eq!(sweep(&mut circle, 1, 8), 0);
    // A clock that went back makes nothing older.
    assert_eq!(sweep(&mut circle, 1, 0), 0);
    assert_eq!(circle.people[1].storage.puts, puts);
    let absent = Group::note_past_epochs(&mut circle.people[1].cx(), &GroupId([9; 32]), 7, 0);
    assert!(!absent.unwrap());
}

#[test]
fn ages_go_back_with_the_branch() {
    let mut circle = Circle::new(2, Suite::Classical);
    let early = message_of_ended_epoch(&mut circle, b"early");
    sweep(&mut circle, 1, 0);
    let checkpoint = circle.groups[1].checkpoint(&mut circle.people[1].cx()).unwrap();
    circle.commit(0, Changes::default());
    assert_eq!(sweep(&mut circle, 1, KEPT_MS + 1), 1);
    let id = circle.groups[1].id();
    circle.groups[1] = Group::rewind(&mut circle.people[1].cx(), &id, &checkpoint).unwrap().unwrap();
    assert_eq!(plaintext(circle.open(1, &early)), b"early");
    assert_eq!(sweep(&mut circle, 1, KEPT_MS + 2), 1);
    assert!(matches!(circle.open(1, &early), Err(MlsError::PastEpoch { .. })));
}

#[test]
fn a_group_that_we_were_removed_from_forgets_too() {
    let mut circle = Circle::new(3, Suite::Classical);
    circle.commit(0, Changes::default());
    circle.commit(0, Changes { remove: &[1], ..Changes::default() });
    assert_eq!(sweep(&mut circle, 1, 0), 0);
    assert_eq!(sweep(&mut circle, 1, KEPT_MS + 1), 1);
    assert!(!circle.groups[1].is_active());
    reload(&mut circle, 1);
    assert!(!circle.groups[1].is_active());
}

#[test]
fn a_dropped_transaction_forgets_nothing() {
    let mut circle = Circle::new(2, Suite::Classical);
    let early = message_of_ended_epoch(&mut circle, b"early");
    sweep(&mut circle, 1, 0);
    circle.people[1].storage.commit();
    let before = circle.people[1].storage.records().clone();
    for writes in 0.. {
        circle.people[1].storage.writes_left = Some(writes);
        let forgotten = circle.groups[1].forget_past_epochs(&mut circle.people[1].cx(), KEPT_MS + 1, KEPT_MS);
        circle.people[1].storage.writes_left = None;
        if let Ok(forgotten) = forgotten {
            assert!(writes > 2, "{writes}");
            assert_eq!(forgotten, 1);
            break;
        }
        assert!(matches!(forgotten, Err(MlsError::Storage(_))), "{forgotten:?}");
        let torn = circle.groups[1].forget_past_epochs(&mut circle.people[1].cx(), 0, 0);
        assert!(matches!(torn, Err(MlsError::Torn)), "{torn:?}");
        circle.people[1].storage.abort();
        assert_eq!(*circle.people[1].storage.records(), before);
        reload(&mut circle, 1);
    }
    assert!(matches!(circle.open(1, &early), Err(MlsError::PastEpoch { .. })));
}

/// What happens next in a group, and how much later.
#[derive(Debug, Clone, Copy)]
enum Step {
    Commit,
    Sweep,
    Reload,
}

fn step() -> impl Strategy<Value = (Step, u64)> {
    let step = prop_oneof![3 => Just(Step::Commit), 3 => Just(Step::Sweep), 1 => Just(Step::Reload)];
    (step, 0..16 * HOUR_MS)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever the order of commits, sweeps and restarts: no epoch is forgotten early, and none is kept longer
    /// than until the second sweep after its time.
    #[test]
    fn ages_are_kept(steps in proptest::collection::vec(step(), 1..24)) {
        let mut circle = Circle::new(2, Suite::Classical);
        let mut now_ms = 5;
        // A message of each past epoch, when the epoch ended, and when that was first seen.
        let mut past: Vec<(Vec<u8>, u64, Option<u64>)> = Vec::new();
        for (step, later_ms) in steps {
            now_ms += later_ms;
            match step {
                Step::Commit => past.push((message_of_ended_epoch(&mut circle, b"hello"), now_ms, None)),
                Step::Reload => reload(&mut circle, 1),
                Step::Sweep => {
                    let forgotten = sweep(&mut circle, 1, now_ms);
                    for (_, _, seen) in &mut past {
                        seen.get_or_insert(now_ms);
                    }
                    let expired = past.iter().filter(|(_, _, seen)| now_ms - seen.unwrap() > KEPT_MS).count();
                    prop_assert_eq!(forgotten, expired);
                    for (message, ended, _) in past.drain(..expired) {
                        prop_assert!(now_ms - ended > KEPT_MS);
                        let refused = circle.open(1, &message);
                        prop_assert!(matches!(refused, Err(MlsError::PastEpoch { .. })), "{:?}", refused);
                    }
                }
            }
        }
        for (message, ..) in past {
            prop_assert_eq!(plaintext(circle.open(1, &message)), b"hello".to_vec());
        }
    }
}
