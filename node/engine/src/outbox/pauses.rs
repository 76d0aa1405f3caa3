//! How long a recipient that cannot be reached, or cannot take something yet, is left alone.

use std::collections::BTreeMap;

use super::Stream;

/// First pause after a failure that may pass, ms; doubled up to [`PAUSE_MAX_MS`].
const PAUSE_MIN_MS: u64 = 1_000;
/// Longest pause between two tries, ms.
const PAUSE_MAX_MS: u64 = 300_000;

/// One recipient's pauses: of everything, when its node was not reached, and of single streams, when it answered that
/// it cannot take the next entry yet.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    all: Pause,
    streams: BTreeMap<Stream, Pause>,
}

#[derive(Debug, Default)]
struct Pause {
    failures: u32,
    until_monotonic_ms: u64,
}

impl Pauses {
    pub(super) fn is_on(&self, stream: Option<&Stream>, monotonic_ms: u64) -> bool {
        let of_stream = stream.and_then(|stream| self.streams.get(stream));
        [Some(&self.all), of_stream]
            .into_iter()
            .flatten()
            .any(|pause| pause.until_monotonic_ms > monotonic_ms)
    }

    /// Notes a further failure; returns when the pause ends. The peer's own wish is kept within bounds.
    pub(super) fn extend(&mut self, stream: Option<&Stream>, monotonic_ms: u64, at_least_ms: u64) -> u64 {
        let pause = match stream {
            Some(stream) => self.streams.entry(stream.clone()).or_default(),
            None => &mut self.all,
        };
        let length = PAUSE_MIN_MS
            .saturating_mul(1 << pause.failures.min(10))
            .clamp(at_least_ms.min(PAUSE_MAX_MS), PAUSE_MAX_MS);
        pause.failures += 1;
        pause.until_monotonic_ms = monotonic_ms + length;
        pause.until_monotonic_ms
    }

    /// An entry of a stream was taken.
    pub(super) fn end(&mut self, stream: &Stream) {
        self.all = Pause::default();
        self.streams.remove(stream);
    }
}

#[cfg(test)]
mod tests;
