//! Queues: order, acknowledgement, lifetime, idempotency, waiting, quotas.

use prost::Message;
use qpq_proto::limits::RelayLimits;
use qpq_proto::v1::{
    BatchEnqueueRequest, BatchEnqueueResponse, BatchRecipient, EnqueueRequest, EnqueueResponse, FetchRequest,
    FetchResponse, FetchWaitResponse,
};
use qpq_proto::{Method, Status};

use super::world::{Device, World, delivery, texts};
use crate::due::HOUR_MS;
use crate::input::Input;
use crate::tables::{DELIVERIES, DELIVERY_IDS, DUES};
use crate::time::Moment;

pub(super) const ALICE: Device = Device { person: 1, number: 1 };
const ALICES_PHONE: Device = Device { person: 1, number: 2 };
pub(super) const BOB: Device = Device { person: 2, number: 1 };
const DAY_MS: u64 = 86_400_000;

impl World {
    /// The time as the relay takes it.
    pub(super) fn moment(&self) -> Moment {
        self.relay.time.look(self.now)
    }
}

pub(super) fn both() -> World {
    let mut world = World::new();
    world.enrol(ALICE);
    world.enrol(BOB);
    world
}

pub(super) fn own(texts: &[(u64, &str)]) -> Vec<(u64, String)> {
    texts.iter().map(|(seq, text)| (*seq, (*text).to_owned())).collect()
}

#[test]
fn what_is_put_in_comes_out_in_order_and_stays_until_it_is_acknowledged() {
    let mut world = both();
    let bob = BOB.identity();
    for (seq, text) in [(1, "one"), (2, "two"), (3, "three")] {
        assert_eq!(world.enqueue(ALICE.caller(), bob.as_bytes(), text).unwrap().seq, seq);
    }
    for _ in 0..2 {
        assert_eq!(world.fetch(BOB), own(&[(1, "one"), (2, "two"), (3, "three")]));
    }
    assert_eq!(world.ack(BOB, 2), Ok(2));
    assert_eq!(world.fetch(BOB), own(&[(3, "three")]));
    assert_eq!(world.ack(BOB, 1), Ok(0), "a cursor never goes back");
    assert_eq!(world.ack(BOB, 4).unwrap_err().status, Status::BadRequest);
    assert_eq!(world.fetch(ALICE), own(&[]));
}

#[test]
fn the_same_delivery_is_stored_once_even_after_it_was_acknowledged() {
    let mut world = both();
    let bob = BOB.identity();
    let first = world.enqueue(ALICE.caller(), bob.as_bytes(), "once").unwrap();
    world.pass(5_000);
    let again = world.enqueue(ALICE.caller(), bob.as_bytes(), "once").unwrap();
    assert_eq!((first.seq, first.duplicate, again.seq, again.duplicate), (1, false, 1, true));
    let at_ms = |response: &EnqueueResponse| response.delivery_proof.as_ref().unwrap().at_ms;
    assert_eq!(at_ms(&first), at_ms(&again));
    world.ack(BOB, 1).unwrap();
    assert!(world.enqueue(ALICE.caller(), bob.as_bytes(), "once").unwrap().duplicate);
    assert_eq!(world.fetch(BOB), own(&[]));
    assert_eq!(world.enqueue(ALICE.caller(), bob.as_bytes(), "twice").unwrap().seq, 2);
}

#[test]
fn every_device_gets_what_came_since_it_was_registered() {
    let mut world = both();
    let alice = ALICE.identity();
    world.enqueue(BOB.caller(), alice.as_bytes(), "one").unwrap();
    world.enrol(ALICES_PHONE);
    assert_eq!(world.fetch(ALICES_PHONE), own(&[]), "it cannot read what was sealed before");
    world.enqueue(BOB.caller(), alice.as_bytes(), "two").unwrap();
    world.ack(ALICE, 2).unwrap();
    assert_eq!(world.fetch(ALICES_PHONE), own(&[(2, "two")]), "no device acknowledges for another");
    world.enqueue(BOB.caller(), alice.as_bytes(), "three").unwrap();
    world.expel(ALICES_PHONE);
    world.ack(ALICE, 3).unwrap();
    assert_eq!(world.enqueue(BOB.caller(), alice.as_bytes(), &"x".repeat(1_000_000)).unwrap().seq, 4);
    assert!(
        world.enqueue(BOB.caller(), alice.as_bytes(), &"y".repeat(50_000)).is_err(),
        "the room of what a revoked device did not fetch is given back, and no more"
    );
}

