//! What is lost on the way: gaps, contents asked for again, receipts, and chance.

use proptest::prelude::*;
use qpq_proto::v1;

use super::{
    groups::{group, rotate},
    world::World,
};
use crate::tables::{DELIVERIES, OUTGOING, PAYLOADS, UNSEALED};

const ALICE: usize = 0;
const BOB: usize = 1;
const CAROL: usize = 2;

/// Drops what waits at alice's node, as if a carrier had lost it.
fn lose(world: &mut World) {
    world.nodes[ALICE].memory.forget(OUTGOING);
    world.nodes[ALICE].memory.forget(PAYLOADS);
    world.stop(ALICE);
    world.start(ALICE);
}

fn texts(world: &mut World, node: usize) -> Vec<String> {
    let mut texts: Vec<String> = world.history(node).into_iter().map(|message| message.text).collect();
    texts.sort();
    texts
}

fn gaps(world: &mut World, node: usize) -> Vec<(String, u64)> {
    let gap = |event: v1::Event| match event.kind {
        Some(v1::event::Kind::Gap(gap)) => Some((gap.from, gap.missing)),
        _ => None,
    };
    world.events(node).into_iter().filter_map(gap).collect()
}

#[test]
fn what_was_lost_between_two_messages_is_asked_for() {
    for (names, to) in [(&["alice", "bob"][..], "@bob"), (&["alice", "bob", "carol"], "#village")] {
        let mut world = group(names);
        world.send(ALICE, to, "a").unwrap();
        world.settle();
        world.cut(ALICE, BOB);
        for text in ["b", "c", "d"] {
            world.send(ALICE, to, text).unwrap();
        }
        world.settle();
        lose(&mut world);
        world.join(ALICE, BOB);
        world.send(ALICE, to, "e").unwrap();
        world.settle();
        assert_eq!(texts(&mut world, BOB), ["a", "e"], "{to}");
        world.pass(600_000);
        assert_eq!(texts(&mut world, BOB), ["a", "b", "c", "d", "e"], "{to}");
        assert!(world.history(ALICE).iter().all(|message| message.state == "delivered"), "{to}");
    }
}

#[test]
fn what_comes_late_by_itself_is_no_gap() {
    let mut world = World::of(&["alice", "bob"]);
    world.befriend(ALICE, BOB);
    world.is_shuffled = true;
    for number in 0..20 {
        world.send(ALICE, "@bob", &format!("{number}")).unwrap();
    }
    world.pass(600_000);
    assert_eq!(gaps(&mut world, BOB), []);
    assert_eq!(texts(&mut world, BOB).len(), 20);
}

#[test]
fn a_sender_who_forgot_delivers_nothing_twice() {
    let mut world = group(&["alice", "bob", "carol"]);
    let sent = world.send(ALICE, "#village", "hello").unwrap();
    world.settle();
    world.nodes[ALICE].memory.forget(DELIVERIES);
    world.stop(ALICE);
    world.start(ALICE);
    world.pass(600_000);
    assert_eq!(texts(&mut world, BOB), ["hello"]);
    assert_eq!(world.state_of(ALICE, &sent.id), "delivered");
}

#[test]
fn what_waits_unsealed_outlives_restarts_and_goes_in_order() {
    let mut world = World::of(&["alice", "bob"]);
    let link = world.invite(ALICE, false);
    world.stop(ALICE);
    world.follow(BOB, &link).unwrap();
    for number in 0..5 {
        world.send(BOB, "@alice", &format!("{number}")).unwrap();
        world.stop(BOB);
        world.start(BOB);
    }
    assert_eq!(world.nodes[BOB].memory.count(UNSEALED), 5);
    world.start(ALICE);
    world.pass(60_000);
    assert_eq!(world.received(ALICE), ["bob: 0", "bob: 1", "bob: 2", "bob: 3", "bob: 4"]);
    assert_eq!(world.nodes[BOB].memory.count(UNSEALED), 0);
}

