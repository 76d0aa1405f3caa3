//! Appending frames.

use rand_core::CryptoRng;

use super::frame::{frame_bytes, seal_frame};
use super::{FRAMES_OFFSET, Journal};
use crate::error::Failure;
use crate::secrets_key::SecretSealers;

impl Journal {
    /// The epoch, which the database must name before the first frame is appended.
    pub(crate) fn epoch(&self) -> super::Epoch {
        self.epoch
    }

    /// Whether a batch of this many bytes fits into the next frame, with all that was deferred before it.
    pub(crate) fn has_room(&self, batch_bytes: usize) -> bool {
        let Some(deferred) = &self.deferred else { return false };
        let bytes = deferred.len().checked_add(batch_bytes).and_then(frame_bytes);
        bytes.is_some_and(|bytes| bytes <= self.bytes_max.saturating_sub(self.next))
    }

    /// Whether something is deferred.
    pub(crate) fn has_deferred(&self) -> bool {
        self.deferred.as_ref().is_none_or(|deferred| !deferred.is_empty())
    }

    /// Whether a checkpoint is due when there is time for it.
    pub(crate) fn is_mostly_full(&self) -> bool {
        let (used, all) = (self.next - FRAMES_OFFSET, self.bytes_max - FRAMES_OFFSET);
        used >= all / 4 * 3
    }

    /// Whether the database needs it after a loss of power.
    pub(crate) fn is_needed(&self) -> bool {
        self.next > FRAMES_OFFSET || self.has_deferred()
    }

    /// Keeps changes, encoded, for the next frame. The caller has looked whether there [is room](Self::has_room).
    pub(crate) fn defer(&mut self, changes: &[u8]) {
        if let Some(deferred) = &mut self.deferred {
            deferred.extend_from_slice(changes);
        }
    }

    /// Gives up the next frame: what is deferred waits for a checkpoint.
    pub(crate) fn defer_to_checkpoint(&mut self) {
        self.deferred = None;
    }

    /// Appends a batch behind what was deferred, and returns when both are durable. The caller has looked whether there
    /// [is room](Self::has_room).
    ///
    /// After an error nothing may be appended any more: nobody knows what lies where the next frame would go.
    pub(crate) fn append(
        &mut self,
        rng: &mut dyn CryptoRng,
        sealers: &SecretSealers,
        count: u64,
        changes: Vec<u8>,
    ) -> Result<(), Failure> {
        let mut batch = self.deferred.replace(Vec::new()).unwrap_or_default();
        if batch.is_empty() {
            batch = changes;
        } else {
            batch.extend_from_slice(&changes);
        }
        let frame = seal_frame(rng, sealers, (self.id, self.epoch, count), self.next, &batch)?;
        self.file.write(&[(self.next, &frame)])?;
        self.next += frame.len() as u64;
        Ok(())
    }

    /// Starts over: everything so far, and what was deferred, is durable in the database.
    pub(crate) fn restart(&mut self) {
        self.next = FRAMES_OFFSET;
        self.deferred = Some(Vec::new());
    }
}
