//! What is known about each peer, and which of two connections to it stays.
//!
//! A table of plain data without I/O, so that its rules can be tested by themselves. `L` stands for a connection.
//!
//! Two nodes may dial each other at the same moment. The connection that was dialled by the node with the smaller key
//! then stays, on both ends, because both see the same keys. One exception: a connection may look alive only because
//! its other end restarted without a word. So a newcomer that would lose challenges the present connection, which
//! has to show a sign of life to stay.

mod outcome;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use qpq_proto::ids::NodeKey;
use qpq_proto::limits::{ENDPOINT_ADDRESSES_MAX, Limits};
use tokio::sync::Notify;

pub(super) use outcome::{Admission, Departure, Dialler, Summary, Task};

use crate::peers::unix_ms;

/// Every peer that is wanted, connected, configured or discovered.
pub(super) struct Table<L> {
    own_key: NodeKey,
    connections_per_node_max: usize,
    discovered_max: usize,
    wanted_max: usize,
    /// A peer may be reached without a known address: through a relay.
    is_relayed: bool,
    peers: BTreeMap<NodeKey, Peer<L>>,
}

/// One peer.
pub(super) struct Peer<L> {
    wanted: bool,
    /// Set as long as the peer was seen by discovery.
    discovered: Option<Vec<SocketAddr>>,
    configured: Vec<SocketAddr>,
    given: Vec<SocketAddr>,
    links: Vec<Entry<L>>,
    last_error: Option<String>,
    since_ms: u64,
    wake: Arc<Notify>,
}

struct Entry<L> {
    link: L,
    dialler: Dialler,
    role: Role,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Calls go over it.
    Current,
    /// Takes over if the current one shows no sign of life.
    Challenger,
    /// Is closed as soon as no call is under way on it.
    Retiring,
}

impl<L: Clone + PartialEq> Table<L> {
    pub(super) fn new(own_key: NodeKey, is_relayed: bool, limits: &Limits) -> Self {
        Self {
            own_key,
            connections_per_node_max: limits.connections_per_node_max,
            discovered_max: limits.discovered_peers_max,
            wanted_max: limits.wanted_peers_max,
            is_relayed,
            peers: BTreeMap::new(),
        }
    }

    /// Whether there are relays through which a peer may be reached without a known address.
    pub(super) fn set_relayed(&mut self, is_relayed: bool) {
        self.is_relayed = is_relayed;
        for peer in self.peers.values().filter(|peer| peer.wanted) {
            peer.wake.notify_one();
        }
    }

    /// Addresses from the settings, which stay until the end. The peer is wanted.
    pub(super) fn configure(&mut self, node: NodeKey, addresses: &[SocketAddr]) {
        self.peer(node).configured = bounded(addresses);
    }

    /// Wants a connection; true if a dialler has to be started. False also if too many are wanted already.
    pub(super) fn want(&mut self, node: NodeKey, addresses: &[SocketAddr]) -> bool {
        let wanted = self.peers.values().filter(|peer| peer.wanted).count();
        if node == self.own_key || (wanted >= self.wanted_max && !self.is_wanted(node)) {
            return false;
        }
        let peer = self.peer(node);
        if !addresses.is_empty() && peer.given != bounded(addresses) {
            peer.given = bounded(addresses);
            peer.wake.notify_one();
        }
        !std::mem::replace(&mut peer.wanted, true)
    }

    /// Wants a connection no longer; returns those that we dialled, which can retire. The peer may want the others.
    pub(super) fn release(&mut self, node: NodeKey) -> Vec<L> {
        let Some(peer) = self.peers.get_mut(&node) else { return Vec::new() };
        peer.wanted = false;
        peer.given.clear();
        peer.wake.notify_one();
        let own = peer.links.iter().filter(|entry| entry.dialler == Dialler::Us);
        let links = own.map(|entry| entry.link.clone()).collect();
        self.forget_if_idle(node);
        links
    }

    pub(super) fn is_wanted(&self, node: NodeKey) -> bool {
        self.peers.get(&node).is_some_and(|peer| peer.wanted)
    }

    /// Discovery saw the peer at these addresses. True if that is news; false also if there is no room.
    pub(super) fn discovered(&mut self, node: NodeKey, addresses: &[SocketAddr]) -> bool {
        let addresses = bounded(addresses);
        let seen = self.peers.values().filter(|peer| peer.discovered.is_some()).count();
        let known = self.peers.get(&node).is_some_and(|peer| peer.discovered.is_some());
        if node == self.own_key || addresses.is_empty() || (!known && seen >= self.discovered_max) {
            return false;
        }
        let peer = self.peer(node);
        if peer.discovered.as_ref() == Some(&addresses) {
            return false;
        }
        peer.discovered = Some(addresses);
        peer.wake.notify_one();
        true
    }

    /// Discovery sees the peer no longer. True if it did before.
    pub(super) fn lost(&mut self, node: NodeKey) -> bool {
        let lost = self.peers.get_mut(&node).is_some_and(|peer| peer.discovered.take().is_some());
        self.forget_if_idle(node);
        lost
    }

    /// Everything that may be an address of the peer, the best first.
    pub(super) fn addresses(&self, node: NodeKey) -> Vec<SocketAddr> {
        let Some(peer) = self.peers.get(&node) else { return Vec::new() };
        let mut addresses = Vec::new();
        let known = peer.discovered.iter().flatten().chain(&peer.given).chain(&peer.configured);
        for address in known.take(3 * ENDPOINT_ADDRESSES_MAX) {
            if addresses.len() < ENDPOINT_ADDRESSES_MAX && !addresses.contains(address) {
                addresses.push(*address);
            }
        }
        addresses
    }

