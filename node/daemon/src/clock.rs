//! The clocks that the engine is told.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use qpq_engine::Now;

use crate::environment::Environment;

/// The clocks of this run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    started: Instant,
    wall_offset_ms: i64,
}

impl Clock {
    /// Starts the monotonic clock at zero.
    ///
    /// For tests of nodes whose clocks are wrong, `QPQ_TEST_CLOCK_OFFSET_S` (signed seconds) is added to the
    /// wall clock; it is no setting, and no other program reads it.
    pub(crate) fn start(environment: &Environment) -> Self {
        let offset_s =
            environment.get("QPQ_TEST_CLOCK_OFFSET_S").and_then(|text| text.to_str()?.parse::<i64>().ok());
        Self { started: Instant::now(), wall_offset_ms: offset_s.unwrap_or(0).saturating_mul(1000) }
    }

    /// Both clocks now. A wall clock before 1970 counts as 1970.
    pub(crate) fn now(&self) -> Now {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Now {
            monotonic_ms: self.uptime_ms(),
            wall_ms: milliseconds(since_1970).saturating_add_signed(self.wall_offset_ms),
        }
    }

    /// Milliseconds since the start.
    pub(crate) fn uptime_ms(&self) -> u64 {
        milliseconds(self.started.elapsed())
    }

    /// How long it is until a moment of the monotonic clock; nothing if it has come.
    pub(crate) fn until(&self, monotonic_ms: u64) -> Duration {
        (self.started + Duration::from_millis(monotonic_ms.min(DELAY_MS_MAX)))
            .saturating_duration_since(Instant::now())
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Far enough, and added to an `Instant` without overflow: a hundred years.
const DELAY_MS_MAX: u64 = 100 * 366 * 86_400_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(offset_s: &str) -> Clock {
        Clock::start(&Environment::from_iter([("QPQ_TEST_CLOCK_OFFSET_S", offset_s)]))
    }

    #[test]
    fn an_offset_moves_the_wall_clock_only() {
        let day_ms = 86_400_000;
        let true_ms = clock("0").now().wall_ms;
        assert!(clock("172800").now().wall_ms > true_ms + day_ms);
        assert!(clock("-172800").now().wall_ms < true_ms - day_ms);
        assert!(clock("172800").now().monotonic_ms < day_ms);
        assert_eq!(clock("-99999999999999").now().wall_ms, 0);
        assert!(clock("tomorrow").now().wall_ms >= true_ms);
    }

    #[test]
    fn a_moment_that_has_come_is_not_waited_for() {
        assert_eq!(clock("0").until(0), Duration::ZERO);
        assert!(clock("0").until(u64::MAX) > Duration::from_secs(86_400));
    }
}
