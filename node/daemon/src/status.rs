//! What only the running node knows: how peers are reached, where it listens, what its database takes.

use std::collections::BTreeMap;

use qpq_net::{DiscoveryState, PathKind, PeerState};
use qpq_proto::v1::{NodeStatusResponse, PeerStatus};
use qpq_store::DATABASE_FILE;

use crate::diagnose::{self, DiscoveryFinding, Findings};
use crate::service::NodeState;
use crate::settings::Discovery;

/// Adds it to what the engine says.
pub(crate) fn complete(response: &mut NodeStatusResponse, node: &NodeState) {
    let peers = node.peers();
    let states = peers.as_ref().map(|peers| peers.states()).unwrap_or_default();
    response.uptime_ms = node.clock.uptime_ms();
    response.addresses = peers
        .as_ref()
        .map(|peers| peers.addresses().iter().map(ToString::to_string).collect())
        .unwrap_or_default();
    response.discovery = match peers.is_some() {
        true => node.settings.borrow().discovery.to_string(),
        false => Discovery::Off.to_string(),
    };
    response.storage_bytes =
        std::fs::metadata(node.data_dir.join(DATABASE_FILE)).map_or(0, |file| file.len());
    merge_peers(&mut response.peers, states);
    let checks = diagnose::checks(&findings(node));
    // The status shows by itself how each peer is reached.
    response
        .health
        .extend(checks.iter().filter(|check| check.name != "peers").filter_map(diagnose::health_item));
    response.health.sort_by_key(|item| item.severity != "error");
}

/// Adds for how many nodes packets are passed on, if they are.
pub(crate) fn show_packets(response: &mut NodeStatusResponse, nodes: Option<usize>) {
    response.passes_packets = nodes.is_some();
    response.packet_nodes = u32::try_from(nodes.unwrap_or_default()).unwrap_or(u32::MAX);
}

/// Fills in how the engine's peers are reached, and adds those only the network knows.
fn merge_peers(peers: &mut Vec<PeerStatus>, states: Vec<PeerState>) {
    let mut by_node: BTreeMap<Vec<u8>, PeerState> =
        states.into_iter().map(|state| (state.node.to_vec(), state)).collect();
    for peer in peers.iter_mut() {
        if let Some(state) = by_node.remove(&peer.node) {
            fill(peer, &state);
        }
    }
    peers.extend(by_node.into_values().map(|state| {
        let mut peer = PeerStatus { node: state.node.to_vec(), ..PeerStatus::default() };
        fill(&mut peer, &state);
        peer
    }));
}

fn fill(peer: &mut PeerStatus, state: &PeerState) {
    peer.path = path_name(state.path).to_owned();
    let address = state.address.map(|address| address.to_string()).or_else(|| state.relay.clone());
    if let Some(address) = address {
        peer.address = address;
    }
    peer.rtt_us = state.rtt.map_or(0, |rtt| u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX));
    peer.since_ms = state.since_ms;
    peer.discovered = state.discovered;
}

fn path_name(path: PathKind) -> &'static str {
    match path {
        PathKind::Direct => "direct",
        PathKind::Relayed => "relayed",
        PathKind::Offline => "offline",
    }
}

/// What the checks look at.
pub(crate) fn findings(node: &NodeState) -> Findings {
    let peers = node.peers();
    let states = peers.as_ref().map(|peers| peers.states()).unwrap_or_default();
    let wanted = states.iter().filter(|state| state.wanted);
    let discovery = match peers.as_ref().map(|peers| peers.discovery_state()) {
        Some(DiscoveryState::Running) => {
            DiscoveryFinding::Working { in_sight: states.iter().filter(|state| state.discovered).count() }
        }
        Some(DiscoveryState::Unavailable(reason)) => DiscoveryFinding::Unavailable { reason },
        _ => DiscoveryFinding::Off,
    };
    Findings {
        wall_ms: node.clock.now().wall_ms,
        data_dir: node.data_dir.clone(),
        key_file: node.key_file.clone(),
        has_peers: node.peers.get().is_some(),
        addresses: peers.as_ref().map(|peers| peers.addresses()).unwrap_or_default(),
        discovery,
        packet_relays: peers.as_ref().map(|peers| peers.packet_relays()).unwrap_or_default(),
        peers_wanted: wanted.clone().count(),
        peers_connected: wanted.filter(|state| state.path != PathKind::Offline).count(),
        is_rolled_back: node.is_rolled_back,
        is_log_older: node.relay.is_log_older(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use qpq_proto::ids::NodeKey;

    use super::*;

    fn state(node: u8) -> PeerState {
        PeerState {
            node: NodeKey::from_bytes([node; 32]),
            path: PathKind::Direct,
            address: Some(([192, 0, 2, node], 4433).into()),
            relay: None,
            rtt: Some(Duration::from_micros(1_250)),
            since_ms: 77,
            discovered: true,
            wanted: true,
            last_error: None,
        }
    }

    /// A peer as the engine knows it.
    fn known(node: u8, contact: &str) -> PeerStatus {
        PeerStatus {
            node: vec![node; 32],
            contact: contact.to_owned(),
            path: "offline".to_owned(),
            address: "192.0.2.200:1".to_owned(),
            waiting: 3,
            ..PeerStatus::default()
        }
    }

    #[test]
    fn the_network_knows_how_a_peer_is_reached_and_the_engine_who_it_is() {
        let mut peers = vec![known(2, "bob"), known(1, "alice")];
        merge_peers(&mut peers, vec![state(1), state(2)]);
        let [bob, alice] = &peers[..] else { panic!("{peers:?}") };
        assert_eq!((bob.contact.as_str(), alice.contact.as_str()), ("bob", "alice"), "in the engine's order");
        assert_eq!((bob.path.as_str(), bob.address.as_str()), ("direct", "192.0.2.2:4433"));
        assert_eq!((bob.rtt_us, bob.since_ms, bob.discovered, bob.waiting), (1_250, 77, true, 3));
    }

    #[test]
    fn who_is_known_to_one_side_only_is_shown_too() {
        let mut peers = vec![known(5, "eve")];
        merge_peers(&mut peers, vec![state(9), state(3)]);
        let nodes: Vec<_> = peers.iter().map(|peer| (peer.node[0], peer.path.as_str())).collect();
        assert_eq!(
            nodes,
            [(5, "offline"), (3, "direct"), (9, "direct")],
            "strangers in the order of their keys"
        );
        assert_eq!((peers[1].contact.as_str(), peers[1].waiting), ("", 0));
    }

    #[test]
    fn through_a_relay_it_is_named() {
        let relay = Some("relay.example.org:5001".to_owned());
        let relayed = PeerState { path: PathKind::Relayed, address: None, relay, ..state(1) };
        let mut peers = vec![known(1, "alice")];
        merge_peers(&mut peers, vec![relayed]);
        assert_eq!(
            (peers[0].path.as_str(), peers[0].address.as_str()),
            ("relayed", "relay.example.org:5001")
        );
    }

    #[test]
    fn the_last_address_known_stays_where_there_is_no_present_one() {
        let offline = PeerState { path: PathKind::Offline, address: None, rtt: None, ..state(1) };
        let mut peers = vec![known(1, "alice")];
        merge_peers(&mut peers, vec![offline]);
        assert_eq!((peers[0].path.as_str(), peers[0].address.as_str()), ("offline", "192.0.2.200:1"));
        assert_eq!(peers[0].rtt_us, 0);
        assert_eq!(path_name(PathKind::Relayed), "relayed");
    }
}
