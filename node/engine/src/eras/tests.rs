//! When a change counts, in a record whose eras the test ends.

use qpq_proto::v1::{AddMembers, Leave, MemberProfile, RemoveMember, change::Kind};

use super::*;

const ALICE: u8 = 1;
const BOB: u8 = 2;
const CAROL: u8 = 3;

fn id(number: u8) -> Vec<u8> {
    vec![number; 32]
}

/// A change of this number by alice, signed in the record's present era.
fn asked(record: &GroupRecord, number: u8, kind: Kind) -> Change {
    let era = record.era.clone();
    Change { id: vec![number; 16], author: id(ALICE), era, kind: Some(kind), ..Change::default() }
}

fn remove(who: u8) -> Kind {
    Kind::Remove(RemoveMember { identity: id(who) })
}

fn add(who: u8) -> Kind {
    let members = vec![MemberProfile { identity: id(who), ..MemberProfile::default() }];
    Kind::Add(AddMembers { members, ..AddMembers::default() })
}

/// Ends an era with a commit that carries these changes out and takes these people away.
fn end_with(record: &mut GroupRecord, changes: &[&Change], gone: &[u8]) {
    let signed = |change: &&Change| SignedChange { change: change.encode_to_vec(), signature: Vec::new() };
    let changes: Vec<SignedChange> = changes.iter().map(signed).collect();
    let epoch = EpochId([u8::try_from(record.past_eras.len() + 100).unwrap(); 32]);
    end(record, &epoch, &changes, &gone.iter().copied().map(id).collect());
}

#[test]
fn a_change_counts_in_its_era_and_in_those_that_follow() {
    let mut record = GroupRecord::default();
    let waiting = asked(&record, 1, remove(BOB));
    for past in 0..=PAST_ERAS_MAX {
        assert_eq!(check(&record, &waiting), Ok(()), "after {past} eras");
        record.past_eras.truncate(past);
        let epoch = EpochId([u8::try_from(past).unwrap() + 1; 32]);
        end(&mut record, &epoch, &[], &BTreeSet::new());
    }
    assert_eq!(record.past_eras.len(), PAST_ERAS_MAX);
    assert_eq!(check(&record, &waiting), Err(Refusal("a change is too old")));
}

#[test]
fn what_was_carried_out_is_not_carried_out_again() {
    for kind in [remove(BOB), add(BOB), Kind::Leave(Leave {})] {
        let mut record = GroupRecord::default();
        let (done, waiting) = (asked(&record, 1, kind.clone()), asked(&record, 2, kind));
        end_with(&mut record, &[&done], &[]);
        assert_eq!(check(&record, &done), Err(Refusal("a change has been carried out before")));
        assert_eq!(check(&record, &waiting), Ok(()));
        end_with(&mut record, &[], &[]);
        assert!(check(&record, &done).is_err(), "nor an era later");
    }
}

#[test]
fn what_is_older_than_a_departure_does_not_count_after_it() {
    for (kind, gone, counts) in [
        (remove(BOB), BOB, false),
        (remove(BOB), CAROL, true),
        (add(BOB), BOB, false),
        (add(BOB), CAROL, true),
        (remove(BOB), ALICE, false),
        (Kind::Leave(Leave {}), ALICE, false),
        (Kind::Leave(Leave {}), BOB, true),
    ] {
        let mut record = GroupRecord::default();
        end_with(&mut record, &[], &[ALICE, BOB, CAROL]);
        let held_back = asked(&record, 1, kind.clone());
        assert_eq!(check(&record, &held_back), Ok(()), "what was before does not matter");
        end_with(&mut record, &[], &[gone]);
        assert_eq!(check(&record, &held_back).is_ok(), counts, "{kind:?} when {gone} went");
        assert_eq!(check(&record, &asked(&record, 1, kind)), Ok(()), "signed now, it counts");
    }
}

#[test]
fn an_era_that_never_was_is_none() {
    let mut record = GroupRecord::default();
    end_with(&mut record, &[], &[]);
    let of_another_branch = Change { era: id(77), ..asked(&record, 1, remove(BOB)) };
    assert!(check(&record, &of_another_branch).is_err());
}
