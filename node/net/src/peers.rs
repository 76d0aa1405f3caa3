//! Connections with other nodes, over iroh.
//!
//! A node is dialled by its key, and both ends prove theirs in the handshake. Nobody else is involved: no relay, no
//! name server, no port mapping, no address look-up; what can be dialled is what the settings, the owner's contacts or
//! the local network say.
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
mod link;
mod table;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use iroh::dns::DnsResolver;
use iroh::endpoint::{
    BindOpts, NetReportConfig, PortmapperConfig, QuicTransportConfig, RelayMode, VarInt, presets,
};
use iroh::{Endpoint, SecretKey, Watcher};
use qpq_proto::ids::NodeKey;
use qpq_proto::limits::{FRAME_PAYLOAD_BYTES_MAX, Limits, WIRE_VERSION};
use qpq_proto::{CallError, Method, TransportErrorKind};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::admission::Admissions;
use crate::budget::Budget;
use crate::caller::Service;
use crate::calls::WireVersions;
use crate::discovery::{self, Discovery, DiscoveryState};
use crate::lock;
use crate::rpc::Server;
use crate::tls::{self, KeyExchange};
use link::Link;
use table::Table;

/// The protocol that is spoken on connections between nodes.
pub const ALPN: &[u8] = b"qpq/p2p/1";

/// Events that wait for the node to take them; then connections wait.
const EVENTS_QUEUED_MAX: usize = 256;

/// How long the goodbye to all peers may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// How a node takes part.
#[derive(Debug)]
pub struct PeerConfig {
    /// The Ed25519 secret key of the node; its public key is the node's key.
    pub node_secret: Zeroizing<[u8; 32]>,
    /// Where to listen, at most one address of each family that is not a specific interface's. Port 0 lets the system
    /// choose. An unspecified IPv6 address is left out where the system has no IPv6.
    pub listen: Vec<SocketAddr>,
    /// Whether to announce oneself on the local network and to listen for others.
    pub discovery: Discovery,
    /// Peers that are always wanted, with addresses that do not come from discovery.
    pub static_peers: Vec<(NodeKey, Vec<SocketAddr>)>,
    /// What the node decides for itself.
    pub limits: Limits,
    /// Key-exchange groups for the handshake.
    pub key_exchange: KeyExchange,
    /// Lowest and highest wire version that the node speaks.
    pub wire_versions: (u32, u32),
}

impl PeerConfig {
    /// Listens on every address, on ports that the system chooses, without discovery and without static peers.
    pub fn new(node_secret: Zeroizing<[u8; 32]>, limits: Limits) -> Self {
        Self {
            node_secret,
            listen: vec![(Ipv6Addr::UNSPECIFIED, 0).into(), (Ipv4Addr::UNSPECIFIED, 0).into()],
            discovery: Discovery::Off,
            static_peers: Vec::new(),
            limits,
            key_exchange: KeyExchange::default(),
            wire_versions: (WIRE_VERSION, WIRE_VERSION),
        }
    }
}

/// Why the node could not begin to listen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The list of addresses to listen on is empty, or has two of one family that overlap.
    #[error("cannot listen on {address}: {reason}")]
    Address {
        /// The address at fault.
        address: SocketAddr,
        /// What is wrong with it.
        reason: String,
    },
    /// No address to listen on.
    #[error("there is no address to listen on")]
    NoAddress,
    /// The system refused, most likely because a port is taken.
    #[error("cannot listen: {0}")]
    Bind(String),
}

/// What happens to peers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerEvent {
    /// There is a connection, and both sides have agreed on a wire version.
    Connected {
        /// The peer.
        node: NodeKey,
        /// How it is reached, if directly.
        address: Option<SocketAddr>,
    },
    /// There is no connection any more.
    Disconnected {
        /// The peer.
        node: NodeKey,
        /// Why, for a person.
        reason: String,
    },
    /// A node on the local network announces itself, or announces other addresses. Only a hint: it has proved nothing.
    Discovered {
        /// The peer.
        node: NodeKey,
        /// Where it says it can be reached.
        addresses: Vec<SocketAddr>,
    },
    /// A node that was discovered is announced no longer.
    Lost {
        /// The peer.
        node: NodeKey,
    },
    /// The addresses at which others can dial this node have changed.
    AddressesChanged(Vec<SocketAddr>),
}

