//! What is kept of members that have gone.

use qpq_proto::{Method, v1};

use super::{
    groups::{add, group, remove},
    world::World,
};
use crate::{
    records::{NameRecord, PersonRecord, SenderRecord},
    storage::{Table, Transaction as _},
    tables::{self, KEY_PACKAGES, NODES, PEOPLE, SENDERS},
};

const ALICE: usize = 0;
const BOB: usize = 1;
const CAROL: usize = 2;

/// A group that alice made of bob and carol, who know each other as its members alone.
fn acquainted() -> World {
    let mut world = World::of(&["alice", "bob", "carol"]);
    for other in [BOB, CAROL] {
        world.befriend(ALICE, other);
    }
    found(&mut world, "village");
    world
}

fn found(world: &mut World, name: &str) {
    let members = vec!["bob".into(), "carol".into()];
    let request = v1::CreateGroupRequest { name: name.into(), members };
    world.owner::<v1::CreateGroupResponse>(ALICE, Method::CreateGroup, &request).unwrap();
    world.settle();
}

fn remove_from(world: &mut World, name: &str, member: &str) {
    let request = v1::RemoveGroupMemberRequest { group: name.into(), member: member.into() };
    world.owner::<v1::RemoveGroupMemberResponse>(ALICE, Method::RemoveGroupMember, &request).unwrap();
    world.pass(60_000);
}

/// Everything that a node keeps of somebody: the record of the person, how many of its nodes, key packages, and records
/// of what it sent.
fn kept(world: &mut World, node: usize, of: usize) -> (Option<PersonRecord>, [usize; 3]) {
    let identity = world.act(of, |engine, _| engine.me().unwrap().id());
    let memory = &world.nodes[node].memory;
    let people: Vec<PersonRecord> = tables::all(memory, PEOPLE).unwrap();
    let count = |table: Table| match table {
        NODES => {
            let owners: Vec<NameRecord> = tables::all(memory, NODES).unwrap();
            owners.iter().filter(|owner| owner.target == identity).count()
        }
        KEY_PACKAGES => usize::from(memory.get(KEY_PACKAGES, tables::key(&identity)).unwrap().is_some()),
        _ => {
            let senders: Vec<SenderRecord> = tables::all(memory, SENDERS).unwrap();
            senders.iter().filter(|sender| sender.identity == identity).count()
        }
    };
    let counts = [NODES, KEY_PACKAGES, SENDERS].map(count);
    (people.into_iter().find(|person| person.identity == identity), counts)
}

/// What a node keeps of carol is who she is and what she is called.
fn assert_bare(world: &mut World, node: usize) {
    let (person, counts) = kept(world, node, CAROL);
    let person = person.expect("the name is known");
    let bare = PersonRecord { identity: person.identity.clone(), name: "carol".into(), ..Default::default() };
    assert_eq!((person, counts), (bare, [0; 3]));
}

fn delete(world: &mut World, node: usize, group: &str) {
    let request = v1::LeaveGroupRequest { group: group.into() };
    world.owner::<v1::LeaveGroupResponse>(node, Method::LeaveGroup, &request).unwrap();
    world.pass(60_000);
    let request = v1::DeleteGroupRequest { group: group.into() };
    world.owner::<v1::DeleteGroupResponse>(node, Method::DeleteGroup, &request).unwrap();
}

#[test]
fn of_a_stranger_who_has_gone_the_name_stays_with_the_history_and_goes_with_it() {
    let mut world = acquainted();
    world.send(CAROL, "#village", "hello").unwrap();
    world.settle();
    assert_eq!(kept(&mut world, BOB, CAROL).1, [1, 0, 1]);
    remove_from(&mut world, "village", "carol");
    assert_bare(&mut world, BOB);
    let received = world.received(BOB);
    assert!(received[0].starts_with("~carol-") && received[0].ends_with(": hello"), "{received:?}");

    let (contact, counts) = kept(&mut world, ALICE, CAROL);
    let contact = contact.unwrap();
    assert!(contact.is_contact() && contact.nodes.len() == 1, "{contact:?}");
    assert_eq!(counts[0], 1);
    world.send(ALICE, "@carol", "still a contact").unwrap();
    world.settle();
    assert_eq!(world.received(CAROL), ["alice: still a contact"]);

    delete(&mut world, BOB, "village");
    assert_eq!(kept(&mut world, BOB, CAROL), (None, [0; 3]));
}

