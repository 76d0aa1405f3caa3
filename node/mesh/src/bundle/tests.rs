use proptest::prelude::*;

use super::*;

const LABEL: Label =
    Label { class: Class::Message, lifetime_max_s: 3_600, salt: [1; 8], tag: [2; 16], settle: Some([3; 32]) };

fn id(label: Label, body: &[u8]) -> BundleId {
    *Bundle::new(label, Bytes::copy_from_slice(body)).unwrap().id()
}

#[test]
fn the_id_covers_all_that_does_not_change() {
    let body = [4; 1024];
    let first = id(LABEL, &body);
    let mut other_body = body;
    other_body[1023] ^= 1;
    let others = [
        id(Label { class: Class::Control, ..LABEL }, &body),
        id(Label { lifetime_max_s: 3_601, ..LABEL }, &body),
        id(Label { salt: [9; 8], ..LABEL }, &body),
        id(Label { tag: [9; 16], ..LABEL }, &body),
        id(Label { settle: Some([9; 32]), ..LABEL }, &body),
        id(Label { settle: None, ..LABEL }, &body),
        id(LABEL, &other_body),
        id(LABEL, &[4; 4096]),
    ];
    for (index, other) in others.iter().enumerate() {
        assert_ne!(*other, first, "{index}");
    }
    let mut changed = Bundle::new(LABEL, Bytes::copy_from_slice(&body)).unwrap();
    changed.transit = Transit { remaining_s: 1, hops_left: 2, copies: 3 };
    assert_eq!(*changed.id(), first, "what changes on the way is not part of it");
}

#[test]
fn bodies_have_exactly_four_lengths() {
    for length in [0, 1, 1023, 1025, 4095, 65_535, 65_537, 131_072] {
        let body = Bytes::from(vec![0; length]);
        assert_eq!(Bundle::new(LABEL, body), Err(BundleError::Size(length)));
    }
    for class in SizeClass::ALL {
        let bundle = Bundle::new(LABEL, vec![0; class.bytes()].into()).unwrap();
        assert_eq!(bundle.header().kind().size, class);
    }
    assert_eq!(SizeClass::ALL.map(SizeClass::bytes), [1_024, 4_096, 16_384, 65_536]);
}

#[test]
fn lifetimes_are_those_of_the_class() {
    let day = 86_400;
    for (class, days) in [(Class::Control, 30), (Class::Message, 14), (Class::Bulk, 7), (Class::Topic, 7)] {
        let made =
            |lifetime_max_s| Bundle::new(Label { class, lifetime_max_s, ..LABEL }, vec![0; 1024].into());
        assert!(made(days * day).is_ok(), "{class:?}");
        assert_eq!(made(days * day + 1), Err(BundleError::Lifetime(days * day + 1)));
        assert_eq!(made(0), Err(BundleError::Lifetime(0)));
    }
}

#[test]
fn only_its_secret_settles_a_bundle() {
    let secret = Secret::from_bytes([7; 32]);
    let header =
        |settle| Header::stored(BundleId::from_bytes([0; 32]), SizeClass::Kib1, Label { settle, ..LABEL });
    assert!(header(Some(secret.settle())).is_settled_by(&secret));
    assert!(!header(Some(secret.settle())).is_settled_by(&Secret::from_bytes([8; 32])));
    assert!(!header(None).is_settled_by(&secret));
    assert_eq!(format!("{secret:?}"), "Secret(..)");
}

#[test]
fn control_and_small_come_first() {
    let low = BundleId::from_bytes([0; 32]);
    let high = BundleId::from_bytes([u8::MAX; 32]);
    let mut last = None;
    for class in Class::ALL {
        for size in SizeClass::ALL {
            let kind = Kind { class, size };
            assert_eq!(Kind::from_byte(kind.to_byte()), Some(kind));
            for id in [low, high] {
                let key = SortKey::new(kind, &id);
                assert!(Some(key) > last, "{kind:?}");
                assert_eq!(key.kind_byte(), kind.to_byte());
                last = Some(key);
            }
        }
    }
    assert_eq!([0x04, 0x40, 0xff].map(Kind::from_byte), [None; 3]);
}

proptest! {
    #[test]
    fn a_name_stands_for_the_keys_that_start_with_it(id: [u8; 32], other: [u8; 32], kind in 0..16_u8) {
        let kind = Kind::from_byte((kind >> 2) << 4 | kind & 3).unwrap();
        let key = SortKey::new(kind, &BundleId::from_bytes(id));
        let short = key.short();
        prop_assert!(SortKey::first_of(short) <= key && key <= SortKey::last_of(short));
        prop_assert_eq!(short.kind(), Some(kind));
        prop_assert_eq!(&short.as_bytes()[1..], &id[..8]);
        let stranger = SortKey::new(kind, &BundleId::from_bytes(other));
        let is_named = (SortKey::first_of(short)..=SortKey::last_of(short)).contains(&stranger);
        prop_assert_eq!(is_named, id[..8] == other[..8]);
    }
}
