//! Connections with other nodes, over iroh.
//!
//! A node is dialled by its key, and both ends prove theirs in the handshake. Nobody else is involved: no port mapping, no
//! address look-up, and no relay but those that the node was told of (`relays.rs`); what can be dialled is what the
//! settings, the owner's contacts or the local network say.
//!
//! ```text
//!              want, release                 Discovered, Lost
//!                    │                              │
//!   ┌─────────┐   ┌──▼──────────────────────────────▼──┐   ┌───────────┐
//!   │ diallers├───►            table                   ◄───┤  accept   │
//!   └────┬────┘   │ one connection per peer in the end │   └─────┬─────┘
//!        │        └──┬─────────────────────────────▲───┘         │
//!        │ Health    │ call                        │ gone        │ waits for Health
//!        └───────────▼──────── connections ────────┴─────────────┘
//! ```
//!
//! The dialler's first call is `Health`, in which both say which wire versions they speak; with none in common the
//! connection is of no use, and both say so. After it, either side calls the other over the same connection.

mod accept;
mod dialler;
mod doubt;
mod endpoint;
mod link;
mod relays;
mod shared;
mod state;
mod table;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use iroh::Watcher;
use qpq_proto::ids::NodeKey;
use qpq_proto::limits::FRAME_PAYLOAD_BYTES_MAX;
use qpq_proto::{CallError, Method, TransportErrorKind};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

pub use endpoint::{ALPN, PeerConfig, StartError};
pub use relays::{PacketRelay, PacketRelayError, PacketRelayState};
pub use state::{PathKind, PeerEvent, PeerState};

use crate::admission::Admissions;
use crate::budget::Budget;
use crate::caller::{Exporter, Service};
use crate::discovery::{self, Discovery, DiscoveryState};
use crate::lock;
use crate::push::Events;
use crate::rpc::Server;
use endpoint::bind;
use link::Link;
use relays::PacketRelays;
pub(crate) use shared::Shared;
use table::Table;

/// Events that wait for the node to take them; then connections wait.
const EVENTS_QUEUED_MAX: usize = 256;

/// How long the tasks of connections and of discovery, which have patience of their own, may take to end.
const FINISH: Duration = Duration::from_secs(6);

/// How long the goodbye to all peers may take. Only peers that are gone do not acknowledge it; for each, three times its
/// round trip and more is waited.
const GOODBYE: Duration = Duration::from_secs(3);

/// The node's connections with other nodes. Dropping it ends them; [`shutdown`](Self::shutdown) does so in order.
#[derive(Debug)]
pub struct Peers {
    shared: Arc<Shared>,
}

impl Peers {
    /// Begins to listen, to announce and to dial. Events must be taken from the receiver: while nobody does, new
    /// connections wait. Dropping the receiver is the same as not wanting to know.
    ///
    /// # Errors
    /// When the node cannot listen. That discovery is not possible is no error.
    pub async fn start(
        config: PeerConfig,
        service: Arc<dyn Service>,
    ) -> Result<(Self, mpsc::Receiver<PeerEvent>), StartError> {
        let packet_relays = PacketRelays::new(&config.packet_relays);
        let endpoint = bind(&config, &packet_relays).await?;
        let (events, receiver) = mpsc::channel(EVENTS_QUEUED_MAX);
        let own_key = NodeKey::from_bytes(*endpoint.id().as_bytes());
        let shared = Arc::new(Shared {
            own_key,
            server: Server::new(service, &config.limits),
            responses: Budget::new(config.limits.call_bytes_in_memory_max / 2, FRAME_PAYLOAD_BYTES_MAX),
            table: Mutex::new(Table::new(own_key, !packet_relays.is_empty(), &config.limits)),
            packet_relays,
            pushes: config.pushes,
            admissions: Admissions::new(&config.limits),
            dials: Semaphore::new(config.limits.dials_max),
            wire_versions: config.wire_versions,
            key_exchange: config.key_exchange,
            limits: config.limits,
            endpoint,
            events,
            discovery: watch::Sender::new(config.discovery),
            discovery_state: watch::Sender::new(DiscoveryState::initial(config.discovery)),
            stop: watch::Sender::new(false),
            tasks: Mutex::new(JoinSet::new()),
        });
        shared.spawn(accept::run(Arc::clone(&shared)));
        shared.spawn(watch_addresses(Arc::clone(&shared)));
        shared.spawn(discovery::run(Arc::clone(&shared)));
        let peers = Self { shared };
        for (node, addresses) in &config.static_peers {
            peers.shared.table().configure(*node, addresses);
            peers.want(*node, Vec::new());
        }
        Ok((peers, receiver))
    }

    /// Makes one call over the connection with a peer.
    ///
    /// # Errors
    /// `Unreachable` if there is no connection, which [`want`](Self::want) is there to change; `Busy` if too many calls
    /// to the peer are under way; `TimedOut` after `call_timeout_ms`; otherwise as [`qpq_proto::Transport::call`].
    pub async fn call(&self, node: NodeKey, method: Method, payload: Bytes) -> Result<Bytes, CallError> {
        let current = self.shared.table().current(node);
        let unreachable =
            || CallError::transport(TransportErrorKind::Unreachable, "the peer is not connected");
        let deadline = Duration::from_millis(self.shared.limits.call_timeout_ms);
        current.ok_or_else(unreachable)?.calls.call(method, payload, deadline).await
    }

