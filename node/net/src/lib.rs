//! Connections: with other nodes, with the owner's programs, with light clients.
//!
//! Three ways lead to a node, and one [`Service`] answers what comes over all of them:
//!
//! | who | how | proves itself by | is |
//! |---|---|---|---|
//! | other nodes | [`Peers`]: iroh, dialled by node key, found by mDNS or by address | its node key | `Peer::Node` |
//! | the owner's programs | [`socket`]: a Unix domain socket | the user it runs as | `Peer::Owner` |
//! | light clients, any QUIC library | [`direct`]: quinn, ordinary TLS | nothing, to begin with | `Peer::Anyone` |
//!
//! All carry the frames of RPC.md, one call on one QUIC stream or many on the socket. Before the service sees a call,
//! its frame has been checked and the method table has been asked whether the caller may call the method, by itself or
//! logged in: who is logged in over which connection is the service's to know. This crate
//! does not know what messages mean, with one exception: `Health`, the first call on a connection between nodes, from
//! which each side learns the wire versions of the other.
//!
//! Devices that are not connected are woken over HTTP ([`wakes`]).
//!
//! The other way, the service pushes events over any connection but the owner's, and ends it, by [`Pushes`].
//!
//! Everything that others can make a node spend has a bound, which comes from [`qpq_proto::limits`]: handshakes,
//! connections, calls, time, and the memory of payloads, of which none is read before its length is reserved.
//!
//! Only this crate names iroh, quinn and an HTTP client, and only [`tls`] decides how keys are agreed on: X25519MLKEM768 first.

mod admission;
mod budget;
mod caller;
mod calls;
#[cfg(feature = "direct")]
pub mod direct;
mod discovery;
#[cfg(feature = "packets")]
pub mod packets;
mod peers;
mod pin;
mod push;
mod rpc;
mod seldom;
mod serve;
pub mod socket;
mod streams;
#[cfg(test)]
mod testing;
pub mod tls;
#[cfg(feature = "direct")]
pub mod wakes;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use caller::{Answer, Caller, ConnectionId, EXPORTER_BYTES, EXPORTER_LABEL, Exporter, Peer, Service};
pub use discovery::{Discovery, DiscoveryState};
pub use peers::{
    ALPN, PacketRelay, PacketRelayError, PacketRelayState, PathKind, PeerConfig, PeerEvent, PeerState, Peers,
    StartError,
};
pub use pin::{Pin, PinError};
pub use push::{Events, Pushed, Pushes};

/// What the locks of this crate protect is consistent between any two statements: a panic elsewhere does no harm.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
