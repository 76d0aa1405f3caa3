use super::*;
use crate::transparency::merkle::ProofError;
use crate::transparency::prefix::PrefixProofError;

pub(super) const ALICE: Subject<'static> = Subject::Name("alice");

/// A client that has seen nothing, and what it makes of an answer about alice.
fn ask(answer: &LookupAnswer, claim: Option<(u64, u8)>) -> Result<(), Violation> {
    ask_with(&mut LogView::new(keys()), answer, claim)
}

pub(super) fn ask_with(
    view: &mut LogView,
    answer: &LookupAnswer,
    claim: Option<(u64, u8)>,
) -> Result<(), Violation> {
    let identity = claim.map(|(_, byte)| identity(byte));
    let claim = claim.zip(identity.as_ref());
    view.check_lookup(
        ALICE,
        claim.map(|((version, _), identity)| (version, Value::Identity(identity))),
        answer,
    )
}

pub(super) fn three() -> Relay {
    Relay::with(&[("alice", 1), ("bob", 2), ("alice", 3)])
}

#[test]
fn the_newest_version_is_found() {
    let answer = three().answer(ALICE, 0);
    let mut view = LogView::new(keys());
    assert_eq!(ask_with(&mut view, &answer, Some((2, 3))), Ok(()));
    assert_eq!((view.size(), view.newest()), (3, Some(&answer.head)));
}

#[test]
fn whatever_is_not_in_the_log_is_refused() {
    let answer = three().answer(ALICE, 0);
    let root = Err(Violation::Prefix(PrefixProofError::Root));
    assert_eq!(ask(&answer, Some((2, 1))), root, "another identity");
    assert_eq!(ask(&answer, Some((1, 3))), root, "another version");
    assert_eq!(ask(&answer, Some((1, 1))), root, "the version before");
    assert_eq!(ask(&answer, None), root, "nobody");
    assert_eq!(ask(&answer, Some((0, 3))), Err(Violation::Malformed("version")));
    let absent = Relay::with(&[("bob", 2)]).answer(ALICE, 0);
    assert_eq!(ask(&absent, None), Ok(()));
    assert_eq!(ask(&absent, Some((1, 1))), Err(Violation::Malformed("opening")));
    let invented = LookupAnswer { opening: Some([1; 32]), ..absent };
    assert_eq!(ask(&invented, Some((1, 1))), root);
}

#[test]
fn an_empty_log_has_nobody() {
    let answer = Relay::default().answer(ALICE, 0);
    assert_eq!(ask(&answer, None), Ok(()));
    let newest = three().answer(ALICE, 0).newest;
    assert_eq!(ask(&LookupAnswer { newest, ..answer.clone() }, None), Err(Violation::EmptyLog));
    let head = TreeHead::sign(&log_secret(), RELAY, 0, [1; 32], 0);
    assert_eq!(ask(&LookupAnswer { head, ..answer }, None), Err(Violation::EmptyLog));
}

#[test]
fn an_older_state_cannot_be_passed_off_as_the_newest() {
    let relay = three();
    let before = Relay::with(&[("alice", 1), ("bob", 2)]);
    let (old, new) = (before.answer(ALICE, 0), relay.answer(ALICE, 0));
    // The old tree under the new head, with the true place of the old entry.
    let mut newest = old.newest.clone().unwrap();
    newest.path = log::prove_inclusion(1, 3, |place| relay.node(place)).unwrap();
    newest.size = 3;
    let spliced = LookupAnswer { head: new.head.clone(), newest: Some(newest.clone()), ..old.clone() };
    assert_eq!(ask(&spliced, Some((1, 1))), Err(Violation::NotNewest));
    newest.index = 2;
    let spliced = LookupAnswer { newest: Some(newest), ..spliced };
    assert!(matches!(ask(&spliced, Some((1, 1))), Err(Violation::Inclusion(_))));
    assert_eq!(ask(&LookupAnswer { newest: None, ..new.clone() }, Some((2, 3))), Err(Violation::NotNewest));
    // Who has seen the new one does not go back.
    let mut view = LogView::new(keys());
    assert_eq!(ask_with(&mut view, &new, Some((2, 3))), Ok(()));
    assert_eq!(ask_with(&mut view, &old, Some((1, 1))), Err(Violation::Stale { known: 3, size: 2 }));
    assert_eq!(view.size(), 3);
}

#[test]
fn growth_must_be_shown() {
    let mut relay = three();
    let mut view = LogView::new(keys());
    ask_with(&mut view, &relay.answer(ALICE, 0), Some((2, 3))).unwrap();
    relay.set(Subject::Name("carol"), Value::Identity(&identity(4)));
    let claim = Some((2, 3));
    assert_eq!(ask_with(&mut view, &relay.answer(ALICE, 0), claim), Err(Violation::NoConsistency));
    assert_eq!(ask_with(&mut view, &relay.answer(ALICE, 2), claim), Err(Violation::NoConsistency));
    assert_eq!(ask_with(&mut view, &relay.answer(ALICE, 3), claim), Ok(()));
    assert_eq!(ask_with(&mut view, &relay.answer(ALICE, 0), claim), Ok(()), "nothing new needs no proof");
}

