//! Records of a view that were read lately. A view never changes, so that nothing here is ever out of date.

use std::collections::BTreeMap;

use bytes::Bytes;
use qpq_engine::storage::Table;

use crate::key::RecordKey;
use crate::storage::Record;

/// Short records, by their keys.
#[derive(Default)]
pub(crate) struct Recent {
    records: BTreeMap<(Table, RecordKey), Record>,
    bytes: usize,
}

impl Recent {
    /// A record that was read lately, as a copy: whoever asks may keep a part of it for long.
    pub(crate) fn get(&self, table: Table, key: &RecordKey) -> Option<Record> {
        let Record { prefix, value } = self.records.get(&(table, *key))?;
        Some(Record { prefix: prefix.clone(), value: Bytes::copy_from_slice(value) })
    }

    /// A record was read. If there is no room for it, all others go: what is asked for again and again is soon back.
    pub(crate) fn note(&mut self, table: Table, key: RecordKey, record: &Record) {
        let bytes = ENTRY_BYTES + record.prefix.len() + record.value.len();
        if bytes > RECORD_BYTES_MAX {
            return;
        }
        if self.bytes + bytes > BYTES_MAX {
            *self = Self::default();
        }
        if self.records.insert((table, key), record.clone()).is_none() {
            self.bytes += bytes;
        }
    }
}

/// Memory for all of them, about.
const BYTES_MAX: usize = 512 * 1024;
const RECORD_BYTES_MAX: usize = 4 * 1024;
/// What an entry takes beside its bytes, about.
const ENTRY_BYTES: usize = 160;

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: Table = Table("table");

    fn record(bytes: usize) -> Record {
        Record { prefix: Bytes::from_static(b"prefix"), value: vec![7; bytes].into() }
    }

    fn key(ordinal: u64) -> RecordKey {
        RecordKey::new([1; 16], ordinal)
    }

    #[test]
    fn what_was_read_is_found_under_its_table_and_key() {
        let mut recent = Recent::default();
        recent.note(TABLE, key(1), &record(10));
        assert_eq!(recent.get(TABLE, &key(1)), Some(record(10)));
        assert_eq!(recent.get(TABLE, &key(2)), None);
        assert_eq!(recent.get(Table("other"), &key(1)), None);
    }

    #[test]
    fn memory_is_bounded() {
        let mut recent = Recent::default();
        recent.note(TABLE, key(0), &record(RECORD_BYTES_MAX));
        assert_eq!(recent.get(TABLE, &key(0)), None);
        for ordinal in 1..10_000 {
            recent.note(TABLE, key(ordinal), &record(1_000));
            assert_eq!(recent.get(TABLE, &key(ordinal)), Some(record(1_000)));
            let bytes: usize = recent.records.values().map(|record| record.value.len()).sum();
            assert!(bytes <= recent.bytes && recent.bytes <= BYTES_MAX);
        }
    }
}
