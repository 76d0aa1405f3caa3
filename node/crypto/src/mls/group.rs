//! A group as one member has it.

use std::collections::BTreeMap;
use std::fmt;

use openmls::group::{
    GroupContext, GroupId as MlsGroupId, MlsGroup, MlsGroupJoinConfig, PURE_CIPHERTEXT_WIRE_FORMAT_POLICY,
};
use openmls::prelude::{
    CredentialType, Extension, ExtensionType, Extensions, Lifetime, OpenMlsProvider,
    RequiredCapabilitiesExtension, SenderRatchetConfiguration, UnknownExtension,
};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::credential;
use super::crypto::Crypto;
use super::error::MlsError;
use super::key_package::capabilities;
use super::provider::{DeviceSigner, Provider};
use super::roster::stored_roster;
use super::storage::{Storage, StorageCache, Touched, checkpoint_namespace, live_namespace};
use super::suite::Suite;
use crate::certificate::DeviceCertificate;
use crate::identity::DeviceSecret;
use crate::key_value::KeyValue;

/// Epochs before the current one whose messages can still be opened.
pub const PAST_EPOCHS_MAX: usize = 32;

/// Messages of one sender in one epoch that may overtake one another.
pub const OUT_OF_ORDER_MESSAGES_MAX: u32 = 256;

/// Messages of one sender in one epoch that may be missing before one that is opened.
pub const MISSING_MESSAGES_MAX: u32 = 2_000;

/// Type of the GroupContext extension that holds the group's record: of the private range (RFC 9420,
/// section 17.3).
pub const RECORD_EXTENSION: u16 = 0xF0F1;

/// What every operation needs.
pub struct Context<'a> {
    /// Where the group's state lies; written within the caller's transaction.
    pub storage: &'a mut dyn KeyValue,
    /// Every random byte of the operation comes from here.
    pub rng: &'a mut dyn CryptoRng,
    /// This device's signature key.
    pub device: &'a DeviceSecret,
    /// This device's certificate.
    pub certificate: &'a DeviceCertificate,
}

impl Context<'_> {
    pub(super) fn provider<'b>(&'b mut self, cache: &'b mut StorageCache) -> Provider<'b> {
        Provider::new(self.storage, self.rng, cache)
    }
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Context").field("certificate", self.certificate).finish_non_exhaustive()
    }
}

/// Names a group: 32 random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(pub [u8; 32]);

/// Names an epoch of a group on one branch: its exporter's word for "qpq epoch id" (RFC 9420, section 8.5).
///
/// Unlike the epoch's number it differs between branches. Members alone can compute it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EpochId(pub [u8; 32]);

/// A device in a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Index of its leaf in the ratchet tree.
    pub leaf: u32,
    /// Its verified certificate. Whether it still holds says its identity's newest device list.
    pub certificate: DeviceCertificate,
}

/// A group as one member has it, on one branch.
///
/// Holds the group's secrets; keep it in memory between operations. An operation that fails with an error
/// for which [`MlsError::leaves_group_intact`] is false leaves the value torn: it refuses everything from
/// then on, and the caller drops it together with the transaction and loads the group again. Where a
/// transaction is dropped for another reason, drop the groups that were used in it too: they remember what
/// they wrote.
pub struct Group {
    pub(super) mls: MlsGroup,
    pub(super) id: GroupId,
    pub(super) suite: Suite,
    /// The certificates of the current epoch's members, by leaf.
    pub(super) roster: BTreeMap<u32, DeviceCertificate>,
    /// The ids of the current epoch and of those past ones whose messages can be opened, by number.
    pub(super) epochs: BTreeMap<u64, EpochId>,
    pub(super) cache: StorageCache,
    pub(super) is_torn: bool,
    /// Whether our leaf is older than the last rollback of the storage.
    pub(super) is_sending_refused: bool,
}

