//! Virtual time.

use std::ops::Add;
use std::time::Duration;

/// A moment of a run: microseconds since its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Time(u64);

impl Time {
    /// When a run starts.
    pub const ZERO: Self = Self(0);

    /// So many microseconds after the start.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// So many seconds after the start, to the nearest microsecond. What is negative is the start.
    pub fn from_secs_f64(seconds: f64) -> Self {
        Self(micros(seconds))
    }

    /// Microseconds since the start.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Whole milliseconds since the start.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1000
    }

    /// Seconds since the start.
    pub fn as_secs_f64(self) -> f64 {
        Duration::from_micros(self.0).as_secs_f64()
    }

    /// How long after `earlier` this is: nothing if it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)))
    }
}

/// Seconds as a duration, to the nearest microsecond. What is negative is none.
pub fn seconds(seconds: f64) -> Duration {
    Duration::from_micros(micros(seconds))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what fits")]
fn micros(seconds: f64) -> u64 {
    (seconds.max(0.0) * 1e6).round().min(9e18) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_whole_microseconds() {
        assert_eq!(Time::from_secs_f64(1.5).as_micros(), 1_500_000);
        assert_eq!(Time::from_secs_f64(-1.0), Time::ZERO);
        assert_eq!(Time::from_micros(2_500).as_millis(), 2);
        assert_eq!(Time::from_micros(7) + seconds(0.000_003), Time::from_micros(10));
        assert_eq!(Time::from_micros(7).since(Time::from_micros(9)), Duration::ZERO);
    }
}