/// What is known about a peer at the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerState {
    /// The peer.
    pub node: NodeKey,
    /// How it is reached.
    pub path: PathKind,
    /// Where it is reached, if directly.
    pub address: Option<SocketAddr>,
    /// Round-trip time of the connection, if there is one.
    pub rtt: Option<Duration>,
    /// When it was connected or lost, Unix time in milliseconds.
    pub since_ms: u64,
    /// Whether it is announced on the local network.
    pub discovered: bool,
    /// Whether a connection is wanted.
    pub wanted: bool,
    /// Why there is no connection, if that is known; for a person.
    pub last_error: Option<String>,
}

/// How a peer is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PathKind {
    /// From address to address.
    Direct,
    /// Through a relay.
    Relayed,
    /// Not at all.
    Offline,
}

/// The node's connections with other nodes. Dropping it ends them; [`shutdown`](Self::shutdown) does so in order.
#[derive(Debug)]
pub struct Peers {
    shared: Arc<Shared>,
}

/// What every task of the peers' side holds.
pub(crate) struct Shared {
    endpoint: Endpoint,
    own_key: NodeKey,
    limits: Limits,
    wire_versions: WireVersions,
    key_exchange: KeyExchange,
    server: Server,
    /// Pays for the responses to our own calls; apart from the requests' budget, so that neither waits for the other.
    responses: Budget,
    table: Mutex<Table<Arc<Link>>>,
    admissions: Admissions,
    dials: Semaphore,
    events: mpsc::Sender<PeerEvent>,
    discovery_state: watch::Sender<DiscoveryState>,
    stop: watch::Sender<bool>,
    tasks: Mutex<JoinSet<()>>,
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
        let endpoint = bind(&config).await?;
        let (events, receiver) = mpsc::channel(EVENTS_QUEUED_MAX);
        let own_key = NodeKey::from_bytes(*endpoint.id().as_bytes());
        let shared = Arc::new(Shared {
            own_key,
            server: Server::new(service, &config.limits),
            responses: Budget::new(config.limits.call_bytes_in_memory_max / 2, FRAME_PAYLOAD_BYTES_MAX),
            table: Mutex::new(Table::new(own_key, &config.limits)),
            admissions: Admissions::new(&config.limits),
            dials: Semaphore::new(config.limits.dials_max),
            wire_versions: config.wire_versions,
            key_exchange: config.key_exchange,
            limits: config.limits,
            endpoint,
            events,
            discovery_state: watch::Sender::new(match config.discovery {
                Discovery::Open => DiscoveryState::Starting,
                Discovery::Off => DiscoveryState::Off,
            }),
            stop: watch::Sender::new(false),
            tasks: Mutex::new(JoinSet::new()),
        });
        shared.spawn(accept::run(Arc::clone(&shared)));
        shared.spawn(watch_addresses(Arc::clone(&shared)));
        if config.discovery == Discovery::Open {
            shared.spawn(discovery::run(Arc::clone(&shared)));
        }
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
        self.shared.table().summaries().into_iter().map(state).collect()
    }

    /// Whether the node announces itself on the local network and hears others.
    pub fn discovery_state(&self) -> DiscoveryState {
        self.shared.discovery_state.borrow().clone()
    }

    /// As [`discovery_state`](Self::discovery_state), for waiting until it changes.
    pub fn watch_discovery(&self) -> watch::Receiver<DiscoveryState> {
        self.shared.discovery_state.subscribe()
    }

    /// Takes no more calls, lets those under way finish for a while, says goodbye, and releases the ports.
    pub async fn shutdown(self) {
        self.shared.stop.send_replace(true);
        let mut tasks = std::mem::take(&mut *lock(&self.shared.tasks));
        while tasks.join_next().await.is_some() {}
        // Peers that are gone do not acknowledge the goodbye.
        let _ = timeout(GOODBYE, self.shared.endpoint.close()).await;
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        self.shared.stop.send_replace(true);
    }
}

