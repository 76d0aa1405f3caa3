//! What is remembered of neighbours that come and go: how far they were offered what is held.
//!
//! Only as many as the limit says, the one not seen for longest out first. Forgetting costs a comparison of what both
//! hold at the next meeting, nothing else; so this is kept in memory only.

use std::collections::{BTreeMap, BTreeSet};

use qpq_proto::ids::NodeKey;

use crate::bundle::ShortId;

/// What is remembered of one neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Memory {
    /// Names the store it had.
    pub(crate) instance: [u8; 16],
    /// Everything that arrived up to here was offered to it.
    pub(crate) through: u64,
    /// From where on what both hold is still to be compared.
    pub(crate) resume_from: Option<ShortId>,
    /// How much of the time it is there.
    pub(crate) presence: Presence,
}

/// How long a neighbour was there and how long it was not; what is older counts less.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Presence {
    up_ms: u64,
    down_ms: u64,
    gone_ms: u64,
}

impl Presence {
    /// After another time that it was there.
    pub(crate) const fn after(self, since_ms: u64, now_ms: u64) -> Self {
        let down_ms = if self.gone_ms == 0 { 0 } else { since_ms.saturating_sub(self.gone_ms) };
        Self {
            up_ms: self.up_ms / 2 + now_ms.saturating_sub(since_ms),
            down_ms: self.down_ms / 2 + down_ms,
            gone_ms: now_ms,
        }
    }

    /// Whether it was not there for longer than it was, when it comes again now.
    pub(crate) const fn is_mostly_down(self, now_ms: u64) -> bool {
        self.down_ms / 2 + now_ms.saturating_sub(self.gone_ms) > self.up_ms
    }
}

/// The neighbours remembered.
#[derive(Debug, Default)]
pub(crate) struct Neighbours {
    by_node: BTreeMap<NodeKey, (u64, Memory)>,
    by_age: BTreeSet<(u64, NodeKey)>,
    sequence: u64,
}

impl Neighbours {
    /// What is remembered of a neighbour.
    pub(crate) fn get(&self, node: &NodeKey) -> Option<&Memory> {
        self.by_node.get(node).map(|(_, memory)| memory)
    }

    /// Remembers a neighbour, and forgets the one not seen for longest where there are too many.
    pub(crate) fn put(&mut self, node: NodeKey, memory: Memory, neighbours_max: usize) {
        self.sequence += 1;
        if let Some((age, _)) = self.by_node.insert(node, (self.sequence, memory)) {
            self.by_age.remove(&(age, node));
        }
        self.by_age.insert((self.sequence, node));
        while self.by_node.len() > neighbours_max {
            let Some((_, oldest)) = self.by_age.pop_first() else { break };
            self.by_node.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(through: u64) -> Memory {
        Memory { instance: [0; 16], through, resume_from: None, presence: Presence::default() }
    }

    #[test]
    fn the_one_not_seen_for_longest_is_forgotten() {
        let node = |byte| NodeKey::from_bytes([byte; 32]);
        let mut neighbours = Neighbours::default();
        for (byte, through) in [(1, 1), (2, 2), (1, 3), (3, 4)] {
            neighbours.put(node(byte), memory(through), 2);
        }
        assert_eq!(neighbours.get(&node(1)), Some(&memory(3)));
        assert_eq!(neighbours.get(&node(2)), None);
        assert_eq!(neighbours.get(&node(3)), Some(&memory(4)));
        assert_eq!((neighbours.by_node.len(), neighbours.by_age.len()), (2, 2));
    }

    #[test]
    fn who_is_not_there_for_longer_than_there_is_mostly_down() {
        let hour_ms = 3_600_000;
        let now = |hours: u64| hours * hour_ms;
        let first = Presence::default().after(now(0), now(2));
        assert!(!first.is_mostly_down(now(3)) && first.is_mostly_down(now(5)));
        let second = first.after(now(3), now(4));
        assert!(!second.is_mostly_down(now(5)), "two hours down, counted less, against three");
        let third = second.after(now(20), now(21));
        assert!(third.is_mostly_down(now(21)));
    }
}
