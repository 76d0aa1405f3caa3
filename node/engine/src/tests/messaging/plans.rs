//! Changes that would break a group if its committer made them: everybody else would refuse the commit.

use prost::Message as _;
use qpq_crypto::{
    certificate::DeviceCertificate, device_list::DeviceList, identity::DeviceSecret, mls, signature::Domain,
};
use qpq_proto::{
    Method,
    v1::{self, change::Kind as Asked, content::Kind},
};

use super::{conversation, say};
use crate::tests::{
    groups::{add, group, rotate, village},
    world::World,
};

mod late;

const ALICE: usize = 0;
const BOB: usize = 1;
const CAROL: usize = 2;

/// Asks for any change with a member's signature, as an honest engine would not.
fn ask(world: &mut World, node: usize, asked: Asked) {
    let group_id = conversation(world, node, "#village").group_id;
    let signed = world.act(node, |engine, cx| {
        let era = engine.group_view(cx, &group_id).unwrap().record.era;
        let me = engine.me().unwrap();
        let change = v1::Change { id: vec![3; 16], group_id, author: me.id(), era, kind: Some(asked) };
        let change = change.encode_to_vec();
        let signature = me.device.sign(Domain::GroupChange, &[&change]).to_vec();
        v1::SignedChange { change, signature }
    });
    say(world, node, "#village", Kind::Change(signed));
    world.pass(60_000);
}

fn leave(world: &mut World, node: usize) {
    let request = v1::LeaveGroupRequest { group: "village".into() };
    world.owner::<v1::LeaveGroupResponse>(node, Method::LeaveGroup, &request).unwrap();
}

fn key_package(world: &mut World, of: usize) -> Vec<u8> {
    world.act(of, |engine, cx| {
        let me = engine.me.as_ref().unwrap();
        mls::KeyPackage::create(&mut me.mls(cx), mls::Suite::Hybrid, false).unwrap().0
    })
}

fn profile(world: &mut World, of: usize) -> v1::MemberProfile {
    world.act(of, |engine, _| {
        let me = engine.me().unwrap();
        v1::MemberProfile {
            identity: me.id(),
            name: "somebody".into(),
            hybrid_key: me.hybrid.public().to_bytes().to_vec(),
            hybrid_signature: me.hybrid_signature.clone(),
            hybrid_sequence: me.device_list_sequence,
            ..v1::MemberProfile::default()
        }
    })
}

/// Everybody is still in one epoch of a group of so many, and hears everybody.
fn check(world: &mut World, people: &[usize], members: usize) {
    for from in people {
        world.send(*from, "#village", &format!("from {from}")).unwrap();
    }
    world.pass(60_000);
    let epochs = people.iter().map(|node| world.show(*node, "#village").unwrap());
    let epochs: Vec<(Vec<u8>, usize)> = epochs.map(|shown| (shown.epoch_id, shown.members.len())).collect();
    assert!(epochs.iter().all(|epoch| *epoch == (epochs[0].0.clone(), members)), "{epochs:?}");
    for node in people {
        assert_eq!(world.received(*node).len(), people.len() - 1, "node {node}");
    }
}

#[test]
fn nobody_renews_another_or_brings_somebody_in_by_renewing_keys() {
    for of in [ALICE, CAROL, 3] {
        let mut world = village(&["alice", "bob", "carol", "dave"]);
        let members = vec!["bob".into(), "carol".into()];
        let request = v1::CreateGroupRequest { name: "village".into(), members };
        world.owner::<v1::CreateGroupResponse>(ALICE, Method::CreateGroup, &request).unwrap();
        world.settle();
        let key_package = key_package(&mut world, of);
        ask(&mut world, BOB, Asked::Rotate(v1::Rotate { key_package }));
        check(&mut world, &[ALICE, BOB, CAROL], 3);
        assert_eq!(world.show(ALICE, "#village").unwrap().changes, []);
    }
}

#[test]
fn whom_a_change_adds_it_has_to_say() {
    for is_named in [false, true] {
        let mut world = village(&["alice", "bob", "carol"]);
        let request = v1::CreateGroupRequest { name: "village".into(), members: vec!["bob".into()] };
        world.owner::<v1::CreateGroupResponse>(ALICE, Method::CreateGroup, &request).unwrap();
        world.settle();
        let key_packages = vec![key_package(&mut world, CAROL)];
        let members = if is_named { vec![profile(&mut world, CAROL)] } else { Vec::new() };
        ask(&mut world, BOB, Asked::Add(v1::AddMembers { key_packages, members }));
        check(&mut world, &[ALICE, BOB], 2 + usize::from(is_named));
    }
}

#[test]
fn a_member_is_not_added_again_under_any_pretext() {
    let mut world = group(&["alice", "bob", "carol"]);
    let epoch = world.show(ALICE, "#village").unwrap().epoch_id;
    let named = profile(&mut world, CAROL);
    for members in [Vec::new(), vec![named], vec![profile(&mut world, BOB)]] {
        let key_packages = vec![key_package(&mut world, CAROL)];
        ask(&mut world, BOB, Asked::Add(v1::AddMembers { key_packages, members }));
        assert_eq!(world.show(ALICE, "#village").unwrap().epoch_id, epoch);
    }
    check(&mut world, &[ALICE, BOB, CAROL], 3);
}

