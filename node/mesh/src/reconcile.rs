//! Finding out what one side holds and the other does not, at a cost that grows with the difference.
//!
//! Range-based set reconciliation (Meyer, 2023, "Range-Based Set Reconciliation"): one side sends fingerprints of ranges
//! of its bundles; where the other side's fingerprint is the same, nothing needs to be said of the range; where it is
//! not, the range is split, until what is left is short enough to be listed.
//!
//! ```text
//!   caller (keeps the walk)                         called (keeps nothing)
//!     │  [0 .. end) fingerprint, 4,711                 │
//!     ├───────────────────────────────────────────────►│
//!     │◄───────────────────────────────────────────────┤
//!     │  Split: 16 parts with its own fingerprints     │
//!     │                                                │
//!     │  Skip, Skip, ids of [b .. c), Skip, ...        │
//!     ├───────────────────────────────────────────────►│ what it holds and is not listed: it will offer
//!     │◄───────────────────────────────────────────────┤
//!     │  Lack: which of the listed ones it does not hold: the caller will offer
//! ```
//!
//! Both sides learn the difference, each the half it can act on, and both note what is common. Ranges go from left to
//! right in the order of all bundles, so that control and small come first. The walk remembers where it is: a link that
//! breaks goes on from there when the two meet again, if neither has lost its store.
//!
//! Fingerprints and short ids are keyed with a key of the session, so that nobody can make bundles in advance that two
//! neighbours take for the same. Deviation from the paper: the answerer is stateless, and a list is only ever sent by
//! the caller, so that no answer depends on what was said before.

use std::collections::VecDeque;

use qpq_proto::limits::{MESH_RECONCILE_IDS_MAX, MESH_RECONCILE_PARTS_MAX, MESH_RECONCILE_RANGES_MAX};

use crate::bundle::{ShortId, SortKey};
use crate::calls::Purpose;
use crate::hello::START;
use crate::mesh::Mesh;
use crate::wire::{Range, RangeAnswer, RangeContent, Ranges, Request};

mod answer;
mod summary;
#[cfg(test)]
mod tests;

use summary::{Bounds, fingerprint, short_id};

/// Bundles in a range up to which they are listed.
const LISTED_MAX: usize = 64;
/// The same where it is not known whether the two differ: a list of more is longer than a fingerprint.
const LISTED_UNSEEN_MAX: usize = 2;
/// Bundles that the answerer must have in a range for splitting it to be worth while.
const SPLIT_MIN: u32 = 32;
/// Time between two comparisons that a link starts because a queue was full, ms.
const WALK_INTERVAL_MS: u64 = 600_000;

/// How far the caller has come.
#[derive(Debug)]
pub(crate) struct Walk {
    /// Ranges of which something is left to be said, from left to right.
    todo: VecDeque<Open>,
    /// What was sent and is not answered.
    asked: Vec<Asked>,
    /// What arrived later was not regarded in what was sent.
    asked_through: u64,
}

/// A range of which something is left to be said.
#[derive(Clone, Copy, Debug)]
struct Open {
    bounds: Bounds,
    /// The two are known to differ there, so that a list is worth more than a fingerprint.
    differs: bool,
}

#[derive(Debug)]
struct Asked {
    bounds: Bounds,
    /// What was listed; none where a fingerprint was sent.
    listed: Option<Vec<SortKey>>,
    /// Nothing was said of it, or that there is nothing.
    is_empty: bool,
}

impl Walk {
    /// From a bound to the end of all.
    pub(crate) fn new(from: ShortId) -> Self {
        let todo = VecDeque::from([Open { bounds: Bounds { lower: from, upper: None }, differs: true }]);
        Self { todo, asked: Vec::new(), asked_through: 0 }
    }

    /// Everything before it is done.
    pub(crate) fn position(&self) -> ShortId {
        let asked = self.asked.first().map(|asked| asked.bounds.lower);
        asked.into_iter().chain(self.todo.front().map(|open| open.bounds.lower)).min().unwrap_or(START)
    }

