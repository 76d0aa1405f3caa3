//! Noticing that the local network says more than there is reason to keep.
//!
//! mDNS keeps every record of an answer until it expires, without a limit, and whoever is on the network can make up as
//! many as it likes. mDNS tells on request how many it holds. When those are too many for any network that people
//! build, it is stopped, which gives its memory back, and starts again after a pause with nothing in its memory.
//!
//! Of records that have expired, it goes on keeping names, of which it does not tell: those of services that it has
//! resolved, and those of types that somebody else's records had. A stranger with records that live for a second adds
//! thousands of names without ever having many records held. So it is estimated how many names there can be, and when
//! those are too many, mDNS is started anew, at once if it took a while to get there.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mdns_sd::{Error, ServiceDaemon};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

/// Records that mDNS may hold. A node takes about eight of them.
const RECORDS_MAX: i64 = 4_096;

/// Moments that mDNS may have noted to look after its records again: two whenever a record is heard, if it is held
/// already or not.
const TIMERS_MAX: i64 = 16 * RECORDS_MAX;

/// Names that mDNS may have kept of records that it holds no longer, each of at most 255 bytes.
const NAMES_KEPT_MAX: u64 = 16_384;

/// The shortest life of a record that is not a goodbye, milliseconds: so often at most one makes room for another.
const RECORD_LIFE_MIN_MS: u64 = 1_000;

/// Who lasts this long before there are too many names was not flooded.
const LASTING: Duration = Duration::from_secs(60);

/// How often is looked while little is heard: as often as mDNS itself looks at the interfaces.
const CALM_CHECK: Duration = Duration::from_secs(5);

/// How often is looked when much is held already.
const CLOSE_CHECK: Duration = Duration::from_millis(250);

/// So many events are a reason to look at once.
const EVENTS_PER_CHECK: usize = 128;

/// How long mDNS may be too busy to say how much it holds.
const PATIENCE: Duration = Duration::from_secs(2);

/// Looks at what mDNS holds.
#[derive(Debug, Default)]
pub(super) struct Watch {
    much_was_heard: Notify,
    /// Events heard so far. Each name of a service that is kept has led to one.
    events: AtomicUsize,
    /// Nodes in sight: as many pointers are held with good reason.
    in_sight: AtomicUsize,
}

/// Why mDNS has to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Excess {
    /// It holds too much, or has more to do than it can.
    Flood,
    /// It may have kept too many names, little by little.
    Wear,
}

impl Watch {
    /// The listener heard something, and has so many nodes in sight.
    pub(super) fn heard(&self, in_sight: usize) {
        self.in_sight.store(in_sight, Ordering::Relaxed);
        if (self.events.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(EVENTS_PER_CHECK) {
            self.much_was_heard.notify_one();
        }
    }

    /// Returns when mDNS has to end, and why. Goes on for ever if mDNS has ended.
    pub(super) async fn run(&self, daemon: &ServiceDaemon) -> Excess {
        let mut wear = Wear::begin(Instant::now());
        loop {
            let Some(load) = Load::of(daemon).await else { return Excess::Flood };
            wear.look(load, self.in_sight.load(Ordering::Relaxed), Instant::now());
            let names = wear.names(self.events.load(Ordering::Relaxed));
            if let Some(excess) = excess(load, names, wear.age()) {
                return excess;
            }
            let pause = if load.is_close() { CLOSE_CHECK } else { CALM_CHECK };
            let _ = timeout(pause, self.much_was_heard.notified()).await;
        }
    }
}

fn excess(load: Load, names: u64, age: Duration) -> Option<Excess> {
    match names > NAMES_KEPT_MAX {
        _ if load.is_too_much() => Some(Excess::Flood),
        true if age >= LASTING => Some(Excess::Wear),
        true => Some(Excess::Flood),
        false => None,
    }
}

/// What mDNS holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Load {
    records: i64,
    /// Those of the records that point from a type to a service.
    pointers: i64,
    timers: i64,
}

impl Load {
    /// Asks mDNS; `None` if it is too busy to answer.
    async fn of(daemon: &ServiceDaemon) -> Option<Self> {
        let asked = match daemon.get_metrics() {
            Ok(asked) => asked,
            Err(Error::Again) => return None,
            Err(_) => std::future::pending().await,
        };
        match timeout(PATIENCE, asked.recv_async()).await {
            Ok(Ok(counters)) => {
                Some(Self::of_counters(counters.iter().map(|(name, count)| (&**name, *count))))
            }
            Ok(Err(_)) => std::future::pending().await,
            Err(_) => None,
        }
    }

    fn of_counters<'a>(counters: impl Iterator<Item = (&'a str, i64)>) -> Self {
        let mut load = Self { records: 0, pointers: 0, timers: 0 };
        for (name, count) in counters {
            if name.starts_with("cached-") {
                load.records = load.records.saturating_add(count);
            }
            match name {
                "cached-ptr" => load.pointers = count,
                "timer" => load.timers = count,
                _ => {}
            }
        }
        load
    }

    fn is_too_much(self) -> bool {
        self.records > RECORDS_MAX || self.timers > TIMERS_MAX
    }

    fn is_close(self) -> bool {
        self.records > RECORDS_MAX / 4 || self.timers > TIMERS_MAX / 4
    }
}

/// Estimates how many names mDNS may have kept.
///
/// How often a pointer of somebody else's made room for another cannot be seen, but not more than once in the shortest
/// life of a record. Those that are held whenever one looks, summed up over time, are therefore as many as there can
/// have been, as long as nobody knows when one looks.
#[derive(Debug)]
struct Wear {
    begun: Instant,
    looked: Instant,
    /// Pointers times milliseconds.
    strange_pointers_ms: u64,
}

impl Wear {
    fn begin(now: Instant) -> Self {
        Self { begun: now, looked: now, strange_pointers_ms: 0 }
    }

    fn look(&mut self, load: Load, in_sight: usize, now: Instant) {
        let pointers = u64::try_from(load.pointers).unwrap_or(0);
        let strange = pointers.saturating_sub(in_sight as u64);
        let elapsed_ms = u64::try_from(now.saturating_duration_since(self.looked).as_millis());
        let passed = strange.saturating_mul(elapsed_ms.unwrap_or(u64::MAX));
        self.strange_pointers_ms = self.strange_pointers_ms.saturating_add(passed);
        self.looked = now;
    }

    /// How many names there can be, after so many events.
    fn names(&self, events: usize) -> u64 {
        (events as u64).saturating_add(self.strange_pointers_ms / RECORD_LIFE_MIN_MS)
    }

    fn age(&self) -> Duration {
        self.looked.saturating_duration_since(self.begun)
    }
}

/// How long discovery stays away after a flood: longer each time, until there was none for a while.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    last: Option<(Instant, Duration)>,
}

impl Pauses {
    const MIN: Duration = Duration::from_secs(10);
    const MAX: Duration = Duration::from_secs(600);
    /// After so long without a flood, the next one is the first.
    const FORGIVEN: Duration = Duration::from_secs(1_800);

    /// There is a flood now. Returns how long to stay away, and whether it is the first one for a while.
    pub(super) fn next(&mut self, now: Instant) -> (Duration, bool) {
        let recent = self.last.filter(|(at, _)| now.saturating_duration_since(*at) < Self::FORGIVEN);
        let pause = recent.map_or(Self::MIN, |(_, pause)| (pause * 2).min(Self::MAX));
        self.last = Some((now, pause));
        (pause, recent.is_none())
    }
}

#[cfg(test)]
mod tests;
