//! How a node listens: its configuration, and the iroh endpoint that comes of it.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use iroh::dns::DnsResolver;
use iroh::endpoint::{BindOpts, NetReportConfig, PortmapperConfig, QuicTransportConfig, VarInt, presets};
use iroh::{Endpoint, SecretKey};
use qpq_proto::ids::NodeKey;
use qpq_proto::limits::{Limits, WIRE_VERSION};
use zeroize::Zeroizing;

use super::describe;
use super::relays::{PacketRelay, PacketRelays};
use crate::discovery::Discovery;
use crate::push::Pushes;
use crate::tls::{self, KeyExchange};

/// The protocol that is spoken on connections between nodes.
pub const ALPN: &[u8] = b"qpq/p2p/1";

/// How a node takes part.
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
    /// Relays over which the node can be reached, and reaches others that use them.
    pub packet_relays: Vec<PacketRelay>,
    /// What the node decides for itself.
    pub limits: Limits,
    /// Reaches those who are connected.
    pub pushes: Pushes,
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
            packet_relays: Vec::new(),
            pushes: Pushes::new(&limits),
            limits,
            key_exchange: KeyExchange::default(),
            wire_versions: (WIRE_VERSION, WIRE_VERSION),
        }
    }
}

impl fmt::Debug for PeerConfig {
    /// Leaves the secret out.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PeerConfig")
            .field("listen", &self.listen)
            .field("discovery", &self.discovery)
            .field("static_peers", &self.static_peers)
            .field("packet_relays", &self.packet_relays)
            .field("key_exchange", &self.key_exchange)
            .field("wire_versions", &self.wire_versions)
            .finish_non_exhaustive()
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

/// An iroh endpoint that contacts nobody who was not asked for.
pub(super) async fn bind(config: &PeerConfig, relays: &PacketRelays) -> Result<Endpoint, StartError> {
    if config.listen.is_empty() {
        return Err(StartError::NoAddress);
    }
    let mut builder = Endpoint::builder(presets::Empty)
        .crypto_provider(tls::provider_with(config.key_exchange))
        .secret_key(SecretKey::from_bytes(&config.node_secret))
        .alpns(vec![ALPN.to_vec()])
        .transport_config(transport(&config.limits))
        // No infrastructure of anybody's but the relays that the node was told of: iroh's relays and look-up are off with
        // the empty preset, and these are the rest. The resolver is asked for those relays' names, and asks no public
        // server.
        .relay_mode(relays.mode())
        .ca_tls_config(relays.trust())
        .clear_address_lookup()
        .dns_resolver(DnsResolver::builder().with_system_defaults().disable_fallback().build())
        .portmapper_config(PortmapperConfig::Disabled)
        .net_report_config(net_report())
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

/// What is asked of the relays, besides from where the node's packets come: by HTTPS whether they are there, for networks
/// that let no QUIC through.
fn net_report() -> NetReportConfig {
    let mut config = NetReportConfig::minimal();
    config.https_probes = true;
    config
}

/// The round trip that is assumed before one was measured. RFC 9002 proposes 333 ms, with which a packet of a handshake
/// that is lost on a wireless network costs a second, and the goodbye to a peer that never answered three. On a path
/// that is slower than three times this, the first packet is sent twice.
const INITIAL_RTT: Duration = Duration::from_millis(100);

/// Windows and streams as the limits say; no datagrams, and no unidirectional streams before events are asked for.
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
        .initial_rtt(INITIAL_RTT)
        .build()
}

fn varint(value: usize) -> VarInt {
    VarInt::from_u32(u32::try_from(value).unwrap_or(u32::MAX))
}
