//! What the node says about itself, and the limits of what waits.

use qpq_proto::{Method, Status, v1};

use super::{memory::Memory, world::World};

const ALICE: usize = 0;
const BOB: usize = 1;
const DAY_MS: u64 = 86_400_000;

fn status(world: &mut World) -> v1::NodeStatusResponse {
    world.owner(ALICE, Method::NodeStatus, &v1::NodeStatusRequest {}).unwrap()
}

fn checks(world: &mut World) -> Vec<String> {
    let diagnosed: v1::DiagnoseResponse =
        world.owner(ALICE, Method::Diagnose, &v1::DiagnoseRequest {}).unwrap();
    diagnosed
        .checks
        .into_iter()
        .map(|check| format!("{} {}: {}", check.outcome, check.name, check.text))
        .collect()
}

#[test]
fn a_node_without_an_identity_says_so_and_does_nothing() {
    let mut world = World::of(&[]);
    world.add(1, Memory::default());
    let shown = status(&mut world);
    assert_eq!((shown.identities.len(), shown.health[0].code.as_str()), (0, "no-identity"));
    assert_eq!(checks(&mut world)[0], "warn identity: this node has no identity yet");
    assert!(world.send(ALICE, "@bob", "x").is_err());
    let request = v1::CreateInvitationRequest::default();
    assert!(world.owner::<v1::CreateInvitationResponse>(ALICE, Method::CreateInvitation, &request).is_err());
    let request = v1::CreateGroupRequest { name: "village".into(), members: Vec::new() };
    assert!(world.owner::<v1::CreateGroupResponse>(ALICE, Method::CreateGroup, &request).is_err());
    assert_eq!(world.conversations(ALICE), []);
}

#[test]
fn an_identity_is_made_once_with_a_name_that_is_fit() {
    let mut world = World::of(&[]);
    world.add(1, Memory::default());
    let make = |world: &mut World, name: &str| {
        let request = v1::CreateIdentityRequest { name: name.into() };
        world.owner::<v1::CreateIdentityResponse>(ALICE, Method::CreateIdentity, &request)
    };
    for name in ["", "two words", &"x".repeat(65), "\u{202e}"] {
        assert_eq!(make(&mut world, name).unwrap_err().status, Status::BadRequest, "{name:?}");
    }
    let made = make(&mut world, "alice").unwrap();
    assert_eq!(make(&mut world, "alice").unwrap_err().status, Status::Conflict);
    world.stop(ALICE);
    world.start(ALICE);
    let request = v1::ShowIdentityRequest {};
    let shown: v1::ShowIdentityResponse = world.owner(ALICE, Method::ShowIdentity, &request).unwrap();
    assert_eq!((shown.identity, shown.device, shown.name), (made.identity, made.device, made.name));
}

#[test]
fn the_status_counts_what_waits_and_for_how_long() {
    let mut world = World::friends(&["alice", "bob", "carol"]);
    world.stop(BOB);
    for text in ["one", "two", "three"] {
        world.send(ALICE, "@bob", text).unwrap();
        world.pass(10_000);
    }
    let shown = status(&mut world);
    assert_eq!((shown.outbox_waiting, shown.outbox_oldest_ms), (3, 30_000));
    assert_eq!((shown.contacts, shown.conversations, shown.unread), (1, 1, 0));
    let peers: Vec<(String, u64)> =
        shown.peers.into_iter().map(|peer| (peer.contact, peer.waiting)).collect();
    assert_eq!(peers, [("bob".to_owned(), 3)]);
    assert_eq!(checks(&mut world).last().unwrap(), "ok outbox: 3 deliveries wait");
    world.start(BOB);
    world.settle();
    world.send(BOB, "@alice", "thanks").unwrap();
    world.settle();
    let shown = status(&mut world);
    assert_eq!((shown.outbox_waiting, shown.outbox_oldest_ms, shown.unread), (0, 0, 1));
}

#[test]
fn requests_that_wait_and_mismatches_are_pointed_out() {
    let mut world = World::friends(&["alice", "bob", "carol"]);
    assert_eq!(checks(&mut world)[1], "ok requests: no contact request waits");
    let link = world.invite(ALICE, true);
    world.follow(2, &link).unwrap();
    world.settle();
    assert_eq!(checks(&mut world)[1], "warn requests: a contact request waits for an answer");
    assert_eq!(status(&mut world).health, []);
    let request = v1::VerifyContactRequest {
        name: "bob".into(),
        action: v1::VerifyAction::Mismatch.into(),
        safety_number: String::new(),
    };
    world.owner::<v1::VerifyContactResponse>(ALICE, Method::VerifyContact, &request).unwrap();
    let health = status(&mut world).health;
    let shown: Vec<(&str, &str)> =
        health.iter().map(|item| (item.severity.as_str(), item.fix.as_str())).collect();
    assert_eq!(shown, [("error", "qpq contact verify @bob")]);
}

