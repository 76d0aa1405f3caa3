//! Deleting: of an ended group, and of a removed contact, nothing stays.

use qpq_proto::{Failure, Method, Status, v1};

use super::{
    groups::{group, remove, rotate, village},
    world::World,
};
use crate::{storage::Table, tables};

const ALICE: usize = 0;
const BOB: usize = 1;
const CAROL: usize = 2;

/// Tables in which a conversation leaves something.
const OF_CONVERSATIONS: [Table; 14] = [
    tables::CONVERSATIONS,
    tables::GROUPS,
    tables::SENDERS,
    tables::MESSAGES,
    tables::MESSAGE_IDS,
    tables::DELIVERIES,
    tables::UNSEALED,
    tables::OUTGOING,
    tables::PAYLOADS,
    tables::CURSORS,
    tables::FUTURE,
    tables::CHANGES,
    tables::COMMITS,
    tables::CHECKPOINTS,
];

fn delete(world: &mut World, node: usize, group: &str) -> Result<v1::DeleteGroupResponse, Failure> {
    world.owner(node, Method::DeleteGroup, &v1::DeleteGroupRequest { group: group.into() })
}

fn leave(world: &mut World, node: usize) -> v1::GroupChange {
    let request = v1::LeaveGroupRequest { group: "#village".into() };
    world.owner::<v1::LeaveGroupResponse>(node, Method::LeaveGroup, &request).unwrap().change.unwrap()
}

fn forget(world: &mut World, node: usize, name: &str) {
    let request = v1::RemoveContactRequest { name: name.into() };
    world.owner::<v1::RemoveContactResponse>(node, Method::RemoveContact, &request).unwrap();
}

fn names(world: &mut World, node: usize) -> Vec<String> {
    let mut names: Vec<String> = world.conversations(node).into_iter().map(|c| c.name).collect();
    names.sort();
    names
}

/// What is left, by table.
fn left(world: &World, node: usize) -> Vec<(&'static str, usize)> {
    let count = |table: &Table| (table.0, world.nodes[node].memory.count(*table));
    OF_CONVERSATIONS.iter().map(count).filter(|(_, count)| *count > 0).collect()
}

/// A group in which much has happened, and which bob has left.
fn left_by_bob() -> World {
    let mut world = group(&["alice", "bob", "carol"]);
    for (node, text) in [(ALICE, "one"), (BOB, "two"), (CAROL, "three")] {
        world.send(node, "#village", text).unwrap();
        world.settle();
        rotate(&mut world, node, "#village");
        world.pass(60_000);
    }
    world.cut(BOB, CAROL);
    world.send(BOB, "#village", "on its way to carol").unwrap();
    world.settle();
    leave(&mut world, BOB);
    world.pass(60_000);
    world
}

#[test]
fn a_group_is_deleted_only_when_it_has_ended_here() {
    let mut world = group(&["alice", "bob", "carol"]);
    world.send(ALICE, "#village", "hello").unwrap();
    world.settle();
    let refused = delete(&mut world, BOB, "#village").unwrap_err();
    assert_eq!(refused.status, Status::Conflict);
    assert_eq!(refused.message, "you are still a member of #village: `qpq group leave #village` first");
    world.cut(ALICE, BOB);
    leave(&mut world, BOB);
    let refused = delete(&mut world, BOB, "#village").unwrap_err();
    assert_eq!(
        refused.message,
        "you are a member of #village until @alice's node carries your `qpq group leave` out"
    );
    assert_eq!(world.received(BOB), ["alice: hello"], "nothing is gone");
    world.join(ALICE, BOB);
    world.pass(60_000);
    delete(&mut world, BOB, "#village").unwrap();
    assert_eq!(delete(&mut world, BOB, "#village").unwrap_err().status, Status::NotFound, "twice");
    assert_eq!(names(&mut world, BOB), ["@alice", "@carol"]);
    assert_eq!(world.history(BOB), []);
}

