//! Who wants what is known by hearsay.

use std::collections::{BTreeMap, BTreeSet};

use crate::bundle::ShortId;
use crate::wire::Want;

/// Wants of one rumour of which the way back is remembered; the oldest makes room.
const WANTS_MAX: usize = 8;
/// Wants of one rumour that are passed on. Beyond them none is, since a number that was forgotten would go round for ever.
const NUMBERS_MAX: usize = 64;
/// After this time a bundle that was asked for along the way of its news, and did not come, is asked for everywhere, ms.
const PATIENCE_MS: u64 = 60_000;
/// Time for each want that a node passes on everywhere, ms. What comes faster takes the way of its news from here on, so
/// that a large mesh is not flooded with what a small one can bear.
const SEEK_MS: u64 = 180_000;
/// Wants that a node passes on everywhere at once after a quiet time.
const SEEK_BURST: u64 = 30;
/// The bit of a want's number that says that it goes everywhere, and not the way of its news.
const EVERYWHERE: u32 = 1 << 31;

impl Want {
    /// Its bundle was asked for along the way of the news first.
    pub(crate) const fn first(self) -> Self {
        Self { number: self.number & !EVERYWHERE, ..self }
    }

    /// Its bundle did not come by the way of the news.
    pub(crate) const fn everywhere(self) -> Self {
        Self { number: self.number | EVERYWHERE, ..self }
    }
}

/// A want that was passed on.
#[derive(Debug)]
struct Passed {
    number: u32,
    /// The slot it came from first.
    asker: usize,
    /// Neighbours that have heard it, a bit each, by their slots.
    asked: u64,
    /// It goes to everybody.
    is_wide: bool,
}

/// The wants of one rumour.
#[derive(Debug, Default)]
struct Asked {
    wants: Vec<Passed>,
    /// The numbers of all wants that were passed on.
    numbers: Vec<u32>,
}

/// The wants that a carrier remembers, as long as their rumours.
#[derive(Debug, Default)]
pub(crate) struct Wants {
    by_short: BTreeMap<ShortId, Asked>,
    /// What neighbours wanted for themselves: when it is asked for everywhere, and by the slot of whom.
    patience: BTreeSet<(u64, ShortId, usize)>,
    /// When all that were passed on everywhere had their time.
    seeking_ms: u64,
}

/// How a want is passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Course {
    /// To everybody.
    Everywhere,
    /// The way of its news.
    Back,
}

/// A want that a neighbour has not heard.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unheard {
    pub(crate) want: Want,
    /// Whom it was said to, a bit for each slot.
    pub(crate) said_to: u64,
    pub(crate) course: Course,
}

impl Wants {
    /// Whether somebody is looking for it.
    pub(crate) fn is_wanted(&self, short: ShortId) -> bool {
        self.by_short.get(&short).is_some_and(|asked| !asked.wants.is_empty())
    }

    /// Notes a want. How it is to be passed on, if it is.
    pub(crate) fn note(&mut self, want: Want, slot: usize, now_ms: u64) -> Option<Course> {
        let asked = self.by_short.entry(want.short).or_default();
        if asked.numbers.len() >= NUMBERS_MAX || asked.numbers.contains(&want.number) {
            return None;
        }
        let before_ms = self.seeking_ms.max(now_ms);
        let is_wide = want.number & EVERYWHERE != 0 && before_ms - now_ms < SEEK_MS * SEEK_BURST;
        if is_wide {
            self.seeking_ms = before_ms + SEEK_MS;
        }
        asked.numbers.push(want.number);
        if asked.wants.len() >= WANTS_MAX {
            asked.wants.remove(0);
        }
        asked.wants.push(Passed { number: want.number, asker: slot, asked: 1 << slot, is_wide });
        Some(course(is_wide))
    }

    /// A neighbour asks anew: by another number than before, since the ways may be others by now.
    pub(crate) fn renew(&mut self, short: ShortId, slot: usize, now_ms: u64) {
        self.forget(short, slot);
        self.patience.insert((now_ms.saturating_add(PATIENCE_MS), short, slot));
    }

    fn forget(&mut self, short: ShortId, slot: usize) {
        if let Some(asked) = self.by_short.get_mut(&short) {
            asked.wants.retain(|passed| passed.asker != slot);
        }
    }

    /// What the neighbour of a slot has not heard that others want.
    pub(crate) fn unheard_by(&self, slot: usize) -> impl Iterator<Item = Unheard> {
        self.by_short.iter().flat_map(move |(short, asked)| {
            let unheard = asked.wants.iter().filter(move |passed| passed.asked & 1 << slot == 0);
            unheard.map(|Passed { number, asker, asked, is_wide }| Unheard {
                want: Want { short: *short, number: *number },
                said_to: asked & !(1 << asker),
                course: course(*is_wide),
            })
        })
    }

