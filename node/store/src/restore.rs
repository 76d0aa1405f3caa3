//! Filling a new store with the records of a backup.

use redb::{ReadTransaction, ReadableDatabase, ReadableTableMetadata, TableHandle, WriteTransaction};

use crate::apply::apply;
use crate::batch::{check_record, check_table};
use crate::encoding::{Change, RecordValue};
use crate::error::{CommitError, Failure};
use crate::key::RecordKey;
use crate::snapshot::PlacedRecord;
use crate::storage::CommitInfo;
use crate::store::Store;
use crate::view::RECORD_TABLE_PREFIX;

/// Why a store was not filled. It is as it was before.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError<E> {
    /// There are records already: a backup makes a new store.
    #[error("the store is not empty")]
    NotEmpty,
    /// What brings the records failed, or a record is one that no store can have handed out.
    #[error(transparent)]
    Source(E),
    /// The store failed and is latched.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

impl Store {
    /// Writes all records or none, hashing their prefixes and sealing them under this store's key. Memory
    /// does not grow with their number.
    ///
    /// # Errors
    /// [`RestoreError`]. After [`RestoreError::Source`] the store is empty and usable.
    pub fn restore<E: From<Failure>>(
        &mut self,
        records: impl IntoIterator<Item = Result<PlacedRecord, E>>,
    ) -> Result<CommitInfo, RestoreError<E>> {
        // So that the database alone shows what there is.
        self.checkpoint()?;
        let transaction = self.database.begin_read().map_err(|error| CommitError(error.into()))?;
        if has_records(&transaction).map_err(CommitError)? {
            return Err(RestoreError::NotEmpty);
        }
        drop(transaction);

        let mut source_error = None;
        let mut changes = 0;
        let mut records = records.into_iter();
        let info = self.latching(|store| {
            let transaction = store.begin_whole()?;
            // Stops at the first error, which is kept.
            let records = std::iter::from_fn(|| match records.next()?.and_then(checked) {
                Ok(record) => Some(record),
                Err(error) => {
                    source_error = Some(error);
                    None
                }
            });
            changes = store.insert_all(&transaction, records)?;
            if source_error.is_some() { Ok(transaction.abort()?) } else { store.commit_durably(transaction) }
        })?;
        match source_error {
            Some(error) => Err(RestoreError::Source(error)),
            None => Ok(CommitInfo { changes, ..info }),
        }
    }

    fn insert_all(
        &mut self,
        transaction: &WriteTransaction,
        records: impl Iterator<Item = PlacedRecord>,
    ) -> Result<usize, Failure> {
        let mut count = 0;
        let changes = records.map(|PlacedRecord { table, ordinal, record }| {
            count += 1;
            let key = RecordKey::new(self.keys.blind_prefix(table, &record.prefix), ordinal);
            Ok(Change::Record(table.0, key, Some(RecordValue::clear(&record))))
        });
        apply(transaction, &self.keys, &mut *self.rng, changes)?;
        Ok(count)
    }
}

fn checked<E: From<Failure>>(record: PlacedRecord) -> Result<PlacedRecord, E> {
    check_table(record.table)?;
    check_record(&record.record.prefix, &record.record.value)?;
    Ok(record)
}

fn has_records(transaction: &ReadTransaction) -> Result<bool, Failure> {
    for table in transaction.list_tables()?.filter(|table| table.name().starts_with(RECORD_TABLE_PREFIX)) {
        if !transaction.open_untyped_table(table)?.is_empty()? {
            return Ok(true);
        }
    }
    Ok(false)
}
