//! OpenMLS's storage over [`KeyValue`].
//!
//! What belongs to a group lies in the namespace `group/<id>`, where the branch lives on which the member
//! is, or in `group/<id>/<epoch id>`, a checkpoint; what belongs to no group lies in `own`. A record's name
//! is a label, followed by a hash of what OpenMLS identifies it by: a hybrid public key has 1,216 bytes.

mod codec;
mod provider;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;

use openmls::group::GroupId;

use serde::Serialize;
use serde::de::DeserializeOwned;

use self::codec::CodecError;
use super::error::MlsError;
use super::group::EpochId;
use crate::key_value::KeyValue;

/// What is remembered of a group's records between operations, so that only what changed is written.
#[derive(Debug, Default)]
pub struct StorageCache {}

/// The storage failed; [`Storage::take_failure`] says how.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("storage failed")]
pub struct StorageFailed;

/// OpenMLS's storage during one operation.
pub struct Storage<'a> {
    key_value: RefCell<&'a mut dyn KeyValue>,
    #[expect(dead_code)]
    cache: RefCell<&'a mut StorageCache>,
    is_transient: Cell<bool>,
    failure: RefCell<Option<MlsError>>,
}

/// The namespace of a group's live branch.
pub(super) fn live_namespace(group: &[u8]) -> Vec<u8> {
    [GROUP_PREFIX, group].concat()
}

/// The namespace of one of a group's checkpoints.
pub(super) fn checkpoint_namespace(group: &[u8], epoch: &[u8; 32]) -> Vec<u8> {
    [GROUP_PREFIX, group, b"/", epoch].concat()
}

impl fmt::Debug for Storage<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Storage").finish_non_exhaustive()
    }
}

/// Whether a namespace holds a branch of a group.
pub(super) fn is_group(key_value: &dyn KeyValue, namespace: &[u8]) -> Result<bool, MlsError> {
    Ok(key_value.get(namespace, Label::GroupState.name())?.is_some())
}

impl<'a> Storage<'a> {
    pub(super) fn new(key_value: &'a mut dyn KeyValue, cache: &'a mut StorageCache) -> Self {
        Self {
            key_value: RefCell::new(key_value),
            cache: RefCell::new(cache),
            is_transient: Cell::new(false),
            failure: RefCell::new(None),
        }
    }

    /// While true, the state and the message secrets of groups are not written: the operation is about to
    /// replace them.
    pub(super) fn set_transient(&self, is_transient: bool) {
        self.is_transient.set(is_transient);
    }

    /// How the storage failed, if it did.
    pub(super) fn take_failure(&self) -> Option<MlsError> {
        self.failure.borrow_mut().take()
    }

    /// Whether a group has a live branch here.
    pub(super) fn holds_group(&self, group: &[u8]) -> Result<bool, MlsError> {
        is_group(*self.key_value.borrow(), &live_namespace(group))
    }

    /// Writes the ids of a group's epochs, by number.
    pub(super) fn put_epochs(&self, group: &[u8], epochs: &BTreeMap<u64, EpochId>) -> Result<(), MlsError> {
        let epochs: Vec<_> = epochs.iter().map(|(number, id)| (*number, id.0)).collect();
        let bytes = codec::encode(&epochs)?;
        Ok(self.key_value.borrow_mut().put(&live_namespace(group), Label::Epochs.name(), &bytes)?)
    }

    /// Reads the ids of a group's epochs.
    pub(super) fn epochs(&self, group: &[u8]) -> Result<BTreeMap<u64, EpochId>, MlsError> {
        let bytes = self.key_value.borrow().get(&live_namespace(group), Label::Epochs.name())?;
        let bytes = bytes.ok_or_else(|| MlsError::State("the ids of the epochs are missing".into()))?;
        let epochs: Vec<(u64, [u8; 32])> = codec::decode(&bytes)?;
        Ok(epochs.into_iter().map(|(number, id)| (number, EpochId(id))).collect())
    }

    /// Removes all records of a group's live branch.
    pub(super) fn clear_live(&self, group: &[u8]) -> Result<(), MlsError> {
        Ok(self.key_value.borrow_mut().clear_namespace(&live_namespace(group))?)
    }

