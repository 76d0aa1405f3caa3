//! The log in storage: entries by index, nodes of complete subtrees by level and index, nodes of the prefix tree by
//! place, and what is known of each subject.
//!
//! The lowest level of nodes are the entries' hashes and is not kept apart from them.

use std::ops::Range;

use bytes::Bytes;
use qpq_crypto::transparency::log::{LogError, NodePlace};
use qpq_crypto::transparency::merkle::LogHash;
use qpq_crypto::transparency::prefix::{PrefixError, PrefixNode, PrefixPlace};
use qpq_crypto::transparency::{LogEntry, Subject};

use super::records::{LogRecord, SubjectRecord};
use crate::input::RelayError;
use crate::storage::{Direction, Transaction};
use crate::tables::{self, LOG, LOG_ENTRIES, LOG_NODES, LOG_PREFIXES, LOG_SUBJECTS, at, key};

/// How large the log is, and what was last signed of it.
pub(super) fn state(tx: &dyn Transaction) -> Result<LogRecord, RelayError> {
    Ok(tables::load(tx, LOG, key(b""))?.unwrap_or_default())
}

pub(super) fn save_state(tx: &mut dyn Transaction, state: &LogRecord) -> Result<(), RelayError> {
    tables::save(tx, LOG, key(b""), state)
}

/// What the log says of a subject; nothing if it never said anything.
pub(super) fn subject(tx: &dyn Transaction, of: Subject<'_>) -> Result<Option<SubjectRecord>, RelayError> {
    tables::load(tx, LOG_SUBJECTS, key(&of.vrf_input()))
}

pub(super) fn save_subject(
    tx: &mut dyn Transaction,
    of: Subject<'_>,
    record: &SubjectRecord,
) -> Result<(), RelayError> {
    tables::save(tx, LOG_SUBJECTS, key(&of.vrf_input()), record)
}

fn entry(tx: &dyn Transaction, index: u64) -> Result<Option<LogEntry>, RelayError> {
    tx.get(LOG_ENTRIES, at(b"", index))?.map(|bytes| decode_entry(&bytes)).transpose()
}

/// The entries of a stretch of the log, in order.
pub(super) fn entries(tx: &dyn Transaction, of: Range<u64>) -> Result<Vec<LogEntry>, RelayError> {
    let limit = usize::try_from(of.end.saturating_sub(of.start)).unwrap_or(usize::MAX);
    let found = tx.scan(LOG_ENTRIES, b"", of, Direction::Forward, limit)?;
    if found.len() != limit {
        return Err(damaged(LOG_ENTRIES.0, "an entry is missing".to_owned()));
    }
    found.iter().map(|(_, bytes)| decode_entry(bytes)).collect()
}

pub(super) fn put_entry(tx: &mut dyn Transaction, index: u64, entry: &LogEntry) -> Result<(), RelayError> {
    Ok(tx.put(LOG_ENTRIES, at(b"", index), Bytes::copy_from_slice(&entry.encode()))?)
}

/// The hash at a node of the log.
pub(super) fn node(tx: &dyn Transaction, place: NodePlace) -> Result<Option<LogHash>, RelayError> {
    if place.level == 0 {
        return Ok(entry(tx, place.index)?.map(|entry| entry.hash()));
    }
    let Some(bytes) = tx.get(LOG_NODES, at(&[place.level], place.index))? else { return Ok(None) };
    let hash = bytes.as_ref().try_into();
    hash.map(Some).map_err(|_| damaged(LOG_NODES.0, format!("a hash of {} bytes", bytes.len())))
}

/// Keeps what an entry completes above itself.
pub(super) fn put_node(tx: &mut dyn Transaction, place: NodePlace, hash: &LogHash) -> Result<(), RelayError> {
    if place.level == 0 {
        return Ok(());
    }
    Ok(tx.put(LOG_NODES, at(&[place.level], place.index), Bytes::copy_from_slice(hash))?)
}

/// A node of the prefix tree.
pub(super) fn prefix_node(
    tx: &dyn Transaction,
    place: PrefixPlace,
) -> Result<Option<PrefixNode>, RelayError> {
    let Some(bytes) = tx.get(LOG_PREFIXES, key(&place.encode()))? else { return Ok(None) };
    let node = PrefixNode::decode(&bytes);
    node.map(Some).ok_or_else(|| damaged(LOG_PREFIXES.0, "a node that is none".to_owned()))
}

pub(super) fn put_prefix_node(
    tx: &mut dyn Transaction,
    place: PrefixPlace,
    node: &PrefixNode,
) -> Result<(), RelayError> {
    Ok(tx.put(LOG_PREFIXES, key(&place.encode()), Bytes::from(node.encode()))?)
}

/// Why the log could not be read.
pub(super) fn log_fault(error: LogError<RelayError>) -> RelayError {
    match error {
        LogError::Storage(error) => error,
        error => damaged(LOG_NODES.0, error.to_string()),
    }
}

/// Why the prefix tree could not be read.
pub(super) fn prefix_fault(error: PrefixError<RelayError>) -> RelayError {
    match error {
        PrefixError::Storage(error) => error,
        error => damaged(LOG_PREFIXES.0, error.to_string()),
    }
}

pub(super) fn damaged(table: &'static str, reason: String) -> RelayError {
    RelayError::Corrupt { table, reason }
}

fn decode_entry(bytes: &[u8]) -> Result<LogEntry, RelayError> {
    LogEntry::decode(bytes).ok_or_else(|| damaged(LOG_ENTRIES.0, "an entry that is none".to_owned()))
}
