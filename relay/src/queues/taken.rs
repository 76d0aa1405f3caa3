//! The deliveries that a queue has taken, known by their ids for as long as their lifetimes.
//!
//! An id lies under its queue, ordered by its beginning: what belongs to one queue lies together on the disk, and many ids
//! on one page of it.

use crate::input::RelayError;
use crate::queues::key::Contents;
use crate::records::{TakenIdRecord, TakenRecord};
use crate::sets::place;
use crate::storage::Transaction;
use crate::tables::{self, DELIVERY_IDS, at};

/// Where a delivery id is noted, and what is noted there.
pub(super) struct Taken {
    place: u64,
    /// Ids that begin alike: one, but for a chance.
    record: TakenRecord,
}

impl Taken {
    /// Looks an id up.
    pub(super) fn look_up(tx: &dyn Transaction, contents: &Contents, id: &[u8]) -> Result<Self, RelayError> {
        let place = place(id);
        let record = tables::load(tx, DELIVERY_IDS, at(&contents.0, place))?.unwrap_or_default();
        Ok(Self { place, record })
    }

    /// Under which sequence the queue has taken it, if it has.
    pub(super) fn seq_of(&self, id: &[u8]) -> Option<u64> {
        self.record.ids.iter().find(|noted| noted.delivery_id == id).map(|noted| noted.seq)
    }

    /// Notes that the queue has taken it.
    pub(super) fn note(
        mut self,
        tx: &mut dyn Transaction,
        contents: &Contents,
        id: &[u8],
        seq: u64,
    ) -> Result<(), RelayError> {
        self.record.ids.push(TakenIdRecord { delivery_id: id.to_vec(), seq });
        tables::save(tx, DELIVERY_IDS, at(&contents.0, self.place), &self.record)
    }

    /// Forgets it.
    pub(super) fn forget(
        mut self,
        tx: &mut dyn Transaction,
        contents: &Contents,
        id: &[u8],
    ) -> Result<(), RelayError> {
        self.record.ids.retain(|noted| noted.delivery_id != id);
        match self.record.ids.is_empty() {
            true => Ok(tx.delete(DELIVERY_IDS, at(&contents.0, self.place))?),
            false => tables::save(tx, DELIVERY_IDS, at(&contents.0, self.place), &self.record),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::Memory;

    #[test]
    fn ids_that_begin_alike_are_told_apart() {
        let (mut tx, contents) = (Memory::default(), Contents(b"queue".to_vec()));
        let ids = [[7; 16], {
            let mut id = [7; 16];
            id[15] = 8;
            id
        }];
        for (seq, id) in (1..).zip(&ids) {
            let taken = Taken::look_up(&tx, &contents, id).unwrap();
            assert_eq!(taken.seq_of(id), None);
            taken.note(&mut tx, &contents, id, seq).unwrap();
        }
        let seq_of = |tx: &Memory, id| Taken::look_up(tx, &contents, id).unwrap().seq_of(id);
        assert_eq!((seq_of(&tx, &ids[0]), seq_of(&tx, &ids[1])), (Some(1), Some(2)));
        Taken::look_up(&tx, &contents, &ids[0]).unwrap().forget(&mut tx, &contents, &ids[0]).unwrap();
        assert_eq!((seq_of(&tx, &ids[0]), seq_of(&tx, &ids[1])), (None, Some(2)));
        Taken::look_up(&tx, &contents, &ids[1]).unwrap().forget(&mut tx, &contents, &ids[1]).unwrap();
        assert_eq!(tx.count(DELIVERY_IDS), 0);
    }
}
