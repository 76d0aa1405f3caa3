//! Who is behind a name at a relay, and what becomes of a relay that tells different things.

use qpq_crypto::transparency::{Evidence, Verdict};
use qpq_proto::{Failure, Method, Status, ids::Identity, v1};

use super::world::{Log, World};

mod meeting;
mod own;

const ALICE: usize = 0;
const BOB: usize = 1;
/// More than a day.
const LATER_MS: u64 = 90_000_000;

/// People who have accounts at one relay that keeps a log; the link to it.
fn registered(names: &[&'static str]) -> (World, String) {
    let mut world = World::of(names);
    let link = world.add_office_with_log();
    for node in 0..names.len() {
        assert_eq!(world.register(node, &link).unwrap().state, "ready");
    }
    world.pass(3_000);
    (world, link)
}

fn find(world: &mut World, node: usize, user: &str) -> Result<v1::FoundUser, Failure> {
    let request = v1::FindUserRequest { user: user.into(), relay: String::new() };
    let begun: v1::FindUserResponse = world.owner(node, Method::FindUser, &request)?;
    let begun = begun.found.unwrap();
    world.settle();
    let request = v1::WaitUserRequest { pin: begun.pin, username: begun.username, timeout_ms: 0 };
    world.owner::<v1::WaitUserResponse>(node, Method::WaitUser, &request).map(|answer| answer.found.unwrap())
}

fn state(world: &mut World, node: usize, user: &str) -> String {
    find(world, node, user).unwrap().state
}

fn identity(world: &mut World, node: usize) -> Identity {
    let shown: v1::ShowIdentityResponse =
        world.owner(node, Method::ShowIdentity, &v1::ShowIdentityRequest {}).unwrap();
    Identity::try_from(shown.identity.as_slice()).unwrap()
}

fn log(world: &mut World, office: usize) -> &mut Log {
    world.offices[office].log.as_mut().unwrap()
}

/// Texts of the alarms of a code.
fn alarms(world: &mut World, node: usize, code: &str) -> Vec<String> {
    let events = world.events(node).into_iter().filter_map(|event| match event.kind {
        Some(v1::event::Kind::Alarm(alarm)) if alarm.code == code => Some(alarm.text),
        _ => None,
    });
    events.collect()
}

fn relay_log(world: &mut World, node: usize) -> v1::RelayLog {
    let listed: v1::ListMailboxRelaysResponse =
        world.owner(node, Method::ListMailboxRelays, &v1::ListMailboxRelaysRequest {}).unwrap();
    listed.relays[0].log.clone().unwrap()
}

/// What a relay was caught at, as a proof.
fn proof(world: &mut World, node: usize) -> Result<v1::ShowRelayProofResponse, Failure> {
    let request = v1::ShowRelayProofRequest { relay: "relay0.example".into() };
    world.owner(node, Method::ShowRelayProof, &request)
}

/// Outcomes of the checks of relays.
fn checks(world: &mut World, node: usize) -> Vec<String> {
    let diagnosed: v1::DiagnoseResponse =
        world.owner(node, Method::Diagnose, &v1::DiagnoseRequest {}).unwrap();
    let of_relays = diagnosed.checks.into_iter().filter(|check| check.name == "relays");
    of_relays.map(|check| check.outcome).collect()
}

#[test]
fn somebody_is_found_by_name() {
    let (mut world, _) = registered(&["alice", "bob"]);
    let bob = identity(&mut world, BOB);
    for user in ["person1", "Person1", "person1@relay0.example", "person1@0000", "person1@relay.example"] {
        let found = find(&mut world, ALICE, user).unwrap();
        assert_eq!(
            (found.state.as_str(), found.identity.as_slice()),
            ("found", &bob.as_bytes()[..]),
            "{user}"
        );
        assert_eq!((found.username.as_str(), found.version, found.own), ("person1", 1, false));
        assert_eq!(found.safety_number.len(), 60);
        assert_eq!(found.log.unwrap().name, "relay.example");
    }
    assert!(find(&mut world, BOB, "person1").unwrap().own);
    assert_eq!(state(&mut world, ALICE, "nobody"), "nobody");
    assert_eq!(checks(&mut world, ALICE), ["ok"]);
}

#[test]
fn what_cannot_be_asked_is_said() {
    let (mut world, _) = registered(&["alice", "bob"]);
    for (user, status, words) in [
        ("", Status::BadRequest, "empty"),
        ("a b", Status::BadRequest, "letters"),
        ("person1@elsewhere.example", Status::NotFound, "no mailbox at this relay"),
    ] {
        let refused = find(&mut world, ALICE, user).unwrap_err();
        assert_eq!(refused.status, status, "{user}");
        assert!(refused.message.contains(words), "{}", refused.message);
    }
    world.open_office(0, false);
    assert!(find(&mut world, ALICE, "person1").unwrap_err().message.contains("not reached"));
    world.open_office(0, true);
    world.pass(10_000);
    assert_eq!(state(&mut world, ALICE, "person1"), "found");
    let other = world.add_office_with_log();
    world.register(ALICE, &other).unwrap();
    assert!(find(&mut world, ALICE, "person1").unwrap_err().message.contains("several relays"));
    assert_eq!(state(&mut world, ALICE, "person1@relay1.example"), "nobody");
}

#[test]
fn an_answer_that_does_not_come_is_not_waited_for() {
    let (mut world, _) = registered(&["alice", "bob"]);
    world.offices[0].is_silent = true;
    let found = find(&mut world, ALICE, "person1").unwrap();
    assert_eq!((found.state.as_str(), found.reason.is_empty()), ("failed", false));
    world.offices[0].is_silent = false;
    world.open_office(0, false);
    world.open_office(0, true);
    world.pass(10_000);
    assert_eq!(state(&mut world, ALICE, "person1"), "found");
    assert_eq!(relay_log(&mut world, ALICE).refusal, "");
}

#[test]
fn a_log_that_grows_is_followed_through_restarts() {
    let (mut world, _) = registered(&["alice", "bob"]);
    let bob = identity(&mut world, BOB);
    for round in 0..6u64 {
        log(&mut world, 0).set(&format!("name{round}"), Some(bob));
        assert_eq!(state(&mut world, ALICE, &format!("name{round}")), "found");
        assert_eq!(relay_log(&mut world, ALICE).entries, 3 + round);
        world.stop(ALICE);
        world.start(ALICE);
        world.pass(5_000);
    }
}

#[test]
fn an_identity_that_has_ended_is_shown_as_such() {
    let (mut world, _) = registered(&["alice", "bob"]);
    let key = qpq_crypto::identity::IdentityKey::from_seed(&[5; 32]);
    let signature = qpq_crypto::account::sign_revocation(&key, 9, "lost").to_vec();
    let revocation =
        qpq_crypto::transparency::Revocation { sequence: 9, at_ms: 77, reason: "lost".into(), signature };
    log(&mut world, 0).set("carol", Some(key.public()));
    log(&mut world, 0).end(key.public(), revocation);
    let found = find(&mut world, ALICE, "carol").unwrap();
    assert_eq!((found.revoked, found.revoked_reason.as_str(), found.revoked_at_ms), (true, "lost", 77));
}

/// A way for a relay to lie.
type Lie = fn(&mut v1::ResolveUserResponse);

#[test]
fn a_relay_that_lies_once_is_not_believed_any_more() {
    let lies: [(&str, Lie); 8] = [
        ("another identity", |answer| answer.identity_key = vec![9; 32]),
        ("another version", |answer| answer.version += 1),
        ("nobody", |answer| answer.identity_key.clear()),
        ("no proof", |answer| answer.proof = None),
        ("no tree head", |answer| answer.tree_head = None),
        ("a wrong signature", |answer| answer.tree_head.as_mut().unwrap().signature[0] ^= 1),
        ("a wrong opening", |answer| answer.proof.as_mut().unwrap().opening[0] ^= 1),
        ("too long a path", |answer| {
            answer.proof.as_mut().unwrap().prefix_path = vec![vec![0; 32]; 1_000];
        }),
    ];
    for (lie, change) in lies {
        let (mut world, _) = registered(&["alice", "bob"]);
        world.offices[0].lie = change;
        assert_eq!(state(&mut world, ALICE, "person1"), "refused", "{lie}");
        world.offices[0].lie = |_| ();
        world.stop(ALICE);
        world.start(ALICE);
        world.pass(LATER_MS);
        let found = find(&mut world, ALICE, "person1").unwrap();
        assert_eq!((found.state.as_str(), found.identity.len()), ("refused", 0), "{lie}: for good");
        assert_ne!(relay_log(&mut world, ALICE).refusal, "", "{lie}");
        assert_eq!(alarms(&mut world, ALICE, "relay-log").len(), 1, "{lie}: told once");
        assert_eq!(checks(&mut world, ALICE), ["fail"], "{lie}");
        let convicts = proof(&mut world, ALICE).is_ok_and(|proof| proof.convicts);
        assert!(!convicts, "{lie}: it signed nothing that contradicts itself");
    }
}

#[test]
fn a_lie_about_the_end_of_an_identity_is_found_too() {
    let lies: [fn(&mut v1::CheckRevocationResponse); 3] = [
        |answer| answer.revoked = true,
        |answer| answer.proof = None,
        |answer| answer.proof.as_mut().unwrap().vrf_proof.clear(),
    ];
    for lie in lies {
        let (mut world, _) = registered(&["alice", "bob"]);
        world.offices[0].lie_of_ends = lie;
        assert_eq!(state(&mut world, ALICE, "person1"), "refused");
    }
}

#[test]
fn a_forked_log_is_refused_with_a_proof() {
    for (ours, theirs) in [(1, 1), (1, 3), (3, 1), (2, 2)] {
        let (mut world, _) = registered(&["alice", "bob"]);
        let bob = identity(&mut world, BOB);
        let fork = log(&mut world, 0).clone();
        (0..ours).for_each(|number| log(&mut world, 0).set(&format!("ours{number}"), Some(bob)));
        assert_eq!(state(&mut world, ALICE, "person1"), "found");
        *log(&mut world, 0) = fork;
        // Signed later, as a smaller tree always is that is shown later.
        (0..theirs).for_each(|number| log(&mut world, 0).set(&format!("theirs{number}"), Some(bob)));
        log(&mut world, 0).pass(60_000);
        let found = find(&mut world, ALICE, "person1").unwrap();
        assert_eq!((found.state.as_str(), found.identity.len()), ("refused", 0), "{ours} {theirs}");
        let proof = proof(&mut world, ALICE).unwrap();
        assert!(proof.convicts, "{ours} {theirs}");
        let verdict = Evidence::from_text(&proof.proof).unwrap().verdict().unwrap();
        assert_ne!(verdict, Verdict::Inconclusive);
    }
}

#[test]
fn whoever_trusts_a_relay_again_leaves_it_first() {
    let (mut world, link) = registered(&["alice", "bob"]);
    world.offices[0].lie = |answer| answer.version += 1;
    assert_eq!(state(&mut world, ALICE, "person1"), "refused");
    world.offices[0].lie = |_| ();
    assert_eq!(world.log_in(ALICE, &link, "correct horse").unwrap().state, "ready");
    assert_eq!(state(&mut world, ALICE, "person1"), "refused", "a login changes nothing");
    let leave = v1::LeaveRelayRequest { relay: link.clone() };
    world.owner::<v1::LeaveRelayResponse>(ALICE, Method::LeaveRelay, &leave).unwrap();
    world.pass(1_000);
    assert_eq!(world.log_in(ALICE, &link, "correct horse").unwrap().state, "ready");
    assert_eq!(state(&mut world, ALICE, "person1"), "found");
}

#[test]
fn a_log_that_goes_by_another_name_is_another_one() {
    let (mut world, _) = registered(&["alice", "bob"]);
    log(&mut world, 0).rename("other.example");
    world.open_office(0, false);
    world.open_office(0, true);
    world.pass(10_000);
    assert_eq!(state(&mut world, ALICE, "person1"), "refused");
    assert_eq!(alarms(&mut world, ALICE, "relay-log").len(), 1);
    assert!(relay_log(&mut world, ALICE).refusal.contains("another name"));
}

#[test]
fn a_relay_without_a_log_finds_nobody() {
    let mut world = World::of(&["alice"]);
    let link = world.add_office();
    world.register(ALICE, &link).unwrap();
    assert_eq!(state(&mut world, ALICE, "person1"), "failed");
    assert!(checks(&mut world, ALICE) == ["ok"]);
}