    /// What the peer's dialler has to do now, and what wakes it up.
    pub(super) fn task(&self, node: NodeKey) -> (Task, Arc<Notify>) {
        let Some(peer) = self.peers.get(&node).filter(|peer| peer.wanted) else {
            return (Task::End, Arc::new(Notify::new()));
        };
        let addresses = self.addresses(node);
        let is_out_of_reach = addresses.is_empty() && !self.is_relayed;
        let idle = is_out_of_reach || peer.current().is_some();
        (if idle { Task::Wait } else { Task::Dial(addresses) }, Arc::clone(&peer.wake))
    }

    /// A dial failed.
    pub(super) fn failed(&mut self, node: NodeKey, error: String) {
        if let Some(peer) = self.peers.get_mut(&node) {
            peer.last_error = Some(error);
        }
    }

    /// The connection that calls go over.
    pub(super) fn current(&self, node: NodeKey) -> Option<L> {
        self.peers.get(&node)?.current().cloned()
    }

    /// Whether the peer may have another connection.
    pub(super) fn has_room(&self, node: NodeKey) -> bool {
        self.peers.get(&node).is_none_or(|peer| peer.links.len() < self.connections_per_node_max)
    }

    /// Decides about a new connection, and enters it unless there are too many.
    pub(super) fn admit(&mut self, node: NodeKey, link: &L, dialler: Dialler) -> Admission<L> {
        if !self.has_room(node) {
            return Admission::TooMany;
        }
        let favoured = if self.own_key < node { Dialler::Us } else { Dialler::Peer };
        let peer = self.peer(node);
        let current = peer.links.iter_mut().find(|entry| entry.role == Role::Current);
        let (role, admission) = match current {
            None => (Role::Current, Admission::First),
            // Who dials a second time knows that the first connection is of no use.
            Some(current) if dialler == current.dialler => {
                current.role = Role::Retiring;
                (Role::Current, Admission::Renews(current.link.clone()))
            }
            Some(current) if dialler == favoured => {
                current.role = Role::Retiring;
                (Role::Current, Admission::Replaces(current.link.clone()))
            }
            Some(current) => (Role::Challenger, Admission::Challenges(current.link.clone())),
        };
        if admission == Admission::First {
            peer.since_ms = unix_ms(SystemTime::now());
            peer.last_error = None;
        }
        peer.links.push(Entry { link: link.clone(), dialler, role });
        admission
    }

    /// The current connection has shown a sign of life: its challengers retire, and are returned.
    pub(super) fn confirmed(&mut self, node: NodeKey, current: &L) -> Vec<L> {
        let Some(peer) = self.peers.get_mut(&node) else { return Vec::new() };
        if peer.current() != Some(current) {
            return Vec::new();
        }
        let challengers = peer.links.iter_mut().filter(|entry| entry.role == Role::Challenger);
        challengers
            .map(|entry| {
                entry.role = Role::Retiring;
                entry.link.clone()
            })
            .collect()
    }

    /// A connection is gone; a challenger takes over where there is one.
    pub(super) fn departed(&mut self, node: NodeKey, link: &L, reason: &str) -> Departure<L> {
        let Some(peer) = self.peers.get_mut(&node) else { return Departure::Unnoticed };
        let Some(position) = peer.links.iter().position(|entry| entry.link == *link) else {
            return Departure::Unnoticed;
        };
        let gone = peer.links.remove(position);
        let challenger = peer.links.iter_mut().rev().find(|entry| entry.role == Role::Challenger);
        let departure = match (gone.role, challenger) {
            (Role::Current, Some(challenger)) => {
                challenger.role = Role::Current;
                Departure::TakenOver(challenger.link.clone())
            }
            (Role::Current, None) => {
                peer.since_ms = unix_ms(SystemTime::now());
                peer.last_error = Some(reason.to_owned());
                peer.wake.notify_one();
                Departure::Disconnected
            }
            _ => Departure::Unnoticed,
        };
        self.forget_if_idle(node);
        departure
    }

    /// Every connection of every peer.
    #[cfg(test)]
    pub(super) fn links(&self, node: NodeKey) -> usize {
        self.peers.get(&node).map_or(0, |peer| peer.links.len())
    }

    fn peer(&mut self, node: NodeKey) -> &mut Peer<L> {
        self.peers.entry(node).or_insert_with(|| Peer {
            wanted: false,
            discovered: None,
            configured: Vec::new(),
            given: Vec::new(),
            links: Vec::new(),
            last_error: None,
            since_ms: unix_ms(SystemTime::now()),
            wake: Arc::new(Notify::new()),
        })
    }

    /// The table does not grow with the number of peers that were there once.
    fn forget_if_idle(&mut self, node: NodeKey) {
        let idle = self.peers.get(&node).is_some_and(|peer| {
            !peer.wanted && peer.discovered.is_none() && peer.configured.is_empty() && peer.links.is_empty()
        });
        if idle {
            self.peers.remove(&node);
        }
    }
}

impl<L> Peer<L> {
    fn current(&self) -> Option<&L> {
        self.links.iter().find(|entry| entry.role == Role::Current).map(|entry| &entry.link)
    }
}

fn bounded(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    addresses.iter().copied().take(ENDPOINT_ADDRESSES_MAX).collect()
}

#[cfg(test)]
mod tests;
