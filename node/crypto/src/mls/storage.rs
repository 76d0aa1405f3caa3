//! OpenMLS's storage over [`KeyValue`].
//!
//! What belongs to a group lies in the namespace `group/<id>`, where the branch lives on which the member
//! is, or in `group/<id>/<epoch id>`, a checkpoint; what belongs to no group lies in `own`. A record's name
//! is a label, followed by a hash of what OpenMLS identifies it by: a hybrid public key has 1,216 bytes.

mod chunks;
mod codec;
mod ours;
mod provider;
mod secrets;
mod tree;
mod visit;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;

use openmls::group::GroupId;

use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use self::codec::CodecError;
pub(super) use self::secrets::Touched;
use self::secrets::{Change, Fetch, ReadError, Whole};
use super::error::MlsError;
use crate::key_value::KeyValue;

/// What is remembered of a group's records between operations, so that only what changed is written.
///
/// True as long as storage is changed through it alone. Where a transaction is dropped, drop it too.
#[derive(Debug, Default)]
pub struct StorageCache(BTreeMap<Vec<u8>, Known>);

/// What is remembered of one namespace.
#[derive(Debug, Default)]
struct Known {
    secrets: secrets::Known,
    tree: tree::KnownTree,
}

/// The storage failed; `Storage::take_failure` says how.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("storage failed")]
pub struct StorageFailed;

