//! Who is woken when: what waits, what is under way, what is tried again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use qpq_proto::limits::RelayLimits;
use reqwest::Url;
use tokio::time::Instant;

/// A device that is to be woken.
#[derive(Debug, Clone)]
pub(super) struct Wake<K> {
    pub(super) key: K,
    /// As it was given.
    pub(super) named: String,
    /// As it is posted to.
    pub(super) endpoint: Url,
    /// Posts that came to nothing.
    failures: usize,
}

/// Devices that wait to be woken, in the order in which that is due, and the posts under way.
#[derive(Debug)]
pub(super) struct Schedule<K> {
    waiting: BTreeMap<(Instant, u64), Wake<K>>,
    /// Of those that wait or whose post is under way.
    keys: BTreeSet<K>,
    /// Posts under way, by host.
    under_way: BTreeMap<String, usize>,
    /// The number of the next that waits.
    next: u64,
    waiting_max: usize,
    under_way_max: usize,
    per_host_max: usize,
}

impl<K: Ord + Clone> Schedule<K> {
    pub(super) fn new(limits: &RelayLimits) -> Self {
        Self {
            waiting: BTreeMap::new(),
            keys: BTreeSet::new(),
            under_way: BTreeMap::new(),
            next: 0,
            waiting_max: limits.wakes_waiting_max,
            under_way_max: limits.wakes_under_way_max,
            per_host_max: limits.wakes_under_way_per_host_max,
        }
    }

    /// A device is to be woken now. One that is about to be woken already is left as it is. Says why it cannot be.
    pub(super) fn add(&mut self, key: K, endpoint: &str, now: Instant) -> Result<(), &'static str> {
        if self.keys.contains(&key) {
            return Ok(());
        }
        if self.keys.len() >= self.waiting_max {
            return Err("too many wait for it");
        }
        let named = endpoint.to_owned();
        let endpoint = Url::parse(endpoint).map_err(|_| "its endpoint is no address")?;
        if endpoint.scheme() != "https" || endpoint.host_str().is_none() {
            return Err("its endpoint is no https address");
        }
        self.keys.insert(key.clone());
        self.wait(Wake { key, named, endpoint, failures: 0 }, now);
        Ok(())
    }

    /// The next device whose turn it is; its post is under way from now on.
    pub(super) fn take(&mut self, now: Instant) -> Option<Wake<K>> {
        let place = self.first().filter(|(due, _)| *due <= now)?;
        let wake = self.waiting.remove(&place)?;
        *self.under_way.entry(host(&wake)).or_default() += 1;
        Some(wake)
    }

    /// When it will be somebody's turn, if no post ends before.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.first().map(|(due, _)| due)
    }

    /// A post has ended, and may be tried again, after as long as the server asks for at least. Returns whether that is
    /// so or nothing more is to be done; false if it was tried often enough in vain.
    pub(super) fn done(&mut self, mut wake: Wake<K>, retry: Option<Duration>, now: Instant) -> bool {
        let host = host(&wake);
        if let Some(posts) = self.under_way.get_mut(&host) {
            *posts -= 1;
            if *posts == 0 {
                self.under_way.remove(&host);
            }
        }
        let pause = retry.and_then(|asked| Some(jittered(*PAUSES.get(wake.failures)?).max(asked)));
        match pause {
            Some(pause) => {
                wake.failures += 1;
                self.wait(wake, now + pause);
                true
            }
            None => {
                self.keys.remove(&wake.key);
                retry.is_none()
            }
        }
    }

    fn wait(&mut self, wake: Wake<K>, due: Instant) {
        self.waiting.insert((due, self.next), wake);
        self.next += 1;
    }

    /// The place of the first that its host has room for.
    fn first(&self) -> Option<(Instant, u64)> {
        if self.under_way.values().sum::<usize>() >= self.under_way_max {
            return None;
        }
        let posts = |wake: &Wake<K>| self.under_way.get(&host(wake)).copied().unwrap_or_default();
        self.waiting.iter().find(|(_, wake)| posts(wake) < self.per_host_max).map(|(place, _)| *place)
    }
}

fn host<K>(wake: &Wake<K>) -> String {
    wake.endpoint.host_str().unwrap_or_default().to_owned()
}

/// Between half of the pause and all of it: those whom one server failed do not come back to it in step.
fn jittered(pause: Duration) -> Duration {
    // Without randomness there is no jitter, which costs little.
    let part = getrandom::u32().unwrap_or(u32::MAX);
    pause / 2 + pause.mul_f64(f64::from(part) / f64::from(u32::MAX) / 2.0)
}

