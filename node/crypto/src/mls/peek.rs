//! Reading messages as far as that needs no group.

use openmls::prelude::{ContentType, MlsMessageBodyIn, MlsMessageIn, ProtocolMessage};
use tls_codec::Deserialize;

use super::error::MlsError;
use super::group::{GroupId, group_id};

/// What the unencrypted header of a message says, unverified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peek {
    /// The group.
    pub group: GroupId,
    /// The number of the epoch, which says nothing about the branch.
    pub epoch_number: u64,
    /// Whether it is a commit.
    pub is_commit: bool,
}

/// Reads the header of a message; needs no state.
///
/// # Errors
/// [`MlsError::Malformed`] for anything but an encrypted message to a group.
pub fn peek(message: &[u8]) -> Result<Peek, MlsError> {
    let message = parse(message)?;
    Ok(Peek {
        group: group_id(message.group_id())?,
        epoch_number: message.epoch().as_u64(),
        is_commit: message.content_type() == ContentType::Commit,
    })
}

/// Reads an encrypted message.
pub(super) fn parse(message: &[u8]) -> Result<ProtocolMessage, MlsError> {
    let message = MlsMessageIn::tls_deserialize_exact(message).map_err(|_| MlsError::Malformed)?;
    match message.extract() {
        MlsMessageBodyIn::PrivateMessage(message) => Ok(message.into()),
        _ => Err(MlsError::Malformed),
    }
}