#[test]
fn a_log_that_is_another_one_convicts_the_relay() {
    let mut view = LogView::new(keys());
    ask_with(&mut view, &three().answer(ALICE, 0), Some((2, 3))).unwrap();
    let other = Relay::with(&[("alice", 1), ("bob", 2), ("alice", 9)]);
    let Err(Violation::Fork(proof)) = ask_with(&mut view, &other.answer(ALICE, 0), Some((2, 9))) else {
        panic!("the fork is not seen");
    };
    let carried = ForkProof::decode(&proof.encode()).unwrap();
    assert_eq!(carried.verify(RELAY, &log_secret().public()), Ok(Contradiction::TwoRoots));
    // Longer, it is no proof for others, but refused all the same.
    let mut longer = other.clone();
    longer.set(Subject::Name("carol"), Value::Identity(&identity(4)));
    let refused = ask_with(&mut view, &longer.answer(ALICE, 3), Some((2, 9)));
    assert_eq!(refused, Err(Violation::Consistency(ProofError::Root)));
    // A smaller one, signed later, convicts again.
    let mut smaller = Relay::with(&[("alice", 1)]);
    smaller.clock_ms = 100;
    let Err(Violation::Fork(proof)) = ask_with(&mut view, &smaller.answer(ALICE, 0), Some((1, 1))) else {
        panic!("the rollback is not seen");
    };
    assert_eq!(proof.verify(RELAY, &log_secret().public()), Ok(Contradiction::RolledBack));
    assert_eq!(view.newest(), Some(&three().head()));
}

#[test]
fn heads_of_others_are_compared() {
    let mut relay = three();
    let (first, second) = (relay.head_at(2), relay.head());
    let mut view = LogView::new(keys());
    assert_eq!(view.observe(&second, None), Ok(Observed::Adopted));
    assert_eq!(view.observe(&second, None), Ok(Observed::Known));
    let forged = TreeHead::sign(&LogSecret::from_seed(&[9; 32]), RELAY, 3, [1; 32], 1);
    assert_eq!(view.observe(&forged, None), Err(Violation::Head(TreeHeadError::Signature)));
    // Signed at the same time as the larger one, so that nothing is taken back.
    assert_eq!(view.observe(&first, None), Ok(Observed::NeedsProof { from: 2, size: 3 }));
    assert_eq!(view.observe(&first, Some(&relay.consistency(2, 3))), Ok(Observed::Earlier));
    relay.set(Subject::Name("carol"), Value::Identity(&identity(4)));
    let third = relay.head();
    assert_eq!(view.observe(&third, None), Ok(Observed::NeedsProof { from: 3, size: 4 }));
    assert_eq!(view.size(), 3);
    assert_eq!(view.observe(&third, Some(&relay.consistency(2, 4))), Err(Violation::NoConsistency));
    assert_eq!(view.observe(&third, Some(&relay.consistency(3, 4))), Ok(Observed::Adopted));
    assert_eq!(view.size(), 4);
    let other = Relay::with(&[("bob", 1), ("bob", 2)]);
    let unrelated = TreeHead { ..other.head() };
    let refused = view.observe(&unrelated, Some(&relay.consistency(2, 4)));
    assert_eq!(refused, Err(Violation::Consistency(ProofError::Root)));
}

#[test]
fn a_view_survives_storage() {
    let mut view = LogView::new(keys());
    assert_eq!(LogView::decode(&view.encode()), Ok(view.clone()));
    ask_with(&mut view, &three().answer(ALICE, 0), Some((2, 3))).unwrap();
    let bytes = view.encode();
    assert_eq!(LogView::decode(&bytes), Ok(view));
    let empty = bytes.len() - three().head().encode().len();
    for length in (0..bytes.len()).filter(|length| *length != empty) {
        assert!(LogView::decode(&bytes[..length]).is_err(), "{length} bytes");
    }
    let mut damaged = bytes;
    *damaged.last_mut().unwrap() ^= 1;
    assert_eq!(LogView::decode(&damaged), Err(Violation::Head(TreeHeadError::Signature)));
}

#[test]
fn an_auditor_rebuilds_the_tree() {
    let relay = three();
    let mut rebuilt = Relay::default();
    for entry in &relay.entries {
        let written = audit(entry, |place| rebuilt.prefix_node(place)).unwrap();
        rebuilt.prefix.extend(written);
        rebuilt.push(*entry);
    }
    assert_eq!(rebuilt.head().root, relay.head().root);
    let last = relay.entries[2];
    let before = Relay::with(&[("alice", 1), ("bob", 2)]);
    let verdict = |entry: LogEntry| audit(&entry, |place| before.prefix_node(place)).map(|_| ());
    assert_eq!(verdict(last), Ok(()));
    let skipped = LogEntry { leaf: PrefixLeaf { version: 3, ..last.leaf }, ..last };
    assert_eq!(verdict(skipped), Err(AuditError::Version { expected: 2, found: 3 }));
    let swapped = LogEntry { prefix_root: relay.entries[1].prefix_root, ..last };
    assert_eq!(verdict(swapped), Err(AuditError::Root(last.prefix_root)));
}
