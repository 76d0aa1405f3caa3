//! The node's time in runs, crashes and wall clocks between 1970 and 2040.

use proptest::prelude::*;

use qpq_mesh::lifetime::SET_CLOCK_MS;

use super::*;
use crate::tests::memory::Memory;

const YEAR_2026: u64 = 1_767_225_600_000;
const YEAR_2040: u64 = 2_208_988_800_000;
const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;

fn at(monotonic_ms: u64, wall_ms: u64) -> Now {
    Now { monotonic_ms, wall_ms }
}

/// What the node's time is after a run of five hours that began at one wall clock, and a restart at another.
fn after_restart(first_wall_ms: u64, second_wall_ms: u64) -> u64 {
    let mut memory = Memory::default();
    let mut clock = Clock::start(&mut memory, at(7, first_wall_ms)).unwrap();
    clock.save_sometimes(&mut memory, at(7 + 5 * HOUR_MS, first_wall_ms)).unwrap();
    let now = at(3, second_wall_ms);
    Clock::start(&mut memory, now).unwrap().node_ms(now)
}

#[test]
fn the_first_run_begins_at_zero_whatever_the_wall_clock_says() {
    for wall_ms in [0, YEAR_2026, YEAR_2040, u64::MAX] {
        let clock = Clock::start(&mut Memory::default(), at(1_000, wall_ms)).unwrap();
        assert_eq!(clock.node_ms(at(1_000, wall_ms)), 0);
        assert_eq!(clock.node_ms(at(1_250, 0)), 250);
        assert_eq!(clock.node_ms(at(900, wall_ms)), 0, "a monotonic clock that goes back stands still");
    }
}

#[test]
fn believable_gaps_are_charged_in_full() {
    for gap_ms in [0, 1, DAY_MS, 90 * DAY_MS] {
        assert_eq!(after_restart(YEAR_2026, YEAR_2026 + gap_ms), 5 * HOUR_MS + gap_ms);
    }
}

#[test]
fn unset_and_jumping_clocks_charge_six_hours() {
    for (first, second) in [
        (0, 1_000),
        (0, YEAR_2026),
        (SET_CLOCK_MS - 1, SET_CLOCK_MS),
        (YEAR_2026, 0),
        (YEAR_2026, YEAR_2026 - 1),
        (YEAR_2026, YEAR_2026 + 90 * DAY_MS + 1),
        (YEAR_2026, YEAR_2040),
        (YEAR_2040, YEAR_2026),
    ] {
        assert_eq!(after_restart(first, second), 11 * HOUR_MS, "from {first} to {second}");
    }
}

#[test]
fn the_time_is_written_at_the_start_and_every_ten_minutes() {
    let mut memory = Memory::default();
    let mut clock = Clock::start(&mut memory, at(0, 5)).unwrap();
    for (monotonic_ms, written_ms) in
        [(1, 0), (599_999, 0), (600_000, 600_000), (1_199_999, 600_000), (9_000_000, 9_000_000)]
    {
        clock.save_sometimes(&mut memory, at(monotonic_ms, 5)).unwrap();
        assert_eq!(written(&memory).node_ms, written_ms, "at {monotonic_ms} ms");
    }
}

fn written(memory: &Memory) -> ClockRecord {
    tables::load(memory, CLOCK, tables::key(SINGLE)).unwrap().unwrap()
}

#[derive(Debug, Clone)]
enum Step {
    /// The node runs, and ticks at the end.
    Run(u64),
    /// The wall clock is set to a moment; `None` sets it right.
    Set(Option<u64>),
    /// The node crashes and is down for a while; its monotonic clock begins anew.
    Crash { down_ms: u64, monotonic_ms: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let length = prop_oneof![0..DAY_MS, 0..900_000u64, 0..200 * DAY_MS];
    prop_oneof![
        3 => length.clone().prop_map(Step::Run),
        1 => proptest::option::of(0..YEAR_2040).prop_map(Step::Set),
        2 => (length, 0..DAY_MS).prop_map(|(down_ms, monotonic_ms)| Step::Crash { down_ms, monotonic_ms }),
    ]
}

/// A node, and what an onlooker with a right clock knows of it.
struct Onlooker {
    memory: Memory,
    clock: Clock,
    monotonic_ms: u64,
    /// True time.
    true_ms: u64,
    /// By how much the wall clock is wrong.
    error_ms: i64,
    /// True time and error when the node last wrote its time.
    written_at: (u64, i64),
}

impl Onlooker {
    fn new() -> Self {
        let mut memory = Memory::default();
        let clock = Clock::start(&mut memory, at(0, YEAR_2026)).unwrap();
        let written_at = (YEAR_2026, 0);
        Self { memory, clock, monotonic_ms: 0, true_ms: YEAR_2026, error_ms: 0, written_at }
    }

    fn now(&self) -> Now {
        at(self.monotonic_ms, self.true_ms.saturating_add_signed(self.error_ms))
    }

    fn node_ms(&self) -> u64 {
        self.clock.node_ms(self.now())
    }

    fn run(&mut self, ms: u64) {
        let before = self.node_ms();
        self.monotonic_ms += ms;
        self.true_ms += ms;
        assert_eq!(self.node_ms(), before + ms, "it runs with the monotonic clock");
        let old = written(&self.memory);
        let now = self.now();
        self.clock.save_sometimes(&mut self.memory, now).unwrap();
        if written(&self.memory) != old {
            self.written_at = (self.true_ms, self.error_ms);
        }
        assert!(
            self.node_ms() - written(&self.memory).node_ms < 600_000,
            "ten minutes can be lost, not more"
        );
    }

    fn set(&mut self, wall_ms: Option<u64>) {
        let before = self.node_ms();
        let error = |wall_ms: u64| i64::try_from(wall_ms).unwrap() - i64::try_from(self.true_ms).unwrap();
        self.error_ms = wall_ms.map_or(0, error);
        assert_eq!(self.node_ms(), before, "the wall clock does not matter to a node that runs");
    }

    fn crash(&mut self, down_ms: u64, monotonic_ms: u64) {
        let written_ms = written(&self.memory).node_ms;
        self.true_ms += down_ms;
        self.monotonic_ms = monotonic_ms;
        let now = self.now();
        self.clock = Clock::start(&mut self.memory, now).unwrap();
        let charged = self.node_ms().checked_sub(written_ms).expect("it never falls behind what was written");
        assert!(charged <= 90 * DAY_MS, "{charged} ms cannot be believed");
        let (true_then, error_then) = self.written_at;
        let gap_ms = self.true_ms - true_then;
        let is_right = error_then == 0 && self.error_ms == 0;
        if is_right && gap_ms <= 90 * DAY_MS {
            assert_eq!(charged, gap_ms, "right clocks are believed");
        }
        if is_right && gap_ms > 90 * DAY_MS {
            assert_eq!(charged, 6 * HOUR_MS);
        }
        self.written_at = (self.true_ms, self.error_ms);
    }
}

proptest! {
    #[test]
    fn the_time_never_runs_back_nor_away(steps in proptest::collection::vec(step(), 1..60)) {
        let mut node = Onlooker::new();
        for step in steps {
            match step {
                Step::Run(ms) => node.run(ms),
                Step::Set(wall_ms) => node.set(wall_ms),
                Step::Crash { down_ms, monotonic_ms } => node.crash(down_ms, monotonic_ms),
            }
        }
    }
}
