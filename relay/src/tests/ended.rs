//! Deliveries that end before others that came before them: they go when they have ended, however many there are.

use proptest::collection::vec;
use proptest::prelude::*;
use qpq_proto::limits::RelayLimits;
use qpq_proto::v1::{EnqueueRequest, EnqueueResponse};
use qpq_proto::{Method, Status};

use super::queues::{ALICE, BOB, both};
use super::world::{World, delivery};
use crate::due::HOUR_MS;
use crate::tables::{DELIVERIES, DELIVERY_IDS, DUES};

const DAY_S: u32 = 86_400;
/// How often the lists are looked at.
const LOOK_INTERVAL_MS: u64 = 60_000;

impl World {
    /// Puts deliveries of a lifetime into Bob's mailbox.
    fn put_many(&mut self, what: &str, count: usize, ttl_secs: u32) {
        for number in 0..count {
            let text = format!("{what} {number} {ttl_secs}");
            let request = EnqueueRequest { ttl_secs, ..delivery(BOB.identity().as_bytes(), &text) };
            let _: EnqueueResponse = self.call(ALICE.caller(), Method::Enqueue, &request).unwrap();
        }
    }

    /// How much of the first of what waits for Bob he is given.
    fn fetch_status(&mut self) -> Result<usize, Status> {
        let request = qpq_proto::v1::FetchRequest { limit: 8, ..Default::default() };
        let answer = self.call(BOB.caller(), Method::Fetch, &request);
        let envelopes = |found: qpq_proto::v1::FetchResponse| found.envelopes.len();
        answer.map(envelopes).map_err(|failure| failure.status)
    }
}

#[test]
fn what_ends_early_goes_early() {
    let mut world = both();
    world.put_many("long", 20, 10 * DAY_S);
    world.put_many("short", 20, 60);
    world.put_many("longest", 20, 11 * DAY_S);
    world.pass(2 * HOUR_MS);
    assert_eq!(world.memory.count(DELIVERIES), 40);
    assert!(!world.memory.holds(b"short"));
    world.pass(10 * 24 * HOUR_MS);
    assert_eq!(world.memory.count(DELIVERIES), 20);
    world.pass(24 * HOUR_MS);
    assert_eq!((world.memory.count(DELIVERIES), world.memory.count(DUES)), (0, 0));
}

#[test]
fn where_all_end_in_order_a_look_ends_at_the_first_that_has_not() {
    let mut world = both();
    world.put_many("short", 2, 60);
    world.put_many("long", 1_000, 10 * DAY_S);
    world.memory.reads.replace(0);
    world.pass(2 * HOUR_MS);
    assert_eq!(world.memory.count(DELIVERIES), 1_000);
    assert!(world.memory.reads.get() < 100, "{} records were read", world.memory.reads.get());
}

#[test]
fn no_call_looks_at_all_that_has_ended() {
    let limits = RelayLimits { removals_per_step_max: 4, ..RelayLimits::ROUTER };
    let mut world = World::with(limits);
    world.enrol(ALICE);
    world.enrol(BOB);
    world.put_many("short", 500, 1);
    world.put_many("long", 3, DAY_S);
    world.now.monotonic_ms += 2_000;
    world.now.wall_ms += 2_000;
    world.memory.reads.replace(0);
    assert_eq!(world.fetch_status(), Err(Status::Unavailable));
    let waiting = world.wait(BOB, 60_000);
    assert_eq!(world.answer(waiting).unwrap().unwrap_err().status, Status::Unavailable);
    assert!(world.memory.reads.get() < 160, "{} records were read", world.memory.reads.get());
    world.pass(0);
    assert_eq!((world.fetch_status(), world.memory.count(DELIVERY_IDS)), (Ok(3), 3));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Lifetimes in hours, put in with an hour between some of them.
    #[test]
    fn at_every_hour_what_lives_is_there_and_nothing_else(
        steps in vec((1..9_u32, 1..6_usize, any::<bool>()), 1..12)
    ) {
        let mut world = both();
        let mut ends_ms = Vec::new();
        for (place, (hours, count, is_followed_by_an_hour)) in steps.into_iter().enumerate() {
            world.put_many(&place.to_string(), count, hours * 3_600);
            ends_ms.extend(vec![world.now.wall_ms + u64::from(hours) * HOUR_MS; count]);
            if is_followed_by_an_hour {
                world.pass(HOUR_MS);
            }
        }
        for _ in 0..10 {
            world.pass(HOUR_MS);
            let ending_after = |at_ms| ends_ms.iter().filter(|end_ms| **end_ms > at_ms).count();
            if world.fetch_status() == Err(Status::Unavailable) {
                world.pass(0);
            }
            prop_assert_eq!(world.fetch(BOB).len(), ending_after(world.now.wall_ms));
            let held = world.memory.count(DELIVERIES);
            prop_assert!(held <= ending_after(world.now.wall_ms - HOUR_MS - LOOK_INTERVAL_MS));
        }
        world.pass(2 * HOUR_MS);
        let left = (world.memory.count(DELIVERIES), world.memory.count(DELIVERY_IDS), world.memory.count(DUES));
        prop_assert_eq!(left, (0, 0, 0));
    }
}
