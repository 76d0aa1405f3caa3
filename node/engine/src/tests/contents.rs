//! Contents that are no texts, from whoever may say them inside a group.

use prost::Message as _;
use qpq_proto::v1::{self, content::Kind};

use super::{groups::group, world::World};
use crate::{
    records::{ConversationRecord, PersonRecord},
    sealing::Audience,
    tables::{self, CONVERSATIONS, PEOPLE},
};

const ALICE: usize = 0;
const BOB: usize = 1;
const CAROL: usize = 2;

fn say(world: &mut World, node: usize, to: &str, content: &v1::Content) {
    let id = world.conversations(node).into_iter().find(|c| c.name == to).unwrap().id;
    world
        .act(node, |engine, cx| {
            let conversation: ConversationRecord =
                tables::load(cx.tx, CONVERSATIONS, tables::key(&id)).unwrap().unwrap();
            engine.seal_content(cx, &conversation, content, Audience::Everybody)
        })
        .unwrap();
    world.settle();
}

fn saying(kind: Kind) -> v1::Content {
    v1::Content { id: vec![3; 16], sent_at_ms: 1, kind: Some(kind), ..Default::default() }
}

/// What alice knows of somebody, by the identity of the somebody's node.
fn known(world: &mut World, node: usize) -> PersonRecord {
    let identity = world.act(node, |engine, _| engine.me().unwrap().id());
    world.act(ALICE, |_, cx| tables::load(cx.tx, PEOPLE, tables::key(&identity)).unwrap().unwrap())
}

fn packages(world: &mut World, node: usize) -> Vec<Vec<u8>> {
    let identity = known(world, node).identity;
    world.act(ALICE, |engine, cx| engine.key_packages(cx, &identity).unwrap().packages)
}

#[test]
fn a_contact_brings_fresh_addresses_and_key_packages_but_no_new_name() {
    let mut world = group(&["alice", "bob", "carol"]);
    let (before, packages_before) = (known(&mut world, BOB), packages(&mut world, BOB));
    let mut profile = world.act(BOB, |engine, cx| engine.profile(cx).unwrap());
    profile.name = "robert".into();
    profile.hybrid_key = vec![1; 1_216];
    profile.addresses = vec!["192.0.2.9:9".into(), "nonsense".into()];
    let fresh = profile.key_packages.clone();
    say(&mut world, BOB, "#village", &saying(Kind::Profile(profile)));
    let after = known(&mut world, BOB);
    assert_eq!(after.addresses[0], "192.0.2.9:9");
    assert_eq!(
        PersonRecord { addresses: before.addresses.clone(), ..after },
        before,
        "nothing else is believed"
    );
    let kept = packages(&mut world, BOB);
    assert!(kept.ends_with(&fresh) && kept.len() > packages_before.len());
}

#[test]
fn a_mere_member_brings_nothing() {
    let mut world = group(&["alice", "bob", "carol"]);
    let remove = v1::RemoveContactRequest { name: "carol".into() };
    let method = qpq_proto::Method::RemoveContact;
    world.owner::<v1::RemoveContactResponse>(ALICE, method, &remove).unwrap();
    let before = known(&mut world, CAROL);
    let mut profile = world.act(CAROL, |engine, cx| engine.profile(cx).unwrap());
    profile.addresses = vec!["192.0.2.9:9".into()];
    say(&mut world, CAROL, "#village", &saying(Kind::Profile(profile)));
    assert_eq!(known(&mut world, CAROL), before);
    assert_eq!(packages(&mut world, CAROL), Vec::<Vec<u8>>::new());
}

#[test]
fn key_packages_of_others_are_not_taken_for_ones_own() {
    let mut world = group(&["alice", "bob", "carol"]);
    let before = packages(&mut world, BOB);
    let profile = world.act(CAROL, |engine, cx| engine.profile(cx).unwrap());
    say(&mut world, BOB, "#village", &saying(Kind::Profile(profile)));
    assert_eq!(packages(&mut world, BOB), before);
    assert!(world.send(ALICE, "@bob", "still bob").is_ok());
}

#[test]
fn what_a_newer_version_says_is_passed_over() {
    let mut world = group(&["alice", "bob"]);
    let mut unknown = saying(Kind::Receipt(v1::Receipt::default()));
    unknown.kind = None;
    let mut bytes = unknown.encode_to_vec();
    bytes.extend([0xfa, 0x01, 0x01, 0x07]);
    let newer = v1::Content::decode(bytes.as_slice()).unwrap();
    say(&mut world, BOB, "#village", &newer);
    assert_eq!(world.history(ALICE), []);
    world.send(BOB, "#village", "and on it goes").unwrap();
    world.settle();
    assert_eq!(world.received(ALICE), ["bob: and on it goes"]);
}
