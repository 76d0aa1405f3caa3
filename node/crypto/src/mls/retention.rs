//! Forgetting past epochs by their age.
//!
//! OpenMLS keeps the secrets of up to [`PAST_EPOCHS_MAX`](super::PAST_EPOCHS_MAX) past epochs, so that messages
//! that were under way can still be opened, and drops them by count. Its own rule for ages goes by the system
//! clock, which routers do not have. Here ages go by the caller's clock: a sweep notes the moment at which it
//! first sees that an epoch is past, and drops the epoch once that moment lies far enough back. An epoch is
//! thus kept at least as long as asked for, and at most one interval of the sweep longer.
//!
//! The moments lie in one small record of their own, which only a sweep writes; messages and commits do not
//! touch it.

use std::collections::BTreeMap;
use std::time::SystemTime;

use openmls::group::PastEpochDeletion;
use openmls::prelude::OpenMlsProvider;

use super::error::MlsError;
use super::group::{Context, EpochId, Group, GroupId};
use super::storage::{Storage, StorageCache, Touched};

impl Group {
    /// Notes which epochs of a group's live branch are past, and says whether any has been so for longer than
    /// `kept_ms`, so that [`Group::forget_past_epochs`] is due. Reads two small records, loads no group.
    ///
    /// `node_ms` is the present moment by a clock of the caller's that never goes back, in milliseconds.
    ///
    /// # Errors
    /// [`MlsError::State`] if what is stored cannot be read; [`MlsError::Storage`].
    pub fn note_past_epochs(
        cx: &mut Context<'_>,
        id: &GroupId,
        node_ms: u64,
        kept_ms: u64,
    ) -> Result<bool, MlsError> {
        let mut cache = StorageCache::default();
        let storage = Storage::new(cx.storage, &mut cache);
        if !storage.holds_group(&id.0)? {
            return Ok(false);
        }
        let epochs = storage.epochs(&id.0)?;
        let past_since = note(&storage, id, &epochs, node_ms)?;
        Ok(newest_expired(&past_since, node_ms, kept_ms).is_some())
    }

    /// Deletes the secrets of all epochs that have been past for longer than `kept_ms`, and gives their number.
    /// Their messages are answered with [`MlsError::PastEpoch`] from then on.
    ///
    /// Notes epochs as [`Group::note_past_epochs`] does. Checkpoints keep the secrets that they have.
    ///
    /// # Errors
    /// [`MlsError::Torn`], [`MlsError::State`], [`MlsError::Storage`].
    pub fn forget_past_epochs(
        &mut self,
        cx: &mut Context<'_>,
        node_ms: u64,
        kept_ms: u64,
    ) -> Result<usize, MlsError> {
        if self.is_torn {
            return Err(MlsError::Torn);
        }
        self.is_torn = true;
        let provider = cx.provider(&mut self.cache);
        let storage = provider.storage();
        let mut past_since = note(storage, &self.id, &self.epochs, node_ms)?;
        let Some(newest) = newest_expired(&past_since, node_ms, kept_ms) else {
            self.is_torn = false;
            return Ok(0);
        };
        let known = self.epochs.len();
        self.epochs.retain(|number, _| *number > newest);
        past_since.retain(|number, _| *number > newest);
        storage.set_touched(Touched::Nothing);
        self.mls
            .delete_past_epoch_secrets(&provider, all_but_newest(self.epochs.len() - 1))
            .map_err(|error| provider.explain(MlsError::library(error)))?;
        storage.put_epochs(&self.id.0, &self.epochs)?;
        storage.put_past_since(&self.id.0, &past_since)?;
        self.is_torn = false;
        Ok(known - self.epochs.len())
    }
}

/// Since when each past epoch is known to be past; what was not known is noted now.
fn note(
    storage: &Storage<'_>,
    id: &GroupId,
    epochs: &BTreeMap<u64, EpochId>,
    node_ms: u64,
) -> Result<BTreeMap<u64, u64>, MlsError> {
    let before = storage.past_since(&id.0)?;
    let past = epochs.keys().take(epochs.len().saturating_sub(1));
    let past_since = past
        .map(|number| (*number, before.get(number).copied().unwrap_or(node_ms)))
        .collect::<BTreeMap<_, _>>();
    if past_since != before {
        storage.put_past_since(&id.0, &past_since)?;
    }
    Ok(past_since)
}

/// The newest epoch that has been past for too long; older ones go with it.
fn newest_expired(past_since: &BTreeMap<u64, u64>, node_ms: u64, kept_ms: u64) -> Option<u64> {
    let mut newest_first = past_since.iter().rev();
    newest_first.find(|(_, since)| node_ms.saturating_sub(**since) > kept_ms).map(|(number, _)| *number)
}

/// OpenMLS's rule for keeping so many past epochs. It takes a count only beside an age; nothing is that old.
fn all_but_newest(kept: usize) -> PastEpochDeletion {
    PastEpochDeletion::before_timestamp(SystemTime::UNIX_EPOCH).max_past_epochs(kept)
}
