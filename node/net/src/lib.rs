//! Connections: iroh, quinn, mDNS, the owner's socket.

mod budget;
mod caller;
mod discovery;
mod peers;
mod rpc;
mod serve;
pub mod socket;
mod streams;
#[cfg(test)]
mod testing;
pub mod tls;

pub use caller::{Answer, Caller, Service};
pub use discovery::{Discovery, DiscoveryState};
pub use peers::{ALPN, PathKind, PeerConfig, PeerEvent, PeerState, Peers, StartError};
