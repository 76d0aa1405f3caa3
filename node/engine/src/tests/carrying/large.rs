//! A group of two hundred that was made on an island, and somebody who was never there.

use qpq_crypto::{device_list::DeviceList, mls};
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
use crate::{introductions::Introduced, records::Standing};

/// Members besides alice and carol.
const ISLANDERS: usize = 198;
/// Node keys below are those of the people whose nodes run.
const FIRST_NODE: usize = 8;

/// What an islander has given to alice.
fn islanders() -> Vec<(DeviceList, v1::Profile)> {
    let mut island = World::seeded(2, &[]);
    (0..FIRST_NODE + ISLANDERS)
        .map(|number| {
            let node = island.add_with_identity(2, &format!("islander{number}"));
            island.act(node, |engine, cx| {
                let me = engine.me().unwrap();
                let (package, _) =
                    mls::KeyPackage::create(&mut me.mls(cx), mls::Suite::Hybrid, false).unwrap();
                let profile = v1::Profile {
                    name: me.name.clone(),
                    hybrid_key: me.hybrid.public().to_bytes().to_vec(),
                    key_packages: vec![package],
                    ..v1::Profile::default()
                };
                (DeviceList::decode_and_verify(&me.device_list).unwrap(), profile)
            })
        })
        .skip(FIRST_NODE)
        .collect()
}

/// Alice makes a group with them, and each has its welcome.
fn found_village(world: &mut World) {
    let islanders = islanders();
    let members = islanders.iter().map(|(_, profile)| format!("@{}", profile.name)).collect();
    world.act(ALICE, |engine, cx| {
        for (list, profile) in &islanders {
            let from = Introduced { identity: list.identity, list: list.clone() };
            let mut person = engine.learn_contact(cx, &from, None, profile).unwrap();
            person.standing = Standing::Accepted.into();
            engine.save_person(cx, &person).unwrap();
        }
    });
    let request = v1::CreateGroupRequest { name: "village".into(), members };
    world.owner::<v1::CreateGroupResponse>(ALICE, Method::CreateGroup, &request).unwrap();
    let id = world.conversations(ALICE).into_iter().find(|found| found.name == "#village").unwrap().id;
    world.act(ALICE, |engine, cx| {
        for (list, _) in &islanders {
            engine.drop_queue(cx, list.identity.as_bytes(), &id, "it was there").unwrap();
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
