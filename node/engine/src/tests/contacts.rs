//! Contacts: their names, what is recorded of them, blocking and removing.

use qpq_proto::{Failure, Method, Status, v1};

use super::{groups::group, world::World};

const ALICE: usize = 0;
const BOB: usize = 1;

fn list(world: &mut World) -> Vec<v1::Contact> {
    let request = v1::ListContactsRequest {};
    world.owner::<v1::ListContactsResponse>(ALICE, Method::ListContacts, &request).unwrap().contacts
}

fn rename(world: &mut World, name: &str, new_name: &str) -> Result<String, Failure> {
    let request = v1::RenameContactRequest { name: name.into(), new_name: new_name.into() };
    let renamed: v1::RenameContactResponse = world.owner(ALICE, Method::RenameContact, &request)?;
    Ok(renamed.contact.unwrap().name)
}

fn block(world: &mut World, name: &str, unblock: bool) -> Result<String, Failure> {
    let request = v1::BlockContactRequest { name: name.into(), unblock };
    let blocked: v1::BlockContactResponse = world.owner(ALICE, Method::BlockContact, &request)?;
    Ok(blocked.contact.unwrap().state)
}

fn verify(world: &mut World, action: v1::VerifyAction, number: &str) -> Result<v1::Contact, Failure> {
    let request =
        v1::VerifyContactRequest { name: "bob".into(), action: action.into(), safety_number: number.into() };
    let verified: v1::VerifyContactResponse = world.owner(ALICE, Method::VerifyContact, &request)?;
    Ok(verified.contact.unwrap())
}

fn remove(world: &mut World, name: &str) -> Result<v1::RemoveContactResponse, Failure> {
    world.owner(ALICE, Method::RemoveContact, &v1::RemoveContactRequest { name: name.into() })
}

#[test]
fn names_are_checked_and_taken_names_refused() {
    let mut world = World::friends(&["alice", "bob", "carol"]);
    world.befriend(ALICE, 2);
    for (name, new_name, status) in [
        ("bob", "", Status::BadRequest),
        ("bob", "two words", Status::BadRequest),
        ("bob", "\u{202e}bob", Status::BadRequest),
        ("bob", "@", Status::BadRequest),
        ("bob", "carol", Status::Conflict),
        ("bob", "@CAROL", Status::Conflict),
        ("nobody", "somebody", Status::NotFound),
        ("#bob", "somebody", Status::NotFound),
    ] {
        let case = format!("{name} to {new_name:?}");
        assert_eq!(rename(&mut world, name, new_name).unwrap_err().status, status, "{case}");
        let names: Vec<String> = list(&mut world).into_iter().map(|contact| contact.name).collect();
        assert_eq!(names, ["bob", "carol"], "{case} changes nothing");
    }
}

#[test]
fn a_renamed_contact_is_found_by_the_new_name_only() {
    let mut world = World::friends(&["alice", "bob", "carol"]);
    for (from, to) in [("bob", "Bob"), ("@BOB", "@robert"), ("robert", "robert")] {
        assert_eq!(rename(&mut world, from, to).unwrap(), to.trim_start_matches('@'));
    }
    world.send(ALICE, "@robert", "hello").unwrap();
    assert_eq!(world.send(ALICE, "@bob", "hello").unwrap_err().status, Status::NotFound);
    world.stop(ALICE);
    world.start(ALICE);
    assert_eq!(list(&mut world)[0].name, "robert");
    assert_eq!(world.conversations(ALICE)[0].name, "@robert");
    world.settle();
    assert_eq!(world.received(BOB), ["alice: hello"], "names are nobody else's concern");
}

#[test]
fn a_name_given_with_the_link_is_used_and_checked() {
    let mut world = World::of(&["alice", "bob"]);
    let link = world.invite(BOB, false);
    let follow = |world: &mut World, name: &str| -> Result<v1::AddContactResponse, Failure> {
        let request = v1::AddContactRequest { link: link.clone(), name: name.into() };
        world.owner(ALICE, Method::AddContact, &request)
    };
    assert_eq!(follow(&mut world, "two words").unwrap_err().status, Status::BadRequest);
    assert_eq!(list(&mut world), []);
    assert_eq!(follow(&mut world, "bobby").unwrap().contact.unwrap().name, "bobby");
    world.settle();
    let contact = list(&mut world).remove(0);
    assert_eq!((contact.name.as_str(), contact.state.as_str()), ("bobby", "accepted"));
}

