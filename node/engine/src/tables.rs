//! The engine's tables, and typed access to them.
//!
//! Records are protobuf messages (`records.rs`), so that a field can be added without a migration.

use bytes::Bytes;
use prost::Message;

use crate::{
    input::EngineError,
    storage::{Direction, Key, Table, Transaction},
};

/// The person: one record.
pub const IDENTITY: Table = Table("identity");
/// The node's own time: one record.
pub const CLOCK: Table = Table("clock");
/// Everybody known, by identity key.
pub const PEOPLE: Table = Table("people");
/// Folded names with their sigil, to identity keys or conversation ids.
pub const NAMES: Table = Table("names");
/// Node keys to the identity keys of those who say that the node is theirs.
pub const NODES: Table = Table("nodes");
/// Invitations, by token.
pub const INVITATIONS: Table = Table("invitations");
/// Conversations, by local id.
pub const CONVERSATIONS: Table = Table("conversations");
/// MLS group ids to conversation ids.
pub const GROUPS: Table = Table("groups");
/// What is known of a sender in a conversation, by conversation id and identity.
pub const SENDERS: Table = Table("senders");
/// Messages, by conversation id, ordered by cursor.
pub const MESSAGES: Table = Table("messages");
/// Message ids to where the message lies; one entry for each sender who used the id.
pub const MESSAGE_IDS: Table = Table("message_ids");
/// How far a message got with each recipient, by message id.
pub const DELIVERIES: Table = Table("deliveries");
/// Contents that wait until their conversation has an MLS group, by conversation id.
pub const UNSEALED: Table = Table("unsealed");
/// Entries of the outbox, by person or conversation, in order.
pub const OUTGOING: Table = Table("outgoing");
/// Sealed payloads of those entries, under the same keys; never rewritten.
pub const PAYLOADS: Table = Table("payloads");
/// How far a recipient is in a stream of the outbox, by person or conversation and identity key.
pub const CURSORS: Table = Table("cursors");
/// The outbox as a whole: one record.
pub const OUTBOX: Table = Table("outbox");
/// Deliveries already handled, by delivery id.
pub const SEEN: Table = Table("seen");
/// The order in which deliveries were handled, under one key, so that the oldest can be forgotten.
pub const SEEN_ORDER: Table = Table("seen_order");
/// Messages of epochs that are not here yet, by group id.
pub const FUTURE: Table = Table("future");
/// Changes of a group that wait for the committer, by conversation id.
pub const CHANGES: Table = Table("changes");
/// Change ids to conversation and state, for waiting commands.
pub const CHANGE_IDS: Table = Table("change_ids");
/// Key packages others made for this person's use, by identity key.
pub const KEY_PACKAGES: Table = Table("key_packages");
/// Commits since the stable epoch, by conversation id.
pub const COMMITS: Table = Table("commits");
/// Checkpoints of group state, by conversation id.
pub const CHECKPOINTS: Table = Table("checkpoints");
/// Bundles in custody, by id.
pub const BUNDLES: Table = Table("bundles");
/// Their bodies, by id.
pub const BODIES: Table = Table("bodies");
/// Bundles that were settled, by the start of their ids.
pub const TOMBSTONES: Table = Table("tombstones");
/// The name of the custody: one record.
pub const CUSTODY: Table = Table("custody");
/// Own bundles, by id, to the entries of the outbox that they carry.
pub const CARRIED: Table = Table("carried");
/// Roles that are switched on: one record.
pub const ROLES: Table = Table("roles");
/// Nodes that this one is paired with, by node key.
pub const PAIRS: Table = Table("pairs");
/// Contents that are to be acknowledged, by conversation id and identity.
pub const RECEIPTS: Table = Table("receipts");
/// Topics subscribed to, by topic id.
pub const TOPICS: Table = Table("topics");
/// Posts, by topic id, ordered by cursor.
pub const POSTS: Table = Table("posts");
/// Topic, author and id of each post that is known, to its cursor.
pub const POST_IDS: Table = Table("post_ids");
/// How much an author posts to a topic, by topic id and identity.
pub const POST_AUTHORS: Table = Table("post_authors");
/// Own posts that are under way, by bundle id.
pub const OWN_POSTS: Table = Table("own_posts");
/// Relays at which this person has a mailbox, by the pin of their certificates.
pub const RELAYS: Table = Table("relays");
/// What was seen of those relays' logs of names, by the same pin.
pub const RELAY_LOGS: Table = Table("relay_logs");
/// Which tokens of those mailboxes contacts have, by pin and identity key.
pub const GRANTS: Table = Table("grants");
/// Mailboxes of contacts at relays of theirs, by identity key.
pub const MAILBOXES: Table = Table("mailboxes");
/// What came through a relay and cannot be recognised yet, in order, under one key.
pub const KEPT_MAIL: Table = Table("kept_mail");
/// Recovery codes: one record.
pub const RECOVERY: Table = Table("recovery");
/// What happened, in order, under one key.
pub const EVENTS: Table = Table("events");

