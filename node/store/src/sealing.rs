//! How keys are blinded and records sealed.
//!
//! ```text
//! record on disk    table "t/NAME":  blind(NAME, prefix) (16) | ordinal (8)  ->  sealed(prefix length (2) | prefix | value)
//! secret on disk    table "secrets": blind(namespace) (16) | blind(name) (16) ->  generation (8) | sealed(value)
//! ```
//! The prefix lies inside the sealed value as well, because its hash cannot be turned back: a backup moves
//! records to a store with another key, which hashes the prefix anew.

use std::fmt;

use qpq_crypto::at_rest::{AtRestKey, KeyBlinder, SEALED_VALUE_OVERHEAD_BYTES, ValueSealer};
use qpq_engine::storage::Table;
use rand_core::CryptoRng;

use crate::encoding::get_record;
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

    /// Seals a record that is [in the clear](crate::encoding::put_record).
    pub(crate) fn seal(
        &self,
        rng: &mut dyn CryptoRng,
        table: &str,
        key: &RecordKey,
        clear: &[u8],
    ) -> Vec<u8> {
        self.records.seal(rng, table, key.as_bytes(), clear)
    }

    pub(crate) fn open(&self, table: Table, key: &RecordKey, sealed: &[u8]) -> Result<Record, Failure> {
        let damaged = || Failure::Damaged { table: table.0.to_owned() };
        let clear = self.records.open(table.0, key.as_bytes(), sealed).map_err(|_| damaged())?;
        get_record(clear.into()).ok_or_else(damaged)
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
