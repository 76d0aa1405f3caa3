//! The outbox against the simplest thing that does the same: a set of entries for each recipient.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use chacha20::ChaCha20Rng;
use proptest::prelude::*;
use qpq_proto::{ids::NodeKey, limits::Limits};
use rand_core::SeedableRng as _;

use super::STORED_MAX;
use crate::{
    Caller, Config, Engine, Now,
    context::Context,
    outbox::{Entry, Shipment, Stream, To},
    tables::{CURSORS, OUTGOING, PAYLOADS},
    tests::memory::Memory,
};

const PEOPLE: u8 = 4;
const CONVERSATION: [u8; 16] = [7; 16];

fn person(number: u8) -> Vec<u8> {
    vec![number; 32]
}

/// An outbox with the stream of one conversation.
struct Bench {
    engine: Engine,
    memory: Memory,
    rng: ChaCha20Rng,
    stream: Stream,
}

impl Bench {
    fn new() -> Self {
        let mut memory = Memory::default();
        let engine = open(&mut memory);
        let stream = Stream::Conversation(CONVERSATION.to_vec());
        Self { engine, memory, rng: ChaCha20Rng::from_seed([1; 32]), stream }
    }

    fn restart(&mut self) {
        self.engine = open(&mut self.memory);
    }

    fn with<R>(&mut self, action: impl FnOnce(&mut Engine, &mut Context<'_>, &Stream) -> R) -> R {
        let now = Now { monotonic_ms: 0, wall_ms: 0 };
        let mut cx = Context::new(now, 0, &mut self.rng, &mut self.memory, Caller::Owner);
        action(&mut self.engine, &mut cx, &self.stream)
    }

    /// Ships an entry for all but some of those who read the stream; returns its ordinal.
    fn ship(&mut self, recipients: &BTreeSet<u8>, except: &BTreeSet<u8>) -> u64 {
        let recipients: Vec<Vec<u8>> = recipients.iter().copied().map(person).collect();
        let except = except.iter().copied().map(person).collect();
        self.with(|engine, cx, _| {
            let payload = Bytes::from_static(b"payload");
            let shipment = Shipment {
                payload,
                message: &[],
                conversation: &CONVERSATION,
                content: &[],
                request: &[],
                expires_node_ms: None,
            };
            engine.ship(cx, shipment, To::Members { recipients: &recipients, except }).unwrap();
            engine.newest_parcel(cx).unwrap()
        })
    }

    fn next(&mut self, who: u8) -> Option<Entry> {
        self.with(|engine, cx, stream| engine.next_entry(cx, stream, &person(who)).unwrap())
    }

    fn pending(&mut self, who: u8) -> BTreeSet<u64> {
        let entries =
            self.with(|engine, cx, stream| engine.pending_entries(cx, stream, &person(who)).unwrap());
        entries.into_iter().map(|entry| entry.ordinal).collect()
    }

    fn stored(&mut self, who: u8) -> Vec<u64> {
        self.with(|engine, cx, stream| engine.cursor(cx, stream, &person(who)).unwrap().stored)
    }

    fn entry(&mut self, who: u8, ordinal: u64) -> Option<Entry> {
        self.with(|engine, cx, stream| engine.pending_entry(cx, stream, &person(who), ordinal).unwrap())
    }

    fn note_stored(&mut self, entry: &Entry) {
        self.with(|engine, cx, _| engine.note_stored(cx, entry).unwrap());
    }

    fn settle(&mut self, entry: &Entry) {
        self.with(|engine, cx, _| engine.settle(cx, entry).unwrap());
    }
}

fn open(memory: &mut Memory) -> Engine {
    let node = NodeKey::from_bytes([9; 32]);
    let limits = Limits::SERVER;
    Engine::open(
        Config {
            node,
            version: "test".into(),
            limits,
            has_peers: true,
            seeks_strangers: false,
            is_rolled_back: false,
            custody_is_volatile: false,
            password_cost: crate::tests::PASSWORD_COST,
        },
        memory,
    )
    .unwrap()
}

/// What each recipient has not been given, and what its node only holds.
#[derive(Default)]
struct Model(BTreeMap<u8, (BTreeSet<u64>, BTreeSet<u64>)>);

impl Model {
    fn check(&self, bench: &mut Bench) -> Result<(), TestCaseError> {
        let mut lying = BTreeSet::new();
        for who in 0..PEOPLE {
            let (fresh, stored) = self.0.get(&who).cloned().unwrap_or_default();
            let next = bench.next(who).map(|entry| entry.ordinal);
            prop_assert_eq!(next, fresh.first().copied(), "what comes next for {}", who);
            prop_assert_eq!(bench.stored(who), stored.iter().copied().collect::<Vec<_>>());
            let pending: BTreeSet<u64> = fresh.union(&stored).copied().collect();
            prop_assert_eq!(bench.pending(who), pending.clone());
            lying.extend(pending);
        }
        prop_assert_eq!(bench.memory.count(OUTGOING), lying.len(), "an entry goes with its last recipient");
        prop_assert_eq!(bench.memory.count(PAYLOADS), lying.len());
        let waiting = bench.with(|engine, cx, stream| engine.streams(cx).unwrap().waiting(stream));
        prop_assert_eq!(waiting, lying.len());
        Ok(())
    }
}

#[derive(Debug, Clone)]
enum Step {
    /// A new entry, for everybody but those whose bits are set.
    Ship(u8),
    /// The next entry of a recipient is delivered, or only stored.
    Next { who: u8, is_opened: bool },
    /// One of those that a recipient's node holds is opened at last.
    Opened { who: u8, which: prop::sample::Index },
    /// The same answer comes twice.
    Repeated { who: u8 },
    /// The node starts again.
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0..1_u8 << PEOPLE).prop_map(Step::Ship),
        6 => (0..PEOPLE, any::<bool>()).prop_map(|(who, is_opened)| Step::Next { who, is_opened }),
        3 => (0..PEOPLE, any::<prop::sample::Index>()).prop_map(|(who, which)| Step::Opened { who, which }),
        1 => (0..PEOPLE).prop_map(|who| Step::Repeated { who }),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..60)
}

