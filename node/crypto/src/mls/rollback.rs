//! After the storage was replaced by an older copy: reading, but no sending.
//!
//! The copy holds ratchets as they were, and a ratchet that goes back encrypts different messages with one key.
//! MLS softens the blow with a random reuse guard of 32 bits (RFC 9420, section 6.3.1), but receivers drop the
//! message of a used generation as a repetition, and a commit on an epoch that is over forks the group. So
//! nothing may be encrypted with any leaf that was ours when the copy was made. Reading does no harm: it gives
//! back messages that the copy does not have, and follows the commits of others up to the first of our own.
//!
//! [`note_rollback`] therefore counts rollbacks, and every branch remembers how many there had been when this
//! device entered the group. Where the count has grown since, [`Group::seal`] and [`Group::commit`] answer
//! [`MlsError::SendingRefused`]; so does a checkpoint of that time, whenever it is rewound to. A welcome to a
//! new key package brings a new leaf with new ratchets, and with it the right to send. Old key packages are
//! deleted: the copy holds some that had been used, and a welcome to one of them, replayed, would bring back
//! a leaf whose ratchets were used as well.
//!
//! What cannot be mended is forward secrecy: the copy holds secrets that had been deleted.

use super::error::MlsError;
use super::group::{Context, Group, GroupId};
use super::storage::{Storage, StorageCache};

/// Takes note that the storage was replaced by an older copy of itself: no branch of any group that is in it
/// is sent to, until this device enters the group again, and all key packages of ours are deleted.
///
/// Call it once for each time that such a copy was found, before any group is loaded, and publish new key
/// packages afterwards. Cheap whatever the number of groups.
///
/// # Errors
/// [`MlsError::State`] if what is stored cannot be read; [`MlsError::Storage`].
pub fn note_rollback(cx: &mut Context<'_>) -> Result<(), MlsError> {
    let mut cache = StorageCache::default();
    let storage = Storage::new(cx.storage, &mut cache);
    let rollbacks = storage.rollbacks()? + 1;
    storage.clear_own()?;
    storage.put_rollbacks(rollbacks)
}

impl Group {
    /// Whether nothing may be sealed or committed on this branch: see [`note_rollback`].
    pub fn is_sending_refused(&self) -> bool {
        self.is_sending_refused
    }

    /// Whether the live branch of a stored group may not be sent to, without loading it; false where there is
    /// no such group.
    ///
    /// # Errors
    /// [`MlsError::State`] if what is stored cannot be read; [`MlsError::Storage`].
    pub fn refuses_sending(cx: &mut Context<'_>, id: &GroupId) -> Result<bool, MlsError> {
        let mut cache = StorageCache::default();
        let storage = Storage::new(cx.storage, &mut cache);
        Ok(storage.holds_group(&id.0)? && storage.is_sending_refused(&id.0)?)
    }

    /// Fails if nothing may be encrypted with our leaf.
    pub(super) fn may_send(&self) -> Result<(), MlsError> {
        if self.is_sending_refused { Err(MlsError::SendingRefused) } else { Ok(()) }
    }
}
