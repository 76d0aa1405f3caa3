//! Direct conversations: the key packages kept for them, the groups behind them, and welcomes that are none.

use prost::Message as _;
use qpq_crypto::{device_list::DeviceList, mls};
use qpq_proto::{
    Method, Status,
    v1::{self, GroupKind, GroupRecord},
};

use super::{groups::village, world::World};
use crate::{
    records::{ConversationRecord, PersonRecord},
    tables,
};

const ALICE: usize = 0;
const BOB: usize = 1;
const CAROL: usize = 2;

fn person(world: &mut World, node: usize, name: &str) -> PersonRecord {
    world.act(node, |engine, cx| engine.find_contact(cx, name).unwrap())
}

fn packages(world: &mut World, node: usize, person: &PersonRecord) -> Vec<Vec<u8>> {
    world.act(node, |engine, cx| engine.key_packages(cx, &person.identity).unwrap().packages)
}

/// Key packages that a node makes for somebody.
fn fresh(world: &mut World, node: usize) -> Vec<Vec<u8>> {
    world.act(node, |engine, cx| engine.profile(cx).unwrap().key_packages)
}

fn keep(world: &mut World, node: usize, person: &PersonRecord, packages: &[Vec<u8>]) {
    world.act(node, |engine, cx| engine.keep_key_packages(cx, person, packages).unwrap());
}

fn direct(world: &mut World, node: usize, name: &str) -> ConversationRecord {
    let id = person(world, node, name).conversation;
    world.act(node, |engine, cx| engine.conversation_of(cx, &id).unwrap())
}

/// A welcome to a group that bob makes, of this kind and with these members beside him.
fn welcome(world: &mut World, kind: GroupKind, members: &[usize]) -> Vec<u8> {
    let secret = world.act(BOB, |_, cx| cx.random::<32>());
    welcome_with(world, kind, members, &secret)
}

/// A welcome to a group with this routing secret.
fn welcome_with(world: &mut World, kind: GroupKind, members: &[usize], secret: &[u8]) -> Vec<u8> {
    let suite = mls::Suite::Hybrid;
    let mut added = Vec::new();
    for member in members {
        let packages = fresh(world, *member);
        let mut packages = packages.iter().map(|package| mls::KeyPackage::validate(package).unwrap());
        added.push(packages.find(|package| package.suite == suite && !package.is_last_resort).unwrap());
    }
    let record =
        GroupRecord { kind: kind.into(), routing_secret: secret.to_vec(), version: 1, ..Default::default() };
    world.act(BOB, |engine, cx| {
        let mut cx = engine.me().unwrap().mls(cx);
        let mut group = mls::Group::create(&mut cx, suite, &record.encode_to_vec()).unwrap();
        let changes =
            mls::Changes { add: &added, remove: &[], record: None, annotation: &[], force_path: true };
        group.commit(&mut cx, changes).unwrap().welcome.unwrap()
    })
}

#[test]
fn key_packages_are_kept_of_the_listed_device_and_only_so_many() {
    let mut world = village(&["alice", "bob", "carol"]);
    let bob = person(&mut world, ALICE, "bob");
    let before = packages(&mut world, ALICE, &bob);
    let of_carol = fresh(&mut world, CAROL);
    keep(&mut world, ALICE, &bob, &of_carol);
    keep(&mut world, ALICE, &bob, &[Vec::new(), vec![0xff; 80], before[0].clone()]);
    assert_eq!(packages(&mut world, ALICE, &bob), before, "nothing of it is a new package of bob's");
    let mut newest = Vec::new();
    for _ in 0..4 {
        newest = fresh(&mut world, BOB);
        keep(&mut world, ALICE, &bob, &newest);
    }
    let kept = packages(&mut world, ALICE, &bob);
    assert_eq!((kept.len(), kept.ends_with(&newest)), (8, true), "the oldest make room");
    let nobody = PersonRecord { device_list: vec![1; 9], ..bob.clone() };
    let unchecked = fresh(&mut world, BOB);
    keep(&mut world, ALICE, &nobody, &unchecked);
    assert_eq!(packages(&mut world, ALICE, &bob), kept, "without a device list nothing can be checked");
}

#[test]
fn single_use_packages_are_used_once_and_the_last_resort_for_ever() {
    let mut world = village(&["alice", "bob"]);
    let bob = person(&mut world, ALICE, "bob");
    world.act(ALICE, |engine, cx| engine.save_key_packages(cx, &bob.identity, &Default::default()).unwrap());
    let given = fresh(&mut world, BOB);
    keep(&mut world, ALICE, &bob, &given);
    let take = |world: &mut World, suite| {
        let taken = world.act(ALICE, |engine, cx| engine.take_key_package(cx, &bob, suite));
        taken.map(|taken| mls::KeyPackage::validate(&taken).unwrap().is_last_resort)
    };
    let hybrid: Vec<bool> = (0..5).map(|_| take(&mut world, mls::Suite::Hybrid).unwrap()).collect();
    assert_eq!(hybrid, [false, false, true, true, true]);
    assert_eq!(take(&mut world, mls::Suite::Classical), Ok(true));
    world.act(ALICE, |engine, cx| engine.save_key_packages(cx, &bob.identity, &Default::default()).unwrap());
    assert_eq!(take(&mut world, mls::Suite::Hybrid).unwrap_err().status, Status::Conflict);
}

