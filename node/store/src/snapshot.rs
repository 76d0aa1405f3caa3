//! Reading while the writer goes on: queries, and the records of a backup.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use qpq_crypto::key_value::{KeyValue, KeyValueError};
use qpq_engine::storage::{Direction, Key, StorageError, Table, Transaction};

use crate::error::Failure;
use crate::key::{RecordKey, SecretKey};
use crate::layers::Layers;
use crate::overlay::Overlay;
use crate::storage::Record;
use crate::view::View;

/// The store as it was when the snapshot was taken, on any thread.
///
/// It is a [`Transaction`] whose writes are refused, so that the engine's queries run on it. Pages it can see
/// are not reused while it lives, nor is the memory of what was not in the database yet: drop it soon.
#[derive(Debug)]
pub struct Snapshot {
    pub(crate) view: View,
    /// What the database did not have then, the newer part first.
    pub(crate) overlays: [Option<Arc<Overlay>>; 2],
}

/// A record with its place, in the clear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedRecord {
    /// The table.
    pub table: Table,
    /// Order among the records of one prefix.
    pub ordinal: u64,
    /// Prefix and value.
    pub record: Record,
}

impl Snapshot {
    fn layers(&self) -> Layers<'_> {
        Layers { overlays: self.overlays.each_ref().map(Option::as_deref), view: &self.view }
    }

    /// Hands every record of some tables to `sink`, one at a time: what a backup holds. Secrets are in no
    /// table and never in a backup.
    ///
    /// # Errors
    /// [`Failure`] of the database, or what `sink` returns, which ends the export.
    pub fn export<E: From<Failure>>(
        &self,
        tables: &[Table],
        sink: &mut dyn FnMut(PlacedRecord) -> Result<(), E>,
    ) -> Result<(), E> {
        for &table in tables {
            for entry in self.layers().records(table, RecordKey::MIN..=RecordKey::MAX, Direction::Forward)? {
                let (key, record) = entry?;
                sink(PlacedRecord { table, ordinal: key.ordinal(), record })?;
            }
        }
        Ok(())
    }
}

impl Transaction for Snapshot {
    fn get(&self, table: Table, key: Key<'_>) -> Result<Option<Bytes>, StorageError> {
        let key = RecordKey::new(self.view.keys().blind_prefix(table, key.prefix), key.ordinal);
        Ok(self.layers().record(table, &key)?.map(|record| record.value))
    }

    fn put(&mut self, _: Table, _: Key<'_>, _: Bytes) -> Result<(), StorageError> {
        Err(Failure::ReadOnly.into())
    }

    fn delete(&mut self, _: Table, _: Key<'_>) -> Result<(), StorageError> {
        Err(Failure::ReadOnly.into())
    }

    fn scan(
        &self,
        table: Table,
        prefix: &[u8],
        ordinals: Range<u64>,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<(u64, Bytes)>, StorageError> {
        let Some(keys) = RecordKey::range(self.view.keys().blind_prefix(table, prefix), &ordinals) else {
            return Ok(Vec::new());
        };
        let records = self.layers().records(table, keys, direction)?.take(limit);
        Ok(records
            .map(|entry| entry.map(|(key, record)| (key.ordinal(), record.value)))
            .collect::<Result<_, _>>()?)
    }

    fn all(&self, table: Table) -> Result<Vec<Bytes>, StorageError> {
        let records = self.layers().records(table, RecordKey::MIN..=RecordKey::MAX, Direction::Forward)?;
        Ok(records.map(|entry| entry.map(|(_, record)| record.value)).collect::<Result<_, _>>()?)
    }

    fn secrets(&mut self) -> &mut dyn KeyValue {
        self
    }
}

impl KeyValue for Snapshot {
    fn get(&self, namespace: &[u8], name: &[u8]) -> Result<Option<Vec<u8>>, KeyValueError> {
        let keys = self.view.keys();
        let key = SecretKey::new(keys.blind_namespace(namespace), keys.blind_name(name));
        Ok(self.layers().secret(&key)?.map(|mut secret| std::mem::take(&mut *secret)))
    }

    fn put(&mut self, _: &[u8], _: &[u8], _: &[u8]) -> Result<(), KeyValueError> {
        Err(Failure::ReadOnly.into())
    }

    fn delete(&mut self, _: &[u8], _: &[u8]) -> Result<(), KeyValueError> {
        Err(Failure::ReadOnly.into())
    }

    fn copy_namespace(&mut self, _: &[u8], _: &[u8]) -> Result<(), KeyValueError> {
        Err(Failure::ReadOnly.into())
    }

    fn clear_namespace(&mut self, _: &[u8]) -> Result<(), KeyValueError> {
        Err(Failure::ReadOnly.into())
    }
}
