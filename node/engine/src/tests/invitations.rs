//! Links: how long they last, how often they work, and who may no longer use them.

use qpq_proto::{Method, Status, v1};

use super::world::World;

const ALICE: usize = 0;
const BOB: usize = 1;
const CAROL: usize = 2;
const DAY_MS: u64 = 86_400_000;

fn invite(world: &mut World, reusable: bool, lifetime_s: u64) -> v1::CreateInvitationResponse {
    let request = v1::CreateInvitationRequest { reusable, lifetime_s };
    world.owner(ALICE, Method::CreateInvitation, &request).unwrap()
}

fn listed(world: &mut World) -> Vec<v1::Invitation> {
    let request = v1::ListInvitationsRequest {};
    world.owner::<v1::ListInvitationsResponse>(ALICE, Method::ListInvitations, &request).unwrap().invitations
}

fn revoke(world: &mut World, invitation: &[u8]) -> Result<v1::RevokeInvitationResponse, qpq_proto::Failure> {
    let request = v1::RevokeInvitationRequest { invitation: invitation.to_vec() };
    world.owner(ALICE, Method::RevokeInvitation, &request)
}

/// How alice's link looks to the one who followed it.
fn outcome(world: &mut World, node: usize) -> String {
    let listed: v1::ListContactsResponse =
        world.owner(node, Method::ListContacts, &v1::ListContactsRequest {}).unwrap();
    listed.contacts.into_iter().find(|contact| contact.name == "alice").unwrap().state
}

#[test]
fn a_link_lasts_as_long_as_it_says() {
    const WEEK_MS: u64 = 7 * DAY_MS;
    for (reusable, lifetime_s, after_ms, state) in [
        (false, 0, WEEK_MS - 1_000, "accepted"),
        (false, 0, WEEK_MS, "refused"),
        (false, 60, 59_000, "accepted"),
        (false, 60, 60_000, "refused"),
        (true, 60, 60_000, "refused"),
        (false, u64::MAX, 400 * DAY_MS, "accepted"),
    ] {
        let mut world = World::of(&["alice", "bob"]);
        let link = invite(&mut world, reusable, lifetime_s).link;
        world.pass(after_ms);
        assert_eq!(listed(&mut world).is_empty(), state == "refused");
        world.follow(BOB, &link).unwrap();
        world.settle();
        let case = format!("reusable {reusable}, {lifetime_s} s, after {after_ms} ms");
        assert_eq!(outcome(&mut world, BOB), state, "{case}");
    }
}

#[test]
fn a_reusable_link_does_not_expire_by_itself() {
    let mut world = World::of(&["alice", "bob"]);
    let made = invite(&mut world, true, 0);
    assert_eq!(made.expires_at_ms, 0);
    world.pass(400 * DAY_MS);
    world.follow(BOB, &made.link).unwrap();
    world.settle();
    assert_eq!(listed(&mut world)[0].used, 1);
}

#[test]
fn the_list_shows_what_can_still_be_used_oldest_first() {
    let mut world = World::of(&["alice", "bob", "carol"]);
    let once = invite(&mut world, false, 0);
    world.pass(1_000);
    let often = invite(&mut world, true, 0);
    world.pass(1_000);
    invite(&mut world, false, 1);
    world.pass(1_000);
    let shown: Vec<(Vec<u8>, bool, String)> =
        listed(&mut world).into_iter().map(|i| (i.invitation, i.reusable, i.link)).collect();
    let expected =
        [(once.invitation, false, once.link.clone()), (often.invitation, true, often.link.clone())];
    assert_eq!(shown, expected);
    world.follow(BOB, &once.link).unwrap();
    world.follow(CAROL, &often.link).unwrap();
    world.settle();
    let left: Vec<(bool, u64)> = listed(&mut world).into_iter().map(|i| (i.reusable, i.used)).collect();
    assert_eq!(left, [(true, 1)]);
}

#[test]
fn a_revoked_link_works_no_more() {
    for reusable in [false, true] {
        let mut world = World::of(&["alice", "bob"]);
        let made = invite(&mut world, reusable, 0);
        revoke(&mut world, &made.invitation).unwrap();
        assert_eq!(listed(&mut world), []);
        world.follow(BOB, &made.link).unwrap();
        world.settle();
        assert_eq!(outcome(&mut world, BOB), "refused");
        assert_eq!(revoke(&mut world, &made.invitation).unwrap_err().status, Status::NotFound);
    }
    let mut world = World::of(&["alice"]);
    for unknown in [&[][..], &[1; 16], &[1; 64]] {
        assert_eq!(revoke(&mut world, unknown).unwrap_err().status, Status::NotFound);
    }
}

