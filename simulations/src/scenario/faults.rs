//! What goes wrong, as a scenario says it.

use serde::{Deserialize, Serialize};

/// Crashes of our own nodes, and what their clocks say afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Faults {
    /// How likely a node crashes at a transaction that changes its store: before the commit, after it and before
    /// anything was answered or sent, or after that, each as often.
    pub crash_chance: f64,
    /// The shortest and the longest time until it is up again.
    pub down_s: [f64; 2],
    /// How likely its wall clock is wrong by years then.
    pub wrong_clock: f64,
    /// In which share of the runs custody lies in the real database, on a disk that fails and loses power: at any
    /// operation of a commit or of opening the store.
    #[serde(default)]
    pub redb_share: f64,
}
