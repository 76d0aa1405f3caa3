//! Finding other nodes on the local network, by mDNS.

use std::sync::Arc;

use crate::peers::Shared;

/// Whether a node takes part in discovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Discovery {
    /// Announces the node key and addresses, nothing else, and listens for others.
    #[default]
    Open,
    /// Neither announces nor listens.
    Off,
}

/// How discovery is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiscoveryState {
    /// Switched off.
    Off,
    /// Announcing and listening.
    Running,
    /// Not possible here, such as for want of permission or of a network; the text says why, for a person.
    Unavailable(String),
}

pub(crate) async fn run(shared: Arc<Shared>) {
    shared.set_discovery_state(DiscoveryState::Running);
}
