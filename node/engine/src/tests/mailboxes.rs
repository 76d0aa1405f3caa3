//! Messages that reach people through relays of theirs, though the two are never there at the same time.

use qpq_proto::{Method, Status, v1};

use super::world::World;

mod batches;
mod crashes;
mod invited;
mod sessions;

const ALICE: usize = 0;
const BOB: usize = 1;

/// Alice and bob are contacts; bob has a mailbox at each of so many relays, and alice knows it.
fn with_mailboxes(offices: usize) -> World {
    let mut world = World::friends(&["alice", "bob"]);
    for _ in 0..offices {
        let link = world.add_office();
        assert_eq!(world.register(BOB, &link).unwrap().state, "ready");
    }
    world.pass(3_000);
    world
}

/// The one mailbox at a relay: tokens that it takes, what was ever left in it, and how much of that was fetched.
fn mailbox(world: &World, office: usize) -> (usize, usize, usize) {
    let mut boxes = world.offices[office].boxes.values();
    let only = boxes.next().unwrap();
    assert!(boxes.next().is_none());
    (only.tokens.len(), only.deliveries.len(), only.taken)
}

/// Alice says something while bob is away; its id.
fn say(world: &mut World, text: &str) -> Vec<u8> {
    let id = world.send(ALICE, "@bob", text).unwrap().id;
    world.pass(3_000);
    id
}

#[test]
fn a_message_reaches_somebody_who_is_never_there_at_the_same_time() {
    let mut world = with_mailboxes(1);
    world.stop(BOB);
    world.pass(3_000);
    let id = say(&mut world, "hello");
    assert_eq!(world.state_of(ALICE, &id), "relayed");
    world.stop(ALICE);
    world.start(BOB);
    world.pass(5_000);
    assert_eq!(world.received(BOB), ["alice: hello"]);
    let (_, left, fetched) = mailbox(&world, 0);
    assert_eq!((left, fetched), (1, 1));

    world.start(ALICE);
    world.pass(10_000);
    assert_eq!(world.state_of(ALICE, &id), "delivered");
    assert_eq!(world.received(BOB), ["alice: hello"], "once");
}

#[test]
fn a_trace_names_the_relay_and_waiting_for_sent_ends_with_it() {
    let mut world = with_mailboxes(1);
    world.stop(BOB);
    let id = say(&mut world, "hello");
    let request = v1::TraceMessageRequest { id: id.clone() };
    let trace: v1::TraceMessageResponse = world.owner(ALICE, Method::TraceMessage, &request).unwrap();
    assert!(trace.steps.iter().any(|step| step.what == "relayed" && step.at_ms > 0), "{trace:?}");
    assert_eq!(trace.recipients[0].state, "relayed");
    assert!(trace.recipients[0].reason.contains("has not fetched it"), "{trace:?}");
    for (state, reached) in [("sent", true), ("delivered", false)] {
        let request = v1::WaitMessageRequest { id: id.clone(), state: state.into(), timeout_ms: 0 };
        let answer: v1::WaitMessageResponse = world.owner(ALICE, Method::WaitMessage, &request).unwrap();
        assert_eq!(answer.reached, reached, "{state}");
    }
}

#[test]
fn receipts_come_by_relay_too() {
    let mut world = with_mailboxes(1);
    let link = world.add_office();
    world.register(ALICE, &link).unwrap();
    world.pass(3_000);
    world.cut(ALICE, BOB);
    let id = say(&mut world, "hello");
    world.pass(10_000);
    assert_eq!(world.received(BOB), ["alice: hello"]);
    assert_eq!(world.state_of(ALICE, &id), "delivered");
}

#[test]
fn what_a_relay_holds_is_not_carried_as_well() {
    let mut world = World::friends(&["alice", "bob", "carol"]);
    world.befriend(ALICE, 2);
    let link = world.add_office();
    world.register(BOB, &link).unwrap();
    world.pass(3_000);
    world.stop(BOB);
    let id = say(&mut world, "hello");
    world.pass(10_000);
    assert_eq!(world.state_of(ALICE, &id), "relayed");
    assert_eq!(world.history(ALICE).last().unwrap().handed, 0);
}

#[test]
fn without_relay_or_token_the_mesh_carries() {
    let mut world = World::friends(&["alice", "bob", "carol"]);
    world.befriend(ALICE, 2);
    let link = world.add_office();
    world.register(BOB, &link).unwrap();
    world.pass(3_000);
    world.stop(BOB);
    world.open_office(0, false);
    let id = say(&mut world, "hello");
    world.pass(3_000);
    assert_eq!(world.state_of(ALICE, &id), "handed");
}

