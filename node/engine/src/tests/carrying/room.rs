//! A sender whose own custody is full: what has no room waits, and goes when there is room.

use super::{
    super::{groups::rotate, world::World},
    ALICE, BOB, CAROL, MINUTE_MS, apart,
    look::limit,
    meet, state,
};
use crate::{records::ParcelRecord, tables};

/// Bundles that alice's own custody has room for.
const ROOM: usize = 3;

/// Alice has written so much to carol, whom she cannot reach.
fn written(messages: usize) -> (World, Vec<Vec<u8>>) {
    let mut world = apart();
    narrow(&mut world);
    let ids = (0..messages).map(|number| world.send(ALICE, "@carol", &number.to_string()).unwrap().id);
    let ids = ids.collect();
    (world, ids)
}

fn narrow(world: &mut World) {
    limit(world, ALICE, |limits| limits.custody_bundles_max = ROOM);
}

/// What bob has goes to carol, and alice hears of it and gives him more.
fn carried(world: &mut World) {
    meet(world, BOB, CAROL);
    meet(world, ALICE, BOB);
}

/// How many messages are delivered, how many are handed on, and how many entries of the outbox wait for room.
fn counts(world: &mut World, ids: &[Vec<u8>]) -> (usize, usize, usize) {
    let states: Vec<String> = ids.iter().map(|id| state(world, id)).collect();
    let count = |wanted: &str| states.iter().filter(|state| *state == wanted).count();
    let entries: Vec<ParcelRecord> = tables::all(&world.nodes[ALICE].memory, tables::OUTGOING).unwrap();
    (count("delivered"), count("handed"), entries.iter().filter(|entry| entry.is_refused).count())
}

#[test]
fn what_had_no_room_is_carried_when_there_is_room() {
    for is_restarted in [false, true] {
        let (mut world, ids) = written(8);
        meet(&mut world, ALICE, BOB);
        assert_eq!(counts(&mut world, &ids), (0, 3, 5));
        if is_restarted {
            world.stop(ALICE);
            world.start(ALICE);
            narrow(&mut world);
        }
        for expected in [(3, 3, 2), (6, 2, 0), (8, 0, 0)] {
            carried(&mut world);
            assert_eq!(counts(&mut world, &ids), expected, "restarted: {is_restarted}");
        }
        assert_eq!(world.received(CAROL).len(), ids.len());
    }
}

#[test]
fn what_made_room_for_an_own_commit_is_carried_again() {
    let (mut world, ids) = written(3);
    meet(&mut world, ALICE, BOB);
    rotate(&mut world, ALICE, "@carol");
    meet(&mut world, ALICE, BOB);
    assert_eq!(counts(&mut world, &ids), (0, 3, 1));
    carried(&mut world);
    assert_eq!(counts(&mut world, &ids), (3, 0, 0), "bob says that the one it has no longer has arrived");
}

#[test]
fn those_without_room_do_not_keep_the_node_busy() {
    let (mut world, ids) = written(100);
    meet(&mut world, ALICE, BOB);
    assert_eq!(counts(&mut world, &ids), (0, 3, 97));
    world.join(ALICE, BOB);
    world.pass(MINUTE_MS);
    let soon =
        world.act(ALICE, |engine, cx| engine.wake_at().is_some_and(|at| at <= cx.now.monotonic_ms + 1_000));
    assert!(!soon, "nothing is looked for until something happens");
}
