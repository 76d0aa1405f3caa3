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
/// Sequences of the deliveries that a queue has taken, by queue, ordered by the start of the delivery id.
pub const DELIVERY_IDS: Table = Table("relay_delivery_ids");
/// Mailboxes, by id.
pub const MAILBOXES: Table = Table("relay_mailboxes");
/// Single-use tokens that are not used yet, by mailbox, ordered by the start of their hashes.
pub const TOKENS: Table = Table("relay_tokens");
/// The mailboxes of an account, by identity key.
pub const ACCOUNT_MAILBOXES: Table = Table("relay_account_mailboxes");
/// What was given up and is not removed yet, in order, under one key.
pub const GRAVES: Table = Table("relay_graves");
/// Accounts, by identity key.
pub const ACCOUNTS: Table = Table("relay_accounts");
/// The newest signed device list of an account, by identity key.
pub const DEVICE_LISTS: Table = Table("relay_device_lists");
/// Identity keys of the accounts, in the order in which they came, under one key.
pub const ACCOUNT_ORDER: Table = Table("relay_account_order");
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

/// Contact tokens and where they lie, by identity key.
pub const KEYS: Table = Table("relay_keys");
/// Hashes of contact tokens, by identity key.
pub const CONTACT_TOKENS: Table = Table("relay_contact_tokens");
/// Which key packages are held, by identity key and device key.
pub const KEY_SUPPLIES: Table = Table("relay_key_supplies");
/// Key packages, by identity key and device key, in the order in which they came.
pub const KEY_PACKAGES: Table = Table("relay_key_packages");
/// Hybrid public keys, by identity key.
pub const HYBRID_KEYS: Table = Table("relay_hybrid_keys");
/// Channels and who is on their lists, by id.
pub const CHANNELS: Table = Table("relay_channels");
/// Encrypted metadata of channels, by id.
pub const CHANNEL_METADATA: Table = Table("relay_channel_metadata");
/// The channels of two people, by their identity keys.
pub const CHANNEL_PAIRS: Table = Table("relay_channel_pairs");
/// What accounts have to do with channels, by identity key.
pub const CHANNEL_ACCOUNTS: Table = Table("relay_channel_accounts");
/// Ids of the channels on whose lists an account is, by identity key.
pub const ACCOUNT_CHANNELS: Table = Table("relay_account_channels");
/// How devices are woken, by identity key and device key.
pub const PUSH_TOKENS: Table = Table("relay_push_tokens");
/// Whose devices are on a node, by its key.
pub const NODES: Table = Table("relay_nodes");
/// Recovery bundles, by the hash of their token.
pub const RECOVERY_BUNDLES: Table = Table("relay_recovery_bundles");
/// Which recovery bundles an account has, by identity key.
pub const ACCOUNT_BUNDLES: Table = Table("relay_account_bundles");
/// What is to be looked at when it has ended, by kind, ordered by hour.
pub const DUES: Table = Table("relay_dues");
/// Endpoint records, by lookup key.
pub const ENDPOINTS: Table = Table("relay_endpoints");
/// Under which lookup keys a device or node has a record, by its key.
pub const PUBLISHERS: Table = Table("relay_publishers");
/// Reports, in order, under one key.
pub const REPORTS: Table = Table("relay_reports");
/// Places of the reports of each account, by identity key.
pub const REPORTERS: Table = Table("relay_reporters");
/// Bans, by identity key.
pub const BANS: Table = Table("relay_bans");
/// Who is banned, in order, under one key.
pub const BAN_ORDER: Table = Table("relay_ban_order");
/// Which accounts administer the relay, under one key.
pub const ADMINISTRATORS: Table = Table("relay_administrators");
/// The audit log, in order, under one key for what was done and one for what was refused.
pub const AUDIT: Table = Table("relay_audit");
/// Blobs that are readable, by hash.
pub const BLOBS: Table = Table("relay_blobs");
/// What each account has of a blob, by identity key and hash.
pub const OWNED_BLOBS: Table = Table("relay_owned_blobs");
/// What accounts have of blobs together, by identity key.
pub const BLOB_ACCOUNTS: Table = Table("relay_blob_accounts");
/// Hashes of the blobs of which an account has something, by identity key.
pub const ACCOUNT_BLOBS: Table = Table("relay_account_blobs");
/// With which tokens a blob may be read, by its hash and the token's.
pub const BLOB_ACCESS: Table = Table("relay_blob_access");
/// Uploads and objects that are to be removed from the object store.
pub const BLOB_GARBAGE: Table = Table("relay_blob_garbage");
/// What the relay holds of everybody together, under one key.
pub const TOTALS: Table = Table("relay_totals");
/// The time by which lifetimes are counted, under one key.
pub const CLOCK: Table = Table("relay_clock");

/// Every table.
pub const ALL: &[Table] = &[
    QUEUES,
    DELIVERIES,
    DELIVERY_IDS,
    MAILBOXES,
    TOKENS,
    ACCOUNT_MAILBOXES,
    GRAVES,
    ACCOUNTS,
    DEVICE_LISTS,
    ACCOUNT_ORDER,
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
    KEYS,
    CONTACT_TOKENS,
    KEY_SUPPLIES,
    KEY_PACKAGES,
    HYBRID_KEYS,
    CHANNELS,
    CHANNEL_METADATA,
    CHANNEL_PAIRS,
    CHANNEL_ACCOUNTS,
    ACCOUNT_CHANNELS,
    PUSH_TOKENS,
    NODES,
    RECOVERY_BUNDLES,
    ACCOUNT_BUNDLES,
    DUES,
    ENDPOINTS,
    PUBLISHERS,
    REPORTS,
    REPORTERS,
    BANS,
    BAN_ORDER,
    ADMINISTRATORS,
    AUDIT,
    BLOBS,
    OWNED_BLOBS,
    BLOB_ACCOUNTS,
    ACCOUNT_BLOBS,
    BLOB_ACCESS,
    BLOB_GARBAGE,
    TOTALS,
    CLOCK,
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

/// Reads and decodes the last records of a stretch of a sequence, the last one first.
pub(crate) fn scan_back<R: Message + Default>(
    tx: &dyn Transaction,
    table: Table,
    prefix: &[u8],
    ordinals: Range<u64>,
    limit: usize,
) -> Result<Vec<(u64, R)>, RelayError> {
    tx.scan(table, prefix, ordinals, Direction::Backward, limit)?
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
