//! How often something may be done: token buckets, as many as are needed and no more than there is room for.
//!
//! A bucket holds up to `burst` tokens and gains one in each interval. Instead of tokens it keeps the moment at which it
//! is full again (the "theoretical arrival time" of the generic cell rate algorithm, ITU-T I.371, annex A): to take tokens
//! is to move that moment into the future, and a bucket whose moment is past is full, like one that was never used, and
//! needs no room.
//!
//! Where there is no room for one more, the bucket that is full again soonest makes place: whoever used most is
//! remembered longest, and a crowd of new keys pushes out each other.
//!
//! A refused call is charged for nothing, and a call that fails later is charged all the same: what is counted here is
//! in memory only, and not undone with a transaction.

use std::collections::{BTreeMap, BTreeSet};

use qpq_proto::Failure;
use qpq_proto::limits::RateLimit;

/// Token buckets of one kind.
#[derive(Debug)]
pub(crate) struct Buckets<K> {
    rate: RateLimit,
    keys_max: usize,
    /// Monotonic time in microseconds at which each bucket is full again.
    full_at_us: BTreeMap<K, u64>,
    by_full_at: BTreeSet<(u64, K)>,
}

impl<K: Ord + Copy> Buckets<K> {
    /// None is used yet; at most so many are remembered, at least one.
    pub(crate) fn new(rate: RateLimit, keys_max: usize) -> Self {
        Self { rate, keys_max: keys_max.max(1), full_at_us: BTreeMap::new(), by_full_at: BTreeSet::new() }
    }

    /// Takes so many tokens from a bucket, all or none.
    ///
    /// # Errors
    /// `RateLimited`, with the time after which there are enough.
    pub(crate) fn take(&mut self, key: K, tokens: u32, monotonic_ms: u64) -> Result<(), Failure> {
        let now_us = monotonic_ms.saturating_mul(1_000);
        let before_us = self.full_at_us.get(&key).copied().unwrap_or_default();
        let after_us =
            before_us.max(now_us).saturating_add(u64::from(tokens).saturating_mul(self.rate.interval_us));
        let latest_us =
            now_us.saturating_add(u64::from(self.rate.burst).saturating_mul(self.rate.interval_us));
        if after_us > latest_us {
            return Err(Failure::rate_limited((after_us - latest_us).div_ceil(1_000)));
        }
        self.forget(key);
        self.make_room(now_us);
        self.full_at_us.insert(key, after_us);
        self.by_full_at.insert((after_us, key));
        Ok(())
    }

    /// Whether one token is there, which is taken.
    pub(crate) fn is_free(&mut self, key: K, monotonic_ms: u64) -> bool {
        self.take(key, 1, monotonic_ms).is_ok()
    }

    /// The bucket is full, from now on.
    pub(crate) fn forget(&mut self, key: K) {
        if let Some(full_at_us) = self.full_at_us.remove(&key) {
            self.by_full_at.remove(&(full_at_us, key));
        }
    }

    /// Forgets the buckets that are full, and one more if there is no room otherwise.
    fn make_room(&mut self, now_us: u64) {
        while let Some((full_at_us, key)) = self.by_full_at.first().copied()
            && (full_at_us <= now_us || self.full_at_us.len() >= self.keys_max)
        {
            self.forget(key);
        }
    }
}

#[cfg(test)]
mod tests;
