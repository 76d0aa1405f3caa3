//! The places for connections, of which the least used is given to a newcomer.
//!
//! Every connection is the owner's. A program that leaves connections behind must not lock the owner out, so a new one
//! is never turned away: when all places are taken, the connection without a call under way that was idle for longest
//! has to leave, and where all have calls, the one whose calls have waited for longest.

use std::sync::{Arc, Mutex};

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::lock;

/// All places.
#[derive(Debug)]
pub(super) struct Places {
    max: usize,
    taken: Vec<Arc<Place>>,
}

/// The place of one connection, free again when the connection drops it.
#[derive(Debug)]
pub(super) struct Place {
    used: Mutex<Used>,
    leave: Notify,
}

#[derive(Debug, Clone, Copy)]
struct Used {
    /// Calls under way.
    calls: usize,
    /// When the last call began or ended.
    at: Instant,
}

impl Places {
    pub(super) fn new(max: usize) -> Self {
        Self { max: max.max(1), taken: Vec::new() }
    }

    /// Takes a place, and whether somebody has to leave for it.
    pub(super) fn take(&mut self) -> (Arc<Place>, bool) {
        // Those that are held here alone were dropped by their connections.
        self.taken.retain(|place| Arc::strong_count(place) > 1);
        let is_crowded = self.taken.len() >= self.max;
        if is_crowded {
            self.make_room();
        }
        let used = Used { calls: 0, at: Instant::now() };
        let place = Arc::new(Place { used: Mutex::new(used), leave: Notify::new() });
        self.taken.push(Arc::clone(&place));
        (place, is_crowded)
    }

    fn make_room(&mut self) {
        // The idle ones come first.
        let order = |place: &Arc<Place>| {
            let Used { calls, at } = *lock(&place.used);
            (calls > 0, at)
        };
        let least_used = (0..self.taken.len()).min_by_key(|&index| order(&self.taken[index]));
        if let Some(index) = least_used {
            self.taken.swap_remove(index).leave.notify_one();
        }
    }
}

impl Place {
    /// Returns when somebody else needs the place.
    pub(super) async fn must_leave(&self) {
        self.leave.notified().await;
    }

    /// A call begins, and ends when what is returned is dropped.
    pub(super) fn call(self: &Arc<Self>) -> Call {
        self.update(|calls| calls + 1);
        Call(Arc::clone(self))
    }

    fn update(&self, calls: impl FnOnce(usize) -> usize) {
        let mut used = lock(&self.used);
        *used = Used { calls: calls(used.calls), at: Instant::now() };
    }
}

/// A call under way.
#[derive(Debug)]
pub(super) struct Call(Arc<Place>);

impl Drop for Call {
    fn drop(&mut self) {
        self.0.update(|calls| calls - 1);
    }
}

#[cfg(test)]
mod tests;