#[test]
fn a_member_of_another_group_is_known_until_it_has_gone_from_that_too() {
    let mut world = acquainted();
    found(&mut world, "town");
    remove_from(&mut world, "village", "carol");
    let (person, counts) = kept(&mut world, BOB, CAROL);
    assert!(person.unwrap().nodes.len() == 1 && counts[0] == 1);
    world.send(BOB, "#town", "are you there?").unwrap();
    world.settle();
    assert_eq!(world.received(CAROL).len(), 1);
    remove_from(&mut world, "town", "carol");
    assert_bare(&mut world, BOB);
    delete(&mut world, BOB, "village");
    assert_bare(&mut world, BOB);
    delete(&mut world, BOB, "town");
    assert_eq!(kept(&mut world, BOB, CAROL), (None, [0; 3]));
}

#[test]
fn whoever_leaves_forgets_the_others() {
    let mut world = acquainted();
    world.send(CAROL, "#village", "hello").unwrap();
    world.settle();
    remove_from(&mut world, "village", "bob");
    assert_bare(&mut world, BOB);
    world.pass(60_000);
    assert!(world.received(BOB)[0].starts_with("~carol-"), "{:?}", world.received(BOB));
}

#[test]
fn the_commit_that_removes_somebody_is_delivered_before_its_nodes_are_forgotten() {
    let mut world = acquainted();
    world.cut(ALICE, CAROL);
    world.cut(BOB, CAROL);
    let request = v1::RemoveContactRequest { name: "carol".into() };
    world.owner::<v1::RemoveContactResponse>(ALICE, Method::RemoveContact, &request).unwrap();
    let carol = world.show(ALICE, "#village").unwrap().members.into_iter().map(|member| member.name);
    let carol = carol.into_iter().find(|name| name.starts_with("~carol-")).unwrap();
    remove(&mut world, ALICE, &carol).unwrap();
    world.pass(7_200_000);
    assert!(!kept(&mut world, ALICE, CAROL).0.unwrap().nodes.is_empty(), "the commit waits");
    world.join(ALICE, CAROL);
    world.pass(60_000);
    assert_eq!(
        world.conversations(CAROL).iter().find(|found| found.name == "#village").unwrap().state,
        "ended"
    );
    world.pass(7_200_000);
    assert_bare(&mut world, ALICE);
}

#[test]
fn whoever_was_known_before_the_list_of_those_who_have_gone_is_forgotten_too() {
    let mut world = acquainted();
    world.send(CAROL, "#village", "hello").unwrap();
    world.settle();
    let before = world.nodes[BOB].memory.clone();
    remove_from(&mut world, "village", "carol");
    // As an earlier version left it.
    world.act(BOB, |engine, cx| {
        let id = engine.find_group(cx, "village").unwrap();
        let mut village = engine.conversation_of(cx, &id).unwrap();
        village.departed.clear();
        engine.save_conversation(cx, &village).unwrap();
        for person in tables::all::<PersonRecord>(&before, PEOPLE).unwrap() {
            engine.save_person(cx, &person).unwrap();
        }
    });
    assert_eq!(kept(&mut world, BOB, CAROL).1[0], 1);
    world.pass(7_200_000);
    assert_bare(&mut world, BOB);
    delete(&mut world, BOB, "village");
    assert_eq!(kept(&mut world, BOB, CAROL), (None, [0; 3]));
}

#[test]
fn receipts_of_who_has_gone_count_for_what_it_was_sent() {
    let mut world = group(&["alice", "bob"]);
    let carol = world.add_person(CAROL, "carol");
    world.befriend(ALICE, carol);
    let before = world.send(ALICE, "#village", "before carol").unwrap();
    add(&mut world, ALICE, "carol").unwrap();
    world.settle();
    world.cut(ALICE, carol);
    let during = world.send(ALICE, "#village", "to carol too").unwrap();
    remove(&mut world, ALICE, "carol").unwrap();
    world.settle();
    let delivered = |world: &mut World, id: &[u8]| {
        world.history(ALICE).into_iter().find(|message| message.id == id).unwrap().delivered
    };
    assert_eq!((delivered(&mut world, &before.id), delivered(&mut world, &during.id)), (1, 1));
    let from = world.act(carol, |engine, _| engine.me().unwrap().identity.public());
    let ids = vec![before.id.clone(), during.id.clone()];
    world.act(ALICE, |engine, cx| {
        let id = engine.find_group(cx, "village").unwrap();
        let village = engine.conversation_of(cx, &id).unwrap();
        engine.take_receipt(cx, &village, from, &v1::Receipt { ids, deliveries: Vec::new() }).unwrap();
    });
    assert_eq!((delivered(&mut world, &before.id), delivered(&mut world, &during.id)), (1, 2));
}
