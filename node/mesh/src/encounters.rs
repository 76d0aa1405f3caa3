//! How many others a node meets: who meets many is the better one to give copies to.
//!
//! Encounter-based routing (Nelson, Bakht and Kravets, 2009): copies are divided in the proportion of what both have met
//! of late. The number says nothing of whom a node met, and is told to neighbours only.

use std::collections::BTreeSet;

use qpq_proto::ids::NodeKey;

/// Neighbours are counted once in each window, ms.
const WINDOW_MS: u64 = 1_800_000;
/// Most neighbours counted in one window.
const MET_MAX: usize = 256;
/// A neighbour met in this window counts so much; half of it in the next one, and so on.
const UNIT: u32 = 16;

/// A moving average of the neighbours met.
#[derive(Debug, Default)]
pub(crate) struct Encounters {
    window: u64,
    met: BTreeSet<NodeKey>,
    average: u32,
}

impl Encounters {
    /// A link to a neighbour is up.
    pub(crate) fn meet(&mut self, node: NodeKey, now_ms: u64) {
        let window = now_ms / WINDOW_MS;
        while self.window < window {
            self.average = self.rate() / 2;
            self.met.clear();
            // After so many windows nothing is left.
            self.window = (self.window + 1).max(window.saturating_sub(32));
        }
        if self.met.len() < MET_MAX {
            self.met.insert(node);
        }
    }

    /// How many it has met of late, in sixteenths.
    pub(crate) fn rate(&self) -> u32 {
        self.average + UNIT * u32::try_from(self.met.len()).unwrap_or(u32::MAX / UNIT)
    }
}