#[test]
fn a_delivery_ends_with_its_lifetime_and_nothing_of_it_stays() {
    let mut world = both();
    let bob = BOB.identity();
    let short = EnqueueRequest { ttl_secs: 60, ..delivery(bob.as_bytes(), "short") };
    let _: EnqueueResponse = world.call(ALICE.caller(), Method::Enqueue, &short).unwrap();
    for text in ["a", "b", "c", "d", "e", "f"] {
        world.enqueue(ALICE.caller(), bob.as_bytes(), text).unwrap();
    }
    assert_eq!(world.fetch(BOB).len(), 7);
    world.pass(60_000);
    assert_eq!(world.fetch(BOB).first().unwrap().0, 2, "not given although not removed yet");
    world.ack(BOB, 4).unwrap();
    for _ in 0..16 * 24 {
        world.pass(3_600_000);
    }
    assert_eq!(world.fetch(BOB), own(&[]));
    for table in [DELIVERIES, DELIVERY_IDS, DUES] {
        assert_eq!(world.memory.count(table), 0, "{table:?}");
    }
    assert_eq!(world.enqueue(ALICE.caller(), bob.as_bytes(), "a").unwrap().seq, 8, "no sequence twice");
}

#[test]
fn a_clock_that_jumps_loses_nothing_and_ends_no_session() {
    const YEARS_MS: u64 = 50 * 365 * DAY_MS;
    let mut world = both();
    let bob = BOB.identity();
    world.enqueue(ALICE.caller(), bob.as_bytes(), "kept").unwrap();
    let ends_ms = |world: &mut World| {
        let found: FetchResponse = world.call(BOB.caller(), Method::Fetch, &FetchRequest::default()).unwrap();
        found.envelopes.into_iter().map(|envelope| envelope.expires_at_ms).collect::<Vec<_>>()
    };
    let lives_ms = ends_ms(&mut world)[0] - world.now.wall_ms;
    world.now.wall_ms -= YEARS_MS;
    world.pass(HOUR_MS);
    world.enqueue(ALICE.caller(), bob.as_bytes(), "of the past").unwrap();
    let wall_ms = world.now.wall_ms;
    assert_eq!(ends_ms(&mut world), [wall_ms + lives_ms, wall_ms + lives_ms], "by this clock");
    world.now.wall_ms += 2 * YEARS_MS;
    world.pass(HOUR_MS);
    world.enqueue(ALICE.caller(), bob.as_bytes(), "of the future").unwrap();
    world.now.wall_ms -= YEARS_MS;
    world.pass(HOUR_MS);
    assert_eq!(world.fetch(BOB), own(&[(1, "kept"), (2, "of the past"), (3, "of the future")]));
    world.pass(lives_ms);
    assert_eq!(world.fetch(BOB), own(&[]), "it ends all the same");
}

#[test]
fn without_room_nothing_is_taken_and_everything_is_given_out() {
    let mut world = both();
    let bob = BOB.identity();
    world.enqueue(ALICE.caller(), bob.as_bytes(), "before").unwrap();
    world.relay.set_room(false);
    let refused = world.enqueue(ALICE.caller(), bob.as_bytes(), "too much").unwrap_err();
    assert_eq!(
        (refused.status, refused.message.as_str()),
        (Status::Unavailable, "the disk of this relay is full")
    );
    assert_eq!(world.fetch(BOB), own(&[(1, "before")]));
    assert_eq!(world.ack(BOB, 1).unwrap(), 1);
    world.relay.set_room(true);
    assert_eq!(world.enqueue(ALICE.caller(), bob.as_bytes(), "after").unwrap().seq, 2);
}

#[test]
fn a_call_that_waits_is_answered_by_the_batch_that_brings_something() {
    let mut world = both();
    let bob = BOB.identity();
    let (laptop, other) = (world.wait(BOB, 60_000), world.wait(BOB, 60_000));
    assert_eq!((world.answer(laptop), world.answer(other)), (None, None));
    let put = world.submit(ALICE.caller(), Method::Enqueue, &delivery(bob.as_bytes(), "there"));
    for call in [laptop, other] {
        let answer = world.answer(call).unwrap().unwrap();
        assert_eq!(texts(FetchWaitResponse::decode(answer).unwrap().envelopes), own(&[(1, "there")]));
    }
    assert!(world.answer(put).unwrap().is_ok());
    assert_eq!(world.pushed(), [BOB.connection()]);
}

#[test]
fn waiting_ends_in_time_or_with_whoever_waits() {
    let mut world = both();
    let (patient, impatient, dropped) = (world.wait(BOB, 60_000), world.wait(BOB, 10), world.wait(BOB, 10));
    world.give(Input::Dropped(dropped));
    assert_eq!(world.relay.waits.next_end(), Some(world.now.monotonic_ms + 10));
    world.pass(10);
    let nothing = Some(Ok(FetchWaitResponse::default().encode_to_vec().into()));
    assert_eq!((world.answer(patient), world.answer(impatient)), (None, nothing.clone()));
    assert_eq!(world.answer(dropped), None);
    world.give(Input::Disconnected(BOB.connection()));
    assert_eq!(world.relay.waits.next_end(), None);
    world.log_in(BOB, false);
    let at_once = world.wait(BOB, 0);
    assert_eq!(world.answer(at_once), nothing);
}

