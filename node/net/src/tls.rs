//! The TLS side of every connection: one `rustls` provider for iroh and quinn alike.
//!
//! The provider is ring's, with the hybrid group X25519MLKEM768 put in front of the classical ones: two
//! nodes that run this code agree on the hybrid group, and anything older still gets X25519. Nothing else
//! about ring's provider is changed. TLS 1.3 only; QUIC allows no other.

mod hybrid;

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, SupportedKxGroup, ring};

pub use hybrid::X25519MLKEM768;

/// Which key-exchange groups a node offers and accepts, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyExchange {
    /// X25519MLKEM768, then ring's classical groups: what a node uses unless told otherwise.
    #[default]
    HybridPreferred,
    /// X25519MLKEM768 alone. A peer without it cannot be talked to.
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
        KeyExchange::HybridOnly => provider.kx_groups = vec![HYBRID],
        KeyExchange::ClassicalOnly => {}
    }
    Arc::new(provider)
}

#[cfg(test)]
mod tests;
