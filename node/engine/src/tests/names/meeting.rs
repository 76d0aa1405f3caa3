//! First contact by name.

use qpq_proto::{Failure, Method, Status, v1};

use super::{ALICE, BOB, find, identity, registered};
use crate::tests::world::World;

const CAROL: usize = 2;

fn add(world: &mut World, node: usize, address: &str) -> Result<v1::Contact, Failure> {
    assert_eq!(find(world, node, address)?.state, "found");
    let request = v1::AddContactRequest { link: address.into(), name: String::new() };
    let added: v1::AddContactResponse = world.owner(node, Method::AddContact, &request)?;
    world.pass(5_000);
    Ok(added.contact.unwrap())
}

fn contacts(world: &mut World, node: usize) -> Vec<(String, String)> {
    let listed: v1::ListContactsResponse =
        world.owner(node, Method::ListContacts, &v1::ListContactsRequest {}).unwrap();
    listed.contacts.into_iter().map(|contact| (contact.name, contact.state)).collect()
}

fn state(world: &mut World, node: usize) -> String {
    contacts(world, node).first().map(|(_, state)| state.clone()).unwrap_or_default()
}

fn accept(world: &mut World, node: usize, name: &str) {
    let request = v1::AcceptContactRequest { name: name.into() };
    world.owner::<v1::AcceptContactResponse>(node, Method::AcceptContact, &request).unwrap();
    world.pass(10_000);
}

