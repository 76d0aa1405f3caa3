//! Reading: conversations, messages page by page, events, what is unread, and ids that the caller chose.

use qpq_proto::{Failure, Method, Status, v1};

use super::world::World;

const ALICE: usize = 0;
const BOB: usize = 1;
const CAROL: usize = 2;

/// Alice with two contacts, who in turn have sent her so many texts each.
fn busy(rounds: usize) -> World {
    let mut world = World::of(&["alice", "bob", "carol"]);
    world.befriend(ALICE, BOB);
    world.befriend(ALICE, CAROL);
    for round in 0..rounds {
        for from in [BOB, CAROL] {
            world.send(from, "@alice", &format!("{round}")).unwrap();
            world.settle();
        }
    }
    world
}

fn read(world: &mut World, conversation: &str, since: u64, limit: u32, newest: bool) -> Vec<v1::Message> {
    let request = v1::ReadMessagesRequest { conversation: conversation.into(), since, limit, newest };
    let answer: v1::ReadMessagesResponse = world.owner(ALICE, Method::ReadMessages, &request).unwrap();
    assert_eq!(answer.next, answer.messages.last().map_or(since, |message| message.cursor));
    answer.messages
}

fn mark(world: &mut World, conversation: &str, cursor: u64) -> Result<v1::MarkReadResponse, Failure> {
    let request = v1::MarkReadRequest { conversation: conversation.into(), cursor };
    world.owner(ALICE, Method::MarkRead, &request)
}

fn unread(world: &mut World, name: &str) -> u64 {
    world.conversations(ALICE).into_iter().find(|conversation| conversation.name == name).unwrap().unread
}

fn words(messages: &[v1::Message]) -> Vec<String> {
    messages.iter().map(|message| format!("{} {}", message.from, message.text)).collect()
}

#[test]
fn pages_hold_what_was_asked_for() {
    let mut world = busy(3);
    let all = read(&mut world, "", 0, 0, false);
    assert_eq!(words(&all), ["bob 0", "carol 0", "bob 1", "carol 1", "bob 2", "carol 2"]);
    let at = |index: usize| all[index].cursor;
    for (conversation, since, limit, newest, expected) in [
        ("", 0, 2, false, &all[..2]),
        ("", 0, 2, true, &all[4..]),
        ("", at(1), 3, false, &all[2..5]),
        ("", at(1), 0, true, &all[2..]),
        ("", at(4), 9_999, false, &all[5..]),
        ("", at(5), 0, false, &[]),
        ("", u64::MAX, 0, true, &[]),
        ("@carol", 0, 1, false, &all[1..2]),
        ("@carol", at(1), 1, false, &all[3..4]),
        ("@carol", 0, 1, true, &all[5..]),
        ("@bob", at(4), 0, true, &[]),
    ] {
        let page = read(&mut world, conversation, since, limit, newest);
        assert_eq!(page, expected, "{conversation:?} since {since}, {limit}, newest {newest}");
    }
}

#[test]
fn whoever_goes_on_from_the_cursor_reads_each_message_once() {
    let mut world = busy(5);
    for limit in [1, 2, 3, 7] {
        let (mut since, mut read_so_far) = (0, Vec::new());
        loop {
            let page = read(&mut world, "", since, limit, false);
            let Some(last) = page.last() else { break };
            since = last.cursor;
            read_so_far.extend(page);
        }
        assert_eq!(read_so_far, world.history(ALICE), "pages of {limit}");
    }
}

#[test]
fn unread_counts_what_others_said_after_the_mark() {
    let mut world = busy(3);
    world.send(ALICE, "@bob", "one's own are read").unwrap();
    let of_bob: Vec<u64> = read(&mut world, "@bob", 0, 0, false).iter().map(|m| m.cursor).collect();
    assert_eq!(unread(&mut world, "@bob"), 3);
    for (cursor, left) in [(0, 3), (of_bob[0], 2), (of_bob[0] + 1, 2), (of_bob[2], 0), (of_bob[1], 0)] {
        mark(&mut world, "@bob", cursor).unwrap();
        assert_eq!(unread(&mut world, "@bob"), left, "marked up to {cursor}");
    }
    assert_eq!(unread(&mut world, "@carol"), 3, "marks are for one conversation");
    world.send(BOB, "@alice", "news").unwrap();
    world.settle();
    assert_eq!(unread(&mut world, "@bob"), 1);
}

