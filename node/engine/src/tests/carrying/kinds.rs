//! Everything that a group or a contact needs travels as bundles where somebody is absent: in the class of control, and
//! for thirty days.

use qpq_mesh::Class;
use qpq_proto::{Method, v1};

use super::{
    super::{
        groups::{add, group, rotate},
        restoring::restore,
        world::World,
    },
    ALICE, BOB, CAROL, MINUTE_MS,
    look::kinds,
    meet,
};

const DAVE: usize = 3;
/// What control bundles look like, but for receipts.
const CONTROL: (Class, u32) = (Class::Control, 720);

fn members(world: &mut World, node: usize) -> usize {
    world.show(node, "#village").unwrap().members.len()
}

/// Key packages of a contact that are left.
fn packages(world: &mut World, node: usize, contact: &str) -> usize {
    world.act(node, |engine, cx| {
        let identity = engine.find_contact(cx, contact).unwrap().identity;
        engine.key_packages(cx, &identity).unwrap().packages.len()
    })
}

/// Alice, bob and carol share a group, dave is everybody's contact, and nobody reaches anybody.
fn village_and_dave() -> World {
    let mut world = group(&["alice", "bob", "carol"]);
    world.add_person(DAVE, "dave");
    for friend in [ALICE, BOB, CAROL] {
        world.befriend(friend, DAVE);
    }
    world.pass(MINUTE_MS);
    for one in 0..4 {
        (one + 1..4).for_each(|other| world.cut(one, other));
    }
    world
}

#[test]
fn a_change_its_commit_the_welcome_and_key_packages_go_by_somebody_else() {
    let mut world = village_and_dave();
    add(&mut world, CAROL, "@dave").unwrap();
    meet(&mut world, CAROL, BOB);
    assert_eq!(kinds(&world, BOB), [CONTROL], "the request");
    meet(&mut world, BOB, ALICE);
    assert_eq!(members(&mut world, ALICE), 4);
    meet(&mut world, BOB, CAROL);
    assert_eq!(members(&mut world, CAROL), 4, "the commit");
    let before = packages(&mut world, ALICE, "dave");
    meet(&mut world, BOB, DAVE);
    assert_eq!(members(&mut world, DAVE), 4, "the welcome");
    meet(&mut world, BOB, ALICE);
    assert!(packages(&mut world, ALICE, "dave") > before, "fresh key packages");
    assert_eq!(kinds(&world, BOB), [CONTROL]);
}

#[test]
fn renewed_keys_go_by_somebody_else() {
    let mut world = village_and_dave();
    rotate(&mut world, CAROL, "#village");
    meet(&mut world, CAROL, BOB);
    meet(&mut world, BOB, ALICE);
    meet(&mut world, BOB, CAROL);
    assert_eq!(kinds(&world, BOB), [CONTROL]);
    world.send(ALICE, "#village", "with new keys").unwrap();
    meet(&mut world, ALICE, BOB);
    meet(&mut world, BOB, CAROL);
    assert_eq!(world.received(CAROL), ["alice: with new keys"]);
}

#[test]
fn a_contact_request_and_its_answer_go_by_somebody_else() {
    let mut world = World::friends(&["alice", "bob", "carol"]);
    world.befriend(BOB, CAROL);
    world.pass(MINUTE_MS);
    let link = world.invite(CAROL, false);
    world.follow(ALICE, &link).unwrap();
    // The link names carol's node, which says by which key she can be asked; then it is gone.
    let is_key_known = |world: &mut World| {
        world.act(ALICE, |engine, cx| !engine.find_contact(cx, "carol").unwrap().hybrid_key.is_empty())
    };
    while !is_key_known(&mut world) {
        assert!(world.step());
    }
    for (one, other) in [(ALICE, CAROL), (BOB, CAROL), (ALICE, BOB)] {
        world.cut(one, other);
    }
    meet(&mut world, ALICE, BOB);
    assert_eq!(kinds(&world, BOB), [CONTROL]);
    meet(&mut world, BOB, CAROL);
    assert_eq!(kinds(&world, BOB), [CONTROL], "the answer");
    meet(&mut world, ALICE, BOB);
    world.send(ALICE, "@carol", "we never met").unwrap();
    meet(&mut world, ALICE, BOB);
    meet(&mut world, BOB, CAROL);
    assert_eq!(world.received(CAROL), ["alice: we never met"]);
}

#[test]
fn a_new_device_list_goes_by_somebody_else() {
    let mut world = World::friends(&["alice", "bob", "carol"]);
    world.befriend(ALICE, CAROL);
    world.befriend(BOB, CAROL);
    world.pass(MINUTE_MS);
    let backup = world.nodes[ALICE].memory.backup();
    world.stop(ALICE);
    for (one, other) in [(BOB, CAROL), (BOB, DAVE), (CAROL, DAVE)] {
        world.cut(one, other);
    }
    let again = restore(&mut world, backup);
    assert_eq!(again, DAVE);
    meet(&mut world, again, BOB);
    assert!(kinds(&world, BOB).contains(&CONTROL));
    let devices = |world: &mut World| {
        world.act(CAROL, |engine, cx| engine.find_contact(cx, "alice").unwrap().device_list)
    };
    let before = devices(&mut world);
    meet(&mut world, BOB, CAROL);
    assert_ne!(devices(&mut world), before);
    meet(&mut world, BOB, again);
    world.send(again, "@carol", "from another device").unwrap();
    meet(&mut world, BOB, again);
    meet(&mut world, BOB, CAROL);
    assert_eq!(world.received(CAROL), ["alice: from another device"]);
    let shown: v1::ShowIdentityResponse =
        world.owner(again, Method::ShowIdentity, &v1::ShowIdentityRequest {}).unwrap();
    assert_eq!(shown.device_list_sequence, 2);
}