#[test]
fn more_messages_of_later_epochs_than_are_kept_arrive_all_the_same() {
    let mut world = group(&["alice", "bob", "carol"]);
    world.limit(CAROL, |limits| limits.future_epoch_messages_max = 3);
    world.cut(ALICE, CAROL);
    rotate(&mut world, ALICE, "#village");
    world.settle();
    for number in 0..8 {
        world.send(BOB, "#village", &format!("{number}")).unwrap();
    }
    world.settle();
    assert_eq!(texts(&mut world, CAROL), Vec::<String>::new());
    world.join(ALICE, CAROL);
    world.pass(4 * 3_600_000);
    assert_eq!(texts(&mut world, CAROL).len(), 8);
    assert!(world.history(BOB).iter().all(|message| message.state == "delivered"));
}

/// Something that may happen at any time.
#[derive(Debug, Clone)]
enum Step {
    Send { from: usize, is_direct: bool },
    Rotate { by: usize },
    Cut { one: usize, other: usize },
    Join { one: usize, other: usize },
    Restart { node: usize },
    Pass { ms: u64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let node = || 0..3_usize;
    let step = prop_oneof![
        4 => (node(), any::<bool>()).prop_map(|(from, is_direct)| Step::Send { from, is_direct }),
        1 => node().prop_map(|by| Step::Rotate { by }),
        1 => (node(), 1..3_usize).prop_map(|(one, by)| Step::Cut { one, other: (one + by) % 3 }),
        1 => (node(), 1..3_usize).prop_map(|(one, by)| Step::Join { one, other: (one + by) % 3 }),
        1 => node().prop_map(|node| Step::Restart { node }),
        2 => (0..30_000_u64).prop_map(|ms| Step::Pass { ms }),
    ];
    prop::collection::vec(step, 1..25)
}

/// Lets it happen; returns how many texts each node should come to hold.
fn happen(world: &mut World, steps: &[Step]) -> [usize; 3] {
    let names = ["@alice", "@bob", "@carol"];
    let mut expected = [0; 3];
    for (number, step) in steps.iter().enumerate() {
        match *step {
            Step::Send { from, is_direct: true } => {
                let to = (from + 1) % 3;
                world.send(from, names[to], &format!("{number}")).unwrap();
                expected[from] += 1;
                expected[to] += 1;
            }
            Step::Send { from, is_direct: false } => {
                world.send(from, "#village", &format!("{number}")).unwrap();
                expected = expected.map(|count| count + 1);
            }
            Step::Rotate { by } => drop(rotate(world, by, "#village")),
            Step::Cut { one, other } => world.cut(one, other),
            Step::Join { one, other } => world.join(one, other),
            Step::Restart { node } => {
                world.stop(node);
                world.start(node);
            }
            Step::Pass { ms } => world.pass(ms),
        }
    }
    expected
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 50, ..ProptestConfig::with_cases(16) })]

    #[test]
    fn everything_arrives_once_whatever_happens(steps in steps(), is_repeating: bool) {
        let mut world = group(&["alice", "bob", "carol"]);
        world.is_shuffled = true;
        world.is_repeating = is_repeating;
        let expected = happen(&mut world, &steps);
        for (one, other) in [(ALICE, BOB), (ALICE, CAROL), (BOB, CAROL)] {
            world.join(one, other);
        }
        world.pass(6 * 3_600_000);
        for (node, expected) in expected.into_iter().enumerate() {
            let mut texts = texts(&mut world, node);
            prop_assert_eq!(texts.len(), expected, "node {}", node);
            texts.dedup();
            prop_assert_eq!(texts.len(), expected, "node {} shows something twice", node);
            let lost = world.history(node).into_iter().find(|m| m.own && m.state != "delivered");
            prop_assert_eq!(lost, None);
            prop_assert_eq!(world.nodes[node].memory.count(OUTGOING), 0);
        }
        let epochs = [ALICE, BOB, CAROL].map(|node| world.show(node, "#village").unwrap().epoch_id);
        prop_assert!(epochs[0] == epochs[1] && epochs[1] == epochs[2]);
    }
}
