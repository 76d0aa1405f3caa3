//! Batches: many transactions, one commit.
//!
//! ```text
//!  input ──► transaction ──► accept ─┐
//!  input ──► transaction ──► drop    │ (its changes are gone, the batch's are not)
//!  input ──► transaction ──► accept ─┤
//!                                    ▼
//!                            batch.commit(): one write, one sync ──► answer everyone
//! ```

use std::collections::BTreeSet;
use std::fmt;
use std::ops::{Range, RangeInclusive};

use bytes::Bytes;
use qpq_crypto::key_value::{KeyValue, KeyValueError};
use qpq_engine::storage::{Direction, Key, StorageError, Table, Transaction};
use zeroize::Zeroizing;

use crate::changes::Changes;
use crate::error::{CommitError, Failure};
use crate::key::{RecordKey, SecretKey};
use crate::merge::merge;
use crate::storage::{CommitInfo, Durability, PREFIX_BYTES_MAX, Record, Secret, Storage, VALUE_BYTES_MAX};

/// Changes of any number of accepted transactions, which become durable together.
///
/// Dropping a batch forgets them.
pub struct Batch<'s, S: Storage> {
    storage: &'s mut S,
    changes: Changes,
}

impl<'s, S: Storage> Batch<'s, S> {
    pub(crate) fn new(storage: &'s mut S) -> Self {
        Self { storage, changes: Changes::default() }
    }

    /// Starts a transaction, which sees what the batch has accepted so far.
    pub fn transaction(&mut self) -> BatchTransaction<'_, S> {
        // A transaction that was leaked rather than dropped has not taken its changes back.
        self.changes.discard();
        BatchTransaction { storage: self.storage, changes: &mut self.changes }
    }

    /// Whether nothing was changed, so that committing would touch no disk.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Roughly the memory in bytes that the accepted changes hold; commit before it grows without bound.
    pub fn bytes(&self) -> usize {
        self.changes.bytes()
    }

    /// Makes everything accepted durable, all or nothing. An empty batch costs nothing.
    pub fn commit(mut self) -> Result<CommitInfo, CommitError> {
        self.changes.discard();
        if self.changes.is_empty() {
            return Ok(CommitInfo::default());
        }
        self.storage.write(&self.changes, Durability::Immediate)
    }

    /// Makes everything accepted visible, and durable with the next commit that is: see [`Durability::Deferred`].
    pub fn commit_deferred(mut self) -> Result<CommitInfo, CommitError> {
        self.changes.discard();
        if self.changes.is_empty() {
            return Ok(CommitInfo::default());
        }
        self.storage.write(&self.changes, Durability::Deferred)
    }

    /// Whether secrets were changed. A ratchet that has moved on must be durable before anybody sees its output.
    pub fn has_secrets(&self) -> bool {
        self.changes.secrets().next().is_some()
    }
}

impl<S: Storage> fmt::Debug for Batch<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("changes", &self.changes).finish_non_exhaustive()
    }
}

/// One transaction of a batch. Dropping it takes its changes back.
pub struct BatchTransaction<'b, S: Storage> {
    storage: &'b S,
    changes: &'b mut Changes,
}

impl<S: Storage> BatchTransaction<'_, S> {
    /// Makes the changes part of the batch. Nothing is durable before the batch is committed.
    pub fn accept(self) {
        self.changes.accept();
    }

    fn record_key(&self, table: Table, key: Key<'_>) -> Result<RecordKey, Failure> {
        check_length(key.prefix.len(), PREFIX_BYTES_MAX, Failure::PrefixTooLong)?;
        Ok(RecordKey::new(self.storage.blind_prefix(table, key.prefix), key.ordinal))
    }

    fn secret_key(&self, namespace: &[u8], name: &[u8]) -> SecretKey {
        SecretKey::new(self.storage.blind_namespace(namespace), self.storage.blind_name(name))
    }

    fn secret(&self, key: &SecretKey) -> Result<Option<Secret>, Failure> {
        match self.changes.secret(key) {
            Some(change) => Ok(change.clone()),
            None => self.storage.secret(key),
        }
    }

    /// Keys of the secrets that a namespace holds now.
    fn namespace(&self, namespace: &[u8]) -> Result<BTreeSet<SecretKey>, Failure> {
        let namespace = self.storage.blind_namespace(namespace);
        let mut keys = BTreeSet::from_iter(self.storage.secret_keys(namespace)?);
        for (key, present) in self.changes.secret_range(SecretKey::namespace(namespace)) {
            if present {
                keys.insert(key);
            } else {
                keys.remove(&key);
            }
        }
        Ok(keys)
    }
}

impl<S: Storage> Drop for BatchTransaction<'_, S> {
    fn drop(&mut self) {
        // Nothing is left to take back after `accept`.
        self.changes.discard();
    }
}

impl<S: Storage> fmt::Debug for BatchTransaction<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchTransaction").field("changes", &self.changes).finish_non_exhaustive()
    }
}

