use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::testing::soon;

fn load(records: i64, pointers: i64, timers: i64) -> Load {
    Load { records, pointers, timers }
}

#[test]
fn records_of_all_kinds_count_and_so_do_timers() {
    let counters = [("cached-ptr", 5), ("cached-addr", 7), ("timer", 9), ("respond", 100_000)];
    let found = Load::of_counters(counters.into_iter());
    assert_eq!(found, load(12, 5, 9));
    assert!(!found.is_too_much() && !found.is_close());
    assert!(load(RECORDS_MAX / 2, 0, 0).is_close());
    assert!(load(RECORDS_MAX + 1, 0, 0).is_too_much());
    assert!(load(0, 0, TIMERS_MAX + 1).is_too_much());
}

#[test]
fn counters_that_cannot_be_are_survived() {
    let counters = [("cached-ptr", i64::MAX), ("cached-srv", i64::MAX), ("cached-txt", 1)];
    assert!(Load::of_counters(counters.into_iter()).is_too_much());
    let mut wear = Wear::begin(Instant::now());
    wear.look(load(0, i64::MIN, 0), 0, Instant::now());
    assert_eq!(wear.names(0), 0);
    wear.look(load(0, i64::MAX, 0), 0, wear.looked + Duration::from_secs(u64::from(u32::MAX)));
    assert_eq!(wear.names(usize::MAX), u64::MAX);
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

#[test]
fn too_much_is_a_flood_and_too_many_names_after_a_while_are_wear() {
    let calm = load(800, 100, 2_000);
    for (found, names, age_s, expected) in [
        (calm, 0, 0, None),
        (calm, NAMES_KEPT_MAX, 1_000_000, None),
        (calm, NAMES_KEPT_MAX + 1, 60, Some(Excess::Wear)),
        (calm, NAMES_KEPT_MAX + 1, 59, Some(Excess::Flood)),
        (load(RECORDS_MAX + 1, 0, 0), 0, 3_600, Some(Excess::Flood)),
        (load(RECORDS_MAX + 1, 0, 0), NAMES_KEPT_MAX + 1, 3_600, Some(Excess::Flood)),
    ] {
        let excess = excess(found, names, Duration::from_secs(age_s));
        assert_eq!(excess, expected, "{found:?} {names} {age_s}");
    }
}

/// As many pointers as there are nodes in sight, for a year: nothing is wrong.
#[test]
fn neighbours_wear_nothing_out() {
    let mut wear = Wear::begin(Instant::now());
    for _ in 0..366 {
        wear.look(load(2_000, 256, 4_000), 256, wear.looked + Duration::from_secs(86_400));
    }
    assert_eq!(wear.names(256), 256);
}

#[tokio::test]
async fn much_that_is_heard_is_a_reason_to_look_at_once() {
    let watch = Watch::default();
    let is_noticed = async || timeout(Duration::ZERO, watch.much_was_heard.notified()).await.is_ok();
    for _ in 1..EVENTS_PER_CHECK {
        watch.heard(7);
    }
    assert!(!is_noticed().await);
    watch.heard(8);
    assert!(is_noticed().await && !is_noticed().await);
    assert_eq!(watch.in_sight.load(Ordering::Relaxed), 8);
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

#[tokio::test]
async fn an_mdns_that_holds_little_ends_when_too_many_names_were_heard() {
    let daemon = ServiceDaemon::new_with_port(0).unwrap();
    let watch = Watch::default();
    let running = async { timeout(Duration::from_millis(50), watch.run(&daemon)).await };
    assert!(running.await.is_err(), "there is no reason to end");
    for _ in 0..=NAMES_KEPT_MAX {
        watch.heard(1);
    }
    assert_eq!(soon(watch.run(&daemon)).await, Excess::Flood);
    soon(daemon.shutdown().unwrap().recv_async()).await.unwrap();
}

proptest! {
    /// Pointers of strangers that live for a second each are counted, whatever their number and whenever one looks.
    #[test]
    fn strangers_who_stay_briefly_are_counted(
        looks in vec((0_u64..400, 1_u64..6_000), 1..60),
        in_sight in 0_usize..300,
    ) {
        let begun = Instant::now();
        let (mut wear, mut now, mut came) = (Wear::begin(begun), begun, 0);
        for (strangers, elapsed_ms) in looks {
            let pointers = i64::try_from(strangers).unwrap() + i64::try_from(in_sight).unwrap();
            now += Duration::from_millis(elapsed_ms);
            wear.look(load(0, pointers, 0), in_sight, now);
            prop_assert_eq!(wear.age(), now - begun);
            came += strangers * elapsed_ms;
            prop_assert_eq!(wear.names(3), came / 1_000 + 3);
        }
    }
}
