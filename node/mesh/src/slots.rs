//! A number below 64 for each of the neighbours met last, so that a word of bits says which of them hold a bundle.
//!
//! A neighbour keeps its number when its link goes down, and with it what is known of what it holds; the number is given
//! to another neighbour when there is no free one, the one not seen for longest first.

use std::collections::BTreeMap;

use qpq_proto::ids::NodeKey;
use qpq_proto::limits::MESH_SESSIONS_MAX;

/// The numbers given.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    by_node: BTreeMap<NodeKey, usize>,
    taken: Vec<Slot>,
    sequence: u64,
}

#[derive(Debug)]
struct Slot {
    node: NodeKey,
    is_live: bool,
    seen: u64,
}

/// A number that was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) slot: usize,
    /// Another neighbour had it: what was known of that one must be forgotten.
    pub(crate) is_reused: bool,
}

impl Slots {
    /// The number of a neighbour whose link is up; none if all belong to live links.
    pub(crate) fn give(&mut self, node: NodeKey) -> Option<Given> {
        self.sequence += 1;
        let given = self.find_or_free(node)?;
        let slot = Slot { node, is_live: true, seen: self.sequence };
        if given.slot == self.taken.len() {
            self.taken.push(slot);
        } else {
            let before = std::mem::replace(&mut self.taken[given.slot], slot);
            self.by_node.remove(&before.node);
        }
        self.by_node.insert(node, given.slot);
        Some(given)
    }

    fn find_or_free(&self, node: NodeKey) -> Option<Given> {
        if let Some(slot) = self.by_node.get(&node) {
            return Some(Given { slot: *slot, is_reused: false });
        }
        if self.taken.len() < MESH_SESSIONS_MAX {
            return Some(Given { slot: self.taken.len(), is_reused: false });
        }
        let gone = self.taken.iter().enumerate().filter(|(_, slot)| !slot.is_live);
        gone.min_by_key(|(_, slot)| slot.seen).map(|(slot, _)| Given { slot, is_reused: true })
    }

    /// The number of a neighbour whose link is up.
    pub(crate) fn live(&self, node: &NodeKey) -> Option<usize> {
        self.by_node.get(node).copied().filter(|slot| self.taken[*slot].is_live)
    }

    /// The link is gone; the neighbour keeps its number for now.
    pub(crate) fn link_down(&mut self, slot: usize) {
        self.taken[slot].is_live = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(number: usize) -> NodeKey {
        NodeKey::from_bytes([u8::try_from(number).unwrap(); 32])
    }

    #[test]
    fn a_neighbour_keeps_its_number_until_it_is_needed() {
        let mut slots = Slots::default();
        for number in 0..MESH_SESSIONS_MAX {
            assert_eq!(slots.give(node(number)), Some(Given { slot: number, is_reused: false }));
        }
        assert_eq!(slots.give(node(100)), None, "all are live");
        slots.link_down(3);
        slots.link_down(2);
        assert_eq!((slots.live(&node(2)), slots.live(&node(1))), (None, Some(1)));
        assert_eq!(slots.give(node(2)), Some(Given { slot: 2, is_reused: false }));
        slots.link_down(2);
        assert_eq!(slots.give(node(100)), Some(Given { slot: 3, is_reused: true }), "not seen for longest");
        assert_eq!(slots.live(&node(3)), None);
        assert_eq!(slots.give(node(3)), Some(Given { slot: 2, is_reused: true }));
    }
}
