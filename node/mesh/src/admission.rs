//! What a neighbour may bring within a time, and what it must do for it.
//!
//! Two things stand before the quotas of [`custody`](crate::custody). An [`Ingress`] is a token bucket for each link,
//! in bytes and in bundles: who brings more than that a second is told when to come back. And a stranger must
//! [work](crate::work) while the strangers' share of the store is more than half full.

use crate::work::{Challenge, Solution};

/// What fits into a bucket, in seconds of its rate.
const BURST_S: u64 = 4;
/// Bundles that may be offered for each that may be brought.
const OFFERS_PER_BUNDLE: u64 = 8;
/// Steps of a comparison in a second.
const COMPARISONS_PER_S: u64 = 16;

/// The token bucket of one link.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ingress {
    bytes: Bucket,
    bundles: Bucket,
    offers: Bucket,
    comparisons: Bucket,
    since_ms: u64,
}

impl Ingress {
    /// A full bucket.
    pub(crate) const fn new(bytes_per_s: u64, bundles_per_s: u64, now_ms: u64) -> Self {
        Self {
            bytes: Bucket::new(bytes_per_s, now_ms),
            bundles: Bucket::new(bundles_per_s, now_ms),
            offers: Bucket::new(bundles_per_s * OFFERS_PER_BUNDLE, now_ms),
            comparisons: Bucket::new(COMPARISONS_PER_S, now_ms),
            since_ms: now_ms,
        }
    }

    /// When the bucket was made.
    pub(crate) const fn since_ms(&self) -> u64 {
        self.since_ms
    }

    /// Whether so many bundles may be offered or asked for now. Each costs a check against all of this node's secrets.
    pub(crate) fn take_offers(&mut self, count: usize, now_ms: u64) -> bool {
        self.offers.take_if_there(count as u64, now_ms)
    }

    /// Whether a comparison may take its next step now. Each may look at all that is held.
    pub(crate) fn take_comparison(&mut self, now_ms: u64) -> bool {
        self.comparisons.take_if_there(1, now_ms)
    }

    /// Takes one bundle out of the bucket.
    ///
    /// # Errors
    /// The time after which it would fit, ms.
    pub(crate) fn take(&mut self, bytes: u64, now_ms: u64) -> Result<(), u32> {
        let wait = self.bytes.wait_ms(bytes, now_ms).max(self.bundles.wait_ms(1, now_ms));
        if wait > 0 {
            return Err(u32::try_from(wait).unwrap_or(u32::MAX));
        }
        self.bytes.take(bytes);
        self.bundles.take(1);
        Ok(())
    }
}

/// Tokens in thousandths, so that a millisecond's worth is a whole number.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    per_s: u64,
    milli: u64,
    filled_ms: u64,
}

impl Bucket {
    const fn new(per_s: u64, now_ms: u64) -> Self {
        Self { per_s, milli: per_s * BURST_S * 1_000, filled_ms: now_ms }
    }

    fn wait_ms(&mut self, count: u64, now_ms: u64) -> u64 {
        let gained = now_ms.saturating_sub(self.filled_ms).saturating_mul(self.per_s);
        self.milli = self.milli.saturating_add(gained).min(self.per_s * BURST_S * 1_000);
        self.filled_ms = now_ms;
        (count * 1_000).saturating_sub(self.milli).div_ceil(self.per_s.max(1))
    }

    fn take_if_there(&mut self, count: u64, now_ms: u64) -> bool {
        let is_there = self.wait_ms(count, now_ms) == 0;
        if is_there {
            self.take(count);
        }
        is_there
    }

    const fn take(&mut self, count: u64) {
        self.milli = self.milli.saturating_sub(count * 1_000);
    }
}

/// Work on one link, in both directions. In memory only: a new link starts anew.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Work {
    /// What this node set.
    pub(crate) set: Option<Challenge>,
    /// Bundles that the neighbour may still bring for what it solved.
    pub(crate) credit: u16,
    /// What the neighbour set, and the driver is looking for.
    pub(crate) asked: Option<Challenge>,
    /// What the driver found.
    pub(crate) solution: Option<Solution>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_brings_its_burst_and_then_its_rate() {
        let mut ingress = Ingress::new(1_000, 100, 0);
        assert_eq!(ingress.take(4_000, 0), Ok(()));
        assert_eq!(ingress.take(500, 0), Err(500), "half a second's bytes");
        assert_eq!(ingress.take(500, 499), Err(1));
        assert_eq!(ingress.take(500, 500), Ok(()));
        assert_eq!(ingress.take(4_001, 1_000_000), Err(1), "more than the bucket holds comes never at once");
    }

    #[test]
    fn bundles_count_too() {
        let mut ingress = Ingress::new(1_000_000, 2, 0);
        for _ in 0..8 {
            assert_eq!(ingress.take(1, 0), Ok(()));
        }
        assert_eq!(ingress.take(1, 0), Err(500));
        assert_eq!(ingress.take(1, 500), Ok(()));
    }

    #[test]
    fn a_refusal_costs_nothing_and_time_never_runs_backwards() {
        let mut ingress = Ingress::new(1_000, 100, 1_000);
        assert_eq!(ingress.take(5_000, 1_000), Err(1_000));
        assert_eq!(ingress.take(4_000, 500), Ok(()));
        assert_eq!(ingress.take(1, 500), Err(1));
    }
}