impl Group {
    /// Makes a group of this device alone. `record` is the group's record, opaque here and visible to
    /// members alone.
    ///
    /// # Errors
    /// [`MlsError::Credential`] if our own certificate is not the device's, or does not name the suite;
    /// [`MlsError::Storage`].
    pub fn create(cx: &mut Context<'_>, suite: Suite, record: &[u8]) -> Result<Self, MlsError> {
        let credential = credential::own(cx.device, cx.certificate, suite)?;
        let mut id = [0; 32];
        cx.rng.fill_bytes(&mut id);
        let signer = DeviceSigner(cx.device);
        let mut cache = StorageCache::default();
        let provider = cx.provider(&mut cache);
        let mls = MlsGroup::builder()
            .with_group_id(MlsGroupId::from_slice(&id))
            .replace_old_group()
            .ciphersuite(suite.ciphersuite())
            .with_wire_format_policy(PURE_CIPHERTEXT_WIRE_FORMAT_POLICY)
            .max_past_epochs(PAST_EPOCHS_MAX)
            .sender_ratchet_configuration(sender_ratchets())
            .use_ratchet_tree_extension(true)
            .lifetime(Lifetime::init(0, u64::MAX))
            .with_capabilities(capabilities())
            .with_group_context_extensions(record_extensions(record)?)
            .build(&provider, &signer, credential)
            .map_err(|error| provider.explain(MlsError::library(error)))?;
        drop(provider);
        let roster = BTreeMap::from([(mls.own_leaf_index().u32(), cx.certificate.clone())]);
        Self::begin(cx, mls, roster, cache)
    }

    /// Loads the live branch of a group, as it was after the last committed transaction.
    ///
    /// # Errors
    /// [`MlsError::State`] if what is stored cannot be read; [`MlsError::Storage`].
    pub fn load(cx: &mut Context<'_>, id: &GroupId) -> Result<Option<Self>, MlsError> {
        let mut cache = StorageCache::default();
        let provider = cx.provider(&mut cache);
        if !provider.storage().holds_group(&id.0)? {
            return Ok(None);
        }
        let mls = MlsGroup::load(provider.storage(), &MlsGroupId::from_slice(&id.0))
            .map_err(|error| provider.explain(MlsError::library(error)))?
            .ok_or_else(|| MlsError::State("a record of the group is missing".into()))?;
        let epochs = provider.storage().epochs(&id.0)?;
        let is_sending_refused = provider.storage().is_sending_refused(&id.0)?;
        drop(provider);
        let suite = suite_of(&mls)?;
        let roster = stored_roster(mls.members())?;
        Ok(Some(Self { mls, id: *id, suite, roster, epochs, cache, is_torn: false, is_sending_refused }))
    }

    /// A group that has just come into being, with the record of its first epoch.
    pub(super) fn begin(
        cx: &mut Context<'_>,
        mls: MlsGroup,
        roster: BTreeMap<u32, DeviceCertificate>,
        cache: StorageCache,
    ) -> Result<Self, MlsError> {
        let id = group_id(mls.group_id())?;
        let suite = suite_of(&mls)?;
        let mut group = Self {
            mls,
            id,
            suite,
            roster,
            epochs: BTreeMap::new(),
            cache,
            is_torn: false,
            is_sending_refused: false,
        };
        Storage::new(cx.storage, &mut group.cache).note_entry(&id.0)?;
        group.note_epoch(cx)?;
        Ok(group)
    }

    /// Names the group.
    pub fn id(&self) -> GroupId {
        self.id
    }

    /// The group's cipher suite.
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// Names the current epoch; of a group that we were removed from, the last epoch we were in.
    pub fn epoch_id(&self) -> EpochId {
        let newest = self.epochs.last_key_value();
        newest.map_or(EpochId([0; 32]), |(_, id)| *id)
    }

    /// The current epoch's number. For people to read only: two branches have epochs of one number.
    pub fn epoch_number(&self) -> u64 {
        self.mls.epoch().as_u64()
    }

    /// The index of our own leaf.
    pub fn own_leaf(&self) -> u32 {
        self.mls.own_leaf_index().u32()
    }

    /// The members of the current epoch, in the order of their leaves.
    pub fn members(&self) -> Vec<Member> {
        self.roster
            .iter()
            .map(|(leaf, certificate)| Member { leaf: *leaf, certificate: certificate.clone() })
            .collect()
    }

