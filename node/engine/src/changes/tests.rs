//! What is asked of a group waits within limits, once, and only from its author; which key package is used for whom.

use qpq_proto::{
    Status,
    v1::{Leave, Rotate},
};

use super::*;
use crate::{
    records::{ChangeRecord, KeyPackagesRecord},
    tables::{CHANGES, KEY_PACKAGES},
    tests::bench::Bench,
};

fn signed(text: &[u8]) -> SignedChange {
    SignedChange { change: text.to_vec(), signature: vec![0; 64] }
}

fn save(bench: &mut Bench, number: u8) -> Result<(), Failure> {
    let conversation = ConversationRecord { id: vec![9; 16], ..ConversationRecord::default() };
    bench
        .with(|engine, cx| engine.save_change(cx, &conversation, &[number; 16], &[1; 32], &signed(&[number])))
}

#[test]
fn only_so_many_changes_wait_and_each_once() {
    let mut bench = Bench::empty();
    bench.engine.limits.group_changes_max = 3;
    for number in [1, 2, 2, 3, 1] {
        save(&mut bench, number).unwrap();
    }
    assert_eq!(bench.memory.count(CHANGES), 3);
    assert_eq!(save(&mut bench, 4).unwrap_err().status, Status::QuotaExceeded);
    save(&mut bench, 3).unwrap();
    bench.with(|_, cx| cx.tx.delete(CHANGES, tables::at(&[9; 16], 2)).unwrap());
    save(&mut bench, 4).unwrap();
    let waiting: Vec<(u64, ChangeRecord)> = tables::first(&bench.memory, CHANGES, &[9; 16], 9).unwrap();
    let waiting: Vec<u8> = waiting.iter().map(|(_, record)| record.id[0]).collect();
    assert_eq!(waiting, [1, 3, 4], "in the order in which they were asked for");
}

/// A change of alice's for the group.
fn change(bench: &mut Bench, kind: change::Kind) -> SignedChange {
    let group_id = bench.village().group_id;
    bench.with(|engine, cx| {
        let group = engine.group_view(cx, &group_id).unwrap();
        engine.sign_change(cx, &group, kind).unwrap().1
    })
}

/// Gives a change to alice's node as if this member of the group had sent it.
fn take(bench: &mut Bench, from: &str, group_id: &[u8], signed: &SignedChange) -> Result<(), Failure> {
    let conversation = bench.village();
    bench.with(|engine, cx| {
        let group = engine.group_view(cx, &conversation.group_id).unwrap();
        let is_sender = |member: &&mls::Member| {
            engine.display_name(cx, member.certificate.identity.as_bytes()).unwrap() == from
        };
        let sender = group.members.iter().find(is_sender).unwrap();
        engine.take_change(cx, &conversation, group_id, sender, signed)
    })
}

#[test]
fn a_change_is_taken_from_its_author_for_this_group_only() {
    let mut bench = Bench::of_village();
    let group_id = bench.village().group_id;
    let rotate = change(&mut bench, change::Kind::Rotate(Rotate::default()));
    let refused = take(&mut bench, "bob", &group_id, &rotate).unwrap_err();
    assert_eq!(refused.status, Status::Forbidden, "bob brings what alice has signed");
    take(&mut bench, "alice", &[8; 32], &rotate).unwrap();
    assert_eq!(bench.memory.count(CHANGES), 0, "said in a group that is not in use any more");
    let other = change(&mut bench, change::Kind::Leave(Leave {}));
    let mixed = SignedChange { change: other.change.clone(), signature: rotate.signature.clone() };
    for (bad, what) in [
        (mixed, "another's signature"),
        (SignedChange { change: Vec::new(), ..other.clone() }, "no change"),
        (SignedChange { change: vec![0xff; 40], ..other.clone() }, "garbage"),
        (SignedChange { signature: Vec::new(), ..other.clone() }, "no signature"),
        (SignedChange { signature: vec![7; 63], ..other }, "a short signature"),
    ] {
        let refused = take(&mut bench, "alice", &group_id, &bad).unwrap_err();
        assert_eq!(refused.status, Status::Forbidden, "{what}");
    }
    let before = bench.village().epoch_ordinal;
    take(&mut bench, "alice", &group_id, &rotate).unwrap();
    assert_eq!((bench.village().epoch_ordinal, bench.memory.count(CHANGES)), (before + 1, 0));
}

