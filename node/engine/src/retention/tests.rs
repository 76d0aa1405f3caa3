//! What is kept of a group's past, against the rules written down once more.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::{
    records::PersonRecord,
    storage::{Direction, Transaction as _},
    tables::PEOPLE,
    tests::bench::Bench,
};

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;

/// Alice's node, later than any age that is asked for.
fn bench() -> Bench {
    let mut bench = Bench::of_village();
    bench.now_ms = 100 * DAY_MS;
    bench
}

/// Makes it look as if commits had led to epochs of these ages, the oldest first, and bob and carol had been heard
/// from in epochs of these ordinals.
fn pretend(bench: &mut Bench, ages_ms: &[u64], reached: [u64; 2]) -> ConversationRecord {
    let mut conversation = bench.village();
    conversation.epoch_ordinal = ages_ms.len() as u64;
    let people: Vec<PersonRecord> = tables::all(&bench.memory, PEOPLE).unwrap();
    bench.with(|engine, cx| {
        for table in [CHECKPOINTS, COMMITS] {
            tables::clear(cx.tx, table, &conversation.id).unwrap();
        }
        for (ordinal, age_ms) in (1..).zip(ages_ms) {
            let checkpoint = CheckpointRecord {
                group_id: conversation.group_id.clone(),
                epoch: epoch(ordinal),
                at_node_ms: cx.node_ms - age_ms,
                epoch_ordinal: ordinal,
            };
            tables::save(cx.tx, CHECKPOINTS, tables::at(&conversation.id, ordinal), &checkpoint).unwrap();
            let commit = CommitRecord { epoch: epoch(ordinal), ..CommitRecord::default() };
            tables::save(cx.tx, COMMITS, tables::at(&conversation.id, ordinal), &commit).unwrap();
        }
        for (person, epoch_ordinal) in people.iter().zip(reached) {
            let key = sender_key(&conversation.id, &person.identity);
            let sender = SenderRecord { epoch_ordinal, ..SenderRecord::default() };
            tables::save(cx.tx, SENDERS, tables::key(&key), &sender).unwrap();
        }
        engine.save_conversation(cx, &conversation).unwrap();
    });
    conversation
}

fn epoch(ordinal: u64) -> Vec<u8> {
    vec![u8::try_from(ordinal).unwrap(); 32]
}

/// Prunes; returns what is left, and whether the key of what was deleted is to be replaced.
fn prune(bench: &mut Bench, conversation: &mut ConversationRecord) -> (BTreeSet<u64>, bool) {
    bench.effects.clear();
    bench.with(|engine, cx| engine.prune(cx, conversation).unwrap());
    let left = |table| -> BTreeSet<u64> {
        let records = bench.memory.scan(table, &conversation.id, 0..u64::MAX, Direction::Forward, 999);
        records.unwrap().into_iter().map(|(ordinal, _)| ordinal).collect()
    };
    let (checkpoints, commits) = (left(CHECKPOINTS), left(COMMITS));
    assert_eq!(checkpoints, commits, "a copy and the commit that led to it go together");
    (checkpoints, bench.effects.contains(&Effect::RotateSecrets))
}

/// The ordinals that are kept, by the rules of the module's documentation.
fn kept(ages_ms: &[u64], reached: [u64; 2], members: u32) -> BTreeSet<u64> {
    let newest = ages_ms.len() as u64;
    let stable = newest.min(reached[0]).min(reached[1]);
    let copies = if members >= 128 { 4 } else { 64 };
    let is_kept = |ordinal: u64| {
        let age_ms = ages_ms[usize::try_from(ordinal).unwrap() - 1];
        let is_too_many = newest - ordinal >= copies;
        let is_past = ordinal < stable && age_ms > DAY_MS;
        ordinal == newest || !(is_too_many || is_past || age_ms > 30 * DAY_MS)
    };
    (1..=newest).filter(|ordinal| is_kept(*ordinal)).collect()
}