fn take(bench: &mut Bench, model: &mut Model, step: &Step) {
    match step {
        Step::Ship(mask) => {
            let (except, recipients): (BTreeSet<u8>, BTreeSet<u8>) =
                (0..PEOPLE).partition(|who| mask & (1 << who) != 0);
            if !recipients.is_empty() {
                let ordinal = bench.ship(&recipients, &except);
                for who in recipients {
                    model.0.entry(who).or_default().0.insert(ordinal);
                }
            }
        }
        Step::Next { who, is_opened } => {
            let Some(entry) = bench.next(*who) else { return };
            let (fresh, stored) = model.0.entry(*who).or_default();
            fresh.remove(&entry.ordinal);
            if *is_opened {
                bench.settle(&entry);
            } else {
                stored.insert(entry.ordinal);
                bench.note_stored(&entry);
            }
        }
        Step::Opened { who, which } => {
            let stored = bench.stored(*who);
            if stored.is_empty() {
                return;
            }
            let ordinal = stored[which.index(stored.len())];
            let entry = bench.entry(*who, ordinal).unwrap();
            bench.settle(&entry);
            model.0.entry(*who).or_default().1.remove(&ordinal);
        }
        Step::Repeated { who } => {
            if let Some(ordinal) = bench.stored(*who).first().copied() {
                let entry = bench.entry(*who, ordinal).unwrap();
                bench.note_stored(&entry);
            }
        }
        Step::Restart => bench.restart(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_recipient_is_given_its_entries_once_and_in_order(steps in steps()) {
        let (mut bench, mut model) = (Bench::new(), Model::default());
        for step in &steps {
            take(&mut bench, &mut model, step);
            model.check(&mut bench)?;
        }
    }
}

#[test]
fn a_newcomer_starts_behind_what_lies_there() {
    let mut bench = Bench::new();
    let old = bench.ship(&BTreeSet::from([0]), &BTreeSet::new());
    bench.with(|engine, cx, _| engine.read_from_now_on(cx, &CONVERSATION, &person(1)).unwrap());
    assert!(bench.next(1).is_none());
    assert!(bench.entry(1, old).is_none());
    let new = bench.ship(&BTreeSet::from([0, 1]), &BTreeSet::new());
    assert_eq!(bench.next(1).unwrap().ordinal, new);
    assert_eq!(bench.next(0).unwrap().ordinal, old);
}

#[test]
fn whoever_joins_an_empty_stream_needs_no_cursor() {
    let mut bench = Bench::new();
    bench.with(|engine, cx, _| engine.read_from_now_on(cx, &CONVERSATION, &person(1)).unwrap());
    assert_eq!(bench.memory.count(CURSORS), 0);
}

#[test]
fn a_node_that_opens_nothing_is_not_sent_more_than_it_may_hold() {
    let mut bench = Bench::new();
    let both = BTreeSet::from([0, 1]);
    for _ in 0..=STORED_MAX {
        bench.ship(&both, &BTreeSet::new());
    }
    let mut given = 0;
    while let Some(entry) = bench.next(0) {
        bench.note_stored(&entry);
        given += 1;
    }
    assert_eq!(given, STORED_MAX);
    assert!(bench.next(1).is_some(), "others are not held up");
    let oldest = bench.stored(0)[0];
    let entry = bench.entry(0, oldest).unwrap();
    bench.settle(&entry);
    assert!(bench.next(0).is_some(), "room for one more");
}

#[test]
fn ordinals_grow_whatever_is_removed_and_restarted() {
    let mut bench = Bench::new();
    let mut last = 0;
    for _ in 0..20 {
        let ordinal = bench.ship(&BTreeSet::from([0]), &BTreeSet::new());
        assert!(ordinal > last);
        last = ordinal;
        let entry = bench.next(0).unwrap();
        bench.settle(&entry);
        bench.restart();
    }
    assert_eq!(bench.memory.count(OUTGOING), 0);
}
