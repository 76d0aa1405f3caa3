//! The hash of everything that happened in a run: two runs are the same if theirs are.

use crate::time::Time;

/// BLAKE3 over every event in order.
#[derive(Debug, Default)]
pub struct TraceHash {
    hasher: blake3::Hasher,
    waiting: Vec<u8>,
}

/// How much is gathered before it is hashed.
const CHUNK_BYTES: usize = 16 << 10;

impl TraceHash {
    /// Adds an event.
    pub fn add(&mut self, at: Time, words: [u64; 4]) {
        self.waiting.extend_from_slice(&at.as_micros().to_le_bytes());
        for word in words {
            self.waiting.extend_from_slice(&word.to_le_bytes());
        }
        if self.waiting.len() >= CHUNK_BYTES {
            self.hasher.update(&self.waiting);
            self.waiting.clear();
        }
    }

    /// The hash so far, in hexadecimal.
    pub fn finish(mut self) -> String {
        self.hasher.update(&self.waiting);
        self.hasher.finalize().to_hex().to_string()
    }
}
