//! Receiving: application messages and the commits of others.

use std::time::SystemTime;

use openmls::framing::errors::{MessageDecryptionError, SecretTreeError};
use openmls::group::{PastEpochDeletion, ProcessMessageError, StagedCommit, ValidationError};
use openmls::prelude::{
    ContentType, OpenMlsProvider, ProcessedMessage, ProcessedMessageContent, Proposal, ProposalOrRefType,
    ProtocolMessage, Sender,
};
use zeroize::Zeroizing;

use super::credential;
use super::error::{MlsError, Refusal};
use super::group::{Context, EPOCH_ID_LABEL, EpochId, Group, Member, epoch_id, group_id, record_of};
use super::peek::parse;
use super::roster::{placed, update_roster};
use super::storage::{StorageFailed, Touched};
use crate::certificate::DeviceCertificate;

/// A commit of another member, valid as far as MLS and credentials go, before it takes effect.
#[derive(Debug)]
pub struct CommitView<'a> {
    /// Who made it.
    pub committer: &'a Member,
    /// Whom it adds, and where.
    pub added: &'a [Member],
    /// Whom it removes.
    pub removed: &'a [Member],
    /// The group's new record, if it changes.
    pub record: Option<&'a [u8]>,
    /// What the committer sent along.
    pub annotation: &'a [u8],
    /// The epoch on which it builds.
    pub parent: EpochId,
    /// The epoch it makes; `None` if it removes us.
    pub epoch: Option<EpochId>,
    /// Whether it renews the committer's keys.
    pub has_path: bool,
}

/// What a message turned out to be.
#[derive(Debug)]
pub enum Opened {
    /// An application message.
    Application {
        /// Who sent it: a member of the message's epoch, perhaps not of the current one.
        sender: Member,
        /// The epoch it was sent in.
        epoch_id: EpochId,
        /// What was sealed.
        plaintext: Zeroizing<Vec<u8>>,
    },
    /// A commit, which is in force now.
    Committed {
        /// Who made it.
        committer: Member,
        /// Whom it added.
        added: Vec<Member>,
        /// Whom it removed.
        removed: Vec<Member>,
        /// What the committer sent along.
        annotation: Vec<u8>,
        /// The new epoch; `None` if we were removed.
        epoch: Option<EpochId>,
        /// Whether we were removed: the group is no longer active.
        removed_us: bool,
    },
    /// A message of our own.
    OwnEcho,
    /// A message that was opened before.
    Duplicate,
}

