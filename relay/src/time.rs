//! The time by which lifetimes are counted.
//!
//! A clock leaps: a router without one of its own starts in the past and is set right when it finds a time server, and
//! some servers are wrong for an hour. What was promised for thirty days must neither be gone at once because of that, nor
//! stay for ever, and nobody must have to log in again. So what ends is stamped and judged by a steady time: it follows
//! the wall clock, but is never more than twice as fast as time passes, and never goes back. Times that only tell
//! somebody when something was are those of the wall clock.
//!
//! Between two runs the steady time goes on as far as the wall clock has, though not by more than a week at once.

use prost::Message;

use crate::input::{Now, RelayError};
use crate::storage::Transaction;
use crate::tables::{self, CLOCK, key};

/// The time at which an input is handled, milliseconds each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Since some moment before the node started; never goes back.
    pub monotonic_ms: u64,
    /// Unix time; may leap.
    pub wall_ms: u64,
    /// By which lifetimes are counted: Unix time, as long as the clock has not leapt.
    pub steady_ms: u64,
}

impl Moment {
    /// When something ends that lives so long from now on, by the steady time.
    pub(crate) fn after_ms(&self, lifetime_ms: u64) -> u64 {
        self.steady_ms.saturating_add(lifetime_ms)
    }

    /// Whether what ends at a steady time has ended.
    pub(crate) fn is_past(&self, ends_ms: u64) -> bool {
        ends_ms <= self.steady_ms
    }

    /// When that is by the wall clock, for somebody who has another.
    pub(crate) fn on_the_wall(&self, ends_ms: u64) -> u64 {
        ends_ms.saturating_add(self.wall_ms).saturating_sub(self.steady_ms)
    }
}

/// What is kept of the steady time between two runs.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ClockRecord {
    /// The steady time, ms.
    #[prost(uint64, tag = "1")]
    pub steady_ms: u64,
    /// What the wall clock showed then, Unix time in ms.
    #[prost(uint64, tag = "2")]
    pub wall_ms: u64,
}

/// The steady time.
#[derive(Debug, Default)]
pub(crate) struct SteadyTime {
    /// As kept by an earlier run.
    before: Option<ClockRecord>,
    /// The newest moment of this run.
    newest: Option<Moment>,
    /// Monotonic ms at which it was last kept.
    kept_ms: Option<u64>,
}

impl SteadyTime {
    /// As an earlier run left it.
    pub(crate) fn open(tx: &dyn Transaction) -> Result<Self, RelayError> {
        Ok(Self { before: tables::load(tx, CLOCK, key(b""))?, ..Self::default() })
    }

    /// The moment at which something is looked at; time does not go on by that.
    pub(crate) fn look(&self, now: Now) -> Moment {
        let Now { monotonic_ms, wall_ms } = now;
        let steady_ms = match (&self.newest, &self.before) {
            (Some(newest), _) => {
                let passed_ms = monotonic_ms.saturating_sub(newest.monotonic_ms);
                let fastest_ms = newest.steady_ms.saturating_add(passed_ms.saturating_mul(2));
                wall_ms.clamp(newest.steady_ms, fastest_ms)
            }
            (None, Some(before)) => {
                let passed_ms = wall_ms.saturating_sub(before.wall_ms).min(PAUSE_MS_MAX);
                let latest_ms = before.steady_ms.saturating_add(passed_ms);
                wall_ms.clamp(before.steady_ms, latest_ms)
            }
            (None, None) => wall_ms,
        };
        Moment { monotonic_ms, wall_ms, steady_ms }
    }

    /// The moment at which an input comes.
    pub(crate) fn at(&mut self, now: Now) -> Moment {
        *self.newest.insert(self.look(now))
    }

    /// Keeps it for the next run, now and then.
    pub(crate) fn keep(&mut self, tx: &mut dyn Transaction, moment: Moment) -> Result<(), RelayError> {
        let is_due = |kept_ms: u64| moment.monotonic_ms >= kept_ms.saturating_add(KEEP_INTERVAL_MS);
        if !self.kept_ms.is_none_or(is_due) {
            return Ok(());
        }
        self.kept_ms = Some(moment.monotonic_ms);
        let record = ClockRecord { steady_ms: moment.steady_ms, wall_ms: moment.wall_ms };
        tables::save(tx, CLOCK, key(b""), &record)
    }
}

