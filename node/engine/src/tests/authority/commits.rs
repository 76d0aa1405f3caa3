//! What every member checks in a commit, whoever made it.

use prost::Message as _;
use qpq_crypto::mls::{self, Refusal};
use qpq_proto::v1::{
    AddMembers, CommitAnnotation, GroupKind, GroupRecord, MemberProfile, SignedChange, change::Kind,
};

use super::{ALICE, BOB, CAROL, MALLORY, Person, add, leave, record, remove, rotate, village};
use crate::{
    authority::{CHANGES_MAX, check_commit},
    conversations::GroupView,
};

/// A commit in the village, by somebody, with what it does.
struct Commit {
    by: Person,
    added: Vec<mls::Member>,
    removed: Vec<mls::Member>,
    record: Option<GroupRecord>,
    changes: Vec<SignedChange>,
}

impl Commit {
    /// One that only carries changes.
    fn by(by: Person, changes: Vec<SignedChange>) -> Self {
        Self { by, added: Vec::new(), removed: Vec::new(), record: None, changes }
    }

    /// The same, with somebody removed and the record that follows from that.
    fn removing(by: Person, changes: Vec<SignedChange>, gone: &Person, administrators: &[&Person]) -> Self {
        let record = Some(record(2, GroupKind::Group, administrators));
        Self { removed: vec![gone.member()], record, ..Self::by(by, changes) }
    }

    fn check(&self, group: &GroupView) -> Result<(), Refusal> {
        let annotation = CommitAnnotation { changes: self.changes.clone() }.encode_to_vec();
        self.check_with(group, &annotation)
    }

    fn check_with(&self, group: &GroupView, annotation: &[u8]) -> Result<(), Refusal> {
        let record = self.record.as_ref().map(prost::Message::encode_to_vec);
        let view = mls::CommitView {
            committer: &self.by.member(),
            added: &self.added,
            removed: &self.removed,
            record: record.as_deref(),
            annotation,
            parent: mls::EpochId([0; 32]),
            epoch: None,
            has_path: true,
        };
        check_commit(group, &view)
    }
}

#[test]
fn only_the_committer_commits() {
    let asked = || vec![BOB.asks(5, rotate())];
    assert_eq!(Commit::by(ALICE, asked()).check(&village()), Ok(()));
    assert_eq!(Commit::by(ALICE, Vec::new()).check(&village()), Ok(()));
    for other in [BOB, CAROL, MALLORY] {
        let refused = Refusal("the commit is not by the group's committer");
        assert_eq!(Commit::by(other, asked()).check(&village()), Err(refused));
    }
}

#[test]
fn whoever_leaves_or_is_revoked_hands_committing_on() {
    let left = || vec![ALICE.asks(5, leave())];
    assert_eq!(Commit::removing(BOB, left(), &ALICE, &[]).check(&village()), Ok(()));
    assert!(Commit::removing(CAROL, left(), &ALICE, &[]).check(&village()).is_err());
    let proof = |list: Vec<u8>| {
        let profile = MemberProfile { device_list: list, ..MemberProfile::default() };
        let add = AddMembers { key_packages: Vec::new(), members: vec![profile] };
        vec![CAROL.asks(5, Kind::Add(add))]
    };
    let revoked = proof(ALICE.revokes(&ALICE.device()));
    assert_eq!(Commit::by(BOB, revoked.clone()).check(&village()), Ok(()));
    assert!(Commit::by(ALICE, revoked).check(&village()).is_err(), "a revoked device commits no more");
    let mut broken = ALICE.revokes(&ALICE.device());
    *broken.last_mut().unwrap() ^= 1;
    for list in [broken, MALLORY.revokes(&ALICE.device()), BOB.revokes(&ALICE.device()), vec![1]] {
        assert!(Commit::by(BOB, proof(list)).check(&village()).is_err(), "nobody else revokes for alice");
    }
}

#[test]
fn a_commit_does_what_was_asked_for_and_nothing_else() {
    let ask = |kind| vec![ALICE.asks(5, kind)];
    let removal = |changes| Commit::removing(ALICE, changes, &CAROL, &[&ALICE]);
    assert_eq!(removal(ask(remove(&CAROL))).check(&village()), Ok(()));
    assert_eq!(removal(vec![CAROL.asks(5, leave())]).check(&village()), Ok(()));
    let adding = |person: &Person| Commit { added: vec![person.member()], ..Commit::by(ALICE, ask(add())) };
    let renewing = |leaf: u32| {
        let renewed = mls::Member { leaf, ..BOB.member() };
        let record = Some(record(2, GroupKind::Group, &[&ALICE]));
        let (added, removed) = (vec![renewed], vec![BOB.member()]);
        Commit { added, removed, record, ..Commit::by(ALICE, vec![BOB.asks(5, rotate())]) }
    };
    assert_eq!(renewing(2).check(&village()), Ok(()));
    let twice = Commit { added: vec![BOB.member(), BOB.member()], ..renewing(2) };
    let second_leaf = Commit { removed: Vec::new(), record: None, ..renewing(4) };
    for (commit, what) in [
        (removal(Vec::new()), "a removal that nobody asked for"),
        (removal(ask(remove(&BOB))), "the removal of somebody else"),
        (removal(vec![BOB.asks(5, remove(&CAROL))]), "a removal that bob may not ask for"),
        (removal(vec![CAROL.asks(6, leave())]), "a leave of another group"),
        (Commit { record: None, ..removal(ask(remove(&CAROL))) }, "the old routing secret"),
        (adding(&MALLORY), "somebody who was not named"),
        (adding(&BOB), "a second leaf that nobody asked for"),
        (twice, "one person twice"),
        (second_leaf, "a second leaf of one person"),
    ] {
        assert!(commit.check(&village()).is_err(), "{what}");
    }
}

#[test]
fn what_a_commit_carries_is_bounded_and_well_formed() {
    let many = |count| Commit::by(ALICE, vec![BOB.asks(5, rotate()); count]);
    assert_eq!(many(CHANGES_MAX).check(&village()), Ok(()));
    assert_eq!(many(CHANGES_MAX + 1).check(&village()), Err(Refusal("the commit carries too many changes")));
    let malformed = Refusal("the commit's changes are malformed");
    assert_eq!(many(0).check_with(&village(), &[0xff; 8]), Err(malformed));
    let bad_package = AddMembers { key_packages: vec![vec![1; 40]], ..AddMembers::default() };
    let commit = Commit::by(ALICE, vec![BOB.asks(5, Kind::Add(bad_package))]);
    assert_eq!(commit.check(&village()), Err(Refusal("a key package is not valid")));
    let mut one_forged = many(3);
    one_forged.changes[1] = MALLORY.asks(5, rotate());
    assert!(one_forged.check(&village()).is_err());
}
