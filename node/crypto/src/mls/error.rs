//! What can go wrong in a group.

use std::fmt::Display;

use openmls::framing::errors::{MessageDecryptionError, SecretTreeError};
use openmls::group::{ProcessMessageError, ValidationError, WelcomeError};
use openmls::prelude::MlsGroupStateError;

use super::credential::CredentialError;
use super::storage::StorageFailed;
use crate::key_value::KeyValueError;

/// The caller's reason not to let a change or an invitation through.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub &'static str);

/// Why an operation on a group failed.
///
/// After any error but those for which [`MlsError::leaves_group_intact`] is true the group in memory may
/// differ from what is stored: drop it, drop the transaction, and load it again. A group in that state
/// answers every further operation with [`MlsError::Torn`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MlsError {
    // The message.
    /// Not a message of MLS, or of a form we do not use.
    #[error("message is malformed")]
    Malformed,
    /// For another group.
    #[error("message is for another group")]
    WrongGroup,
    /// From an epoch that this member has not reached: keep it until the commit arrives.
    #[error("message is from epoch {epoch}, ours is {ours}")]
    FutureEpoch {
        /// The message's epoch number.
        epoch: u64,
        /// The group's epoch number.
        ours: u64,
    },
    /// A commit for an epoch that is over, or a message from an epoch whose secrets are gone.
    #[error("message is from epoch {epoch}, which is over; ours is {ours}")]
    PastEpoch {
        /// The message's epoch number.
        epoch: u64,
        /// The group's epoch number.
        ours: u64,
    },
    /// So many messages of its sender overtook it that its key is gone, or it is a repetition.
    #[error("message was overtaken by too many others, or is a repetition")]
    GenerationTooOld,
    /// So many messages of its sender are missing that its key is not derived.
    #[error("message is too far ahead of those before it")]
    GenerationTooFar,
    /// Does not decrypt: corrupt, forged, or of another branch of the group.
    #[error("message does not decrypt")]
    Undecryptable,
    /// The signature of its sender is not valid, or the sender is unknown.
    #[error("message is not by a member of its epoch")]
    SenderInvalid,
    /// A form of change that is not accepted in our groups: proposals outside commits, joining by external
    /// commit, unencrypted handshakes, and all proposals but add, remove and group context extensions.
    #[error("this kind of change is not accepted: {0}")]
    ChangeRefused(&'static str),
    /// A commit that MLS forbids.
    #[error("commit is not valid: {0}")]
    CommitInvalid(String),
    /// A welcome that MLS forbids.
    #[error("welcome is not valid: {0}")]
    WelcomeInvalid(String),
    /// A welcome to none of our key packages, or to one that was used before.
    #[error("welcome is for no key package of ours")]
    KeyPackageUnknown,
    /// A key package that MLS or we forbid.
    #[error("key package is not valid: {0}")]
    KeyPackageInvalid(String),
    /// A leaf whose credential does not hold.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// A cipher suite that is none of ours, by its code point.
    #[error("cipher suite {0:#06x} is not supported")]
    SuiteUnsupported(u16),

    // The caller.
    /// The caller's callback said no.
    #[error("refused: {0}")]
    Refused(#[from] Refusal),
    /// We were removed from the group.
    #[error("no longer a member of the group")]
    NotAMember,
    /// The storage was replaced by an older copy since we entered the group, so that our ratchets may have
    /// been used: have this device added again with a new key package.
    #[error("nothing is sent with ratchets from before a rollback, the device must be added again")]
    SendingRefused,
    /// No member has this leaf index.
    #[error("no member at leaf {0}")]
    NoSuchMember(u32),
    /// A member cannot commit its own removal (RFC 9420, section 12.2).
    #[error("a member cannot commit its own removal")]
    OwnRemoval,
    /// The changes of a commit contradict each other or the group.
    #[error("changes cannot be committed: {0}")]
    ChangesInvalid(String),
    /// An earlier operation failed midway: load the group again.
    #[error("an earlier operation failed midway, the group must be loaded again")]
    Torn,

    // Us.
    /// The storage below failed.
    #[error(transparent)]
    Storage(#[from] KeyValueError),
    /// What was stored cannot be read, or what is to be stored cannot be written.
    #[error("stored group state: {0}")]
    State(String),
    /// OpenMLS failed in a way that says more about it or us than about the message.
    #[error("openmls: {0}")]
    Library(String),
}

impl MlsError {
    /// Whether the operation failed before it changed anything: the group may be used on.
    ///
    /// True for what a neighbour can cause at will by sending garbage, replays and messages that came too
    /// early or too late.
    pub fn leaves_group_intact(&self) -> bool {
        matches!(
            self,
            Self::Malformed
                | Self::WrongGroup
                | Self::FutureEpoch { .. }
                | Self::PastEpoch { .. }
                | Self::GenerationTooOld
                | Self::GenerationTooFar
                | Self::Undecryptable
                | Self::SenderInvalid
                | Self::NotAMember
                | Self::SendingRefused
                | Self::NoSuchMember(_)
                | Self::OwnRemoval
        )
    }

    pub(super) fn library(error: impl Display) -> Self {
        Self::Library(error.to_string())
    }

    pub(super) fn from_welcome(error: WelcomeError<StorageFailed>) -> Self {
        match error {
            WelcomeError::NoMatchingKeyPackage | WelcomeError::JoinerSecretNotFound => {
                Self::KeyPackageUnknown
            }
            WelcomeError::UnsupportedCiphersuite(suite) => Self::SuiteUnsupported(suite.into()),
            WelcomeError::LibraryError(error) => Self::library(error),
            other => Self::WelcomeInvalid(other.to_string()),
        }
    }

    pub(super) fn from_processing(error: ProcessMessageError<StorageFailed>) -> Self {
        match error {
            ProcessMessageError::LibraryError(error) => Self::library(error),
            ProcessMessageError::GroupStateError(MlsGroupStateError::UseAfterEviction) => Self::NotAMember,
            ProcessMessageError::IncompatibleWireFormat => Self::ChangeRefused("an unencrypted handshake"),
            ProcessMessageError::ValidationError(error) => Self::from_validation(error),
            other => Self::CommitInvalid(other.to_string()),
        }
    }

    fn from_validation(error: ValidationError) -> Self {
        match error {
            ValidationError::WrongGroupId => Self::WrongGroup,
            ValidationError::UnableToDecrypt(error) => Self::from_decryption(error),
            ValidationError::UnknownMember | ValidationError::InvalidSignature => Self::SenderInvalid,
            ValidationError::LibraryError(error) => Self::library(error),
            other => Self::CommitInvalid(other.to_string()),
        }
    }

    fn from_decryption(error: MessageDecryptionError) -> Self {
        match error {
            MessageDecryptionError::SecretTreeError(SecretTreeError::TooDistantInThePast) => {
                Self::GenerationTooOld
            }
            MessageDecryptionError::SecretTreeError(
                SecretTreeError::TooDistantInTheFuture | SecretTreeError::RatchetTooLong,
            ) => Self::GenerationTooFar,
            MessageDecryptionError::SecretTreeError(SecretTreeError::IndexOutOfBounds) => Self::SenderInvalid,
            MessageDecryptionError::MalformedContent => Self::Malformed,
            _ => Self::Undecryptable,
        }
    }
}
