//! The limits of a relay: what it gives to those whom it serves.

use super::{KIB, MIB};

/// What a relay decides for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayLimits {
    /// Lifetime of a session.
    pub session_lifetime_s: u64,
    /// Sessions of one account; the oldest makes room.
    pub sessions_per_account_max: usize,
    /// Logins that wait for their last message; the oldest makes room.
    pub logins_max: usize,
    /// Lifetime of a delivery for which none is asked.
    pub delivery_ttl_default_s: u64,
    /// Longest lifetime of a delivery.
    pub delivery_ttl_max_s: u64,
    /// Bytes of the deliveries that wait in one queue.
    pub queue_bytes_max: u64,
    /// Deliveries that wait in one queue.
    pub queue_deliveries_max: u64,
    /// Mailboxes of one account, besides the one of its identity.
    pub mailboxes_per_account_max: usize,
    /// Channels of one mailbox that have a queue.
    pub channels_per_mailbox_max: usize,
    /// Single-use tokens that a mailbox holds.
    pub tokens_per_mailbox_max: usize,
    /// Calls that wait for a delivery at one time.
    pub waits_max: usize,
    /// Calls of one connection that wait for a delivery at one time.
    pub waits_per_connection_max: usize,
    /// Envelopes in an answer for which no number is asked.
    pub fetch_envelopes_default: usize,
    /// Entries of the transparency log in one answer.
    pub audit_entries_max: usize,
    /// Deliveries that are removed in one step, so that nobody waits long for it.
    pub removals_per_step_max: usize,
}

const DAY_S: u64 = 86_400;

impl RelayLimits {
    /// For a device with 64 MB of RAM.
    pub const ROUTER: Self = Self {
        session_lifetime_s: 30 * DAY_S,
        sessions_per_account_max: 32,
        logins_max: 64,
        delivery_ttl_default_s: 14 * DAY_S,
        delivery_ttl_max_s: 30 * DAY_S,
        queue_bytes_max: MIB as u64,
        queue_deliveries_max: 1_024,
        mailboxes_per_account_max: 256,
        channels_per_mailbox_max: 64,
        tokens_per_mailbox_max: 1_024,
        waits_max: 256,
        waits_per_connection_max: 16,
        fetch_envelopes_default: 64,
        audit_entries_max: 256,
        removals_per_step_max: 64,
    };

    /// For everything with more memory.
    pub const SERVER: Self = Self {
        logins_max: 4_096,
        queue_bytes_max: 64 * MIB as u64,
        queue_deliveries_max: 1_048_576,
        mailboxes_per_account_max: 4_096,
        channels_per_mailbox_max: 256,
        tokens_per_mailbox_max: 16 * KIB,
        waits_max: 65_536,
        waits_per_connection_max: 64,
        audit_entries_max: 1_024,
        removals_per_step_max: 256,
        ..Self::ROUTER
    };
}
