//! Answers that get lost, and nodes that are killed at any step.

use super::{ALICE, BOB, mailbox, say, with_mailboxes};

#[test]
fn an_answer_that_was_lost_costs_a_token_and_leaves_one_delivery() {
    let mut world = with_mailboxes(1);
    world.stop(BOB);
    world.pass(3_000);
    world.offices[0].is_silent = true;
    let id = say(&mut world, "hello");
    assert_eq!((world.state_of(ALICE, &id).as_str(), mailbox(&world, 0).1), ("queued", 1));
    world.offices[0].is_silent = false;
    world.pass(60_000);
    assert_eq!((world.state_of(ALICE, &id).as_str(), mailbox(&world, 0).1), ("relayed", 1));
    world.start(BOB);
    world.pass(5_000);
    assert_eq!(world.received(BOB), ["alice: hello"]);
}

#[test]
fn a_sender_that_is_killed_at_any_step_sends_once() {
    for steps in 0..6 {
        let mut world = with_mailboxes(1);
        world.stop(BOB);
        world.pass(3_000);
        let id = world.send(ALICE, "@bob", "hello").unwrap().id;
        for _ in 0..steps {
            world.step();
        }
        world.stop(ALICE);
        world.start(ALICE);
        world.pass(20_000);
        assert_eq!(
            (world.state_of(ALICE, &id).as_str(), mailbox(&world, 0).1),
            ("relayed", 1),
            "after {steps} steps"
        );
        world.stop(ALICE);
        world.start(BOB);
        world.pass(5_000);
        assert_eq!(world.received(BOB), ["alice: hello"], "after {steps} steps");
    }
}

#[test]
fn a_reader_that_is_killed_at_any_step_reads_once() {
    for steps in 0..16 {
        let mut world = with_mailboxes(1);
        world.stop(BOB);
        world.pass(3_000);
        for text in ["one", "two", "three"] {
            say(&mut world, text);
        }
        world.stop(ALICE);
        world.start(BOB);
        for _ in 0..steps {
            world.step();
        }
        world.stop(BOB);
        world.start(BOB);
        world.pass(10_000);
        let mut received = world.received(BOB);
        received.sort();
        assert_eq!(received, ["alice: one", "alice: three", "alice: two"], "after {steps} steps");
        assert_eq!(mailbox(&world, 0).2, 3, "after {steps} steps");
    }
}

#[test]
fn what_is_no_delivery_does_not_hold_up_the_queue() {
    let mut world = with_mailboxes(1);
    world.stop(BOB);
    world.pass(3_000);
    say(&mut world, "before");
    let only = world.offices[0].boxes.values_mut().next().unwrap();
    only.deliveries
        .extend([&b""[..], b"\xff\xff", b"\x0a\x08saltsalt\x12\x10tagtagtagtagtagt"].map(Into::into));
    say(&mut world, "after");
    world.stop(ALICE);
    world.start(BOB);
    world.pass(5_000);
    assert_eq!(world.received(BOB), ["alice: before", "alice: after"]);
    assert_eq!(mailbox(&world, 0).2, 5);
}