impl Group {
    /// Opens a message; a commit takes effect if `authorise` lets it.
    ///
    /// # Errors
    /// [`MlsError::Malformed`], [`MlsError::WrongGroup`], [`MlsError::FutureEpoch`], [`MlsError::PastEpoch`],
    /// [`MlsError::GenerationTooOld`], [`MlsError::GenerationTooFar`], [`MlsError::Undecryptable`],
    /// [`MlsError::SenderInvalid`]: the message cannot be opened, the group goes on.
    /// [`MlsError::ChangeRefused`], [`MlsError::CommitInvalid`], [`MlsError::Credential`],
    /// [`MlsError::Refused`]: the commit is not accepted and leaves no trace in storage; load the group again.
    /// [`MlsError::NotAMember`], [`MlsError::Torn`], [`MlsError::Storage`], [`MlsError::Library`].
    pub fn open(
        &mut self,
        cx: &mut Context<'_>,
        message: &[u8],
        authorise: &mut dyn FnMut(&CommitView<'_>) -> Result<(), Refusal>,
    ) -> Result<Opened, MlsError> {
        self.ready()?;
        let message = parse(message)?;
        let epoch = self.check_header(&message)?;
        self.is_torn = true;
        let outcome = self.process(cx, message).and_then(|processed| match processed {
            Some(processed) => self.accept(cx, processed, epoch, authorise),
            None => Ok(Opened::Duplicate),
        });
        self.is_torn = outcome.as_ref().is_err_and(|error| !error.leaves_group_intact());
        outcome
    }

    /// Refuses by the header what needs no decryption to be refused. Gives the epoch's id.
    fn check_header(&self, message: &ProtocolMessage) -> Result<EpochId, MlsError> {
        if group_id(message.group_id())? != self.id {
            return Err(MlsError::WrongGroup);
        }
        let is_commit = match message.content_type() {
            ContentType::Application => false,
            ContentType::Commit => true,
            ContentType::Proposal => return Err(MlsError::ChangeRefused("a proposal outside a commit")),
        };
        let (epoch, ours) = (message.epoch().as_u64(), self.epoch_number());
        if epoch > ours {
            return Err(MlsError::FutureEpoch { epoch, ours });
        }
        let past = MlsError::PastEpoch { epoch, ours };
        if is_commit && epoch < ours {
            return Err(past);
        }
        self.epochs.get(&epoch).copied().ok_or(past)
    }

    /// Decrypts and verifies a message; `None` if that was done before.
    fn process(
        &mut self,
        cx: &mut Context<'_>,
        message: ProtocolMessage,
    ) -> Result<Option<ProcessedMessage>, MlsError> {
        let provider = cx.provider(&mut self.cache);
        // Nothing is written yet: merging a commit writes the secrets, and one that is refused shall not have
        // used up its key; what an application message changes is known when its sender is.
        provider.storage().set_transient(true);
        let processed = match self.mls.process_message(&provider, message) {
            Ok(processed) => processed,
            Err(error) if is_reuse(&error) => return Ok(None),
            Err(error) => return Err(provider.explain(MlsError::from_processing(error))),
        };
        if let (ProcessedMessageContent::ApplicationMessage(_), Sender::Member(leaf)) =
            (processed.content(), processed.sender())
        {
            let epoch = processed.epoch();
            provider.storage().set_transient(false);
            provider.storage().set_touched(match epoch == self.mls.epoch() {
                true => Touched::Current(leaf.u32()),
                false => Touched::Past(epoch.as_u64(), leaf.u32()),
            });
            // Deletes nothing, as nothing is that old; writes the secrets.
            let nothing = PastEpochDeletion::before_timestamp(SystemTime::UNIX_EPOCH);
            self.mls
                .delete_past_epoch_secrets(&provider, nothing)
                .map_err(|error| provider.explain(MlsError::library(error)))?;
        }
        Ok(Some(processed))
    }

    fn accept(
        &mut self,
        cx: &mut Context<'_>,
        processed: ProcessedMessage,
        epoch_id: EpochId,
        authorise: &mut dyn FnMut(&CommitView<'_>) -> Result<(), Refusal>,
    ) -> Result<Opened, MlsError> {
        let Sender::Member(leaf) = *processed.sender() else {
            return Err(MlsError::ChangeRefused("a sender outside the group"));
        };
        let leaf = leaf.u32();
        let annotation = processed.aad().to_vec();
        let credential = processed.credential().clone();
        match processed.into_content() {
            ProcessedMessageContent::ApplicationMessage(message) => {
                let certificate = self.certificate_of(leaf, &credential)?;
                let plaintext = Zeroizing::new(message.into_bytes());
                Ok(Opened::Application { sender: Member { leaf, certificate }, epoch_id, plaintext })
            }
            ProcessedMessageContent::StagedCommitMessage(staged) => {
                let committer = self.member(leaf).ok_or(MlsError::SenderInvalid)?;
                self.accept_commit(cx, committer, *staged, annotation, authorise)
            }
            ProcessedMessageContent::OwnPrivateMessage | ProcessedMessageContent::OwnPendingCommit => {
                Ok(Opened::OwnEcho)
            }
            _ => Err(MlsError::ChangeRefused("a proposal outside a commit")),
        }
    }

    /// The certificate of a message's sender, from the roster where it is the same.
    fn certificate_of(
        &self,
        leaf: u32,
        credential: &openmls::prelude::Credential,
    ) -> Result<DeviceCertificate, MlsError> {
        let known = self.roster.get(&leaf);
        match known.filter(|certificate| certificate.encode() == credential.serialized_content()) {
            Some(certificate) => Ok(certificate.clone()),
            None => Ok(credential::verify_certificate(credential)?),
        }
    }

    fn accept_commit(
        &mut self,
        cx: &mut Context<'_>,
        committer: Member,
        staged: StagedCommit,
        annotation: Vec<u8>,
        authorise: &mut dyn FnMut(&CommitView<'_>) -> Result<(), Refusal>,
    ) -> Result<Opened, MlsError> {
        let effects = self.effects(&staged)?;
        if let Some(leaf) = staged.update_path_leaf_node() {
            credential::verify_updated_leaf(leaf, &committer.certificate)?;
        }
        let removed_us = staged.self_removed();
        let provider = cx.provider(&mut self.cache);
        let epoch = if removed_us {
            None
        } else {
            let secret = staged.export_secret(provider.crypto(), EPOCH_ID_LABEL, &[], 32);
            Some(epoch_id(&secret.map_err(MlsError::library)?)?)
        };
        let Effects { added, removed, record } = effects;
        authorise(&CommitView {
            committer: &committer,
            added: &added,
            removed: &removed,
            record: record.as_deref(),
            annotation: &annotation,
            parent: self.epochs.last_key_value().map_or(EpochId([0; 32]), |(_, id)| *id),
            epoch,
            has_path: staged.update_path_leaf_node().is_some(),
        })?;
        self.mls
            .merge_staged_commit(&provider, staged)
            .map_err(|error| provider.explain(MlsError::library(error)))?;
        drop(provider);
        let removed_leaves: Vec<_> = removed.iter().map(|member| member.leaf).collect();
        update_roster(&mut self.roster, &self.mls, &removed_leaves, &added)?;
        if !removed_us {
            self.note_epoch(cx)?;
        }
        Ok(Opened::Committed { committer, added, removed, annotation, epoch, removed_us })
    }

    /// What a commit would do, its forms restricted to ours and its new leaves verified.
    fn effects(&self, staged: &StagedCommit) -> Result<Effects, MlsError> {
        let mut certificates = Vec::new();
        let mut removed = Vec::new();
        let mut record = None;
        for queued in staged.queued_proposals() {
            if queued.proposal_or_ref_type() != ProposalOrRefType::Proposal {
                return Err(MlsError::ChangeRefused("a proposal by reference"));
            }
            match queued.proposal() {
                Proposal::Add(add) => {
                    certificates.push(credential::verify_new_leaf(add.key_package(), self.suite)?);
                }
                Proposal::Remove(remove) => {
                    let leaf = remove.removed().u32();
                    removed.push(self.member(leaf).ok_or(MlsError::NoSuchMember(leaf))?);
                }
                Proposal::GroupContextExtensions(extensions) => {
                    let new = record_of(extensions.extensions())
                        .ok_or(MlsError::ChangeRefused("group context extensions other than the record"))?;
                    record = Some(new.to_vec());
                }
                _ => return Err(MlsError::ChangeRefused("a proposal of another kind")),
            }
        }
        let removed_leaves: Vec<_> = removed.iter().map(|member| member.leaf).collect();
        Ok(Effects { added: placed(&self.roster, &removed_leaves, certificates), removed, record })
    }
}

/// Whether a message's key was used before.
fn is_reuse(error: &ProcessMessageError<StorageFailed>) -> bool {
    matches!(
        error,
        ProcessMessageError::ValidationError(ValidationError::UnableToDecrypt(
            MessageDecryptionError::SecretTreeError(SecretTreeError::SecretReuseError)
        ))
    )
}

struct Effects {
    added: Vec<Member>,
    removed: Vec<Member>,
    record: Option<Vec<u8>>,
}
