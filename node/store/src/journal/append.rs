//! Appending frames.

use bytes::Bytes;
use rand_core::CryptoRng;

use super::Journal;
use super::frame::{frame_bytes, seal_frame};
use crate::error::Failure;
use crate::secrets_key::SecretSealers;

impl Journal {
    /// The epoch, which the database must name before the first frame is appended.
    pub(crate) fn epoch(&self) -> super::Epoch {
        self.epoch
    }

    /// Whether a batch of this many bytes fits into the next frame, with all that was deferred before it.
    pub(crate) fn has_room(&self, batch_bytes: usize) -> bool {
        let bytes = self.deferred_bytes.checked_add(batch_bytes).and_then(frame_bytes);
        bytes.is_some_and(|bytes| bytes <= self.halves[self.active].end - self.next)
    }

    /// Whether it would fit after a [turn](Self::turn), with nothing deferred.
    pub(crate) fn has_room_in_other_half(&self, batch_bytes: usize) -> bool {
        let other = &self.halves[1 - self.active];
        frame_bytes(batch_bytes).is_some_and(|bytes| bytes <= other.end - other.start)
    }

    /// Whether something is deferred.
    pub(crate) fn has_deferred(&self) -> bool {
        !self.deferred.is_empty()
    }

    /// Keeps encoded changes for the next frame. The caller has looked whether there [is room](Self::has_room).
    pub(crate) fn defer(&mut self, changes: Bytes) {
        self.deferred_bytes += changes.len();
        self.deferred.push(changes);
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
        changes: Bytes,
    ) -> Result<(), Failure> {
        self.deferred_bytes = 0;
        let mut parts = std::mem::take(&mut self.deferred);
        let batch = if parts.is_empty() {
            changes
        } else {
            parts.push(changes);
            parts.concat().into()
        };
        let frame = seal_frame(rng, sealers, (self.id, self.epoch, count), self.next, &batch)?;
        self.file.write(&[(self.next, &frame)])?;
        self.next += frame.len() as u64;
        Ok(())
    }

    /// Goes on at the start of the other half. What lies there must be durable in the database, and nothing deferred.
    pub(crate) fn turn(&mut self) {
        self.active = 1 - self.active;
        self.next = self.halves[self.active].start;
    }

    /// Starts over: everything so far, and what was deferred, is durable in the database.
    pub(crate) fn restart(&mut self) {
        self.next = self.halves[self.active].start;
        self.deferred = Vec::new();
        self.deferred_bytes = 0;
    }
}
