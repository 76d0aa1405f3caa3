//! Merging what a batch changed with what is committed.

use std::cmp::Ordering;
use std::iter::Peekable;

use qpq_engine::storage::Direction;

use crate::error::Failure;
use crate::key::RecordKey;
use crate::storage::{Record, Records};

/// Records in the order of a scan: of a key that both sides have, the change wins, and a removal hides it.
pub(crate) fn merge<'a>(
    changed: impl Iterator<Item = (RecordKey, &'a Option<Record>)>,
    committed: Records<'a>,
    direction: Direction,
) -> impl Iterator<Item = Result<(RecordKey, Record), Failure>> {
    Merge { changed: changed.peekable(), committed: committed.peekable(), direction }
}

struct Merge<'a, I: Iterator> {
    changed: Peekable<I>,
    committed: Peekable<Records<'a>>,
    direction: Direction,
}

impl<'a, I: Iterator<Item = (RecordKey, &'a Option<Record>)>> Merge<'a, I> {
    /// How the next change lies to the next committed record; `Less` is the one to take first.
    fn next_change(&mut self) -> Ordering {
        match (self.changed.peek(), self.committed.peek()) {
            (None, _) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            // An error goes out first, whatever its key would have been.
            (Some(_), Some(Err(_))) => Ordering::Greater,
            (Some((change, _)), Some(Ok((committed, _)))) => match self.direction {
                Direction::Forward => change.cmp(committed),
                Direction::Backward => committed.cmp(change),
            },
        }
    }
}

impl<'a, I: Iterator<Item = (RecordKey, &'a Option<Record>)>> Iterator for Merge<'a, I> {
    type Item = Result<(RecordKey, Record), Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.next_change() {
                Ordering::Greater => return self.committed.next(),
                Ordering::Equal => drop(self.committed.next()),
                Ordering::Less => {}
            }
            if let (key, Some(record)) = self.changed.next()? {
                return Some(Ok((key, record.clone())));
            }
        }
    }
}
