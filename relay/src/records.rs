//! What a relay keeps, as protobuf messages. Never sent to anybody.

use bytes::Bytes;
use prost::Message;

/// A queue and who may use it. Read and written with every delivery, and so all in one record.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct QueueRecord {
    /// Identity key of the account it belongs to.
    #[prost(bytes = "vec", tag = "1")]
    pub owner: Vec<u8>,
    /// As the mailbox's policy says.
    #[prost(message, required, tag = "2")]
    pub policy: PolicyRecord,
    /// Sequence of the next delivery, from 1.
    #[prost(uint64, tag = "3")]
    pub next_seq: u64,
    /// The first sequence under which there may be a record.
    #[prost(uint64, tag = "4")]
    pub first_seq: u64,
    /// Up to here nothing is held any more: every device has it.
    #[prost(uint64, tag = "5")]
    pub cleared_seq: u64,
    /// Bytes of the payloads that are held.
    #[prost(uint64, tag = "6")]
    pub bytes: u64,
    /// Deliveries that are held.
    #[prost(uint64, tag = "7")]
    pub deliveries: u64,
    /// How far each device is.
    #[prost(message, repeated, tag = "8")]
    pub cursors: Vec<CursorRecord>,
    /// Random, 8 bytes: what lies in it is not found under the same name after it was closed.
    #[prost(bytes = "vec", tag = "10")]
    pub incarnation: Vec<u8>,
    /// Hour of Unix time at which the queue is looked at for what has ended; 0 if nothing is in it.
    #[prost(uint64, tag = "9")]
    pub due_hour: u64,
    /// The latest end of a delivery in it, Unix time in ms; 0 if nothing is in it.
    #[prost(uint64, tag = "11")]
    pub latest_end_ms: u64,
    /// Whether a delivery may end before another that came before it.
    #[prost(bool, tag = "12")]
    pub has_early_ends: bool,
    /// Up to where the look under way for what has ended has come; 0 if none is.
    #[prost(uint64, tag = "13")]
    pub looked_at_seq: u64,
    /// The earliest end that is to come, of what it has looked at; 0 if there is none.
    #[prost(uint64, tag = "14")]
    pub next_end_ms: u64,
}

/// How far a device is in a queue.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct CursorRecord {
    /// Device key.
    #[prost(bytes = "vec", tag = "1")]
    pub device: Vec<u8>,
    /// What it acknowledged, and all before.
    #[prost(uint64, tag = "2")]
    pub acknowledged_seq: u64,
}

/// Who may write to a mailbox, and how much.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct PolicyRecord {
    /// Only callers with a token.
    #[prost(bool, tag = "1")]
    pub tokens_only: bool,
    /// Most bytes in one queue of it, if the relay permits as many; 0 for as many as it permits.
    #[prost(uint64, tag = "2")]
    pub quota_bytes: u64,
    /// Longest lifetime of a delivery, seconds.
    #[prost(uint64, tag = "3")]
    pub ttl_max_s: u64,
}

/// A delivery that waits, or what is left to know it again.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct DeliveryRecord {
    /// Unix time in ms.
    #[prost(uint64, tag = "1")]
    pub enqueued_at_ms: u64,
    /// Unix time in ms.
    #[prost(uint64, tag = "2")]
    pub expires_at_ms: u64,
    /// Delivery id, 16 bytes.
    #[prost(bytes = "vec", tag = "3")]
    pub delivery_id: Vec<u8>,
    /// As enqueued.
    #[prost(bytes = "bytes", tag = "4")]
    pub payload: Bytes,
}

/// Delivery ids that a queue has taken and that begin alike.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct TakenRecord {
    /// As a rule one.
    #[prost(message, repeated, tag = "1")]
    pub ids: Vec<TakenIdRecord>,
}

/// Under which sequence a delivery id was taken.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct TakenIdRecord {
    /// Delivery id, 16 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub delivery_id: Vec<u8>,
    /// The sequence.
    #[prost(uint64, tag = "2")]
    pub seq: u64,
}

/// A mailbox.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct MailboxRecord {
    /// Identity key of the account it belongs to.
    #[prost(bytes = "vec", tag = "1")]
    pub owner: Vec<u8>,
    /// Who may write to it.
    #[prost(message, required, tag = "2")]
    pub policy: PolicyRecord,
    /// Channels that have a queue, 16 bytes each, none for the default queue.
    #[prost(bytes = "vec", repeated, tag = "3")]
    pub channels: Vec<Vec<u8>>,
    /// Tokens that are not used yet.
    #[prost(uint64, tag = "6")]
    pub tokens: u64,
    /// Random, 8 bytes: what lies in it is not found under the same id after it was closed.
    #[prost(bytes = "vec", tag = "4")]
    pub incarnation: Vec<u8>,
    /// Its place in the account's sequence of mailboxes.
    #[prost(uint64, tag = "5")]
    pub ordinal: u64,
}

