//! A hostile neighbour, as a scenario says it.

use serde::{Deserialize, Serialize};

use super::Scenario;

/// Nodes that hand over bundles nobody wrote, each unlike any other, as fast as their links carry them. They know the
/// tags of what others write and put them on half of their own; classes, lifetimes, hops and copies are drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flood {
    /// The group of nodes that do.
    pub group: String,
    /// Length of a body.
    pub body_bytes: u32,
    /// How many a call hands over.
    pub bundles_per_call: usize,
    /// When they begin.
    #[serde(default)]
    pub start_s: f64,
    /// How close they stand to whoever they meet.
    pub standing: Standing,
}

impl Scenario {
    /// What a hostile node may take of a store for being a contact, bytes; nothing if it is a stranger.
    pub fn hostile_share_bytes(&self) -> u64 {
        const CONTACT_BYTES: u64 = 2 << 20;
        let is_contact = self.flood.as_ref().is_some_and(|flood| flood.standing == Standing::Contact);
        if is_contact { CONTACT_BYTES } else { 0 }
    }
}

/// How close a hostile node stands to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Nobody knows it.
    Stranger,
    /// Everybody has it for a contact.
    Contact,
}