/// People at one relay whose nodes never reach each other.
fn apart(names: &[&'static str]) -> World {
    let (mut world, _) = registered(names);
    for one in 0..names.len() {
        (one + 1..names.len()).for_each(|other| world.cut(one, other));
    }
    world
}

#[test]
fn two_who_share_nothing_but_a_relay_become_contacts() {
    let mut world = apart(&["alice", "bob"]);
    let bob = identity(&mut world, BOB);
    let added = add(&mut world, ALICE, "person1@relay0.example").unwrap();
    assert_eq!((added.state.as_str(), added.name.as_str()), ("requested", "person1"));
    assert_eq!(
        (added.identity.as_slice(), added.met_at.as_str()),
        (&bob.as_bytes()[..], "relay0.example:5001")
    );
    assert_eq!(contacts(&mut world, BOB), [("alice".to_owned(), "pending".to_owned())]);
    world.send(ALICE, "@person1", "before").unwrap();
    accept(&mut world, BOB, "alice");
    assert_eq!((state(&mut world, ALICE), state(&mut world, BOB)), ("accepted".into(), "accepted".into()));
    assert_eq!(world.received(BOB), ["alice: before"]);

    let by_session = left_for_identities(&world);
    world.send(ALICE, "@person1", "hello").unwrap();
    world.send(BOB, "@alice", "good day").unwrap();
    world.pass(10_000);
    assert_eq!(world.received(BOB), ["alice: before", "alice: hello"]);
    assert_eq!(world.received(ALICE), ["person1: good day"]);
    assert_eq!(left_for_identities(&world), by_session, "the mailboxes with tokens are used from now on");
}

/// Deliveries that lie in mailboxes of identities, which take no tokens.
fn left_for_identities(world: &World) -> usize {
    let boxes = world.offices[0].boxes.values();
    boxes.filter(|mailbox| mailbox.tokens.is_empty()).map(|mailbox| mailbox.deliveries.len()).sum()
}

#[test]
fn they_need_never_be_there_at_the_same_time() {
    let mut world = apart(&["alice", "bob"]);
    world.stop(BOB);
    add(&mut world, ALICE, "person1@relay0.example").unwrap();
    let turns = [BOB, ALICE, BOB, ALICE, BOB, ALICE];
    for (number, node) in turns.into_iter().enumerate() {
        let other = if node == ALICE { BOB } else { ALICE };
        world.stop(other);
        world.start(node);
        world.pass(15_000);
        if number == 0 {
            accept(&mut world, BOB, "alice");
        }
        if number == 1 {
            world.send(ALICE, "@person1", "hello").unwrap();
            world.pass(5_000);
        }
    }
    world.start(BOB);
    assert_eq!((state(&mut world, ALICE), state(&mut world, BOB)), ("accepted".into(), "accepted".into()));
    assert_eq!(world.received(BOB), ["alice: hello"]);
}

#[test]
fn both_may_ask_at_once() {
    let mut world = apart(&["alice", "bob"]);
    for (node, address) in [(ALICE, "person1@relay0.example"), (BOB, "person0@relay0.example")] {
        assert_eq!(find(&mut world, node, address).unwrap().state, "found");
    }
    for (node, link) in [(ALICE, "person1@relay0.example"), (BOB, "person0@relay0.example")] {
        let request = v1::AddContactRequest { link: link.into(), name: String::new() };
        world.owner::<v1::AddContactResponse>(node, Method::AddContact, &request).unwrap();
    }
    world.pass(30_000);
    assert_eq!((state(&mut world, ALICE), state(&mut world, BOB)), ("accepted".into(), "accepted".into()));
    world.send(ALICE, "@person1", "hello").unwrap();
    world.send(BOB, "@person0", "good day").unwrap();
    world.pass(20_000);
    assert_eq!(world.received(BOB), ["person0: hello"]);
    assert_eq!(world.received(ALICE), ["person1: good day"]);
}

#[test]
fn a_stranger_who_was_blocked_is_not_heard_again() {
    let mut world = apart(&["alice", "bob"]);
    add(&mut world, ALICE, "person1@relay0.example").unwrap();
    let block = v1::BlockContactRequest { name: "alice".into(), unblock: false };
    world.owner::<v1::BlockContactResponse>(BOB, Method::BlockContact, &block).unwrap();
    let remove = v1::RemoveContactRequest { name: "person1".into() };
    world.owner::<v1::RemoveContactResponse>(ALICE, Method::RemoveContact, &remove).unwrap();
    add(&mut world, ALICE, "person1@relay0.example").unwrap();
    assert_eq!(state(&mut world, BOB), "blocked");
    assert_eq!(state(&mut world, ALICE), "requested");
}

#[test]
fn strangers_who_wait_are_bounded() {
    let mut world = apart(&["alice", "bob", "carol"]);
    world.limit(BOB, |limits| limits.pending_requests_max = 2);
    add(&mut world, ALICE, "person1@relay0.example").unwrap();
    add(&mut world, CAROL, "person1@relay0.example").unwrap();
    assert_eq!(contacts(&mut world, BOB), [("alice".to_owned(), "pending".to_owned())]);
    accept(&mut world, BOB, "alice");
    assert_eq!(state(&mut world, ALICE), "accepted", "the others are not held up");
}

#[test]
fn the_nodes_of_a_stranger_are_not_called_before_it_is_accepted() {
    let (mut world, _) = registered(&["alice", "bob"]);
    add(&mut world, ALICE, "person1@relay0.example").unwrap();
    assert_eq!(state(&mut world, BOB), "pending");
    assert!(!world.are_connected(ALICE, BOB));
    accept(&mut world, BOB, "alice");
    assert!(world.are_connected(ALICE, BOB));
}

#[test]
fn who_was_not_found_is_not_asked() {
    let mut world = apart(&["alice", "bob"]);
    let add = |world: &mut World, link: &str| {
        let request = v1::AddContactRequest { link: link.into(), name: String::new() };
        world.owner::<v1::AddContactResponse>(ALICE, Method::AddContact, &request).unwrap_err()
    };
    let unknown = add(&mut world, "person1@relay0.example");
    assert_eq!(unknown.status, Status::Conflict, "{unknown}");
    find(&mut world, ALICE, "nobody@relay0.example").unwrap();
    assert_eq!(add(&mut world, "nobody@relay0.example").status, Status::NotFound);
    find(&mut world, ALICE, "person0@relay0.example").unwrap();
    assert!(add(&mut world, "person0@relay0.example").message.contains("your own name"));
    for no_address in ["@relay0.example", "person1", "qpq:person1@relay0.example"] {
        assert_eq!(add(&mut world, no_address).status, Status::BadRequest, "{no_address}");
    }
    world.offices[0].lie = |answer| answer.version += 1;
    find(&mut world, ALICE, "person1").unwrap();
    assert!(add(&mut world, "person1@relay0.example").message.contains("nothing of this relay's log"));
}

#[test]
fn who_has_published_no_key_cannot_be_asked() {
    let mut world = apart(&["alice", "bob"]);
    let published = std::mem::take(&mut world.offices[0].hybrid_keys);
    add(&mut world, ALICE, "person1@relay0.example").unwrap();
    assert_eq!(state(&mut world, ALICE), "refused");
    world.offices[0].hybrid_keys = published;
    add(&mut world, ALICE, "person1@relay0.example").unwrap();
    assert_eq!((state(&mut world, ALICE), state(&mut world, BOB)), ("requested".into(), "pending".into()));
}