    /// The call brought nothing: what was asked is asked again.
    pub(crate) fn unanswered(&mut self) {
        for asked in self.asked.drain(..).rev() {
            let differs = asked.listed.is_some();
            self.todo.push_front(Open { bounds: asked.bounds, differs });
        }
    }
}

impl Mesh {
    /// The next step of the walk on a link, if there is one to take.
    pub(crate) fn next_ranges(&mut self, now_ms: u64, slot: usize) -> Option<(Request, Purpose)> {
        let queued_max = self.config.offers_queued_max;
        let (newest, key) = (self.custody.newest(), self.session(slot)?.key);
        let link = self.link(slot);
        if link.is_behind && link.walk.is_none() && link.to_offer.is_empty() && link.next_walk_ms <= now_ms {
            link.walk = Some(Walk::new(START));
            (link.is_behind, link.is_compared) = (false, true);
            link.next_walk_ms = now_ms + WALK_INTERVAL_MS;
        }
        // Offers go out first where many wait, so that the queue stays bounded.
        if link.to_offer.len() > queued_max / 2 {
            return None;
        }
        let mut walk = link.walk.take()?;
        walk.asked_through = newest;
        let ranges = self.say(&key, &mut walk);
        if ranges.is_empty() {
            return None;
        }
        let lower = walk.position();
        self.link(slot).walk = Some(walk);
        Some((Request::Reconcile(Ranges { lower, ranges }), Purpose::Reconcile))
    }

    /// Takes ranges from the walk and says what is in them, as much as a message holds.
    fn say(&self, key: &[u8; 32], walk: &mut Walk) -> Vec<Range> {
        let (mut ranges, mut listed) = (Vec::new(), 0);
        let mut end = walk.position();
        while let Some(open) = walk.todo.pop_front() {
            if ranges.len() + 2 > MESH_RECONCILE_RANGES_MAX || listed + LISTED_MAX > MESH_RECONCILE_IDS_MAX {
                walk.todo.push_front(open);
                break;
            }
            let bounds = open.bounds;
            if end < bounds.lower {
                ranges.push(Range { upper: Some(bounds.lower), content: RangeContent::Skip });
                let bounds = Bounds { lower: end, upper: Some(bounds.lower) };
                walk.asked.push(Asked { bounds, listed: None, is_empty: true });
            }
            let listed_max = if open.differs { LISTED_MAX } else { LISTED_UNSEEN_MAX };
            let keys = bounds.keys_up_to(&self.custody, listed_max);
            let content = if keys.is_empty() || keys.len() > listed_max {
                RangeContent::Fingerprint(fingerprint(key, &self.custody, bounds))
            } else {
                RangeContent::Ids(keys.iter().map(|one| short_id(key, &self.custody, *one)).collect())
            };
            let is_list = matches!(content, RangeContent::Ids(_));
            listed += if is_list { keys.len() } else { 0 };
            ranges.push(Range { upper: bounds.upper, content });
            let is_empty = keys.is_empty();
            walk.asked.push(Asked { bounds, listed: is_list.then_some(keys), is_empty });
            match bounds.upper {
                Some(upper) => end = upper,
                None => break,
            }
        }
        ranges
    }

    /// What the neighbour said of the ranges. Whether it fits what was asked.
    pub(crate) fn take_ranges(&mut self, slot: usize, answers: &[RangeAnswer]) -> bool {
        let Some(key) = self.session(slot).map(|session| session.key) else { return false };
        let Some(mut walk) = self.link(slot).walk.take() else { return true };
        let fits = answers.len() == walk.asked.len()
            && walk.asked.iter().zip(answers).all(|(asked, answer)| asked.is_answered_by(answer));
        if !fits {
            // A neighbour that answers nonsense is not asked again in this session.
            return false;
        }
        let mut todo = Vec::new();
        for (asked, answer) in walk.asked.drain(..).zip(answers) {
            self.take_range(slot, &key, walk.asked_through, &asked, answer, &mut todo);
        }
        todo.into_iter().rev().for_each(|bounds| walk.todo.push_front(bounds));
        self.link(slot).walk = (!walk.todo.is_empty()).then_some(walk);
        true
    }

