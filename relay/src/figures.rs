//! What a relay counts, of nobody in particular.

use crate::relay::Relay;

/// Since the relay was opened, and at present.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Connections on which somebody is logged in, at present.
    pub sessions: usize,
    /// Calls that wait for a delivery, at present.
    pub waits: usize,
    /// Deliveries that were put into queues.
    pub stored: u64,
    /// Bytes of their payloads.
    pub stored_bytes: u64,
    /// Deliveries whose payload went because every device has it, or at the end of its lifetime.
    pub released: u64,
    /// Bytes of their payloads.
    pub released_bytes: u64,
}

impl Figures {
    /// A delivery was put into a queue.
    pub(crate) fn store(&mut self, bytes: usize) {
        self.stored += 1;
        self.stored_bytes += bytes as u64;
    }

    /// The payload of a delivery went.
    pub(crate) fn release(&mut self, bytes: usize) {
        self.released += 1;
        self.released_bytes += bytes as u64;
    }

    /// What an input changed, once it is kept.
    pub(crate) fn add(&mut self, change: Self) {
        self.stored += change.stored;
        self.stored_bytes += change.stored_bytes;
        self.released += change.released;
        self.released_bytes += change.released_bytes;
    }
}

impl Relay {
    /// What the relay has counted.
    #[must_use]
    pub fn figures(&self) -> Figures {
        Figures { sessions: self.sessions.len(), waits: self.waits.len(), ..self.figures }
    }
}
