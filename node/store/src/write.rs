//! Commits: to the journal and into the overlay, or with all that is there into the database.

use std::sync::Arc;

use bytes::Bytes;
use redb::WriteTransaction;

use crate::apply::{apply, changes_of};
use crate::changes::Changes;
use crate::encoding::{Change, EncodedBatch, RecordValue, encoded_bytes, seal_secrets};
use crate::error::Failure;
use crate::meta::write_opened;
use crate::storage::Durability;
use crate::store::Store;

impl Store {
    /// Writes a batch. One without room in the journal goes into the database at once, and is durable.
    pub(crate) fn write_changes(&mut self, changes: &Changes, durability: Durability) -> Result<(), Failure> {
        if !self.make_room(encoded_bytes(changes), changes.len())? {
            return self.write_through(changes);
        }
        let batch = EncodedBatch::new(changes, self.secrets.sealers(), &mut *self.rng)?;
        Arc::make_mut(&mut self.overlay).insert(changes, &batch);
        if durability == Durability::Deferred {
            // Not counted: the count beside the key must not get ahead of what survives the loss of power.
            self.journal.defer(batch.bytes);
            return Ok(());
        }
        self.append(batch.bytes)
    }

    /// Makes an encoded batch durable in the journal, behind what was deferred.
    pub(crate) fn append(&mut self, batch: Bytes) -> Result<(), Failure> {
        self.meta.opened += 1;
        self.journal.append(&mut *self.rng, self.secrets.sealers(), self.meta.opened, batch)?;
        self.count_soon();
        Ok(())
    }

    /// Writes a batch into the database, record by record: it may be longer than anything else in memory.
    fn write_through(&mut self, changes: &Changes) -> Result<(), Failure> {
        let transaction = self.begin_whole()?;
        let secrets = seal_secrets(changes, self.secrets.sealers(), &mut *self.rng)?;
        let records = changes
            .records()
            .map(|(table, key, record)| Change::Record(table.0, *key, record.map(RecordValue::clear)));
        let secrets = secrets.iter().map(|(key, sealed)| Change::Secret(*key, sealed.as_deref()));
        apply(&transaction, &self.keys, &mut *self.rng, records.chain(secrets).map(Ok))?;
        self.commit_durably(transaction)
    }

    /// Begins a transaction of the database that sees everything. It must be [committed](Self::commit_durably) or
    /// dropped before anything else is written.
    pub(crate) fn begin_whole(&mut self) -> Result<WriteTransaction, Failure> {
        self.finish_checkpoint()?;
        // What this would see is about to be old, and it would keep redb from reusing pages.
        self.view.take();
        let transaction = self.database.begin_write()?;
        apply(&transaction, &self.keys, &mut *self.rng, changes_of(&self.overlay))?;
        Ok(transaction)
    }

    /// Commits a transaction that sees everything, so that nothing needs the journal.
    ///
    /// One phase and so one sync is enough: what redb's documentation says against it needs an attacker who chooses
    /// bytes of the file, and these are all sealed.
    pub(crate) fn commit_durably(&mut self, transaction: WriteTransaction) -> Result<(), Failure> {
        self.meta.opened += 1;
        write_opened(&transaction, self.meta.opened)?;
        transaction.commit()?;
        self.start_over();
        self.count_soon();
        Ok(())
    }

    /// Counts up in the database, then beside the key.
    pub(crate) fn count_opening(&mut self) -> Result<(), Failure> {
        let transaction = self.begin_whole()?;
        self.commit_counted(transaction)
    }

    /// Commits a transaction that sees everything, with everything that the database says about itself, and forces the
    /// count beside the key to disk as well.
    pub(crate) fn commit_counted(&mut self, transaction: WriteTransaction) -> Result<(), Failure> {
        self.meta.opened += 1;
        self.meta.secrets_generation = self.secrets.sealers().newest();
        self.meta.write(&transaction)?;
        transaction.commit()?;
        self.start_over();
        match &self.open_counter {
            Some(counter) => counter.write(self.meta.opened),
            None => Ok(()),
        }
    }

    /// The database has everything.
    fn start_over(&mut self) {
        self.overlay = Arc::default();
        self.journal.restart();
    }

    /// Writes the count of what is durable beside the key; it outlives the process, though not a loss of power.
    fn count_soon(&mut self) {
        let Some(counter) = &self.open_counter else { return };
        if let Err(error) = counter.write_soon(self.meta.opened)
            && !std::mem::replace(&mut self.has_warned_of_count, true)
        {
            // The batch is safe; a copy made before it may pass for the newest until the next count.
            tracing::warn!(%error, "the count of commits beside the key could not be written");
        }
    }
}
