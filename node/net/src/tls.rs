//! The TLS side of every connection: one `rustls` provider for iroh and quinn alike.
//!
//! The provider is ring's, with the hybrid group X25519MLKEM768 put in front of the classical ones: two
//! nodes that run this code agree on the hybrid group, and anything older still gets X25519. Nothing else
//! about ring's provider is changed. TLS 1.3 only; QUIC allows no other.

mod hybrid;
mod pinned;
mod refused;

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, SupportedKxGroup, ring};
use rustls::{Error, PeerIncompatible};

pub use hybrid::X25519MLKEM768;
pub(crate) use pinned::Pinned;

/// Which key-exchange groups a node offers and accepts, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyExchange {
    /// X25519MLKEM768, then ring's classical groups: what a node uses unless told otherwise.
    #[default]
    HybridPreferred,
    /// X25519MLKEM768 alone. A peer without it, or that prefers another, cannot be talked to, and both sides learn so at
    /// once.
    HybridOnly,
    /// Ring's classical groups alone: for tests and for measuring what the hybrid group costs.
    ClassicalOnly,
}

/// The provider of cryptography for every TLS configuration in this crate.
///
/// Always passed explicitly; the process-wide default of `rustls` is neither read nor set.
pub fn provider() -> Arc<CryptoProvider> {
    provider_with(KeyExchange::HybridPreferred)
}

/// As [`provider`], with another choice of key-exchange groups.
pub fn provider_with(key_exchange: KeyExchange) -> Arc<CryptoProvider> {
    const HYBRID: &dyn SupportedKxGroup = &X25519MLKEM768;
    let mut provider = ring::default_provider();
    match key_exchange {
        KeyExchange::HybridPreferred => provider.kx_groups.insert(0, HYBRID),
        KeyExchange::HybridOnly => provider.kx_groups = refused::hybrid_only(),
        KeyExchange::ClassicalOnly => {}
    }
    Arc::new(provider)
}

/// What a handshake fails with when there is no group in common.
pub(crate) fn without_group() -> Error {
    PeerIncompatible::NoKxGroupsInCommon.into()
}

/// Whether a handshake failed because there is no group in common.
pub(crate) fn is_without_group(error: &Error) -> bool {
    *error == without_group()
}

#[cfg(test)]
mod tests;
