//! Who is believed when a change is said not to be made, and what becomes of the change.

use prost::Message as _;
use qpq_proto::v1::{Change, GroupChange, Leave, SignedChange, change};

use super::*;
use crate::{records::Stage, tests::bench::Bench};

const CHANGE: [u8; 16] = [3; 16];

/// Alice's node, where a change by carol waits, or not, and alice herself has said that she leaves, or not.
fn village(is_waiting: bool, is_leaving: bool) -> Bench {
    let mut bench = Bench::of_village();
    let mut village = bench.village();
    let carol = identity(&mut bench, "carol");
    if is_waiting {
        ask(&mut bench, CHANGE, &carol);
    }
    if is_leaving {
        village.leaving.push(identity(&mut bench, "alice"));
        bench.with(|engine, cx| engine.save_conversation(cx, &village).unwrap());
    }
    bench
}

fn identity(bench: &mut Bench, name: &str) -> Vec<u8> {
    bench.with(|engine, cx| match name {
        "alice" => engine.me().unwrap().id(),
        _ => engine.find_contact(cx, name).unwrap().identity,
    })
}

/// Lets a change wait of which this node's owner wants to hear.
fn ask(bench: &mut Bench, id: [u8; 16], author: &[u8]) {
    let village = bench.village();
    let kind = Some(change::Kind::Leave(Leave {}));
    let change = Change { id: id.to_vec(), author: author.to_vec(), kind, ..Change::default() };
    let signed = SignedChange { change: change.encode_to_vec(), signature: Vec::new() };
    bench.with(|engine, cx| {
        engine.save_change(cx, &village, &id, author, &signed).unwrap();
        let state = ChangeStateRecord { conversation: village.id.clone(), ..ChangeStateRecord::default() };
        tables::save(cx.tx, CHANGE_IDS, tables::key(&id), &state).unwrap();
    });
}

/// A member says that a change is not made.
fn refuse(bench: &mut Bench, by: &str, id: &[u8], reason: Reason) {
    let (village, by) = (bench.village(), identity(bench, by));
    let refusal = ChangeRefusal { change: id.to_vec(), reason: reason.into() };
    bench.with(|engine, cx| {
        let group = engine.group_view(cx, &village.group_id).unwrap();
        let sender = group.member(&by).unwrap();
        engine.take_refusal(cx, &village, &group.id, sender, &refusal).unwrap();
    });
}

/// Whether the change waits, and what its asker is told.
fn state(bench: &mut Bench) -> (bool, String) {
    let village = bench.village().id;
    bench.with(|engine, cx| {
        let waiting = engine.pending_changes(cx, &village).unwrap();
        let view: GroupChange = engine.change_view(cx, &CHANGE).unwrap();
        (waiting.iter().any(|(_, record)| record.id == CHANGE), view.failed)
    })
}

#[test]
fn the_committer_is_believed_and_its_reason_is_told() {
    let reasons = (0..10).map(|number| Reason::try_from(number).unwrap());
    for reason in reasons {
        let mut bench = village(true, false);
        refuse(&mut bench, "alice", &CHANGE, reason);
        assert_eq!(state(&mut bench), (false, words(reason).to_owned()));
        let told = bench.with(|engine, cx| engine.read_events(cx, &Default::default()).unwrap());
        let told = format!("{:?}", told.events.last().unwrap());
        assert!(told.contains("\"refused\"") && told.contains(words(reason)), "{told}");
    }
}

#[test]
fn whoever_does_not_commit_is_believed_as_soon_as_it_does() {
    for (is_leaving, by, is_believed) in
        [(false, "bob", false), (false, "carol", false), (true, "bob", true), (true, "carol", false)]
    {
        let mut bench = village(true, is_leaving);
        refuse(&mut bench, by, &CHANGE, Reason::GroupFull);
        assert_eq!(state(&mut bench).0, !is_believed, "{by}, {is_leaving}");
    }
    let mut bench = village(true, false);
    refuse(&mut bench, "bob", &CHANGE, Reason::GroupFull);
    refuse(&mut bench, "carol", &CHANGE, Reason::OutOfDate);
    let mut later = bench.village();
    later.leaving.push(identity(&mut bench, "alice"));
    bench.with(|engine, cx| {
        let group = engine.group_view(cx, &later.group_id).unwrap();
        engine.settle_refused(cx, &later, &group).unwrap();
    });
    assert_eq!(state(&mut bench), (false, words(Reason::GroupFull).to_owned()), "bob commits after alice");
}

#[test]
fn what_was_refused_before_it_came_does_not_wait() {
    for (by, waits) in [("alice", false), ("bob", true)] {
        let mut bench = village(false, false);
        refuse(&mut bench, by, &CHANGE, Reason::NotAMember);
        let carol = identity(&mut bench, "carol");
        ask(&mut bench, CHANGE, &carol);
        assert_eq!(state(&mut bench).0, waits, "refused by {by}");
    }
    let mut bench = village(false, false);
    bench.engine.limits.group_changes_max = 3;
    for number in 10..20 {
        refuse(&mut bench, "alice", &[number; 16], Reason::NotAMember);
    }
    assert_eq!(bench.memory.count(CHANGES), 3, "not even the committer makes others keep more than that");
    refuse(&mut bench, "alice", &[1; 15], Reason::NotAMember);
    let village = bench.village();
    bench.with(|engine, cx| {
        let group = engine.group_view(cx, &village.group_id).unwrap();
        engine.review_changes(cx, &village, &group).unwrap();
    });
    assert_eq!(bench.memory.count(CHANGES), 0, "nor for longer than to the next commit");
}

#[test]
fn whoever_is_no_member_any_more_waits_for_nothing() {
    let mut bench = village(true, false);
    let village = bench.village();
    bench.with(|engine, cx| engine.end_conversation(cx, village, "removed").unwrap());
    assert_eq!(bench.village().stage(), Stage::Ended);
    assert_eq!(state(&mut bench), (false, "you are no longer a member of the group".to_owned()));
}
