//! Queues that are full of what every device has: nothing of it is in the way for longer than it takes to remove it.

use qpq_proto::Status;
use qpq_proto::limits::RelayLimits;

use super::queues::{ALICE, BOB};
use super::world::{Device, World};

const BOBS_PHONE: Device = Device { person: 2, number: 2 };
const FULL: u64 = 12;

/// Removes four deliveries in a step, and has room for twelve of ten bytes.
fn world() -> World {
    let mut world =
        World::with(RelayLimits { queue_bytes_max: 120, removals_per_step_max: 4, ..RelayLimits::ROUTER });
    world.enrol(ALICE);
    world.enrol(BOB);
    world
}

impl World {
    fn put_to_bob(&mut self, text: &str) -> Result<u64, Status> {
        let answer = self.enqueue(ALICE.caller(), BOB.identity().as_bytes(), text);
        answer.map(|response| response.seq).map_err(|failure| failure.status)
    }

    fn fill(&mut self) {
        for number in 0..FULL {
            self.put_to_bob(&format!("number {number:3}")).unwrap();
        }
        assert_eq!(self.put_to_bob("one more"), Err(Status::QuotaExceeded));
    }
}

#[test]
fn what_was_acknowledged_is_in_nobodys_way_after_a_restart() {
    let mut world = world();
    world.fill();
    assert_eq!(world.ack(BOB, FULL), Ok(FULL));
    world.restart("").unwrap();
    world.log_in(ALICE, false);
    assert_eq!(world.put_to_bob("one more"), Ok(FULL + 1));
}

#[test]
fn what_was_acknowledged_goes_after_a_restart_by_itself() {
    let mut world = world();
    world.fill();
    assert_eq!(world.ack(BOB, FULL), Ok(FULL));
    world.restart("").unwrap();
    assert!(world.memory.holds(b"number  11"));
    world.pass(0);
    assert!(!world.memory.holds(b"number"));
}

#[test]
fn what_only_a_device_that_is_gone_lacked_is_in_nobodys_way() {
    let mut world = world();
    world.enrol(BOBS_PHONE);
    world.fill();
    assert_eq!(world.ack(BOB, FULL), Ok(FULL));
    assert_eq!(world.put_to_bob("one more"), Err(Status::QuotaExceeded), "the phone lacks it all");
    world.expel(BOBS_PHONE);
    assert_eq!(world.put_to_bob(&"x".repeat(41)), Err(Status::QuotaExceeded), "there is room for forty yet");
    world.pass(0);
    assert_eq!(world.put_to_bob(&"x".repeat(41)), Ok(FULL + 1));
}

#[test]
fn a_mailbox_takes_as_much_as_its_relay_permits_now() {
    let mut world = world();
    world.fill();
    world.relay.limits.queue_bytes_max = 130;
    assert_eq!(world.put_to_bob("number  12"), Ok(FULL + 1));
    assert_eq!(world.put_to_bob("number  13"), Err(Status::QuotaExceeded));
}
