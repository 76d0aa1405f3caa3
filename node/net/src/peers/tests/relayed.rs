//! Nodes that know each other's keys alone, and a relay.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::*;
use crate::direct::Certificate;
use crate::packets::{Admits, Decision, PacketConfig, PacketServer};

/// Lets in the nodes of these keys.
#[derive(Debug)]
struct Only(Vec<NodeKey>);

impl Admits for Only {
    fn admits(&self, node: NodeKey) -> Decision<'_> {
        let is_known = self.0.contains(&node);
        Box::pin(async move { if is_known { Ok(()) } else { Err("you are not known".to_owned()) } })
    }
}

/// A relay for the nodes of these secrets.
async fn relay(secrets: &[u8]) -> (PacketServer, PacketRelay) {
    let (certificate, _) = Certificate::self_signed(vec!["localhost".to_owned()]).unwrap();
    let key =
        |secret: &u8| NodeKey::from_bytes(*iroh::SecretKey::from_bytes(&[*secret; 32]).public().as_bytes());
    let admits = Arc::new(Only(secrets.iter().map(key).collect()));
    let pin = certificate.pin();
    // The port after the one that the system chooses may be taken.
    for _ in 0..16 {
        let listen = (Ipv4Addr::LOCALHOST, 0).into();
        let (certificate, admits, limits) = (certificate.clone(), admits.clone(), Limits::ROUTER);
        if let Ok(server) = PacketServer::start(PacketConfig { listen, certificate, admits, limits }).await {
            let relay = PacketRelay::new(pin, "127.0.0.1", server.address().port()).unwrap();
            return (server, relay);
        }
    }
    panic!("there are no two ports in a row");
}

async fn node_at(secret: u8, relay: &PacketRelay) -> Node {
    start(PeerConfig { packet_relays: vec![relay.clone()], ..config(secret) }).await
}

impl Node {
    async fn stands(&self, expected: impl Fn(&PacketRelayState) -> bool) -> PacketRelayState {
        let mut looks = tokio::time::interval(Duration::from_millis(20));
        let found = async {
            loop {
                looks.tick().await;
                let states = self.peers.packet_relays();
                if let Some(state) = states.into_iter().find(|state| expected(state)) {
                    return state;
                }
            }
        };
        timeout(PATIENCE, found).await.expect("should have happened long ago")
    }

    /// The next event of a node that may have to dial again and again.
    async fn in_the_end_connected(&mut self, other: &Node) {
        let event = timeout(PATIENCE, self.events.recv());
        match event.await.expect("should have happened long ago").unwrap() {
            PeerEvent::Connected { node, .. } => assert_eq!(node, other.key()),
            PeerEvent::AddressesChanged(_) => Box::pin(self.in_the_end_connected(other)).await,
            event => panic!("{event:?}"),
        }
    }
}

#[tokio::test]
async fn nodes_that_know_no_address_of_each_other_meet_at_their_relay() {
    let (server, relay) = relay(&[1, 2]).await;
    let (mut a, mut b) = (node_at(1, &relay).await, node_at(2, &relay).await);
    for node in [&a, &b] {
        assert_eq!(node.stands(|state| state.is_connected).await.address, relay.address());
    }
    a.peers.want(b.key(), Vec::new());
    a.in_the_end_connected(&b).await;
    b.in_the_end_connected(&a).await;
    a.echo(&b).await;
    b.echo(&a).await;
    let state = a.state(b.key());
    assert!(state.path == PathKind::Direct || state.relay == Some(relay.address()), "{state:?}");
    server.shutdown().await;
}

#[tokio::test]
async fn a_relay_passes_on_packets_of_those_whom_it_knows() {
    let (_server, relay) = relay(&[1]).await;
    let (a, c) = (node_at(1, &relay).await, node_at(3, &relay).await);
    a.stands(|state| state.is_connected).await;
    let refused = c.stands(|state| state.problem.is_some()).await;
    assert!(refused.problem.as_ref().unwrap().contains("you are not known"), "{refused:?}");
    // From now on it uses none, and finds nothing wrong with that.
    c.peers.set_packet_relays(&[]).await;
    assert_eq!(c.peers.packet_relays(), []);
}

#[tokio::test]
async fn what_a_node_is_told_while_it_runs_is_used_at_once() {
    let (_server, relay) = relay(&[1]).await;
    let text = relay.to_string();
    let other_pin = if text.starts_with('0') { "1" } else { "0" };
    let impostor: PacketRelay = text.replacen(&text[..1], other_pin, 1).parse().unwrap();
    let a = node_at(1, &impostor).await;
    assert!(a.peers.packet_relays().iter().all(|state| !state.is_connected));
    a.peers.set_packet_relays(std::slice::from_ref(&relay)).await;
    a.stands(|state| state.is_connected).await;
}

/// The relay is measured before it is used, which takes seconds.
const PATIENCE: Duration = Duration::from_secs(120);