    /// The neighbour of a slot has heard wants.
    pub(crate) fn heard(&mut self, wants: &[Want], slot: usize) {
        for want in wants {
            let passed = self.by_short.get_mut(&want.short).into_iter().flat_map(|asked| &mut asked.wants);
            passed.filter(|passed| passed.number == want.number).for_each(|passed| passed.asked |= 1 << slot);
        }
    }

    /// Forgets the wants of a rumour that is none any more. Who had them, a bit for each slot.
    pub(crate) fn remove(&mut self, short: ShortId) -> u64 {
        let asked = self.by_short.remove(&short).unwrap_or_default();
        asked.wants.iter().fold(0, |bits, passed| bits | 1_u64 << passed.asker)
    }

    /// Forgets what the neighbour of a slot wants.
    pub(crate) fn forget_neighbour(&mut self, slot: usize) {
        for asked in self.by_short.values_mut() {
            asked.wants.retain(|passed| passed.asker != slot);
            asked.wants.iter_mut().for_each(|passed| passed.asked &= !(1 << slot));
        }
        self.patience.retain(|(_, _, asker)| *asker != slot);
    }

    /// When something is to be asked for everywhere.
    pub(crate) fn next_ms(&self) -> Option<u64> {
        self.patience.first().map(|(at_ms, ..)| *at_ms)
    }

    /// What is to be asked for everywhere now, and by the slot of whom it was wanted.
    pub(crate) fn impatient(&mut self, now_ms: u64) -> Option<(ShortId, usize)> {
        while let Some((_, short, slot)) =
            self.patience.first().copied().filter(|(at_ms, ..)| *at_ms <= now_ms)
        {
            self.patience.pop_first();
            let asked = self.by_short.get(&short);
            if asked.is_some_and(|asked| asked.wants.iter().any(|passed| passed.asker == slot)) {
                self.forget(short, slot);
                return Some((short, slot));
            }
        }
        None
    }
}

const fn course(is_wide: bool) -> Course {
    if is_wide { Course::Everywhere } else { Course::Back }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE_MS: u64 = 60_000;

    fn want(number: u32) -> Want {
        let mut bytes = [0x10; 9];
        bytes[1..5].copy_from_slice(&number.to_be_bytes());
        Want { short: ShortId::from_bytes(bytes), number }
    }

    #[test]
    fn a_want_is_passed_on_once() {
        let mut wants = Wants::default();
        assert_eq!(wants.note(want(1), 0, 0), Some(Course::Back));
        assert_eq!(wants.note(want(1), 3, 0), None);
        let to_say =
            |wants: &Wants, slot| wants.unheard_by(slot).map(|unheard| unheard.want).collect::<Vec<_>>();
        assert_eq!((to_say(&wants, 0), to_say(&wants, 1)), (vec![], vec![want(1)]));
        wants.heard(&[want(1)], 1);
        assert_eq!((to_say(&wants, 1), to_say(&wants, 2)), (vec![], vec![want(1)]));
        wants.forget_neighbour(1);
        assert_eq!(to_say(&wants, 1), [want(1)], "whoever has the slot now has heard nothing");
        assert_eq!(wants.remove(want(1).short), 1);
        assert!(!wants.is_wanted(want(1).short));
    }

    #[test]
    fn what_does_not_come_is_asked_for_everywhere_once() {
        let mut wants = Wants::default();
        for number in [1, 2] {
            wants.renew(want(number).short, 4, 0);
            wants.note(want(number), 4, 0);
        }
        assert_eq!((wants.next_ms(), wants.impatient(PATIENCE_MS - 1)), (Some(PATIENCE_MS), None));
        wants.remove(want(1).short);
        assert_eq!(wants.impatient(PATIENCE_MS), Some((want(2).short, 4)), "the other one came");
        assert_eq!((wants.next_ms(), wants.impatient(PATIENCE_MS)), (None, None));
    }

    #[test]
    fn a_node_asks_everywhere_within_a_budget() {
        let mut wants = Wants::default();
        let mut courses = |numbers: std::ops::Range<u32>, now_ms| -> Vec<_> {
            numbers.map(|number| wants.note(want(number).everywhere(), 0, now_ms)).collect()
        };
        let everywhere = courses(0..30, 0);
        assert!(everywhere.iter().all(|course| *course == Some(Course::Everywhere)), "{everywhere:?}");
        assert_eq!(courses(30..32, 0), [Some(Course::Back); 2]);
        assert_eq!(courses(32..34, 3 * MINUTE_MS), [Some(Course::Everywhere), Some(Course::Back)]);
    }
}