/// By how much the steady time goes on between two runs at most.
const PAUSE_MS_MAX: u64 = 7 * 86_400_000;
/// How often it is kept.
const KEEP_INTERVAL_MS: u64 = 3_600_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tests::Memory;

    const HOUR_MS: u64 = 3_600_000;
    const DAY_MS: u64 = 24 * HOUR_MS;
    const START_MS: u64 = 20_000 * DAY_MS;

    fn now(monotonic_ms: u64, wall_ms: u64) -> Now {
        Now { monotonic_ms, wall_ms }
    }

    #[test]
    fn it_is_the_wall_clock_while_that_goes_on_as_time_does() {
        let mut time = SteadyTime::default();
        for hours in 0..100 {
            let wall_ms = START_MS + hours * HOUR_MS;
            assert_eq!(time.at(now(hours * HOUR_MS, wall_ms)).steady_ms, wall_ms);
        }
    }

    #[test]
    fn a_leap_that_is_taken_back_ends_nothing_and_a_lasting_one_is_caught_up_with() {
        let mut time = SteadyTime::default();
        let ends_ms = time.at(now(0, START_MS)).after_ms(30 * DAY_MS);
        // A time server is wrong by two years, for an hour.
        let wrong = time.at(now(HOUR_MS, START_MS + 730 * DAY_MS));
        assert!(!wrong.is_past(ends_ms));
        assert_eq!(wrong.on_the_wall(wrong.after_ms(DAY_MS)), wrong.wall_ms + DAY_MS);
        let right = time.at(now(2 * HOUR_MS, START_MS + 2 * HOUR_MS));
        assert_eq!(right.steady_ms, right.wall_ms);
        // The clock was a day late, and is right from now on.
        let late = time.at(now(3 * HOUR_MS, START_MS + DAY_MS + 3 * HOUR_MS));
        assert!(late.steady_ms < late.wall_ms);
        let later = time.at(now(3 * HOUR_MS + DAY_MS, START_MS + 2 * DAY_MS + 3 * HOUR_MS));
        assert_eq!(later.steady_ms, later.wall_ms);
    }

    #[test]
    fn the_next_run_goes_on_where_this_one_ended() {
        let mut tx = Memory::default();
        let mut time = SteadyTime::open(&tx).unwrap();
        let moment = time.at(now(0, START_MS));
        time.keep(&mut tx, moment).unwrap();
        for (wall_ms, steady_ms) in [
            (START_MS + 2 * DAY_MS, START_MS + 2 * DAY_MS),
            // A clock without a battery, and one that is far ahead.
            (0, START_MS),
            (START_MS + 365 * DAY_MS, START_MS + 7 * DAY_MS),
        ] {
            assert_eq!(SteadyTime::open(&tx).unwrap().at(now(5, wall_ms)).steady_ms, steady_ms);
        }
    }

    #[test]
    fn it_is_kept_once_an_hour() {
        let mut tx = Memory::default();
        let mut time = SteadyTime::default();
        let kept =
            |tx: &Memory| SteadyTime::open(tx).unwrap().before.map(|record| record.steady_ms - START_MS);
        for (passed_ms, expected) in [(0, 0), (HOUR_MS - 1, 0), (HOUR_MS, HOUR_MS)] {
            let moment = time.at(now(passed_ms, START_MS + passed_ms));
            time.keep(&mut tx, moment).unwrap();
            assert_eq!(kept(&tx), Some(expected));
        }
    }

    proptest! {
        #[test]
        fn it_never_goes_back_and_never_runs_away(
            steps in proptest::collection::vec((0..10 * DAY_MS, 0..=u64::MAX), 1..50),
        ) {
            let mut time = SteadyTime::default();
            let mut before = time.at(now(0, START_MS));
            for (passed_ms, wall_ms) in steps {
                let moment = time.at(now(before.monotonic_ms + passed_ms, wall_ms));
                prop_assert!(moment.steady_ms >= before.steady_ms);
                prop_assert!(moment.steady_ms - before.steady_ms <= 2 * passed_ms);
                before = moment;
            }
        }
    }
}
