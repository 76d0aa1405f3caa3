//! Commits: into the database in memory and the journal on disk, or into the database on disk.

use redb::WriteTransaction;

use crate::apply::apply;
use crate::changes::Changes;
use crate::error::Failure;
use crate::sealed_change::{decode, encoded_bytes, seal};
use crate::storage::Durability;
use crate::store::Store;

impl Store {
    /// Writes a batch.
    ///
    /// The database has it before the journal does: what cannot be applied now must not be found at the next opening.
    pub(crate) fn write_changes(&mut self, changes: &Changes, durability: Durability) -> Result<(), Failure> {
        let transaction = self.database.begin_write()?;
        let sealed = seal(changes, &self.keys, self.secrets.sealers(), &mut *self.rng);
        let bytes = encoded_bytes(changes);
        if !self.journal.has_room(bytes) {
            apply(&transaction, sealed)?;
            return match durability {
                Durability::Immediate => self.commit_durably(transaction),
                Durability::Deferred => {
                    self.journal.defer_to_checkpoint();
                    commit_in_memory(transaction)
                }
            };
        }
        let mut encoded = Vec::with_capacity(bytes);
        for change in sealed {
            change?.encode(&mut encoded);
        }
        apply(&transaction, decode(&encoded))?;
        if durability == Durability::Deferred {
            // Not counted: the count beside the key must not get ahead of what survives the loss of power.
            self.journal.defer(&encoded);
            return commit_in_memory(transaction);
        }
        self.meta.opened += 1;
        self.meta.write_opened(&transaction)?;
        commit_in_memory(transaction)?;
        self.journal.append(&mut *self.rng, self.secrets.sealers(), self.meta.opened, encoded)?;
        self.count_soon();
        Ok(())
    }

    /// Commits a transaction, and with it everything that the journal holds.
    ///
    /// One phase and so one sync is enough: what redb's documentation says against it needs an attacker who chooses
    /// bytes of the file, and these are all sealed.
    pub(crate) fn commit_durably(&mut self, transaction: WriteTransaction) -> Result<(), Failure> {
        self.meta.opened += 1;
        self.meta.write_opened(&transaction)?;
        transaction.commit()?;
        self.journal.restart();
        self.count_soon();
        Ok(())
    }

    /// Counts up in the database, then beside the key.
    pub(crate) fn count_opening(&mut self) -> Result<(), Failure> {
        let transaction = self.database.begin_write()?;
        self.commit_counted(transaction)
    }

    /// Commits a transaction with everything that the database says about itself, and forces the count beside the key to
    /// disk as well.
    pub(crate) fn commit_counted(&mut self, transaction: WriteTransaction) -> Result<(), Failure> {
        self.meta.opened += 1;
        self.meta.secrets_generation = self.secrets.sealers().newest();
        self.meta.write(&transaction)?;
        transaction.commit()?;
        self.journal.restart();
        match &self.open_counter {
            Some(counter) => counter.write(self.meta.opened),
            None => Ok(()),
        }
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

/// Commits so that the batch can be read, and no more.
fn commit_in_memory(mut transaction: WriteTransaction) -> Result<(), Failure> {
    transaction.set_durability(redb::Durability::None)?;
    Ok(transaction.commit()?)
}