impl Shared {
    pub(crate) fn own_key(&self) -> NodeKey {
        self.own_key
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The addresses of the sockets, as the system gave them.
    pub(crate) fn bound_addresses(&self) -> Vec<SocketAddr> {
        self.endpoint.bound_sockets()
    }

    pub(crate) fn set_discovery_state(&self, state: DiscoveryState) {
        self.discovery_state.send_replace(state);
    }

    /// Waits until the node is about to stop.
    pub(crate) async fn stopped(&self) {
        // The sender is alive as long as `self`, so that the wait cannot fail.
        let _ = self.stop.subscribe().wait_for(|stop| *stop).await;
    }

    /// Discovery saw a node.
    pub(crate) async fn discovered(self: &Arc<Self>, node: NodeKey, addresses: Vec<SocketAddr>) {
        let Some(permit) = self.event().await else { return };
        let is_news = self.table().discovered(node, &addresses);
        if is_news {
            permit.send(PeerEvent::Discovered { node, addresses: addresses.clone() });
            self.doubt(node, &addresses);
        }
    }

    /// Discovery sees a node no longer.
    pub(crate) async fn lost(&self, node: NodeKey) {
        let Some(permit) = self.event().await else { return };
        if self.table().lost(node) {
            permit.send(PeerEvent::Lost { node });
        }
    }

    /// Room for one event. Taken before the table is changed, so that events come in the order of the changes.
    async fn event(&self) -> Option<mpsc::Permit<'_, PeerEvent>> {
        self.events.reserve().await.ok()
    }

    /// A peer that announces other addresses than the one it is connected from has probably restarted: its connection
    /// has to show a sign of life, or make room for a new one.
    fn doubt(self: &Arc<Self>, node: NodeKey, addresses: &[SocketAddr]) {
        let Some(current) = self.table().current(node) else { return };
        if current.address().is_some_and(|address| !addresses.contains(&address)) {
            self.spawn(link::verify(Arc::clone(self), current));
        }
    }

    fn table(&self) -> MutexGuard<'_, Table<Arc<Link>>> {
        lock(&self.table)
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        self.endpoint.addr().ip_addrs().copied().collect()
    }

    /// Runs a task that [`Peers::shutdown`] waits for.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = lock(&self.tasks);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Peers").field("own_key", &self.own_key).finish_non_exhaustive()
    }
}

fn state(summary: table::Summary<Arc<Link>>) -> PeerState {
    let path = summary.link.as_ref().map(|link| link.path());
    PeerState {
        node: summary.node,
        path: path.map_or(PathKind::Offline, |path| path.kind),
        address: path.and_then(|path| path.address),
        rtt: path.and_then(|path| path.rtt),
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
        if let Some(permit) = shared.event().await {
            permit.send(PeerEvent::AddressesChanged(addresses));
        }
    }
}

/// An iroh endpoint that contacts nobody who was not asked for.
async fn bind(config: &PeerConfig) -> Result<Endpoint, StartError> {
    if config.listen.is_empty() {
        return Err(StartError::NoAddress);
    }
    let mut builder = Endpoint::builder(presets::Empty)
        .crypto_provider(tls::provider_with(config.key_exchange))
        .secret_key(SecretKey::from_bytes(&config.node_secret))
        .alpns(vec![ALPN.to_vec()])
        .transport_config(transport(&config.limits))
        // No infrastructure of anybody's: iroh's relays and look-up are off with the empty preset, and these are the
        // rest. The resolver is never asked, and if it were, it would ask no public server.
        .relay_mode(RelayMode::Disabled)
        .clear_address_lookup()
        .dns_resolver(DnsResolver::builder().with_system_defaults().disable_fallback().build())
        .portmapper_config(PortmapperConfig::Disabled)
        .net_report_config(NetReportConfig::minimal())
        .clear_ip_transports();
    for address in &config.listen {
        let optional = address.is_ipv6() && address.ip().is_unspecified();
        let options = BindOpts::default().set_is_required(!optional);
        builder = builder
            .bind_addr_with_opts(*address, options)
            .map_err(|error| StartError::Address { address: *address, reason: error.to_string() })?;
    }
    builder.bind().await.map_err(|error| StartError::Bind(describe(&error)))
}

/// Windows and streams as the limits say; no datagrams and no unidirectional streams, which nothing here uses.
fn transport(limits: &Limits) -> QuicTransportConfig {
    let idle = VarInt::from_u32(u32::try_from(limits.idle_timeout_ms).unwrap_or(u32::MAX));
    QuicTransportConfig::builder()
        .max_concurrent_bidi_streams(varint(limits.streams_per_connection_max))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .receive_window(varint(limits.connection_receive_window_bytes))
        .stream_receive_window(varint(limits.stream_receive_window_bytes))
        .send_window(limits.send_window_bytes as u64)
        .datagram_receive_buffer_size(None)
        .max_idle_timeout(Some(idle.into()))
        .build()
}

fn varint(value: usize) -> VarInt {
    VarInt::from_u32(u32::try_from(value).unwrap_or(u32::MAX))
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
