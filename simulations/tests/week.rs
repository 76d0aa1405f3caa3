//! A carrier whose store stays full for a week holds no more of the heap at its end than at its beginning.
//!
//! The carrier is the mesh with its records, sealed and in the real database on files, as `qpqd` runs them; twenty
//! neighbours leave more with it than it can keep. An allocator counts what its code allocates and what becomes free
//! of that, wherever it does: neither the simulator's books nor the neighbours count.
//!
//! The store has 1 MiB, as sealing takes its time in a build for tests. With that of a router:
//!
//! ```sh
//! QPQ_WEEK_STORE_MIB=16 cargo test --release -p qpq-sim --test week -- --nocapture
//! ```
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::alloc::System;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use qpq_sim::routers::RouterKind;
use qpq_sim::run::{Buffers, Setting, StoreKind};
use qpq_sim::scenario::Scenario;
use qpq_sim::time::Time;
use qpq_sim::watch::Watch;
use tracking_allocator::{
    AllocationGroupId, AllocationGroupToken, AllocationRegistry, AllocationTracker, Allocator,
};

#[global_allocator]
static ALLOCATOR: Allocator<System> = Allocator::system();

const DAYS: usize = 7;
const DAY_US: u64 = 86_400_000_000;

/// What the carrier holds, bytes.
static HELD: AtomicUsize = AtomicUsize::new(0);

/// Counts what is allocated while a carrier works.
struct Count;

impl AllocationTracker for Count {
    fn allocated(&self, _: usize, object_bytes: usize, _: usize, group: AllocationGroupId) {
        if group != AllocationGroupId::ROOT {
            HELD.fetch_add(object_bytes, Ordering::Relaxed);
        }
    }

    fn deallocated(
        &self,
        _: usize,
        object_bytes: usize,
        _: usize,
        allocated_in: AllocationGroupId,
        _: AllocationGroupId,
    ) {
        if allocated_in != AllocationGroupId::ROOT {
            HELD.fetch_sub(object_bytes, Ordering::Relaxed);
        }
    }
}

/// Has what carriers allocate counted, and sums up what they held on each day after each piece of work.
struct Days {
    group: Mutex<AllocationGroupToken>,
    sums: [AtomicUsize; DAYS],
    counts: [AtomicUsize; DAYS],
}

impl Days {
    /// What was held on each day, bytes.
    fn means(&self) -> [usize; DAYS] {
        std::array::from_fn(|day| {
            self.sums[day].load(Ordering::Relaxed) / self.counts[day].load(Ordering::Relaxed).max(1)
        })
    }
}

impl std::fmt::Debug for Days {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Days").field(&self.means()).finish()
    }
}

impl Watch for Days {
    fn around(&self, now: Time, work: &mut dyn FnMut()) {
        let mut group = self.group.lock().unwrap();
        let entered = group.enter();
        work();
        drop(entered);
        let day = usize::try_from(now.as_micros() / DAY_US).unwrap();
        let day = day.min(DAYS - 1);
        self.sums[day].fetch_add(HELD.load(Ordering::Relaxed), Ordering::Relaxed);
        self.counts[day].fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_full_carrier_holds_no_more_after_a_week() {
    AllocationRegistry::set_global_tracker(Count).unwrap();
    let group = Mutex::new(AllocationGroupToken::register().unwrap());
    let days = Arc::new(Days { group, sums: Default::default(), counts: Default::default() });
    let folder = tempfile::tempdir().unwrap();
    let setting = Setting::new(scenario(), 1).unwrap();
    let written: u64 = setting.messages().iter().map(|message| u64::from(message.body_bytes)).sum();
    assert!(written > (store_mib() * DAYS as u64 * 5 / 4) << 20, "it does not fill up: {written}");
    let setting = setting.with_store(StoreKind::Files(folder.path().to_owned())).with_watch(days.clone());
    AllocationRegistry::enable_tracking();
    let figures = setting.run(RouterKind::Ours, Buffers::Scenario);
    AllocationRegistry::disable_tracking();

    let means = days.means();
    println!("what was held on each day, bytes: {means:?}");
    assert!(figures.peak_bytes > (store_mib() << 20) * 3 / 4, "it is not full: {}", figures.peak_bytes);
    assert!(means[0] > 1 << 18, "the carrier was not watched: {means:?}");
    // The store fills on the first day. What is held differs from day to day, and from run to run, by several in a hundred:
    // in two runs it fell by 6; in two with a leak of 64 bytes a bundle, planted to see whether it is found, it rose by 6
    // and by 11. A leak much smaller than that is not found.
    let (before, after) = (means[1] + means[2], means[5] + means[6]);
    assert!(after <= before + before / 20, "it grows: {means:?}");
}

fn scenario() -> Scenario {
    let store_mib = store_mib();
    let between_s = 150.0 / store_mib as f64;
    let text = include_str!("../scenarios/carrier.toml")
        .replace("duration_s = 86400.0", &format!("duration_s = {}.0", 86_400 * DAYS))
        .replace("size_bytes = [200, 16000]", "size_bytes = [100, 8000]")
        .replace("count = 100", "count = 20")
        .replace("away_s = 7200.0", "away_s = 21600.0")
        // To somebody who never comes: what is left stays until its time is over or another needs the room.
        .replace("to = [\"people\"]", "to = [\"absent\"]")
        .replace("group_share = 0.2", "group_share = 0.0")
        .replace("[traffic]", &format!("{ABSENT}\n[traffic]"))
        .replace("buffer_bytes = 16777216", &format!("buffer_bytes = {}", store_mib << 20))
        .replace("interval_s = [2.0, 6.0]", &format!("interval_s = [{between_s}, {}]", 2.0 * between_s));
    Scenario::parse(&text, Path::new("week.toml")).unwrap()
}

const ABSENT: &str = r#"
[[group]]
name = "absent"
count = 20
role = "mobile"
buffer_bytes = 524288
links = []
movement = { model = "attached", session_s = 1.0, away_s = 8640000.0, roam = 0.0 }
"#;

fn store_mib() -> u64 {
    std::env::var("QPQ_WEEK_STORE_MIB").map_or(1, |mib| mib.parse().unwrap())
}