/// Ages of epochs, the oldest first, about the limits.
fn ages() -> impl Strategy<Value = Vec<u64>> {
    let step = prop_oneof![
        Just(0),
        Just(1),
        1..HOUR_MS,
        Just(DAY_MS),
        1..DAY_MS * 3,
        Just(30 * DAY_MS),
        Just(29 * DAY_MS)
    ];
    prop::collection::vec(step, 1..80).prop_map(|steps| {
        let mut age_ms = 0;
        let mut ages: Vec<u64> = Vec::new();
        for step in steps {
            age_ms = (age_ms + step).min(90 * DAY_MS);
            ages.push(age_ms);
        }
        ages.reverse();
        ages
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_kept_follows_the_rules(
        ages_ms in ages(),
        reached in [0..80_u64, 0..80_u64],
        is_large: bool,
    ) {
        let mut bench = bench();
        let mut conversation = pretend(&mut bench, &ages_ms, reached);
        conversation.members = if is_large { LARGE_GROUP_MEMBERS } else { LARGE_GROUP_MEMBERS - 1 };
        let expected = kept(&ages_ms, reached, conversation.members);
        let (left, is_rotated) = prune(&mut bench, &mut conversation);
        prop_assert_eq!(is_rotated, left.len() < ages_ms.len(), "deleting means erasing the key");
        prop_assert_eq!(&left, &expected);
        let stable = reached[0].min(reached[1]).min(ages_ms.len() as u64);
        if left.contains(&stable) {
            prop_assert_eq!(&conversation.stable_epoch, &epoch(stable));
        }
        let (again, is_rotated) = prune(&mut bench, &mut conversation);
        prop_assert_eq!((again, is_rotated), (expected, false), "once is enough");
    }
}

#[test]
fn limits_are_exclusive() {
    for (ages_ms, reached, left) in [
        (&[DAY_MS, 0][..], [2, 2], &[1, 2][..]),
        (&[DAY_MS + 1, 0], [2, 2], &[2]),
        (&[DAY_MS + 1, 0], [1, 2], &[1, 2]),
        (&[DAY_MS + 1, 0], [2, 0], &[1, 2]),
        (&[30 * DAY_MS, 0], [0, 0], &[1, 2]),
        (&[30 * DAY_MS + 1, 0], [0, 0], &[2]),
        (&[60 * DAY_MS], [0, 0], &[1]),
    ] {
        let mut bench = bench();
        let mut conversation = pretend(&mut bench, ages_ms, reached);
        let (found, _) = prune(&mut bench, &mut conversation);
        assert_eq!(found.into_iter().collect::<Vec<_>>(), left, "{ages_ms:?} {reached:?}");
    }
}

#[test]
fn a_member_reaches_an_epoch_by_sending_in_it_and_never_goes_back() {
    let mut bench = bench();
    let conversation = pretend(&mut bench, &[5, 4, 3, 2, 1], [0, 0]);
    let bob = bench.with(|engine, cx| {
        let group = engine.group_view(cx, &conversation.group_id).unwrap();
        group.members.into_iter().find(|member| member.leaf != group.own_leaf).unwrap()
    });
    let key = sender_key(&conversation.id, bob.certificate.identity.as_bytes());
    for (sends_in, reached) in [(2, 2), (1, 2), (4, 4), (3, 4), (9, 4), (5, 5), (5, 5)] {
        bench.with(|engine, cx| {
            let epoch = mls::EpochId(epoch(sends_in).try_into().unwrap());
            engine.note_reached(cx, &conversation, &bob, &epoch).unwrap();
        });
        let sender: SenderRecord = tables::load(&bench.memory, SENDERS, tables::key(&key)).unwrap().unwrap();
        assert_eq!(sender.epoch_ordinal, reached, "after sending in {sends_in}");
    }
}

#[test]
fn every_open_group_is_looked_at_and_no_other() {
    for (stage, left) in [(Stage::Open, 1), (Stage::Waiting, 3), (Stage::Ended, 3)] {
        let mut bench = bench();
        let mut conversation = pretend(&mut bench, &[40 * DAY_MS, 35 * DAY_MS, 1], [3, 3]);
        conversation.stage = stage.into();
        bench.with(|engine, cx| {
            engine.save_conversation(cx, &conversation).unwrap();
            engine.retire(cx).unwrap();
        });
        let found: Vec<(u64, CheckpointRecord)> =
            tables::first(&bench.memory, CHECKPOINTS, &conversation.id, 9).unwrap();
        assert_eq!(found.len(), left, "{stage:?}");
    }
}

#[test]
fn of_a_conversation_that_is_dropped_nothing_is_kept() {
    let mut bench = bench();
    let conversation = pretend(&mut bench, &[3, 2, 1], [0, 0]);
    bench.with(|engine, cx| engine.drop_retained(cx, &conversation).unwrap());
    for table in [CHECKPOINTS, COMMITS] {
        let left: Vec<(u64, CommitRecord)> =
            tables::first(&bench.memory, table, &conversation.id, 9).unwrap();
        assert!(left.is_empty(), "{table:?}");
    }
}
