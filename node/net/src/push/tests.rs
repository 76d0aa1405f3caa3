use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;
use qpq_proto::frame::Header;
use qpq_proto::v1::Lagged;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::streams::Streams;
use crate::testing::{Wire, impatient, soon, wire};

const CONNECTION: ConnectionId = ConnectionId(7);

/// A connection over which is pushed, and its other end.
struct Stage {
    pushes: Pushes,
    other: Wire,
    sending: tokio::task::JoinHandle<String>,
}

fn stage(limits: &Limits) -> Stage {
    let (ours, other) = wire();
    let pushes = Pushes::new(limits);
    let subscription = pushes.enter(CONNECTION);
    let sending = tokio::spawn(async move { send(&subscription, &ours).await });
    Stage { pushes, other, sending }
}

impl Stage {
    fn push(&self, payload: &[u8]) {
        assert!(self.pushes.push(CONNECTION, PushEvent::NewMessage, Bytes::copy_from_slice(payload)));
    }

    fn used_bytes(&self) -> usize {
        self.pushes.0.used_bytes.load(Ordering::Relaxed)
    }
}

/// Lets the other tasks do what they can.
async fn settle() {
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
}

fn lagged(pushed: &Pushed) -> u64 {
    assert_eq!(pushed.event, PushEvent::Lagged);
    Lagged::decode(pushed.payload.clone()).unwrap().dropped
}

#[tokio::test]
async fn events_arrive_in_order_on_one_stream() {
    let stage = stage(&impatient());
    let mut events = Events::read(stage.other.clone(), &impatient());
    for number in 0..100_u8 {
        stage.push(&[number]);
        let expected = Pushed { event: PushEvent::NewMessage, payload: vec![number].into() };
        assert_eq!(soon(events.next()).await, Some(expected));
    }
    assert_eq!(stage.used_bytes(), 0);
}

#[tokio::test]
async fn whoever_permits_no_stream_costs_no_memory_and_learns_what_it_missed_when_it_permits_one() {
    let stage = stage(&impatient());
    for number in 0..200_u8 {
        stage.push(&[number; 1_000]);
        settle().await;
        assert_eq!(stage.used_bytes(), 0);
    }
    let mut events = Events::read(stage.other.clone(), &impatient());
    assert_eq!(lagged(&soon(events.next()).await.unwrap()), 200);
    stage.push(b"after");
    assert_eq!(soon(events.next()).await.unwrap().payload, "after");
}

#[tokio::test]
async fn whoever_takes_nothing_loses_the_oldest_and_holds_up_nobody() {
    let limits = impatient();
    let stage = stage(&limits);
    stage.other.allow_uni(1);
    for _ in 0..1_000 {
        stage.push(&[1; 1_000]);
        settle().await;
        assert!(stage.used_bytes() <= limits.push_bytes_queued_max);
    }
    stage.push(b"last");
    let mut events = Events::read(stage.other.clone(), &limits);
    let (mut arrived, mut missed) = (0, 0);
    loop {
        let pushed = soon(events.next()).await.unwrap();
        match pushed.event {
            PushEvent::Lagged => missed += lagged(&pushed),
            _ if pushed.payload == "last" => break,
            _ => arrived += 1,
        }
    }
    assert!(missed > 900, "{missed}");
    assert_eq!(arrived + missed, 1_000);
    assert_eq!(stage.used_bytes(), 0);
}

#[tokio::test]
async fn a_stream_that_was_refused_is_followed_by_another() {
    let stage = stage(&impatient());
    stage.other.allow_uni(2);
    stage.push(b"refused");
    drop(soon(stage.other.accept_uni()).await.unwrap());
    stage.push(b"not taken");
    settle().await;
    stage.push(b"taken");
    let mut stream = soon(stage.other.accept_uni()).await.unwrap();
    let mut header = [0; 6];
    soon(stream.read_exact(&mut header)).await.unwrap();
    assert!(PushHeader::decode(&header).unwrap().event.is_ok());
}

#[tokio::test]
async fn the_end_reaches_even_whoever_takes_nothing() {
    let stage = stage(&impatient());
    stage.other.allow_uni(1);
    for _ in 0..100 {
        stage.push(&[1; 1_000]);
    }
    settle().await;
    assert!(stage.pushes.end(CONNECTION, "revoked"));
    assert!(stage.pushes.end(CONNECTION, "the first reason stays"));
    assert_eq!(soon(stage.sending).await.unwrap(), "revoked");
    assert_eq!(stage.pushes.0.used_bytes.load(Ordering::Relaxed), 0);
    assert!(!stage.pushes.end(CONNECTION, "gone"));
    assert!(!stage.pushes.push(CONNECTION, PushEvent::Typing, Bytes::new()));
}

#[tokio::test]
async fn broken_events_end_the_connection_and_unknown_ones_are_left() {
    let header = |event: u16, bytes: u32| [&event.to_be_bytes()[..], &bytes.to_be_bytes()].concat();
    let known = [header(1_001, 2), b"hi".to_vec()].concat();
    let unknown = [header(1_099, 3), b"???".to_vec()].concat();
    let longest = u32::try_from(PUSH_PAYLOAD_BYTES_MAX).unwrap();
    for (broken, is_violation) in [
        (header(1_001, longest + 1), true),
        (header(1_001, u32::MAX), true),
        (known[..7].to_vec(), true),
        (Vec::new(), false),
    ] {
        let (ours, theirs) = wire();
        let mut events = Events::read(ours.clone(), &impatient());
        let mut stream = theirs.open_uni().await.unwrap();
        stream.write_all(&[&unknown[..], &known, &broken].concat()).await.unwrap();
        drop(stream);
        assert_eq!(soon(events.next()).await.unwrap().payload, "hi");
        settle().await;
        assert_eq!(theirs.is_closed(), is_violation, "{broken:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However many connections stand still, a newcomer's small event is queued, and no more is held than allowed.
    #[test]
    fn there_is_always_room_for_one_more(pushed in vec((0_u64..40, 0_usize..20_000), 0..400)) {
        let limits = impatient();
        let pushes = Pushes::new(&limits);
        let held: Vec<_> = (0..40).map(|id| pushes.enter(ConnectionId(id))).collect();
        for (id, bytes) in pushed {
            pushes.push(ConnectionId(id), PushEvent::NewMessage, vec![0; bytes].into());
            let queued = |subscription: &Subscription| lock(&subscription.subscriber.state).queue.bytes();
            let used = held.iter().map(queued).sum::<usize>();
            prop_assert_eq!(used, pushes.0.used_bytes.load(Ordering::Relaxed));
            prop_assert!(used < limits.push_bytes_in_memory_max);
        }
        let newcomer = pushes.enter(ConnectionId(99));
        pushes.push(ConnectionId(99), PushEvent::NewMessage, vec![0; 32].into());
        prop_assert_eq!(newcomer.take().unwrap().header.event, Ok(PushEvent::NewMessage));
        drop((held, newcomer));
        prop_assert_eq!(pushes.0.used_bytes.load(Ordering::Relaxed), 0);
    }
}
