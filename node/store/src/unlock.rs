//! Unlocking a store: its key, what the journal holds beyond the database, and the start of a new epoch.
//!
//! ```text
//! key ─► secrets' key ─► journal into the database ─► migrations ─► rolled back? ─► new epoch ─► somebody may read
//! ```
//! The journal comes before the migrations, for it is of the version of the database that it goes on from.

use std::cell::OnceCell;
use std::sync::Arc;

use qpq_crypto::at_rest::AtRestKey;
use rand_core::CryptoRng;
use redb::{Database, ReadableDatabase, ReadableTableMetadata};

use crate::apply::apply;
use crate::encoding::decode;
use crate::error::Failure;
use crate::journal::JournalFile;
use crate::meta::{Meta, SCHEMA_VERSION, write_opened};
use crate::migrate::{MIGRATIONS, lacking, migrate};
use crate::open::LockedStore;
use crate::open_error::OpenError;
use crate::sealing::Keys;
use crate::secrets_key::{SecretSealers, SecretsKeyFile};
use crate::store::Store;
use crate::view::{SECRETS, existing};

impl LockedStore {
    /// Whether no key was given yet: the first one given becomes the key.
    pub fn is_new(&self) -> bool {
        self.meta.key_check.is_none()
    }

    /// Whether a key is the one the store was made with. Any is right for a new store.
    ///
    /// # Errors
    /// [`OpenError::WrongKey`].
    pub fn check_key(&self, key: &AtRestKey) -> Result<(), OpenError> {
        match &self.meta.key_check {
            Some(check) if !Keys::new(key).opens_check(check) => Err(OpenError::WrongKey),
            _ => Ok(()),
        }
    }

    /// Opens the store with its key, brings it forward to this version, and finishes what a crash left.
    ///
    /// # Errors
    /// All of [`OpenError`]. Check the key first if there may be a second try.
    pub fn unlock(self, key: &AtRestKey) -> Result<Store, OpenError> {
        OpenError::guarded(|| self.unlock_unguarded(key))
    }

    fn unlock_unguarded(mut self, key: &AtRestKey) -> Result<Store, OpenError> {
        self.check_key(key)?;
        // Before anything is changed that no migration could bring forward.
        lacking(self.meta.schema, MIGRATIONS, SCHEMA_VERSION)?;
        let keys = Keys::new(key);
        if self.meta.key_check.is_none() {
            // On disk before anything is sealed under the key.
            self.meta.key_check = Some(keys.seal_check(&mut *self.rng));
            self.meta.commit(&self.database)?;
        }
        let is_needed = has_secrets(&self.database)? || self.meta.journal.is_some();
        let secrets = SecretsKeyFile::open(self.secrets_key, key, self.meta.id, is_needed, &mut *self.rng)?;
        if secrets.sealers().newest() < self.meta.secrets_generation {
            return Err(OpenError::SecretsKeyLost);
        }
        let files = (&*self.database, &self.journal);
        let is_older_copy = replay(files, &mut self.meta, (&keys, secrets.sealers()), &mut *self.rng)?;
        migrate(&self.database, &mut self.meta, &keys, MIGRATIONS, SCHEMA_VERSION)?;
        let counted = match &self.open_counter {
            Some(counter) => counter.read()?,
            None => Some(0),
        };
        if is_older_copy || counted.is_none_or(|counted| counted > self.meta.opened) {
            tracing::warn!(
                "the database is older than the count beside the key: an old copy was put in its place"
            );
            self.meta.rolled_back = true;
        }
        self.meta.opened = self.meta.opened.max(counted.unwrap_or_default());
        let journal = self.journal.begin(self.meta.id, self.meta.journal, &keys, &mut *self.rng)?;
        self.meta.journal = Some(journal.epoch());
        let mut store = Store {
            view: OnceCell::new(),
            overlay: Arc::default(),
            overlay_bytes_max: self.overlay_bytes_max,
            checkpoint: None,
            is_threaded: self.is_threaded,
            database: Arc::new(self.database),
            keys: Arc::new(keys),
            secrets,
            journal,
            open_counter: self.open_counter,
            meta: self.meta,
            io: self.io,
            rng: self.rng,
            is_latched: false,
            has_warned_of_count: false,
        };
        store.finish_opening()?;
        Ok(store)
    }
}

/// Brings into the database what only the journal holds: all of it in one commit, and so once. Gives whether the journal
/// is an older copy.
fn replay(
    (database, journal): (&Database, &JournalFile),
    meta: &mut Meta,
    (keys, sealers): (&Keys, &SecretSealers),
    rng: &mut dyn CryptoRng,
) -> Result<bool, OpenError> {
    let Some(epoch) = meta.journal else { return Ok(false) };
    let unapplied = journal.unapplied((meta.id, epoch), meta.opened, keys, sealers)?;
    if unapplied.batches.is_empty() {
        return Ok(unapplied.is_older_copy);
    }
    let transaction = database.begin_write().map_err(Failure::from)?;
    for batch in &unapplied.batches {
        apply(&transaction, keys, rng, decode(batch))?;
    }
    let opened = meta.opened + unapplied.batches.len() as u64;
    write_opened(&transaction, opened)?;
    transaction.commit().map_err(Failure::from)?;
    meta.opened = opened;
    tracing::info!(batches = unapplied.batches.len(), "brought commits from the journal into the database");
    Ok(unapplied.is_older_copy)
}

fn has_secrets(database: &Database) -> Result<bool, Failure> {
    let transaction = database.begin_read()?;
    match existing(transaction.open_table(SECRETS))? {
        Some(table) => Ok(!table.is_empty()?),
        None => Ok(false),
    }
}
