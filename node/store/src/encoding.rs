//! Changes as a frame of the journal holds them, one behind the other.
//!
//! ```text
//! record put          4 | table length (1) | table | key (24) | length (4) | prefix length (2) | prefix | value
//! record removed      1 | table length (1) | table | key (24)
//! secret put          2 | key (32) | length (4) | generation (8) | sealed secret
//! secret removed      3 | key (32)
//! record put, sealed  0 | table length (1) | table | key (24) | length (4) | sealed record
//! ```
//! Keys, sealed values and what a sealed record holds are those of the [database](crate::sealing). Records are in the
//! clear, for the frame round them is sealed: most are gone again before the database would have to seal them. Secrets
//! are sealed here already, because these bytes stay in memory until the next checkpoint. The last kind is what programs
//! of version 2 wrote, and is only read.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;
use qpq_crypto::at_rest::SEALED_VALUE_OVERHEAD_BYTES;
use rand_core::CryptoRng;

use crate::changes::Changes;
use crate::error::Failure;
use crate::key::{RecordKey, SecretKey};
use crate::secrets_key::SecretSealers;
use crate::storage::{Record, Secret};

/// One record or secret that is written, or removed if there is no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change<'a> {
    /// A record, by its table and key.
    Record(&'a str, RecordKey, Option<RecordValue<'a>>),
    /// A secret, sealed as it lies in the database.
    Secret(SecretKey, Option<&'a [u8]>),
}

/// A record that is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RecordValue<'a> {
    /// As [`put_record`] writes it.
    Clear(Cow<'a, [u8]>),
    /// As it lies in the database.
    Sealed(&'a [u8]),
}

impl RecordValue<'_> {
    pub(crate) fn clear(record: &Record) -> Self {
        let mut clear = Vec::with_capacity(2 + record.prefix.len() + record.value.len());
        put_record(&mut clear, record);
        Self::Clear(clear.into())
    }
}

/// Secrets that are written, sealed, or removed.
pub(crate) type SealedSecrets = Vec<(SecretKey, Option<Vec<u8>>)>;

/// Seals the secrets of a batch, in the order in which [`Changes`] names them.
pub(crate) fn seal_secrets(
    changes: &Changes,
    sealers: &SecretSealers,
    rng: &mut dyn CryptoRng,
) -> Result<SealedSecrets, Failure> {
    let mut seal = |secret: &Secret, key| sealers.seal(rng, key, secret);
    let secrets = changes.secrets();
    secrets.map(|(key, secret)| Ok((*key, secret.map(|secret| seal(secret, key)).transpose()?))).collect()
}

/// The changes of a batch, encoded.
#[derive(Debug)]
pub(crate) struct EncodedBatch {
    pub(crate) bytes: Bytes,
    /// Where the values lie that are written, in the order of the changes.
    values: Vec<Range<usize>>,
}

impl EncodedBatch {
    /// Encodes records, then secrets, in the order in which [`Changes`] names them.
    pub(crate) fn new(
        changes: &Changes,
        sealers: &SecretSealers,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, Failure> {
        let mut bytes = Vec::with_capacity(encoded_bytes(changes));
        let mut values = Vec::with_capacity(changes.len());
        for (table, key, record) in changes.records() {
            bytes.push(if record.is_some() { RECORD_PUT } else { RECORD_REMOVED });
            bytes.push(u8::try_from(table.0.len()).expect("names of tables have at most 32 bytes"));
            bytes.extend_from_slice(table.0.as_bytes());
            bytes.extend_from_slice(key.as_bytes());
            if let Some(record) = record {
                values.push(put_value(&mut bytes, |bytes| put_record(bytes, record)));
            }
        }
        for (key, sealed) in seal_secrets(changes, sealers, rng)? {
            bytes.push(if sealed.is_some() { SECRET_PUT } else { SECRET_REMOVED });
            bytes.extend_from_slice(key.as_bytes());
            if let Some(sealed) = sealed {
                values.push(put_value(&mut bytes, |bytes| bytes.extend_from_slice(&sealed)));
            }
        }
        Ok(Self { bytes: bytes.into(), values })
    }

    /// The values that are written, in the order of the changes. They share the memory of the whole batch.
    pub(crate) fn values(&self) -> impl Iterator<Item = Bytes> {
        self.values.iter().map(|range| self.bytes.slice(range.clone()))
    }
}

/// Appends a record in the clear: its prefix with the length, and its value.
pub(crate) fn put_record(out: &mut Vec<u8>, record: &Record) {
    let length = u16::try_from(record.prefix.len()).expect("prefixes have at most PREFIX_BYTES_MAX");
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&record.prefix);
    out.extend_from_slice(&record.value);
}

