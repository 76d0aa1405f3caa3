//! The overlay: what changed since the last checkpoint, in memory.
//!
//! A batch goes to the journal and into the overlay, and not to the database: a record that is put and deleted between two
//! checkpoints never reaches it, and one that is put a hundred times reaches it once. Reading asks the overlay first.
//!
//! Records lie here in the clear, as whoever put them had them in memory; secrets lie here sealed, as in the database,
//! and are opened when they are read.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;

use bytes::Bytes;
use qpq_engine::storage::{Direction, Table};

use crate::changes::Changes;
use crate::encoding::{EncodedBatch, get_record};
use crate::error::Failure;
use crate::key::{RecordKey, SecretKey};
use crate::storage::Record;

/// The newest change of each key, by tables and keys; `None` is a removal.
#[derive(Clone, Default)]
pub(crate) struct Overlay {
    records: BTreeMap<Table, BTreeMap<RecordKey, Option<Bytes>>>,
    secrets: BTreeMap<SecretKey, Option<Bytes>>,
    /// Bytes of the batches whose memory the values share.
    batch_bytes: usize,
    changes: usize,
}

impl Overlay {
    /// Takes over the changes of a batch.
    pub(crate) fn insert(&mut self, changes: &Changes, batch: &EncodedBatch) {
        let mut values = batch.values();
        for (table, key, record) in changes.records() {
            let value = record.and_then(|_| values.next());
            self.records.entry(table).or_default().insert(*key, value);
        }
        for (key, secret) in changes.secrets() {
            let value = secret.and_then(|_| values.next());
            self.secrets.insert(*key, value);
        }
        self.batch_bytes += batch.bytes.len();
        self.changes += changes.len();
    }

    /// Whether there is nothing in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.changes == 0
    }

    /// Bytes of memory at most, about, if a batch of this many bytes and changes comes to it.
    pub(crate) fn bytes_with(&self, batch_bytes: usize, changes: usize) -> usize {
        self.batch_bytes + batch_bytes + (self.changes + changes) * ENTRY_BYTES
    }

    /// A record as it was changed; the outer `None` is one that was not.
    pub(crate) fn record(&self, table: Table, key: &RecordKey) -> Option<Result<Option<Record>, Failure>> {
        self.records.get(&table)?.get(key).map(|value| opened(table, value.as_ref()))
    }

    /// The changed records of a range, in order; `None` if there is none of the table.
    pub(crate) fn records(
        &self,
        table: Table,
        keys: &RangeInclusive<RecordKey>,
        direction: Direction,
    ) -> Option<ChangedRecords<'_>> {
        let range = self.records.get(&table)?.range(keys.clone());
        let range = range.map(move |(key, value)| (*key, opened(table, value.as_ref())));
        Some(match direction {
            Direction::Forward => Box::new(range),
            Direction::Backward => Box::new(range.rev()),
        })
    }

    /// A secret as it was changed, sealed; the outer `None` is one that was not.
    pub(crate) fn secret(&self, key: &SecretKey) -> Option<Option<&Bytes>> {
        self.secrets.get(key).map(Option::as_ref)
    }

    /// Keys of changed secrets in a range; the flag is false for a removal.
    pub(crate) fn secret_range(
        &self,
        keys: RangeInclusive<SecretKey>,
    ) -> impl Iterator<Item = (SecretKey, bool)> + '_ {
        self.secrets.range(keys).map(|(key, value)| (*key, value.is_some()))
    }

    /// Every changed record in the clear, in the order of tables and keys.
    pub(crate) fn all_records(&self) -> impl Iterator<Item = (Table, &RecordKey, Option<&Bytes>)> {
        self.records
            .iter()
            .flat_map(|(table, records)| records.iter().map(|(key, value)| (*table, key, value.as_ref())))
    }

    /// Every changed secret, sealed, in the order of keys.
    pub(crate) fn all_secrets(&self) -> impl Iterator<Item = (&SecretKey, Option<&Bytes>)> {
        self.secrets.iter().map(|(key, value)| (key, value.as_ref()))
    }
}

impl fmt::Debug for Overlay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Overlay")
            .field("batch_bytes", &self.batch_bytes)
            .field("changes", &self.changes)
            .finish_non_exhaustive()
    }
}

/// Changed records in the order of a scan, copied out one by one.
pub(crate) type ChangedRecords<'a> =
    Box<dyn Iterator<Item = (RecordKey, Result<Option<Record>, Failure>)> + 'a>;

/// A record for a reader. It is a copy: the reader may keep it longer than the batch whose memory it shares.
fn opened(table: Table, value: Option<&Bytes>) -> Result<Option<Record>, Failure> {
    let Some(clear) = value else { return Ok(None) };
    let record = get_record(Bytes::copy_from_slice(clear));
    record.map(Some).ok_or_else(|| Failure::Damaged { table: table.0.to_owned() })
}

/// What a change costs in memory beside its bytes, about.
const ENTRY_BYTES: usize = 96;
