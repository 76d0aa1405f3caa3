//! Replacing the key of the secrets in an open store.

use std::sync::Arc;

use rand_core::CryptoRng;
use redb::{ReadableTable, WriteTransaction};

use crate::error::{CommitError, Failure};
use crate::key::SecretKey;
use crate::secrets_key::SecretSealers;
use crate::storage::CommitInfo;
use crate::store::Store;
use crate::view::SECRETS;

impl Store {
    /// Erases the key under which secrets lie, after sealing those that live under a new one: what was
    /// deleted before this call is gone for good when it returns.
    ///
    /// What the journal held is in the database then, and cannot be read in the journal any more. Costs a pass over all living
    /// secrets and three syncs, four with an open counter.
    ///
    /// # Errors
    /// [`CommitError`]; the store is latched, and the next opening finishes the rotation.
    pub fn rotate_secrets(&mut self) -> Result<CommitInfo, CommitError> {
        self.latching(|store| {
            store.secrets.begin_rotation(&mut *store.rng)?;
            store.reseal_secrets()
        })
    }

    /// Second and last step of a rotation.
    pub(crate) fn reseal_secrets(&mut self) -> Result<(), Failure> {
        let sealers = Arc::clone(self.secrets.sealers());
        let transaction = self.begin_whole()?;
        reseal(&transaction, &sealers, &mut *self.rng)?;
        self.commit_counted(transaction)?;
        self.secrets.end_rotation(&mut *self.rng)
    }
}

/// Seals every secret that lies under an older key under the newest one.
fn reseal(
    transaction: &WriteTransaction,
    sealers: &SecretSealers,
    rng: &mut dyn CryptoRng,
) -> Result<(), Failure> {
    let mut open = transaction.open_table(SECRETS)?;
    let mut older = Vec::new();
    for entry in open.iter()? {
        let (key, sealed) = entry?;
        if SecretSealers::generation(sealed.value()) != Some(sealers.newest()) {
            older.push(SecretKey::from_bytes(*key.value()));
        }
    }
    for key in older {
        let opened = open.get(key.as_bytes())?.map(|sealed| sealers.open(&key, sealed.value()));
        match opened.transpose() {
            Ok(Some(secret)) => {
                let sealed = sealers.seal(rng, &key, &secret)?;
                open.insert(key.as_bytes(), sealed.as_slice())?;
            }
            // Only in an older copy of the database; nobody can ever read it again.
            Ok(None) | Err(Failure::Erased) => drop(open.remove(key.as_bytes())?),
            Err(failure) => return Err(failure),
        }
    }
    Ok(())
}
