//! What neighbours were told to hand over, so that two do not hand over the same.

use std::collections::{BTreeMap, BTreeSet};

use crate::bundle::ShortId;

/// How long a neighbour that said it would hand something over is waited for, ms.
const PATIENCE_MS: u64 = 15_000;
/// Most bundles waited for; beyond them, offers are answered with busy.
const EXPECTED_MAX: usize = 4_096;

/// Bundles on their way to this node.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    by_short: BTreeMap<ShortId, (u64, usize)>,
    by_time: BTreeSet<(u64, ShortId)>,
}

impl Expected {
    /// Expects a bundle from a link. `false` if another link is to bring it, or too many are expected.
    pub(crate) fn expect(&mut self, short: ShortId, slot: usize, now_ms: u64) -> bool {
        self.forget_late(now_ms);
        if let Some((_, from)) = self.by_short.get(&short) {
            return *from == slot;
        }
        if self.by_short.len() >= EXPECTED_MAX {
            return false;
        }
        let until_ms = now_ms + PATIENCE_MS;
        self.by_short.insert(short, (until_ms, slot));
        self.by_time.insert((until_ms, short));
        true
    }

    /// It came, or is no longer wanted.
    pub(crate) fn done(&mut self, short: ShortId) {
        if let Some((until_ms, _)) = self.by_short.remove(&short) {
            self.by_time.remove(&(until_ms, short));
        }
    }

    /// A link is gone, and with it what it was to bring.
    pub(crate) fn forget_link(&mut self, slot: usize) {
        self.by_short.retain(|short, (until_ms, from)| {
            if *from == slot {
                self.by_time.remove(&(*until_ms, *short));
            }
            *from != slot
        });
    }

    fn forget_late(&mut self, now_ms: u64) {
        while let Some((until_ms, short)) = self.by_time.first().copied().filter(|(ms, _)| *ms <= now_ms) {
            self.by_time.remove(&(until_ms, short));
            self.by_short.remove(&short);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_link_at_a_time_is_waited_for() {
        let short = ShortId::from_bytes([1; 9]);
        let mut expected = Expected::default();
        assert!(expected.expect(short, 0, 0));
        assert!(expected.expect(short, 0, 1), "the same link again");
        assert!(!expected.expect(short, 1, PATIENCE_MS - 1));
        assert!(expected.expect(short, 1, PATIENCE_MS), "the first one did not come");
        expected.forget_link(0);
        assert!(!expected.expect(short, 0, PATIENCE_MS));
        expected.forget_link(1);
        assert!(expected.expect(short, 0, PATIENCE_MS));
        expected.done(short);
        assert!(expected.expect(short, 1, PATIENCE_MS));
    }

    #[test]
    fn not_more_than_the_limit_is_waited_for() {
        let mut expected = Expected::default();
        for number in 0..EXPECTED_MAX as u64 {
            let mut bytes = [0; 9];
            bytes[1..].copy_from_slice(&number.to_be_bytes());
            assert!(expected.expect(ShortId::from_bytes(bytes), 0, 0));
        }
        assert!(!expected.expect(ShortId::from_bytes([9; 9]), 0, 0));
        assert!(expected.expect(ShortId::from_bytes([9; 9]), 0, PATIENCE_MS));
    }
}
