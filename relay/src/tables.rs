//! The relay's tables, and typed access to them.
//!
//! Records are protobuf messages (`records.rs`), so that a field can be added without a migration.

use std::ops::Range;

use bytes::Bytes;
use prost::Message;

use crate::input::RelayError;
use crate::storage::{Direction, Key, Table, Transaction};

/// Queues and who may use them, by queue key.
pub const QUEUES: Table = Table("relay_queues");
/// Deliveries, by queue key, ordered by sequence.
pub const DELIVERIES: Table = Table("relay_deliveries");
/// Sequences of the deliveries that a queue has taken, by queue key and delivery id.
pub const DELIVERY_IDS: Table = Table("relay_delivery_ids");
/// Mailboxes, by id.
pub const MAILBOXES: Table = Table("relay_mailboxes");
/// Single-use tokens that are not used yet, by mailbox, ordered by the start of their hashes.
pub const TOKENS: Table = Table("relay_tokens");
/// Queues that are to be looked at for deliveries that have ended, by hour.
pub const EXPIRIES: Table = Table("relay_expiries");
/// The mailboxes of an account, by identity key.
pub const ACCOUNT_MAILBOXES: Table = Table("relay_account_mailboxes");
/// Mailboxes that were closed and are not empty yet, in order, under one key.
pub const GRAVES: Table = Table("relay_graves");
/// Accounts, by identity key.
pub const ACCOUNTS: Table = Table("relay_accounts");
/// The newest signed device list of an account, by identity key.
pub const DEVICE_LISTS: Table = Table("relay_device_lists");
/// Folded names, to identity keys.
pub const USERNAMES: Table = Table("relay_usernames");
/// Sessions, by SHA-256 of their tokens.
pub const SESSIONS: Table = Table("relay_sessions");
/// The sessions of an account, by identity key, in order.
pub const ACCOUNT_SESSIONS: Table = Table("relay_account_sessions");
/// Invitations to register, by SHA-256 of their tokens.
pub const INVITATIONS: Table = Table("relay_invitations");
/// How large the log of names is and what was signed of it, under one key.
pub const LOG: Table = Table("relay_log");
/// Entries of the log, under one key, ordered by index.
pub const LOG_ENTRIES: Table = Table("relay_log_entries");
/// Nodes of the log above its entries, by level, ordered by index.
pub const LOG_NODES: Table = Table("relay_log_nodes");
/// Nodes of the log's prefix tree, by place.
pub const LOG_PREFIXES: Table = Table("relay_log_prefixes");
/// What the log says of each name and of each identity's end.
pub const LOG_SUBJECTS: Table = Table("relay_log_subjects");
/// What only this relay knows, by its purpose.
pub const SECRETS: Table = Table("relay_secrets");

/// Every table.
pub const ALL: &[Table] = &[
    QUEUES,
    DELIVERIES,
    DELIVERY_IDS,
    MAILBOXES,
    TOKENS,
    EXPIRIES,
    ACCOUNT_MAILBOXES,
    GRAVES,
    ACCOUNTS,
    DEVICE_LISTS,
    USERNAMES,
    SESSIONS,
    ACCOUNT_SESSIONS,
    INVITATIONS,
    LOG,
    LOG_ENTRIES,
    LOG_NODES,
    LOG_PREFIXES,
    LOG_SUBJECTS,
    SECRETS,
];

/// The key of the one record of a prefix.
pub(crate) fn key(prefix: &[u8]) -> Key<'_> {
    Key { prefix, ordinal: 0 }
}

/// The key of a record in a sequence.
pub(crate) fn at(prefix: &[u8], ordinal: u64) -> Key<'_> {
    Key { prefix, ordinal }
}

/// Reads and decodes a record.
pub(crate) fn load<R: Message + Default>(
    tx: &dyn Transaction,
    table: Table,
    key: Key<'_>,
) -> Result<Option<R>, RelayError> {
    tx.get(table, key)?.map(|bytes| decode(table, bytes)).transpose()
}

/// Encodes and writes a record.
pub(crate) fn save<R: Message>(
    tx: &mut dyn Transaction,
    table: Table,
    key: Key<'_>,
    record: &R,
) -> Result<(), RelayError> {
    Ok(tx.put(table, key, Bytes::from(record.encode_to_vec()))?)
}

/// Reads and decodes the first records of a stretch of a sequence.
pub(crate) fn scan<R: Message + Default>(
    tx: &dyn Transaction,
    table: Table,
    prefix: &[u8],
    ordinals: Range<u64>,
    limit: usize,
) -> Result<Vec<(u64, R)>, RelayError> {
    tx.scan(table, prefix, ordinals, Direction::Forward, limit)?
        .into_iter()
        .map(|(ordinal, bytes)| Ok((ordinal, decode(table, bytes)?)))
        .collect()
}

/// The ordinal after the last one of a sequence; 1 for an empty one.
pub(crate) fn next_ordinal(tx: &dyn Transaction, table: Table, prefix: &[u8]) -> Result<u64, RelayError> {
    let last = tx.scan(table, prefix, 0..u64::MAX, Direction::Backward, 1)?;
    Ok(last.first().map_or(1, |(ordinal, _)| ordinal.saturating_add(1)))
}

fn decode<R: Message + Default>(table: Table, bytes: Bytes) -> Result<R, RelayError> {
    R::decode(bytes).map_err(|error| RelayError::Corrupt { table: table.0, reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_distinct_and_fit_for_storage() {
        let names: BTreeSet<&str> = ALL.iter().map(|table| table.0).collect();
        assert_eq!(names.len(), ALL.len());
        let is_fit =
            |name: &str| name.len() <= 32 && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        assert!(names.iter().all(|name| is_fit(name)), "{names:?}");
    }
}
