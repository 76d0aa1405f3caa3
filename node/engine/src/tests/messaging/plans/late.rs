//! Changes that wait, and such as are not made: who asked is told, and nobody keeps them waiting.

use super::*;
use crate::tests::groups::remove;

#[test]
fn a_change_that_waited_over_other_commits_is_carried_out() {
    let mut world = village(&["alice", "bob", "carol", "dave", "erin"]);
    let members = ["bob", "carol", "dave"].map(String::from).to_vec();
    let request = v1::CreateGroupRequest { name: "village".into(), members };
    world.owner::<v1::CreateGroupResponse>(ALICE, Method::CreateGroup, &request).unwrap();
    world.settle();
    world.cut(ALICE, CAROL);
    let asked = add(&mut world, CAROL, "@erin").unwrap();
    // Each of these ends an era, and the last a membership.
    for _ in 0..3 {
        rotate(&mut world, BOB, "#village");
        world.settle();
    }
    remove(&mut world, ALICE, "@dave").unwrap();
    world.join(ALICE, CAROL);
    world.pass(60_000);
    let request = v1::WaitChangeRequest { change: asked.change, timeout_ms: 0 };
    let waited: v1::WaitChangeResponse = world.owner(CAROL, Method::WaitChange, &request).unwrap();
    assert!(waited.change.unwrap().committed);
    check(&mut world, &[ALICE, BOB, CAROL, 4], 4);
}

/// What becomes of a change, in words.
fn told(world: &mut World, node: usize, change: &[u8]) -> String {
    let request = v1::WaitChangeRequest { change: change.to_vec(), timeout_ms: 0 };
    let waited: v1::WaitChangeResponse = world.owner(node, Method::WaitChange, &request).unwrap();
    waited.change.unwrap().failed
}

#[test]
fn whoever_asked_for_what_is_not_made_is_told_and_nobody_keeps_it_waiting() {
    let mut world = village(&["alice", "bob", "carol", "dave"]);
    let members = ["bob", "carol"].map(String::from).to_vec();
    let request = v1::CreateGroupRequest { name: "village".into(), members };
    world.owner::<v1::CreateGroupResponse>(ALICE, Method::CreateGroup, &request).unwrap();
    world.settle();
    world.limit(ALICE, |limits| limits.group_members_max = 3);
    world.cut(BOB, CAROL);
    let asked = add(&mut world, BOB, "@dave").unwrap();
    world.settle();
    let full = "the group has as many members as a group can have: remove somebody first";
    assert_eq!(told(&mut world, BOB, &asked.change), full);
    // Alice's word reaches carol before what bob has asked for.
    world.join(BOB, CAROL);
    world.pass(60_000);
    for node in [ALICE, BOB, CAROL] {
        assert_eq!(world.show(node, "#village").unwrap().changes, [], "node {node}");
    }
    check(&mut world, &[ALICE, BOB, CAROL], 3);
}

#[test]
fn whoever_asks_when_it_is_too_late_is_told() {
    let mut world = village(&["alice", "bob", "carol", "dave"]);
    let members = ["bob", "carol", "dave"].map(String::from).to_vec();
    let request = v1::CreateGroupRequest { name: "village".into(), members };
    world.owner::<v1::CreateGroupResponse>(ALICE, Method::CreateGroup, &request).unwrap();
    world.settle();
    // Bob asks for dave's new leaf, who goes and comes back before anybody hears of it.
    world.stop(BOB);
    remove(&mut world, ALICE, "@dave").unwrap();
    world.settle();
    add(&mut world, ALICE, "@dave").unwrap();
    world.settle();
    let key_packages = vec![key_package(&mut world, 3)];
    let members = vec![profile(&mut world, 3)];
    let asked = world.act(BOB, |engine, cx| {
        let village = engine.find_group(cx, "village").unwrap();
        let village = engine.conversation_of(cx, &village).unwrap();
        let kind = Asked::Add(v1::AddMembers { key_packages, members });
        engine.request_change(cx, &village, kind).unwrap()
    });
    world.start(BOB);
    world.pass(60_000);
    let outdated = "the group has changed too much since you asked: ask again";
    assert_eq!(told(&mut world, BOB, &asked.change), outdated);
    check(&mut world, &[ALICE, BOB, CAROL, 3], 4);
}
