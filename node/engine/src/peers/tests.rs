//! What is wanted, called and connected, also when an input comes to nothing.

use std::net::SocketAddr;

use std::collections::BTreeMap;

use qpq_proto::{Method, Status, v1};

use super::*;
use crate::{Effect, Input, tests::bench::Bench};

fn node(number: u8) -> NodeKey {
    NodeKey::from_bytes([number; 32])
}

fn person(number: u8, standing: Standing) -> PersonRecord {
    PersonRecord {
        identity: vec![number; 32],
        standing: standing.into(),
        nodes: vec![vec![number; 32]],
        ..PersonRecord::default()
    }
}

fn bench_with(people: &[PersonRecord]) -> Bench {
    let mut bench = Bench::of("alice");
    for person in people {
        bench.with(|engine, cx| engine.save_person(cx, person).unwrap());
    }
    bench
}

fn wanted(effects: &[Effect]) -> Vec<NodeKey> {
    let node = |effect: &Effect| match effect {
        Effect::Want { node, .. } => Some(*node),
        _ => None,
    };
    effects.iter().filter_map(node).collect()
}

fn addresses(bench: &mut Bench, number: u8) -> Vec<String> {
    bench.with(|engine, cx| engine.person(cx, &[number; 32]).unwrap().unwrap().addresses)
}

fn delivery(ordinal: u64) -> Purpose {
    Purpose::Delivery { stream: Stream::Person(vec![1; 32]), recipient: vec![1; 32], ordinal }
}