#[test]
fn only_so_many_requests_wait_for_the_owner() {
    let mut world = World::of(&["alice", "bob", "carol", "dave"]);
    world.limit(ALICE, |limits| limits.pending_requests_max = 2);
    let link = world.invite(ALICE, true);
    for node in 1..4 {
        world.follow(node, &link).unwrap();
        world.settle();
    }
    assert_eq!(checks(&mut world)[1], "warn requests: 2 contact requests wait for an answer");
    let accept = v1::AcceptContactRequest { name: "bob".into() };
    world.owner::<v1::AcceptContactResponse>(ALICE, Method::AcceptContact, &accept).unwrap();
    world.pass(3_600_000);
    let waiting = "warn requests: 2 contact requests wait for an answer";
    assert_eq!(checks(&mut world)[1], waiting, "the third is tried again until there is room");
}

#[test]
fn a_full_outbox_refuses_more_and_takes_it_when_there_is_room() {
    let mut world = World::friends(&["alice", "bob", "carol"]);
    world.limit(ALICE, |limits| limits.outbox_deliveries_max = 3);
    world.stop(BOB);
    (0..3).for_each(|number| drop(world.send(ALICE, "@bob", &format!("{number}")).unwrap()));
    let refused = world.send(ALICE, "@bob", "too much").unwrap_err();
    assert_eq!((refused.status, world.history(ALICE).len()), (Status::QuotaExceeded, 3));
    world.start(BOB);
    world.settle();
    world.send(ALICE, "@bob", "room again").unwrap();
    world.settle();
    assert_eq!(world.received(BOB).len(), 4);
}

#[test]
fn what_waits_expires_by_the_nodes_own_time() {
    for error_ms in [0, -1_795_000_000_000, 14 * 365 * 86_400_000_i64] {
        let mut world = World::friends(&["alice", "bob", "carol"]);
        world.stop(BOB);
        let sent = world.send(ALICE, "@bob", "hello?").unwrap();
        world.nodes[ALICE].clock_error_ms = error_ms;
        world.stop(ALICE);
        world.start(ALICE);
        world.pass(34 * DAY_MS);
        assert_eq!(world.state_of(ALICE, &sent.id), "queued", "{error_ms}");
        world.pass(2 * DAY_MS);
        assert_eq!(world.state_of(ALICE, &sent.id), "expired", "{error_ms}");
        assert_eq!(status(&mut world).outbox_waiting, 0);
    }
}

#[test]
fn what_a_group_waits_for_expires_for_those_who_stay_away() {
    let mut world = super::groups::group(&["alice", "bob", "carol"]);
    world.stop(BOB);
    let sent = world.send(ALICE, "#village", "news").unwrap();
    world.pass(36 * DAY_MS);
    assert_eq!(world.nodes[ALICE].memory.count(crate::tables::OUTGOING), 0);
    let request = v1::TraceMessageRequest { id: sent.id.clone() };
    let traced: v1::TraceMessageResponse = world.owner(ALICE, Method::TraceMessage, &request).unwrap();
    let recipients: Vec<(&str, &str, &str)> =
        traced.recipients.iter().map(|r| (r.name.as_str(), r.state.as_str(), r.reason.as_str())).collect();
    assert!(recipients.contains(&("bob", "expired", "it waited too long")), "{recipients:?}");
    assert!(recipients.contains(&("carol", "delivered", "")), "{recipients:?}");
}

#[test]
fn waiting_and_tracing_need_a_message_and_a_state() {
    let mut world = World::friends(&["alice", "bob", "carol"]);
    let sent = world.send(ALICE, "@bob", "hello").unwrap();
    world.settle();
    for (id, state, status) in [
        (&sent.id[..], "read", Status::BadRequest),
        (&sent.id, "", Status::BadRequest),
        (&[1; 16], "sent", Status::NotFound),
        (&[], "delivered", Status::NotFound),
    ] {
        let request = v1::WaitMessageRequest { id: id.to_vec(), state: state.into(), timeout_ms: 0 };
        let refused = world.owner::<v1::WaitMessageResponse>(ALICE, Method::WaitMessage, &request);
        assert_eq!(refused.unwrap_err().status, status, "{state:?}");
    }
    let request = v1::TraceMessageRequest { id: sent.id };
    let traced: v1::TraceMessageResponse = world.owner(BOB, Method::TraceMessage, &request).unwrap();
    assert_eq!((traced.steps[0].what.as_str(), traced.recipients.len()), ("received", 0));
}