#[test]
fn garbage_in_the_place_of_key_packages_does_nothing() {
    let mut world = group(&["alice", "bob", "carol"]);
    let named = profile(&mut world, CAROL);
    for key_package in [vec![1; 9], vec![0; 4_000]] {
        ask(&mut world, BOB, Asked::Rotate(v1::Rotate { key_package: key_package.clone() }));
        let (key_packages, members) = (vec![key_package], vec![named.clone()]);
        ask(&mut world, BOB, Asked::Add(v1::AddMembers { key_packages, members }));
    }
    // An empty renewal is how the committer asks for its own; from another it renews the committer's path.
    ask(&mut world, BOB, Asked::Rotate(v1::Rotate::default()));
    ask(&mut world, BOB, Asked::Add(v1::AddMembers::default()));
    check(&mut world, &[ALICE, BOB, CAROL], 3);
    assert_eq!(world.show(ALICE, "#village").unwrap().changes, []);
}

#[test]
fn nobody_is_added_who_cannot_be_sent_the_welcome() {
    let mut world = group(&["alice", "bob", "carol"]);
    let mallory = world.add_person(3, "mallory");
    let of_bob = profile(&mut world, BOB);
    let of_mallory = profile(&mut world, mallory);
    let with_key = |hybrid_key| v1::MemberProfile { hybrid_key, ..of_mallory.clone() };
    let substituted = v1::MemberProfile { identity: of_mallory.identity.clone(), ..of_bob.clone() };
    for profile in [
        with_key(Vec::new()),
        with_key(vec![1; 9]),
        with_key(vec![0xff; 1_216]),
        with_key(vec![0; 1_217]),
        // Bob would get her welcome.
        with_key(of_bob.hybrid_key.clone()),
        substituted,
        v1::MemberProfile { hybrid_signature: Vec::new(), ..of_mallory.clone() },
        v1::MemberProfile { hybrid_sequence: 2, ..of_mallory.clone() },
    ] {
        let key_packages = vec![key_package(&mut world, mallory)];
        let members = vec![profile];
        ask(&mut world, BOB, Asked::Add(v1::AddMembers { key_packages, members }));
    }
    check(&mut world, &[ALICE, BOB, CAROL], 3);
    assert_eq!(world.show(ALICE, "#village").unwrap().changes, []);
}

/// Dave comes into the group by a link of alice's, and carol after him if she is not there already.
fn with_dave(names: &[&'static str]) -> World {
    let mut world = village(&["alice", "bob", "carol"]);
    let members = names.iter().map(ToString::to_string).collect();
    let request = v1::CreateGroupRequest { name: "village".into(), members };
    world.owner::<v1::CreateGroupResponse>(ALICE, Method::CreateGroup, &request).unwrap();
    world.settle();
    let dave = world.add_person(3, "dave");
    let link = v1::CreateGroupLinkRequest { group: "village".into(), ..Default::default() };
    let link: v1::CreateGroupLinkResponse = world.owner(ALICE, Method::CreateGroupLink, &link).unwrap();
    let join = v1::JoinGroupRequest { link: link.link };
    world.owner::<v1::JoinGroupResponse>(dave, Method::JoinGroup, &join).unwrap();
    world.settle();
    if !names.contains(&"carol") {
        add(&mut world, ALICE, "carol").unwrap();
        world.settle();
    }
    world
}

#[test]
fn whoever_takes_over_can_renew_a_member_whom_it_never_met() {
    let mut world = with_dave(&["bob", "carol"]);
    // His request waits at everybody's when alice leaves, and then another comes.
    world.cut(ALICE, 3);
    let before = world.show(3, "#village").unwrap().epoch_id;
    rotate(&mut world, 3, "#village");
    world.settle();
    leave(&mut world, ALICE);
    world.pass(60_000);
    rotate(&mut world, 3, "#village");
    world.pass(60_000);
    assert_ne!(world.show(3, "#village").unwrap().epoch_id, before);
    check(&mut world, &[BOB, CAROL, 3], 3);
}

#[test]
fn a_member_whose_key_the_committer_never_learned_keeps_its_leaf_and_the_group_goes_on() {
    let mut world = with_dave(&["bob"]);
    leave(&mut world, ALICE);
    world.pass(60_000);
    // Only carol, who came after dave, hears of his request, and then the committer leaves.
    world.cut(BOB, 3);
    rotate(&mut world, 3, "#village");
    world.settle();
    leave(&mut world, BOB);
    world.pass(60_000);
    world.join(BOB, 3);
    world.pass(60_000);
    rotate(&mut world, 3, "#village");
    world.pass(60_000);
    for node in [CAROL, 3] {
        world.stop(node);
        world.start(node);
    }
    check(&mut world, &[CAROL, 3], 2);
}

#[test]
fn nobody_commits_what_the_others_would_refuse() {
    let mut world = group(&["alice", "bob", "carol"]);
    // Alice has revoked her device, says carol, with a proof; but there is nothing to put in its place.
    let device_list = world.act(ALICE, |engine, _| {
        let me = engine.me().unwrap();
        let list = DeviceList::decode_and_verify(&me.device_list).unwrap();
        let device = DeviceSecret::from_seed(&[9; 32]).public();
        let suites = [mls::HYBRID, mls::CLASSICAL];
        let other = DeviceCertificate::issue(&me.identity, device, me.certificate.node, &suites, 1).unwrap();
        list.next(&me.identity, vec![other], vec![me.device.public()]).unwrap().encode()
    });
    let members = vec![v1::MemberProfile { device_list, ..profile(&mut world, ALICE) }];
    ask(&mut world, CAROL, Asked::Add(v1::AddMembers { key_packages: vec![vec![1; 9]], members }));
    assert_eq!(world.show(BOB, "#village").unwrap().committer, "bob", "it would be his turn");
    let before = world.show(BOB, "#village").unwrap().epoch_id;
    let asked = rotate(&mut world, BOB, "#village");
    world.pass(60_000);
    assert!(!asked.committed, "but a commit without the proof would be refused by all others");
    assert_eq!(world.show(BOB, "#village").unwrap().epoch_id, before);
    check(&mut world, &[ALICE, BOB, CAROL], 3);
}
