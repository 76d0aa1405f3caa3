//! A bound on the bytes of payload that all calls together hold in memory.
//!
//! A frame is only read after its announced length has been reserved here, and the reservation is held until the
//! answer is on its way. So the memory that strangers can make a node use does not grow with their number.
//!
//! There are two pools, because a few peers that announce long frames and then stall would otherwise keep everybody
//! from sending the short ones that matter most (health, acknowledgements, commits).

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Frames up to this length are paid from the pool for short ones, bytes.
const SHORT_FRAME_BYTES_MAX: usize = 16 * 1024;

/// The part of the whole that is kept for short frames: one in so many.
const SHORT_FRAMES_SHARE: usize = 8;

/// Bytes that calls may hold. Cheap to clone; clones share the pools.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    short: Arc<Semaphore>,
    long: Arc<Semaphore>,
}

/// Bytes reserved; they go back when it is dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Budget {
    /// A budget of this many bytes. It is raised to what one frame of the greatest length needs, without which such
    /// frames could never be read.
    pub(crate) fn new(bytes_max: usize, frame_bytes_max: usize) -> Self {
        let short = (bytes_max / SHORT_FRAMES_SHARE).max(SHORT_FRAME_BYTES_MAX);
        let long = bytes_max.saturating_sub(short).max(frame_bytes_max);
        Self { short: pool(short), long: pool(long) }
    }

    /// Waits until the bytes are free, first come, first served in each pool. The caller sets the time limit.
    ///
    /// `bytes` must be at most the greatest length of a frame: the frame's header was checked before.
    pub(crate) async fn reserve(&self, bytes: usize) -> Reservation {
        let pool = if bytes <= SHORT_FRAME_BYTES_MAX { &self.short } else { &self.long };
        let permits = u32::try_from(bytes).unwrap_or(u32::MAX);
        // The semaphores are never closed, so that an error cannot happen; none reserved would be the safe reading.
        Reservation { _permit: Arc::clone(pool).acquire_many_owned(permits).await.ok() }
    }

    /// Bytes that are free at the moment, in both pools together.
    #[cfg(test)]
    pub(crate) fn available_bytes(&self) -> usize {
        self.short.available_permits() + self.long.available_permits()
    }
}

/// Lets the long frames of one connection be read one after another, so that a peer that announces many of them and
/// sends none holds no more of the budget than one frame. Short frames need not wait.
#[derive(Debug, Clone)]
pub(crate) struct Turns(Arc<Semaphore>);

impl Turns {
    /// Waits for the turn of a frame of this length.
    pub(crate) async fn turn(&self, bytes: usize) -> Reservation {
        if bytes <= SHORT_FRAME_BYTES_MAX {
            return Reservation { _permit: None };
        }
        Reservation { _permit: Arc::clone(&self.0).acquire_owned().await.ok() }
    }
}

impl Default for Turns {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

fn pool(bytes: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS)))
}

#[cfg(test)]
mod tests;