#[test]
fn whoever_says_that_it_leaves_commits_no_more() {
    let mut bench = Bench::of_village();
    let name = |bench: &mut Bench| {
        let conversation = bench.village();
        bench.with(|engine, cx| engine.committer_name(cx, &conversation).unwrap())
    };
    assert_eq!(name(&mut bench), "alice");
    let (group_id, leave) = (bench.village().group_id, change(&mut bench, change::Kind::Leave(Leave {})));
    take(&mut bench, "alice", &group_id, &leave).unwrap();
    assert_eq!(name(&mut bench), "bob");
    assert_eq!(bench.memory.count(CHANGES), 1, "it waits for bob");
    for stage in [Stage::Waiting, Stage::Ended] {
        let conversation = ConversationRecord { stage: stage.into(), ..bench.village() };
        assert_eq!(bench.with(|engine, cx| engine.committer_name(cx, &conversation).unwrap()), "");
    }
}

/// Replaces what is kept of bob's key packages; returns bob.
fn keep(bench: &mut Bench, packages: Vec<Vec<u8>>) -> PersonRecord {
    bench.with(|engine, cx| {
        let bob = engine.find_contact(cx, "bob").unwrap();
        let record = KeyPackagesRecord { packages };
        tables::save(cx.tx, KEY_PACKAGES, tables::key(&bob.identity), &record).unwrap();
        bob
    })
}

#[test]
fn key_packages_are_used_once_but_for_the_last_resort() {
    let mut bench = Bench::of_village();
    let made = |bench: &mut Bench, suite, is_last_resort| {
        bench.with(|engine, cx| {
            let me = engine.me.as_ref().unwrap();
            mls::KeyPackage::create(&mut me.mls(cx), suite, is_last_resort).unwrap().0
        })
    };
    let last_resort = made(&mut bench, mls::Suite::Hybrid, true);
    let once = [made(&mut bench, mls::Suite::Hybrid, false), made(&mut bench, mls::Suite::Hybrid, false)];
    let classical = made(&mut bench, mls::Suite::Classical, false);
    let all = [vec![1, 2, 3], last_resort.clone(), once[0].clone(), classical.clone(), once[1].clone()];
    let bob = keep(&mut bench, all.to_vec());
    let take = |bench: &mut Bench, suite| bench.with(|engine, cx| engine.take_key_package(cx, &bob, suite));
    for expected in [&once[0], &once[1], &last_resort, &last_resort] {
        assert!(take(&mut bench, mls::Suite::Hybrid).unwrap() == *expected);
    }
    assert!(take(&mut bench, mls::Suite::Classical).unwrap() == classical);
    assert_eq!(take(&mut bench, mls::Suite::Classical).unwrap_err().status, Status::Conflict);
    keep(&mut bench, vec![Vec::new(), vec![0; 999]]);
    assert_eq!(
        take(&mut bench, mls::Suite::Hybrid).unwrap_err().status,
        Status::Conflict,
        "nothing but garbage"
    );
}

#[test]
fn so_many_bytes_of_changes_wait_and_no_more() {
    let mut bench = Bench::empty();
    let conversation = ConversationRecord { id: vec![9; 16], ..ConversationRecord::default() };
    let mut save = |number: u8, length: usize| {
        let signed = signed(&vec![1; length]);
        bench.with(|engine, cx| engine.save_change(cx, &conversation, &[number; 16], &[1; 32], &signed))
    };
    // A signature of 64 bytes comes with each, and what names the fields.
    let overhead = signed(&[1; authority::CHANGE_BYTES_MAX]).encoded_len() - authority::CHANGE_BYTES_MAX;
    for number in 1..8 {
        save(number, authority::CHANGE_BYTES_MAX - overhead).unwrap();
    }
    assert_eq!(
        save(8, authority::CHANGE_BYTES_MAX - overhead + 1).unwrap_err().status,
        Status::QuotaExceeded
    );
    save(8, authority::CHANGE_BYTES_MAX - overhead).unwrap();
    assert_eq!(save(9, 1).unwrap_err().status, Status::QuotaExceeded);
}

#[test]
fn what_does_not_fit_one_commit_comes_with_the_next() {
    let mut bench = Bench::of_village();
    let village = bench.village();
    let before = village.epoch_ordinal;
    bench.with(|engine, cx| {
        let group = engine.group_view(cx, &village.group_id).unwrap();
        for _ in 0..authority::CHANGES_MAX + 1 {
            let (id, signed) =
                engine.sign_change(cx, &group, change::Kind::Rotate(Rotate::default())).unwrap();
            engine.save_change(cx, &village, &id, &[1; 32], &signed).unwrap();
        }
        engine.commit_pending(cx, &village.id).unwrap();
    });
    assert_eq!((bench.village().epoch_ordinal, bench.memory.count(CHANGES)), (before + 2, 0));
}