/// Every table.
pub const ALL: &[Table] = &[
    IDENTITY,
    CLOCK,
    PEOPLE,
    NAMES,
    NODES,
    INVITATIONS,
    CONVERSATIONS,
    GROUPS,
    SENDERS,
    MESSAGES,
    MESSAGE_IDS,
    DELIVERIES,
    UNSEALED,
    OUTGOING,
    PAYLOADS,
    CURSORS,
    OUTBOX,
    SEEN,
    SEEN_ORDER,
    FUTURE,
    CHANGES,
    CHANGE_IDS,
    KEY_PACKAGES,
    COMMITS,
    CHECKPOINTS,
    BUNDLES,
    BODIES,
    TOMBSTONES,
    CUSTODY,
    CARRIED,
    ROLES,
    PAIRS,
    RECEIPTS,
    TOPICS,
    POSTS,
    POST_IDS,
    POST_AUTHORS,
    OWN_POSTS,
    RELAYS,
    RELAY_LOGS,
    GRANTS,
    MAILBOXES,
    KEPT_MAIL,
    RECOVERY,
    EVENTS,
];

/// The tables that a backup holds: all whose records mean something without the MLS state of this device.
pub const IN_BACKUP: &[Table] = &[
    IDENTITY,
    PEOPLE,
    NAMES,
    NODES,
    INVITATIONS,
    CONVERSATIONS,
    GROUPS,
    SENDERS,
    MESSAGES,
    MESSAGE_IDS,
    DELIVERIES,
    SEEN,
    SEEN_ORDER,
    TOPICS,
    POSTS,
    POST_IDS,
    POST_AUTHORS,
    RECOVERY,
    EVENTS,
];

/// Prefix of tables that hold one record, or one sequence of records.
pub(crate) const SINGLE: &[u8] = b"";

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
) -> Result<Option<R>, EngineError> {
    tx.get(table, key)?.map(|bytes| decode(table, bytes)).transpose()
}

/// Encodes and writes a record.
pub(crate) fn save<R: Message>(
    tx: &mut dyn Transaction,
    table: Table,
    key: Key<'_>,
    record: &R,
) -> Result<(), EngineError> {
    Ok(tx.put(table, key, Bytes::from(record.encode_to_vec()))?)
}

/// Reads and decodes a stretch of a sequence.
pub(crate) fn scan<R: Message + Default>(
    tx: &dyn Transaction,
    table: Table,
    prefix: &[u8],
    ordinals: std::ops::Range<u64>,
    direction: Direction,
    limit: usize,
) -> Result<Vec<(u64, R)>, EngineError> {
    tx.scan(table, prefix, ordinals, direction, limit)?
        .into_iter()
        .map(|(ordinal, bytes)| Ok((ordinal, decode(table, bytes)?)))
        .collect()
}

/// The first records of a sequence, all of it if it is short.
pub(crate) fn first<R: Message + Default>(
    tx: &dyn Transaction,
    table: Table,
    prefix: &[u8],
    limit: usize,
) -> Result<Vec<(u64, R)>, EngineError> {
    scan(tx, table, prefix, 0..u64::MAX, Direction::Forward, limit)
}

/// The ordinal after the last one of a sequence; 1 for an empty one.
pub(crate) fn next_ordinal(tx: &dyn Transaction, table: Table, prefix: &[u8]) -> Result<u64, EngineError> {
    let last = tx.scan(table, prefix, 0..u64::MAX, Direction::Backward, 1)?;
    Ok(last.first().map_or(1, |(ordinal, _)| ordinal.saturating_add(1)))
}

/// Removes a whole sequence.
pub(crate) fn clear(tx: &mut dyn Transaction, table: Table, prefix: &[u8]) -> Result<(), EngineError> {
    loop {
        let some = tx.scan(table, prefix, 0..u64::MAX, Direction::Forward, 256)?;
        if some.is_empty() {
            return Ok(());
        }
        for (ordinal, _) in some {
            tx.delete(table, Key { prefix, ordinal })?;
        }
    }
}

/// Decodes every record of a small table.
pub(crate) fn all<R: Message + Default>(tx: &dyn Transaction, table: Table) -> Result<Vec<R>, EngineError> {
    tx.all(table)?.into_iter().map(|bytes| decode(table, bytes)).collect()
}

fn decode<R: Message + Default>(table: Table, bytes: Bytes) -> Result<R, EngineError> {
    R::decode(bytes).map_err(|error| EngineError::Corrupt { table: table.0, reason: error.to_string() })
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
        assert!(IN_BACKUP.iter().all(|table| ALL.contains(table)));
    }
}