/// How long nothing is tried after a first failure, a second, and a third; a fourth is the last.
const PAUSES: [Duration; 3] = [Duration::from_secs(10), Duration::from_secs(60), Duration::from_secs(600)];

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const LIMITS: RelayLimits = RelayLimits {
        wakes_waiting_max: 6,
        wakes_under_way_max: 3,
        wakes_under_way_per_host_max: 2,
        ..RelayLimits::ROUTER
    };

    fn endpoint(host: u8) -> String {
        format!("https://push{host}.example.org/x")
    }

    fn taken(schedule: &mut Schedule<u8>, now: Instant) -> Vec<u8> {
        std::iter::from_fn(|| schedule.take(now).map(|wake| wake.key)).collect()
    }

    #[test]
    fn a_slow_host_takes_its_share_and_delays_nobody_else() {
        let (mut schedule, now) = (Schedule::new(&LIMITS), Instant::now());
        for (device, host) in [(1, 1), (2, 1), (3, 1), (1, 1), (4, 2), (5, 2)] {
            schedule.add(device, &endpoint(host), now).unwrap();
        }
        assert_eq!(taken(&mut schedule, now), [1, 2, 4]);
        assert_eq!(schedule.next_due(), None, "until a post ends");
    }

    #[test]
    fn no_more_wait_than_may_and_only_at_https_addresses() {
        let (mut schedule, now) = (Schedule::new(&LIMITS), Instant::now());
        for wrong in ["", "push", "http://push.example.org/", "https://"] {
            assert!(schedule.add(0, wrong, now).is_err(), "{wrong}");
        }
        for device in 0..6 {
            schedule.add(device, &endpoint(1), now).unwrap();
        }
        assert!(schedule.add(6, &endpoint(2), now).is_err());
        let wake = schedule.take(now).unwrap();
        assert!(schedule.add(6, &endpoint(2), now).is_err(), "what is under way counts too");
        assert!(schedule.done(wake, None, now));
        schedule.add(6, &endpoint(2), now).unwrap();
    }

    #[test]
    fn what_fails_is_tried_again_three_times_with_growing_pauses() {
        let (mut schedule, mut now) = (Schedule::new(&LIMITS), Instant::now());
        schedule.add(1, &endpoint(1), now).unwrap();
        for (asked_s, expected_s) in [(0, 5..=10), (0, 30..=60), (900, 900..=900)] {
            let wake = schedule.take(now).unwrap();
            assert!(schedule.done(wake, Some(Duration::from_secs(asked_s)), now));
            let due = schedule.next_due().unwrap();
            assert!(expected_s.contains(&(due - now).as_secs()), "{:?}", due - now);
            assert!(schedule.take(due - Duration::from_millis(1)).is_none());
            now = due;
        }
        let wake = schedule.take(now).unwrap();
        assert!(!schedule.done(wake, Some(Duration::ZERO), now), "no more");
        assert_eq!(schedule.next_due(), None);
    }

    proptest! {
        /// Whatever happens: the bounds hold, and in the end everybody was taken and nobody is left.
        #[test]
        fn the_bounds_hold(steps in vec((0..20_u8, 0..4_u8, any::<bool>(), 0..40_u64), 1..80)) {
            let (mut schedule, mut now, mut posts) = (Schedule::new(&LIMITS), Instant::now(), Vec::new());
            for (device, host, fails, passes_s) in steps {
                let _ = schedule.add(device, &endpoint(host), now);
                posts.extend(std::iter::from_fn(|| schedule.take(now)));
                prop_assert!(posts.len() <= 3 && schedule.keys.len() <= 6);
                for other in 0..4 {
                    let to_it = posts.iter().filter(|wake| wake.named == endpoint(other)).count();
                    prop_assert!(to_it <= 2);
                }
                now += Duration::from_secs(passes_s);
                if let Some(wake) = posts.pop() {
                    schedule.done(wake, fails.then_some(Duration::ZERO), now);
                }
            }
            while let Some(wake) = posts.pop().or_else(|| schedule.take(schedule.next_due()?)) {
                schedule.done(wake, None, now);
            }
            prop_assert!(schedule.keys.is_empty() && schedule.under_way.is_empty() && schedule.waiting.is_empty());
        }
    }
}
