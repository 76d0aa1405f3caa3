//! What the node finds wrong with itself, and whom it says it deals with.

use qpq_proto::{Method, v1};

use super::{bench::Bench, groups::group, world::World};
use crate::records::{PersonRecord, Standing, Verification};

const ALICE: usize = 0;
const BOB: usize = 1;

fn status(bench: &mut Bench) -> v1::NodeStatusResponse {
    bench.owner(Method::NodeStatus, &v1::NodeStatusRequest {}).unwrap()
}

fn know(bench: &mut Bench, number: u8, change: impl FnOnce(&mut PersonRecord)) {
    let mut person = PersonRecord {
        identity: vec![number; 32],
        name: format!("person-{number}"),
        standing: Standing::Accepted.into(),
        nodes: vec![vec![number; 32]],
        ..PersonRecord::default()
    };
    change(&mut person);
    bench.with(|engine, cx| engine.save_person(cx, &person).unwrap());
}

#[test]
fn the_most_severe_comes_first_and_each_names_its_fix() {
    let mut bench = Bench::of("alice");
    assert_eq!(status(&mut bench).health, []);
    know(&mut bench, 1, |person| {
        person.standing = Standing::Requested.into();
        person.is_refused = true;
    });
    know(&mut bench, 2, |person| person.verification = Verification::Mismatched.into());
    know(&mut bench, 3, |person| person.verification = Verification::Verified.into());
    let shown: Vec<(String, String, String)> =
        status(&mut bench).health.into_iter().map(|item| (item.severity, item.code, item.fix)).collect();
    let row = |severity: &str, code: &str, fix: &str| (severity.to_owned(), code.to_owned(), fix.to_owned());
    let expected = [
        row("error", "verification-mismatch", "qpq contact verify @person-2"),
        row("warning", "contact-request-failed", "qpq contact add LINK"),
    ];
    assert_eq!(shown, expected);
}

#[test]
fn contacts_are_listed_with_their_nodes_and_mere_members_are_not() {
    let mut bench = Bench::of("alice");
    know(&mut bench, 1, |person| person.nodes.push(vec![9; 32]));
    know(&mut bench, 2, |person| person.standing = Standing::Member.into());
    know(&mut bench, 3, |person| {
        person.standing = Standing::Blocked.into();
        person.addresses = vec!["192.0.2.3:1".into(), "192.0.2.4:1".into()];
    });
    let shown = status(&mut bench);
    let mut peers: Vec<(u8, String, String)> =
        shown.peers.into_iter().map(|peer| (peer.node[0], peer.contact, peer.address)).collect();
    peers.sort();
    let row = |node: u8, name: &str, address: &str| (node, name.to_owned(), address.to_owned());
    assert_eq!(peers, [row(1, "person-1", ""), row(3, "person-3", "192.0.2.3:1"), row(9, "person-1", "")]);
    assert_eq!(shown.contacts, 2);
}

#[test]
fn a_member_for_whom_something_waits_is_listed() {
    let mut world = group(&["alice", "bob"]);
    let remove = v1::RemoveContactRequest { name: "bob".into() };
    world.owner::<v1::RemoveContactResponse>(ALICE, Method::RemoveContact, &remove).unwrap();
    let status = |world: &mut World| -> v1::NodeStatusResponse {
        world.owner(ALICE, Method::NodeStatus, &v1::NodeStatusRequest {}).unwrap()
    };
    assert_eq!(status(&mut world).peers, []);
    world.stop(BOB);
    world.send(ALICE, "#village", "hello").unwrap();
    let shown = status(&mut world);
    assert_eq!((shown.contacts, shown.outbox_waiting), (0, 1));
    assert!(shown.peers[0].contact.starts_with("~bob-") && shown.peers[0].waiting == 1, "{:?}", shown.peers);
    world.start(BOB);
    world.settle();
    assert_eq!(status(&mut world).peers, []);
}
