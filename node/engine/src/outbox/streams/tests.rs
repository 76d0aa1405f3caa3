//! The index in memory says what storage says, whatever was dropped or restarted, and no ordinal is used twice.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::tests::bench::Bench;

#[test]
fn a_persons_own_streams_come_first() {
    assert!(Stream::introductions(&[9; 32]) < Stream::Person(vec![0; 32]));
    assert_eq!(Stream::introductions(&[9; 32]).recipient(), [9; 32]);
    assert!(Stream::Person(vec![9; 32]) < Stream::Conversation(vec![0; 16]));
}

#[test]
fn a_stream_without_entries_is_gone() {
    let stream = Stream::Conversation(vec![1; 16]);
    let mut streams = Streams::default();
    let parcel = |payload_bytes| ParcelRecord { payload_bytes, ..ParcelRecord::default() };
    streams.added(&stream, &parcel(5));
    streams.added(&stream, &parcel(7));
    streams.removed(&stream, &parcel(5));
    assert_eq!((streams.waiting(&stream), streams.bytes()), (1, 7));
    streams.removed(&stream, &parcel(7));
    streams.removed(&stream, &parcel(7));
    assert_eq!((streams.waiting(&stream), streams.bytes()), (0, 0));
    assert!(streams.names().is_empty());
}

#[test]
fn a_parcel_says_in_which_stream_it_lies() {
    let parcel = |recipient: &[u8], is_introduction| ParcelRecord {
        recipient: recipient.to_vec(),
        conversation: vec![3; 16],
        is_introduction,
        ..ParcelRecord::default()
    };
    for (parcel, stream) in [
        (parcel(&[], false), Stream::Conversation(vec![3; 16])),
        (parcel(&[7; 32], false), Stream::Person(vec![7; 32])),
        (parcel(&[7; 32], true), Stream::introductions(&[7; 32])),
    ] {
        assert_eq!(Stream::of(&parcel), stream);
    }
}

#[test]
fn streams_of_one_person_have_keys_of_their_own() {
    let keys = [
        Stream::introductions(&[7; 32]),
        Stream::Person(vec![7; 32]),
        Stream::Conversation(vec![7; 16]),
        Stream::introductions(&[8; 32]),
    ];
    for (index, one) in keys.iter().enumerate() {
        assert!(keys[..index].iter().all(|other| other.key() != one.key()), "{one:?}");
    }
}

#[test]
fn nobody_reads_the_stream_of_a_conversation_that_is_gone() {
    let mut bench = Bench::empty();
    let stream = Stream::Conversation(vec![1; 16]);
    bench.with(|engine, cx| add(engine, cx, &stream));
    let readers = bench.with(|engine, cx| engine.recipients(cx, &stream).unwrap().cloned());
    assert_eq!(readers, Some(BTreeSet::new()));
    let other = Stream::Conversation(vec![2; 16]);
    assert_eq!(bench.with(|engine, cx| engine.recipients(cx, &other).unwrap().cloned()), None);
}

/// What happens to the outbox of a node.
#[derive(Debug, Clone)]
enum Step {
    /// Entries come into a stream; the transaction is dropped or kept.
    Add { stream: u8, count: u8, is_kept: bool },
    /// The oldest entry of a stream goes.
    Remove { stream: u8, is_kept: bool },
    /// The node starts again.
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..4_u8, 1..4_u8, any::<bool>())
            .prop_map(|(stream, count, is_kept)| Step::Add { stream, count, is_kept }),
        3 => (0..4_u8, any::<bool>()).prop_map(|(stream, is_kept)| Step::Remove { stream, is_kept }),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..60)
}

fn stream(number: u8) -> Stream {
    match number {
        0 => Stream::introductions(&[1; 32]),
        1 => Stream::Person(vec![1; 32]),
        _ => Stream::Conversation(vec![number; 16]),
    }
}

fn add(engine: &mut Engine, cx: &mut Context<'_>, stream: &Stream) -> u64 {
    let parcel = ParcelRecord {
        conversation: if let Stream::Conversation(id) = stream { id.clone() } else { Vec::new() },
        recipient: stream.recipient().to_vec(),
        is_introduction: matches!(stream, Stream::Introductions(_)),
        expires_node_ms: u64::MAX,
        ..ParcelRecord::default()
    };
    let ordinal = engine.next_parcel(cx).unwrap();
    engine.streams(cx).unwrap().added(stream, &parcel);
    tables::save(cx.tx, OUTGOING, tables::at(stream.key(), ordinal), &parcel).unwrap();
    ordinal
}

/// Entries of each stream.
type Model = BTreeMap<Stream, BTreeSet<u64>>;

fn take(bench: &mut Bench, model: &mut Model, used: &mut BTreeSet<u64>, step: &Step) {
    match *step {
        Step::Add { stream: number, count, is_kept } => {
            let stream = stream(number);
            let many = |engine: &mut Engine, cx: &mut Context<'_>| -> Vec<u64> {
                (0..count).map(|_| add(engine, cx, &stream)).collect()
            };
            if !is_kept {
                bench.in_vain(many);
                return;
            }
            for ordinal in bench.with(many) {
                assert!(used.last().is_none_or(|last| *last < ordinal), "{ordinal} after {used:?}");
                used.insert(ordinal);
                model.entry(stream.clone()).or_default().insert(ordinal);
            }
        }
        Step::Remove { stream: number, is_kept } => {
            let stream = stream(number);
            let Some(oldest) = model.get(&stream).and_then(|entries| entries.first().copied()) else {
                return;
            };
            let remove =
                |engine: &mut Engine, cx: &mut Context<'_>| engine.remove_entry(cx, &stream, oldest).unwrap();
            if is_kept {
                bench.with(remove);
                model.entry(stream.clone()).or_default().remove(&oldest);
            } else {
                bench.in_vain(remove);
            }
        }
        Step::Restart => drop(bench.restart()),
    }
    model.retain(|_, entries| !entries.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_index_agrees_with_storage(steps in steps()) {
        let (mut bench, mut model, mut used) = (Bench::empty(), Model::new(), BTreeSet::new());
        for step in &steps {
            take(&mut bench, &mut model, &mut used, step);
            let names = bench.with(|engine, cx| engine.stream_names(cx).unwrap());
            prop_assert_eq!(names, model.keys().cloned().collect::<Vec<_>>());
            for number in 0..4 {
                let stream = stream(number);
                let waiting = bench.with(|engine, cx| engine.streams(cx).unwrap().waiting(&stream));
                prop_assert_eq!(waiting, model.get(&stream).map_or(0, BTreeSet::len), "{:?}", stream);
            }
            let newest = bench.with(|engine, cx| engine.newest_parcel(cx).unwrap());
            prop_assert!(used.last().is_none_or(|last| newest >= *last), "what is older is passed over");
        }
    }
}
