//! Messages that others carry: the two who write to each other never meet.

use qpq_proto::{Method, v1};

use super::{groups::group, world::World};

mod clocks;
mod kinds;
mod large;
mod look;
mod pieces;
mod room;
mod states;

pub(super) const ALICE: usize = 0;
pub(super) const BOB: usize = 1;
pub(super) const CAROL: usize = 2;

pub(super) const MINUTE_MS: u64 = 60_000;
pub(super) const DAY_MS: u64 = 1_440 * MINUTE_MS;

/// Alice and carol are contacts who cannot reach each other; both know bob, and neither reaches him now.
fn apart() -> World {
    apart_but(&[])
}

/// Alice, bob and carol are contacts; who is not named here cannot be reached.
pub(super) fn apart_but(joined: &[(usize, usize)]) -> World {
    let mut world = World::friends(&["alice", "bob", "carol"]);
    world.befriend(ALICE, CAROL);
    world.befriend(BOB, CAROL);
    world.pass(MINUTE_MS);
    for (one, other) in [(ALICE, BOB), (ALICE, CAROL), (BOB, CAROL)] {
        if !joined.contains(&(one, other)) {
            world.cut(one, other);
        }
    }
    world
}

/// Two meet for a minute, and part.
fn meet(world: &mut World, one: usize, other: usize) {
    world.join(one, other);
    world.pass(MINUTE_MS);
    world.cut(one, other);
    world.pass(MINUTE_MS);
}

fn state(world: &mut World, id: &[u8]) -> String {
    world.state_of(ALICE, id)
}

#[test]
fn a_message_goes_by_somebody_who_meets_first_one_and_then_the_other() {
    let mut world = apart();
    let id = world.send(ALICE, "@carol", "by bob").unwrap().id;
    world.pass(MINUTE_MS);
    assert_eq!(state(&mut world, &id), "queued");
    meet(&mut world, ALICE, BOB);
    assert_eq!(state(&mut world, &id), "handed");
    let request = v1::TraceMessageRequest { id: id.clone() };
    let trace: v1::TraceMessageResponse = world.owner(ALICE, Method::TraceMessage, &request).unwrap();
    assert!(trace.steps.iter().any(|step| step.what == "handed" && step.at_ms > 0), "{trace:?}");
    assert_eq!(world.received(BOB), [""; 0], "who carries it cannot read it");
    meet(&mut world, BOB, CAROL);
    assert_eq!(world.received(CAROL), ["alice: by bob"]);
    assert_eq!(state(&mut world, &id), "handed");
    meet(&mut world, ALICE, BOB);
    assert_eq!(state(&mut world, &id), "delivered");
    meet(&mut world, ALICE, CAROL);
    assert_eq!(world.received(CAROL), ["alice: by bob"]);
}

#[test]
fn what_came_both_ways_is_shown_once() {
    let mut world = apart();
    let id = world.send(ALICE, "@carol", "hello").unwrap().id;
    meet(&mut world, ALICE, BOB);
    meet(&mut world, ALICE, CAROL);
    assert_eq!(state(&mut world, &id), "delivered");
    meet(&mut world, BOB, CAROL);
    assert_eq!(world.received(CAROL), ["alice: hello"]);
}

#[test]
fn a_carrier_and_a_recipient_that_restart_lose_nothing() {
    let mut world = apart();
    for number in 0..40 {
        world.send(ALICE, "@carol", &number.to_string()).unwrap();
    }
    meet(&mut world, ALICE, BOB);
    world.stop(BOB);
    world.pass(3 * DAY_MS);
    world.start(BOB);
    meet(&mut world, BOB, CAROL);
    world.stop(CAROL);
    world.start(CAROL);
    let received: Vec<String> = (0..40).map(|number| format!("alice: {number}")).collect();
    let mut got = world.received(CAROL);
    got.sort_by_key(|text| text["alice: ".len()..].parse::<u32>().unwrap());
    assert_eq!(got, received);
    meet(&mut world, ALICE, BOB);
    assert!(world.history(ALICE).iter().all(|message| message.state == "delivered"));
}

#[test]
fn a_group_hears_what_one_of_it_carries_to_the_others() {
    let mut world = group(&["alice", "bob", "carol"]);
    world.pass(MINUTE_MS);
    for (one, other) in [(ALICE, BOB), (ALICE, CAROL), (BOB, CAROL)] {
        world.cut(one, other);
    }
    let id = world.send(ALICE, "#village", "to all").unwrap().id;
    meet(&mut world, ALICE, BOB);
    assert_eq!(world.received(BOB), ["alice: to all"]);
    meet(&mut world, BOB, CAROL);
    assert_eq!(world.received(CAROL), ["alice: to all"]);
    meet(&mut world, BOB, CAROL);
    meet(&mut world, ALICE, BOB);
    assert_eq!(state(&mut world, &id), "delivered");
}

#[test]
fn carried_messages_end_with_their_lifetime() {
    let mut world = apart();
    world.send(ALICE, "@carol", "late").unwrap();
    meet(&mut world, ALICE, BOB);
    world.pass(15 * DAY_MS);
    meet(&mut world, BOB, CAROL);
    assert_eq!(world.received(CAROL), [""; 0]);
    meet(&mut world, ALICE, CAROL);
    assert_eq!(world.received(CAROL), ["alice: late"], "the sender keeps it longer than any carrier");
}
