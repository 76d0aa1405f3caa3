//! What is remembered of rumours, 40 bytes for each.
//!
//! ```text
//!   source   first ──► rumour, rumour, ...     in the order in which they came from one neighbour
//!   told     by neighbour, by source: how far that neighbour was told
//!   table    print of a name ──► place (source and number), or GONE
//! ```
//!
//! Whom a rumour came from first decides in which row it stands. A neighbour is told what stands in the rows of the
//! others, from where it was told last; so nothing is noted for each neighbour and rumour but one bit for who told it.
//! Where there are too many, the longest row loses its oldest: who tells more than others loses its own. Names of those
//! that have ended are remembered for a while, so that they are no news when somebody tells them again.

use std::collections::VecDeque;

use qpq_proto::limits::MESH_SESSIONS_MAX;

use super::table::Table;
use super::wants::Wants;
use crate::bundle::ShortId;
use crate::wire::OfferItem;

mod ahead;
mod tell;
#[cfg(test)]
mod tests;

pub(crate) use tell::News;

/// Where a name stands of which the rumour has ended.
const GONE: u32 = u32::MAX;
/// Bits of a place that number the rumours of a source; those above name the source.
const NUMBER_BITS: u32 = 25;
const NUMBER_MASK: u64 = (1 << NUMBER_BITS) - 1;
/// Source of what nobody told who is still known.
const NOBODY: usize = 0;

/// A bundle that is known by hearsay.
#[derive(Clone, Debug)]
pub(crate) struct Rumour {
    /// Neighbours that told it, a bit each, by their slots.
    pub(crate) heard_from: u64,
    /// Node time at which it ends, s.
    until_s: u32,
    short: ShortId,
    salt: [u8; 8],
    tag_start: [u8; 8],
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It may be for this node.
    Unsure,
    /// It is not for this node.
    Foreign,
    /// There is nothing any more.
    Ended,
}

impl Rumour {
    /// What is said of it now.
    pub(crate) fn item(&self, now_ms: u64) -> OfferItem {
        let Self { short, salt, tag_start, .. } = *self;
        let item = OfferItem { short, salt, tag_start, is_held: false, is_spare: false, ends_in: 0 };
        item.ending_in((u64::from(self.until_s) * 1_000).saturating_sub(now_ms))
    }

    fn is_over(&self, now_ms: u64) -> bool {
        self.state == State::Ended || u64::from(self.until_s) * 1_000 <= now_ms
    }
}

/// What came from one neighbour first.
#[derive(Debug, Default)]
struct Source {
    /// Number of the first rumour in the row.
    first: u64,
    row: VecDeque<Rumour>,
}

impl Source {
    fn end(&self) -> u64 {
        self.first + self.row.len() as u64
    }
}

/// What is known of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hearsay {
    /// Nothing.
    Unknown,
    /// It was a rumour a while ago.
    Gone,
    /// It is a rumour. Who told it before, and whether it is known not to be for this node.
    Known { heard_from: u64, is_foreign: bool },
}

/// The rumours that a carrier remembers.
#[derive(Debug)]
pub(crate) struct Rumours {
    /// Who wants them.
    pub(crate) wants: Wants,
    rumours_max: usize,
    table: Table,
    /// By slot, one higher.
    sources: Vec<Source>,
    /// By slot of who is told, by source.
    told: Vec<Vec<u64>>,
    /// Prints of those that have ended, the oldest first.
    gone: VecDeque<u32>,
    len: usize,
}

impl Rumours {
    /// None; of which so many are remembered. The key is random.
    pub(crate) fn new(rumours_max: usize, key: u64) -> Self {
        Self {
            wants: Wants::default(),
            rumours_max,
            table: Table::new(key),
            sources: Vec::new(),
            told: Vec::new(),
            gone: VecDeque::new(),
            len: 0,
        }
    }

    pub(crate) fn get(&self, short: ShortId) -> Option<&Rumour> {
        Some(self.at(self.place_of(short)?))
    }

    /// The slot of who told it first, if that one is still known.
    pub(crate) fn first_teller(&self, short: ShortId) -> Option<usize> {
        let (source, _) = self.parts(self.place_of(short)?);
        source.checked_sub(1)
    }

    /// Hears a name from the neighbour of a slot. What was known of it before.
    pub(crate) fn hear(&mut self, short: ShortId, slot: usize) -> Hearsay {
        let print = self.table.print(short);
        let place = self.table.find(print, |place| place == GONE || self.at(place).short == short);
        let Some(place) = place else { return Hearsay::Unknown };
        if place == GONE {
            return Hearsay::Gone;
        }
        let rumour = self.at_mut(place);
        let (heard_from, is_foreign) = (rumour.heard_from, rumour.state == State::Foreign);
        rumour.heard_from |= 1 << slot;
        Hearsay::Known { heard_from, is_foreign }
    }

    /// Remembers what is news. Whether it was.
    pub(crate) fn add(&mut self, item: &OfferItem, slot: usize, is_mine: bool, now_ms: u64) -> bool {
        let until_s = u32::try_from((now_ms + item.ends_in_ms()) / 1_000).unwrap_or(u32::MAX);
        // What has ended would be forgotten at once, and be news again when it comes back.
        if item.ends_in == 0 || self.rumours_max == 0 {
            return false;
        }
        while self.len >= self.rumours_max {
            self.forget_one();
        }
        let OfferItem { short, salt, tag_start, .. } = *item;
        let state = if is_mine { State::Unsure } else { State::Foreign };
        let rumour = Rumour { heard_from: 1 << slot, until_s, short, salt, tag_start, state };
        let place = self.push(slot + 1, rumour);
        self.table.insert(self.table.print(short), place);
        true
    }

