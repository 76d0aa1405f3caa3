//! Noticing that the local network says more than there is reason to keep.
//!
//! mDNS keeps every record of an answer until it expires, without a limit, and whoever is on the network can make up as
//! many as it likes. mDNS tells on request how many it holds. When those are too many for any network that people
//! build, it is stopped, which gives its memory back, and starts again after a pause with nothing in its memory.

use std::time::Duration;

use mdns_sd::{Error, ServiceDaemon};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

/// Records that mDNS may hold. A node takes about eight of them.
const RECORDS_MAX: i64 = 4_096;

/// Moments that mDNS may have noted to look after its records again: two whenever a record is heard, if it is held
/// already or not.
const TIMERS_MAX: i64 = 16 * RECORDS_MAX;

/// How often is looked while little is heard: as often as mDNS itself looks at the interfaces.
const CALM_CHECK: Duration = Duration::from_secs(5);

/// How often is looked when much is held already.
const CLOSE_CHECK: Duration = Duration::from_millis(250);

/// So many events are a reason to look at once.
const EVENTS_PER_CHECK: u32 = 128;

/// How long mDNS may be too busy to say how much it holds.
const PATIENCE: Duration = Duration::from_secs(2);

/// Looks at what mDNS holds.
#[derive(Debug, Default)]
pub(super) struct Watch {
    much_was_heard: Notify,
}

/// Counts what one listener hears.
#[derive(Debug, Default)]
pub(super) struct Heard(u32);

impl Watch {
    /// The listener heard something.
    pub(super) fn heard(&self, heard: &mut Heard) {
        heard.0 += 1;
        if heard.0 >= EVENTS_PER_CHECK {
            heard.0 = 0;
            self.much_was_heard.notify_one();
        }
    }

    /// Returns when mDNS holds too much, or has more to do than it can. Goes on for ever if mDNS has ended.
    pub(super) async fn run(&self, daemon: &ServiceDaemon) {
        loop {
            let Some(load) = Load::of(daemon).await else { return };
            if load.is_too_much() {
                return;
            }
            let pause = if load.is_close() { CLOSE_CHECK } else { CALM_CHECK };
            let _ = timeout(pause, self.much_was_heard.notified()).await;
        }
    }
}

/// What mDNS holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Load {
    records: i64,
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
        let mut load = Self { records: 0, timers: 0 };
        for (name, count) in counters {
            if name.starts_with("cached-") {
                load.records = load.records.saturating_add(count);
            } else if name == "timer" {
                load.timers = count;
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
mod tests {
    use super::*;
    use crate::testing::soon;

    #[test]
    fn records_of_all_kinds_count_and_so_do_timers() {
        let counters = [("cached-ptr", 5), ("cached-addr", 7), ("timer", 9), ("respond", 100_000)];
        let load = Load::of_counters(counters.into_iter());
        assert_eq!(load, Load { records: 12, timers: 9 });
        assert!(!load.is_too_much() && !load.is_close());
        assert!(Load { records: RECORDS_MAX / 2, timers: 0 }.is_close());
        assert!(Load { records: RECORDS_MAX + 1, timers: 0 }.is_too_much());
        assert!(Load { records: 0, timers: TIMERS_MAX + 1 }.is_too_much());
    }

    #[test]
    fn pauses_grow_up_to_a_bound_and_are_forgiven() {
        let (mut pauses, mut now) = (Pauses::default(), Instant::now());
        assert_eq!(pauses.next(now), (Pauses::MIN, true));
        assert_eq!(pauses.next(now), (2 * Pauses::MIN, false));
        for _ in 0..20 {
            now += Pauses::MAX;
            assert!(!pauses.next(now).1);
        }
        assert_eq!(pauses.next(now), (Pauses::MAX, false));
        now += Pauses::FORGIVEN;
        assert_eq!(pauses.next(now), (Pauses::MIN, true));
    }

    /// The names of the counters are those of mDNS, which must go on using them.
    #[tokio::test]
    async fn mdns_says_what_it_holds() {
        let daemon = ServiceDaemon::new_with_port(0).unwrap();
        let asked = daemon.get_metrics().unwrap();
        let counters = soon(asked.recv_async()).await.unwrap();
        for name in ["cached-ptr", "cached-srv", "cached-txt", "cached-addr", "cached-nsec", "timer"] {
            assert!(counters.contains_key(name), "{name} in {counters:?}");
        }
        soon(daemon.shutdown().unwrap().recv_async()).await.unwrap();
    }
}
