//! The side that is called: it keeps nothing of a comparison.

use std::collections::BTreeMap;

use qpq_proto::limits::MESH_RECONCILE_RANGES_MAX;

use super::summary::{Bounds, fingerprint, short_id};
use super::{Asked, LISTED_MAX, SPLIT_MIN};
use crate::bundle::SortKey;
use crate::mesh::Mesh;
use crate::wire::{RangeAnswer, RangeContent, Ranges};

impl Mesh {
    /// What this node says of the neighbour's ranges.
    pub(crate) fn answer_ranges(&mut self, slot: usize, ranges: &Ranges) -> Vec<RangeAnswer> {
        let Some(key) = self.session(slot).map(|session| session.key) else { return Vec::new() };
        let mut lower = ranges.lower;
        let mut answers = Vec::with_capacity(ranges.ranges.len());
        for range in ranges.ranges.iter().take(MESH_RECONCILE_RANGES_MAX) {
            let bounds = Bounds { lower, upper: range.upper };
            answers.push(self.answer_range(slot, &key, bounds, &range.content));
            lower = range.upper.unwrap_or(lower);
        }
        if ranges.ranges.last().is_some_and(|last| last.upper.is_none()) {
            self.link(slot).awaits_walk = false;
        }
        answers
    }

    fn answer_range(
        &mut self,
        slot: usize,
        key: &[u8; 32],
        bounds: Bounds,
        content: &RangeContent,
    ) -> RangeAnswer {
        match content {
            RangeContent::Skip => RangeAnswer::Done,
            RangeContent::Ids(ids) => RangeAnswer::Lack(self.compare_list(slot, key, bounds, ids)),
            RangeContent::Fingerprint(theirs) if theirs.count == 0 => {
                let rest = self.queue_range(slot, bounds, u64::MAX);
                self.link(slot).is_behind |= rest.is_some();
                RangeAnswer::Done
            }
            RangeContent::Fingerprint(theirs) => {
                let count = bounds.count(&self.custody);
                if count == 0 {
                    return RangeAnswer::Empty;
                }
                // Different counts say as much as different hashes, and cost less.
                if count == theirs.count && fingerprint(key, &self.custody, bounds) == *theirs {
                    self.note_range(slot, bounds, u64::MAX);
                    return RangeAnswer::Done;
                }
                if count < SPLIT_MIN || theirs.count as usize <= LISTED_MAX {
                    return RangeAnswer::Continue;
                }
                RangeAnswer::Split(
                    self.parts_of(bounds).into_iter().map(|part| self.summarize(key, part)).collect(),
                )
            }
        }
    }

    /// Which of the listed ids this node lacks. What it holds and is not listed will be offered.
    fn compare_list(&mut self, slot: usize, key: &[u8; 32], bounds: Bounds, ids: &[u64]) -> Vec<u8> {
        let keys = bounds.keys(&self.custody);
        let mut own: BTreeMap<u64, SortKey> =
            keys.map(|one| (short_id(key, &self.custody, one), one)).collect();
        let mut lack = vec![0; ids.len().div_ceil(8)];
        for (index, id) in ids.iter().enumerate() {
            match own.remove(id) {
                Some(common) => self.note_found(slot, common),
                None => lack[index / 8] |= 1 << (index % 8),
            }
        }
        own.into_values().for_each(|missing| self.queue_missing(slot, missing));
        lack
    }
}

impl Asked {
    /// Whether an answer is one to what was asked.
    pub(super) fn is_answered_by(&self, answer: &RangeAnswer) -> bool {
        match (answer, &self.listed) {
            (RangeAnswer::Lack(bits), Some(keys)) => bits.len() == keys.len().div_ceil(8),
            (answer, None) if self.is_empty => *answer == RangeAnswer::Done,
            (RangeAnswer::Done | RangeAnswer::Empty | RangeAnswer::Continue, None) => true,
            (RangeAnswer::Split(parts), None) => {
                let ends = parts.last().is_some_and(|last| last.upper == self.bounds.upper);
                let starts = parts.first().and_then(|first| first.upper);
                ends && starts.is_none_or(|first| first > self.bounds.lower)
                    && parts.iter().all(|part| matches!(part.content, RangeContent::Fingerprint(_)))
            }
            _ => false,
        }
    }
}
