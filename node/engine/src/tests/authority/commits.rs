//! What every member checks in a commit, whoever made it.

use prost::Message as _;
use qpq_crypto::mls::{self, Refusal};
use qpq_proto::v1::{
    AddMembers, Change, CommitAnnotation, GroupKind, GroupRecord, MemberProfile, PastEra, SignedChange,
    change::Kind,
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
        let record = record(2, GroupKind::Group, administrators);
        let record = Some(ended(record, &changes, vec![gone.id()]));
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

/// A record whose first era has ended.
fn ended(record: GroupRecord, changes: &[SignedChange], gone: Vec<Vec<u8>>) -> GroupRecord {
    let changes = changes.iter().map(|signed| Change::decode(signed.change.as_slice()).unwrap().id);
    let past_eras = vec![PastEra { era: Vec::new(), changes: changes.collect(), gone }];
    GroupRecord { era: vec![0; 32], past_eras, ..record }
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
        let changes = vec![BOB.asks(5, rotate())];
        let record = Some(ended(village().record, &changes, Vec::new()));
        let (added, removed) = (vec![renewed], vec![BOB.member()]);
        Commit { added, removed, record, ..Commit::by(ALICE, changes) }
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
    let members = vec![MemberProfile::default()];
    let bad_package = AddMembers { key_packages: vec![vec![1; 40]], members };
    let commit = Commit::by(ALICE, vec![BOB.asks(5, Kind::Add(bad_package))]);
    assert_eq!(commit.check(&village()), Err(Refusal("a key package is not valid")));
    let mut one_forged = many(3);
    one_forged.changes[1] = MALLORY.asks(5, rotate());
    assert!(one_forged.check(&village()).is_err());
}

#[test]
fn the_record_follows_removals_and_nothing_else() {
    let asked = || vec![ALICE.asks(5, remove(&CAROL))];
    let good = || Commit::removing(ALICE, asked(), &CAROL, &[&ALICE]);
    let becomes = |change: fn(&mut GroupRecord)| {
        let mut commit = good();
        change(commit.record.as_mut().unwrap());
        commit
    };
    let renewal = vec![BOB.asks(5, rotate())];
    let unneeded = Some(ended(village().record, &renewal, Vec::new()));
    assert_eq!(good().check(&village()), Ok(()));
    for (commit, what) in [
        (Commit { record: None, ..good() }, "the old record"),
        (Commit { record: unneeded, ..Commit::by(ALICE, renewal) }, "a new record though nobody goes"),
        (becomes(|it| it.routing_secret = vec![1; 32]), "the old routing secret"),
        (becomes(|it| it.routing_secret = vec![2; 31]), "a short routing secret"),
        (becomes(|it| it.administrators.push(BOB.id())), "an administrator out of nowhere"),
        (becomes(|it| it.administrators.clear()), "an administrator deposed"),
        (becomes(|it| it.name = "town".into()), "another name"),
        (becomes(|it| it.era = vec![1; 32]), "an era by another name"),
        (becomes(|it| it.past_eras.clear()), "an era forgotten"),
        (becomes(|it| it.past_eras[0].changes.clear()), "a change forgotten"),
        (becomes(|it| it.past_eras[0].gone.clear()), "a departure forgotten"),
    ] {
        assert!(commit.check(&village()).is_err(), "{what}");
    }
}

#[test]
fn a_change_is_carried_out_once_and_not_after_its_time() {
    let asked = ALICE.asks(5, remove(&CAROL));
    let removal = Commit::removing(ALICE, vec![asked.clone()], &CAROL, &[&ALICE]);
    // Carol is gone, and comes back.
    let back = GroupView { record: removal.record.unwrap(), ..village() };
    let held_back =
        ALICE.signs(&Change { id: vec![8; 16], ..Change::decode(asked.change.as_slice()).unwrap() });
    for old in [asked, held_back] {
        assert!(Commit::removing(ALICE, vec![old], &CAROL, &[&ALICE]).check(&back).is_err());
    }
}
