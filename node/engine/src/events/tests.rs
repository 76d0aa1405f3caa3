//! The log against a list of numbers: what readers see of it, whatever they ask for and whenever.

use proptest::prelude::*;
use qpq_crypto::{
    certificate::DeviceCertificate,
    device_list::DeviceList,
    identity::{DeviceSecret, IdentityKey},
};
use qpq_proto::{Method, Status, ids::NodeKey, v1};

use super::*;
use crate::{
    records::{PersonRecord, Standing},
    tests::bench::Bench,
};

const READERS: usize = 3;
const KEPT_MAX: u64 = 20;

/// A node with somebody who waits to be accepted, and whom it therefore cannot add to a group.
fn bench() -> Bench {
    let mut bench = Bench::of("alice");
    bench.engine.limits.events_kept_max = usize::try_from(KEPT_MAX).unwrap();
    let key = IdentityKey::from_seed(&[2; 32]);
    let node = NodeKey::from_bytes([2; 32]);
    let device = DeviceSecret::from_seed(&[3; 32]).public();
    let certificate = DeviceCertificate::issue(&key, device, node, &[0x004F], 1).unwrap();
    let list = DeviceList::sign(&key, 1, [0; 32], vec![certificate], Vec::new()).unwrap();
    let mut person = PersonRecord {
        identity: key.public().as_bytes().to_vec(),
        standing: Standing::Pending.into(),
        device_list: list.encode(),
        ..PersonRecord::default()
    };
    bench.with(|engine, cx| {
        person.name = engine.claim_name(cx, '@', "bob", &person.identity).unwrap();
        engine.save_person(cx, &person).unwrap();
    });
    bench
}

fn log(bench: &mut Bench, number: u64) {
    bench.with(|engine, cx| engine.log_alarm(cx, "number", number.to_string()).unwrap());
}

/// A call that logs an event and is refused afterwards.
fn refused(bench: &mut Bench) {
    let request = v1::CreateGroupRequest { name: "village".into(), members: vec!["bob".into()] };
    let refused = bench.owner::<v1::CreateGroupResponse>(Method::CreateGroup, &request).unwrap_err();
    assert_eq!(
        (refused.status, refused.message.as_str()),
        (Status::Conflict, "@bob is not an accepted contact yet")
    );
}

/// The numbers that a page holds.
fn numbers(page: &ReadEventsResponse) -> Vec<u64> {
    let number = |event: &Event| match &event.kind {
        Some(event::Kind::Alarm(alarm)) => alarm.text.parse().unwrap(),
        other => panic!("{other:?}"),
    };
    page.events.iter().map(number).collect()
}

fn read(bench: &mut Bench, since: u64, limit: u32) -> ReadEventsResponse {
    bench.owner(Method::ReadEvents, &ReadEventsRequest { since, limit, timeout_ms: 0 }).unwrap()
}

#[test]
fn pages_have_a_default_and_a_largest_size() {
    let mut bench = bench();
    bench.engine.limits.events_kept_max = 2_000;
    (1..=1_500).for_each(|number| log(&mut bench, number));
    for (limit, length) in [(0, 256), (1, 1), (1_024, 1_024), (1_025, 1_024), (u32::MAX, 1_024)] {
        assert_eq!(read(&mut bench, 0, limit).events.len(), length, "{limit}");
    }
}

#[test]
fn a_refused_call_uses_no_number_up() {
    let mut bench = bench();
    log(&mut bench, 1);
    refused(&mut bench);
    log(&mut bench, 2);
    let page = read(&mut bench, 1, 0);
    assert_eq!((numbers(&page), page.next, page.lagged), (vec![2], 2, 0));
}

#[test]
fn events_of_an_unknown_kind_are_told_as_alarms() {
    let mut bench = bench();
    let strange =
        EventRecord { what: "from a newer version".into(), text: "look".into(), ..Default::default() };
    bench.with(|engine, cx| engine.log_event(cx, strange).unwrap());
    let told = read(&mut bench, 0, 0).events.remove(0).kind;
    let alarm = AlarmEvent { code: String::new(), text: "look".into() };
    assert_eq!(told, Some(event::Kind::Alarm(alarm)));
}

#[derive(Debug, Clone)]
enum Step {
    Log,
    Refused,
    Restart,
    Read { reader: usize, limit: u32 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Log),
        1 => Just(Step::Refused),
        1 => Just(Step::Restart),
        3 => (0..READERS, 1..12u32).prop_map(|(reader, limit)| Step::Read { reader, limit }),
    ]
}

/// Somebody who reads the log page by page.
#[derive(Default)]
struct Reader {
    since: u64,
    seen: Vec<u64>,
    missed: u64,
}

impl Reader {
    /// Takes a page of a log that holds the numbers up to `newest`, of which the last ones are kept.
    fn take(&mut self, page: &ReadEventsResponse, limit: u32, newest: u64) {
        let oldest = newest.saturating_sub(KEPT_MAX) + 1;
        let expected: Vec<u64> =
            (oldest.max(self.since + 1)..=newest).take(usize::try_from(limit).unwrap()).collect();
        assert_eq!(numbers(page), expected);
        let cursors: Vec<u64> = page.events.iter().map(|event| event.cursor).collect();
        assert_eq!(cursors, expected, "the cursor is the number");
        self.missed += page.lagged;
        if self.since == 0 {
            assert_eq!(page.lagged, 0, "who has read nothing yet has missed nothing");
            self.missed = expected.first().map_or(0, |first| first - 1);
        }
        self.seen.extend(expected);
        self.since = page.next;
        let told = self.seen.len() as u64 + self.missed;
        assert_eq!(told, self.since, "every event is seen, or said to be missed");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_reader_sees_every_event_once_and_in_order(steps in proptest::collection::vec(step(), 1..120)) {
        let mut bench = bench();
        let mut readers: [Reader; READERS] = Default::default();
        let mut newest = 0;
        for step in steps {
            match step {
                Step::Log => {
                    newest += 1;
                    log(&mut bench, newest);
                }
                Step::Refused => refused(&mut bench),
                Step::Restart => drop(bench.restart()),
                Step::Read { reader, limit } => {
                    let page = read(&mut bench, readers[reader].since, limit);
                    readers[reader].take(&page, limit, newest);
                }
            }
            prop_assert_eq!(bench.memory.count(EVENTS) as u64, newest.min(KEPT_MAX));
        }
        for mut reader in readers {
            while reader.since < newest {
                let page = read(&mut bench, reader.since, 7);
                reader.take(&page, 7, newest);
            }
            prop_assert!(reader.seen.is_sorted_by(|one, next| one < next));
        }
    }
}
