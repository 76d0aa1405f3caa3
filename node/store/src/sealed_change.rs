//! Changes as they lie on disk: sealed, one behind the other. The same bytes go to the database and to the journal.
//!
//! ```text
//! record put       0 | table length (1) | table | key (24) | length (4) | sealed record
//! record removed   1 | table length (1) | table | key (24)
//! secret put       2 | key (32) | length (4) | generation (8) | sealed secret
//! secret removed   3 | key (32)
//! ```
//! Keys and sealed values are those of the [database](crate::sealing).

use std::borrow::Cow;

use qpq_crypto::at_rest::SEALED_VALUE_OVERHEAD_BYTES;
use rand_core::CryptoRng;

use crate::changes::Changes;
use crate::error::Failure;
use crate::key::{RecordKey, SecretKey};
use crate::sealing::Keys;
use crate::secrets_key::SecretSealers;
use crate::storage::{Record, Secret};

/// One record or secret that is written, or removed if there is no value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SealedChange<'a> {
    pub(crate) place: Place<'a>,
    pub(crate) value: Option<Cow<'a, [u8]>>,
}

/// Where a change belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place<'a> {
    /// A record, by its table and key.
    Record(&'a str, RecordKey),
    Secret(SecretKey),
}

impl SealedChange<'_> {
    /// Appends the change, encoded.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        match (&self.place, &self.value) {
            (Place::Record(..), Some(_)) => out.push(RECORD_PUT),
            (Place::Record(..), None) => out.push(RECORD_REMOVED),
            (Place::Secret(_), Some(_)) => out.push(SECRET_PUT),
            (Place::Secret(_), None) => out.push(SECRET_REMOVED),
        }
        match &self.place {
            Place::Record(table, key) => {
                out.push(u8::try_from(table.len()).expect("names of tables have at most 32 bytes"));
                out.extend_from_slice(table.as_bytes());
                out.extend_from_slice(key.as_bytes());
            }
            Place::Secret(key) => out.extend_from_slice(key.as_bytes()),
        }
        if let Some(value) = &self.value {
            let length = u32::try_from(value.len()).expect("values have at most VALUE_BYTES_MAX");
            out.extend_from_slice(&length.to_be_bytes());
            out.extend_from_slice(value);
        }
    }
}

/// Seals changes one by one, in their order.
pub(crate) fn seal<'a>(
    changes: &'a Changes,
    keys: &'a Keys,
    sealers: &'a SecretSealers,
    rng: &'a mut dyn CryptoRng,
) -> impl Iterator<Item = Result<SealedChange<'a>, Failure>> {
    let records = changes.records().map(|(table, key, record)| Clear::Record(table, *key, record));
    let secrets = changes.secrets().map(|(key, secret)| Clear::Secret(*key, secret));
    records.chain(secrets).map(move |change| {
        Ok(match change {
            Clear::Record(table, key, record) => {
                let value = record.map(|record| Cow::Owned(keys.seal(rng, table, &key, record)));
                SealedChange { place: Place::Record(table.0, key), value }
            }
            Clear::Secret(key, secret) => {
                let value = secret.map(|secret| sealers.seal(rng, &key, secret)).transpose()?;
                SealedChange { place: Place::Secret(key), value: value.map(Cow::Owned) }
            }
        })
    })
}

enum Clear<'a> {
    Record(qpq_engine::storage::Table, RecordKey, Option<&'a Record>),
    Secret(SecretKey, Option<&'a Secret>),
}

/// Bytes that changes take when they are sealed and encoded.
pub(crate) fn encoded_bytes(changes: &Changes) -> usize {
    let records = changes.records().map(|(table, _, record)| {
        let value = record.map_or(0, |record| {
            4 + SEALED_VALUE_OVERHEAD_BYTES + 2 + record.prefix.len() + record.value.len()
        });
        1 + 1 + table.0.len() + 24 + value
    });
    let secrets = changes.secrets().map(|(_, secret)| {
        1 + 32 + secret.map_or(0, |secret| 4 + 8 + SEALED_VALUE_OVERHEAD_BYTES + secret.len())
    });
    records.chain(secrets).sum()
}

/// Reads encoded changes, in their order. The error comes last: behind it nothing can be told.
pub(crate) fn decode(mut bytes: &[u8]) -> impl Iterator<Item = Result<SealedChange<'_>, Failure>> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let change = split_change(&mut bytes);
        if change.is_none() {
            bytes = &[];
        }
        Some(change.ok_or_else(|| Failure::Contradiction("a batch in the journal is malformed".to_owned())))
    })
}

