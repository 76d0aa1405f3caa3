//! A node's clocks: node time, which only grows, and a wall clock that may say anything after a restart.

use qpq_mesh::lifetime::gap_ms;

use crate::random::Random;
use crate::time::Time;

/// What the wall clock says at the start of a run, if it is right: 2026-01-01, Unix time in ms.
const START_WALL_MS: u64 = 1_767_225_600_000;
/// What it says right after a restart where there is no battery: some seconds into 1970, or years ahead.
const WRONG_WALL_MS: [u64; 3] = [10_000, 1_735_689_600_000, 2_208_988_800_000];

/// The clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    /// Node time and wall clock at the last start, ms.
    started: [u64; 2],
    started_at: Time,
    /// Both as they were written down last.
    saved: [u64; 2],
}

impl Clock {
    /// Right, at the start of a run.
    pub(super) fn new() -> Self {
        let started = [0, START_WALL_MS];
        Self { started, started_at: Time::ZERO, saved: started }
    }

    /// Node time, ms.
    pub(super) fn node_ms(&self, now: Time) -> u64 {
        self.readings(now)[0]
    }

    /// Node time at the last start, ms.
    pub(super) fn started_ms(&self) -> u64 {
        self.started[0]
    }

    /// Node time and wall clock at the last start, ms.
    pub(super) fn readings_at_start(&self) -> [u64; 2] {
        self.started
    }

    /// Both as they lie on the disk after a crash.
    pub(super) fn set_saved(&mut self, saved: [u64; 2]) {
        self.saved = saved;
    }

    /// When node time will be this.
    pub(super) fn when(&self, node_ms: u64) -> Time {
        let after_ms = node_ms.saturating_sub(self.started[0]);
        Time::from_micros(self.started_at.as_micros() + after_ms * 1000)
    }

    /// Writes both down: part of every commit.
    pub(super) fn save(&mut self, now: Time) {
        self.saved = self.readings(now);
    }

    /// The node starts again, with a wrong wall clock if one is wanted.
    pub(super) fn restart(&mut self, now: Time, is_wrong: bool, random: &mut Random) {
        let wrong = if is_wrong { random.choose(&WRONG_WALL_MS).copied() } else { None };
        let wall_ms = wrong.unwrap_or(START_WALL_MS + now.as_millis());
        let node_ms = self.saved[0] + gap_ms(self.saved[1], wall_ms);
        self.started = [node_ms, wall_ms];
        self.started_at = now;
        self.saved = self.started;
    }

    /// Node time and wall clock, ms.
    pub(super) fn readings(&self, now: Time) -> [u64; 2] {
        let gone_ms = now.as_millis().saturating_sub(self.started_at.as_millis());
        self.started.map(|started| started + gone_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000;

    /// Node time an hour after it was saved at two hours, for each wall clock that may come.
    fn after_restart(is_wrong: bool) -> Vec<u64> {
        let mut random = Random::new(1, "test", 0);
        let mut clock = Clock::new();
        clock.save(Time::from_micros(2 * HOUR * 1000));
        let mut found: Vec<u64> = (0..40)
            .map(|_| {
                let mut clock = clock;
                clock.restart(Time::from_micros(3 * HOUR * 1000), is_wrong, &mut random);
                clock.node_ms(Time::from_micros(3 * HOUR * 1000))
            })
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    #[test]
    fn a_believable_gap_is_charged_as_it_is_and_any_other_as_six_hours() {
        assert_eq!(after_restart(false), [3 * HOUR]);
        assert_eq!(after_restart(true), [8 * HOUR]);
    }

    #[test]
    fn node_time_is_found_again_in_virtual_time() {
        let mut clock = Clock::new();
        clock.restart(Time::from_micros(5_000_000), false, &mut Random::new(1, "test", 0));
        assert_eq!(clock.node_ms(Time::from_micros(6_500_000)), 6_500);
        assert_eq!(clock.when(6_500), Time::from_micros(6_500_000));
    }
}
