//! A group of two hundred that was made on an island, and somebody who was never there.

use qpq_crypto::mls;
use qpq_mesh::SizeClass;
use qpq_proto::{Method, v1};

use super::{
    super::{
        groups::{add, rotate},
        world::World,
    },
    ALICE, BOB, CAROL, apart,
    look::held,
    meet,
};

/// Members besides alice and carol.
const ISLANDERS: usize = 198;
/// Node keys below are those of the people whose nodes run.
const FIRST_NODE: usize = 8;

/// Names and key packages of the islanders.
fn islanders() -> Vec<(String, mls::ValidatedKeyPackage)> {
    let mut island = World::seeded(2, &[]);
    let key_package = |number: usize| {
        let node = island.add_with_identity(2, &format!("islander{number}"));
        island.act(node, |engine, cx| {
            let me = engine.me().unwrap();
            let created = mls::KeyPackage::create(&mut me.mls(cx), mls::Suite::Hybrid, false);
            (me.name.clone(), mls::KeyPackage::validate(&created.unwrap().0).unwrap())
        })
    };
    (0..FIRST_NODE + ISLANDERS).map(key_package).skip(FIRST_NODE).collect()
}

/// Alice makes a group with them, and each has its welcome already.
fn found_village(world: &mut World) {
    let request = v1::CreateGroupRequest { name: "village".into(), members: Vec::new() };
    world.owner::<v1::CreateGroupResponse>(ALICE, Method::CreateGroup, &request).unwrap();
    let id = world.conversations(ALICE).into_iter().find(|found| found.name == "#village").unwrap().id;
    let (names, add): (Vec<String>, Vec<_>) = islanders().into_iter().unzip();
    world.act(ALICE, |engine, cx| {
        let mut conversation = engine.conversation_of(cx, &id).unwrap();
        let changes =
            mls::Changes { add: &add, remove: &[], record: None, annotation: &[], force_path: true };
        engine.with_group(cx, &conversation.group_id, |group, mls| group.commit(mls, changes)).unwrap();
        let view = engine.group_view(cx, &conversation.group_id).unwrap();
        engine.follow_group(cx, &mut conversation, &view).unwrap();
        engine.save_conversation(cx, &conversation).unwrap();
        for (name, package) in names.into_iter().zip(&add) {
            let (identity, node) = (package.certificate.identity, package.certificate.node);
            let profile = v1::MemberProfile { name, ..v1::MemberProfile::default() };
            engine.learn_member(cx, identity, node, Some(&profile)).unwrap();
        }
    });
}

#[test]
fn its_welcome_reaches_somebody_who_was_never_there() {
    let mut world = apart();
    found_village(&mut world);
    add(&mut world, ALICE, "@carol").unwrap();
    meet(&mut world, ALICE, BOB);
    let large = held(&world, BOB).iter().filter(|(_, size, _)| *size == SizeClass::Kib64).count();
    assert!(large > 4, "{large} pieces of 64 KiB");
    meet(&mut world, BOB, CAROL);
    let village = world.show(CAROL, "#village").unwrap();
    assert_eq!(village.members.len(), ISLANDERS + 2);

    world.send(CAROL, "#village", "here I am").unwrap();
    meet(&mut world, BOB, CAROL);
    meet(&mut world, ALICE, BOB);
    assert_eq!(world.received(ALICE), ["carol: here I am"]);

    assert!(rotate(&mut world, ALICE, "#village").committed);
    world.send(ALICE, "#village", "welcome").unwrap();
    meet(&mut world, ALICE, BOB);
    meet(&mut world, BOB, CAROL);
    assert_eq!(world.received(CAROL), ["alice: welcome"], "the commit came too");
}