#[test]
fn revoking_a_reusable_link_leaves_alone_who_asked_before() {
    let mut world = World::of(&["alice", "bob"]);
    let made = invite(&mut world, true, 0);
    world.follow(BOB, &made.link).unwrap();
    world.settle();
    revoke(&mut world, &made.invitation).unwrap();
    let accept = v1::AcceptContactRequest { name: "bob".into() };
    world.owner::<v1::AcceptContactResponse>(ALICE, Method::AcceptContact, &accept).unwrap();
    world.settle();
    assert_eq!(outcome(&mut world, BOB), "accepted");
}

#[test]
fn whoever_asked_through_a_reusable_link_is_accepted_once() {
    let mut world = World::of(&["alice", "bob"]);
    let made = invite(&mut world, true, 0);
    world.follow(BOB, &made.link).unwrap();
    world.settle();
    let accept = v1::AcceptContactRequest { name: "bob".into() };
    world.owner::<v1::AcceptContactResponse>(ALICE, Method::AcceptContact, &accept).unwrap();
    let again = world.owner::<v1::AcceptContactResponse>(ALICE, Method::AcceptContact, &accept);
    assert_eq!(again.unwrap_err().status, Status::Conflict);
    let nobody = v1::AcceptContactRequest { name: "nobody".into() };
    let refused = world.owner::<v1::AcceptContactResponse>(ALICE, Method::AcceptContact, &nobody);
    assert_eq!(refused.unwrap_err().status, Status::NotFound);
}

#[test]
fn following_the_link_of_somebody_who_asks_accepts_them() {
    let mut world = World::of(&["alice", "bob"]);
    let link = invite(&mut world, true, 0).link;
    world.follow(BOB, &link).unwrap();
    world.settle();
    let link = world.invite(BOB, false);
    let contact = world.follow(ALICE, &link).unwrap().contact.unwrap();
    assert_eq!((contact.name.as_str(), contact.state.as_str()), ("bob", "accepted"));
    world.settle();
    world.send(BOB, "@alice", "at last").unwrap();
    world.settle();
    assert_eq!(world.received(ALICE), ["bob: at last"]);
}

#[test]
fn links_that_lead_nowhere_are_refused_at_once() {
    let mut world = World::of(&["alice", "bob"]);
    let own = invite(&mut world, false, 0).link;
    let cut_off = own[..own.len() - 4].to_owned();
    for link in [own.as_str(), &cut_off, "", "qpq:", "https://example.org/", "qpq:c1\u{0}"] {
        assert_eq!(world.follow(ALICE, link).unwrap_err().status, Status::BadRequest, "{link:?}");
    }
    assert_eq!(world.conversations(ALICE), []);
}

#[test]
fn lifetimes_do_not_follow_a_clock_that_jumps() {
    const YEARS_MS: i64 = 14 * 365 * 86_400_000;
    for error_ms in [YEARS_MS, -YEARS_MS, -1_795_000_000_000] {
        let mut world = World::of(&["alice", "bob"]);
        let link = invite(&mut world, false, 0).link;
        world.nodes[ALICE].clock_error_ms = error_ms;
        world.stop(ALICE);
        world.start(ALICE);
        assert_eq!(listed(&mut world).len(), 1, "six hours are charged, not years: {error_ms}");
        world.follow(BOB, &link).unwrap();
        world.settle();
        assert_eq!(outcome(&mut world, BOB), "accepted", "{error_ms}");
    }
}

#[test]
fn there_are_only_so_many_open_links() {
    let mut world = World::of(&["alice"]);
    world.limit(ALICE, |limits| limits.invitations_max = 2);
    let first = invite(&mut world, true, 0);
    invite(&mut world, false, 0);
    let request = v1::CreateInvitationRequest::default();
    let refused = world.owner::<v1::CreateInvitationResponse>(ALICE, Method::CreateInvitation, &request);
    assert_eq!(refused.unwrap_err().status, Status::QuotaExceeded);
    revoke(&mut world, &first.invitation).unwrap();
    invite(&mut world, false, 0);
    assert_eq!(listed(&mut world).len(), 2);
}

#[test]
fn links_do_not_come_back_with_a_backup() {
    let mut world = World::of(&["alice"]);
    invite(&mut world, true, 0);
    invite(&mut world, false, 60);
    let backup = world.nodes[ALICE].memory.backup();
    let again = world.add(9, super::memory::Memory::default());
    world.nodes[again].memory = backup;
    let request = v1::RestoreBackupRequest::default();
    world.owner::<v1::RestoreBackupResponse>(again, Method::RestoreBackup, &request).unwrap();
    let request = v1::ListInvitationsRequest {};
    let listed: v1::ListInvitationsResponse = world.owner(again, Method::ListInvitations, &request).unwrap();
    assert_eq!(
        listed.invitations,
        [],
        "they lead to the node of the lost device, and never end in another's time"
    );
}