    /// What to sign over to log in at a peer, over the connection with it that is there now; none without a connection.
    /// The peer knows the same value for this connection, and nobody else does.
    pub fn exporter(&self, node: NodeKey) -> Option<Exporter> {
        self.shared.table().current(node).map(|link| link.exporter)
    }

    /// The events that a peer pushes over the connection with it that is there now. It may push none before this is called;
    /// a second call for one connection, and one without a connection, returns `None`.
    pub fn events(&self, node: NodeKey) -> Option<Events> {
        let link = self.shared.table().current(node)?;
        link.events(&self.shared.limits)
    }

    /// Wants a connection with the peer until [`release`](Self::release). It is dialled at the given addresses and at
    /// those that discovery finds, again and again with growing pauses, and at once when an address changes.
    ///
    /// Wanting a peer again replaces the given addresses, unless there are none. More peers than `wanted_peers_max`,
    /// and the node itself, are not dialled.
    pub fn want(&self, node: NodeKey, addresses: Vec<SocketAddr>) {
        let dial = self.shared.table().want(node, &addresses);
        if dial {
            self.shared.spawn(dialler::run(Arc::clone(&self.shared), node));
        }
    }

    /// Wants a connection no longer. One that is there and was dialled by us ends when the calls on it are done.
    pub fn release(&self, node: NodeKey) {
        let links = self.shared.table().release(node);
        for link in links {
            link.retire();
        }
    }

    /// Uses these relays for packets from now on, and no others.
    pub async fn set_packet_relays(&self, relays: &[PacketRelay]) {
        self.shared.packet_relays.replace(&self.shared.endpoint, relays).await;
        self.shared.table().set_relayed(!self.shared.packet_relays.is_empty());
    }

    /// How the node stands with the relays for packets that it uses.
    pub fn packet_relays(&self) -> Vec<PacketRelayState> {
        self.shared.packet_relays.states(&self.shared.endpoint)
    }

    /// The key of this node.
    pub fn node_key(&self) -> NodeKey {
        self.shared.own_key
    }

    /// Where others can dial this node: the addresses of every interface it listens on.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.shared.addresses()
    }

    /// Every peer that is wanted, connected, configured or discovered, in the order of their keys.
    pub fn states(&self) -> Vec<PeerState> {
        self.shared.table().summaries().into_iter().map(state_of).collect()
    }

    /// Begins or ends to announce the node on the local network and to listen for others. When it ends, peers that were
    /// discovered are lost; connections stay.
    pub fn set_discovery(&self, discovery: Discovery) {
        self.shared.discovery.send_if_modified(|wanted| std::mem::replace(wanted, discovery) != discovery);
    }

    /// Whether the node announces itself on the local network and hears others.
    pub fn discovery_state(&self) -> DiscoveryState {
        self.shared.discovery_state.borrow().clone()
    }

    /// As [`discovery_state`](Self::discovery_state), for waiting until it changes.
    pub fn watch_discovery(&self) -> watch::Receiver<DiscoveryState> {
        self.shared.discovery_state.subscribe()
    }

    /// Takes no more calls, lets those under way finish for a while, says goodbye, and releases the ports. It takes at
    /// most some seconds, and is meant to be waited for: what is broken off is not closed in order.
    pub async fn shutdown(&self) {
        self.shared.stop.send_replace(true);
        let mut tasks = std::mem::take(&mut *lock(&self.shared.tasks));
        let finish = async { while tasks.join_next().await.is_some() {} };
        if timeout(FINISH, finish).await.is_err() {
            tracing::warn!(tasks = tasks.len(), "tasks of connections did not end in time");
            tasks.shutdown().await;
        }
        let _ = timeout(GOODBYE, self.shared.endpoint.close()).await;
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        self.shared.stop.send_replace(true);
    }
}

fn state_of(summary: table::Summary<Arc<Link>>) -> PeerState {
    let path = summary.link.as_ref().map(|link| link.path()).unwrap_or_default();
    PeerState {
        node: summary.node,
        path: path.kind,
        address: path.address,
        relay: path.relay,
        rtt: path.rtt,
        since_ms: summary.since_ms,
        discovered: summary.discovered,
        wanted: summary.wanted,
        last_error: summary.last_error.filter(|_| summary.link.is_none()),
    }
}

/// Tells the node when its own addresses change, until it stops.
async fn watch_addresses(shared: Arc<Shared>) {
    let mut watcher = shared.endpoint.watch_addr();
    let mut known = shared.addresses();
    loop {
        let updated = tokio::select! {
            updated = watcher.updated() => updated,
            () = shared.stopped() => return,
        };
        if updated.is_err() {
            return;
        }
        let addresses = shared.addresses();
        if addresses == known {
            continue;
        }
        known.clone_from(&addresses);
        redial(&shared);
        if let Some(permit) = shared.event().await {
            permit.send(PeerEvent::AddressesChanged(addresses));
        }
    }
}

/// Has every peer that is wanted and not connected dialled soon: what was out of reach from where this node was may be in
/// reach from where it is.
fn redial(shared: &Shared) {
    let table = shared.table();
    for peer in table.summaries().iter().filter(|peer| peer.wanted && peer.link.is_none()) {
        table.task(peer.node).1.notify_one();
    }
}

/// An error with its causes, on one line.
fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

fn unix_ms(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
