//! The two steps of a checkpoint, one by one.

use crate::error::CommitError;
use crate::storage::CommitInfo;
use crate::store::Store;

impl Store {
    /// Begins a checkpoint now, as if half of the journal were full.
    ///
    /// # Errors
    /// [`CommitError`]; the store is latched.
    pub fn begin_checkpoint(&mut self) -> Result<CommitInfo, CommitError> {
        self.latching(Self::freeze)
    }

    /// Ends the checkpoint under way, if there is one: waits for its thread, or does its work.
    ///
    /// # Errors
    /// [`CommitError`]; the store is latched.
    pub fn end_checkpoint(&mut self) -> Result<CommitInfo, CommitError> {
        self.latching(Self::finish_checkpoint)
    }
}
