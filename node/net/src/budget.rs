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
mod tests {
    use super::*;

    const FRAME_BYTES_MAX: usize = 1 << 20;

    async fn is_blocked(reservation: impl Future<Output = Reservation>) -> bool {
        let mut reservation = Box::pin(reservation);
        std::future::poll_fn(|context| {
            std::task::Poll::Ready(reservation.as_mut().poll(context).is_pending())
        })
        .await
    }

    #[tokio::test]
    async fn reserved_bytes_come_back() {
        let budget = Budget::new(8 << 20, FRAME_BYTES_MAX);
        let free = budget.available_bytes();
        assert_eq!(free, 8 << 20);
        let short = budget.reserve(100).await;
        let long = budget.reserve(FRAME_BYTES_MAX).await;
        assert_eq!(budget.available_bytes(), free - 100 - FRAME_BYTES_MAX);
        drop((short, long));
        assert_eq!(budget.available_bytes(), free);
    }

    #[tokio::test]
    async fn more_than_there_is_has_to_wait() {
        let budget = Budget::new(2 << 20, FRAME_BYTES_MAX);
        let held = budget.reserve(FRAME_BYTES_MAX).await;
        assert!(is_blocked(budget.reserve(FRAME_BYTES_MAX)).await);
        drop(held);
        assert!(!is_blocked(budget.reserve(FRAME_BYTES_MAX)).await);
    }

    #[tokio::test]
    async fn long_frames_do_not_hold_up_short_ones() {
        let budget = Budget::new(2 << 20, FRAME_BYTES_MAX);
        let _held = budget.reserve(FRAME_BYTES_MAX).await;
        assert!(is_blocked(budget.reserve(FRAME_BYTES_MAX)).await);
        assert!(!is_blocked(budget.reserve(SHORT_FRAME_BYTES_MAX)).await);
    }

    #[tokio::test]
    async fn long_frames_take_turns() {
        let turns = Turns::default();
        let first = turns.turn(FRAME_BYTES_MAX).await;
        assert!(is_blocked(turns.turn(FRAME_BYTES_MAX)).await);
        assert!(!is_blocked(turns.turn(SHORT_FRAME_BYTES_MAX)).await);
        drop(first);
        assert!(!is_blocked(turns.turn(FRAME_BYTES_MAX)).await);
    }

    #[tokio::test]
    async fn a_budget_too_small_still_takes_one_frame() {
        let budget = Budget::new(0, FRAME_BYTES_MAX);
        assert!(!is_blocked(budget.reserve(FRAME_BYTES_MAX)).await);
    }
}
