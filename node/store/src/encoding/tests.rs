use chacha20::ChaCha20Rng;
use proptest::prelude::*;
use qpq_crypto::at_rest::AtRestKey;
use qpq_engine::storage::Table;
use rand_core::SeedableRng;
use zeroize::Zeroizing;

use super::*;

const TABLES: [Table; 2] = [Table("a"), Table("a23456789_123456789_123456789_12")];

/// A record of a table or, beyond them, a secret: its key, and its value if it is written.
fn change() -> impl Strategy<Value = (usize, u8, Option<Vec<u8>>)> {
    (0..3_usize, any::<u8>(), proptest::option::of(proptest::collection::vec(any::<u8>(), 0..50)))
}

fn changes_of(list: Vec<(usize, u8, Option<Vec<u8>>)>) -> Changes {
    let mut changes = Changes::default();
    for (kind, key, value) in list {
        match TABLES.get(kind) {
            Some(table) => {
                let record = |value: Vec<u8>| Record {
                    prefix: Bytes::copy_from_slice(&value[value.len() / 2..]),
                    value: value.into(),
                };
                changes.set_record(*table, RecordKey::from_bytes([key; 24]), value.map(record));
            }
            None => changes.set_secret(SecretKey::from_bytes([key; 32]), value.map(Zeroizing::new)),
        }
    }
    changes
}

fn sealers() -> SecretSealers {
    SecretSealers::for_test(&AtRestKey::from_bytes(&[1; 32]))
}

fn encoded(changes: &Changes) -> EncodedBatch {
    EncodedBatch::new(changes, &sealers(), &mut ChaCha20Rng::from_seed([1; 32])).unwrap()
}

fn is_whole(bytes: &[u8]) -> bool {
    decode(bytes).all(|change| change.is_ok())
}

/// Checks that what was decoded is what was to be encoded.
fn assert_same(decoded: &[Change<'_>], changes: &Changes) {
    let mut decoded = decoded.iter();
    for (table, key, record) in changes.records() {
        let Some(Change::Record(found, at, value)) = decoded.next() else { panic!("a record is missing") };
        assert_eq!((*found, at), (table.0, key));
        let clear = value.as_ref().map(|value| get_record(bytes_of(value)).unwrap());
        assert_eq!(clear.as_ref(), record);
    }
    for (key, secret) in changes.secrets() {
        let Some(Change::Secret(at, sealed)) = decoded.next() else { panic!("a secret is missing") };
        let opened = sealed.map(|sealed| sealers().open(key, sealed).unwrap());
        assert_eq!((at, opened.as_ref()), (key, secret));
    }
    assert_eq!(decoded.next(), None);
}

fn bytes_of(value: &RecordValue<'_>) -> Bytes {
    match value {
        RecordValue::Clear(clear) => Bytes::copy_from_slice(clear),
        RecordValue::Sealed(_) => panic!("records are in the clear"),
    }
}

proptest! {
    #[test]
    fn what_was_encoded_is_decoded(list in proptest::collection::vec(change(), 0..9)) {
        let changes = changes_of(list);
        let batch = encoded(&changes);
        prop_assert_eq!(batch.bytes.len(), encoded_bytes(&changes), "the length is known before");
        let decoded = decode(&batch.bytes).collect::<Result<Vec<_>, _>>().unwrap();
        assert_same(&decoded, &changes);

        let written = decoded.iter().filter_map(|change| match change {
            Change::Record(.., value) => value.as_ref().map(bytes_of),
            Change::Secret(_, sealed) => sealed.map(Bytes::copy_from_slice),
        });
        prop_assert_eq!(batch.values().collect::<Vec<_>>(), written.collect::<Vec<_>>());
    }

    #[test]
    fn a_batch_that_is_cut_short_is_not_taken_for_a_whole_one(
        first in change(), second in change()
    ) {
        let one = encoded(&changes_of(vec![first])).bytes;
        let both = [one.as_ref(), &encoded(&changes_of(vec![second])).bytes].concat();
        for length in 0..both.len() {
            let is_end = [0, one.len()].contains(&length);
            prop_assert_eq!(is_whole(&both[..length]), is_end, "the first {} bytes", length);
        }
    }

    #[test]
    fn garbage_ends_in_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        let decoded: Vec<_> = decode(&bytes).collect();
        let last = decoded.len().saturating_sub(1);
        prop_assert!(decoded.iter().take(last).all(Result::is_ok));
    }
}

#[test]
fn a_sealed_record_of_version_2_is_read() {
    let bytes = [&[0, 1, b'a'][..], &[7; 24], &3_u32.to_be_bytes(), b"xyz"].concat();
    let value = Some(RecordValue::Sealed(b"xyz"));
    let expected = Change::Record("a", RecordKey::from_bytes([7; 24]), value);
    assert_eq!(decode(&bytes).collect::<Result<Vec<_>, _>>().unwrap(), [expected]);
}

#[test]
fn a_record_whose_prefix_is_longer_than_itself_is_malformed() {
    assert!(get_record(Bytes::from_static(&[0, 2, 9])).is_none());
    assert!(get_record(Bytes::from_static(&[0])).is_none());
    assert!(get_record(Bytes::from_static(&[0, 1, 9])).is_some());
}
