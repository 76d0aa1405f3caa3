//! Which nodes are sought as neighbours: those that are paired, and a few that are near.

use std::net::SocketAddr;

use qpq_proto::{Method, Status, ids::NodeKey, limits::PAIRED_NODES_MAX, v1};

use super::bench::Bench;
use crate::{Effect, Input};

fn key(number: u8) -> NodeKey {
    NodeKey::from_bytes([number; 32])
}

fn pair(bench: &mut Bench, node: &[u8], addresses: &[&str], paired: bool) -> Result<(), Status> {
    let addresses = addresses.iter().map(|address| (*address).to_owned()).collect();
    let request = v1::PairNodeRequest { node: node.to_vec(), addresses, paired };
    let answer = bench.owner::<v1::PairNodeResponse>(Method::PairNode, &request);
    answer.map(|_| ()).map_err(|failure| failure.status)
}

#[test]
fn a_paired_node_is_wanted_until_it_is_unpaired() {
    let mut bench = Bench::of("alice");
    pair(&mut bench, key(7).as_bytes(), &["192.0.2.1:4433"], true).unwrap();
    let wants = |effects: &[Effect]| {
        let wanted = |effect: &Effect| matches!(effect, Effect::Want { node, .. } if *node == key(7));
        effects.iter().any(wanted)
    };
    let started = bench.restart();
    assert!(wants(&started));
    let shown: v1::ShowMeshResponse = bench.owner(Method::ShowMesh, &v1::ShowMeshRequest {}).unwrap();
    let [neighbour] = shown.neighbours.as_slice() else { panic!("{shown:?}") };
    assert_eq!((neighbour.standing.as_str(), neighbour.connected), ("paired", false));
    bench.input(Input::PeerConnected { node: key(7), address: String::new() });
    let shown: v1::ShowMeshResponse = bench.owner(Method::ShowMesh, &v1::ShowMeshRequest {}).unwrap();
    assert_eq!((shown.neighbours.len(), shown.neighbours[0].standing.as_str()), (1, "paired"));
    pair(&mut bench, key(7).as_bytes(), &[], false).unwrap();
    let shown: v1::ShowMeshResponse = bench.owner(Method::ShowMesh, &v1::ShowMeshRequest {}).unwrap();
    assert_eq!(shown.neighbours[0].standing, "stranger");
    let started = bench.restart();
    assert!(!wants(&started));
}

#[test]
fn pairings_that_make_no_sense_are_refused() {
    let mut bench = Bench::of("alice");
    assert_eq!(pair(&mut bench, &[1; 31], &[], true), Err(Status::BadRequest));
    assert_eq!(pair(&mut bench, &[9; 32], &[], true), Err(Status::BadRequest), "the node itself");
    assert_eq!(pair(&mut bench, &[1; 32], &["example.org:1"], true), Err(Status::BadRequest));
    assert_eq!(pair(&mut bench, &[1; 32], &[], false), Err(Status::NotFound));
    for number in 0..PAIRED_NODES_MAX {
        pair(&mut bench, &[u8::try_from(number).unwrap() + 10; 32], &[], true).unwrap();
    }
    assert_eq!(pair(&mut bench, &[1; 32], &[], true), Err(Status::QuotaExceeded));
    pair(&mut bench, &[10; 32], &["192.0.2.1:1"], true).unwrap();
}

/// What a node is asked to connect to, and to let go, when discovery sees or loses a node.
fn seen(bench: &mut Bench, number: u8) -> bool {
    let addresses: Vec<SocketAddr> = vec![([192, 0, 2, number], 1).into()];
    let effects = bench.input(Input::PeerDiscovered { node: key(number), addresses }).effects;
    effects.iter().any(|effect| matches!(effect, Effect::Want { node, .. } if *node == key(number)))
}

fn lost(bench: &mut Bench, number: u8) -> bool {
    let effects = bench.input(Input::PeerLost { node: key(number) }).effects;
    effects.contains(&Effect::Release { node: key(number) })
}

#[test]
fn a_few_strangers_nearby_are_neighbours() {
    let mut bench = Bench::of("alice");
    bench.engine.config.seeks_strangers = true;
    bench.engine.limits.lan_neighbours_max = 2;
    assert!(seen(&mut bench, 1) && seen(&mut bench, 2));
    assert!(!seen(&mut bench, 1), "it is wanted already");
    assert!(!seen(&mut bench, 3), "there is no room");
    assert!(lost(&mut bench, 1) && !lost(&mut bench, 1) && !lost(&mut bench, 3));
    assert!(seen(&mut bench, 3));
}

#[test]
fn who_is_wanted_for_another_reason_is_not_let_go() {
    let mut bench = Bench::of("alice");
    bench.engine.config.seeks_strangers = true;
    assert!(seen(&mut bench, 1));
    pair(&mut bench, key(1).as_bytes(), &[], true).unwrap();
    assert!(!lost(&mut bench, 1));
    assert!(!seen(&mut bench, 1));
}

#[test]
fn strangers_are_left_alone_where_the_owner_says_so() {
    let mut bench = Bench::of("alice");
    assert!(!seen(&mut bench, 1) && !lost(&mut bench, 1));
}
