//! Names are resolved by the system, and only addresses that are permitted are handed on: they are the ones that the
//! connection is made to.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;

use super::Permits;

/// A host has no address that may be connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "its endpoint's host has no address on the public internet, and others are not permitted (relay_push)"
)]
pub(super) struct NotPermitted;

/// What resolves a name; the port does not matter.
pub(super) type Lookup = Arc<dyn Fn(&str) -> std::io::Result<Vec<SocketAddr>> + Send + Sync>;

/// Resolves names to addresses that are permitted.
pub(super) struct Resolver {
    lookup: Lookup,
    permits: Permits,
    turns: Arc<Semaphore>,
}

impl Resolver {
    pub(super) fn new(permits: Permits, lookup: Lookup) -> Self {
        Self { lookup, permits, turns: Arc::new(Semaphore::new(LOOKUPS_MAX)) }
    }
}

/// As the system does.
pub(super) fn of_system() -> Lookup {
    Arc::new(|name| Ok((name, 0).to_socket_addrs()?.collect()))
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (lookup, permits) = (Arc::clone(&self.lookup), Arc::clone(&self.permits));
        let turns = Arc::clone(&self.turns);
        Box::pin(async move {
            // Held until the look-up ends, also when nobody waits for it any more: it cannot be broken off.
            let turn = turns.acquire_owned().await?;
            let found = tokio::task::spawn_blocking(move || {
                let _turn = turn;
                lookup(name.as_str())
            });
            let mut addresses = found.await??;
            addresses.retain(|address| permits(address.ip()));
            addresses.truncate(ADDRESSES_MAX);
            if addresses.is_empty() {
                return Err(NotPermitted.into());
            }
            let addresses: Addrs = Box::new(addresses.into_iter());
            Ok(addresses)
        })
    }
}

/// Look-ups at one time: each takes a thread of the few that the node has for what blocks.
const LOOKUPS_MAX: usize = 2;
/// Addresses of one host that are tried.
const ADDRESSES_MAX: usize = 4;