#[test]
fn nobody_waits_for_a_relay_that_closes() {
    let mut world = both();
    let waiting = world.wait(BOB, 60_000);
    world.give(Input::Closing);
    assert_eq!(world.answer(waiting).unwrap().unwrap_err().status, Status::Unavailable);
    assert_eq!(world.relay.waits.next_end(), None);
    let late = world.wait(BOB, 60_000);
    assert_eq!(world.answer(late).unwrap().unwrap_err().status, Status::Unavailable);
    let bob = BOB.identity();
    world.enqueue(ALICE.caller(), bob.as_bytes(), "under way").unwrap();
    let at_once = world.wait(BOB, 60_000);
    assert!(world.answer(at_once).unwrap().is_ok(), "what is there can be had");
}

#[test]
fn what_comes_and_goes_is_counted_once_it_is_kept() {
    let mut world = both();
    let bob = BOB.identity();
    let counted = |world: &World| {
        let figures = world.relay.figures();
        [figures.stored, figures.stored_bytes, figures.released, figures.released_bytes]
    };
    for text in ["one", "three", "three"] {
        world.enqueue(ALICE.caller(), bob.as_bytes(), text).unwrap();
    }
    world.enqueue(ALICE.caller(), &[9; 32], "to nobody").unwrap_err();
    assert_eq!(counted(&world), [2, 8, 0, 0]);
    world.ack(BOB, 1).unwrap();
    assert_eq!(counted(&world), [2, 8, 1, 3]);
    world.pass(15 * DAY_MS);
    assert_eq!(counted(&world), [2, 8, 2, 8]);
    let waiting = world.wait(BOB, 10);
    assert_eq!((world.relay.figures().sessions, world.relay.figures().waits), (2, 1));
    world.give(Input::Dropped(waiting));
    assert_eq!(world.relay.figures().waits, 0);
}

#[test]
fn only_so_many_calls_wait() {
    let mut world = both();
    for _ in 0..RelayLimits::ROUTER.waits_per_connection_max {
        world.wait(BOB, 60_000);
    }
    let one_more = world.wait(BOB, 60_000);
    assert_eq!(world.answer(one_more).unwrap().unwrap_err().status, Status::RateLimited);
}

#[test]
fn a_full_queue_refuses_and_takes_again_when_there_is_room() {
    let mut world = World::with(RelayLimits { queue_deliveries_max: 2, ..RelayLimits::ROUTER });
    world.enrol(ALICE);
    world.enrol(BOB);
    let bob = BOB.identity();
    let put = |world: &mut World, text: &str| {
        world.enqueue(ALICE.caller(), bob.as_bytes(), text).map(|response| response.seq)
    };
    assert_eq!((put(&mut world, "one"), put(&mut world, "two")), (Ok(1), Ok(2)));
    assert_eq!(put(&mut world, "three").unwrap_err().status, Status::QuotaExceeded);
    assert_eq!(put(&mut world, "two"), Ok(2), "what it holds it can say");
    world.ack(BOB, 1).unwrap();
    assert_eq!(put(&mut world, "three"), Ok(3));
}

#[test]
fn a_batch_is_for_all_or_for_none() {
    let mut world = both();
    let batch = |world: &mut World, mailboxes: &[[u8; 32]]| -> Result<BatchEnqueueResponse, Status> {
        let recipient = |mailbox: &[u8; 32]| BatchRecipient { mailbox: mailbox.to_vec(), token: Vec::new() };
        let EnqueueRequest { payload, delivery_id, .. } = delivery(&[], "to all");
        let recipients = mailboxes.iter().map(recipient).collect();
        let request =
            BatchEnqueueRequest { recipients, payload, delivery_id, ..BatchEnqueueRequest::default() };
        world.call(ALICE.caller(), Method::BatchEnqueue, &request).map_err(|failure| failure.status)
    };
    let (alice, bob) = (*ALICE.identity().as_bytes(), *BOB.identity().as_bytes());
    assert_eq!(batch(&mut world, &[alice, bob, [9; 32]]), Err(Status::NotFound));
    assert_eq!(batch(&mut world, &[alice, bob, alice]), Err(Status::BadRequest));
    assert_eq!(batch(&mut world, &[]), Err(Status::BadRequest));
    assert_eq!((world.fetch(ALICE), world.fetch(BOB)), (own(&[]), own(&[])));
    let answered = batch(&mut world, &[alice, bob]).unwrap();
    assert_eq!(answered.results.iter().map(|result| result.seq).collect::<Vec<_>>(), [1, 1]);
    assert_eq!((world.fetch(ALICE), world.fetch(BOB)), (own(&[(1, "to all")]), own(&[(1, "to all")])));
}

#[test]
fn one_delivery_touches_few_records_however_long_the_queue_is() {
    let mut world = both();
    let bob = BOB.identity();
    for number in 0..1_000 {
        world.enqueue(ALICE.caller(), bob.as_bytes(), &number.to_string()).unwrap();
    }
    (world.memory.writes, _) = (0, world.memory.reads.replace(0));
    world.enqueue(ALICE.caller(), bob.as_bytes(), "measured").unwrap();
    // Read: queue, account, delivery id, and once more the queue to announce it.
    assert_eq!((world.memory.reads.get(), world.memory.writes), (4, 3));
}
