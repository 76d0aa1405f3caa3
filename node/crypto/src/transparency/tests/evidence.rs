use proptest::prelude::*;
use qpq_proto::v1;

use super::wire::on_the_wire;
use super::*;

/// A log of so many entries, of which those after `common` are `other`'s own.
fn log_of(common: u64, size: u64, other: bool) -> Relay {
    let mut relay = Relay::default();
    for number in 0..size {
        let name = format!("person {number}{}", if other && number >= common { " as well" } else { "" });
        relay.set(Subject::Name(&name), Value::Identity(&identity(u8::try_from(number).unwrap())));
    }
    relay
}

/// A client that has seen one log, and what it makes of an answer from another.
fn shown(first: &Relay, later: &Relay) -> (Result<(), Violation>, Option<Evidence>) {
    let mut view = LogView::new(keys());
    view.check_name("nobody", &on_the_wire(first, "nobody", 0, None)).unwrap();
    let seen = view.size();
    let answer = on_the_wire(later, "nobody", seen, None);
    let checked = view.clone().check_name("nobody", &answer).map(drop);
    let inclusion = answer.proof.as_ref().and_then(|proof| proof.inclusion.as_ref());
    (checked, view.evidence(answer.tree_head.as_ref(), answer.consistency.as_ref(), inclusion))
}

#[test]
fn a_forked_log_is_refused_and_convicted() {
    for (common, seen, later) in
        [(2, 3, 3), (2, 3, 5), (3, 5, 9), (0, 6, 7), (4, 7, 20), (1, 4, 7), (1, 4, 8)]
    {
        let (checked, evidence) = shown(&log_of(common, seen, false), &log_of(common, later, true));
        assert!(checked.is_err(), "{common} {seen} {later}");
        let verdict = evidence.unwrap().verdict().unwrap();
        assert_ne!(verdict, Verdict::Inconclusive, "{common} {seen} {later}");
    }
}

#[test]
fn what_the_relay_need_not_show_does_not_convict_it() {
    // The root of a complete tree is in no path that starts from it, and of a larger tree in no path at all.
    let (checked, evidence) = shown(&log_of(1, 2, false), &log_of(1, 7, true));
    assert!(checked.is_err());
    assert_eq!(evidence.unwrap().verdict(), Ok(Verdict::Inconclusive));
}

#[test]
fn a_log_that_was_put_back_is_convicted_once_it_signs_again() {
    let (seen, mut older) = (log_of(9, 5, false), log_of(9, 3, false));
    let (checked, evidence) = shown(&seen, &older);
    assert_eq!(checked, Err(Violation::Stale { known: 5, size: 3 }));
    assert_eq!(evidence.unwrap().verdict(), Ok(Verdict::Inconclusive));
    older.clock_ms = 50;
    let rolled_back = Ok(Verdict::Contradiction(Contradiction::RolledBack));
    assert_eq!(shown(&seen, &older).1.unwrap().verdict(), rolled_back);
}

#[test]
fn there_is_no_evidence_in_what_the_relay_did_not_sign() {
    let mut view = LogView::new(keys());
    let head = |size| v1::TreeHead::from(&log_of(9, size, false).head());
    assert_eq!(view.evidence(Some(&head(3)), None, None), None, "nothing was seen");
    view.check_name("nobody", &on_the_wire(&log_of(9, 3, false), "nobody", 0, None)).unwrap();
    assert_eq!(view.evidence(Some(&head(3)), None, None), None, "the same");
    assert_eq!(view.evidence(None, None, None), None);
    let unsigned = v1::TreeHead { signature: vec![1; 64], ..head(5) };
    assert_eq!(view.evidence(Some(&unsigned), None, None), None);
    let of_others = v1::TreeHead { relay: "other.example".into(), ..head(5) };
    assert_eq!(view.evidence(Some(&of_others), None, None), None);
}

fn evidence() -> Evidence {
    shown(&log_of(3, 5, false), &log_of(3, 9, true)).1.unwrap()
}

#[test]
fn a_proof_is_passed_on_as_text() {
    let text = evidence().to_text();
    assert!(text.starts_with("qpq relay proof 1\n"));
    assert!(text.lines().all(|line| line.len() <= 64));
    assert_eq!(Evidence::from_text(&text), Ok(evidence()));
    assert_eq!(Evidence::from_text(&text.replace('\n', " \r\n\n")), Ok(evidence()), "as mail mangles it");
    for (wrong, error) in [
        (String::new(), EvidenceError::Form),
        ("qpq relay proof 2\nAQ==".into(), EvidenceError::Form),
        ("qpq relay proof 1\n".into(), EvidenceError::Form),
        ("qpq relay proof 1\nAg==".into(), EvidenceError::UnknownForm(2)),
        (format!("{text}AAAA"), EvidenceError::Form),
        ("x".repeat(EVIDENCE_BYTES_MAX + 1), EvidenceError::TooLong(EVIDENCE_BYTES_MAX + 1)),
    ] {
        assert_eq!(Evidence::from_text(&wrong), Err(error), "{wrong:.40}");
    }
}

#[test]
fn nobody_is_convicted_by_what_he_did_not_sign() {
    let good = evidence();
    let signature = Err(EvidenceError::Head(TreeHeadError::Signature));
    let with = |change: &dyn Fn(&mut Evidence)| {
        let mut changed = good.clone();
        change(&mut changed);
        changed.verdict()
    };
    assert_eq!(with(&|_| ()), Ok(Verdict::Diverged));
    assert_eq!(with(&|evidence| evidence.shown.size += 1), signature);
    assert_eq!(with(&|evidence| evidence.seen.root[0] ^= 1), signature);
    assert_eq!(with(&|evidence| evidence.log = LogSecret::from_seed(&[9; 32]).public()), signature);
    let other = Err(EvidenceError::Head(TreeHeadError::OtherRelay));
    assert_eq!(with(&|evidence| evidence.relay.push('x')), other);
    let nothing = Ok(Verdict::Inconclusive);
    assert_eq!(with(&|evidence| evidence.grown = None), nothing);
    assert_eq!(with(&|evidence| evidence.grown.as_mut().unwrap().root[0] ^= 1), nothing);
    assert_eq!(with(&|evidence| evidence.grown.as_mut().unwrap().path[0][0] ^= 1), nothing);
    assert_eq!(with(&|evidence| evidence.grown.as_mut().unwrap().path.truncate(1)), nothing);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_honest_relay_is_never_convicted(first in 0..12u64, more in 0..12u64) {
        let (checked, evidence) = shown(&log_of(99, first, false), &log_of(99, first + more, false));
        prop_assert_eq!(checked, Ok(()));
        if let Some(evidence) = evidence {
            prop_assert_eq!(evidence.verdict(), Ok(Verdict::Inconclusive));
            prop_assert_eq!(Evidence::decode(&evidence.encode()), Ok(evidence));
        }
    }

    #[test]
    fn no_bytes_are_a_surprise(bytes in proptest::collection::vec(any::<u8>(), 0..400), at in 0..600usize) {
        let _ = Evidence::decode(&bytes);
        let mut changed = evidence().encode();
        let at = at % changed.len();
        changed[at] = changed[at].wrapping_add(1);
        let convicts = Evidence::decode(&changed).and_then(|evidence| evidence.verdict());
        // Whatever is changed, the proof is worth no more than it was.
        prop_assert!(convicts != Ok(Verdict::Contradiction(Contradiction::TwoRoots)));
    }
}
