//! A node asks for its own name.

use qpq_proto::ids::Identity;

use super::{ALICE, BOB, LATER_MS, alarms, checks, identity, log, registered, relay_log, state};

#[test]
fn somebody_else_behind_the_own_name_is_noticed_within_a_day() {
    let (mut world, _) = registered(&["alice", "bob"]);
    let asked = world.offices[0].calls["ResolveUser"];
    assert_eq!(asked, 2, "after each login");
    log(&mut world, 0).set("person1", Some(Identity::from_bytes([9; 32])));
    world.pass(LATER_MS);
    assert_eq!(checks(&mut world, ALICE), ["ok"]);
    assert_eq!(checks(&mut world, BOB), ["fail"]);
    let told = alarms(&mut world, BOB, "relay-own-name");
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("person1 is somebody else") && told[0].contains("0909"), "{told:?}");
    assert!(relay_log(&mut world, BOB).own_name.contains("somebody else"));
    world.pass(LATER_MS);
    assert_eq!(alarms(&mut world, BOB, "relay-own-name").len(), 1, "told once");
}

#[test]
fn somebody_else_behind_the_own_name_for_a_while_is_noticed_too() {
    let (mut world, _) = registered(&["alice", "bob"]);
    let bob = identity(&mut world, BOB);
    log(&mut world, 0).set("person1", Some(Identity::from_bytes([9; 32])));
    log(&mut world, 0).set("person1", Some(bob));
    world.stop(BOB);
    world.start(BOB);
    for _ in 0..2 {
        world.pass(LATER_MS);
        assert!(relay_log(&mut world, BOB).own_name.ends_with("for a while"));
        assert_eq!(alarms(&mut world, BOB, "relay-own-name").len(), 1);
    }
}

#[test]
fn a_name_that_was_given_up_is_noticed() {
    let (mut world, _) = registered(&["alice", "bob"]);
    log(&mut world, 0).set("person1", None);
    world.open_office(0, false);
    world.open_office(0, true);
    world.pass(10_000);
    assert!(alarms(&mut world, BOB, "relay-own-name")[0].contains("nobody is called person1"));
    assert_eq!(state(&mut world, BOB, "person1"), "nobody");
}

#[test]
fn a_relay_that_is_not_reached_is_asked_after_the_next_login() {
    let (mut world, _) = registered(&["alice", "bob"]);
    world.open_office(0, false);
    world.pass(3 * LATER_MS);
    log(&mut world, 0).set("person0", Some(Identity::from_bytes([9; 32])));
    assert!(alarms(&mut world, ALICE, "relay-own-name").is_empty());
    world.open_office(0, true);
    world.pass(10_000);
    assert_eq!(alarms(&mut world, ALICE, "relay-own-name").len(), 1);
    assert!(alarms(&mut world, BOB, "relay-own-name").is_empty());
}

#[test]
fn many_logins_do_not_lead_to_many_questions() {
    let (mut world, _) = registered(&["alice"]);
    for _ in 0..10 {
        world.open_office(0, false);
        world.open_office(0, true);
        world.pass(10_000);
    }
    let asked = world.offices[0].calls["ResolveUser"];
    world.pass(3 * LATER_MS);
    assert_eq!(world.offices[0].calls["ResolveUser"], asked + 3);
}
