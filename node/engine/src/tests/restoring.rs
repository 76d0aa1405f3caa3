//! A backup comes back as a new device of the same person.

use qpq_proto::{Method, v1};

use super::{memory::Memory, world::World};

const ALICE: usize = 0;
const BOB: usize = 1;

fn restore(world: &mut World, memory: Memory) -> usize {
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
fn a_group_takes_the_new_device_in_place_of_the_old() {
    let mut world = World::of(&["alice", "bob", "carol"]);
    for (one, other) in [(0, 1), (0, 2), (1, 2)] {
        world.befriend(one, other);
    }
    let request =
        v1::CreateGroupRequest { name: "trio".into(), members: vec!["alice".into(), "carol".into()] };
    world.owner::<v1::CreateGroupResponse>(BOB, Method::CreateGroup, &request).unwrap();
    world.settle();
    let backup = world.nodes[ALICE].memory.backup();
    world.stop(ALICE);
    let again = restore(&mut world, backup);
    world.settle();
    let add = v1::AddGroupMembersRequest { group: "trio".into(), members: vec!["alice".into()] };
    world.owner::<v1::AddGroupMembersResponse>(BOB, Method::AddGroupMembers, &add).unwrap();
    world.settle();
    world.send(2, "#trio", "all here?").unwrap();
    world.settle();
    assert_eq!(world.received(again), ["carol: all here?"]);
    assert_eq!(world.show(BOB, "#trio").unwrap().members.len(), 3);
}
