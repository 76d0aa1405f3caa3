//! Push events: what a node tells those who are connected, without being asked.
//!
//! ```text
//!              push, end                              unidirectional stream
//!   service ──────────────► queue of the connection ──────────────────────────► the other end
//!                           oldest dropped, Lagged
//! ```
//!
//! [`Pushes::push`] never waits. A connection has one queue, bounded in events and bytes; what does not fit makes room by
//! dropping the oldest, and the other end is told how many it missed (`Lagged`) where they were. The stream is opened at
//! the first event. Whoever permits none, or takes what comes too slowly, only misses events, and nothing is lost, since
//! events announce what can be asked for.
//!
//! All queues together are bounded too. A queue may hold a share of what is free at the moment, so that however many stand
//! still, something is left for the next (Choudhury and Hahne, "Dynamic queue length thresholds for shared-memory packet
//! switches", 1998).

mod events;
mod queue;
mod sending;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use qpq_proto::frame::{Frame, PushHeader};
use qpq_proto::limits::{Limits, PUSH_PAYLOAD_BYTES_MAX};
use qpq_proto::v1::PushEvent;
use tokio::sync::Notify;

use crate::caller::ConnectionId;
use crate::lock;
pub use events::{Events, Pushed};
use queue::{Bounds, Queue};
pub(crate) use sending::send;

/// Tells those who are connected. Cheap to clone; clones reach the same connections. One of them goes to each listener,
/// and the service keeps one.
#[derive(Clone)]
pub struct Pushes(Arc<Registry>);

struct Registry {
    bounds: Bounds,
    /// Bytes in all queues.
    used_bytes: AtomicUsize,
    used_bytes_max: usize,
    subscribers: Mutex<BTreeMap<ConnectionId, Arc<Subscriber>>>,
}

/// The other end of a connection.
struct Subscriber {
    state: Mutex<State>,
    /// There is something in the queue.
    filled: Notify,
    /// The connection is to end.
    ending: Notify,
}

struct State {
    queue: Queue,
    end: Option<Box<str>>,
}

/// A connection that can be reached, until this is dropped.
pub(crate) struct Subscription {
    registry: Arc<Registry>,
    connection: ConnectionId,
    subscriber: Arc<Subscriber>,
}

impl Pushes {
    /// Reaches nobody before it is given to a listener.
    pub fn new(limits: &Limits) -> Self {
        Self(Arc::new(Registry {
            bounds: Bounds {
                events_max: limits.push_events_queued_max,
                bytes_max: limits.push_bytes_queued_max,
            },
            used_bytes: AtomicUsize::new(0),
            used_bytes_max: limits.push_bytes_in_memory_max,
            subscribers: Mutex::default(),
        }))
    }

    /// Queues an event for the other end of a connection, and returns whether there is such a connection. Never waits;
    /// that there is a connection does not mean that the event arrives.
    ///
    /// A payload longer than [`PUSH_PAYLOAD_BYTES_MAX`] is never sent and counts as dropped.
    pub fn push(&self, connection: ConnectionId, event: PushEvent, payload: Bytes) -> bool {
        // The lock is held to the end, so that a queue that is gone is not filled.
        let subscribers = lock(&self.0.subscribers);
        let Some(subscriber) = subscribers.get(&connection) else { return false };
        if payload.len() > PUSH_PAYLOAD_BYTES_MAX {
            tracing::error!(?event, bytes = payload.len(), "an event is too long to be pushed");
        }
        let free = self.0.used_bytes_max.saturating_sub(self.0.used_bytes.load(Ordering::Relaxed));
        let mut state = lock(&subscriber.state);
        let before = state.queue.bytes();
        let is_filled = state.queue.push(event, payload, self.0.bounds.within(free));
        self.0.account(before, state.queue.bytes());
        drop(state);
        if is_filled {
            subscriber.filled.notify_one();
        }
        true
    }

    /// Ends a connection, with a reason for the other end to read, and returns whether there was one. Calls that are
    /// under way on it are dropped.
    pub fn end(&self, connection: ConnectionId, reason: &str) -> bool {
        let subscriber = lock(&self.0.subscribers).get(&connection).cloned();
        let Some(subscriber) = subscriber else { return false };
        lock(&subscriber.state).end.get_or_insert_with(|| reason.into());
        subscriber.ending.notify_one();
        true
    }

    /// How many connections there are.
    pub fn connections(&self) -> usize {
        lock(&self.0.subscribers).len()
    }

    /// From now on the connection can be reached.
    pub(crate) fn enter(&self, connection: ConnectionId) -> Subscription {
        let subscriber = Arc::new(Subscriber {
            state: Mutex::new(State { queue: Queue::default(), end: None }),
            filled: Notify::new(),
            ending: Notify::new(),
        });
        lock(&self.0.subscribers).insert(connection, Arc::clone(&subscriber));
        Subscription { registry: Arc::clone(&self.0), connection, subscriber }
    }
}

impl fmt::Debug for Pushes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let used_bytes = self.0.used_bytes.load(Ordering::Relaxed);
        formatter.debug_struct("Pushes").field("used_bytes", &used_bytes).finish_non_exhaustive()
    }
}

impl Registry {
    /// A queue that held so many bytes holds so many now.
    fn account(&self, before: usize, now: usize) {
        if now >= before {
            self.used_bytes.fetch_add(now - before, Ordering::Relaxed);
        } else {
            self.used_bytes.fetch_sub(before - now, Ordering::Relaxed);
        }
    }
}

impl Subscription {
    /// Waits until the connection is to end, and says why.
    pub(crate) async fn ended(&self) -> String {
        loop {
            if let Some(reason) = &lock(&self.subscriber.state).end {
                return reason.to_string();
            }
            self.subscriber.ending.notified().await;
        }
    }

    /// Waits until something is in the queue.
    async fn filled(&self) {
        while lock(&self.subscriber.state).queue.is_empty() {
            self.subscriber.filled.notified().await;
        }
    }

    /// The next frame to send.
    fn take(&self) -> Option<Frame<PushHeader>> {
        self.change(Queue::take)
    }

    /// Drops what is in the queue and whatever comes, until [`listen`](Self::listen).
    fn mute(&self) {
        self.change(Queue::mute);
    }

    /// Queues again what comes.
    fn listen(&self) {
        self.change(Queue::listen);
    }

    fn change<T>(&self, change: impl FnOnce(&mut Queue) -> T) -> T {
        let mut state = lock(&self.subscriber.state);
        let before = state.queue.bytes();
        let result = change(&mut state.queue);
        self.registry.account(before, state.queue.bytes());
        result
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        lock(&self.registry.subscribers).remove(&self.connection);
        // Nobody pushes any more.
        self.mute();
    }
}

#[cfg(test)]
mod tests;
