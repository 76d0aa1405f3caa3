//! The events that wait for one connection.

use std::collections::VecDeque;

use bytes::Bytes;
use prost::Message;
use qpq_proto::frame::{Frame, PushHeader};
use qpq_proto::limits::PUSH_PAYLOAD_BYTES_MAX;
use qpq_proto::v1::{Lagged, PushEvent};

/// What an event takes in memory besides its payload, bytes.
const EVENT_OVERHEAD_BYTES: usize = 64;

/// The part of the bytes that are free for all queues which one may hold: one in so many.
const FREE_SHARE: usize = 8;

/// What one queue may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) events_max: usize,
    pub(super) bytes_max: usize,
}

impl Bounds {
    /// The same where only so many bytes are free for all queues.
    pub(super) fn within(self, free_bytes: usize) -> Self {
        Self { bytes_max: self.bytes_max.min(free_bytes / FREE_SHARE), ..self }
    }
}

/// Events in their order, and how many are missing before the first of them.
#[derive(Debug, Default)]
pub(super) struct Queue {
    events: VecDeque<(PushEvent, Bytes)>,
    bytes: usize,
    dropped: u64,
    is_mute: bool,
}

impl Queue {
    /// Bytes that the events hold.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether there is nothing to send.
    pub(super) fn is_empty(&self) -> bool {
        self.is_mute || (self.events.is_empty() && self.dropped == 0)
    }

    /// Adds an event, at the expense of the oldest, and returns whether there is something to send.
    pub(super) fn push(&mut self, event: PushEvent, payload: Bytes, bounds: Bounds) -> bool {
        let bytes = payload.len() + EVENT_OVERHEAD_BYTES;
        while self.events.len() >= bounds.events_max || self.bytes + bytes > bounds.bytes_max {
            if !self.drop_oldest() {
                break;
            }
        }
        let fits =
            bytes <= bounds.bytes_max && bounds.events_max > 0 && payload.len() <= PUSH_PAYLOAD_BYTES_MAX;
        if self.is_mute || !fits {
            self.drop_all();
            self.dropped += 1;
        } else {
            self.bytes += bytes;
            self.events.push_back((event, payload));
        }
        !self.is_empty()
    }

    /// The next frame: how many events were dropped before the first one, or the first one.
    pub(super) fn take(&mut self) -> Option<Frame<PushHeader>> {
        if self.is_mute {
            return None;
        }
        let (event, payload) = match std::mem::take(&mut self.dropped) {
            0 => self.take_event()?,
            dropped => (PushEvent::Lagged, Lagged { dropped }.encode_to_vec().into()),
        };
        let header = PushHeader { event: Ok(event), payload_bytes: payload.len() };
        Some(Frame { header, payload })
    }

    /// Drops all events, and those to come.
    pub(super) fn mute(&mut self) {
        self.is_mute = true;
        self.drop_all();
    }

    /// Events are queued again; those dropped meanwhile are counted.
    pub(super) fn listen(&mut self) {
        self.is_mute = false;
    }

    fn drop_all(&mut self) {
        while self.drop_oldest() {}
    }

    fn drop_oldest(&mut self) -> bool {
        let has_dropped = self.take_event().is_some();
        self.dropped += u64::from(has_dropped);
        has_dropped
    }

    fn take_event(&mut self) -> Option<(PushEvent, Bytes)> {
        let (event, payload) = self.events.pop_front()?;
        self.bytes -= payload.len() + EVENT_OVERHEAD_BYTES;
        if self.events.is_empty() {
            // An idle connection keeps no memory for events.
            self.events = VecDeque::new();
        }
        Some((event, payload))
    }
}

#[cfg(test)]
mod tests;
