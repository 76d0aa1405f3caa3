//! Leaving groups, being removed from them, their links and their limits.

use qpq_proto::{Failure, Method, Status, v1};

use super::{
    groups::{add, group, remove, rotate, village},
    world::World,
};

const ALICE: usize = 0;
const BOB: usize = 1;
const CAROL: usize = 2;

fn leave(world: &mut World, node: usize) -> Result<v1::GroupChange, Failure> {
    let request = v1::LeaveGroupRequest { group: "#village".into() };
    let response: v1::LeaveGroupResponse = world.owner(node, Method::LeaveGroup, &request)?;
    Ok(response.change.unwrap())
}

fn create(world: &mut World, node: usize, members: &[&str]) -> Result<v1::CreateGroupResponse, Failure> {
    let members = members.iter().map(ToString::to_string).collect();
    let request = v1::CreateGroupRequest { name: "village".into(), members };
    world.owner(node, Method::CreateGroup, &request)
}

fn link(world: &mut World, node: usize, reusable: bool, lifetime_s: u64) -> v1::CreateGroupLinkResponse {
    let request = v1::CreateGroupLinkRequest { group: "#village".into(), lifetime_s, reusable };
    world.owner(node, Method::CreateGroupLink, &request).unwrap()
}

fn join(world: &mut World, node: usize, link: &str) -> Result<v1::JoinGroupResponse, Failure> {
    world.owner(node, Method::JoinGroup, &v1::JoinGroupRequest { link: link.into() })
}

fn state(world: &mut World, node: usize) -> String {
    world.conversations(node).into_iter().find(|c| c.name == "#village").unwrap().state
}

fn members(world: &mut World, node: usize) -> usize {
    world.show(node, "#village").unwrap().members.len()
}

#[test]
fn members_leave_in_any_order() {
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [0, 2, 1], [1, 0, 2], [2, 0, 1]] {
        let mut world = group(&["alice", "bob", "carol"]);
        for (gone, node) in order.into_iter().enumerate() {
            leave(&mut world, node).unwrap();
            world.pass(60_000);
            assert_eq!(state(&mut world, node), "ended", "{order:?}");
            for left in &order[gone + 1..] {
                assert_eq!(members(&mut world, *left), 2 - gone, "{order:?}");
                world.send(*left, "#village", "still here").unwrap();
            }
            world.settle();
            assert_eq!(world.send(node, "#village", "x").unwrap_err().status, Status::Forbidden);
            assert_eq!(leave(&mut world, node).unwrap_err().status, Status::Forbidden, "twice");
        }
        assert_eq!(world.received(order[2]).len(), 1, "from the one who left before");
    }
}

#[test]
fn two_who_leave_while_nobody_commits_are_both_gone_in_the_end() {
    let mut world = group(&["alice", "bob", "carol", "dave"]);
    world.stop(ALICE);
    for node in [BOB, CAROL] {
        let asked = leave(&mut world, node).unwrap();
        assert_eq!((asked.committed, asked.waiting_for.as_str()), (false, "alice"));
    }
    world.settle();
    world.start(ALICE);
    world.pass(600_000);
    for node in [ALICE, 3] {
        assert_eq!(members(&mut world, node), 2, "node {node}");
    }
    for node in [BOB, CAROL] {
        assert_eq!(state(&mut world, node), "ended", "node {node}");
    }
}

#[test]
fn the_last_member_closes_the_group() {
    let mut world = World::of(&["alice"]);
    create(&mut world, ALICE, &[]).unwrap();
    world.send(ALICE, "#village", "note to self").unwrap();
    assert!(leave(&mut world, ALICE).unwrap().committed);
    assert_eq!(state(&mut world, ALICE), "ended");
    assert_eq!(world.history(ALICE).len(), 1, "what was written stays");
}

#[test]
fn whoever_was_removed_can_still_read_but_do_nothing() {
    let mut world = group(&["alice", "bob", "carol"]);
    world.send(BOB, "#village", "before").unwrap();
    world.settle();
    remove(&mut world, ALICE, "carol").unwrap();
    world.settle();
    assert_eq!(world.received(CAROL), ["bob: before"]);
    assert_eq!(add(&mut world, CAROL, "@bob").unwrap_err().status, Status::Forbidden);
    assert_eq!(remove(&mut world, CAROL, "@bob").unwrap_err().status, Status::Forbidden);
    let rotate = v1::RotateGroupRequest { group: "#village".into() };
    let refused = world.owner::<v1::RotateGroupResponse>(CAROL, Method::RotateGroup, &rotate);
    assert_eq!(refused.unwrap_err().status, Status::Forbidden);
    let shown = world.show(CAROL, "#village").unwrap();
    assert_eq!((shown.members.len(), shown.epoch_id.len()), (0, 0));
}

#[test]
fn removing_needs_a_member_who_is_another() {
    let mut world = village(&["alice", "bob", "carol"]);
    create(&mut world, ALICE, &["bob"]).unwrap();
    world.settle();
    for (who, status) in [
        ("@alice", Status::BadRequest),
        ("@carol", Status::NotFound),
        ("@nobody", Status::NotFound),
        ("", Status::NotFound),
    ] {
        assert_eq!(remove(&mut world, ALICE, who).unwrap_err().status, status, "{who}");
    }
    assert_eq!(members(&mut world, BOB), 2);
}