#[test]
fn names_of_other_things_delete_nothing() {
    let mut world = group(&["alice", "bob"]);
    leave(&mut world, BOB);
    world.pass(60_000);
    for (name, status, field) in [
        ("", Status::NotFound, ""),
        ("#", Status::NotFound, ""),
        ("#nowhere", Status::NotFound, ""),
        ("##village", Status::NotFound, ""),
        ("@alice", Status::BadRequest, "group"),
        ("@village", Status::BadRequest, "group"),
        ("\u{202e}egalliv", Status::NotFound, ""),
    ] {
        let refused = delete(&mut world, BOB, name).unwrap_err();
        assert_eq!((refused.status, refused.field.as_str()), (status, field), "{name:?}");
    }
    assert_eq!(names(&mut world, BOB), ["#village", "@alice"]);
    delete(&mut world, BOB, "VILLAGE").unwrap();
    assert_eq!(names(&mut world, BOB), ["@alice"]);
}

#[test]
fn nothing_of_a_deleted_group_is_left() {
    let mut world = left_by_bob();
    let sent = world.history(BOB).into_iter().find(|message| message.own).unwrap();
    delete(&mut world, BOB, "#village").unwrap();
    for contact in ["@alice", "@carol"] {
        forget(&mut world, BOB, contact);
    }
    assert_eq!(left(&world, BOB), []);
    for method in [Method::TraceMessage, Method::WaitMessage] {
        let request = v1::WaitMessageRequest { id: sent.id.clone(), state: "sent".into(), timeout_ms: 0 };
        let refused = world.owner::<v1::WaitMessageResponse>(BOB, method, &request).unwrap_err();
        assert_eq!(refused.status, Status::NotFound);
    }
    world.stop(BOB);
    world.start(BOB);
    world.pass(3 * 86_400_000);
    assert_eq!(left(&world, BOB), [], "nor does any of it come back");
}

#[test]
fn what_waits_for_others_who_left_with_one_is_gone_too() {
    let mut world = group(&["alice", "bob", "carol", "dave"]);
    world.cut(BOB, CAROL);
    world.cut(BOB, 3);
    world.send(BOB, "#village", "for carol and dave").unwrap();
    world.stop(ALICE);
    leave(&mut world, CAROL);
    leave(&mut world, BOB);
    world.settle();
    world.start(ALICE);
    world.pass(60_000);
    delete(&mut world, BOB, "village").unwrap();
    for contact in ["alice", "carol", "dave"] {
        forget(&mut world, BOB, contact);
    }
    assert_eq!(left(&world, BOB), []);
}

#[test]
fn the_others_keep_what_they_have_and_go_on() {
    let mut world = left_by_bob();
    delete(&mut world, BOB, "#village").unwrap();
    world.join(BOB, CAROL);
    world.pass(60_000);
    world.send(CAROL, "#village", "bob is gone").unwrap();
    world.pass(60_000);
    assert!(world.received(ALICE).contains(&"bob: two".to_owned()));
    assert!(world.received(ALICE).contains(&"carol: bob is gone".to_owned()));
    assert_eq!(world.received(BOB), Vec::<String>::new());
    assert_eq!(world.show(ALICE, "#village").unwrap().members.len(), 2);
}

#[test]
fn the_name_is_free_and_one_can_come_again() {
    let mut world = group(&["alice", "bob", "carol"]);
    remove(&mut world, ALICE, "bob").unwrap();
    world.pass(60_000);
    delete(&mut world, BOB, "village").unwrap();
    let request = v1::CreateGroupRequest { name: "Village".into(), members: Vec::new() };
    world.owner::<v1::CreateGroupResponse>(BOB, Method::CreateGroup, &request).unwrap();
    super::groups::add(&mut world, ALICE, "@bob").unwrap();
    world.pass(60_000);
    assert_eq!(names(&mut world, BOB), ["#Village", "#village-2", "@alice", "@carol"]);
    world.send(ALICE, "#village", "welcome back").unwrap();
    world.pass(60_000);
    assert_eq!(world.received(BOB), ["alice: welcome back"]);
}