/// OpenMLS's storage during one operation.
pub struct Storage<'a> {
    key_value: RefCell<&'a mut dyn KeyValue>,
    cache: RefCell<&'a mut StorageCache>,
    touched: Cell<Touched>,
    is_transient: Cell<bool>,
    failure: RefCell<Option<MlsError>>,
    /// The message secrets that were written last, in one piece.
    #[cfg(test)]
    whole_secrets: RefCell<Option<Zeroizing<Vec<u8>>>>,
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
            touched: Cell::new(Touched::Any),
            is_transient: Cell::new(false),
            failure: RefCell::new(None),
            #[cfg(test)]
            whole_secrets: RefCell::default(),
        }
    }

    /// While true, the state and the message secrets of groups are not written: the operation is about to
    /// replace them.
    pub(super) fn set_transient(&self, is_transient: bool) {
        self.is_transient.set(is_transient);
    }

    /// Says which epochs the operation can change.
    pub(super) fn set_touched(&self, touched: Touched) {
        self.touched.set(touched);
    }

    /// How the storage failed, if it did.
    pub(super) fn take_failure(&self) -> Option<MlsError> {
        self.failure.borrow_mut().take()
    }

    /// Whether a group has a live branch here.
    pub(super) fn holds_group(&self, group: &[u8]) -> Result<bool, MlsError> {
        is_group(*self.key_value.borrow(), &live_namespace(group))
    }

    /// Removes all records of a group's live branch.
    pub(super) fn clear_live(&self, group: &[u8]) -> Result<(), MlsError> {
        let namespace = live_namespace(group);
        self.cache.borrow_mut().0.remove(&namespace);
        Ok(self.key_value.borrow_mut().clear_namespace(&namespace)?)
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
        let found = self.checked(found)?.map(Zeroizing::new);
        self.checked(found.map(|bytes| codec::decode(&bytes)).transpose())
    }

    fn remove(&self, namespace: &[u8], name: &[u8]) -> Result<(), StorageFailed> {
        let removed = self.key_value.borrow_mut().delete(namespace, name);
        self.checked(removed)
    }

    fn write_secrets<S: Serialize>(&self, namespace: Vec<u8>, value: &S) -> Result<(), StorageFailed> {
        let mut cache = self.cache.borrow_mut();
        let known = &mut cache.0.entry(namespace.clone()).or_default().secrets;
        let changes = self.checked(secrets::update(value, known, self.touched.get()))?;
        #[cfg(test)]
        self.whole_secrets.replace(codec::encode(value).ok());
        self.apply(&namespace, changes)
    }

    fn read_secrets<S: DeserializeOwned>(&self, namespace: Vec<u8>) -> Result<Option<S>, StorageFailed> {
        let Some((bytes, known)) = self.read_parts(&namespace, secrets::read)? else {
            return Ok(None);
        };
        self.cache.borrow_mut().0.entry(namespace).or_default().secrets = known;
        self.checked(codec::decode(&bytes)).map(Some)
    }

    fn write_tree_parts<T: Serialize>(&self, namespace: Vec<u8>, value: &T) -> Result<(), StorageFailed> {
        let mut cache = self.cache.borrow_mut();
        let known = &mut cache.0.entry(namespace.clone()).or_default().tree;
        let changes = self.checked(tree::update(value, known))?;
        self.apply(&namespace, changes)
    }

    fn read_tree_parts<T: DeserializeOwned>(&self, namespace: Vec<u8>) -> Result<Option<T>, StorageFailed> {
        let Some((bytes, known)) = self.read_parts(&namespace, tree::read)? else {
            return Ok(None);
        };
        self.cache.borrow_mut().0.entry(namespace).or_default().tree = known;
        self.checked(codec::decode(&bytes)).map(Some)
    }

    fn remove_secrets(&self, namespace: Vec<u8>) -> Result<(), StorageFailed> {
        let found = self.read_parts(&namespace, secrets::read)?;
        let names = found.map(|(_, known)| secrets::names(&known)).unwrap_or_default();
        self.cache.borrow_mut().0.entry(namespace.clone()).or_default().secrets = secrets::Known::default();
        self.apply(&namespace, names.into_iter().map(Change::Remove).collect())
    }

    fn remove_tree_parts(&self, namespace: Vec<u8>) -> Result<(), StorageFailed> {
        let found = self.read_parts(&namespace, tree::read)?;
        let names = found.map(|(_, known)| tree::names(&known)).unwrap_or_default();
        self.cache.borrow_mut().0.entry(namespace.clone()).or_default().tree = tree::KnownTree::default();
        self.apply(&namespace, names.into_iter().map(Change::Remove).collect())
    }

    /// Reads a value that is stored in several records.
    fn read_parts<K>(
        &self,
        namespace: &[u8],
        read: impl FnOnce(&Fetch<'_>) -> Result<Option<Whole<K>>, ReadError>,
    ) -> Result<Option<Whole<K>>, StorageFailed> {
        let fetch = |name: &[u8]| {
            let found = self.key_value.borrow().get(namespace, name);
            Ok(self.checked(found)?.map(Zeroizing::new))
        };
        read(&fetch).map_err(|error| match error {
            ReadError::Storage(failed) => failed,
            ReadError::Codec(error) => self.fail(error),
        })
    }

    fn apply(&self, namespace: &[u8], changes: Vec<Change>) -> Result<(), StorageFailed> {
        let mut key_value = self.key_value.borrow_mut();
        for change in changes {
            let applied = match change {
                Change::Put(name, content) => key_value.put(namespace, &name, &content),
                Change::Remove(name) => key_value.delete(namespace, &name),
            };
            self.checked(applied)?;
        }
        Ok(())
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
    InterimTranscriptHash,
    Context,
    ConfirmationTag,
    GroupState,
    ResumptionPsks,
    OwnLeafIndex,
    EpochSecrets,
    EpochKeyPairs,
    SignatureKeyPair,
    EncryptionKeyPair,
    KeyPackage,
    Psk,
    Epochs,
    PastSince,
    Rollbacks,
}

impl Label {
    const fn name(self) -> &'static [u8] {
        match self {
            Self::JoinConfig => b"join config",
            Self::OwnLeafNodes => b"own leaf nodes",
            Self::ProposalReferences => b"proposal references",
            Self::Proposal => b"proposal/",
            Self::InterimTranscriptHash => b"interim transcript hash",
            Self::Context => b"context",
            Self::ConfirmationTag => b"confirmation tag",
            Self::GroupState => b"group state",
            Self::ResumptionPsks => b"resumption psks",
            Self::OwnLeafIndex => b"own leaf index",
            Self::EpochSecrets => b"epoch secrets",
            Self::EpochKeyPairs => b"epoch key pairs/",
            Self::SignatureKeyPair => b"signature key pair/",
            Self::EncryptionKeyPair => b"encryption key pair/",
            Self::KeyPackage => b"key package/",
            Self::Psk => b"psk/",
            Self::Epochs => b"epochs",
            Self::PastSince => b"past since",
            Self::Rollbacks => b"rollbacks",
        }
    }
}

const GROUP_PREFIX: &[u8] = b"group/";
const OWN: &[u8] = b"own";