/// Reads a record in the clear; `None` if it is malformed.
pub(crate) fn get_record(mut clear: Bytes) -> Option<Record> {
    let length = usize::from(u16::from_be_bytes(*clear.first_chunk()?));
    if clear.len() < 2 + length {
        return None;
    }
    let prefix = clear.split_to(2 + length).split_off(2);
    Some(Record { prefix, value: clear })
}

/// Appends a value with its length, and gives where it lies.
fn put_value(out: &mut Vec<u8>, put: impl FnOnce(&mut Vec<u8>)) -> Range<usize> {
    out.extend_from_slice(&[0; 4]);
    let start = out.len();
    put(out);
    let length = u32::try_from(out.len() - start).expect("values have at most VALUE_BYTES_MAX");
    out[start - 4..start].copy_from_slice(&length.to_be_bytes());
    start..out.len()
}

/// Bytes that changes take when they are encoded.
pub(crate) fn encoded_bytes(changes: &Changes) -> usize {
    let records = changes.records().map(|(table, _, record)| {
        let value = record.map_or(0, |record| 4 + 2 + record.prefix.len() + record.value.len());
        1 + 1 + table.0.len() + 24 + value
    });
    let secrets = changes.secrets().map(|(_, secret)| {
        1 + 32 + secret.map_or(0, |secret| 4 + 8 + SEALED_VALUE_OVERHEAD_BYTES + secret.len())
    });
    records.chain(secrets).sum()
}

/// Reads encoded changes, in their order. The error comes last: behind it nothing can be told.
pub(crate) fn decode(mut bytes: &[u8]) -> impl Iterator<Item = Result<Change<'_>, Failure>> {
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

fn split_change<'a>(bytes: &mut &'a [u8]) -> Option<Change<'a>> {
    let kind = *bytes.split_off_first()?;
    match kind {
        RECORD_PUT | RECORD_REMOVED | SEALED_RECORD_PUT => {
            let length = usize::from(*bytes.split_off_first()?);
            let table = std::str::from_utf8(bytes.split_off(..length)?).ok()?;
            let key = RecordKey::from_bytes(bytes.split_off(..24)?.try_into().ok()?);
            let value = match kind {
                RECORD_PUT => Some(RecordValue::Clear(split_value(bytes)?.into())),
                SEALED_RECORD_PUT => Some(RecordValue::Sealed(split_value(bytes)?)),
                _ => None,
            };
            Some(Change::Record(table, key, value))
        }
        SECRET_PUT | SECRET_REMOVED => {
            let key = SecretKey::from_bytes(bytes.split_off(..32)?.try_into().ok()?);
            let value = if kind == SECRET_PUT { Some(split_value(bytes)?) } else { None };
            Some(Change::Secret(key, value))
        }
        _ => None,
    }
}

fn split_value<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = u32::from_be_bytes(bytes.split_off(..4)?.try_into().ok()?);
    bytes.split_off(..usize::try_from(length).ok()?)
}

const SEALED_RECORD_PUT: u8 = 0;
const RECORD_REMOVED: u8 = 1;
const SECRET_PUT: u8 = 2;
const SECRET_REMOVED: u8 = 3;
const RECORD_PUT: u8 = 4;

#[cfg(test)]
mod tests;
