//! How long a mailbox is left alone whose relay was not reached, or does not take anything.

/// First pause, ms; doubled up to [`PAUSE_MAX_MS`].
const PAUSE_MIN_MS: u64 = 5_000;
/// Longest pause between two tries, ms.
const PAUSE_MAX_MS: u64 = 600_000;

/// A mailbox's pauses.
#[derive(Debug, Default)]
pub(crate) struct Pauses {
    failures: u32,
    pub(crate) until_ms: u64,
}

impl Pauses {
    /// Notes a further failure. The relay's own wish is kept within bounds.
    pub(crate) fn extend(&mut self, monotonic_ms: u64, at_least_ms: u64) {
        let length = PAUSE_MIN_MS.saturating_mul(1 << self.failures.min(10));
        let length = length.clamp(at_least_ms.min(PAUSE_MAX_MS), PAUSE_MAX_MS);
        self.failures += 1;
        self.until_ms = monotonic_ms + length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stay_within_bounds() {
        let mut pauses = Pauses::default();
        let mut lengths = Vec::new();
        for at_least_ms in [0, 0, 60_000, 0, u64::MAX] {
            pauses.extend(1_000, at_least_ms);
            lengths.push(pauses.until_ms - 1_000);
        }
        assert_eq!(lengths, [5_000, 10_000, 60_000, 40_000, 600_000]);
        (0..20).for_each(|_| pauses.extend(0, 0));
        assert_eq!(pauses.until_ms, 600_000);
    }
}
