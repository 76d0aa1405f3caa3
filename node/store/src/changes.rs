//! What a batch has changed so far, and how to take back what its open transaction did.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;

use qpq_engine::storage::{Direction, Table};

use crate::key::{RecordKey, SecretKey};
use crate::storage::{Record, Secret};

/// Writes and removals (`None`) that are not on disk yet; the last one of a key wins.
///
/// A transaction writes straight into its batch's changes and keeps what it replaced, so that accepting it
/// costs nothing and dropping it puts everything back.
#[derive(Default)]
pub struct Changes {
    records: BTreeMap<(Table, RecordKey), Option<Record>>,
    secrets: BTreeMap<SecretKey, Option<Secret>>,
    replaced: Vec<Replaced>,
    bytes: usize,
}

/// A key and what the batch had for it before: nothing, a removal or a value.
enum Replaced {
    Record((Table, RecordKey), Option<Option<Record>>),
    Secret(SecretKey, Option<Option<Secret>>),
}

impl Changes {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.secrets.is_empty()
    }

    /// How many records and secrets are written or removed.
    pub fn len(&self) -> usize {
        self.records.len() + self.secrets.len()
    }

    /// Bytes of all values that wait, with a flat charge for each key.
    pub fn bytes(&self) -> usize {
        self.bytes + self.len() * ENTRY_BYTES
    }

    /// Every changed record, in the order of tables and keys.
    pub fn records(&self) -> impl Iterator<Item = (Table, &RecordKey, Option<&Record>)> {
        self.records.iter().map(|((table, key), change)| (*table, key, change.as_ref()))
    }

    /// Every changed secret, in the order of keys.
    pub fn secrets(&self) -> impl Iterator<Item = (&SecretKey, Option<&Secret>)> {
        self.secrets.iter().map(|(key, change)| (key, change.as_ref()))
    }

    pub(crate) fn record(&self, table: Table, key: &RecordKey) -> Option<&Option<Record>> {
        self.records.get(&(table, *key))
    }

    pub(crate) fn secret(&self, key: &SecretKey) -> Option<&Option<Secret>> {
        self.secrets.get(key)
    }

    /// Changed records of a range, in order.
    pub(crate) fn record_range(
        &self,
        table: Table,
        keys: &RangeInclusive<RecordKey>,
        direction: Direction,
    ) -> Box<dyn Iterator<Item = (RecordKey, &Option<Record>)> + '_> {
        let range = self.records.range((table, *keys.start())..=(table, *keys.end()));
        let range = range.map(|((_, key), change)| (*key, change));
        match direction {
            Direction::Forward => Box::new(range),
            Direction::Backward => Box::new(range.rev()),
        }
    }

    /// Keys of changed secrets in a range; the flag is false for a removal.
    pub(crate) fn secret_range(
        &self,
        keys: RangeInclusive<SecretKey>,
    ) -> impl Iterator<Item = (SecretKey, bool)> + '_ {
        self.secrets.range(keys).map(|(key, change)| (*key, change.is_some()))
    }

    pub(crate) fn set_record(&mut self, table: Table, key: RecordKey, change: Option<Record>) {
        self.bytes += record_bytes(change.as_ref());
        let replaced = self.records.insert((table, key), change);
        self.bytes -= record_bytes(replaced.as_ref().and_then(Option::as_ref));
        self.replaced.push(Replaced::Record((table, key), replaced));
    }

    pub(crate) fn set_secret(&mut self, key: SecretKey, change: Option<Secret>) {
        self.bytes += secret_bytes(change.as_ref());
        let replaced = self.secrets.insert(key, change);
        self.bytes -= secret_bytes(replaced.as_ref().and_then(Option::as_ref));
        self.replaced.push(Replaced::Secret(key, replaced));
    }

    /// Makes everything since the last call part of the batch.
    pub(crate) fn accept(&mut self) {
        self.replaced.clear();
    }

    /// Takes everything back that was not accepted.
    pub(crate) fn discard(&mut self) {
        while let Some(replaced) = self.replaced.pop() {
            match replaced {
                Replaced::Record(key, before) => {
                    self.bytes += record_bytes(before.as_ref().and_then(Option::as_ref));
                    let after = put_back(&mut self.records, key, before);
                    self.bytes -= record_bytes(after.as_ref());
                }
                Replaced::Secret(key, before) => {
                    self.bytes += secret_bytes(before.as_ref().and_then(Option::as_ref));
                    let after = put_back(&mut self.secrets, key, before);
                    self.bytes -= secret_bytes(after.as_ref());
                }
            }
        }
    }
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes").field("len", &self.len()).field("bytes", &self.bytes()).finish()
    }
}

fn put_back<K: Ord, V>(map: &mut BTreeMap<K, Option<V>>, key: K, before: Option<Option<V>>) -> Option<V> {
    match before {
        Some(before) => map.insert(key, before).flatten(),
        None => map.remove(&key).flatten(),
    }
}

fn record_bytes(record: Option<&Record>) -> usize {
    record.map_or(0, |record| record.prefix.len() + record.value.len())
}

fn secret_bytes(secret: Option<&Secret>) -> usize {
    secret.map_or(0, |secret| secret.len())
}

/// What a key costs in memory, about.
const ENTRY_BYTES: usize = 96;
