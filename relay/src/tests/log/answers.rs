//! What is answered, and what it costs.

use qpq_crypto::transparency::merkle::verify_inclusion;
use qpq_crypto::transparency::{Subject, Value};
use qpq_proto::Status;
use qpq_proto::limits::RelayLimits;
use qpq_proto::v1::{ResolveIdentityRequest, ResolveIdentityResponse};

use super::*;
use crate::context::Context;
use crate::tables::{LOG_ENTRIES, MAILBOXES, SESSIONS};
use crate::tests::people::{is_in, resume, status};

#[test]
fn whoever_registers_is_found_and_whoever_does_not_is_not() {
    let mut world = World::new();
    let mut client = Client::new(&mut world);
    assert_eq!(client.who_is(&mut world, "ada"), Ok((0, None)), "an empty log");
    let ada = join(&mut world, 1, "Ada").identity().public();
    let bob = join(&mut world, 2, "bob").identity().public();
    for name in ["ada", "Ada", "ADA"] {
        assert_eq!(client.who_is(&mut world, name), Ok((1, Some(ada))), "{name}");
    }
    assert_eq!(client.who_is(&mut world, "bob"), Ok((1, Some(bob))));
    assert_eq!(client.who_is(&mut world, "cyd"), Ok((0, None)));
    assert_eq!(Client::new(&mut world).who_is(&mut world, "bob"), Ok((1, Some(bob))), "at first sight");
    assert_eq!(client.end_of(&mut world, &ada), Ok(None));
    let view = client.view.clone();
    assert_eq!(audit_all(&mut world, &view).len(), 3);
}

#[test]
fn a_name_that_was_given_up_is_nobodys_and_then_somebody_elses() {
    let mut world = World::new();
    let mut client = Client::new(&mut world);
    let ada = join(&mut world, 1, "ada");
    assert_eq!(client.who_is(&mut world, "ada"), Ok((1, Some(ada.identity().public()))));
    delete(&mut world, &ada, 1).unwrap();
    assert_eq!(client.who_is(&mut world, "ada"), Ok((2, None)));
    let other = join(&mut world, 2, "ada").identity().public();
    assert_eq!(client.who_is(&mut world, "ada"), Ok((3, Some(other))));
    assert_eq!(client.who_is(&mut world, "bob"), Ok((0, None)));
}

#[test]
fn whose_a_name_was_is_not_kept_when_it_is_given_up() {
    let mut world = World::new();
    let ada = join(&mut world, 1, "ada");
    let identity = ada.identity().public();
    assert!(world.memory.holds(identity.as_bytes()));
    delete(&mut world, &ada, 1).unwrap();
    world.pass(60_000);
    assert!(!world.memory.holds(identity.as_bytes()));
}

#[test]
fn a_revoked_identity_is_shown_to_be_and_is_of_no_more_use() {
    let mut world = World::new();
    let mut client = Client::new(&mut world);
    let ada = join(&mut world, 1, "ada");
    let token = log_in(&mut world, &ada, 1, 1).unwrap();
    log_in(&mut world, &ada, 1, 2).unwrap();
    let identity = ada.identity().public();
    assert_eq!(client.end_of(&mut world, &identity), Ok(None));
    let end = ending(&ada.identity(), 2, "my phone was taken");
    assert_eq!(revoke(&mut world, 1, Revoked::Identity(end.clone())), Ok(1), "the second entry");

    let expected = Revocation {
        sequence: 2,
        at_ms: world.now.wall_ms,
        reason: end.reason.clone(),
        signature: end.signature.clone(),
    };
    assert_eq!(client.end_of(&mut world, &identity), Ok(Some(expected)));
    assert_eq!(client.who_is(&mut world, "ada"), Ok((1, Some(identity))), "the name stays taken");
    assert!(!is_in(&mut world, 1) && !is_in(&mut world, 2));
    assert_eq!(world.memory.count(SESSIONS), 0);
    assert_eq!(world.memory.count(MAILBOXES), 0);
    assert_eq!(status(resume(&mut world, &ada, 1, token, 3)), Status::Unauthorized);
    let refused = log_in(&mut world, &ada, 1, 3).unwrap_err();
    assert_eq!(refused.status, Status::Forbidden);
    assert!(refused.message.contains("revoked"), "{}", refused.message);
    let again = Person::new(1, "lovelace");
    assert_eq!(status(register(&mut world, &again, 3)), Status::Forbidden);
}

#[test]
fn devices_are_revoked_by_the_next_list() {
    let mut world = World::new();
    let mut ada = join(&mut world, 1, "ada");
    ada.sign_list(&[1, 2], &[]);
    log_in(&mut world, &ada, 1, 1).unwrap();
    log_in(&mut world, &ada, 2, 2).unwrap();
    let stale = ada.list();
    ada.sign_list(&[1], &[2]);
    revoke(&mut world, 1, Revoked::DeviceList(ada.list())).unwrap();
    assert!(is_in(&mut world, 1) && !is_in(&mut world, 2));
    assert_eq!(status(revoke(&mut world, 1, Revoked::DeviceList(stale))), Status::Conflict);
    assert_eq!(world.memory.count(LOG_ENTRIES), 1, "lists are not in the log");
}