    /// The member at a leaf of the current epoch.
    pub fn member(&self, leaf: u32) -> Option<Member> {
        self.roster.get(&leaf).map(|certificate| Member { leaf, certificate: certificate.clone() })
    }

    /// The group's record as of the current epoch.
    pub fn record(&self) -> &[u8] {
        record_of(self.mls.extensions()).unwrap_or_default()
    }

    /// Whether we are still a member.
    pub fn is_active(&self) -> bool {
        self.mls.is_active()
    }

    /// A secret that the members of this epoch share (RFC 9420, section 8.5). `length` is in bytes.
    ///
    /// # Errors
    /// [`MlsError::NotAMember`]; [`MlsError::Library`] if `length` is too long.
    pub fn export(&self, label: &str, context: &[u8], length: usize) -> Result<Zeroizing<Vec<u8>>, MlsError> {
        self.ready()?;
        let secret = self.mls.export_secret(&Crypto::unseeded(), label, context, length);
        secret.map(Zeroizing::new).map_err(MlsError::library)
    }

    /// Encrypts an application message to the current epoch. Padding is the caller's.
    ///
    /// # Errors
    /// [`MlsError::NotAMember`], [`MlsError::SendingRefused`], [`MlsError::Torn`], [`MlsError::Storage`].
    pub fn seal(&mut self, cx: &mut Context<'_>, plaintext: &[u8]) -> Result<Vec<u8>, MlsError> {
        self.ready()?;
        self.may_send()?;
        self.is_torn = true;
        let signer = DeviceSigner(cx.device);
        let provider = cx.provider(&mut self.cache);
        provider.storage().set_touched(Touched::Current(self.mls.own_leaf_index().u32()));
        let message = self
            .mls
            .create_message(&provider, &signer, plaintext)
            .map_err(|error| provider.explain(MlsError::library(error)))?;
        self.is_torn = false;
        message.to_bytes().map_err(MlsError::library)
    }

    /// Deletes the live branch. Checkpoints stay until they are dropped.
    ///
    /// # Errors
    /// [`MlsError::Storage`].
    pub fn delete(self, cx: &mut Context<'_>) -> Result<(), MlsError> {
        Ok(cx.storage.clear_namespace(&live_namespace(&self.id.0))?)
    }

    /// Keeps the group as it is now under its epoch's id, to come back to with [`Group::rewind`].
    ///
    /// A checkpoint holds the secrets with which everything since can be decrypted: drop it in time.
    ///
    /// # Errors
    /// [`MlsError::Torn`], [`MlsError::Storage`].
    pub fn checkpoint(&self, cx: &mut Context<'_>) -> Result<EpochId, MlsError> {
        if self.is_torn {
            return Err(MlsError::Torn);
        }
        let epoch = self.epoch_id();
        cx.storage
            .copy_namespace(&live_namespace(&self.id.0), &checkpoint_namespace(&self.id.0, &epoch.0))?;
        Ok(epoch)
    }

    /// Makes a checkpoint the live branch and loads it; `None` where there is no such checkpoint. The
    /// checkpoint stays.
    ///
    /// Ratchets go back too: before it seals anything on a branch it had sealed on, the caller must commit,
    /// or keys and nonces are used twice.
    ///
    /// # Errors
    /// Those of [`Group::load`].
    pub fn rewind(cx: &mut Context<'_>, id: &GroupId, epoch: &EpochId) -> Result<Option<Self>, MlsError> {
        let checkpoint = checkpoint_namespace(&id.0, &epoch.0);
        if !super::storage::is_group(cx.storage, &checkpoint)? {
            return Ok(None);
        }
        cx.storage.copy_namespace(&checkpoint, &live_namespace(&id.0))?;
        Self::load(cx, id)
    }

    /// Deletes a checkpoint; nothing happens where there is none.
    ///
    /// # Errors
    /// [`MlsError::Storage`].
    pub fn drop_checkpoint(cx: &mut Context<'_>, id: &GroupId, epoch: &EpochId) -> Result<(), MlsError> {
        Ok(cx.storage.clear_namespace(&checkpoint_namespace(&id.0, &epoch.0))?)
    }

