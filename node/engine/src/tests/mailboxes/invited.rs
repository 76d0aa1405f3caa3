//! People who have never met become contacts by their mailboxes, though their nodes are never there at the same time.

use qpq_proto::{Method, v1};

use super::{ALICE, BOB};
use crate::tests::world::World;

/// Alice and bob, who cannot reach each other; of so many of them each has a mailbox at the one relay.
fn apart(registered: usize) -> World {
    let mut world = World::of(&["alice", "bob"]);
    let link = world.add_office();
    for person in 0..registered {
        assert_eq!(world.register(person, &link).unwrap().state, "ready");
    }
    world.cut(ALICE, BOB);
    world.pass(3_000);
    world
}

/// How the other one stands to a person: "requested", "accepted", or "" for a stranger.
fn standing(world: &mut World, of: usize) -> String {
    let listed: v1::ListContactsResponse =
        world.owner(of, Method::ListContacts, &v1::ListContactsRequest {}).unwrap();
    listed.contacts.into_iter().next().map(|contact| contact.state).unwrap_or_default()
}

fn progress(world: &mut World, of: usize) -> v1::ListMailboxRelaysResponse {
    world.owner(of, Method::ListMailboxRelays, &v1::ListMailboxRelaysRequest {}).unwrap()
}

/// Lets one of them be there for a while, alone.
fn visit(world: &mut World, person: usize) {
    world.start(person);
    world.pass(20_000);
    world.stop(person);
}

/// Both come and go by turns until they are contacts on both sides.
fn befriend_by_turns(world: &mut World) {
    for _ in 0..3 {
        visit(world, ALICE);
        visit(world, BOB);
    }
    world.start(ALICE);
    world.start(BOB);
    assert_eq!((standing(world, ALICE).as_str(), standing(world, BOB).as_str()), ("accepted", "accepted"));
}

#[test]
fn two_who_never_meet_become_contacts_and_talk() {
    let mut world = apart(2);
    let link = world.invite(ALICE, false);
    world.pass(3_000);
    world.stop(ALICE);
    world.follow(BOB, &link).unwrap();
    world.send(BOB, "@alice", "may I?").unwrap();
    world.pass(5_000);
    assert_eq!(standing(&mut world, BOB), "requested");
    world.stop(BOB);
    befriend_by_turns(&mut world);
    assert_eq!(world.received(ALICE), ["bob: may I?"]);
    world.stop(ALICE);
    let id = world.send(BOB, "@alice", "thank you").unwrap().id;
    world.pass(5_000);
    assert_eq!(world.state_of(BOB, &id), "relayed");
    world.stop(BOB);
    visit(&mut world, ALICE);
    visit(&mut world, BOB);
    world.start(ALICE);
    world.start(BOB);
    assert_eq!(world.received(ALICE), ["bob: may I?", "bob: thank you"]);
    assert_eq!(world.state_of(BOB, &id), "delivered");
}

#[test]
fn whoever_is_killed_at_any_step_they_become_contacts() {
    for steps in 0..24 {
        let mut world = apart(2);
        let link = world.invite(ALICE, false);
        world.pass(3_000);
        world.stop(ALICE);
        world.follow(BOB, &link).unwrap();
        for _ in 0..steps {
            world.step();
        }
        world.stop(BOB);
        visit(&mut world, BOB);
        world.start(ALICE);
        for _ in 0..steps {
            world.step();
        }
        world.stop(ALICE);
        befriend_by_turns(&mut world);
    }
}

#[test]
fn a_link_works_as_soon_as_its_relay_has_been_told() {
    let mut world = apart(2);
    world.open_office(0, false);
    let link = world.invite(ALICE, false);
    assert_eq!(progress(&mut world, ALICE).held_up, 1);
    world.stop(ALICE);
    world.open_office(0, true);
    world.follow(BOB, &link).unwrap();
    world.pass(20_000);
    assert_eq!((standing(&mut world, BOB).as_str(), progress(&mut world, BOB).held_up), ("requested", 1));
    world.start(ALICE);
    world.pass(5_000);
    assert_eq!(progress(&mut world, ALICE).held_up, 0);
    world.pass(60_000);
    assert_eq!(
        (standing(&mut world, ALICE), standing(&mut world, BOB)),
        ("accepted".into(), "accepted".into())
    );
}

