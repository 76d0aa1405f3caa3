//! What a conversation remembers of its groups, and how it is shown.

use qpq_crypto::{
    certificate::DeviceCertificate,
    identity::{DeviceSecret, IdentityKey},
};
use qpq_proto::{Method, ids::NodeKey, v1, v1::GroupKind};

use super::*;
use crate::{records::PersonRecord, tests::bench::Bench};

const DAY_MS: u64 = 86_400_000;

fn identity(number: u8) -> Vec<u8> {
    IdentityKey::from_seed(&[number; 32]).public().as_bytes().to_vec()
}

fn device(number: u8) -> Vec<u8> {
    DeviceSecret::from_seed(&[number | 0x80; 32]).public().as_bytes().to_vec()
}

fn member(number: u8) -> mls::Member {
    let device = DeviceSecret::from_seed(&[number | 0x80; 32]).public();
    let node = NodeKey::from_bytes([number; 32]);
    let key = IdentityKey::from_seed(&[number; 32]);
    let certificate = DeviceCertificate::issue(&key, device, node, &[0x004F], 1).unwrap();
    mls::Member { leaf: number.into(), certificate }
}

/// A group in an epoch with this routing secret.
fn group(id: u8, secret: u8, members: &[u8]) -> GroupView {
    GroupView {
        id: vec![id; 32],
        suite: mls::Suite::Hybrid,
        epoch: mls::EpochId([secret; 32]),
        epoch_number: secret.into(),
        own_leaf: 0,
        members: members.iter().copied().map(member).collect(),
        record: GroupRecord {
            version: 1,
            kind: GroupKind::Group.into(),
            name: "village".into(),
            routing_secret: vec![secret; 32],
            administrators: Vec::new(),
            ..GroupRecord::default()
        },
    }
}

fn conversation() -> ConversationRecord {
    ConversationRecord { id: vec![1; 16], group_id: vec![1; 32], ..ConversationRecord::default() }
}

fn follow(bench: &mut Bench, conversation: &mut ConversationRecord, group: &GroupView) {
    bench.with(|engine, cx| engine.follow_group(cx, conversation, group).unwrap());
}

/// Each route's secret, and for how many days it is still recognised; 0 for the one in use.
fn routes(conversation: &ConversationRecord) -> Vec<(u8, u64)> {
    conversation.routes.iter().map(|route| (route.secret[0], route.until_node_ms / DAY_MS)).collect()
}

#[test]
fn a_replaced_secret_is_kept_for_thirty_days() {
    let (mut bench, mut record) = (Bench::of("alice"), conversation());
    for (day, secret, expected) in [
        (0, 1, &[(1, 0)][..]),
        (0, 1, &[(1, 0)]),
        (10, 2, &[(1, 40), (2, 0)]),
        (10, 2, &[(1, 40), (2, 0)]),
        (20, 3, &[(1, 40), (2, 50), (3, 0)]),
        (39, 3, &[(1, 40), (2, 50), (3, 0)]),
        (40, 3, &[(2, 50), (3, 0)]),
        (90, 3, &[(3, 0)]),
    ] {
        bench.now_ms = day * DAY_MS;
        follow(&mut bench, &mut record, &group(1, secret, &[1]));
        assert_eq!(routes(&record), expected, "day {day}, secret {secret}");
        assert_eq!(record.current_route().map(|route| route.secret[0]), Some(secret));
    }
}

#[test]
fn groups_side_by_side_keep_their_own_secrets() {
    let (mut bench, mut record) = (Bench::of("alice"), conversation());
    for (id, secret) in [(1, 1), (2, 2), (1, 3)] {
        follow(&mut bench, &mut record, &group(id, secret, &[1]));
    }
    assert_eq!(routes(&record), [(1, 30), (2, 0), (3, 0)]);
    for (in_use, secret) in [(1, Some(3)), (2, Some(2)), (3, None)] {
        record.group_id = vec![in_use; 32];
        assert_eq!(record.current_route().map(|route| route.secret[0]), secret, "group {in_use}");
    }
    for id in [1, 2] {
        let found = bench.with(|engine, cx| {
            engine.save_conversation(cx, &record).unwrap();
            engine.conversation_of_group(cx, &[id; 32]).unwrap()
        });
        assert_eq!(found.as_ref(), Some(&record));
    }
    assert_eq!(bench.with(|engine, cx| engine.conversation_of_group(cx, &[3; 32]).unwrap()), None);
}

