//! A node goes on with one of its groups broken, whatever it is that broke it.

use qpq_proto::{Method, v1};

use super::{
    groups::{add, group, remove, village},
    memory::Memory,
    world::World,
};

const ALICE: usize = 0;
const BOB: usize = 1;
const CAROL: usize = 2;

/// How a group is damaged.
#[derive(Debug, Clone, Copy)]
enum Damage {
    Spoiled,
    Lost,
}

/// Damages the state of a group at a node, which is down.
fn damage(world: &mut World, node: usize, name: &str, how: Damage) {
    let id = world.act(node, |engine, cx| {
        let id = engine.find_group(cx, name).unwrap();
        engine.conversation_of(cx, &id).unwrap().group_id
    });
    match how {
        Damage::Spoiled => world.nodes[node].memory.spoil(&id),
        Damage::Lost => world.act(node, |engine, cx| engine.delete_group(cx, &id).unwrap()),
    }
}

fn checks(world: &mut World, node: usize) -> Vec<(String, String)> {
    let answer: v1::DiagnoseResponse = world.owner(node, Method::Diagnose, &v1::DiagnoseRequest {}).unwrap();
    answer.checks.into_iter().filter(|check| check.outcome == "fail").map(|it| (it.name, it.text)).collect()
}

fn alarms(world: &mut World) -> Vec<String> {
    let events = world.events(ALICE).into_iter().filter_map(|event| event.kind);
    let alarms = events.filter_map(|kind| match kind {
        v1::event::Kind::Alarm(alarm) => Some(alarm.code),
        _ => None,
    });
    alarms.collect()
}

/// Lets a renewal wait at alice's node, as if it had stopped before it could commit.
fn leave_undone(world: &mut World, name: &str) {
    world.act(ALICE, |engine, cx| {
        let id = engine.find_group(cx, name).unwrap();
        let conversation = engine.conversation_of(cx, &id).unwrap();
        let group = engine.group_view(cx, &conversation.group_id).unwrap();
        let kind = v1::change::Kind::Rotate(v1::Rotate::default());
        let (id, signed) = engine.sign_change(cx, &group, kind).unwrap();
        engine.save_change(cx, &conversation, &id, &[1; 32], &signed).unwrap();
    });
}

#[test]
fn a_node_starts_and_commits_elsewhere_though_a_group_is_broken() {
    for how in [Damage::Spoiled, Damage::Lost] {
        let mut world = group(&["alice", "bob", "carol"]);
        let request = v1::CreateGroupRequest { name: "town".into(), members: vec!["bob".into()] };
        world.owner::<v1::CreateGroupResponse>(ALICE, Method::CreateGroup, &request).unwrap();
        world.settle();
        world.send(ALICE, "#village", "before").unwrap();
        for name in ["village", "town"] {
            leave_undone(&mut world, name);
        }
        let epoch = world.show(BOB, "#town").unwrap().epoch_id;
        world.stop(ALICE);
        damage(&mut world, ALICE, "village", how);
        world.start(ALICE);
        world.pass(60_000);
        assert_ne!(world.show(BOB, "#town").unwrap().epoch_id, epoch, "{how:?}: what was undone is done");
        assert_eq!(alarms(&mut world), ["group-broken"], "{how:?}");
        let text = "the keys of #village cannot be used: ask an administrator to remove you and to add you again, \
                    which makes new ones";
        assert_eq!(checks(&mut world, ALICE), [("groups".to_owned(), text.to_owned())], "{how:?}");
        world.send(ALICE, "#town", "hello").unwrap();
        world.send(ALICE, "@carol", "and you").unwrap();
        world.pass(7_200_000);
        assert_eq!(world.received(CAROL).last().unwrap(), "alice: and you");
        assert_eq!(alarms(&mut world).len(), 1, "the owner is told once");
    }
}

#[test]
fn contacts_come_and_go_though_a_group_is_broken() {
    let mut world = village(&["alice", "bob", "carol"]);
    let request = v1::CreateGroupRequest { name: "village".into(), members: vec!["bob".into()] };
    world.owner::<v1::CreateGroupResponse>(ALICE, Method::CreateGroup, &request).unwrap();
    world.settle();
    world.stop(ALICE);
    damage(&mut world, ALICE, "village", Damage::Spoiled);
    world.start(ALICE);
    let request = v1::RemoveContactRequest { name: "carol".into() };
    world.owner::<v1::RemoveContactResponse>(ALICE, Method::RemoveContact, &request).unwrap();
    let backup = world.nodes[BOB].memory.backup();
    world.stop(BOB);
    let restored = world.add(9, Memory::default());
    world.nodes[restored].memory = backup;
    let request = v1::RestoreBackupRequest::default();
    world.owner::<v1::RestoreBackupResponse>(restored, Method::RestoreBackup, &request).unwrap();
    world.pass(600_000);
    world.send(restored, "@alice", "I am back").unwrap();
    world.pass(60_000);
    assert_eq!(world.received(ALICE), ["bob: I am back"]);
}

#[test]
fn whoever_is_added_again_has_a_whole_group() {
    let mut world = group(&["alice", "bob", "carol"]);
    world.stop(BOB);
    damage(&mut world, BOB, "village", Damage::Spoiled);
    world.start(BOB);
    world.pass(60_000);
    assert_eq!(checks(&mut world, BOB).len(), 1);
    remove(&mut world, ALICE, "@bob").unwrap();
    world.pass(60_000);
    add(&mut world, ALICE, "@bob").unwrap();
    world.pass(4_000_000);
    assert_eq!(checks(&mut world, BOB), []);
    world.send(BOB, "#village", "I am back").unwrap();
    world.pass(60_000);
    assert_eq!(world.received(CAROL), ["bob: I am back"]);
}