#[test]
fn links_to_a_deleted_group_go_with_it() {
    let mut world = village(&["alice", "bob"]);
    let create = v1::CreateGroupRequest { name: "village".into(), members: Vec::new() };
    world.owner::<v1::CreateGroupResponse>(ALICE, Method::CreateGroup, &create).unwrap();
    let request = v1::CreateGroupLinkRequest { group: "village".into(), ..Default::default() };
    let link =
        world.owner::<v1::CreateGroupLinkResponse>(ALICE, Method::CreateGroupLink, &request).unwrap().link;
    let own = world.invite(ALICE, false);
    assert!(leave(&mut world, ALICE).committed);
    delete(&mut world, ALICE, "village").unwrap();
    let request = v1::ListInvitationsRequest {};
    let listed: v1::ListInvitationsResponse = world.owner(ALICE, Method::ListInvitations, &request).unwrap();
    assert_eq!(listed.invitations.into_iter().map(|invitation| invitation.link).collect::<Vec<_>>(), [own]);
    let join = v1::JoinGroupRequest { link };
    world.owner::<v1::JoinGroupResponse>(BOB, Method::JoinGroup, &join).unwrap();
    world.pass(60_000);
    let joined = world.conversations(BOB).into_iter().find(|c| c.name == "#village").unwrap();
    assert_eq!(joined.state, "ended", "the one who followed it is told");
    delete(&mut world, BOB, "#village").unwrap();
}

#[test]
fn a_change_of_a_deleted_group_is_not_waited_for() {
    let mut world = group(&["alice", "bob", "carol"]);
    world.cut(ALICE, BOB);
    let asked = rotate(&mut world, BOB, "#village");
    remove(&mut world, ALICE, "bob").unwrap();
    world.join(ALICE, BOB);
    world.pass(60_000);
    for is_deleted in [false, true] {
        if is_deleted {
            delete(&mut world, BOB, "#village").unwrap();
        }
        let request = v1::WaitChangeRequest { change: asked.change.clone(), timeout_ms: 0 };
        let waited: v1::WaitChangeResponse = world.owner(BOB, Method::WaitChange, &request).unwrap();
        assert_eq!(waited.change.unwrap().failed, "you are no longer a member of the group");
    }
}

#[test]
fn nothing_of_a_removed_contact_is_left() {
    let mut world = village(&["alice", "bob"]);
    for node in [ALICE, BOB, ALICE] {
        let other = if node == ALICE { "@bob" } else { "@alice" };
        world.send(node, other, "hello").unwrap();
        world.settle();
        rotate(&mut world, node, other);
        world.pass(60_000);
    }
    assert!(world.nodes[ALICE].memory.count(tables::CHECKPOINTS) > 0, "copies with secrets are kept");
    world.cut(ALICE, BOB);
    world.send(ALICE, "@bob", "on its way").unwrap();
    forget(&mut world, ALICE, "bob");
    assert_eq!(left(&world, ALICE), []);
    for table in [tables::PEOPLE, tables::NAMES, tables::NODES, tables::KEY_PACKAGES] {
        assert_eq!(world.nodes[ALICE].memory.count(table), 0, "{table:?}");
    }
}

#[test]
fn a_request_goes_with_the_contact_it_was_made_to() {
    let mut world = World::of(&["alice", "bob"]);
    let link = world.invite(BOB, true);
    world.follow(ALICE, &link).unwrap();
    world.step();
    world.step();
    world.cut(ALICE, BOB);
    world.settle();
    assert_eq!(world.nodes[ALICE].memory.count(tables::OUTGOING), 1, "the request is sealed and waits");
    forget(&mut world, ALICE, "bob");
    assert_eq!(left(&world, ALICE), []);
    assert_eq!(world.events(ALICE), [], "nobody need be told that it failed");
}

#[test]
fn a_group_that_was_to_be_joined_through_a_removed_contact_is_given_up() {
    let mut world = group(&["alice", "bob"]);
    let carol = world.add_person(CAROL, "carol");
    world.befriend(ALICE, carol);
    let request = v1::CreateGroupLinkRequest { group: "village".into(), ..Default::default() };
    let link =
        world.owner::<v1::CreateGroupLinkResponse>(ALICE, Method::CreateGroupLink, &request).unwrap().link;
    world.cut(ALICE, carol);
    world.owner::<v1::JoinGroupResponse>(carol, Method::JoinGroup, &v1::JoinGroupRequest { link }).unwrap();
    let waiting = delete(&mut world, carol, "#village").unwrap_err();
    assert_eq!(waiting.message, "#village has no group yet: the other side must answer");
    forget(&mut world, carol, "alice");
    assert_eq!(world.conversations(carol).remove(0).state, "ended");
    delete(&mut world, carol, "#village").unwrap();
    assert_eq!(left(&world, carol), []);
}