/// A mailbox of an account.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct AccountMailboxRecord {
    /// Its id.
    #[prost(bytes = "vec", tag = "1")]
    pub mailbox: Vec<u8>,
}

/// What a mailbox that was closed leaves to be removed.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct GraveRecord {
    /// Under which its tokens lie.
    #[prost(bytes = "vec", tag = "1")]
    pub tokens: Vec<u8>,
    /// Under which the deliveries of its queues lie that still hold something.
    #[prost(bytes = "vec", repeated, tag = "2")]
    pub queues: Vec<Vec<u8>>,
    /// A set of an account's.
    #[prost(message, optional, tag = "3")]
    pub set: Option<SetGraveRecord>,
}

/// Ids of a set that begin alike.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct SetRecord {
    /// Each.
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub ids: Vec<Vec<u8>>,
}

/// A set that goes with its account, of which each id is dealt with in its own way.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct SetGraveRecord {
    /// Whose it was.
    #[prost(bytes = "vec", tag = "1")]
    pub identity: Vec<u8>,
    /// Under which the ids lie.
    #[prost(bytes = "vec", tag = "2")]
    pub prefix: Vec<u8>,
    /// Of which kind the ids are.
    #[prost(enumeration = "SetKind", tag = "3")]
    pub kind: i32,
}

/// What the ids of a set are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub(crate) enum SetKind {
    /// Nothing this program knows.
    Unknown = 0,
    /// Hashes of contact tokens.
    ContactTokens = 1,
    /// Ids of channels on whose lists the account is.
    Memberships = 2,
    /// Hashes of blobs that the account has.
    Blobs = 3,
}

/// An account.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct AccountRecord {
    /// Its devices, at most five.
    #[prost(message, repeated, tag = "1")]
    pub devices: Vec<DeviceRecord>,
    /// Its name, folded.
    #[prost(string, tag = "10")]
    pub username: String,
    /// RegistrationRecord of RFC 9807.
    #[prost(bytes = "vec", tag = "11")]
    pub opaque_record: Vec<u8>,
    /// Unix time in ms.
    #[prost(uint64, tag = "12")]
    pub registered_at_ms: u64,
    /// Whether it administers the relay.
    #[prost(bool, tag = "13")]
    pub is_administrator: bool,
    /// Its place among the accounts.
    #[prost(uint64, tag = "14")]
    pub place: u64,
    /// Whether its identity has ended: nobody logs in to it.
    #[prost(bool, tag = "20")]
    pub is_revoked: bool,
}

/// Whose a name is, or a place among the accounts.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct UsernameRecord {
    /// Identity key.
    #[prost(bytes = "vec", tag = "1")]
    pub identity: Vec<u8>,
}

/// A session.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct SessionRecord {
    /// Identity key.
    #[prost(bytes = "vec", tag = "1")]
    pub identity: Vec<u8>,
    /// Device key.
    #[prost(bytes = "vec", tag = "2")]
    pub device: Vec<u8>,
    /// Unix time in ms.
    #[prost(uint64, tag = "3")]
    pub expires_at_ms: u64,
}

/// A session of an account.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct AccountSessionRecord {
    /// SHA-256 of its token.
    #[prost(bytes = "vec", tag = "1")]
    pub token_hash: Vec<u8>,
    /// Device key.
    #[prost(bytes = "vec", tag = "2")]
    pub device: Vec<u8>,
}

/// An invitation to register.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct InvitationRecord {
    /// Accounts that it is still good for.
    #[prost(uint32, tag = "1")]
    pub uses: u32,
    /// Unix time in ms.
    #[prost(uint64, tag = "2")]
    pub expires_at_ms: u64,
}

/// A device of an account.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct DeviceRecord {
    /// Device key.
    #[prost(bytes = "vec", tag = "1")]
    pub device: Vec<u8>,
    /// Node key of the node on which it runs.
    #[prost(bytes = "vec", tag = "2")]
    pub node: Vec<u8>,
    /// Unix time in ms.
    #[prost(uint64, tag = "3")]
    pub registered_at_ms: u64,
    /// Unix time in ms, to the hour; 0 if never.
    #[prost(uint64, tag = "4")]
    pub last_seen_ms: u64,
}
