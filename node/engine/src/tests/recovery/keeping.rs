//! What relays keep, and when it is renewed.

use super::*;

const HOUR_MS: u64 = 3_600_000;

fn stored(world: &World, office: usize) -> usize {
    world.offices[office].calls.get("StoreRecoveryBundle").copied().unwrap_or_default()
}

/// Somebody new becomes a contact of alice's.
fn meet(world: &mut World, name: &str) {
    let index = world.nodes.len();
    world.add_person(index, name);
    world.befriend(ALICE, index);
}

#[test]
fn without_a_relay_there_are_no_codes() {
    let mut world = World::friends(&["alice", "bob"]);
    let refused = propose(&mut world, ALICE).unwrap_err();
    assert_eq!(refused.status, Status::Conflict);
    assert!(refused.message.contains("qpq relay register"), "{refused}");
    assert_eq!(show(&mut world, ALICE), v1::ShowRecoveryResponse { settled: true, ..Default::default() });
}

#[test]
fn codes_count_from_when_they_were_shown() {
    let (mut world, links) = with_relays(1);
    let first = set_up(&mut world, ALICE);
    let unseen = propose(&mut world, ALICE).unwrap();
    let seen = propose(&mut world, ALICE).unwrap();
    assert_eq!(confirm(&mut world, ALICE, &unseen.set).unwrap_err().status, Status::Conflict);
    world.stop(ALICE);
    world.start(ALICE);
    world.pass(5_000);
    let refused = confirm(&mut world, ALICE, &seen.set).unwrap_err();
    assert!(refused.message.contains("those before still are"), "{refused}");
    for codes in [unseen.codes, seen.codes] {
        let again = fresh(&mut world);
        assert_eq!(use_code(&mut world, again, &links[0], &codes[0]).unwrap_err().status, Status::NotFound);
    }
    let again = fresh(&mut world);
    assert_eq!(use_code(&mut world, again, &links[0], &first[0]).unwrap().name, "alice");
}

#[test]
fn bundles_are_renewed_when_something_lasting_has_changed_and_seldom() {
    let (mut world, links) = with_relays(1);
    let codes = set_up(&mut world, ALICE);
    assert_eq!(stored(&world, 0), 8);
    world.send(ALICE, "@bob", "nothing new").unwrap();
    world.pass(5 * HOUR_MS);
    assert_eq!(stored(&world, 0), 8, "messages are not in it");
    meet(&mut world, "carol");
    world.pass(61_000);
    assert_eq!(stored(&world, 0), 16, "soon, if it was not done lately");
    meet(&mut world, "dave");
    meet(&mut world, "erin");
    world.pass(HOUR_MS - 120_000);
    assert_eq!(stored(&world, 0), 16);
    world.pass(180_000);
    assert_eq!(stored(&world, 0), 24, "once for both");
    world.stop(ALICE);
    let again = fresh(&mut world);
    assert_eq!(use_code(&mut world, again, &links[0], &codes[7]).unwrap().contacts, 4);
}

#[test]
fn a_code_that_was_taken_back_is_good_for_nothing() {
    let (mut world, links) = with_relays(2);
    let written = set_up(&mut world, ALICE);
    world.open_office(1, false);
    let request = v1::RevokeRecoveryCodeRequest { number: 5 };
    let revoked: v1::RevokeRecoveryCodeResponse =
        world.owner(ALICE, Method::RevokeRecoveryCode, &request).unwrap();
    assert_eq!(revoked.left, 7);
    world.pass(1_000);
    let shown = show(&mut world, ALICE);
    let states: Vec<_> =
        shown.relays.iter().map(|relay| (relay.state.as_str(), relay.stored, relay.to_delete)).collect();
    assert_eq!(states, [("stored", 7, 0), ("offline", 0, 1)]);
    assert!(shown.settled, "nobody waits for a relay that is away");
    assert!(codes(&mut world, ALICE).iter().all(|(number, relays)| *number != 5 && *relays == 1));
    world.open_office(1, true);
    world.pass(5_000);
    assert!(codes(&mut world, ALICE).iter().all(|(_, relays)| *relays == 2));
    let again = fresh(&mut world);
    for link in &links {
        assert_eq!(use_code(&mut world, again, link, &written[4]).unwrap_err().status, Status::NotFound);
    }
    let refused = world.owner::<v1::RevokeRecoveryCodeResponse>(ALICE, Method::RevokeRecoveryCode, &request);
    assert_eq!(refused.unwrap_err().status, Status::NotFound);
}

#[test]
fn relays_come_and_go() {
    let (mut world, mut links) = with_relays(1);
    let codes = set_up(&mut world, ALICE);
    links.push(world.add_office());
    world.register(ALICE, &links[1]).unwrap();
    world.pass(5_000);
    assert_eq!((world.offices[0].bundles.len(), world.offices[1].bundles.len()), (8, 8));
    let request = v1::LeaveRelayRequest { relay: links[0].clone() };
    world.owner::<v1::LeaveRelayResponse>(ALICE, Method::LeaveRelay, &request).unwrap();
    world.pass(5_000);
    assert_eq!((world.offices[0].bundles.len(), world.offices[1].bundles.len()), (0, 8));
    assert_eq!(show(&mut world, ALICE).relays.len(), 1);
    world.stop(ALICE);
    let again = fresh(&mut world);
    let used = use_code(&mut world, again, &links[1], &codes[0]).unwrap();
    assert_eq!(used.relays.len(), 2, "renewed within the hour");
}

#[test]
fn a_version_that_a_relay_finds_too_low_is_raised() {
    let (mut world, links) = with_relays(1);
    let codes = set_up(&mut world, ALICE);
    // The clock of the device before was ahead by years.
    for (_, version, _) in world.offices[0].bundles.values_mut() {
        *version += 1 << 37;
    }
    meet(&mut world, "carol");
    world.pass(2 * HOUR_MS);
    let shown = show(&mut world, ALICE);
    assert_eq!((shown.relays[0].state.as_str(), shown.relays[0].stored), ("stored", 8));
    world.stop(ALICE);
    let again = fresh(&mut world);
    assert_eq!(use_code(&mut world, again, &links[0], &codes[1]).unwrap().contacts, 2);
}

#[test]
fn a_relay_that_holds_what_nobody_knows_of_says_so() {
    let (mut world, _) = with_relays(1);
    set_up(&mut world, ALICE);
    // As after setting up once more from a node that knows nothing of the codes before.
    world.nodes[ALICE].memory.forget(crate::tables::RECOVERY);
    set_up(&mut world, ALICE);
    let shown = show(&mut world, ALICE);
    assert_eq!((shown.relays[0].state.as_str(), shown.relays[0].stored), ("refused", 0));
    assert!(shown.relays[0].reason.contains("delete one first"), "{shown:?}");
    assert!(shown.settled);
}

#[test]
fn a_restored_backup_goes_on_with_the_codes() {
    let (mut world, links) = with_relays(1);
    let codes = set_up(&mut world, ALICE);
    let backup = world.nodes[ALICE].memory.backup();
    world.stop(ALICE);
    let again = crate::tests::restoring::restore(&mut world, backup);
    let relay = v1::RecoveredRelay { link: links[0].clone(), username: "person0".into() };
    log_in(&mut world, again, &[relay]);
    assert!(super::codes(&mut world, again).iter().all(|(_, relays)| *relays == 1));
    world.stop(again);
    let third = fresh(&mut world);
    use_code(&mut world, third, &links[0], &codes[6]).unwrap();
    assert_eq!(identity(&mut world, third).device_list_sequence, 3);
}