#[test]
fn a_welcome_must_be_to_a_direct_conversation_of_the_two() {
    let mut world = village(&["alice", "bob", "carol"]);
    let bob = person(&mut world, ALICE, "bob");
    let before = direct(&mut world, ALICE, "bob");
    let to_group = welcome(&mut world, GroupKind::Group, &[ALICE]);
    let of_three = welcome(&mut world, GroupKind::Direct, &[ALICE, CAROL]);
    let short = welcome_with(&mut world, GroupKind::Direct, &[ALICE], &[1; 31]);
    let to_carol = welcome(&mut world, GroupKind::Direct, &[CAROL]);
    for (welcome, status, what) in [
        (to_group, Status::Forbidden, "a group"),
        (of_three, Status::Forbidden, "three people"),
        (short, Status::Forbidden, "a routing secret that is none"),
        (to_carol, Status::Conflict, "a welcome for somebody else"),
        (vec![0xff; 100], Status::Forbidden, "nonsense"),
        (Vec::new(), Status::Forbidden, "nothing"),
    ] {
        let joined = world.act(ALICE, |engine, cx| engine.join_direct(cx, &bob, &welcome, false));
        assert_eq!(joined.unwrap_err().status, status, "{what}");
        assert_eq!(direct(&mut world, ALICE, "bob"), before, "{what}");
    }
    let good = welcome(&mut world, GroupKind::Direct, &[ALICE]);
    world.act(ALICE, |engine, cx| engine.join_direct(cx, &bob, &good, false)).unwrap();
    let again = world.act(ALICE, |engine, cx| engine.join_direct(cx, &bob, &good, false));
    assert!(again.is_err(), "a welcome works once");
}

#[test]
fn of_two_groups_the_smaller_id_is_used_and_a_renewal_always() {
    for (is_renewal, rounds) in [(false, 8), (true, 8)] {
        let mut world = village(&["alice", "bob"]);
        let bob = person(&mut world, ALICE, "bob");
        for _ in 0..rounds {
            let before = direct(&mut world, ALICE, "bob").group_id;
            let welcome = welcome(&mut world, GroupKind::Direct, &[ALICE]);
            world.act(ALICE, |engine, cx| engine.join_direct(cx, &bob, &welcome, is_renewal)).unwrap();
            let after = direct(&mut world, ALICE, "bob");
            let newest = after.retired_groups.last().unwrap().clone();
            if is_renewal {
                assert_eq!(newest, before, "the new one takes the place of the old one");
            } else {
                assert!(after.group_id < newest, "the smaller one is used");
                assert!(after.group_id == before || newest == before, "the other one is kept");
            }
        }
        let after = direct(&mut world, ALICE, "bob");
        assert_eq!(after.retired_groups.len(), 4, "as many as are kept for what is under way");
        let known = after.retired_groups.iter().chain([&after.group_id]);
        assert!(after.routes.iter().all(|route| known.clone().any(|id| *id == route.group_id)));
        assert_eq!(after.routes.len(), 5);
    }
}

#[test]
fn a_secret_that_was_used_before_does_not_silence_the_conversation() {
    let mut world = village(&["alice", "bob"]);
    let bob = person(&mut world, ALICE, "bob");
    for is_renewal in [true, false, true] {
        let welcome = welcome_with(&mut world, GroupKind::Direct, &[ALICE], &[1; 32]);
        world.act(ALICE, |engine, cx| engine.join_direct(cx, &bob, &welcome, is_renewal)).unwrap();
        world.send(ALICE, "@bob", "hello").unwrap();
    }
}

#[test]
fn asking_a_contact_again_brings_a_new_group_and_loses_nothing() {
    let mut world = village(&["alice", "bob"]);
    for number in 0..6 {
        let before = direct(&mut world, ALICE, "bob").group_id;
        world.cut(ALICE, BOB);
        world.send(BOB, "@alice", &format!("before {number}")).unwrap();
        let link = world.invite(BOB, false);
        world.follow(ALICE, &link).unwrap();
        assert_eq!(world.follow(ALICE, &link).unwrap_err().status, Status::Conflict, "one request at a time");
        world.join(ALICE, BOB);
        world.pass(60_000);
        assert_ne!(direct(&mut world, ALICE, "bob").group_id, before);
        world.send(ALICE, "@bob", &format!("after {number}")).unwrap();
        world.pass(60_000);
    }
    let said = |what: &str, by: &str| (0..6).map(|n| format!("{by}: {what} {n}")).collect::<Vec<_>>();
    assert_eq!(world.received(ALICE), said("before", "bob"));
    assert_eq!(world.received(BOB), said("after", "alice"));
    assert_eq!(world.conversations(ALICE).len(), 1);
    assert_eq!(world.nodes[ALICE].memory.count(tables::OUTGOING), 0);
}

#[test]
fn a_contact_who_has_not_answered_has_no_certificate() {
    let mut world = World::of(&["alice", "bob"]);
    let link = world.invite(BOB, true);
    world.follow(ALICE, &link).unwrap();
    let request = v1::CreateGroupRequest { name: "village".into(), members: vec!["bob".into()] };
    let refused = world.owner::<v1::CreateGroupResponse>(ALICE, Method::CreateGroup, &request).unwrap_err();
    assert_eq!(refused.message, "@bob has not answered the contact request yet");
    world.settle();
    let accept = v1::AcceptContactRequest { name: "alice".into() };
    world.owner::<v1::AcceptContactResponse>(BOB, Method::AcceptContact, &accept).unwrap();
    world.settle();
    let bob = person(&mut world, ALICE, "bob");
    let listed = DeviceList::decode_and_verify(&bob.device_list).unwrap();
    let certificate = world.act(ALICE, |engine, _| engine.certificate_of(&bob).unwrap());
    assert_eq!(listed.certificates, [certificate]);
}
