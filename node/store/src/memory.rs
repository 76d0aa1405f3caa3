//! Storage in memory with the same batches, for the engine's tests and the simulator.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;

use qpq_engine::storage::{Direction, Table};

use crate::changes::Changes;
use crate::error::{CommitError, Failure};
use crate::key::{Blinded, RecordKey, SecretKey};
use crate::storage::{CommitInfo, Durability, Record, Records, Secret, Storage};

/// Storage that lives as long as the process. Nothing is sealed.
///
/// A clone is a copy of what is committed, so that a simulated crash is going back to one.
#[derive(Clone, Default)]
pub struct MemoryStore {
    records: BTreeMap<(Table, RecordKey), Record>,
    secrets: BTreeMap<SecretKey, Secret>,
}

impl MemoryStore {
    /// Empty storage.
    pub fn new() -> Self {
        Self::default()
    }

    /// Every committed record with its table, in the order of tables and keys.
    pub fn committed(&self) -> impl Iterator<Item = (Table, u64, &Record)> {
        self.records.iter().map(|((table, key), record)| (*table, key.ordinal(), record))
    }
}

impl Storage for MemoryStore {
    fn blind_prefix(&self, table: Table, prefix: &[u8]) -> Blinded {
        hash(table.0, prefix)
    }

    fn blind_namespace(&self, namespace: &[u8]) -> Blinded {
        hash("", namespace)
    }

    fn blind_name(&self, name: &[u8]) -> Blinded {
        hash("", name)
    }

    fn record(&self, table: Table, key: &RecordKey) -> Result<Option<Record>, Failure> {
        Ok(self.records.get(&(table, *key)).cloned())
    }

    fn records(
        &self,
        table: Table,
        keys: RangeInclusive<RecordKey>,
        direction: Direction,
    ) -> Result<Records<'_>, Failure> {
        let range = self.records.range((table, *keys.start())..=(table, *keys.end()));
        let range = range.map(|((_, key), record)| Ok((*key, record.clone())));
        Ok(match direction {
            Direction::Forward => Box::new(range),
            Direction::Backward => Box::new(range.rev()),
        })
    }

    fn secret(&self, key: &SecretKey) -> Result<Option<Secret>, Failure> {
        Ok(self.secrets.get(key).cloned())
    }

    fn secret_keys(&self, namespace: Blinded) -> Result<Vec<SecretKey>, Failure> {
        Ok(self.secrets.range(SecretKey::namespace(namespace)).map(|(key, _)| *key).collect())
    }

    fn write(&mut self, changes: &Changes, _durability: Durability) -> Result<CommitInfo, CommitError> {
        for (table, key, change) in changes.records() {
            apply(&mut self.records, (table, *key), change);
        }
        for (key, change) in changes.secrets() {
            apply(&mut self.secrets, *key, change);
        }
        Ok(CommitInfo { changes: changes.len(), bytes: 0, syncs: 0 })
    }

    fn sync(&mut self) -> Result<CommitInfo, CommitError> {
        Ok(CommitInfo::default())
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("records", &self.records.len())
            .field("secrets", &self.secrets.len())
            .finish()
    }
}

fn apply<K: Ord, V: Clone>(map: &mut BTreeMap<K, V>, key: K, change: Option<&V>) {
    match change {
        Some(value) => drop(map.insert(key, value.clone())),
        None => drop(map.remove(&key)),
    }
}

/// Nothing here is hidden; a hash only gives keys the width they have on disk.
fn hash(table: &str, bytes: &[u8]) -> Blinded {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(table.len() as u64).to_be_bytes()).update(table.as_bytes()).update(bytes);
    let mut blinded = Blinded::default();
    hasher.finalize_xof().fill(&mut blinded);
    blinded
}