    /// Fails if nothing more can be done with this value.
    pub(super) fn ready(&self) -> Result<(), MlsError> {
        if self.is_torn {
            return Err(MlsError::Torn);
        }
        if !self.mls.is_active() {
            return Err(MlsError::NotAMember);
        }
        Ok(())
    }

    /// Computes the current epoch's id, and stores it with those of the past epochs that are kept.
    pub(super) fn note_epoch(&mut self, cx: &mut Context<'_>) -> Result<EpochId, MlsError> {
        let secret = self.mls.export_secret(&Crypto::unseeded(), EPOCH_ID_LABEL, &[], 32);
        let epoch = epoch_id(&secret.map_err(MlsError::library)?)?;
        self.epochs.insert(self.epoch_number(), epoch);
        while self.epochs.len() > PAST_EPOCHS_MAX + 1 {
            self.epochs.pop_first();
        }
        cx.provider(&mut self.cache).storage().put_epochs(&self.id.0, &self.epochs)?;
        Ok(epoch)
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Group")
            .field("id", &self.id)
            .field("suite", &self.suite)
            .field("epoch_number", &self.epoch_number())
            .field("members", &self.roster.len())
            .finish_non_exhaustive()
    }
}

/// How a joiner runs the group; not transmitted, the same for all of us.
pub(super) fn join_config() -> MlsGroupJoinConfig {
    MlsGroupJoinConfig::builder()
        .wire_format_policy(PURE_CIPHERTEXT_WIRE_FORMAT_POLICY)
        .max_past_epochs(PAST_EPOCHS_MAX)
        .number_of_resumption_psks(RESUMPTION_PSKS)
        .sender_ratchet_configuration(sender_ratchets())
        .use_ratchet_tree_extension(true)
        .build()
}

/// The group context extensions of a group with this record. What every leaf must support is among them,
/// or the record could not be changed later (RFC 9420, section 12.1.7).
pub(super) fn record_extensions(record: &[u8]) -> Result<Extensions<GroupContext>, MlsError> {
    let record = Extension::Unknown(RECORD_EXTENSION, UnknownExtension(record.to_vec()));
    let required = Extension::RequiredCapabilities(required_capabilities());
    Extensions::from_vec(vec![required, record]).map_err(MlsError::library)
}

/// The record, if the extensions are those of a group of ours.
pub(super) fn record_of(extensions: &Extensions<GroupContext>) -> Option<&[u8]> {
    let is_ours = extensions.iter().count() == 2
        && extensions.required_capabilities() == Some(&required_capabilities());
    extensions.unknown(RECORD_EXTENSION).filter(|_| is_ours).map(|record| record.0.as_slice())
}

fn required_capabilities() -> RequiredCapabilitiesExtension {
    RequiredCapabilitiesExtension::new(
        &[ExtensionType::Unknown(RECORD_EXTENSION)],
        &[],
        &[CredentialType::Basic],
    )
}

pub(super) fn epoch_id(secret: &[u8]) -> Result<EpochId, MlsError> {
    secret.try_into().map(EpochId).map_err(MlsError::library)
}

pub(super) fn group_id(id: &MlsGroupId) -> Result<GroupId, MlsError> {
    id.as_slice().try_into().map(GroupId).map_err(|_| MlsError::Malformed)
}

fn suite_of(mls: &MlsGroup) -> Result<Suite, MlsError> {
    let ciphersuite = mls.ciphersuite();
    Suite::from_ciphersuite(ciphersuite).ok_or(MlsError::SuiteUnsupported(ciphersuite.into()))
}

fn sender_ratchets() -> SenderRatchetConfiguration {
    SenderRatchetConfiguration::new(OUT_OF_ORDER_MESSAGES_MAX, MISSING_MESSAGES_MAX)
}

pub(super) const EPOCH_ID_LABEL: &str = "qpq epoch id";
const RESUMPTION_PSKS: usize = 32;
