//! Requests that fail, are repeated, or meet somebody who has forgotten this person.

use qpq_proto::{Method, v1};

use super::{groups, world::World};

const ALICE: usize = 0;
const BOB: usize = 1;
const CAROL: usize = 2;

fn state_of_contact(world: &mut World, node: usize, name: &str) -> String {
    let listed: v1::ListContactsResponse =
        world.owner(node, Method::ListContacts, &v1::ListContactsRequest {}).unwrap();
    listed.contacts.into_iter().find(|contact| contact.name == name).unwrap().state
}

fn group_link(world: &mut World, node: usize, group: &str) -> String {
    let request = v1::CreateGroupLinkRequest { group: group.into(), ..Default::default() };
    world.owner::<v1::CreateGroupLinkResponse>(node, Method::CreateGroupLink, &request).unwrap().link
}

fn join(world: &mut World, node: usize, link: &str) -> Result<v1::JoinGroupResponse, qpq_proto::Failure> {
    world.owner(node, Method::JoinGroup, &v1::JoinGroupRequest { link: link.into() })
}

#[test]
fn a_refused_request_says_so_and_can_be_made_again() {
    let mut world = World::of(&["alice", "bob", "carol"]);
    let link = world.invite(ALICE, false);
    world.follow(BOB, &link).unwrap();
    world.settle();
    world.follow(CAROL, &link).unwrap();
    world.settle();
    assert_eq!(state_of_contact(&mut world, CAROL, "alice"), "refused");
    let link = world.invite(ALICE, false);
    world.follow(CAROL, &link).unwrap();
    world.settle();
    assert_eq!(state_of_contact(&mut world, CAROL, "alice"), "accepted");
}

#[test]
fn what_waits_for_a_group_is_not_delivered() {
    let mut world = groups::group(&["alice", "bob"]);
    let carol = world.add_person(CAROL, "carol");
    let link = group_link(&mut world, ALICE, "#village");
    world.cut(ALICE, carol);
    join(&mut world, carol, &link).unwrap();
    let sent = world.send(carol, "#village", "is anybody there?").unwrap();
    world.settle();
    assert_eq!(world.state_of(carol, &sent.id), "queued");
    let wait = v1::WaitMessageRequest { id: sent.id.clone(), state: "delivered".into(), timeout_ms: 0 };
    let waited: v1::WaitMessageResponse = world.owner(carol, Method::WaitMessage, &wait).unwrap();
    assert!(!waited.reached);
    world.join(ALICE, carol);
    world.pass(60_000);
    assert_eq!(world.state_of(carol, &sent.id), "delivered");
    assert!(world.received(BOB)[0].ends_with(": is anybody there?"));
}

#[test]
fn a_join_that_fails_ends_and_another_link_works() {
    let mut world = groups::group(&["alice", "bob"]);
    let carol = world.add_person(CAROL, "carol");
    let used = group_link(&mut world, ALICE, "#village");
    let dave = world.add_person(3, "dave");
    join(&mut world, dave, &used).unwrap();
    world.settle();
    join(&mut world, carol, &used).unwrap();
    world.settle();
    let ended = world.conversations(carol).into_iter().find(|c| c.name == "#village").unwrap();
    assert_eq!(ended.state, "ended");
    let fresh = group_link(&mut world, ALICE, "#village");
    join(&mut world, carol, &fresh).unwrap();
    world.pass(60_000);
    assert!(world.conversations(carol).iter().any(|c| c.state == "open"), "{:?}", world.conversations(carol));
}

#[test]
fn a_contact_who_was_forgotten_comes_back_with_a_new_link() {
    let mut world = World::of(&["alice", "bob"]);
    world.befriend(ALICE, BOB);
    world.send(BOB, "@alice", "before").unwrap();
    world.settle();
    let request = v1::RemoveContactRequest { name: "bob".into() };
    world.owner::<v1::RemoveContactResponse>(ALICE, Method::RemoveContact, &request).unwrap();
    let lost = world.send(BOB, "@alice", "into the void").unwrap();
    world.pass(60_000);
    assert_eq!(world.state_of(BOB, &lost.id), "queued");
    let link = world.invite(ALICE, false);
    world.follow(BOB, &link).unwrap();
    world.pass(600_000);
    world.send(BOB, "@alice", "again").unwrap();
    world.send(ALICE, "@bob", "welcome back").unwrap();
    world.pass(600_000);
    assert!(world.received(ALICE).contains(&"bob: again".to_owned()), "{:?}", world.received(ALICE));
    assert_eq!(world.received(BOB), ["alice: welcome back"]);
}

#[test]
fn the_side_that_forgot_can_ask_as_well() {
    let mut world = World::of(&["alice", "bob"]);
    world.befriend(ALICE, BOB);
    let request = v1::RemoveContactRequest { name: "bob".into() };
    world.owner::<v1::RemoveContactResponse>(ALICE, Method::RemoveContact, &request).unwrap();
    world.send(BOB, "@alice", "into the void").unwrap();
    world.pass(60_000);
    let link = world.invite(BOB, false);
    world.follow(ALICE, &link).unwrap();
    world.pass(60_000);
    assert_eq!(state_of_contact(&mut world, ALICE, "bob"), "accepted");
    world.send(ALICE, "@bob", "back again").unwrap();
    world.pass(60_000);
    assert_eq!(world.received(BOB), ["alice: back again"]);
}

#[test]
fn what_a_blocked_contact_says_is_heard_once_it_is_unblocked() {
    let mut world = World::of(&["alice", "bob"]);
    world.befriend(ALICE, BOB);
    let block = |unblock| v1::BlockContactRequest { name: "bob".into(), unblock };
    world.owner::<v1::BlockContactResponse>(ALICE, Method::BlockContact, &block(false)).unwrap();
    let sent = world.send(BOB, "@alice", "can you hear me?").unwrap();
    world.pass(60_000);
    assert_eq!(world.received(ALICE), Vec::<String>::new());
    assert_eq!(world.state_of(BOB, &sent.id), "sent", "the sender does not learn of it");
    world.owner::<v1::BlockContactResponse>(ALICE, Method::BlockContact, &block(true)).unwrap();
    world.pass(2 * 3_600_000);
    assert_eq!(world.received(ALICE), ["bob: can you hear me?"]);
    assert_eq!(world.state_of(BOB, &sent.id), "delivered");
}