#[test]
fn what_does_not_exist_can_be_neither_read_nor_marked() {
    let mut world = busy(0);
    for (name, status) in [
        ("@nobody", Status::NotFound),
        ("#nothing", Status::NotFound),
        ("bob", Status::BadRequest),
        ("", Status::BadRequest),
    ] {
        assert_eq!(mark(&mut world, name, 1).unwrap_err().status, status, "{name:?}");
        let request = v1::ReadMessagesRequest { conversation: name.into(), ..Default::default() };
        let answer = world.owner::<v1::ReadMessagesResponse>(ALICE, Method::ReadMessages, &request);
        assert_eq!(answer.map_err(|failure| failure.status).err(), (!name.is_empty()).then_some(status));
    }
}

#[test]
fn the_latest_conversation_comes_first() {
    let mut world = busy(1);
    let order = |world: &mut World| -> Vec<String> {
        world.conversations(ALICE).into_iter().map(|conversation| conversation.name).collect()
    };
    world.pass(1_000);
    world.send(ALICE, "@bob", "hello").unwrap();
    assert_eq!(order(&mut world), ["@bob", "@carol"]);
    world.pass(1_000);
    world.send(CAROL, "@alice", "hello").unwrap();
    world.settle();
    assert_eq!(order(&mut world), ["@carol", "@bob"]);
}

#[test]
fn an_id_given_by_the_caller_is_used_and_only_once() {
    let mut world = busy(0);
    let send = |world: &mut World, to: &str, text: &str, id: &[u8]| {
        let request =
            v1::SendMessageRequest { to: to.into(), text: text.into(), id: id.to_vec(), carried: false };
        let sent = world.owner::<v1::SendMessageResponse>(ALICE, Method::SendMessage, &request);
        sent.map(|sent| sent.message.unwrap())
    };
    for id in [&[1; 1][..], &[1; 15], &[1; 17], &[1; 64]] {
        assert_eq!(send(&mut world, "@bob", "x", id).unwrap_err().status, Status::BadRequest);
    }
    let first = send(&mut world, "@bob", "first", &[7; 16]).unwrap();
    assert_eq!(first.id, [7; 16]);
    assert!(send(&mut world, "@nobody", "", &[8; 16]).is_err());
    // Another text or recipient under the same id is not sent: the answer is the message that was.
    for (to, text) in [("@bob", "first"), ("@bob", "second"), ("@carol", "third"), ("@nobody", "")] {
        assert_eq!(send(&mut world, to, text, &[7; 16]).unwrap(), first);
    }
    world.stop(ALICE);
    world.start(ALICE);
    assert_eq!(send(&mut world, "@bob", "after a restart", &[7; 16]).unwrap().cursor, first.cursor);
    world.settle();
    assert_eq!(world.received(BOB), ["alice: first"]);
    assert_eq!(world.received(CAROL), Vec::<String>::new());
    assert_eq!(send(&mut world, "@bob", "x", &[8; 16]).unwrap().text, "x", "what was refused took no id");
}

#[test]
fn two_people_may_use_one_message_id() {
    let mut world = busy(0);
    for (from, to) in [(BOB, "@alice"), (CAROL, "@alice"), (ALICE, "@bob")] {
        let text = format!("{from}");
        let request = v1::SendMessageRequest { to: to.into(), text, id: vec![3; 16], carried: false };
        world.owner::<v1::SendMessageResponse>(from, Method::SendMessage, &request).unwrap();
        world.settle();
    }
    assert_eq!(world.received(ALICE), ["bob: 1", "carol: 2"]);
    assert_eq!(world.received(BOB), ["alice: 0"]);
    assert_eq!(world.history(ALICE).len(), 3);
    assert_eq!(world.history(ALICE)[2].state, "delivered");
}

#[test]
fn a_repeated_send_with_one_id_sends_once() {
    let mut world = World::friends(&["alice", "bob"]);
    let request =
        v1::SendMessageRequest { to: "@bob".into(), text: "once".into(), id: vec![7; 16], carried: false };
    for _ in 0..3 {
        world.owner::<v1::SendMessageResponse>(ALICE, Method::SendMessage, &request).unwrap();
    }
    world.settle();
    assert_eq!(world.received(BOB), ["alice: once"]);
}
