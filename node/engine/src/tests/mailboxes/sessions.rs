//! Accounts and sessions.

use qpq_proto::{Failure, Method, Status, v1};

use super::{ALICE, BOB, mailbox, say, with_mailboxes};
use crate::tests::world::World;

fn refused(answer: Result<v1::MailboxRelay, Failure>) -> (Status, String) {
    let failure = answer.unwrap_err();
    (failure.status, failure.message)
}

#[test]
fn what_was_typed_wrong_is_said_in_words() {
    let mut world = World::of(&["alice", "bob"]);
    let link = world.add_office();
    assert_eq!(world.register(BOB, &link).unwrap().state, "ready");
    let wrong_log = format!("{}/{}/relay0.example:5001", &link[..76], "ff".repeat(32));
    for (answer, status, words) in [
        (world.log_in(BOB, &link, "wrong horse"), Status::Forbidden, "password is wrong"),
        (world.log_in(ALICE, &link, "correct horse"), Status::Forbidden, "no such account"),
        (world.log_in(ALICE, "qpq:ABC", "correct horse"), Status::BadRequest, "not a link to a relay"),
        (world.log_in(ALICE, &link, ""), Status::BadRequest, "password"),
        (world.log_in(BOB, &wrong_log, "correct horse"), Status::Forbidden, "signed by another key"),
    ] {
        let (found, message) = refused(answer);
        assert_eq!(found, status, "{message}");
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn a_failed_login_leaves_what_there_was() {
    let mut world = with_mailboxes(1);
    let link = format!("qpq://relay/{0}/{0}/relay0.example:5001", "00".repeat(32));
    world.log_in(BOB, &link, "wrong horse").unwrap_err();
    world.pass(10_000);
    world.cut(ALICE, BOB);
    say(&mut world, "hello");
    assert_eq!(world.received(BOB), ["alice: hello"]);
}

#[test]
fn a_session_is_resumed_after_each_interruption() {
    let mut world = with_mailboxes(1);
    world.cut(ALICE, BOB);
    for text in ["one", "two"] {
        world.open_office(0, false);
        world.pass(1_000);
        world.open_office(0, true);
        say(&mut world, text);
        world.pass(20_000);
    }
    world.stop(BOB);
    world.start(BOB);
    say(&mut world, "three");
    world.pass(20_000);
    let mut received = world.received(BOB);
    received.sort();
    assert_eq!(received, ["alice: one", "alice: three", "alice: two"]);
    assert_eq!(world.offices[0].calls["OpaqueLoginStart"], 1);
}

#[test]
fn a_session_that_has_ended_is_told_and_can_be_renewed() {
    let mut world = with_mailboxes(1);
    let link = format!("qpq://relay/{0}/{0}/relay0.example:5001", "00".repeat(32));
    world.offices[0].end_sessions();
    world.open_office(0, false);
    world.open_office(0, true);
    world.pass(10_000);
    let status: v1::NodeStatusResponse =
        world.owner(BOB, Method::NodeStatus, &v1::NodeStatusRequest {}).unwrap();
    let item = status.health.iter().find(|item| item.code == "relay-logged-out").unwrap();
    assert_eq!(item.fix, "qpq relay login LINK --username person1");
    world.cut(ALICE, BOB);
    say(&mut world, "hello");
    assert!(world.received(BOB).is_empty());
    assert_eq!(world.log_in(BOB, &link, "correct horse").unwrap().state, "ready");
    world.pass(5_000);
    assert_eq!(world.received(BOB), ["alice: hello"], "the mailbox is the same as before");
}

#[test]
fn a_session_outlives_a_time_without_the_role() {
    let mut world = with_mailboxes(1);
    world.cut(ALICE, BOB);
    world.offices[0].is_no_relay = true;
    world.open_office(0, false);
    world.open_office(0, true);
    world.pass(30_000);
    world.offices[0].is_no_relay = false;
    world.pass(30_000);
    say(&mut world, "hello");
    assert_eq!(world.received(BOB), ["alice: hello"]);
    assert_eq!(world.offices[0].calls["OpaqueLoginStart"], 1);
}

#[test]
fn a_relay_that_does_not_answer_is_told_as_such() {
    let mut world = World::of(&["alice"]);
    let link = world.add_office();
    world.open_office(0, false);
    assert_eq!(world.register(ALICE, &link).unwrap().state, "registering");
    let again = refused(world.register(ALICE, &link));
    assert_eq!(again.0, Status::Conflict);
    world.open_office(0, true);
    world.pass(5_000);
    let listed: v1::ListMailboxRelaysResponse =
        world.owner(ALICE, Method::ListMailboxRelays, &v1::ListMailboxRelaysRequest {}).unwrap();
    assert_eq!(listed.relays[0].state, "ready");
}

#[test]
fn a_relay_may_hold_fewer_tokens_than_there_are_contacts_for() {
    let mut world = World::friends(&["alice", "bob"]);
    let link = world.add_office();
    world.offices[0].tokens_max = 20;
    world.register(BOB, &link).unwrap();
    world.pass(120_000);
    assert_eq!(mailbox(&world, 0).0, 0);
    assert!(world.offices[0].calls["SetDeliveryTokens"] < 3);
}
