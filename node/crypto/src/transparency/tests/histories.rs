use proptest::prelude::*;
use qpq_proto::v1;

use super::lookups::{ALICE, ask_with};
use super::wire::on_the_wire;
use super::*;

/// A history: which of a few names got a new identity, and at which points the client asks.
fn histories() -> impl Strategy<Value = Vec<(u8, bool)>> {
    proptest::collection::vec((0..6_u8, any::<bool>()), 1..24)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn whatever_happens_an_honest_relay_is_believed(history in histories()) {
        let (mut relay, mut view) = (Relay::default(), LogView::new(keys()));
        let mut model: BTreeMap<u8, (u64, u8)> = BTreeMap::new();
        for (step, (name, asks)) in history.into_iter().enumerate() {
            let byte = u8::try_from(step).unwrap();
            relay.set(Subject::Name(&name.to_string()), Value::Identity(&identity(byte)));
            model.insert(name, (model.get(&name).map_or(1, |(version, _)| version + 1), byte));
            if asks {
                let asked = (name + 1) % 6;
                let found = model.get(&asked).copied();
                let answer = on_the_wire(&relay, &asked.to_string(), view.size(), found);
                let expected =
                    found.map(|(version, byte)| NamedIdentity { identity: identity(byte), version });
                prop_assert_eq!(view.check_name(&asked.to_string(), &answer), Ok(expected));
            }
        }
    }

    #[test]
    fn any_changed_byte_of_an_answer_is_refused(
        history in histories(),
        present: bool,
        field: prop::sample::Index,
        at: prop::sample::Index,
        bit in 0..8_u8,
    ) {
        let mut relay = Relay::with(&[("first", 1)]);
        let mut view = LogView::new(keys());
        view.observe(&relay.head(), None).unwrap();
        for (name, _) in history {
            relay.set(Subject::Name(&name.to_string()), Value::Identity(&identity(name)));
        }
        let (name, found) = if present { ("first", Some((1, 1))) } else { ("last", None) };
        let honest = on_the_wire(&relay, name, 1, found);
        prop_assert!(view.clone().check_name(name, &honest).is_ok());
        let mut answer = honest.clone();
        let mut fields = byte_fields(&mut answer);
        let field = field.index(fields.len());
        let changed = at.index(fields[field].len());
        fields[field][changed] ^= 1 << bit;
        prop_assert!(view.clone().check_name(name, &answer).is_err(), "field {}", field);
    }

    #[test]
    fn two_logs_from_one_beginning_are_not_both_believed(history in histories(), common in 0..10_usize) {
        let names = history.iter().map(|(name, _)| name.to_string()).collect::<Vec<_>>();
        let grow = |byte: u8| {
            let mut relay = Relay::default();
            for (step, name) in names.iter().enumerate() {
                let value = if step < common { 100 } else { byte };
                relay.set(Subject::Name(name), Value::Identity(&identity(value)));
            }
            relay.set(ALICE, Value::Identity(&identity(byte)));
            relay
        };
        let (one, other) = (grow(1), grow(2));
        let mut view = LogView::new(keys());
        prop_assert_eq!(ask_with(&mut view, &one.answer(ALICE, 0), Some((1, 1))), Ok(()));
        let seen = one.size();
        let fork = ask_with(&mut view, &other.answer(ALICE, seen), Some((1, 2)));
        prop_assert!(matches!(fork, Err(Violation::Fork(_))));
        let mut longer = other.clone();
        longer.set(Subject::Name("more"), Value::Identity(&identity(3)));
        prop_assert!(ask_with(&mut view, &longer.answer(ALICE, seen), Some((1, 2))).is_err());
    }
}

/// Every field of bytes in an answer that is not empty.
fn byte_fields(answer: &mut v1::ResolveUserResponse) -> Vec<&mut Vec<u8>> {
    let proof = answer.proof.as_mut().unwrap();
    let inclusion = proof.inclusion.as_mut().unwrap();
    let newest = proof.newest.as_mut().unwrap();
    let head = answer.tree_head.as_mut().unwrap();
    let mut fields = vec![&mut answer.identity_key, &mut proof.vrf_proof, &mut proof.opening];
    fields.extend(proof.prefix_path.iter_mut().chain(&mut inclusion.path));
    fields.extend([&mut newest.label, &mut newest.commitment, &mut newest.prefix_root]);
    fields.extend([&mut head.root, &mut head.signature]);
    fields.extend(answer.consistency.iter_mut().flat_map(|consistency| &mut consistency.path));
    if let Some(neighbour) = &mut proof.neighbour {
        fields.extend([&mut neighbour.label, &mut neighbour.commitment]);
    }
    fields.retain(|field| !field.is_empty());
    fields
}