#[test]
fn who_is_gone_no_longer_leaves_and_is_no_longer_revoked() {
    let (mut bench, mut record) = (Bench::of("alice"), conversation());
    record.leaving = vec![identity(1), identity(2)];
    record.revoked = vec![device(2), device(3)];
    follow(&mut bench, &mut record, &group(1, 1, &[1, 2, 3]));
    assert_eq!((record.members, record.suite), (3, 0x004F));
    assert_eq!(
        (record.leaving.clone(), record.revoked.clone()),
        (vec![identity(1), identity(2)], vec![device(2), device(3)])
    );
    follow(&mut bench, &mut record, &group(1, 1, &[1, 3]));
    assert_eq!(
        (record.members, record.leaving.clone(), record.revoked.clone()),
        (2, vec![identity(1)], vec![device(3)])
    );
}

#[test]
fn a_view_finds_members_by_identity() {
    let view = group(1, 1, &[1, 2]);
    assert!(view.has(&identity(2)) && !view.has(&identity(3)) && !view.has(&[]));
    assert_eq!(view.member(&identity(2)).map(|member| member.leaf), Some(2));
}

#[test]
fn conversations_are_listed_latest_first_with_their_names_and_states() {
    let mut bench = Bench::of("alice");
    let bob = PersonRecord { identity: identity(2), ..PersonRecord::default() };
    let record = |id: u8, stage: Stage, last_at_ms: u64| ConversationRecord {
        id: vec![id; 16],
        kind: Kind::Group.into(),
        stage: stage.into(),
        name: format!("group-{id}"),
        last_at_ms,
        unread: id.into(),
        members: 3,
        ..ConversationRecord::default()
    };
    let direct =
        ConversationRecord { kind: Kind::Direct.into(), contact: identity(2), ..record(4, Stage::Open, 9) };
    let records =
        [record(1, Stage::Open, 5), record(3, Stage::Ended, 7), record(2, Stage::Waiting, 7), direct];
    bench.with(|engine, cx| {
        engine.save_person(cx, &bob).unwrap();
        records.iter().for_each(|record| engine.save_conversation(cx, record).unwrap());
    });
    let request = v1::ListConversationsRequest {};
    let listed: ListConversationsResponse = bench.owner(Method::ListConversations, &request).unwrap();
    let shown = |c: Conversation| format!("{} {} {} {}", c.name, c.kind, c.state, c.unread);
    let shown: Vec<String> = listed.conversations.into_iter().map(shown).collect();
    let bob = bench.with(|engine, cx| engine.display_name(cx, &identity(2)).unwrap());
    let expected = [
        format!("@{bob} direct open 4"),
        "#group-2 group waiting 2".into(),
        "#group-3 group ended 3".into(),
        "#group-1 group open 1".into(),
    ];
    assert_eq!(shown, expected);
}

#[test]
fn a_conversation_that_is_named_and_absent_is_damage() {
    let mut bench = Bench::of("alice");
    let absent = bench.with(|engine, cx| engine.conversation_of(cx, &[9; 16]).unwrap_err());
    assert!(matches!(absent, EngineError::Corrupt { table: "conversations", .. }), "{absent}");
    let short = ConversationRecord { id: vec![1; 15], ..ConversationRecord::default() };
    assert!(matches!(short.conversation_id(), Err(EngineError::Corrupt { .. })));
    assert_eq!(bench.with(|engine, cx| engine.conversation_name(cx, &[9; 16]).unwrap()), None);
}

#[test]
fn new_conversations_wait_and_have_ids_of_their_own() {
    let mut bench = Bench::of("alice");
    let mut new = |kind| bench.with(|engine, cx| engine.new_conversation(cx, kind, &[7; 32]).unwrap());
    let (direct, group) = (new(Kind::Direct), new(Kind::Group));
    assert_eq!(
        (direct.stage(), direct.members, group.stage(), group.members),
        (Stage::Waiting, 2, Stage::Waiting, 1)
    );
    assert_ne!(direct.id, group.id);
    assert!(direct.conversation_id().is_ok() && direct.current_route().is_none());
    assert_eq!(bench.memory.count(CONVERSATIONS), 2);
}

#[test]
fn so_many_old_routing_secrets_are_recognised_and_the_newest() {
    let mut conversation = ConversationRecord::default();
    for number in 0..=100 {
        let until_node_ms = if number == 0 || number == 100 { 0 } else { 1 };
        let route = RouteRecord { secret: vec![number; 32], until_node_ms, group_id: Vec::new() };
        conversation.routes.push(route);
        conversation.forget_surplus_routes();
    }
    let numbers: Vec<u8> = conversation.routes.iter().map(|route| route.secret[0]).collect();
    let newest: Vec<u8> = [0].into_iter().chain(38..=100).collect();
    assert_eq!(numbers, newest, "and one that is in use, however old");
}
