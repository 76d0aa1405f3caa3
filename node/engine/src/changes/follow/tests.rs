//! What a commit settles, and what is left of a conversation that has ended.

use qpq_proto::v1::{AddMembers, Leave, RemoveMember, Rotate};

use super::*;
use crate::{
    records::{FutureRecord, UnsealedRecord},
    tables::{CHECKPOINTS, COMMITS, OUTGOING, PAYLOADS, SENDERS},
    tests::bench::Bench,
};

const CONVERSATION: [u8; 16] = [4; 16];

fn conversation() -> ConversationRecord {
    ConversationRecord { id: CONVERSATION.to_vec(), ..ConversationRecord::default() }
}

fn signed(id: u8, author: &[u8], kind: change::Kind) -> SignedChange {
    let change = Change { id: vec![id; 16], author: author.to_vec(), kind: Some(kind), ..Change::default() };
    SignedChange { change: change.encode_to_vec(), signature: Vec::new() }
}

fn rotate() -> change::Kind {
    change::Kind::Rotate(Rotate::default())
}

/// Lets changes wait, asked for on this node.
fn wait(bench: &mut Bench, conversation: &[u8], changes: &[(u8, SignedChange)]) {
    bench.with(|_, cx| {
        for (id, signed) in changes {
            let record =
                ChangeRecord { signed: signed.encode_to_vec(), id: vec![*id; 16], ..ChangeRecord::default() };
            tables::save(cx.tx, CHANGES, tables::at(conversation, u64::from(*id)), &record).unwrap();
            let state =
                ChangeStateRecord { conversation: conversation.to_vec(), ..ChangeStateRecord::default() };
            tables::save(cx.tx, CHANGE_IDS, tables::key(&[*id; 16]), &state).unwrap();
        }
    });
}

/// Ids of the changes that still wait, and of those that are said to be committed.
fn left(bench: &Bench, conversation: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let waiting: Vec<(u64, ChangeRecord)> = tables::first(&bench.memory, CHANGES, conversation, 99).unwrap();
    let is_committed = |id: &u8| {
        let state: Option<ChangeStateRecord> =
            tables::load(&bench.memory, CHANGE_IDS, tables::key(&[*id; 16])).unwrap();
        state.is_some_and(|state| state.committed)
    };
    (waiting.iter().map(|(_, record)| record.id[0]).collect(), (0..99).filter(is_committed).collect())
}

#[test]
fn what_a_commit_carries_out_waits_no_more() {
    let mut bench = Bench::empty();
    let changes: Vec<(u8, SignedChange)> = (1..5).map(|id| (id, signed(id, &[1; 32], rotate()))).collect();
    wait(&mut bench, &CONVERSATION, &changes);
    let unknown = signed(50, &[1; 32], rotate());
    let garbage = SignedChange { change: vec![0xff], ..SignedChange::default() };
    let done = [changes[3].1.clone(), unknown, garbage, changes[1].1.clone()];
    bench.with(|engine, cx| engine.settle_changes(cx, &conversation(), &done).unwrap());
    assert_eq!(left(&bench, &CONVERSATION), (vec![1, 3], vec![2, 4]));
}

#[test]
fn a_renewed_leaf_settles_ones_own_renewals_only() {
    let mut bench = Bench::of("alice");
    let own = bench.engine.me().unwrap().id();
    let changes = [
        (1, signed(1, &own, rotate())),
        (2, signed(2, &[8; 32], rotate())),
        (3, signed(3, &own, change::Kind::Leave(Leave {}))),
        (4, signed(4, &own, rotate())),
    ];
    wait(&mut bench, &CONVERSATION, &changes);
    bench.with(|engine, cx| engine.settle_renewal(cx, &conversation()).unwrap());
    assert_eq!(left(&bench, &CONVERSATION), (vec![2, 3], vec![1, 4]));
}