fn call(peers: &mut Peers, purpose: Purpose) -> CallId {
    match peers.call(node(1), Method::Enqueue, Bytes::new(), purpose) {
        Effect::Call { call, .. } => call,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_node_is_asked_for_once_until_it_is_let_go() {
    let mut peers = Peers::default();
    assert_eq!(peers.want(b"bob", &[node(1), node(2)]), [node(1), node(2)]);
    assert_eq!(peers.want(b"bob", &[node(1), node(3)]), [node(3)]);
    assert_eq!(peers.want(b"carol", &[node(2)]), [], "one node may serve two people");
    assert!(peers.is_wanted(b"bob") && peers.is_wanted(b"carol") && !peers.is_wanted(b"dave"));
    peers.nodes_changed(b"bob");
    assert!(!peers.is_wanted(b"bob"), "bob's nodes are looked at again");
    assert_eq!(peers.release(b"bob", &[node(1), node(9)]), [node(1)]);
    assert_eq!(peers.want(b"bob", &[node(1)]), [node(1)]);
}

#[test]
fn calls_have_their_own_ids_and_end_once() {
    let mut peers = Peers::default();
    let hybrid_key = || Purpose::HybridKey { person: vec![1; 32] };
    let first = call(&mut peers, hybrid_key());
    let second = call(&mut peers, delivery(7));
    assert!(first < second && peers.is_under_way(&hybrid_key()) && peers.is_under_way(&delivery(7)));
    assert!(
        !peers.is_under_way(&delivery(8)) && !peers.is_under_way(&Purpose::HybridKey { person: vec![2; 32] })
    );
    assert_eq!(peers.ended(first), Some(hybrid_key()));
    assert_eq!(peers.ended(first), None);
    assert!(!peers.is_under_way(&hybrid_key()));
}

#[test]
fn a_delivery_is_under_way_in_its_stream_only() {
    let mut peers = Peers::default();
    let call = call(&mut peers, delivery(7));
    let (own, other) = (Stream::Person(vec![1; 32]), Stream::Conversation(vec![1; 16]));
    assert!(peers.is_delivering(&[1; 32], &own));
    assert!(!peers.is_delivering(&[1; 32], &other) && !peers.is_delivering(&[2; 32], &own));
    peers.ended(call);
    assert!(!peers.is_delivering(&[1; 32], &own));
}

#[test]
fn what_did_not_go_out_has_not_happened() {
    let mut peers = Peers::default();
    peers.want(b"bob", &[node(1)]);
    let before = call(&mut peers, delivery(1));
    peers.keep();
    peers.want(b"bob", &[node(1), node(2)]);
    peers.want(b"carol", &[node(3)]);
    peers.release(b"bob", &[node(1)]);
    let after = call(&mut peers, Purpose::HybridKey { person: vec![2; 32] });
    peers.discard();
    assert_eq!(peers.want(b"bob", &[node(1)]), [], "it was not let go");
    assert_eq!(peers.want(b"bob", &[node(2)]), [node(2)]);
    assert!(!peers.is_wanted(b"carol"));
    assert_eq!((peers.ended(after), peers.ended(before)), (None, Some(delivery(1))));
}

#[test]
fn an_input_that_fails_at_its_very_end_wants_nobody() {
    let request = v1::AddContactRequest { link: link(), name: String::new() };
    let payload: Bytes = prost::Message::encode_to_vec(&request).into();
    let add =
        || Input::Call { caller: crate::Caller::Owner, method: Method::AddContact, payload: payload.clone() };
    let mut twin = Bench::of("alice");
    let needed = (0..).find(|after| !twin.fail(add(), *after)).unwrap();
    let mut bench = Bench::of("alice");
    assert!(bench.fail(add(), needed - 1), "one operation less is not enough");
    assert_eq!(wanted(&bench.input(add()).effects), [node(1)], "and so it is wanted when it comes to that");
}

fn link() -> String {
    let identity = qpq_crypto::identity::IdentityKey::from_seed(&[1; 32]).public();
    let (token, name) = ([1; 16], "bob".into());
    let invitation = qpq_crypto::link::Invitation {
        identity,
        node: node(1),
        token,
        reusable: false,
        name,
        addresses: Vec::new(),
        mailbox: None,
    };
    qpq_crypto::link::Link::Contact(invitation).to_string()
}

#[test]
fn after_a_start_contacts_are_wanted_and_those_for_whom_something_waits() {
    use Standing::{Accepted, Blocked, Member, Pending, Requested};
    let standings = [Accepted, Requested, Pending, Blocked, Member, Member];
    let people: Vec<PersonRecord> =
        standings.into_iter().zip(1..).map(|(standing, number)| person(number, standing)).collect();
    let mut bench = bench_with(&people);
    bench.with(|engine, cx| {
        let shipment = crate::outbox::Shipment {
            payload: Bytes::from_static(b"sealed"),
            message: &[],
            conversation: &[7; 16],
            content: b"content",
            request: &[],
            expires_node_ms: None,
        };
        engine.ship(cx, shipment, crate::outbox::To::Person(&[6; 32])).unwrap();
    });
    let mut found = wanted(&bench.restart());
    found.sort();
    assert_eq!(found, [node(1), node(2), node(6)]);
}

#[test]
fn a_node_is_let_go_when_nobody_else_is_at_it() {
    let (bob, mut mallory) = (person(1, Standing::Accepted), person(2, Standing::Accepted));
    mallory.nodes.push(vec![1; 32]);
    let mut bench = bench_with(&[bob, mallory]);
    bench.with(|engine, cx| {
        for (number, name) in [(1, "bob"), (2, "mallory")] {
            let mut person = engine.person(cx, &[number; 32]).unwrap().unwrap();
            person.name = engine.claim_name(cx, '@', name, &person.identity).unwrap();
            engine.save_person(cx, &person).unwrap();
        }
    });
    bench.restart();
    for (name, expected) in [("mallory", &[node(2)][..]), ("bob", &[node(1)])] {
        let request = v1::BlockContactRequest { name: name.into(), unblock: false };
        let payload = prost::Message::encode_to_vec(&request).into();
        let block = Input::Call { caller: crate::Caller::Owner, method: Method::BlockContact, payload };
        let effects = bench.input(block).effects;
        let released = effects.iter().filter_map(|effect| match effect {
            Effect::Release { node } => Some(*node),
            _ => None,
        });
        assert_eq!(released.collect::<Vec<_>>(), expected, "{name}");
    }
}

#[test]
fn ones_own_node_is_never_wanted() {
    let mut bench = Bench::of("alice");
    let own = bench.engine.config.node;
    let mallory = PersonRecord { nodes: vec![own.as_bytes().to_vec()], ..person(1, Standing::Accepted) };
    bench.with(|engine, cx| engine.save_person(cx, &mallory).unwrap());
    assert_eq!(wanted(&bench.restart()), []);
}

#[test]
fn where_known_people_are_is_learned_and_nobody_else() {
    let mut bench = bench_with(&[person(1, Standing::Accepted)]);
    let at = |port: u16| SocketAddr::from(([192, 0, 2, 1], port));
    for number in [1, 9] {
        bench.input(Input::PeerDiscovered { node: node(number), addresses: vec![at(1), at(2)] });
        bench.input(Input::PeerConnected { node: node(number), address: at(3).to_string() });
        bench.input(Input::PeerConnected { node: node(number), address: "relayed".into() });
    }
    assert_eq!(addresses(&mut bench, 1), [3, 1, 2].map(|port| at(port).to_string()));
    let people: Vec<PersonRecord> = tables::all(&bench.memory, PEOPLE).unwrap();
    assert_eq!(people.len(), 1);
}

#[test]
fn a_contact_is_online_while_one_of_its_nodes_is_connected() {
    let both = PersonRecord { nodes: vec![vec![1; 32], vec![2; 32]], ..person(1, Standing::Accepted) };
    let mut bench = bench_with(&[both]);
    let online = |bench: &mut Bench| {
        let listed = bench.with(|engine, cx| engine.list_contacts(cx).unwrap());
        listed.contacts[0].online
    };
    assert!(!online(&mut bench));
    for number in [1, 2] {
        bench.input(Input::PeerConnected { node: node(number), address: String::new() });
    }
    bench.input(Input::PeerDisconnected { node: node(1) });
    assert!(online(&mut bench));
    bench.input(Input::PeerDisconnected { node: node(2) });
    assert!(!online(&mut bench));
}

#[test]
fn an_answer_to_no_call_changes_nothing() {
    let mut bench = bench_with(&[person(1, Standing::Requested)]);
    let before = bench.memory.clone();
    for result in [Ok(Bytes::from_static(&[0xff])), Err(CallFailure::Unreachable)] {
        let outcome = bench.input(Input::Answered { call: CallId(77), result });
        assert!(outcome.answer.is_none() && outcome.effects.is_empty());
    }
    let names: BTreeMap<&str, usize> = tables::ALL.iter().map(|t| (t.0, bench.memory.count(*t))).collect();
    let expected: BTreeMap<&str, usize> = tables::ALL.iter().map(|t| (t.0, before.count(*t))).collect();
    assert_eq!(names, expected);
    let refused = bench.with(|_, cx| cx.calling_node().unwrap_err());
    assert_eq!(refused.status, Status::Forbidden, "the owner is no peer");
}
