//! Records of ours, of which OpenMLS knows nothing.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Label, OWN, Storage, codec, live_namespace};
use crate::mls::error::MlsError;
use crate::mls::group::EpochId;

impl Storage<'_> {
    /// Writes the ids of a group's epochs, by number.
    pub(in crate::mls) fn put_epochs(
        &self,
        group: &[u8],
        epochs: &BTreeMap<u64, EpochId>,
    ) -> Result<(), MlsError> {
        let epochs: Vec<_> = epochs.iter().map(|(number, id)| (*number, id.0)).collect();
        self.put_record(&live_namespace(group), Label::Epochs, &epochs)
    }

    /// Reads the ids of a group's epochs.
    pub(in crate::mls) fn epochs(&self, group: &[u8]) -> Result<BTreeMap<u64, EpochId>, MlsError> {
        let epochs: Option<Vec<(u64, [u8; 32])>> = self.record(&live_namespace(group), Label::Epochs)?;
        let epochs = epochs.ok_or_else(|| MlsError::State("the ids of the epochs are missing".into()))?;
        Ok(epochs.into_iter().map(|(number, id)| (number, EpochId(id))).collect())
    }

    /// Writes since when a group's past epochs are past, by number, in the caller's milliseconds.
    pub(in crate::mls) fn put_past_since(
        &self,
        group: &[u8],
        since: &BTreeMap<u64, u64>,
    ) -> Result<(), MlsError> {
        let since: Vec<_> = since.iter().collect();
        self.put_record(&live_namespace(group), Label::PastSince, &since)
    }

    /// Reads since when a group's past epochs are past, of those for which that was noted.
    pub(in crate::mls) fn past_since(&self, group: &[u8]) -> Result<BTreeMap<u64, u64>, MlsError> {
        let since: Option<Vec<(u64, u64)>> = self.record(&live_namespace(group), Label::PastSince)?;
        Ok(since.unwrap_or_default().into_iter().collect())
    }

    /// Writes how many rollbacks of this storage were noted.
    pub(in crate::mls) fn put_rollbacks(&self, rollbacks: u64) -> Result<(), MlsError> {
        self.put_record(OWN, Label::Rollbacks, &rollbacks)
    }

    /// Reads how many rollbacks of this storage were noted.
    pub(in crate::mls) fn rollbacks(&self) -> Result<u64, MlsError> {
        Ok(self.record(OWN, Label::Rollbacks)?.unwrap_or_default())
    }

    /// Remembers that this device enters a group now, after all rollbacks that were noted.
    pub(in crate::mls) fn note_entry(&self, group: &[u8]) -> Result<(), MlsError> {
        match self.rollbacks()? {
            0 => Ok(()),
            rollbacks => self.put_record(&live_namespace(group), Label::Rollbacks, &rollbacks),
        }
    }

    /// Whether a rollback was noted since this device entered a group.
    pub(in crate::mls) fn is_sending_refused(&self, group: &[u8]) -> Result<bool, MlsError> {
        let at_entry: Option<u64> = self.record(&live_namespace(group), Label::Rollbacks)?;
        Ok(at_entry.unwrap_or_default() < self.rollbacks()?)
    }

    /// Removes all that belongs to no group: key packages with their secrets.
    pub(in crate::mls) fn clear_own(&self) -> Result<(), MlsError> {
        Ok(self.key_value.borrow_mut().clear_namespace(OWN)?)
    }

    /// Writes a record of ours.
    fn put_record<V: Serialize>(&self, namespace: &[u8], label: Label, value: &V) -> Result<(), MlsError> {
        let bytes = codec::encode(value)?;
        Ok(self.key_value.borrow_mut().put(namespace, label.name(), &bytes)?)
    }

    /// Reads a record of ours.
    fn record<V: DeserializeOwned>(&self, namespace: &[u8], label: Label) -> Result<Option<V>, MlsError> {
        let bytes = self.key_value.borrow().get(namespace, label.name())?;
        Ok(bytes.map(|bytes| codec::decode(&bytes)).transpose()?)
    }
}
