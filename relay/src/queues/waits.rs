//! Calls that wait for a delivery.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use prost::Message;
use qpq_proto::Failure;
use qpq_proto::ids::DeviceKey;
use qpq_proto::limits::RelayLimits;
use qpq_proto::v1::FetchWaitResponse;

use crate::input::{CallId, ConnectionId, Effect};
use crate::queues::key::QueueKey;

/// A call that waits.
#[derive(Debug, Clone)]
pub(crate) struct Wait {
    pub call: CallId,
    pub connection: ConnectionId,
    pub device: DeviceKey,
    pub queue: QueueKey,
    pub limit: usize,
    /// Monotonic ms at which it is answered with nothing.
    pub ends_ms: u64,
}

/// The calls that wait, found by what they wait for, by when they end, and by who waits.
#[derive(Debug, Default)]
pub(crate) struct Waits {
    calls: BTreeMap<CallId, Wait>,
    by_queue: BTreeSet<(QueueKey, CallId)>,
    by_end: BTreeSet<(u64, CallId)>,
    by_connection: BTreeSet<(ConnectionId, CallId)>,
    /// Whether the relay closes: nobody waits any more.
    is_closing: bool,
}

impl Waits {
    /// Whether one more call may wait.
    pub(crate) fn check_room(&self, limits: &RelayLimits, connection: ConnectionId) -> Result<(), Failure> {
        if self.is_closing {
            return Err(closing());
        }
        if self.of_connection(connection).count() >= limits.waits_per_connection_max {
            return Err(Failure::rate_limited(RETRY_MS));
        }
        if self.calls.len() >= limits.waits_max {
            return Err(Failure::unavailable("as many calls wait here as may wait", RETRY_MS));
        }
        Ok(())
    }

    /// A call waits.
    pub(crate) fn add(&mut self, wait: Wait) {
        self.by_queue.insert((wait.queue.clone(), wait.call));
        self.by_end.insert((wait.ends_ms, wait.call));
        self.by_connection.insert((wait.connection, wait.call));
        self.calls.insert(wait.call, wait);
    }

    /// Takes out the calls that wait for a queue, in the order in which they came.
    pub(crate) fn take(&mut self, queue: &QueueKey) -> Vec<Wait> {
        let range = (queue.clone(), CallId(0))..=(queue.clone(), CallId(u64::MAX));
        let calls: Vec<_> = self.by_queue.range(range).map(|(_, call)| *call).collect();
        calls.into_iter().filter_map(|call| self.remove(call)).collect()
    }

    /// Takes out the calls whose patience has ended, and answers them.
    pub(crate) fn take_ended(&mut self, monotonic_ms: u64) -> Vec<Effect> {
        let mut answers = Vec::new();
        while let Some((ends_ms, call)) = self.by_end.first().copied()
            && ends_ms <= monotonic_ms
        {
            self.remove(call);
            let result = Ok(Bytes::from(FetchWaitResponse::default().encode_to_vec()));
            answers.push(Effect::Answer { call, result });
        }
        answers
    }

    /// Takes out all calls, answers them, and lets no other wait.
    pub(crate) fn close(&mut self) -> Vec<Effect> {
        let calls = std::mem::take(self).calls;
        self.is_closing = true;
        calls.into_keys().map(|call| Effect::Answer { call, result: Err(closing()) }).collect()
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.calls.len()
    }

    /// When the first patience ends, in monotonic ms.
    pub(crate) fn next_end(&self) -> Option<u64> {
        self.by_end.first().map(|(ends_ms, _)| *ends_ms)
    }

    /// Nobody wants the answer any more.
    pub(crate) fn give_up(&mut self, call: CallId) {
        self.remove(call);
    }

    /// A connection has ended, and with it its calls.
    pub(crate) fn disconnected(&mut self, connection: ConnectionId) {
        for call in self.of_connection(connection).collect::<Vec<_>>() {
            self.remove(call);
        }
    }

    fn of_connection(&self, connection: ConnectionId) -> impl Iterator<Item = CallId> + '_ {
        let range = (connection, CallId(0))..=(connection, CallId(u64::MAX));
        self.by_connection.range(range).map(|(_, call)| *call)
    }

    fn remove(&mut self, call: CallId) -> Option<Wait> {
        let wait = self.calls.remove(&call)?;
        self.by_queue.remove(&(wait.queue.clone(), call));
        self.by_end.remove(&(wait.ends_ms, call));
        self.by_connection.remove(&(wait.connection, call));
        Some(wait)
    }
}

fn closing() -> Failure {
    Failure::unavailable("the node is stopping", RETRY_MS)
}

/// When a caller that may not wait now should try again.
const RETRY_MS: u64 = 1_000;
