//! Relays that keep what comes, and mailboxes of contacts at relays of theirs.

use std::fmt;

use prost::Message;
use zeroize::Zeroize;

/// A relay at which this person has a mailbox.
#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub(crate) struct RelayRecord {
    /// SHA-256 of the relay's certificate, 32 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub pin: Vec<u8>,
    /// Hosts and ports.
    #[prost(string, repeated, tag = "2")]
    pub places: Vec<String>,
    /// Key of the relay's log, 32 bytes.
    #[prost(bytes = "vec", tag = "3")]
    pub log_key: Vec<u8>,
    #[prost(string, tag = "4")]
    pub username: String,
    /// 32 bytes; empty when the session has ended.
    #[prost(bytes = "vec", tag = "5")]
    pub session_token: Vec<u8>,
    /// Unix time in ms by the relay's clock.
    #[prost(uint64, tag = "6")]
    pub session_ends_at_ms: u64,
    /// Random, 32 bytes.
    #[prost(bytes = "vec", tag = "7")]
    pub mailbox: Vec<u8>,
    /// What the mailbox's tokens are derived from, 32 bytes.
    #[prost(bytes = "vec", tag = "8")]
    pub token_secret: Vec<u8>,
    /// No token from here on was made.
    #[prost(uint64, tag = "9")]
    pub next_token: u64,
    /// The relay knows the mailbox.
    #[prost(bool, tag = "10")]
    pub has_mailbox: bool,
    /// Contacts use the mailboxes of smaller numbers first.
    #[prost(uint32, tag = "11")]
    pub preference: u32,
    /// Deliveries that came by it.
    #[prost(uint64, tag = "12")]
    pub received: u64,
    /// Those of them that were of no use.
    #[prost(uint64, tag = "13")]
    pub useless: u64,
    /// Which of this person's hybrid keys the relay gives to those who are invited; 0 for none.
    #[prost(uint64, tag = "14")]
    pub hybrid_sequence: u64,
}

impl fmt::Debug for RelayRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelayRecord").field("places", &self.places).finish_non_exhaustive()
    }
}

impl Drop for RelayRecord {
    fn drop(&mut self) {
        self.session_token.zeroize();
        self.token_secret.zeroize();
    }
}

/// What was seen of a relay's log of names.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct RelayLogRecord {
    /// Pin of the relay, 32 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub pin: Vec<u8>,
    /// The keys and the newest tree head that was verified, as `LogView` encodes them.
    #[prost(bytes = "vec", tag = "2")]
    pub view: Vec<u8>,
    /// What the relay was caught at; empty if at nothing.
    #[prost(string, tag = "3")]
    pub refusal: String,
    /// What it signed of that, as `Evidence` encodes it; empty if nothing.
    #[prost(bytes = "vec", tag = "4")]
    pub evidence: Vec<u8>,
    /// The evidence convicts it.
    #[prost(bool, tag = "5")]
    pub is_proven: bool,
    /// Newest version of this person's own name that was seen; 0 for none.
    #[prost(uint64, tag = "6")]
    pub own_version: u64,
    /// What is wrong with the own name; empty if nothing is.
    #[prost(string, tag = "7")]
    pub own_fault: String,
    /// The own name was set again, though this person did not register again.
    #[prost(bool, tag = "8")]
    pub was_others: bool,
}

/// Which tokens of a mailbox a contact has.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct GrantRecord {
    /// Pin of the relay, 32 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub pin: Vec<u8>,
    /// Identity key of the contact, 32 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub identity: Vec<u8>,
    /// First of the tokens that the relay is to be told of before the contact is; none if it is `next_end`.
    #[prost(uint64, tag = "3")]
    pub next: u64,
    /// The one after the last of them.
    #[prost(uint64, tag = "4")]
    pub next_end: u64,
    /// Tokens that the contact has and has not been seen to use.
    #[prost(uint32, tag = "5")]
    pub unused: u32,
}

/// Where a contact's deliveries may be left.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct MailboxesRecord {
    /// Identity key of the contact, 32 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub identity: Vec<u8>,
    /// In order of preference.
    #[prost(message, repeated, tag = "2")]
    pub mailboxes: Vec<MailboxRecord>,
    /// Pin of the relay at which the two found each other by name; empty once mailboxes are known.
    #[prost(bytes = "vec", tag = "3")]
    pub meeting: Vec<u8>,
}

/// A contact's mailbox at a relay.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct MailboxRecord {
    /// Hosts and ports.
    #[prost(string, repeated, tag = "1")]
    pub places: Vec<String>,
    /// Pin of the relay, 32 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub pin: Vec<u8>,
    /// Id, 32 bytes.
    #[prost(bytes = "vec", tag = "3")]
    pub mailbox: Vec<u8>,
    #[prost(uint32, tag = "4")]
    pub preference: u32,
    /// Tokens that were not used, 32 bytes each.
    #[prost(bytes = "vec", repeated, tag = "5")]
    pub tokens: Vec<Vec<u8>>,
    /// Tokens that may have been used.
    #[prost(message, repeated, tag = "6")]
    pub spending: Vec<SpendingRecord>,
    /// Tokens that were refused, one after the other.
    #[prost(uint32, tag = "7")]
    pub refusals: u32,
}

/// A token with which a delivery was sent off.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct SpendingRecord {
    #[prost(bytes = "vec", tag = "1")]
    pub token: Vec<u8>,
    /// Delivery id, 16 bytes: with another delivery the token is not used.
    #[prost(bytes = "vec", tag = "2")]
    pub delivery: Vec<u8>,
}

/// What came through a relay, and is for this person by no secret that it has so far.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct KeptMailRecord {
    /// Pin of the relay, 32 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub pin: Vec<u8>,
    #[prost(bytes = "bytes", tag = "2")]
    pub payload: bytes::Bytes,
}