    fn fail(&self, failure: impl Into<MlsError>) -> StorageFailed {
        self.failure.borrow_mut().get_or_insert(failure.into());
        StorageFailed
    }

    fn checked<T>(&self, result: Result<T, impl Into<MlsError>>) -> Result<T, StorageFailed> {
        result.map_err(|failure| self.fail(failure))
    }

    fn group_namespace<G: Serialize>(&self, group: &G) -> Result<Vec<u8>, StorageFailed> {
        let id: GroupId = self.checked(codec::encode(group).and_then(|bytes| codec::decode(&bytes)))?;
        Ok(live_namespace(id.as_slice()))
    }

    fn identified<K: Serialize + ?Sized>(&self, label: Label, key: &K) -> Result<Vec<u8>, StorageFailed> {
        let key = self.checked(codec::encode(key))?;
        Ok([label.name(), blake3::hash(&key).as_bytes()].concat())
    }

    fn write<V: Serialize + ?Sized>(
        &self,
        namespace: &[u8],
        name: &[u8],
        value: &V,
    ) -> Result<(), StorageFailed> {
        let bytes = self.checked(codec::encode(value))?;
        let written = self.key_value.borrow_mut().put(namespace, name, &bytes);
        self.checked(written)
    }

    fn read<V: DeserializeOwned>(&self, namespace: &[u8], name: &[u8]) -> Result<Option<V>, StorageFailed> {
        let found = self.key_value.borrow().get(namespace, name);
        let found = self.checked(found)?.map(zeroize::Zeroizing::new);
        self.checked(found.map(|bytes| codec::decode(&bytes)).transpose())
    }

    fn remove(&self, namespace: &[u8], name: &[u8]) -> Result<(), StorageFailed> {
        let removed = self.key_value.borrow_mut().delete(namespace, name);
        self.checked(removed)
    }

    fn write_of_group<G: Serialize, V: Serialize>(
        &self,
        group: &G,
        label: Label,
        value: &V,
    ) -> Result<(), StorageFailed> {
        self.write(&self.group_namespace(group)?, label.name(), value)
    }

    fn read_of_group<G: Serialize, V: DeserializeOwned>(
        &self,
        group: &G,
        label: Label,
    ) -> Result<Option<V>, StorageFailed> {
        self.read(&self.group_namespace(group)?, label.name())
    }

    fn remove_of_group<G: Serialize>(&self, group: &G, label: Label) -> Result<(), StorageFailed> {
        self.remove(&self.group_namespace(group)?, label.name())
    }
}

impl From<CodecError> for MlsError {
    fn from(error: CodecError) -> Self {
        Self::State(error.to_string())
    }
}

/// What a record holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Label {
    JoinConfig,
    OwnLeafNodes,
    ProposalReferences,
    Proposal,
    Tree,
    InterimTranscriptHash,
    Context,
    ConfirmationTag,
    GroupState,
    MessageSecrets,
    ResumptionPsks,
    OwnLeafIndex,
    EpochSecrets,
    EpochKeyPairs,
    SignatureKeyPair,
    EncryptionKeyPair,
    KeyPackage,
    Psk,
    Epochs,
}

impl Label {
    const fn name(self) -> &'static [u8] {
        match self {
            Self::JoinConfig => b"join config",
            Self::OwnLeafNodes => b"own leaf nodes",
            Self::ProposalReferences => b"proposal references",
            Self::Proposal => b"proposal/",
            Self::Tree => b"tree",
            Self::InterimTranscriptHash => b"interim transcript hash",
            Self::Context => b"context",
            Self::ConfirmationTag => b"confirmation tag",
            Self::GroupState => b"group state",
            Self::MessageSecrets => b"message secrets",
            Self::ResumptionPsks => b"resumption psks",
            Self::OwnLeafIndex => b"own leaf index",
            Self::EpochSecrets => b"epoch secrets",
            Self::EpochKeyPairs => b"epoch key pairs/",
            Self::SignatureKeyPair => b"signature key pair/",
            Self::EncryptionKeyPair => b"encryption key pair/",
            Self::KeyPackage => b"key package/",
            Self::Psk => b"psk/",
            Self::Epochs => b"epochs",
        }
    }
}

const GROUP_PREFIX: &[u8] = b"group/";
const OWN: &[u8] = b"own";
