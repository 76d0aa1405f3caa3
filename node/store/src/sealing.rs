//! How keys are blinded and records sealed.
//!
//! ```text
//! record on disk    table "t/NAME":  blind(NAME, prefix) (16) | ordinal (8)  ->  sealed(prefix length (2) | prefix | value)
//! secret on disk    table "secrets": blind(namespace) (16) | blind(name) (16) ->  generation (8) | sealed(value)
//! ```
//! The prefix lies inside the sealed value as well, because its hash cannot be turned back: a backup moves
//! records to a store with another key, which hashes the prefix anew.

use std::fmt;

use bytes::Bytes;
use qpq_crypto::at_rest::{AtRestKey, KeyBlinder, SEALED_VALUE_OVERHEAD_BYTES, ValueSealer};
use qpq_engine::storage::Table;
use rand_core::CryptoRng;

use crate::error::Failure;
use crate::key::{Blinded, RecordKey};
use crate::storage::{PREFIX_BYTES_MAX, Record};

/// What is derived from the at-rest key.
pub(crate) struct Keys {
    blinder: KeyBlinder,
    records: ValueSealer,
}

impl Keys {
    pub(crate) fn new(key: &AtRestKey) -> Self {
        Self { blinder: KeyBlinder::new(key), records: ValueSealer::new(key, "records") }
    }

    pub(crate) fn blind_prefix(&self, table: Table, prefix: &[u8]) -> Blinded {
        self.blinder.blind(table.0, prefix)
    }

    pub(crate) fn blind_namespace(&self, namespace: &[u8]) -> Blinded {
        self.blinder.blind(NAMESPACES, namespace)
    }

    pub(crate) fn blind_name(&self, name: &[u8]) -> Blinded {
        self.blinder.blind(NAMES, name)
    }

    pub(crate) fn seal(
        &self,
        rng: &mut dyn CryptoRng,
        table: Table,
        key: &RecordKey,
        record: &Record,
    ) -> Vec<u8> {
        let mut plain = Vec::with_capacity(2 + record.prefix.len() + record.value.len());
        let length = u16::try_from(record.prefix.len()).expect("at most PREFIX_BYTES_MAX, see below");
        plain.extend(length.to_be_bytes());
        plain.extend_from_slice(&record.prefix);
        plain.extend_from_slice(&record.value);
        self.records.seal(rng, table.0, key.as_bytes(), &plain)
    }

    pub(crate) fn open(&self, table: Table, key: &RecordKey, sealed: &[u8]) -> Result<Record, Failure> {
        let damaged = || Failure::Damaged { table: table.0.to_owned() };
        let plain = self.records.open(table.0, key.as_bytes(), sealed).map_err(|_| damaged())?;
        let mut rest = Bytes::from(plain);
        let length = usize::from(u16::from_be_bytes(*rest.first_chunk().ok_or_else(damaged)?));
        if rest.len() < 2 + length {
            return Err(damaged());
        }
        let prefix = rest.split_to(2 + length).split_off(2);
        Ok(Record { prefix, value: rest })
    }

    /// A value that only the right key opens.
    pub(crate) fn seal_check(&self, rng: &mut dyn CryptoRng) -> Vec<u8> {
        self.seal_nothing(rng, KEY_CHECK, &[])
    }

    /// Whether this is the key that sealed the check.
    pub(crate) fn opens_check(&self, sealed: &[u8]) -> bool {
        self.opens_seal(KEY_CHECK, &[], sealed)
    }

    /// A seal of [`SEAL_BYTES`] that vouches for bytes in the clear. The purpose is a name that no table has.
    pub(crate) fn seal_nothing(&self, rng: &mut dyn CryptoRng, purpose: &str, bound: &[u8]) -> Vec<u8> {
        self.records.seal(rng, purpose, bound, &[])
    }

    /// Whether a seal vouches for these bytes.
    pub(crate) fn opens_seal(&self, purpose: &str, bound: &[u8], seal: &[u8]) -> bool {
        self.records.open(purpose, bound, seal).is_ok()
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(..)")
    }
}

/// Bytes of a seal around nothing.
pub(crate) const SEAL_BYTES: usize = SEALED_VALUE_OVERHEAD_BYTES;

const _: () = assert!(PREFIX_BYTES_MAX <= u16::MAX as usize);

// Names that no table has: those hold neither capitals nor signs.
const NAMESPACES: &str = "SECRET-NAMESPACE";
const NAMES: &str = "SECRET-NAME";
const KEY_CHECK: &str = "KEY-CHECK";
