//! A backup comes back as a new device of the same person.

use qpq_proto::{Method, v1};

use super::{groups::rotate, memory::Memory, world::World};

const ALICE: usize = 0;
const BOB: usize = 1;
const CAROL: usize = 2;

/// Three contacts in a group that bob made.
fn trio() -> World {
    let mut world = World::of(&["alice", "bob", "carol"]);
    for (one, other) in [(ALICE, BOB), (ALICE, CAROL), (BOB, CAROL)] {
        world.befriend(one, other);
    }
    let members = vec!["alice".into(), "carol".into()];
    let request = v1::CreateGroupRequest { name: "trio".into(), members };
    world.owner::<v1::CreateGroupResponse>(BOB, Method::CreateGroup, &request).unwrap();
    world.settle();
    world
}

pub(super) fn restore(world: &mut World, memory: Memory) -> usize {
    // The driver writes the records back before the engine is asked, so the node starts over them.
    let index = world.add(77, Memory::default());
    world.nodes[index].memory = memory;
    let request = v1::RestoreBackupRequest::default();
    world.owner::<v1::RestoreBackupResponse>(index, Method::RestoreBackup, &request).unwrap();
    index
}

#[test]
fn contacts_and_history_come_back_and_contacts_notice_the_new_device() {
    let mut world = World::of(&["alice", "bob"]);
    world.befriend(ALICE, BOB);
    world.send(BOB, "@alice", "remember this").unwrap();
    world.settle();
    let backup = world.nodes[ALICE].memory.backup();
    world.stop(ALICE);
    let again = restore(&mut world, backup);
    world.settle();
    assert_eq!(world.received(again), ["bob: remember this"]);
    world.send(again, "@bob", "I am back").unwrap();
    world.settle();
    world.send(BOB, "@alice", "good").unwrap();
    world.settle();
    assert_eq!(world.received(BOB), ["alice: I am back"]);
    assert_eq!(world.received(again), ["bob: remember this", "bob: good"]);
    let shown: v1::ShowIdentityResponse =
        world.owner(again, Method::ShowIdentity, &v1::ShowIdentityRequest {}).unwrap();
    assert_eq!(shown.device_list_sequence, 2);
}

#[test]
fn a_restored_person_is_taken_into_its_groups_again_by_a_contact() {
    let mut world = trio();
    let backup = world.nodes[ALICE].memory.backup();
    world.stop(ALICE);
    let again = restore(&mut world, backup);
    world.settle();
    world.send(CAROL, "#trio", "all here?").unwrap();
    world.pass(60_000);
    world.send(again, "#trio", "yes").unwrap();
    world.settle();
    assert_eq!(world.received(again), ["carol: all here?"]);
    assert_eq!(world.received(BOB), ["carol: all here?", "alice: yes"]);
    assert_eq!(world.show(BOB, "#trio").unwrap().members.len(), 3);
    assert_eq!(world.show(CAROL, "#trio").unwrap().changes, [], "what both asked for is done");
}

#[test]
fn a_node_over_an_older_copy_goes_on_as_a_new_device() {
    let mut world = trio();
    let earlier = world.nodes[ALICE].memory.clone();
    for number in 0..3 {
        world.send(ALICE, "@bob", &format!("{number}")).unwrap();
        world.send(ALICE, "#trio", &format!("{number} to all")).unwrap();
    }
    world.settle();
    world.stop(ALICE);
    world.send(BOB, "#trio", "meanwhile").unwrap();
    world.settle();
    world.start_over(ALICE, earlier);
    // Nothing is sealed with the old ratchets: what is written now waits for the new device's groups.
    world.cut(ALICE, BOB);
    world.cut(ALICE, CAROL);
    world.send(ALICE, "@bob", "again").unwrap();
    world.send(ALICE, "#trio", "again to all").unwrap();
    assert_eq!(world.conversations(ALICE).iter().filter(|c| c.state == "waiting").count(), 3);
    world.join(ALICE, BOB);
    world.join(ALICE, CAROL);
    world.pass(60_000);
    let direct: Vec<String> =
        world.received(BOB).into_iter().filter(|text| text.ends_with("again")).collect();
    assert_eq!(direct, ["alice: again"]);
    for node in [BOB, CAROL] {
        let received = world.received(node);
        assert_eq!(received.iter().filter(|text| *text == "alice: again to all").count(), 1, "{received:?}");
    }
    assert_eq!(world.received(ALICE), ["bob: meanwhile"], "what came meanwhile can still be read");
    assert_eq!(world.show(BOB, "#trio").unwrap().members.len(), 3);
    let shown: v1::ShowIdentityResponse =
        world.owner(ALICE, Method::ShowIdentity, &v1::ShowIdentityRequest {}).unwrap();
    assert_eq!(shown.device_list_sequence, 2);
    assert!(world.events(ALICE).iter().any(|event| format!("{event:?}").contains("database-rolled-back")));
}

