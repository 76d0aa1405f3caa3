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

#[cfg(test)]
mod tests {
    use super::*;

    fn meet(encounters: &mut Encounters, nodes: std::ops::Range<usize>, now_ms: u64) {
        for number in nodes {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&(number as u64).to_be_bytes());
            encounters.meet(NodeKey::from_bytes(key), now_ms);
        }
    }

    #[test]
    fn each_neighbour_counts_once_in_a_window() {
        let mut encounters = Encounters::default();
        assert_eq!(encounters.rate(), 0);
        meet(&mut encounters, 0..3, 0);
        meet(&mut encounters, 0..3, WINDOW_MS - 1);
        assert_eq!(encounters.rate(), 3 * UNIT);
        meet(&mut encounters, 0..3, WINDOW_MS);
        assert_eq!(encounters.rate(), 3 * UNIT / 2 + 3 * UNIT, "and again in the next");
    }

    #[test]
    fn what_is_long_ago_counts_less_and_then_nothing() {
        let mut encounters = Encounters::default();
        meet(&mut encounters, 0..8, 0);
        for (window, earlier) in [(1, 4 * UNIT), (3, UNIT + UNIT / 4)] {
            meet(&mut encounters, 100..101, window * WINDOW_MS);
            assert_eq!(encounters.rate(), earlier + UNIT, "window {window}");
        }
        meet(&mut encounters, 200..201, 1_000_000 * WINDOW_MS);
        assert_eq!(encounters.rate(), UNIT, "after a gap of years");
    }

    #[test]
    fn a_crowd_is_counted_up_to_a_limit() {
        let mut encounters = Encounters::default();
        meet(&mut encounters, 0..10_000, 0);
        assert_eq!(encounters.rate(), UNIT * u32::try_from(MET_MAX).unwrap());
        assert_eq!(encounters.met.len(), MET_MAX);
    }
}
