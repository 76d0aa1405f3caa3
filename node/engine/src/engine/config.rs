//! What an engine is told when it is opened.

use qpq_crypto::passphrase::PassphraseCost;
use qpq_proto::{ids::NodeKey, limits::Limits};

/// What the engine is told once.
#[derive(Debug, Clone)]
pub struct Config {
    /// This node's key.
    pub node: NodeKey,
    /// Version of the program, for `status`.
    pub version: String,
    /// Limits of the profile in use.
    pub limits: Limits,
    /// Whether the node connects with other nodes. Without them it needs not wait for any before it calls a relay.
    pub has_peers: bool,
    /// Whether nodes of strangers on the local network are sought as neighbours.
    pub seeks_strangers: bool,
    /// Whether storage was found to be an older copy of itself, and [`Input::Started`](crate::Input::Started) has not been committed
    /// since.
    pub is_rolled_back: bool,
    /// Whether what is carried for others is kept in memory only, and lost at a restart.
    pub custody_is_volatile: bool,
    /// What stretching the password of an account at a relay costs. An account is opened only with the cost with which
    /// it was registered: [`qpq_crypto::opaque::OPAQUE_COST`], but in tests.
    pub password_cost: PassphraseCost,
}
