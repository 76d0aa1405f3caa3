use std::net::SocketAddr;

use qpq_proto::ids::NodeKey;
use qpq_proto::limits::Limits;
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use super::*;
use crate::testing::{Echo, soon};
use crate::{PathKind, PeerConfig, PeerEvent, Peers};

async fn start(secret: u8) -> (Peers, mpsc::Receiver<PeerEvent>) {
    let config = PeerConfig {
        discovery: Discovery::Open,
        ..PeerConfig::new(Zeroizing::new([secret; 32]), Limits::ROUTER)
    };
    Peers::start(config, Arc::new(Echo::new().0)).await.unwrap()
}

async fn discovers(events: &mut mpsc::Receiver<PeerEvent>, expected: NodeKey) -> Vec<SocketAddr> {
    loop {
        match soon(events.recv()).await.unwrap() {
            PeerEvent::Discovered { node, addresses } if node == expected => return addresses,
            _ => {}
        }
    }
}

async fn loses(events: &mut mpsc::Receiver<PeerEvent>, expected: NodeKey) {
    while soon(events.recv()).await.unwrap() != (PeerEvent::Lost { node: expected }) {}
}

/// Waits until discovery runs; false, loudly, where this machine does not permit multicast.
async fn is_possible(peers: &Peers) -> bool {
    let mut state = peers.watch_discovery();
    let settled = soon(state.wait_for(|state| *state != DiscoveryState::Starting)).await.unwrap().clone();
    if settled != DiscoveryState::Running {
        eprintln!("SKIPPED: discovery is not possible on this machine: {settled:?}");
    }
    settled == DiscoveryState::Running
}

#[tokio::test]
async fn nodes_find_each_other_lose_each_other_and_find_each_other_elsewhere() {
    let (a, mut a_events) = start(101).await;
    if !is_possible(&a).await {
        return;
    }
    let (b, mut b_events) = start(102).await;
    let b_key = b.node_key();
    let first = discovers(&mut a_events, b_key).await;
    assert!(!discovers(&mut b_events, a.node_key()).await.is_empty());

    a.want(b_key, Vec::new());
    while !matches!(soon(a_events.recv()).await.unwrap(), PeerEvent::Connected { node, .. } if node == b_key)
    {
    }
    let is_reached = |state: &crate::PeerState| state.node == b_key && state.path == PathKind::Direct;
    assert!(a.states().iter().any(|state| state.discovered && is_reached(state)));

    soon(b.shutdown()).await;
    loses(&mut a_events, b_key).await;
    let (again, _again_events) = start(102).await;
    assert_ne!(discovers(&mut a_events, b_key).await, first);
    while !matches!(soon(a_events.recv()).await.unwrap(), PeerEvent::Connected { node, .. } if node == b_key)
    {
    }
    soon(again.shutdown()).await;
    soon(a.shutdown()).await;
}

/// Nobody multicasts the same twice within a second, so that only an answer to the asker alone can come so soon.
#[tokio::test]
async fn a_node_that_has_just_announced_itself_answers_who_asks() {
    let (a, _a_events) = start(103).await;
    if !is_possible(&a).await {
        return;
    }
    let (answers, mut answered) = mpsc::channel(ANSWERS_QUEUED_MAX);
    let asking = tokio::spawn(async move { inquiry::run(&answers).await });
    let heard = soon(async {
        loop {
            let heard = answered.recv().await.expect("it answers while answers are waited for");
            if heard.node == a.node_key() {
                return heard;
            }
        }
    })
    .await;
    assert!(!heard.addresses.is_empty());
    drop(answered);
    soon(asking).await.unwrap();
}

#[tokio::test]
async fn discovery_is_switched_off_and_on_while_the_node_runs() {
    let (a, mut a_events) = start(104).await;
    if !is_possible(&a).await {
        return;
    }
    let (b, mut b_events) = start(105).await;
    discovers(&mut a_events, b.node_key()).await;
    discovers(&mut b_events, a.node_key()).await;

    a.set_discovery(Discovery::Off);
    loses(&mut b_events, a.node_key()).await;
    loses(&mut a_events, b.node_key()).await;
    soon(a.watch_discovery().wait_for(|state| *state == DiscoveryState::Off)).await.unwrap();
    assert!(a.states().is_empty());

    a.set_discovery(Discovery::Open);
    discovers(&mut a_events, b.node_key()).await;
    discovers(&mut b_events, a.node_key()).await;
    soon(a.shutdown()).await;
    soon(b.shutdown()).await;
}

#[tokio::test]
async fn discovery_that_was_off_from_the_start_can_be_switched_on_and_the_node_stopped_in_either_state() {
    for wanted in [Discovery::Off, Discovery::Open] {
        let config = PeerConfig::new(Zeroizing::new([106; 32]), Limits::ROUTER);
        let (a, _events) = Peers::start(config, Arc::new(Echo::new().0)).await.unwrap();
        assert_eq!(a.discovery_state(), DiscoveryState::Off);
        a.set_discovery(wanted);
        if wanted == Discovery::Open {
            let mut state = a.watch_discovery();
            soon(state.wait_for(|state| *state != DiscoveryState::Off)).await.unwrap();
        }
        soon(a.shutdown()).await;
    }
}

#[tokio::test]
async fn an_mdns_that_is_started_anew_keeps_who_is_in_sight_for_a_while() {
    let announcement = Announcement::of(NodeKey::from_bytes([7; 32]), &["192.0.2.1:1".parse().unwrap()]);
    let session = Session::start(&announcement).unwrap();
    let mut neighbours = Neighbours::new(2);
    let node = NodeKey::from_bytes([8; 32]);
    let heard = Heard { node, addresses: vec!["192.0.2.2:1".parse().unwrap()] };
    neighbours.announced(heard).unwrap();
    assert_eq!(neighbours.next_expiry(), None);
    soon(renew(session, &mut neighbours)).await;
    assert_eq!(neighbours.nodes().collect::<Vec<_>>(), [node]);
    assert!(neighbours.next_expiry().is_some(), "unless it is found again");
}