#[test]
fn an_identity_has_a_name_whose_entry_is_in_the_log() {
    let mut world = World::new();
    let mut client = Client::new(&mut world);
    let identity = join(&mut world, 1, "Ada").identity().public();
    join(&mut world, 2, "bob");
    let request = ResolveIdentityRequest { identity_key: identity.to_vec() };
    let named: ResolveIdentityResponse = world.call(NODE, Method::ResolveIdentity, &request).unwrap();
    assert_eq!((named.username.as_str(), named.profile.len()), ("ada", 0));
    assert_eq!(client.who_is(&mut world, &named.username), Ok((1, Some(identity))));
    assert_eq!(named.tree_head, client.view.newest().map(Into::into));
    let (inclusion, head) = (named.inclusion.unwrap(), client.view.newest().unwrap());
    let entry = read(&mut world, 0..1, 0).unwrap().entries.remove(0);
    let entry = LogEntry::try_from(&entry).unwrap().hash();
    let path: Vec<LogHash> = inclusion.path.iter().map(|hash| hash.as_slice().try_into().unwrap()).collect();
    assert_eq!((inclusion.leaf_index, inclusion.tree_size), (0, 2));
    assert_eq!(verify_inclusion(0, 2, &entry, &path, &head.root), Ok(()));
}

#[test]
fn a_head_is_signed_when_it_is_first_asked_for_and_kept() {
    let mut world = World::new();
    for (number, name) in [(1, "ada"), (2, "bob"), (3, "cyd")] {
        join(&mut world, number, name);
    }
    world.pass(5_000);
    let first = ask(&mut world, "ada", 0).tree_head;
    let signed = first.as_ref().map(|head| (head.tree_size, head.signed_at_ms));
    assert_eq!(signed, Some((3, world.now.wall_ms)), "not when the entries came");
    world.pass(5_000);
    let writes = world.memory.writes;
    assert_eq!(ask(&mut world, "bob", 0).tree_head, first);
    assert_eq!(world.memory.writes, writes, "nothing is signed again");
    let (one, other) = (read(&mut world, 0..0, 0).unwrap(), read(&mut world, 0..9, 3).unwrap());
    assert_eq!((one.tree_head, one.checkpoint), (first, other.checkpoint));
}

#[test]
fn an_audit_reads_so_many_entries_at_once() {
    let mut world = World::with(RelayLimits { log_entries_per_answer_max: 2, ..RelayLimits::ROUTER });
    for (number, name) in [(1, "ada"), (2, "bob"), (3, "cyd")] {
        join(&mut world, number, name);
    }
    let mut count = |entries| read(&mut world, entries, 0).unwrap().entries.len();
    assert_eq!((count(0..9), count(1..2), count(2..9), count(0..0)), (2, 1, 1, 0));
    assert_eq!((count(3..9), count(9..u64::MAX), count(u64::MAX..u64::MAX)), (0, 0, 0));
    let client = Client::new(&mut world);
    assert_eq!(audit_all(&mut world, &client.view).len(), 4);
}

#[test]
fn the_keys_of_the_log_are_shown_and_stay() {
    let mut world = World::new();
    let shown = read(&mut world, 0..0, 0).unwrap().keys;
    // With which every login and resumed session of the tests of accounts is compared.
    assert_eq!(shown, Some(world.relay.transparency_keys()));
    world.restart("").unwrap();
    assert_eq!(read(&mut world, 0..0, 0).unwrap().keys, shown);
}

/// What one more registration reads and writes.
fn cost(world: &mut World, number: u8, name: &'static str) -> (usize, usize) {
    let (reads, writes) = (world.memory.reads.get(), world.memory.writes);
    join(world, number, name);
    (world.memory.reads.get() - reads, world.memory.writes - writes)
}

/// Enters so many names into the log without their accounts.
fn fill(world: &mut World, names: std::ops::Range<u32>) {
    for name in names {
        let identity = Identity::from_bytes([1; 32]);
        let mut cx = Context::new(world.moment(), &mut world.rng, &mut world.memory, None);
        let name = format!("name-{name}");
        world.relay.append_to_log(&mut cx, Subject::Name(&name), Value::Identity(&identity)).unwrap();
    }
}

#[test]
fn a_registration_costs_the_logarithm_of_the_names() {
    let mut world = World::new();
    let empty = cost(&mut world, 1, "ada");
    fill(&mut world, 0..1_000);
    let thousand = cost(&mut world, 2, "bob");
    println!("records read and written: {empty:?} with no name, {thousand:?} with 1,000");
    // The way to a label among 1,000 has about 10 nodes, each read and written, and one more that makes room.
    assert!(thousand.0 <= empty.0 + 20 && thousand.1 <= empty.1 + 20, "{empty:?} {thousand:?}");
    let reads = world.memory.reads.get();
    ask(&mut world, "ada", 500);
    let answered = world.memory.reads.get() - reads;
    assert!(answered <= 80, "{answered} records read for an answer");
}
