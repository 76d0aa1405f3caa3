//! Merging changes with what lies below them.

use std::cmp::Ordering;
use std::iter::Peekable;

use qpq_engine::storage::Direction;

use crate::error::Failure;
use crate::key::RecordKey;
use crate::storage::{Record, Records};

/// Records in the order of a scan: of a key that both sides have, the change wins, and a removal hides it.
pub(crate) fn merge<'a, I>(
    changed: I,
    below: Records<'a>,
    direction: Direction,
) -> impl Iterator<Item = Result<(RecordKey, Record), Failure>> + use<'a, I>
where
    I: Iterator<Item = (RecordKey, Result<Option<Record>, Failure>)>,
{
    Merge { changed: changed.peekable(), below: below.peekable(), direction }
}

struct Merge<'a, I: Iterator> {
    changed: Peekable<I>,
    below: Peekable<Records<'a>>,
    direction: Direction,
}

impl<I: Iterator<Item = (RecordKey, Result<Option<Record>, Failure>)>> Merge<'_, I> {
    /// How the next change lies to the next record below; `Less` is the one to take first.
    fn next_change(&mut self) -> Ordering {
        match (self.changed.peek(), self.below.peek()) {
            (None, _) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            // An error goes out first, whatever its key would have been.
            (Some(_), Some(Err(_))) => Ordering::Greater,
            (Some((change, _)), Some(Ok((below, _)))) => match self.direction {
                Direction::Forward => change.cmp(below),
                Direction::Backward => below.cmp(change),
            },
        }
    }
}

impl<I: Iterator<Item = (RecordKey, Result<Option<Record>, Failure>)>> Iterator for Merge<'_, I> {
    type Item = Result<(RecordKey, Record), Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.next_change() {
                Ordering::Greater => return self.below.next(),
                Ordering::Equal => drop(self.below.next()),
                Ordering::Less => {}
            }
            let (key, change) = self.changed.next()?;
            if let Some(change) = change.transpose() {
                return Some(change.map(|record| (key, record)));
            }
        }
    }
}