#[test]
fn a_group_link_follows_the_rules_of_invitations() {
    for (reusable, lifetime_s, revoked, comers) in
        [(false, 0, false, 1), (true, 0, false, 2), (true, 1, false, 0), (true, 0, true, 0)]
    {
        let mut world = World::of(&["alice", "bob", "carol"]);
        create(&mut world, ALICE, &[]).unwrap();
        let made = link(&mut world, ALICE, reusable, lifetime_s);
        world.pass(2_000);
        if revoked {
            let request = v1::RevokeInvitationRequest { invitation: made.invitation };
            world.owner::<v1::RevokeInvitationResponse>(ALICE, Method::RevokeInvitation, &request).unwrap();
        }
        for node in [BOB, CAROL] {
            join(&mut world, node, &made.link).unwrap();
            world.pass(60_000);
        }
        let states = [BOB, CAROL].map(|node| state(&mut world, node));
        let open = states.iter().filter(|state| *state == "open").count();
        assert_eq!(open, comers, "reusable {reusable}, {lifetime_s} s, revoked {revoked}: {states:?}");
        assert_eq!(members(&mut world, ALICE), 1 + comers);
    }
}

#[test]
fn links_of_one_kind_do_not_serve_as_the_other() {
    let mut world = World::of(&["alice", "bob"]);
    create(&mut world, ALICE, &[]).unwrap();
    let of_group = link(&mut world, ALICE, false, 0).link;
    let of_contact = world.invite(ALICE, false);
    assert_eq!(join(&mut world, BOB, &of_contact).unwrap_err().status, Status::BadRequest);
    assert_eq!(world.follow(BOB, &of_group).unwrap_err().status, Status::BadRequest);
    assert_eq!(join(&mut world, ALICE, &of_group).unwrap_err().status, Status::BadRequest, "one's own");
    join(&mut world, BOB, &of_group).unwrap();
    let again = join(&mut world, BOB, &of_group).unwrap_err();
    assert_eq!(again.status, Status::Conflict, "one request at a time");
}

#[test]
fn a_link_to_a_group_that_its_maker_has_left_leads_nowhere() {
    let mut world = group(&["alice", "bob"]);
    let made = link(&mut world, BOB, true, 0);
    leave(&mut world, BOB).unwrap();
    world.pass(60_000);
    let carol = world.add_person(CAROL, "carol");
    join(&mut world, carol, &made.link).unwrap();
    world.pass(60_000);
    assert_eq!(state(&mut world, carol), "ended");
    assert_eq!(members(&mut world, ALICE), 1);
}

#[test]
fn a_joined_groups_name_gives_way_to_one_that_is_there() {
    let mut world = village(&["alice", "bob"]);
    create(&mut world, BOB, &[]).unwrap();
    create(&mut world, ALICE, &["bob"]).unwrap();
    world.settle();
    let names: Vec<String> = world.conversations(BOB).into_iter().map(|c| c.name).collect();
    assert!(names.contains(&"#village".into()) && names.contains(&"#village-2".into()), "{names:?}");
    world.send(BOB, "#village-2", "hello").unwrap();
    world.settle();
    assert_eq!(world.received(ALICE), ["bob: hello"]);
}

#[test]
fn changes_wait_for_a_committer_who_was_restarted() {
    let mut world = group(&["alice", "bob", "carol"]);
    world.cut(ALICE, BOB);
    let before = world.show(BOB, "#village").unwrap().epoch_id;
    rotate(&mut world, BOB, "#village");
    assert_eq!(world.show(BOB, "#village").unwrap().changes.len(), 1);
    for node in [BOB, ALICE] {
        world.stop(node);
        world.start(node);
    }
    world.join(ALICE, BOB);
    world.pass(600_000);
    let shown = world.show(BOB, "#village").unwrap();
    assert_ne!(shown.epoch_id, before);
    assert_eq!(shown.changes, []);
    assert_eq!(world.show(CAROL, "#village").unwrap().epoch_id, shown.epoch_id);
}

#[test]
fn a_group_grows_to_its_limit() {
    let mut world = village(&["alice", "bob", "carol"]);
    create(&mut world, ALICE, &["bob"]).unwrap();
    world.settle();
    world.limit(ALICE, |limits| limits.group_members_max = 2);
    assert_eq!(add(&mut world, ALICE, "carol").unwrap_err().status, Status::Conflict);
    let asked = add(&mut world, BOB, "carol").unwrap();
    world.settle();
    let request = v1::WaitChangeRequest { change: asked.change, timeout_ms: 0 };
    let waited: v1::WaitChangeResponse = world.owner(BOB, Method::WaitChange, &request).unwrap();
    assert!(!waited.change.unwrap().committed);
    world.limit(ALICE, |limits| limits.group_members_max = 3);
    add(&mut world, ALICE, "carol").unwrap();
    world.settle();
    assert_eq!(members(&mut world, CAROL), 3);
}

#[test]
fn a_change_that_fails_in_part_leaves_nothing_in_the_commit() {
    let mut world = village(&["alice", "bob", "carol", "dave", "erin"]);
    create(&mut world, ALICE, &["bob", "carol"]).unwrap();
    world.settle();
    world.cut(ALICE, BOB);
    world.cut(ALICE, CAROL);
    // Two changes wait for alice; of the second one part contradicts the first.
    add(&mut world, BOB, "dave").unwrap();
    world.settle();
    let names = vec!["erin".into(), "dave".into()];
    let both = v1::AddGroupMembersRequest { group: "#village".into(), members: names };
    world.owner::<v1::AddGroupMembersResponse>(CAROL, Method::AddGroupMembers, &both).unwrap();
    world.settle();
    // She leaves, and bob finds both waiting when he takes over.
    leave(&mut world, ALICE).unwrap();
    world.join(ALICE, BOB);
    world.join(ALICE, CAROL);
    world.pass(60_000);
    assert_eq!((members(&mut world, BOB), members(&mut world, CAROL)), (3, 3), "bob, carol and dave");
    world.send(CAROL, "#village", "still one group").unwrap();
    world.pass(60_000);
    assert!(world.received(BOB).contains(&"carol: still one group".to_owned()));
}