#[test]
fn whoever_has_no_relay_asks_by_the_others_and_is_answered_directly() {
    let mut world = apart(1);
    let link = world.invite(ALICE, false);
    world.pass(3_000);
    world.follow(BOB, &link).unwrap();
    world.pass(10_000);
    assert_eq!(
        (standing(&mut world, ALICE), standing(&mut world, BOB)),
        ("accepted".into(), "requested".into())
    );
    world.join(ALICE, BOB);
    world.pass(10_000);
    assert_eq!(standing(&mut world, BOB), "accepted");
}

#[test]
fn nodes_that_meet_need_no_relay() {
    let mut world = apart(2);
    world.join(ALICE, BOB);
    let link = world.invite(ALICE, false);
    world.follow(BOB, &link).unwrap();
    world.settle();
    assert_eq!(
        (standing(&mut world, ALICE), standing(&mut world, BOB)),
        ("accepted".into(), "accepted".into())
    );
    assert_eq!(world.offices[0].calls.get("FetchHybridKey"), None);
}

#[test]
fn nodes_that_meet_while_a_relay_is_asked_go_on_directly() {
    let mut world = apart(2);
    let link = world.invite(ALICE, false);
    world.pass(3_000);
    world.follow(BOB, &link).unwrap();
    world.offices[0].tokens_max = 0;
    world.pass(2_100);
    world.join(ALICE, BOB);
    world.pass(10_000);
    assert_eq!(
        (standing(&mut world, ALICE), standing(&mut world, BOB)),
        ("accepted".into(), "accepted".into())
    );
}

#[test]
fn a_relay_that_gives_another_key_is_not_believed() {
    let mut world = apart(2);
    let link = world.invite(ALICE, false);
    world.pass(3_000);
    world.stop(ALICE);
    let bobs = world.offices[0].hybrid_keys.pop().unwrap();
    world.offices[0].hybrid_keys = vec![bobs];
    world.offices[0].is_forging = true;
    world.follow(BOB, &link).unwrap();
    world.pass(100_000);
    assert_eq!(standing(&mut world, BOB), "requested");
    let left: usize = world.offices[0].boxes.values().map(|mailbox| mailbox.deliveries.len()).sum();
    assert_eq!(left, 0, "nothing was sealed to it");
}

#[test]
fn a_revoked_link_takes_nothing() {
    let mut world = apart(2);
    let tokens = |world: &World| -> usize { world.offices[0].boxes.values().map(|b| b.tokens.len()).sum() };
    let before = tokens(&world);
    let request = v1::CreateInvitationRequest::default();
    let made: v1::CreateInvitationResponse = world.owner(ALICE, Method::CreateInvitation, &request).unwrap();
    world.pass(3_000);
    assert_eq!(tokens(&world), before + 8);
    let revoke = v1::RevokeInvitationRequest { invitation: made.invitation };
    world.owner::<v1::RevokeInvitationResponse>(ALICE, Method::RevokeInvitation, &revoke).unwrap();
    world.pass(3_000);
    assert_eq!(tokens(&world), before);
    world.follow(BOB, &made.link).unwrap();
    world.pass(60_000);
    assert_eq!((standing(&mut world, ALICE), standing(&mut world, BOB)), (String::new(), "requested".into()));
}

#[test]
fn reusable_links_and_those_of_people_without_a_relay_name_no_mailbox() {
    let mut world = apart(1);
    let [named, reusable, unregistered] =
        [(ALICE, false), (ALICE, true), (BOB, false)].map(|(person, is_reusable)| {
            let link: qpq_crypto::link::Link = world.invite(person, is_reusable).parse().unwrap();
            link.into_contact().unwrap().mailbox.is_some()
        });
    assert_eq!((named, reusable, unregistered), (true, false, false));
}

#[test]
fn what_is_under_way_to_relays_ends() {
    let mut world = apart(2);
    let link = world.invite(ALICE, false);
    assert!(progress(&mut world, ALICE).under_way > 0);
    world.pass(3_000);
    let done = progress(&mut world, ALICE);
    assert_eq!((done.under_way, done.held_up, done.relays[0].fetched), (0, 0, true));
    world.follow(BOB, &link).unwrap();
    assert!(progress(&mut world, BOB).under_way > 0);
    world.pass(10_000);
    world.open_office(0, false);
    world.send(BOB, "@alice", "hello").unwrap();
    world.pass(10_000);
    let held = progress(&mut world, BOB);
    assert_eq!((held.held_up > 0, held.relays[0].fetched), (true, false));
    world.open_office(0, true);
    world.pass(60_000);
    let done = progress(&mut world, BOB);
    assert_eq!((done.under_way, done.held_up), (0, 0));
    assert_eq!(world.received(ALICE), ["bob: hello"]);
}