fn split_change<'a>(bytes: &mut &'a [u8]) -> Option<SealedChange<'a>> {
    let kind = *bytes.split_off_first()?;
    let place = match kind {
        RECORD_PUT | RECORD_REMOVED => {
            let length = usize::from(*bytes.split_off_first()?);
            let table = std::str::from_utf8(bytes.split_off(..length)?).ok()?;
            Place::Record(table, RecordKey::from_bytes(bytes.split_off(..24)?.try_into().ok()?))
        }
        SECRET_PUT | SECRET_REMOVED => {
            Place::Secret(SecretKey::from_bytes(bytes.split_off(..32)?.try_into().ok()?))
        }
        _ => return None,
    };
    let is_put = matches!(kind, RECORD_PUT | SECRET_PUT);
    let value = if is_put { Some(Cow::Borrowed(split_value(bytes)?)) } else { None };
    Some(SealedChange { place, value })
}

fn split_value<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = u32::from_be_bytes(bytes.split_off(..4)?.try_into().ok()?);
    bytes.split_off(..usize::try_from(length).ok()?)
}

const RECORD_PUT: u8 = 0;
const RECORD_REMOVED: u8 = 1;
const SECRET_PUT: u8 = 2;
const SECRET_REMOVED: u8 = 3;

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use chacha20::ChaCha20Rng;
    use proptest::prelude::*;
    use qpq_crypto::at_rest::AtRestKey;
    use qpq_engine::storage::Table;
    use rand_core::SeedableRng;
    use zeroize::Zeroizing;

    use super::*;

    const TABLES: [&str; 2] = ["a", "a23456789_123456789_123456789_12"];

    fn change() -> impl Strategy<Value = (usize, u8, Option<Vec<u8>>)> {
        (0..3_usize, any::<u8>(), proptest::option::of(proptest::collection::vec(any::<u8>(), 0..50)))
    }

    fn place(kind: usize, key: u8) -> Place<'static> {
        match TABLES.get(kind) {
            Some(table) => Place::Record(table, RecordKey::from_bytes([key; 24])),
            None => Place::Secret(SecretKey::from_bytes([key; 32])),
        }
    }

    fn is_whole(bytes: &[u8]) -> bool {
        decode(bytes).all(|change| change.is_ok())
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(changes in proptest::collection::vec(change(), 0..9)) {
            let changes: Vec<_> = changes
                .into_iter()
                .map(|(kind, key, value)| SealedChange { place: place(kind, key), value: value.map(Cow::Owned) })
                .collect();
            let mut bytes = Vec::new();
            let mut ends = vec![0];
            for change in &changes {
                change.encode(&mut bytes);
                ends.push(bytes.len());
            }
            prop_assert_eq!(decode(&bytes).collect::<Result<Vec<_>, _>>().unwrap(), changes);
            for length in 0..bytes.len() {
                prop_assert_eq!(is_whole(&bytes[..length]), ends.contains(&length), "the first {} bytes", length);
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
    fn the_length_is_known_before_it_is_encoded() {
        let key = AtRestKey::from_bytes(&[1; 32]);
        let (keys, sealers) = (Keys::new(&key), SecretSealers::for_test(&key));
        let mut changes = Changes::default();
        let record = Record { prefix: Bytes::from_static(b"alice"), value: Bytes::from_static(b"hello") };
        changes.set_record(Table("messages"), RecordKey::new([1; 16], 1), Some(record));
        changes.set_record(Table("contacts"), RecordKey::new([1; 16], 1), None);
        changes.set_secret(SecretKey::new([1; 16], [2; 16]), Some(Zeroizing::new(vec![7; 99])));
        changes.set_secret(SecretKey::new([1; 16], [3; 16]), None);
        let mut bytes = Vec::new();
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        seal(&changes, &keys, &sealers, &mut rng).for_each(|change| change.unwrap().encode(&mut bytes));
        assert_eq!(bytes.len(), encoded_bytes(&changes));
    }
}