#[test]
fn the_first_relay_that_answers_takes_it_and_bob_listens_at_all() {
    let mut world = with_mailboxes(2);
    world.stop(BOB);
    say(&mut world, "one");
    assert_eq!((mailbox(&world, 0).1, mailbox(&world, 1).1), (1, 0));
    world.open_office(0, false);
    let id = say(&mut world, "two");
    assert_eq!(world.state_of(ALICE, &id), "relayed");
    assert_eq!((mailbox(&world, 0).1, mailbox(&world, 1).1), (1, 1));
    world.open_office(0, true);
    world.stop(ALICE);
    world.start(BOB);
    world.pass(5_000);
    let mut received = world.received(BOB);
    received.sort();
    assert_eq!(received, ["alice: one", "alice: two"]);
}

#[test]
fn a_relay_that_comes_back_is_given_what_waited() {
    let mut world = with_mailboxes(1);
    world.stop(BOB);
    world.open_office(0, false);
    let id = say(&mut world, "hello");
    assert_eq!(world.state_of(ALICE, &id), "queued");
    world.open_office(0, true);
    world.pass(20_000);
    assert_eq!(world.state_of(ALICE, &id), "relayed");
}

#[test]
fn contacts_get_more_tokens_when_half_of_them_are_used() {
    let mut world = with_mailboxes(1);
    let all = mailbox(&world, 0).0;
    for round in 0..3 {
        world.stop(BOB);
        world.pass(3_000);
        for number in 0..16 {
            say(&mut world, &format!("{round}-{number}"));
        }
        assert_eq!(mailbox(&world, 0).0, all - 16, "round {round}");
        world.start(BOB);
        world.pass(10_000);
        assert_eq!(mailbox(&world, 0).0, all, "round {round}");
    }
    assert_eq!(world.received(BOB).len(), 48);
}

#[test]
fn without_tokens_messages_wait_and_arrive_all_the_same() {
    let mut world = with_mailboxes(1);
    world.stop(BOB);
    let sent: Vec<_> = (0..40).map(|number| say(&mut world, &format!("{number}"))).collect();
    assert_eq!(mailbox(&world, 0).0, 0);
    assert_eq!(world.state_of(ALICE, &sent[31]), "relayed");
    assert_eq!(world.state_of(ALICE, &sent[32]), "queued");
    world.start(BOB);
    world.pass(30_000);
    let expected: Vec<_> = (0..40).map(|number| format!("alice: {number}")).collect();
    let mut received = world.received(BOB);
    received.sort_by_key(|text| text[7..].parse::<u32>().unwrap());
    assert_eq!(received, expected);
}

#[test]
fn a_mailbox_that_was_given_up_is_used_no_more() {
    let mut world = with_mailboxes(2);
    let listed: v1::ListMailboxRelaysResponse =
        world.owner(BOB, Method::ListMailboxRelays, &v1::ListMailboxRelaysRequest {}).unwrap();
    let states: Vec<_> = listed.relays.iter().map(|relay| (relay.state.as_str(), relay.contacts)).collect();
    assert_eq!(states, [("ready", 1), ("ready", 1)]);
    let request = v1::LeaveRelayRequest { relay: "0000".into() };
    let left: v1::LeaveRelayResponse = world.owner(BOB, Method::LeaveRelay, &request).unwrap();
    assert!(!left.unreached);
    world.pass(3_000);
    assert!(world.offices[0].boxes.is_empty());
    world.stop(BOB);
    let id = say(&mut world, "hello");
    assert_eq!((world.state_of(ALICE, &id).as_str(), mailbox(&world, 1).1), ("relayed", 1));
    let again = world.owner::<v1::LeaveRelayResponse>(BOB, Method::LeaveRelay, &request);
    assert_eq!(again.unwrap_err().status, Status::NotFound);
}

#[test]
fn a_group_message_goes_by_each_members_own_way() {
    let mut world = World::of(&["alice", "bob", "carol"]);
    let link = world.add_office();
    world.befriend(ALICE, BOB);
    world.befriend(ALICE, 2);
    world.register(BOB, &link).unwrap();
    world.pass(3_000);
    let request =
        v1::CreateGroupRequest { name: "village".into(), members: vec!["@bob".into(), "@carol".into()] };
    world.owner::<v1::CreateGroupResponse>(ALICE, Method::CreateGroup, &request).unwrap();
    world.pass(10_000);
    world.stop(BOB);
    world.pass(3_000);
    let id = world.send(ALICE, "#village", "all").unwrap().id;
    world.pass(5_000);
    assert_eq!(world.state_of(ALICE, &id), "relayed");
    assert_eq!(world.received(2), ["alice: all"]);
    world.stop(ALICE);
    world.stop(2);
    world.start(BOB);
    world.pass(5_000);
    assert_eq!(world.received(BOB), ["alice: all"]);
}
