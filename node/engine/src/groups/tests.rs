//! What the owner may ask of a group, when, and that nothing is left of what was refused.

use qpq_proto::{
    Method, Status,
    v1::{ShowGroupRequest, ShowGroupResponse},
};

use super::*;
use crate::{
    records::{ConversationRecord, Verification},
    tests::bench::Bench,
};

/// Calls a method as the owner; what is refused leaves no trace.
fn call<R: prost::Message + Default>(
    bench: &mut Bench,
    method: Method,
    request: &impl prost::Message,
) -> Result<R, Status> {
    let before = bench.memory.clone();
    let answer = bench.owner(method, request).map_err(|refusal| refusal.status);
    if answer.is_err() {
        assert_eq!(bench.memory.bytes_since(&before) + before.bytes_since(&bench.memory), 0);
    }
    answer
}

fn create(bench: &mut Bench, name: &str, members: &[&str]) -> Result<CreateGroupResponse, Status> {
    let members = members.iter().map(ToString::to_string).collect();
    call(bench, Method::CreateGroup, &CreateGroupRequest { name: name.into(), members })
}

fn add(bench: &mut Bench, group: &str, members: &[&str]) -> Result<AddGroupMembersResponse, Status> {
    let members = members.iter().map(ToString::to_string).collect();
    call(bench, Method::AddGroupMembers, &AddGroupMembersRequest { group: group.into(), members })
}

fn rotate(bench: &mut Bench, group: &str) -> Result<RotateGroupResponse, Status> {
    call(bench, Method::RotateGroup, &RotateGroupRequest { group: group.into() })
}

fn show(bench: &mut Bench, group: &str) -> Result<ShowGroupResponse, Status> {
    call(bench, Method::ShowGroup, &ShowGroupRequest { group: group.into() })
}

fn with_stage(bench: &mut Bench, stage: Stage) {
    let village = ConversationRecord { stage: stage.into(), ..bench.village() };
    bench.with(|engine, cx| engine.save_conversation(cx, &village).unwrap());
}

#[test]
fn a_group_is_found_by_its_name_however_it_is_written() {
    let mut bench = Bench::of_village();
    for name in ["#village", "village", "VILLAGE", "#Village"] {
        let shown = show(&mut bench, name).unwrap();
        assert_eq!(shown.conversation.unwrap().name, "#village", "{name}");
    }
    assert_eq!(show(&mut bench, "@bob").unwrap().members.len(), 2, "a conversation of two is one too");
    for name in ["#villag", "", "#", "@", "bob", "##village"] {
        assert_eq!(show(&mut bench, name).unwrap_err(), Status::NotFound, "{name:?}");
    }
}

#[test]
fn a_group_is_shown_with_everybody_in_it() {
    let mut bench = Bench::of_village();
    bench.with(|engine, cx| {
        let mut bob = engine.find_contact(cx, "bob").unwrap();
        bob.verification = Verification::Verified.into();
        engine.save_person(cx, &bob).unwrap();
    });
    let shown = show(&mut bench, "village").unwrap();
    let mut members: Vec<(String, bool, bool, String)> = shown
        .members
        .into_iter()
        .map(|member| (member.name, member.own, member.administrator, member.verification))
        .collect();
    members.sort();
    let expected =
        [("alice", true, true, ""), ("bob", false, false, "verified"), ("carol", false, false, "unverified")];
    let expected: Vec<_> =
        expected.map(|(name, own, admin, word)| (name.into(), own, admin, word.into())).into();
    assert_eq!(members, expected);
    assert_eq!((shown.committer.as_str(), shown.epoch_id.len(), shown.changes.len()), ("alice", 32, 0));
}

#[test]
fn a_refused_group_uses_up_nothing() {
    let mut bench = Bench::of_village();
    bench.with(|engine, cx| {
        let mut carol = engine.find_contact(cx, "carol").unwrap();
        carol.standing = Standing::Pending.into();
        engine.save_person(cx, &carol).unwrap();
    });
    for (name, members, status) in [
        ("town", &["bob", "bob"][..], Status::Conflict),
        ("town", &["bob", "@bob"], Status::Conflict),
        ("town", &["bob", "carol"], Status::Conflict),
        ("town", &["bob", "nobody"], Status::NotFound),
        ("town", &[""], Status::NotFound),
        ("village", &["bob"], Status::Conflict),
        ("to wn", &["bob"], Status::BadRequest),
    ] {
        assert_eq!(create(&mut bench, name, members).unwrap_err(), status, "{name} {members:?}");
    }
    create(&mut bench, "town", &["bob"]).unwrap();
}

