//! Whose bundles go out first when not all can.
//!
//! What waits for a neighbour is chosen class by class, since control carries what all else needs. Within a class this
//! node's own and its paired nodes' come first; the rest takes turns by who brought it, in equal bytes (deficit round
//! robin, Shreedhar and Varghese, 1995). One bringer gets at most half of a batch while others have had something
//! within the last minute: a neighbour that floods leaves room before the next honest bundle even arrives.

use std::collections::{BTreeMap, VecDeque};

use qpq_proto::ids::NodeKey;

use crate::bundle::SortKey;

/// How long after its last bundle a bringer counts as one for whom room is kept, ms.
const RECENT_MS: u64 = 60_000;

/// Something that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// Which bundle.
    pub(crate) key: SortKey,
    /// Who brought it; none for what comes first.
    pub(crate) bringer: Option<NodeKey>,
    /// What sending it costs.
    pub(crate) cost: u64,
}

/// How much is chosen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    /// Sum of costs.
    pub(crate) cost_max: u64,
    /// Number of bundles.
    pub(crate) count_max: usize,
}

/// Whose turn it is, on one link.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    last: Option<NodeKey>,
    recent_ms: BTreeMap<NodeKey, u64>,
}

impl Turns {
    /// Chooses from what waits, which is in order. What does not fit is left for the next time.
    pub(crate) fn choose(&mut self, now_ms: u64, waiting: &[Waiting], budget: Budget) -> Vec<SortKey> {
        self.recent_ms.retain(|_, last_ms| now_ms.saturating_sub(*last_ms) < RECENT_MS);
        let mut batch = Batch { budget, chosen: Vec::new(), spent: 0, by_bringer: BTreeMap::new() };
        for class in waiting.chunk_by(|a, b| a.key.kind_byte() >> 4 == b.key.kind_byte() >> 4) {
            class.iter().filter(|one| one.bringer.is_none()).for_each(|one| {
                batch.take(one);
            });
            self.take_turns(&mut batch, class);
        }
        self.recent_ms.extend(batch.by_bringer.keys().map(|bringer| (*bringer, now_ms)));
        batch.chosen
    }

    fn take_turns(&mut self, batch: &mut Batch, class: &[Waiting]) {
        let mut queues: BTreeMap<NodeKey, VecDeque<&Waiting>> = BTreeMap::new();
        for one in class {
            if let Some(bringer) = one.bringer {
                queues.entry(bringer).or_default().push_back(one);
            }
        }
        // The least with which every turn lets something through.
        let quantum = class.iter().map(|one| one.cost).max().unwrap_or_default().max(1);
        let mut deficits: BTreeMap<NodeKey, u64> = BTreeMap::new();
        while let Some(bringer) = self.next_of(&queues) {
            let most = self.share_of(&bringer, &queues, batch.budget.cost_max);
            let deficit = deficits.entry(bringer).or_default();
            *deficit += quantum;
            let queue = queues.entry(bringer).or_default();
            while let Some(one) = queue.front().filter(|one| one.cost <= *deficit) {
                if !batch.take_within(one, most) {
                    queue.clear();
                    break;
                }
                *deficit -= one.cost;
                queue.pop_front();
            }
            if queue.is_empty() {
                queues.remove(&bringer);
            }
            self.last = Some(bringer);
        }
    }

    /// The bringer after the one that was last.
    fn next_of(&self, queues: &BTreeMap<NodeKey, VecDeque<&Waiting>>) -> Option<NodeKey> {
        let after = self.last.and_then(|last| queues.keys().find(|bringer| **bringer > last));
        after.or_else(|| queues.keys().next()).copied()
    }

    /// What one bringer may have of a batch.
    fn share_of(&self, bringer: &NodeKey, queues: &BTreeMap<NodeKey, VecDeque<&Waiting>>, whole: u64) -> u64 {
        let is_alone = queues.keys().chain(self.recent_ms.keys()).all(|other| other == bringer);
        if is_alone { whole } else { whole / 2 }
    }
}

/// What has been chosen so far.
struct Batch {
    budget: Budget,
    chosen: Vec<SortKey>,
    spent: u64,
    by_bringer: BTreeMap<NodeKey, u64>,
}

impl Batch {
    fn take(&mut self, one: &Waiting) -> bool {
        let fits = self.spent + one.cost <= self.budget.cost_max && self.chosen.len() < self.budget.count_max;
        if fits {
            self.spent += one.cost;
            self.chosen.push(one.key);
        }
        fits
    }

    fn take_within(&mut self, one: &Waiting, most: u64) -> bool {
        let Some(bringer) = one.bringer else { return self.take(one) };
        let spent = self.by_bringer.get(&bringer).copied().unwrap_or_default();
        let fits = spent + one.cost <= most && self.take(one);
        if fits {
            self.by_bringer.insert(bringer, spent + one.cost);
        }
        fits
    }
}

#[cfg(test)]
mod tests;
