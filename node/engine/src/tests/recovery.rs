//! Coming back with a code on paper, after every device is lost.

use qpq_crypto::safety::SafetyNumber;
use qpq_proto::{Failure, Method, Status, ids::Identity, v1};

use super::{memory::Memory, world::World};

mod chance;
mod crashes;
mod keeping;
mod room;

const ALICE: usize = 0;
const BOB: usize = 1;
const CAROL: usize = 2;

/// Alice and bob are contacts, and alice has an account at each of so many relays; their links.
fn with_relays(offices: usize) -> (World, Vec<String>) {
    let mut world = World::friends(&["alice", "bob"]);
    let links: Vec<String> = (0..offices).map(|_| world.add_office()).collect();
    for link in &links {
        assert_eq!(world.register(ALICE, link).unwrap().state, "ready");
    }
    world.pass(3_000);
    (world, links)
}

/// Makes codes without saying that they were shown.
fn propose(world: &mut World, node: usize) -> Result<v1::SetUpRecoveryResponse, Failure> {
    world.owner(node, Method::SetUpRecovery, &v1::SetUpRecoveryRequest {})
}

fn confirm(world: &mut World, node: usize, set: &[u8]) -> Result<v1::ConfirmRecoveryResponse, Failure> {
    world.owner(node, Method::ConfirmRecovery, &v1::ConfirmRecoveryRequest { set: set.to_vec() })
}

/// Makes codes, and waits until the relays have their bundles.
fn set_up(world: &mut World, node: usize) -> Vec<String> {
    let made = propose(world, node).unwrap();
    confirm(world, node, &made.set).unwrap();
    world.pass(1_000);
    made.codes
}

fn show(world: &mut World, node: usize) -> v1::ShowRecoveryResponse {
    world.owner(node, Method::ShowRecovery, &v1::ShowRecoveryRequest::default()).unwrap()
}

/// Numbers of the codes, and how many relays hold the newest bundle of each.
fn codes(world: &mut World, node: usize) -> Vec<(u32, u32)> {
    show(world, node).codes.iter().map(|code| (code.number, code.relays)).collect()
}

/// A node on which nobody has done anything yet.
fn fresh(world: &mut World) -> usize {
    world.add(77, Memory::default())
}

fn use_code(
    world: &mut World,
    node: usize,
    link: &str,
    code: &str,
) -> Result<v1::WaitRecoveryUseResponse, Failure> {
    let request = v1::UseRecoveryCodeRequest { link: link.into(), code: code.into() };
    world.owner::<v1::UseRecoveryCodeResponse>(node, Method::UseRecoveryCode, &request)?;
    world.settle();
    world.owner(node, Method::WaitRecoveryUse, &v1::WaitRecoveryUseRequest::default())
}

/// Logs in at every relay that came back.
fn log_in(world: &mut World, node: usize, relays: &[v1::RecoveredRelay]) {
    for relay in relays {
        let (link, username) = (relay.link.clone(), relay.username.clone());
        let request = v1::LoginAtRelayRequest { link, username, password: b"correct horse".to_vec() };
        world.owner::<v1::LoginAtRelayResponse>(node, Method::LoginAtRelay, &request).unwrap();
    }
    world.pass(5_000);
}

fn identity(world: &mut World, node: usize) -> v1::ShowIdentityResponse {
    world.owner(node, Method::ShowIdentity, &v1::ShowIdentityRequest {}).unwrap()
}

fn has_identity(world: &mut World, node: usize) -> bool {
    world.owner::<v1::ShowIdentityResponse>(node, Method::ShowIdentity, &v1::ShowIdentityRequest {}).is_ok()
}

#[test]
fn whoever_has_lost_everything_is_who_they_were() {
    let (mut world, links) = with_relays(1);
    assert_eq!(world.add_person(CAROL, "carol"), CAROL);
    world.befriend(BOB, CAROL);
    let members = vec!["alice".into(), "carol".into()];
    let request = v1::CreateGroupRequest { name: "trio".into(), members };
    world.owner::<v1::CreateGroupResponse>(BOB, Method::CreateGroup, &request).unwrap();
    world.send(BOB, "@alice", "history").unwrap();
    world.pass(3_000);
    let before = identity(&mut world, ALICE);
    let codes = set_up(&mut world, ALICE);
    world.stop(ALICE);
    world.send(BOB, "@alice", "are you there?").unwrap();
    world.pass(3_000);

    let again = fresh(&mut world);
    let used = use_code(&mut world, again, &links[0], &codes[2]).unwrap();
    assert_eq!((used.name.as_str(), used.contacts, used.number), ("alice", 1, 3));
    let after = identity(&mut world, again);
    assert_eq!((after.identity, after.device_list_sequence), (before.identity.clone(), 2));
    assert_ne!(after.device, before.device);
    world.pass(60_000);
    world.send(again, "@bob", "I am back").unwrap();
    world.send(again, "#trio", "and here").unwrap();
    world.pass(3_000);
    assert_eq!(world.received(again), ["bob: are you there?"]);
    assert_eq!(world.received(BOB), ["alice: I am back", "alice: and here"]);
    assert_eq!(world.show(CAROL, "#trio").unwrap().members.len(), 3);

    let [own, others] = [again, BOB].map(|node| {
        let name = if node == BOB { "alice" } else { "bob" };
        let request = v1::VerifyContactRequest { name: name.into(), ..Default::default() };
        let shown: v1::VerifyContactResponse = world.owner(node, Method::VerifyContact, &request).unwrap();
        shown.safety_number
    });
    let key = |bytes: &[u8]| Identity::try_from(bytes).unwrap();
    let bob = identity(&mut world, BOB).identity;
    assert_eq!(own, SafetyNumber::of(&key(&before.identity), &key(&bob)).digits());
    assert_eq!(own, others);

    world.start(ALICE);
    world.send(ALICE, "@bob", "from the lost device").unwrap();
    world.pass(60_000);
    assert!(!world.received(BOB).contains(&"alice: from the lost device".to_owned()));
}