#[test]
fn only_so_many_conversations_are_made() {
    let mut bench = Bench::of_village();
    bench.engine.limits.conversations_max = 4;
    create(&mut bench, "town", &[]).unwrap();
    assert_eq!(create(&mut bench, "city", &[]).unwrap_err(), Status::QuotaExceeded);
    bench.engine.limits.conversations_max = 5;
    create(&mut bench, "city", &[]).unwrap();
}

#[test]
fn members_are_added_who_are_contacts_and_not_there_yet() {
    let mut bench = Bench::of_village();
    create(&mut bench, "town", &["bob"]).unwrap();
    for (members, status) in [
        (&[][..], Status::BadRequest),
        (&["bob"], Status::Conflict),
        (&["carol", "bob"], Status::Conflict),
        (&["carol", "carol"], Status::Conflict),
        (&["alice"], Status::NotFound),
        (&["carol", "nobody"], Status::NotFound),
    ] {
        assert_eq!(add(&mut bench, "town", members).unwrap_err(), status, "{members:?}");
    }
    assert_eq!(add(&mut bench, "@bob", &["carol"]).unwrap_err(), Status::NotFound, "two stay two");
    assert!(add(&mut bench, "#town", &["@carol"]).unwrap().change.unwrap().committed);
    assert_eq!(show(&mut bench, "town").unwrap().members.len(), 3);
}

#[test]
fn what_a_group_can_do_depends_on_its_stage() {
    for (stage, status) in [(Stage::Waiting, Status::Conflict), (Stage::Ended, Status::Forbidden)] {
        let mut bench = Bench::of_village();
        with_stage(&mut bench, stage);
        assert_eq!(rotate(&mut bench, "village").unwrap_err(), status);
        assert_eq!(add(&mut bench, "village", &["bob"]).unwrap_err(), status);
        let link = CreateGroupLinkRequest { group: "village".into(), ..CreateGroupLinkRequest::default() };
        let made = call::<CreateGroupLinkResponse>(&mut bench, Method::CreateGroupLink, &link);
        assert_eq!(made.unwrap_err(), status);
        let leave = LeaveGroupRequest { group: "village".into() };
        let left = call::<LeaveGroupResponse>(&mut bench, Method::LeaveGroup, &leave);
        assert_eq!(left.unwrap_err(), status);
        let remove = RemoveGroupMemberRequest { group: "village".into(), member: "bob".into() };
        let removed = call::<RemoveGroupMemberResponse>(&mut bench, Method::RemoveGroupMember, &remove);
        assert_eq!(removed.unwrap_err(), status);
        let shown = show(&mut bench, "village").unwrap();
        assert!(shown.members.is_empty() && shown.epoch_id.is_empty() && shown.conversation.is_some());
    }
}

#[test]
fn keys_are_renewed_in_groups_and_with_contacts() {
    let mut bench = Bench::of_village();
    for name in ["#village", "village", "@bob", "@carol"] {
        let before = show(&mut bench, name).unwrap().epoch_id;
        let change = rotate(&mut bench, name).unwrap().change.unwrap();
        // With a contact, the one who made the group of two commits.
        let is_renewed = show(&mut bench, name).unwrap().epoch_id != before;
        assert_eq!(change.committed, is_renewed, "{name}");
        assert_eq!(change.waiting_for.is_empty(), change.committed, "{name}");
    }
}

#[test]
fn so_many_are_added_at_once_and_no_more() {
    let mut bench = Bench::of_village();
    for (count, status) in
        [(MEMBERS_PER_CHANGE_MAX, Status::NotFound), (MEMBERS_PER_CHANGE_MAX + 1, Status::QuotaExceeded)]
    {
        let names = vec![String::from("@nobody"); count];
        let refused = bench.with(|engine, cx| engine.add_change(cx, mls::Suite::Hybrid, &names)).unwrap_err();
        assert_eq!(refused.status, status);
        let is_helpful =
            refused.message.contains("65 people are named, at most 64 are added at once: add the others");
        assert_eq!(is_helpful, status == Status::QuotaExceeded, "{}", refused.message);
    }
}