    /// Forgets a rumour, because the bundle is here. Who knows of it and who wants it, a bit for each slot.
    pub(crate) fn remove(&mut self, short: ShortId) -> Option<(u64, u64)> {
        let place = self.place_of(short)?;
        self.table.remove(self.table.print(short), place);
        let (source, number) = self.parts(place);
        let was_told = |told: &Vec<u64>| told.get(source).is_some_and(|end| *end > number);
        let told = (0..).zip(&self.told).filter(|(_, told)| was_told(told));
        let told = told.fold(0, |bits, (slot, _)| bits | 1_u64 << slot);
        let rumour = self.at_mut(place);
        rumour.state = State::Ended;
        let known = told | rumour.heard_from;
        Some((known, self.wants.remove(short)))
    }

    /// Forgets what the neighbour of a slot knows. What it told counts as told by another who did, or by nobody.
    pub(crate) fn forget_neighbour(&mut self, slot: usize) {
        if let Some(told) = self.told.get_mut(slot) {
            told.clear();
        }
        self.wants.forget_neighbour(slot);
        for rumour in self.sources.iter_mut().flat_map(|source| &mut source.row) {
            rumour.heard_from &= !(1 << slot);
        }
        let Some(source) = self.sources.get_mut(slot + 1) else { return };
        let (first, row) = (source.first, std::mem::take(&mut source.row));
        source.first += row.len() as u64;
        self.len -= row.len();
        for (number, rumour) in (first..).zip(row).filter(|(_, rumour)| rumour.state != State::Ended) {
            let others = rumour.heard_from;
            let other = if others == 0 { NOBODY } else { others.trailing_zeros() as usize + 1 };
            let (print, before) = (self.table.print(rumour.short), place(slot + 1, number));
            let after = self.push(other, rumour);
            self.table.replace(print, before, after);
        }
    }

    /// Forgets what has ended, as far as nothing before it is still to come to its end.
    pub(crate) fn forget_old(&mut self, now_ms: u64) {
        for source in 0..self.sources.len() {
            while self.sources[source].row.front().is_some_and(|rumour| rumour.is_over(now_ms)) {
                self.forget_first(source);
            }
        }
    }

    /// What was not for this node may be.
    pub(crate) fn doubt(&mut self) {
        let rumours = self.sources.iter_mut().flat_map(|source| &mut source.row);
        for rumour in rumours.filter(|rumour| rumour.state == State::Foreign) {
            rumour.state = State::Unsure;
        }
    }

    fn forget_one(&mut self) {
        let longest = (0..self.sources.len()).max_by_key(|source| self.sources[*source].row.len());
        if let Some(source) = longest {
            self.forget_first(source);
        }
    }

    fn forget_first(&mut self, number: usize) {
        let source = &mut self.sources[number];
        let Some(rumour) = source.row.pop_front() else { return };
        let before = place(number, source.first);
        source.first += 1;
        self.len -= 1;
        if rumour.state == State::Ended {
            return;
        }
        self.wants.remove(rumour.short);
        let print = self.table.print(rumour.short);
        self.table.replace(print, before, GONE);
        self.gone.push_back(print);
        // With those that have not ended they just fill a table of a power of two.
        while self.gone.len() > self.rumours_max / 4 * 3
            && let Some(oldest) = self.gone.pop_front()
        {
            self.table.remove(oldest, GONE);
        }
    }

    fn push(&mut self, number: usize, rumour: Rumour) -> u32 {
        if number >= self.sources.len() {
            self.sources.resize_with(number + 1, Source::default);
        }
        let source = &mut self.sources[number];
        let row = &mut source.row;
        if row.len() == row.capacity() {
            row.reserve_exact(row.len() / 4 + 16);
        }
        row.push_back(rumour);
        self.len += 1;
        place(number, source.end() - 1)
    }

    fn place_of(&self, short: ShortId) -> Option<u32> {
        let print = self.table.print(short);
        self.table.find(print, |place| place != GONE && self.at(place).short == short)
    }

    fn at(&self, place: u32) -> &Rumour {
        let (source, number) = self.parts(place);
        let source = &self.sources[source];
        &source.row[usize::try_from(number - source.first).unwrap_or(usize::MAX)]
    }

    fn at_mut(&mut self, place: u32) -> &mut Rumour {
        let (source, number) = self.parts(place);
        let source = &mut self.sources[source];
        &mut source.row[usize::try_from(number - source.first).unwrap_or(usize::MAX)]
    }

    /// The source of a place and the number of the rumour there: rows are shorter than what the bits can number.
    fn parts(&self, place: u32) -> (usize, u64) {
        let source = (place >> NUMBER_BITS) as usize;
        let first = self.sources[source].first;
        (source, first + (u64::from(place).wrapping_sub(first) & NUMBER_MASK))
    }
}

fn place(source: usize, number: u64) -> u32 {
    debug_assert!(source <= MESH_SESSIONS_MAX, "a source is a slot, or nobody");
    u32::try_from((source as u64) << NUMBER_BITS | number & NUMBER_MASK).unwrap_or(GONE)
}