#[test]
fn two_whose_nodes_never_meet_find_each_other_by_their_relays() {
    let (mut world, links) = with_relays(1);
    world.register(BOB, &links[0]).unwrap();
    world.pass(3_000);
    let codes = set_up(&mut world, ALICE);
    world.stop(ALICE);
    let again = fresh(&mut world);
    world.cut(again, BOB);
    let used = use_code(&mut world, again, &links[0], &codes[0]).unwrap();
    log_in(&mut world, again, &used.relays);
    world.pass(60_000);
    world.send(again, "@bob", "by relay").unwrap();
    world.pass(10_000);
    world.send(BOB, "@alice", "likewise").unwrap();
    world.pass(10_000);
    assert_eq!(world.received(BOB), ["alice: by relay"]);
    assert_eq!(world.received(again), ["bob: likewise"]);
}

#[test]
fn a_used_code_is_used_up_and_the_others_bring_back_again() {
    let (mut world, links) = with_relays(2);
    let written = set_up(&mut world, ALICE);
    let mut last = ALICE;
    for (times, number) in [(1, 3), (2, 4), (3, 8)] {
        world.stop(last);
        let again = fresh(&mut world);
        let used = use_code(&mut world, again, &links[times % 2], &written[number - 1]).unwrap();
        assert_eq!(used.relays.len(), 2);
        assert!(codes(&mut world, again).iter().all(|(_, relays)| *relays == 0), "nothing is renewed yet");
        log_in(&mut world, again, &used.relays);
        let left = codes(&mut world, again);
        assert_eq!(left.len(), 8 - times);
        assert!(left.iter().all(|(of, relays)| usize::try_from(*of).unwrap() != number && *relays == 2));
        world.pass(60_000);
        world.send(again, "@bob", &format!("back {times}")).unwrap();
        world.pass(3_000);
        assert_eq!(world.received(BOB).len(), times);
        let elsewhere = fresh(&mut world);
        for link in &links {
            let refused = use_code(&mut world, elsewhere, link, &written[number - 1]).unwrap_err();
            assert_eq!(refused.status, Status::NotFound);
            assert!(refused.message.contains("it was used, taken back or replaced"), "{refused}");
        }
        last = again;
    }
}

#[test]
fn what_goes_wrong_is_said_in_words_and_nothing_is_left_behind() {
    let (mut world, links) = with_relays(1);
    let codes = set_up(&mut world, ALICE);
    let other = set_up(&mut world, ALICE);
    let again = fresh(&mut world);
    let elsewhere = world.add_office();
    let mistyped = if other[0].ends_with('A') { "B" } else { "A" };
    let mistyped = format!("{}{mistyped}", &other[0][..other[0].len() - 1]);
    for (link, code, status, words) in [
        (
            links[0].as_str(),
            mistyped.as_str(),
            Status::BadRequest,
            "group 2 of the recovery code is mistyped",
        ),
        (&links[0], &other[0][..14], Status::BadRequest, "incomplete"),
        ("qpq:x", &other[0], Status::BadRequest, "not a link to a relay"),
        (&links[0], &codes[0], Status::NotFound, "used, taken back or replaced"),
        (&elsewhere, &other[0], Status::NotFound, "at another relay"),
    ] {
        let refused = use_code(&mut world, again, link, code).unwrap_err();
        assert_eq!(refused.status, status, "{refused}");
        assert!(refused.message.contains(words), "{refused}");
        assert!(!refused.message.contains(code), "no code in messages");
    }
    world.open_office(0, false);
    let refused = use_code(&mut world, again, &links[0], &other[0]).unwrap_err();
    assert!(refused.message.contains("not reached at relay0.example:5001"), "{refused}");
    world.open_office(0, true);
    for (version, bundle) in
        world.offices[0].bundles.values_mut().map(|(_, version, bundle)| (version, bundle))
    {
        *version += 1;
        *bundle = bundle.slice(..);
    }
    let refused = use_code(&mut world, again, &links[0], &other[0]).unwrap_err();
    assert!(refused.message.contains("damaged, or of another version"), "{refused}");
    assert!(!has_identity(&mut world, again));
    assert_eq!(
        crate::tables::ALL.iter().map(|table| world.nodes[again].memory.count(*table)).sum::<usize>(),
        world.nodes[again].memory.count(crate::tables::EVENTS)
            + world.nodes[again].memory.count(crate::tables::CLOCK)
            + world.nodes[again].memory.count(crate::tables::CUSTODY)
    );
    let refused = use_code(&mut world, BOB, &links[0], &other[0]).unwrap_err();
    assert_eq!(refused.status, Status::Conflict);
    assert!(refused.message.contains("already has an identity, named bob"), "{refused}");
}