impl<S: Storage> Transaction for BatchTransaction<'_, S> {
    fn get(&self, table: Table, key: Key<'_>) -> Result<Option<Bytes>, StorageError> {
        let key = self.record_key(table, key)?;
        let record = match self.changes.record(table, &key) {
            Some(change) => change.clone(),
            None => self.storage.record(table, &key)?,
        };
        Ok(record.map(|record| record.value))
    }

    fn put(&mut self, table: Table, key: Key<'_>, value: Bytes) -> Result<(), StorageError> {
        check_table(table)?;
        check_record(key.prefix, &value)?;
        let record = Record { prefix: Bytes::copy_from_slice(key.prefix), value };
        let key = self.record_key(table, key)?;
        self.changes.set_record(table, key, Some(record));
        Ok(())
    }

    fn delete(&mut self, table: Table, key: Key<'_>) -> Result<(), StorageError> {
        check_table(table)?;
        let key = self.record_key(table, key)?;
        self.changes.set_record(table, key, None);
        Ok(())
    }

    fn scan(
        &self,
        table: Table,
        prefix: &[u8],
        ordinals: Range<u64>,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<(u64, Bytes)>, StorageError> {
        let Some(keys) = RecordKey::range(self.storage.blind_prefix(table, prefix), &ordinals) else {
            return Ok(Vec::new());
        };
        let changed = changed_records(self.changes, table, &keys, direction);
        let committed = self.storage.records(table, keys, direction)?;
        let merged = merge(changed, committed, direction).take(limit);
        Ok(merged
            .map(|merged| merged.map(|(key, record)| (key.ordinal(), record.value)))
            .collect::<Result<_, _>>()?)
    }

    fn all(&self, table: Table) -> Result<Vec<Bytes>, StorageError> {
        let keys = RecordKey::MIN..=RecordKey::MAX;
        let changed = changed_records(self.changes, table, &keys, Direction::Forward);
        let committed = self.storage.records(table, keys, Direction::Forward)?;
        let merged = merge(changed, committed, Direction::Forward);
        Ok(merged.map(|merged| merged.map(|(_, record)| record.value)).collect::<Result<_, _>>()?)
    }

    fn secrets(&mut self) -> &mut dyn KeyValue {
        self
    }
}

impl<S: Storage> KeyValue for BatchTransaction<'_, S> {
    fn get(&self, namespace: &[u8], name: &[u8]) -> Result<Option<Vec<u8>>, KeyValueError> {
        let secret = self.secret(&self.secret_key(namespace, name))?;
        // The trait hands out plain bytes, which its caller wipes or not.
        Ok(secret.map(|mut secret| std::mem::take(&mut *secret)))
    }

    fn put(&mut self, namespace: &[u8], name: &[u8], value: &[u8]) -> Result<(), KeyValueError> {
        check_length(value.len(), VALUE_BYTES_MAX, Failure::ValueTooLong)?;
        let key = self.secret_key(namespace, name);
        self.changes.set_secret(key, Some(Zeroizing::new(value.to_vec())));
        Ok(())
    }

    fn delete(&mut self, namespace: &[u8], name: &[u8]) -> Result<(), KeyValueError> {
        let key = self.secret_key(namespace, name);
        self.changes.set_secret(key, None);
        Ok(())
    }

    fn copy_namespace(&mut self, from: &[u8], to: &[u8]) -> Result<(), KeyValueError> {
        if from == to {
            return Ok(());
        }
        let sources = self.namespace(from)?;
        self.clear_namespace(to)?;
        let to = self.storage.blind_namespace(to);
        for source in sources {
            let secret = self.secret(&source)?;
            self.changes.set_secret(source.moved_to(to), secret);
        }
        Ok(())
    }

    fn clear_namespace(&mut self, namespace: &[u8]) -> Result<(), KeyValueError> {
        for key in self.namespace(namespace)? {
            self.changes.set_secret(key, None);
        }
        Ok(())
    }
}

fn changed_records<'a>(
    changes: &'a Changes,
    table: Table,
    keys: &RangeInclusive<RecordKey>,
    direction: Direction,
) -> impl Iterator<Item = (RecordKey, Result<Option<Record>, Failure>)> + use<'a> {
    changes.record_range(table, keys, direction).map(|(key, change)| (key, Ok(change.clone())))
}

/// Table names go to disk in the clear and into redb's own table tree.
pub(crate) fn check_table(table: Table) -> Result<(), Failure> {
    let allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_';
    match table.0.len() {
        1..=TABLE_NAME_BYTES_MAX if table.0.bytes().all(allowed) => Ok(()),
        _ => Err(Failure::TableName(table.0)),
    }
}

/// Bounds that hold for every record, wherever it comes from.
pub(crate) fn check_record(prefix: &[u8], value: &[u8]) -> Result<(), Failure> {
    check_length(prefix.len(), PREFIX_BYTES_MAX, Failure::PrefixTooLong)?;
    check_length(value.len(), VALUE_BYTES_MAX, Failure::ValueTooLong)
}

fn check_length(length: usize, max: usize, failure: fn(usize) -> Failure) -> Result<(), Failure> {
    if length > max { Err(failure(length)) } else { Ok(()) }
}

const TABLE_NAME_BYTES_MAX: usize = 32;
