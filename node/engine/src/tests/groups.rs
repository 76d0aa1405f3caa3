//! Groups: three and more people, one of whom commits.

use qpq_proto::{Failure, Method, Status, v1};

use super::world::World;

const ALICE: usize = 0;
const BOB: usize = 1;
const CAROL: usize = 2;

/// People of whom each knows the others.
pub(super) fn village(names: &[&'static str]) -> World {
    let mut world = World::of(names);
    for one in 0..names.len() {
        for other in one + 1..names.len() {
            world.befriend(one, other);
        }
    }
    world
}

/// A group of all of them, made by the first.
pub(super) fn group(names: &[&'static str]) -> World {
    let mut world = village(names);
    let members = names[1..].iter().map(|name| format!("@{name}")).collect();
    let request = v1::CreateGroupRequest { name: "village".into(), members };
    world.owner::<v1::CreateGroupResponse>(ALICE, Method::CreateGroup, &request).unwrap();
    world.settle();
    world
}

pub(super) fn add(world: &mut World, node: usize, who: &str) -> Result<v1::GroupChange, Failure> {
    let request = v1::AddGroupMembersRequest { group: "#village".into(), members: vec![who.into()] };
    let response: v1::AddGroupMembersResponse = world.owner(node, Method::AddGroupMembers, &request)?;
    Ok(response.change.unwrap())
}

pub(super) fn remove(world: &mut World, node: usize, who: &str) -> Result<v1::GroupChange, Failure> {
    let request = v1::RemoveGroupMemberRequest { group: "#village".into(), member: who.into() };
    let response: v1::RemoveGroupMemberResponse = world.owner(node, Method::RemoveGroupMember, &request)?;
    Ok(response.change.unwrap())
}

fn leave(world: &mut World, node: usize) -> v1::GroupChange {
    let request = v1::LeaveGroupRequest { group: "#village".into() };
    world.owner::<v1::LeaveGroupResponse>(node, Method::LeaveGroup, &request).unwrap().change.unwrap()
}

pub(super) fn rotate(world: &mut World, node: usize, group: &str) -> v1::GroupChange {
    let request = v1::RotateGroupRequest { group: group.into() };
    world.owner::<v1::RotateGroupResponse>(node, Method::RotateGroup, &request).unwrap().change.unwrap()
}

fn change(world: &mut World, node: usize, id: &[u8]) -> v1::GroupChange {
    let request = v1::WaitChangeRequest { change: id.to_vec(), timeout_ms: 0 };
    world.owner::<v1::WaitChangeResponse>(node, Method::WaitChange, &request).unwrap().change.unwrap()
}

fn names(world: &mut World, node: usize) -> Vec<String> {
    let mut names: Vec<String> =
        world.show(node, "#village").unwrap().members.into_iter().map(|member| member.name).collect();
    names.sort();
    names
}

fn texts(world: &mut World, node: usize) -> Vec<String> {
    let history = world.history(node);
    let of_group = history.iter().filter(|message| message.conversation == "#village");
    let mut texts: Vec<String> = of_group.map(|message| message.text.clone()).collect();
    texts.sort();
    texts
}

#[test]
fn everybody_reads_everybody() {
    let mut world = group(&["alice", "bob", "carol", "dave"]);
    for (node, name) in ["alice", "bob", "carol", "dave"].iter().enumerate() {
        world.send(node, "#village", &format!("from {name}")).unwrap();
    }
    world.settle();
    for node in 0..4 {
        assert_eq!(texts(&mut world, node), ["from alice", "from bob", "from carol", "from dave"]);
    }
    let states: Vec<String> = world.history(ALICE).into_iter().filter(|m| m.own).map(|m| m.state).collect();
    assert_eq!(states, ["delivered"]);
}

#[test]
fn delivery_is_counted_by_recipient() {
    let mut world = group(&["alice", "bob", "carol"]);
    world.stop(CAROL);
    let sent = world.send(ALICE, "#village", "news").unwrap();
    world.settle();
    let message = world.history(ALICE).into_iter().find(|message| message.id == sent.id).unwrap();
    assert_eq!((message.state.as_str(), message.delivered, message.recipients), ("queued", 1, 2));
    let request = v1::WaitMessageRequest { id: sent.id.clone(), state: "delivered".into(), timeout_ms: 0 };
    let waited: v1::WaitMessageResponse = world.owner(ALICE, Method::WaitMessage, &request).unwrap();
    assert_eq!((waited.reached, waited.waiting_for), (false, vec!["carol".to_owned()]));
    world.start(CAROL);
    world.settle();
    assert_eq!(world.state_of(ALICE, &sent.id), "delivered");
    assert_eq!(texts(&mut world, CAROL), ["news"]);
}

#[test]
fn a_member_who_does_not_commit_asks_the_one_who_does() {
    let mut world = village(&["alice", "bob", "carol"]);
    let request = v1::CreateGroupRequest { name: "village".into(), members: vec!["bob".into()] };
    world.owner::<v1::CreateGroupResponse>(ALICE, Method::CreateGroup, &request).unwrap();
    world.settle();
    world.stop(ALICE);
    let asked = add(&mut world, BOB, "@carol").unwrap();
    assert_eq!((asked.committed, asked.waiting_for.as_str()), (false, "alice"));
    world.settle();
    assert!(!change(&mut world, BOB, &asked.change).committed);
    world.start(ALICE);
    world.settle();
    assert!(change(&mut world, BOB, &asked.change).committed);
    for node in 0..3 {
        assert_eq!(names(&mut world, node), ["alice", "bob", "carol"]);
    }
    world.send(CAROL, "#village", "here").unwrap();
    world.settle();
    assert_eq!(texts(&mut world, BOB), ["here"]);
}

#[test]
fn a_removed_member_reads_nothing_more() {
    let mut world = group(&["alice", "bob", "carol"]);
    world.send(ALICE, "#village", "before").unwrap();
    world.settle();
    assert!(remove(&mut world, ALICE, "@carol").unwrap().committed);
    world.send(ALICE, "#village", "after").unwrap();
    world.settle();
    assert_eq!(texts(&mut world, BOB), ["after", "before"]);
    assert_eq!(texts(&mut world, CAROL), ["before"]);
    assert_eq!(world.send(CAROL, "#village", "let me in").unwrap_err().status, Status::Forbidden);
    let ended: Vec<String> =
        world.conversations(CAROL).into_iter().filter(|c| c.kind == "group").map(|c| c.state).collect();
    assert_eq!(ended, ["ended"]);
    assert_eq!(world.nodes[CAROL].memory.count(crate::tables::CHECKPOINTS), 0, "its copies are deleted");
}

#[test]
fn only_administrators_remove() {
    let mut world = group(&["alice", "bob", "carol"]);
    let refused = remove(&mut world, BOB, "@carol").unwrap_err();
    assert_eq!(refused.status, Status::Forbidden);
    assert_eq!(names(&mut world, ALICE), ["alice", "bob", "carol"]);
}

#[test]
fn whoever_commits_can_leave_and_the_next_commits() {
    let mut world = group(&["alice", "bob", "carol"]);
    let left = leave(&mut world, ALICE);
    world.settle();
    assert!(change(&mut world, ALICE, &left.change).committed);
    assert_eq!(names(&mut world, BOB), ["bob", "carol"]);
    assert_eq!(world.show(CAROL, "#village").unwrap().committer, "bob");
    assert!(
        remove(&mut world, BOB, "@carol").unwrap().committed,
        "without an administrator the lowest leaf removes"
    );
    world.settle();
    assert_eq!(names(&mut world, BOB), ["bob"]);
}

#[test]
fn a_member_can_be_added_again() {
    let mut world = group(&["alice", "bob", "carol"]);
    remove(&mut world, ALICE, "@carol").unwrap();
    world.settle();
    add(&mut world, ALICE, "@carol").unwrap();
    world.settle();
    world.send(ALICE, "#village", "welcome back").unwrap();
    world.settle();
    assert!(texts(&mut world, CAROL).contains(&"welcome back".to_owned()));
}

#[test]
fn every_member_can_renew_its_keys() {
    let mut world = group(&["alice", "bob", "carol"]);
    for node in [ALICE, BOB, CAROL, BOB] {
        let before = world.show(node, "#village").unwrap().epoch_id;
        let asked = rotate(&mut world, node, "#village");
        world.settle();
        assert!(change(&mut world, node, &asked.change).committed);
        assert_ne!(world.show(node, "#village").unwrap().epoch_id, before);
        for other in 0..3 {
            world.send(other, "#village", "still here").unwrap();
        }
        world.settle();
    }
    for node in 0..3 {
        assert_eq!(texts(&mut world, node).len(), 12);
    }
}

#[test]
fn both_sides_of_a_direct_conversation_can_renew_their_keys() {
    let mut world = village(&["alice", "bob"]);
    for (node, name) in [(ALICE, "@bob"), (BOB, "@alice"), (ALICE, "@bob")] {
        rotate(&mut world, node, name);
        world.settle();
        world.send(ALICE, "@bob", "a").unwrap();
        world.send(BOB, "@alice", "b").unwrap();
        world.settle();
    }
    assert_eq!(world.received(ALICE).len(), 3);
    assert_eq!(world.received(BOB).len(), 3);
}

#[test]
fn a_group_link_brings_in_somebody_unknown_to_the_committer() {
    let mut world = village(&["alice", "bob"]);
    let request = v1::CreateGroupRequest { name: "village".into(), members: vec!["bob".into()] };
    world.owner::<v1::CreateGroupResponse>(ALICE, Method::CreateGroup, &request).unwrap();
    world.settle();
    let link = v1::CreateGroupLinkRequest { group: "village".into(), lifetime_s: 0, reusable: false };
    let link: v1::CreateGroupLinkResponse = world.owner(BOB, Method::CreateGroupLink, &link).unwrap();
    let dave = world.add(9, super::memory::Memory::default());
    let named = v1::CreateIdentityRequest { name: "dave".into() };
    world.owner::<v1::CreateIdentityResponse>(dave, Method::CreateIdentity, &named).unwrap();
    let joined: v1::JoinGroupResponse =
        world.owner(dave, Method::JoinGroup, &v1::JoinGroupRequest { link: link.link }).unwrap();
    assert_eq!(joined.conversation.unwrap().state, "waiting");
    world.send(dave, "#village", "hello, I am new").unwrap();
    world.settle();
    assert_eq!(texts(&mut world, ALICE), ["hello, I am new"]);
    let members = names(&mut world, ALICE);
    assert_eq!(members.len(), 3);
    assert!(members.iter().any(|name| name.starts_with("~dave-")), "a stranger is marked: {members:?}");
}

#[test]
fn messages_that_overtake_their_commit_wait_for_it_and_are_acknowledged() {
    let mut world = group(&["alice", "bob", "carol"]);
    world.cut(ALICE, CAROL);
    rotate(&mut world, ALICE, "#village");
    world.settle();
    let early = world.send(BOB, "#village", "in the new epoch").unwrap();
    world.settle();
    assert_eq!(texts(&mut world, CAROL), Vec::<String>::new());
    assert_eq!(world.state_of(BOB, &early.id), "sent");
    world.join(ALICE, CAROL);
    world.pass(600_000);
    assert_eq!(texts(&mut world, CAROL), ["in the new epoch"]);
    assert_eq!(world.state_of(BOB, &early.id), "delivered");
}

#[test]
fn a_member_long_away_catches_up() {
    let mut world = group(&["alice", "bob", "carol"]);
    world.stop(CAROL);
    for number in 0..40 {
        rotate(&mut world, ALICE, "#village");
        world.settle();
        world.send(BOB, "#village", &format!("{number}")).unwrap();
        world.settle();
    }
    world.start(CAROL);
    world.pass(3_600_000);
    assert_eq!(texts(&mut world, CAROL).len(), 40);
    assert!(world.history(BOB).iter().all(|message| message.state == "delivered"));
}

#[test]
fn groups_have_rules_for_their_names_and_members() {
    let mut world = group(&["alice", "bob"]);
    let create = |world: &mut World, name: &str, members: &[&str]| {
        let members = members.iter().map(ToString::to_string).collect();
        let request = v1::CreateGroupRequest { name: name.into(), members };
        world.owner::<v1::CreateGroupResponse>(ALICE, Method::CreateGroup, &request).map(drop)
    };
    let taken = create(&mut world, "VILLAGE", &[]).unwrap_err();
    assert_eq!(taken.status, Status::Conflict);
    for name in ["", "two words", "\u{202e}x"] {
        assert_eq!(create(&mut world, name, &[]).unwrap_err().status, Status::BadRequest, "{name:?}");
    }
    assert_eq!(create(&mut world, "other", &["@nobody"]).unwrap_err().status, Status::NotFound);
    assert_eq!(world.conversations(ALICE).len(), 2, "nothing is left of what was refused");
    assert_eq!(add(&mut world, ALICE, "@bob").unwrap_err().status, Status::Conflict);
    create(&mut world, "empty", &[]).unwrap();
    world.send(ALICE, "#empty", "note to self").unwrap();
}

#[test]
fn copies_of_old_epochs_are_kept_and_then_dropped() {
    let mut world = group(&["alice", "bob"]);
    for _ in 0..5 {
        rotate(&mut world, ALICE, "#village");
        world.send(ALICE, "#village", "x").unwrap();
        world.settle();
        world.send(BOB, "#village", "y").unwrap();
        world.settle();
    }
    let copies = |world: &World| world.nodes[ALICE].memory.count(crate::tables::CHECKPOINTS);
    assert_eq!(copies(&world), 6);
    world.pass(26 * 3_600_000);
    assert_eq!(copies(&world), 1, "everybody has reached the newest epoch, a day ago");
}
