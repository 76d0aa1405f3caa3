use super::*;

fn head(size: u64, root: u8, signed_at_ms: u64) -> TreeHead {
    TreeHead::sign(&log_secret(), RELAY, size, [root; 32], signed_at_ms)
}

#[test]
fn a_head_is_good_for_its_relay_and_key() {
    let head = head(3, 1, 5);
    let key = log_secret().public();
    assert_eq!(head.verify(RELAY, &key), Ok(()));
    assert_eq!(head.verify("other.example", &key), Err(TreeHeadError::OtherRelay));
    let other = LogSecret::from_seed(&[9; 32]).public();
    assert_eq!(head.verify(RELAY, &other), Err(TreeHeadError::Signature));
}

#[test]
fn every_field_is_signed() {
    let honest = head(3, 1, 5);
    let changed = [
        TreeHead { size: 4, ..honest.clone() },
        TreeHead { root: [2; 32], ..honest.clone() },
        TreeHead { signed_at_ms: 6, ..honest.clone() },
        TreeHead { signature: [0; 64], ..honest.clone() },
    ];
    for head in changed {
        assert_eq!(head.verify(RELAY, &log_secret().public()), Err(TreeHeadError::Signature), "{head:?}");
    }
    let renamed = TreeHead { relay: "other.example".to_owned(), ..honest };
    assert_eq!(renamed.verify("other.example", &log_secret().public()), Err(TreeHeadError::Signature));
}

#[test]
fn what_contradicts_what() {
    let table = [
        (head(3, 1, 5), head(3, 1, 9), None),
        (head(3, 1, 5), head(3, 2, 5), Some(Contradiction::TwoRoots)),
        (head(3, 1, 5), head(3, 2, 9), Some(Contradiction::TwoRoots)),
        (head(3, 1, 5), head(4, 1, 9), Some(Contradiction::TwoSizes)),
        (head(3, 1, 5), head(4, 2, 9), None),
        (head(3, 1, 5), head(4, 2, 5), None),
        (head(4, 1, 5), head(3, 2, 9), Some(Contradiction::RolledBack)),
    ];
    let key = log_secret().public();
    for (one, other, contradiction) in table {
        assert_eq!(one.contradiction(&other), contradiction);
        assert_eq!(other.contradiction(&one), contradiction);
        let proof = ForkProof { one, other };
        assert_eq!(proof.verify(RELAY, &key), contradiction.ok_or(TreeHeadError::NoContradiction));
    }
}

#[test]
fn nobody_is_convicted_by_what_they_did_not_sign() {
    let key = log_secret().public();
    let forged = TreeHead::sign(&LogSecret::from_seed(&[9; 32]), RELAY, 3, [2; 32], 5);
    let foreign = TreeHead::sign(&log_secret(), "other.example", 3, [2; 32], 5);
    let proof = |other: TreeHead| ForkProof { one: head(3, 1, 5), other };
    assert_eq!(proof(forged).verify(RELAY, &key), Err(TreeHeadError::Signature));
    assert_eq!(proof(foreign).verify(RELAY, &key), Err(TreeHeadError::OtherRelay));
}

#[test]
fn heads_and_proofs_can_be_carried() {
    let one = head(3, 1, 5);
    assert_eq!(TreeHead::decode(&one.encode()), Ok(one.clone()));
    let on_the_wire = qpq_proto::v1::TreeHead::from(&one);
    assert_eq!(TreeHead::try_from(&on_the_wire), Ok(one.clone()));
    let proof = ForkProof { one, other: head(3, 2, 5) };
    let bytes = proof.encode();
    assert_eq!(ForkProof::decode(&bytes), Ok(proof));
    for length in 0..bytes.len() {
        assert_eq!(ForkProof::decode(&bytes[..length]), Err(TreeHeadError::Truncated), "{length} bytes");
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    assert_eq!(ForkProof::decode(&longer), Err(TreeHeadError::TrailingBytes));
    let with = |at: usize, byte: u8| {
        let mut changed = bytes.clone();
        changed[at] = byte;
        ForkProof::decode(&changed)
    };
    assert_eq!(with(0, 2), Err(TreeHeadError::UnknownForm(2)));
    assert_eq!(with(1, 0), Err(TreeHeadError::Relay));
    assert_eq!(with(2, 0xff), Err(TreeHeadError::Relay));
}
