//! How long a bundle lives, without believing any wall clock.
//!
//! A bundle says how long it may live at most and how much of that remains. Each holder subtracts what it held it for,
//! by a clock of its own that only grows: the *node time*. It follows the monotonic clock while the node runs. The gap
//! between two runs is charged by the wall clock where that can be believed, and as six hours where it cannot: routers
//! boot in 1970, and a clock that was wrong by years must neither kill every bundle nor keep one for ever.
//!
//! ```text
//!  run 1        off         run 2
//! ├───────┤ . . . . . . ├──────────┤   wall clock: may jump anywhere
//! ├───────┼─────────────┼──────────►   node time: only grows
//!           gap_ms(...)
//! ```

use crate::bundle::LIFETIME_S_MAX;

/// What an unbelievable gap is charged as: six hours, ms.
pub const DOUBTFUL_GAP_MS: u64 = 6 * 3_600_000;
/// A longer gap is not believed: 90 days, ms.
pub const BELIEVABLE_GAP_MS_MAX: u64 = 90 * 86_400_000;
/// A wall clock before 2024-01-01 has not been set, Unix time in ms.
pub const SET_CLOCK_MS: u64 = 1_704_067_200_000;

/// What the time is charged as between two readings of the wall clock, Unix time in ms, with no run in between.
#[must_use]
pub const fn gap_ms(last_wall_ms: u64, wall_ms: u64) -> u64 {
    if last_wall_ms < SET_CLOCK_MS || wall_ms < last_wall_ms {
        return DOUBTFUL_GAP_MS;
    }
    let gap = wall_ms - last_wall_ms;
    if gap > BELIEVABLE_GAP_MS_MAX { DOUBTFUL_GAP_MS } else { gap }
}

/// The node time at which a bundle ends that arrives now. What it claims is believed only up to its maximum.
#[must_use]
pub fn expires_ms(now_ms: u64, remaining_s: u32, lifetime_max_s: u32) -> u64 {
    let remaining_s = remaining_s.min(lifetime_max_s).min(LIFETIME_S_MAX);
    now_ms.saturating_add(u64::from(remaining_s) * 1_000)
}

/// What remains to be told the next holder, seconds: rounded down, so that no number of hops makes a bundle older than
/// it may get.
#[must_use]
pub fn remaining_s(now_ms: u64, expires_ms: u64) -> u32 {
    u32::try_from(expires_ms.saturating_sub(now_ms) / 1_000).unwrap_or(LIFETIME_S_MAX).min(LIFETIME_S_MAX)
}

/// How old a bundle is, ms, as far as its holders told the truth.
#[must_use]
pub fn age_ms(now_ms: u64, expires_ms: u64, lifetime_max_s: u32) -> u64 {
    (u64::from(lifetime_max_s) * 1_000).saturating_sub(expires_ms.saturating_sub(now_ms))
}

/// Until when a tombstone is kept, node time: the longest lifetime and a quarter, from now.
#[must_use]
pub fn tombstone_expires_ms(now_ms: u64, lifetime_max_s: u32) -> u64 {
    now_ms.saturating_add(u64::from(lifetime_max_s) * 1_250)
}

#[cfg(test)]
mod tests;
