//! What is to be looked at when its time has come, by the hour: a list for each kind of thing.
//!
//! Whatever ends is put on the list of its hour when it is written, and looked at then: it may have been prolonged, in
//! which case it stands on a later list too. Nobody sees what has ended, even before it is removed; this gives its room
//! back.

use qpq_crypto::digest::sha256;

use crate::input::RelayError;
use crate::records::SetRecord;
use crate::sets;
use crate::storage::Transaction;
use crate::tables::{self, DUES, at};

/// Milliseconds of an hour.
pub(crate) const HOUR_MS: u64 = 3_600_000;

/// What stands on a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Lookup keys of endpoint records.
    Endpoints,
    /// Identity keys of accounts that are banned until a time.
    Bans,
    /// Blobs and uploads of accounts.
    Blobs,
    /// Queues in which deliveries lie, each on one list: that of the first that ends.
    Queues,
}

impl Kind {
    const fn prefix(self) -> &'static [u8] {
        match self {
            Self::Endpoints => b"endpoints",
            Self::Bans => b"bans",
            Self::Blobs => b"blobs",
            Self::Queues => b"queues",
        }
    }
}

/// Has something looked at when it has ended.
pub(crate) fn look_at(
    tx: &mut dyn Transaction,
    kind: Kind,
    id: &[u8],
    ends_ms: u64,
) -> Result<(), RelayError> {
    put_on(tx, kind, id, hour_after(ends_ms))
}

/// The first hour in which what ends at a time has ended.
pub(crate) const fn hour_after(ends_ms: u64) -> u64 {
    ends_ms / HOUR_MS + 1
}

/// Puts something on the list of an hour.
pub(crate) fn put_on(tx: &mut dyn Transaction, kind: Kind, id: &[u8], hour: u64) -> Result<(), RelayError> {
    sets::add_at(tx, DUES, at(kind.prefix(), place(hour, spread(id))), id).map(|_| ())
}

/// Takes something off the list of an hour, if it stands there.
pub(crate) fn take_off(tx: &mut dyn Transaction, kind: Kind, id: &[u8], hour: u64) -> Result<(), RelayError> {
    sets::remove_at(tx, DUES, at(kind.prefix(), place(hour, spread(id))), id).map(|_| ())
}

/// Takes something off the lists of the hours that have come, as a rule one thing. None if nothing is left.
pub(crate) fn take(tx: &mut dyn Transaction, kind: Kind, steady_ms: u64) -> Result<Vec<Vec<u8>>, RelayError> {
    let until = place(steady_ms / HOUR_MS + 1, 0);
    let found: Vec<(u64, SetRecord)> = tables::scan(tx, DUES, kind.prefix(), 0..until, 1)?;
    let Some((ordinal, list)) = found.into_iter().next() else { return Ok(Vec::new()) };
    tx.delete(DUES, at(kind.prefix(), ordinal))?;
    Ok(list.ids)
}

/// Some bits of the hash of an id.
fn spread(id: &[u8]) -> u64 {
    let hash = sha256(&[id]);
    u64::from_be_bytes([0, 0, 0, 0, 0, hash[0], hash[1], hash[2]])
}

/// Ordered by hour, and so spread that a list holds one thing as a rule.
const fn place(hour: u64, spread: u64) -> u64 {
    (hour << SPREAD_BITS) | spread
}

const SPREAD_BITS: u32 = 24;