    fn take_range(
        &mut self,
        slot: usize,
        key: &[u8; 32],
        through: u64,
        asked: &Asked,
        answer: &RangeAnswer,
        todo: &mut Vec<Open>,
    ) {
        let bounds = asked.bounds;
        match (answer, &asked.listed) {
            (RangeAnswer::Lack(bits), Some(keys)) => {
                for (index, one) in keys.iter().enumerate() {
                    if bits[index / 8] & 1 << (index % 8) == 0 {
                        self.note_found(slot, *one);
                    } else {
                        self.queue_missing(slot, *one);
                    }
                }
            }
            (RangeAnswer::Done, None) if !asked.is_empty => self.note_range(slot, bounds, through),
            (RangeAnswer::Empty, None) => todo.extend(self.queue_range(slot, bounds, through)),
            (RangeAnswer::Continue, None) => self.go_on(bounds, todo),
            (RangeAnswer::Split(parts), None) => self.take_parts(slot, key, bounds, parts, todo),
            _ => {}
        }
    }

    /// Compares the neighbour's parts of a range with what is held here.
    fn take_parts(
        &mut self,
        slot: usize,
        key: &[u8; 32],
        bounds: Bounds,
        parts: &[Range],
        todo: &mut Vec<Open>,
    ) {
        let mut lower = bounds.lower;
        for part in parts {
            let bounds = Bounds { lower, upper: part.upper };
            lower = part.upper.unwrap_or(lower);
            let RangeContent::Fingerprint(theirs) = part.content else { continue };
            if theirs.count == 0 {
                todo.extend(self.queue_range(slot, bounds, u64::MAX));
            } else if fingerprint(key, &self.custody, bounds) == theirs {
                self.note_range(slot, bounds, u64::MAX);
            } else {
                self.go_on(bounds, todo);
            }
        }
    }

    /// The two differ in a range: it is listed next, or split first.
    fn go_on(&self, bounds: Bounds, todo: &mut Vec<Open>) {
        if bounds.count(&self.custody) as usize <= LISTED_MAX {
            todo.push(Open { bounds, differs: true });
        } else {
            todo.extend(self.parts_of(bounds).into_iter().map(|bounds| Open { bounds, differs: false }));
        }
    }

    fn summarize(&self, key: &[u8; 32], bounds: Bounds) -> Range {
        let content = RangeContent::Fingerprint(fingerprint(key, &self.custody, bounds));
        Range { upper: bounds.upper, content }
    }

    fn parts_of(&self, bounds: Bounds) -> Vec<Bounds> {
        bounds.parts(&self.custody, MESH_RECONCILE_PARTS_MAX)
    }

    /// The neighbour lacks a bundle.
    fn queue_missing(&mut self, slot: usize, key: SortKey) {
        let queued_max = self.config.offers_queued_max;
        if let Some(entry) = self.custody.get_mut(key) {
            entry.known_by &= !(1 << slot);
        }
        if self.carries(key) {
            self.link(slot).queue_offer(key, queued_max);
        }
        self.dirty |= 1 << slot;
    }

    /// The neighbour holds nothing of a range. What is left of the range when no more can wait to be offered.
    fn queue_range(&mut self, slot: usize, bounds: Bounds, through: u64) -> Option<Open> {
        let room = self.config.offers_queued_max.saturating_sub(self.link(slot).to_offer.len());
        let range = self.custody.range(bounds.as_range()).filter(|(_, entry)| entry.arrival <= through);
        let mut missing: Vec<SortKey> = range.map(|(key, _)| key).take(room + 1).collect();
        let rest = (missing.len() > room).then(|| missing.pop()).flatten();
        missing.into_iter().for_each(|key| self.queue_missing(slot, key));
        rest.map(|first| Open { bounds: Bounds { lower: first.short(), upper: bounds.upper }, differs: true })
    }

    /// The neighbour holds all of a range.
    fn note_range(&mut self, slot: usize, bounds: Bounds, through: u64) {
        let held = self.custody.range(bounds.as_range());
        let common: Vec<SortKey> =
            held.filter(|(_, entry)| entry.arrival <= through).map(|(key, _)| key).collect();
        common.into_iter().for_each(|key| self.note_found(slot, key));
    }
}