#[test]
fn what_was_verified_is_kept_until_it_is_compared_again() {
    use v1::VerifyAction::{Compare, Match, Mismatch, Show};
    let mut world = World::friends(&["alice", "bob", "carol"]);
    assert_eq!(verify(&mut world, Show, "").unwrap().verified_at_ms, 0);
    let zeros = "0".repeat(60);
    for (action, number, recorded) in [
        (Show, "", "unverified"),
        (Match, "", "verified"),
        (Show, "", "verified"),
        (Compare, &*zeros, "mismatched"),
        (Show, "", "mismatched"),
        (Match, "", "verified"),
        (Mismatch, "", "mismatched"),
    ] {
        let contact = verify(&mut world, action, number).unwrap();
        assert_eq!(contact.verification, recorded, "{action:?} {number}");
    }
    for number in ["", "12345", "not a number", &"1".repeat(61)] {
        let refused = verify(&mut world, Compare, number).unwrap_err();
        assert_eq!((refused.status, refused.field.as_str()), (Status::BadRequest, "safety_number"));
    }
    world.stop(ALICE);
    world.start(ALICE);
    assert_eq!(verify(&mut world, Show, "").unwrap().verification, "mismatched");
    world.send(BOB, "@alice", "still heard").unwrap();
    world.settle();
    assert_eq!(world.received(ALICE), ["bob: still heard"]);
}

#[test]
fn blocking_can_be_repeated_and_undone() {
    let mut world = World::friends(&["alice", "bob", "carol"]);
    for (unblock, state) in
        [(true, "accepted"), (false, "blocked"), (false, "blocked"), (true, "accepted"), (true, "accepted")]
    {
        assert_eq!(block(&mut world, "bob", unblock).unwrap(), state);
    }
    assert_eq!(block(&mut world, "nobody", false).unwrap_err().status, Status::NotFound);
    world.send(ALICE, "@bob", "friends again").unwrap();
    world.settle();
    assert_eq!(world.received(BOB), ["alice: friends again"]);
}

#[test]
fn blocking_ends_what_waits_for_the_contact() {
    let mut world = World::friends(&["alice", "bob", "carol"]);
    world.stop(BOB);
    let sent = world.send(ALICE, "@bob", "never mind").unwrap();
    block(&mut world, "bob", false).unwrap();
    assert_eq!(world.state_of(ALICE, &sent.id), "failed");
    world.start(BOB);
    world.settle();
    assert_eq!(world.received(BOB), Vec::<String>::new());
    for table in [crate::tables::OUTGOING, crate::tables::PAYLOADS] {
        assert_eq!(world.nodes[ALICE].memory.count(table), 0);
    }
}

#[test]
fn a_block_outlives_a_restart_and_a_new_link() {
    let mut world = World::friends(&["alice", "bob", "carol"]);
    block(&mut world, "bob", false).unwrap();
    world.stop(ALICE);
    world.start(ALICE);
    let link = world.invite(ALICE, false);
    world.follow(BOB, &link).unwrap();
    world.pass(60_000);
    assert_eq!(list(&mut world)[0].state, "blocked");
    let link = world.invite(BOB, false);
    assert_eq!(world.follow(ALICE, &link).unwrap_err().status, Status::Conflict);
    world.send(BOB, "@alice", "hello?").unwrap();
    world.pass(60_000);
    assert_eq!(world.received(ALICE), Vec::<String>::new());
}

#[test]
fn a_removed_contact_is_forgotten_but_stays_a_member() {
    let mut world = group(&["alice", "bob", "carol"]);
    world.send(BOB, "@alice", "for you").unwrap();
    world.send(BOB, "#village", "for all").unwrap();
    world.settle();
    remove(&mut world, "@bob").unwrap();
    assert_eq!(remove(&mut world, "@bob").unwrap_err().status, Status::NotFound);
    let names: Vec<String> = world.conversations(ALICE).into_iter().map(|c| c.name).collect();
    assert!(!names.contains(&"@bob".into()) && names.contains(&"#village".into()), "{names:?}");
    let shown = world.received(ALICE);
    assert!(
        shown.len() == 1 && shown[0].starts_with("~bob-") && shown[0].ends_with(": for all"),
        "{shown:?}"
    );
    world.send(ALICE, "#village", "to everybody").unwrap();
    world.settle();
    assert_eq!(world.received(BOB), ["alice: to everybody"]);
}

#[test]
fn there_is_room_for_only_so_many_contacts() {
    let mut world = World::friends(&["alice", "bob", "carol"]);
    world.limit(ALICE, |limits| limits.contacts_max = 1);
    let link = world.invite(2, false);
    assert_eq!(world.follow(ALICE, &link).unwrap_err().status, Status::QuotaExceeded);
    let own = world.invite(ALICE, false);
    world.follow(2, &own).unwrap();
    world.pass(1_000);
    assert_eq!(list(&mut world).len(), 1);
    remove(&mut world, "bob").unwrap();
    world.follow(ALICE, &link).unwrap();
    world.pass(600_000);
    assert_eq!(list(&mut world)[0].name, "carol");
}
