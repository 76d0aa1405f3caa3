//! Storage in memory: a transaction is a copy that replaces the original when it is kept.

use std::{collections::BTreeMap, ops::Range};

use bytes::Bytes;
use qpq_crypto::key_value::{KeyValue, KeyValueError};

use crate::storage::{Direction, Key, StorageError, Table, Transaction};

pub(crate) mod counting;
pub(crate) mod faulty;

/// Everything a node has written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Memory {
    records: BTreeMap<(&'static str, Vec<u8>, u64), Bytes>,
    secrets: Secrets,
}

#[derive(Debug, Clone, Default)]
struct Secrets(BTreeMap<(Vec<u8>, Vec<u8>), Vec<u8>>);

impl Memory {
    /// How many records a table holds.
    pub(crate) fn count(&self, table: Table) -> usize {
        self.records.keys().filter(|(name, ..)| *name == table.0).count()
    }

    /// Loses a table.
    pub(super) fn forget(&mut self, table: Table) {
        self.records.retain(|(name, ..), _| *name != table.0);
    }

    /// Damages what is kept of an MLS group.
    pub(crate) fn spoil(&mut self, group_id: &[u8]) {
        let is_of_group = |namespace: &[u8]| namespace.windows(group_id.len()).any(|part| part == group_id);
        for (_, value) in self.secrets.0.iter_mut().filter(|((namespace, _), _)| is_of_group(namespace)) {
            value.truncate(value.len() / 2);
        }
    }

    /// Bytes of keys and values that are here and were not in an earlier state.
    pub(crate) fn bytes_since(&self, earlier: &Self) -> usize {
        let records = self.records.iter().filter(|(key, value)| earlier.records.get(key) != Some(value));
        let records = records.map(|((name, prefix, _), value)| name.len() + prefix.len() + 8 + value.len());
        let secrets = self.secrets.0.iter().filter(|(key, value)| earlier.secrets.0.get(key) != Some(value));
        let secrets = secrets.map(|((namespace, name), value)| namespace.len() + name.len() + value.len());
        records.sum::<usize>() + secrets.sum::<usize>()
    }

    /// What a backup would hold.
    pub(crate) fn backup(&self) -> Self {
        let kept = |name: &str| crate::tables::IN_BACKUP.iter().any(|table| table.0 == name);
        let records = self.records.iter().filter(|((name, ..), _)| kept(name));
        Self {
            records: records.map(|(key, value)| (key.clone(), value.clone())).collect(),
            ..Self::default()
        }
    }
}

impl Transaction for Memory {
    fn get(&self, table: Table, key: Key<'_>) -> Result<Option<Bytes>, StorageError> {
        Ok(self.records.get(&(table.0, key.prefix.to_vec(), key.ordinal)).cloned())
    }

    fn put(&mut self, table: Table, key: Key<'_>, value: Bytes) -> Result<(), StorageError> {
        self.records.insert((table.0, key.prefix.to_vec(), key.ordinal), value);
        Ok(())
    }

    fn delete(&mut self, table: Table, key: Key<'_>) -> Result<(), StorageError> {
        self.records.remove(&(table.0, key.prefix.to_vec(), key.ordinal));
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
        if ordinals.start >= ordinals.end {
            return Ok(Vec::new());
        }
        let keys = (table.0, prefix.to_vec(), ordinals.start)..(table.0, prefix.to_vec(), ordinals.end);
        let found = self.records.range(keys).map(|((_, _, ordinal), value)| (*ordinal, value.clone()));
        Ok(match direction {
            Direction::Forward => found.take(limit).collect(),
            Direction::Backward => found.rev().take(limit).collect(),
        })
    }

    fn all(&self, table: Table) -> Result<Vec<Bytes>, StorageError> {
        let of_table = self.records.iter().filter(|((name, ..), _)| *name == table.0);
        Ok(of_table.map(|(_, value)| value.clone()).collect())
    }

    fn secrets(&mut self) -> &mut dyn KeyValue {
        &mut self.secrets
    }
}

impl KeyValue for Secrets {
    fn get(&self, namespace: &[u8], name: &[u8]) -> Result<Option<Vec<u8>>, KeyValueError> {
        Ok(self.0.get(&(namespace.to_vec(), name.to_vec())).cloned())
    }

    fn put(&mut self, namespace: &[u8], name: &[u8], value: &[u8]) -> Result<(), KeyValueError> {
        self.0.insert((namespace.to_vec(), name.to_vec()), value.to_vec());
        Ok(())
    }

    fn delete(&mut self, namespace: &[u8], name: &[u8]) -> Result<(), KeyValueError> {
        self.0.remove(&(namespace.to_vec(), name.to_vec()));
        Ok(())
    }

    fn copy_namespace(&mut self, from: &[u8], to: &[u8]) -> Result<(), KeyValueError> {
        self.clear_namespace(to)?;
        let copied: Vec<_> = self.0.iter().filter(|((namespace, _), _)| namespace == from).collect();
        let copied: Vec<_> = copied
            .into_iter()
            .map(|((_, name), value)| ((to.to_vec(), name.clone()), value.clone()))
            .collect();
        self.0.extend(copied);
        Ok(())
    }

    fn clear_namespace(&mut self, namespace: &[u8]) -> Result<(), KeyValueError> {
        self.0.retain(|(of, _), _| of != namespace);
        Ok(())
    }
}
