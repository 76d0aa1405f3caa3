//! Lifetimes in custody, whatever the wall clocks say.

use super::{
    super::world::World,
    ALICE, BOB, CAROL, DAY_MS, MINUTE_MS, apart,
    look::{expiry_and_now, kinds},
    meet,
};

const HOUR_MS: u64 = 3_600_000;
/// How wrong a clock is that starts in 1970 on 2026-11-21.
const TO_1970_MS: i64 = -1_795_219_200_000;
/// How wrong one is that thinks it is 2040.
const TO_2040_MS: i64 = 413_769_600_000;

/// Bob holds a message of alice's to carol.
fn carrying() -> World {
    let mut world = apart();
    world.send(ALICE, "@carol", "by bob").unwrap();
    meet(&mut world, ALICE, BOB);
    world
}

/// Bob's node is off for a while, and its clock then wrong by so much. Returns what its bundle lost of its lifetime.
fn charged_ms(world: &mut World, off_ms: u64, error_ms: i64) -> u64 {
    let (_, before_ms) = expiry_and_now(world, BOB);
    world.stop(BOB);
    world.pass(off_ms);
    world.nodes[BOB].clock_error_ms = error_ms;
    world.start(BOB);
    let (_, after_ms) = expiry_and_now(world, BOB);
    after_ms - before_ms
}

/// What is charged differs by what the node did not write before it went down: ten minutes at most, and what the sweep
/// of an hour adds.
fn is_about(charged_ms: u64, expected_ms: u64) -> bool {
    charged_ms <= expected_ms && charged_ms + 2 * HOUR_MS > expected_ms
}

#[test]
fn a_gap_is_charged_by_clocks_that_can_be_believed_and_as_six_hours_else() {
    for (error_before_ms, off_ms, error_after_ms, expected_ms) in [
        (0, 3 * DAY_MS, 0, 3 * DAY_MS),
        (TO_2040_MS, 3 * DAY_MS, TO_2040_MS, 3 * DAY_MS),
        (TO_1970_MS, 3 * DAY_MS, TO_1970_MS, 6 * HOUR_MS),
        (0, 3 * DAY_MS, TO_1970_MS, 6 * HOUR_MS),
        (TO_1970_MS, 3 * DAY_MS, 0, 6 * HOUR_MS),
        (0, 3 * DAY_MS, TO_2040_MS, 6 * HOUR_MS),
        (TO_2040_MS, 3 * DAY_MS, 0, 6 * HOUR_MS),
    ] {
        let mut world = carrying();
        charged_ms(&mut world, 0, error_before_ms);
        world.pass(2 * HOUR_MS);
        let charged = charged_ms(&mut world, off_ms, error_after_ms);
        assert!(is_about(charged, expected_ms), "{error_before_ms} to {error_after_ms}: {charged} ms");
    }
}

#[test]
fn a_clock_that_jumps_while_the_node_runs_changes_nothing() {
    for error_ms in [TO_1970_MS, TO_2040_MS] {
        let mut world = carrying();
        let (_, before_ms) = expiry_and_now(&mut world, BOB);
        world.nodes[BOB].clock_error_ms = error_ms;
        world.pass(DAY_MS);
        let (_, after_ms) = expiry_and_now(&mut world, BOB);
        assert_eq!(after_ms - before_ms, DAY_MS);
        meet(&mut world, BOB, CAROL);
        assert_eq!(world.received(CAROL), ["alice: by bob"]);
    }
}

#[test]
fn a_router_that_always_boots_in_1970_neither_loses_a_bundle_nor_keeps_it_for_ever() {
    let mut world = carrying();
    for boot in 1..=80 {
        let is_held = !kinds(&world, BOB).is_empty();
        // Fourteen days are 56 times six hours, and each run takes a minute.
        match boot {
            ..=54 => assert!(is_held, "boot {boot}"),
            60.. => assert!(!is_held, "boot {boot}"),
            _ => {}
        }
        world.stop(BOB);
        world.nodes[BOB].clock_error_ms = TO_1970_MS - i64::try_from(world_age(boot)).unwrap();
        world.start(BOB);
        world.pass(MINUTE_MS);
    }
}

/// How long the world has existed at a boot, at least: the router's clock begins anew each time.
fn world_age(boot: u64) -> u64 {
    boot * MINUTE_MS
}
