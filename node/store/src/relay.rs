//! The relay's storage: the same batches, under the relay's own trait.

use std::ops::Range;

use bytes::Bytes;
use qpq_engine::storage as engine;
use qpq_relay::storage::{Direction, Key, StorageError, Table, Transaction};

use crate::batch::BatchTransaction;
use crate::storage::Storage;

impl<S: Storage> Transaction for BatchTransaction<'_, S> {
    fn get(&self, table: Table, key: Key<'_>) -> Result<Option<Bytes>, StorageError> {
        engine::Transaction::get(self, engine::Table(table.0), engine_key(key)).map_err(relay_error)
    }

    fn put(&mut self, table: Table, key: Key<'_>, value: Bytes) -> Result<(), StorageError> {
        engine::Transaction::put(self, engine::Table(table.0), engine_key(key), value).map_err(relay_error)
    }

    fn delete(&mut self, table: Table, key: Key<'_>) -> Result<(), StorageError> {
        engine::Transaction::delete(self, engine::Table(table.0), engine_key(key)).map_err(relay_error)
    }

    fn scan(
        &self,
        table: Table,
        prefix: &[u8],
        ordinals: Range<u64>,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<(u64, Bytes)>, StorageError> {
        let direction = match direction {
            Direction::Forward => engine::Direction::Forward,
            Direction::Backward => engine::Direction::Backward,
        };
        let table = engine::Table(table.0);
        engine::Transaction::scan(self, table, prefix, ordinals, direction, limit).map_err(relay_error)
    }
}

fn engine_key(key: Key<'_>) -> engine::Key<'_> {
    engine::Key { prefix: key.prefix, ordinal: key.ordinal }
}

fn relay_error(error: engine::StorageError) -> StorageError {
    StorageError(error.0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::memory::MemoryStore;

    const QUEUE: Table = Table("relay_queue");

    #[test]
    fn the_two_halves_of_a_node_share_a_batch_and_no_table() {
        let names = |tables: &[&'static str]| tables.iter().copied().collect::<BTreeSet<_>>();
        let engine: Vec<_> = qpq_engine::tables::ALL.iter().map(|table| table.0).collect();
        let relay: Vec<_> = qpq_relay::tables::ALL.iter().map(|table| table.0).collect();
        assert!(names(&engine).is_disjoint(&names(&relay)));

        let mut store = MemoryStore::new();
        let mut batch = store.begin();
        let mut tx = batch.transaction();
        for ordinal in 1..=3_u64 {
            let value = Bytes::copy_from_slice(&ordinal.to_be_bytes());
            Transaction::put(&mut tx, QUEUE, Key { prefix: b"alice", ordinal }, value).unwrap();
        }
        Transaction::delete(&mut tx, QUEUE, Key { prefix: b"alice", ordinal: 2 }).unwrap();
        let found = |direction| {
            let found = Transaction::scan(&tx, QUEUE, b"alice", 0..9, direction, 9).unwrap();
            found.into_iter().map(|(ordinal, _)| ordinal).collect::<Vec<_>>()
        };
        assert_eq!((found(Direction::Forward), found(Direction::Backward)), (vec![1, 3], vec![3, 1]));
        assert_eq!(Transaction::get(&tx, QUEUE, Key { prefix: b"bob", ordinal: 1 }).unwrap(), None);
    }
}