#[test]
fn what_is_true_already_is_settled() {
    let mut bench = Bench::of_village();
    let village = bench.village();
    let group = bench.with(|engine, cx| engine.group_view(cx, &village.group_id).unwrap());
    let bob = bench.with(|engine, cx| engine.find_contact(cx, "bob").unwrap());
    let remove = |identity: &[u8]| change::Kind::Remove(RemoveMember { identity: identity.to_vec() });
    let add = |key_packages| change::Kind::Add(AddMembers { key_packages, members: Vec::new() });
    let own_package = bench.with(|engine, cx| {
        let me = engine.me.as_ref().unwrap();
        mls::KeyPackage::create(&mut me.mls(cx), mls::Suite::Hybrid, false).unwrap().0
    });
    let mut changes = Vec::new();
    for (id, kind, author, is_true) in [
        (1, remove(&bob.identity), &bob.identity, false),
        (2, remove(&[8; 32]), &bob.identity, true),
        (3, change::Kind::Leave(Leave {}), &bob.identity, false),
        (4, change::Kind::Leave(Leave {}), &vec![8; 32], true),
        (5, rotate(), &bob.identity, false),
        (6, add(vec![own_package.clone()]), &bob.identity, true),
        (7, add(vec![own_package, vec![1, 2, 3]]), &bob.identity, false),
    ] {
        let change = Change { kind: Some(kind.clone()), author: author.clone(), ..Change::default() };
        assert_eq!(is_true_already(&group, &change), is_true, "change {id}");
        changes.push((id, signed(id, author, kind)));
    }
    assert!(!is_true_already(&group, &Change::default()));
    wait(&mut bench, &village.id, &changes);
    bench.with(|engine, cx| engine.settle_overtaken(cx, &village, &group).unwrap());
    assert_eq!(left(&bench, &village.id), (vec![1, 3, 5, 7], vec![2, 4, 6]));
}

#[test]
fn who_is_added_is_said_in_the_changes() {
    let profile = |name: &str| MemberProfile { name: name.into(), ..MemberProfile::default() };
    let add = |names: &[&str]| {
        let members = names.iter().map(|name| profile(name)).collect();
        signed(1, &[1; 32], change::Kind::Add(AddMembers { key_packages: Vec::new(), members }))
    };
    let garbage = SignedChange { change: vec![0xff], ..SignedChange::default() };
    let changes = vec![add(&["a", "b"]), garbage, signed(2, &[1; 32], rotate()), add(&[]), add(&["c"])];
    let names: Vec<String> =
        profiles_in(&CommitAnnotation { changes }).into_iter().map(|profile| profile.name).collect();
    assert_eq!(names, ["a", "b", "c"]);
}

#[test]
fn of_a_conversation_that_has_ended_only_the_history_is_left() {
    let mut bench = Bench::of_village();
    let village = bench.village();
    let send = qpq_proto::v1::SendMessageRequest {
        to: "#village".into(),
        text: "hello".into(),
        id: Vec::new(),
        carried: false,
    };
    bench.owner::<qpq_proto::v1::SendMessageResponse>(qpq_proto::Method::SendMessage, &send).unwrap();
    wait(&mut bench, &village.id, &[(1, signed(1, &[1; 32], rotate()))]);
    bench.with(|engine, cx| {
        let (unsealed, future) = (UnsealedRecord::default(), FutureRecord::default());
        tables::save(cx.tx, UNSEALED, tables::at(&village.id, 1), &unsealed).unwrap();
        tables::save(cx.tx, FUTURE, tables::at(&village.group_id, 1), &future).unwrap();
        let village = engine.conversation_of(cx, &village.id).unwrap();
        engine.note_joined(cx, &village.id, &[8; 32]).unwrap();
        engine.end_conversation(cx, village, "left").unwrap();
    });
    for (table, prefix) in [
        (CHANGES, &village.id),
        (UNSEALED, &village.id),
        (CHECKPOINTS, &village.id),
        (COMMITS, &village.id),
        (OUTGOING, &village.id),
        (PAYLOADS, &village.id),
        (FUTURE, &village.group_id),
    ] {
        assert_eq!(tables::next_ordinal(&bench.memory, table, prefix).unwrap(), 1, "{table:?}");
    }
    assert_eq!(bench.memory.count(SENDERS), 0);
    assert!(bench.with(|engine, cx| engine.group_view(cx, &village.group_id).is_err()), "nor are its keys");
    assert_eq!(bench.village().stage(), Stage::Ended);
    let read = qpq_proto::v1::ReadMessagesRequest::default();
    let read: qpq_proto::v1::ReadMessagesResponse =
        bench.owner(qpq_proto::Method::ReadMessages, &read).unwrap();
    assert_eq!((read.messages.len(), read.messages[0].state.as_str()), (1, "failed"));
}
