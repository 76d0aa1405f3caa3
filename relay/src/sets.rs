//! Sets of ids that may be large: each id is found by itself, and all of them one stretch after the other.
//!
//! Ids are hashes or random. They lie under one prefix, ordered by their beginning, so that they can be found by id and
//! be removed together.

use crate::input::RelayError;
use crate::records::SetRecord;
use crate::storage::{Key, Table, Transaction};
use crate::tables::{self, at};

/// Adds an id; false if it is there already.
pub(crate) fn add(
    tx: &mut dyn Transaction,
    table: Table,
    prefix: &[u8],
    id: &[u8],
) -> Result<bool, RelayError> {
    add_at(tx, table, at(prefix, place(id)), id)
}

/// Adds an id to those at one place; false if it is there already.
pub(crate) fn add_at(
    tx: &mut dyn Transaction,
    table: Table,
    place: Key<'_>,
    id: &[u8],
) -> Result<bool, RelayError> {
    let mut held: SetRecord = tables::load(tx, table, place)?.unwrap_or_default();
    if held.ids.iter().any(|other| other == id) {
        return Ok(false);
    }
    held.ids.push(id.to_vec());
    tables::save(tx, table, place, &held)?;
    Ok(true)
}

/// Removes an id; false if it is not there. Comparing hashes tells nothing of a secret that is not known.
pub(crate) fn remove(
    tx: &mut dyn Transaction,
    table: Table,
    prefix: &[u8],
    id: &[u8],
) -> Result<bool, RelayError> {
    remove_at(tx, table, at(prefix, place(id)), id)
}

/// Removes an id from those at one place; false if it is not there.
pub(crate) fn remove_at(
    tx: &mut dyn Transaction,
    table: Table,
    place: Key<'_>,
    id: &[u8],
) -> Result<bool, RelayError> {
    let Some(mut held) = tables::load::<SetRecord>(tx, table, place)? else { return Ok(false) };
    let before = held.ids.len();
    held.ids.retain(|other| other != id);
    match held.ids.is_empty() {
        true => tx.delete(table, place)?,
        false => tables::save(tx, table, place, &held)?,
    }
    Ok(held.ids.len() < before)
}

/// Whether an id is there.
pub(crate) fn contains(
    tx: &dyn Transaction,
    table: Table,
    prefix: &[u8],
    id: &[u8],
) -> Result<bool, RelayError> {
    let held: Option<SetRecord> = tables::load(tx, table, at(prefix, place(id)))?;
    Ok(held.is_some_and(|held| held.ids.iter().any(|other| other == id)))
}

/// Takes out some ids: those of at most so many places. None if the set is empty.
pub(crate) fn take_some(
    tx: &mut dyn Transaction,
    table: Table,
    prefix: &[u8],
    limit: usize,
) -> Result<Vec<Vec<u8>>, RelayError> {
    let found: Vec<(u64, SetRecord)> = tables::scan(tx, table, prefix, 0..u64::MAX, limit)?;
    for (place, _) in &found {
        tx.delete(table, at(prefix, *place))?;
    }
    Ok(found.into_iter().flat_map(|(_, held)| held.ids).collect())
}

/// Where an id lies: ordered by its first eight bytes.
pub(crate) fn place(id: &[u8]) -> u64 {
    let beginning = id.iter().take(8).fold(0, |place: u64, byte| place << 8 | u64::from(*byte));
    // The largest ordinal is no place: scans end before it.
    beginning >> 1
}
