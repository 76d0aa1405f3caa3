//! What there is to know about peers.

use std::net::SocketAddr;
use std::time::Duration;

use qpq_proto::ids::NodeKey;

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
    /// There is no connection any more; or there is another one over which nothing is agreed yet, because the peer
    /// lost the one before, and `Connected` follows at once.
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
    /// Host and port of the relay through which it is reached, if through one.
    pub relay: Option<String>,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum PathKind {
    /// From address to address.
    Direct,
    /// Through a relay.
    Relayed,
    /// Not at all.
    #[default]
    Offline,
}
