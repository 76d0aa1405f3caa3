//! Clocks that are years off: a router starts in 1970, a laptop may think it is 2040.

use std::time::{SystemTime, UNIX_EPOCH};

use qpq_tests::{Options, Person, befriend, group_of};

/// Midnight of 1 January 2040, UTC, in Unix seconds.
const YEAR_2040_S: i64 = 2_208_988_800;

#[test]
fn clocks_decades_apart_keep_nobody_from_talking() {
    let (early, late) = (person("early", 3_600), person("late", YEAR_2040_S));
    let right = Person::new("right");
    befriend(&early, &late);
    befriend(&late, &right);
    befriend(&right, &early);
    early.deliver("@late", "from the past");
    late.deliver("@early", "from the future");

    group_of("epochs", &early, &[&late, &right]);
    for person in [&early, &late, &right] {
        person.deliver("#epochs", &format!("{} speaks", person.name()));
    }
    let rotated = ["group", "rotate", "epochs", "--wait", "--timeout", "60s"];
    assert_eq!(late.ok(&rotated)["committed"], true);
    early.deliver("#epochs", "after the change");
    for person in [&early, &late, &right] {
        assert_eq!(person.texts("#epochs").len(), 4, "{}", person.name());
    }
}

#[test]
fn a_clock_set_right_after_years_loses_nothing() {
    let (mut router, bob) = (person("router", 60), Person::new("bob"));
    befriend(&router, &bob);
    router.deliver("@bob", "in 1970");
    router.set_clock_offset_s(0);
    router.restart();
    router.deliver("@bob", "today");
    bob.deliver("@router", "there you are");
    assert_eq!(bob.texts("@router"), ["in 1970", "today", "there you are"]);
    assert_eq!(router.texts("@bob"), ["in 1970", "today", "there you are"]);
}

#[test]
fn what_waits_does_not_expire_when_the_clock_jumps_ahead() {
    let (mut alice, mut bob) = (person("alice", 60), Person::new("bob"));
    befriend(&alice, &bob);
    bob.kill9();
    alice.queue("@bob", "written in 1970");
    alice.set_clock_offset_s(0);
    alice.restart();
    bob.run_again();
    bob.await_text("@alice", "written in 1970");
}

/// A person whose node thinks that it is so many seconds after 1970.
fn person(name: &str, unix_s: i64) -> Person {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let clock_offset_s = unix_s - i64::try_from(now).unwrap_or(i64::MAX);
    Person::with(name, Options { clock_offset_s, ..Options::default() })
}