#[test]
fn the_device_that_was_replaced_is_no_longer_heard_and_learns_why() {
    let mut world = trio();
    let backup = world.nodes[ALICE].memory.backup();
    world.stop(ALICE);
    restore(&mut world, backup);
    world.pass(60_000);
    world.start(ALICE);
    let sent = world.send(ALICE, "@bob", "from the old device").unwrap();
    let to_all = world.send(ALICE, "#trio", "to all from the old device").unwrap();
    world.pass(60_000);
    assert_eq!(world.received(BOB), Vec::<String>::new());
    assert_eq!(world.received(CAROL), Vec::<String>::new());
    assert_eq!(world.state_of(ALICE, &sent.id), "failed");
    assert_ne!(world.state_of(ALICE, &to_all.id), "delivered");
    assert!(world.events(ALICE).iter().any(|event| format!("{event:?}").contains("device-revoked")));
}

#[test]
fn a_group_whose_committer_was_replaced_goes_on() {
    let mut world = World::of(&["alice", "bob", "carol"]);
    for (one, other) in [(ALICE, BOB), (ALICE, CAROL), (BOB, CAROL)] {
        world.befriend(one, other);
    }
    let members = vec!["bob".into(), "carol".into()];
    let request = v1::CreateGroupRequest { name: "hers".into(), members };
    world.owner::<v1::CreateGroupResponse>(ALICE, Method::CreateGroup, &request).unwrap();
    world.settle();
    assert_eq!(world.show(CAROL, "#hers").unwrap().committer, "alice");
    let backup = world.nodes[ALICE].memory.backup();
    world.stop(ALICE);
    let again = restore(&mut world, backup);
    world.pass(60_000);
    assert_eq!(
        world.show(CAROL, "#hers").unwrap().committer,
        "alice",
        "her new device has the free lowest leaf"
    );
    world.send(again, "#hers", "here I am").unwrap();
    world.send(CAROL, "#hers", "hello").unwrap();
    world.pass(60_000);
    assert_eq!(world.received(BOB).iter().filter(|text| text.ends_with("here I am")).count(), 1);
    assert_eq!(world.received(again), ["carol: hello"]);
    assert_eq!(world.show(BOB, "#hers").unwrap().members.len(), 3);
}

#[test]
fn a_group_that_refuses_the_new_device_keeps_it_out_of_no_other() {
    let mut world = trio();
    let request = v1::CreateGroupRequest { name: "hers".into(), members: vec!["alice".into(), "bob".into()] };
    world.owner::<v1::CreateGroupResponse>(CAROL, Method::CreateGroup, &request).unwrap();
    world.settle();
    // Carol, who commits there, is away, and nothing more may wait for her.
    world.stop(CAROL);
    world.limit(BOB, |limits| limits.group_changes_max = 1);
    assert_eq!(rotate(&mut world, BOB, "#hers").waiting_for, "carol");
    let backup = world.nodes[ALICE].memory.backup();
    world.stop(ALICE);
    let again = restore(&mut world, backup);
    world.pass(60_000);
    world.send(again, "@bob", "I am back").unwrap();
    world.send(again, "#trio", "I am here too").unwrap();
    world.pass(60_000);
    assert_eq!(world.received(BOB), ["alice: I am back", "alice: I am here too"]);
    let state = |world: &mut World, name: &str| {
        world.conversations(again).into_iter().find(|found| found.name == name).unwrap().state
    };
    assert_eq!((state(&mut world, "#trio"), state(&mut world, "#hers")), ("open".into(), "waiting".into()));
}
