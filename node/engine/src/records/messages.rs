//! Messages, how far they got, and events.

use prost::{Enumeration, Message};

/// How far a message got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub(crate) enum Progress {
    Queued = 0,
    Sent = 1,
    Delivered = 2,
    Expired = 3,
    Failed = 4,
    /// It lies at a relay of the recipient's.
    Relayed = 5,
}

/// A text in a conversation.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct MessageRecord {
    #[prost(bytes = "vec", tag = "1")]
    pub id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub from: Vec<u8>,
    #[prost(string, tag = "3")]
    pub text: String,
    #[prost(uint64, tag = "4")]
    pub sent_at_ms: u64,
    #[prost(uint64, tag = "5")]
    pub stored_at_ms: u64,
    #[prost(bool, tag = "6")]
    pub own: bool,
    #[prost(uint32, tag = "7")]
    pub recipients: u32,
    /// Recipients for whom it is stored on another node, or further.
    #[prost(uint32, tag = "8")]
    pub sent: u32,
    #[prost(uint32, tag = "9")]
    pub delivered: u32,
    /// Recipients with whom it will not get further.
    #[prost(uint32, tag = "10")]
    pub lost: u32,
    #[prost(uint64, tag = "11")]
    pub sequence: u64,
    #[prost(bool, tag = "12")]
    pub expired: bool,
    /// Nodes that carry it.
    #[prost(uint32, tag = "14")]
    pub handed: u32,
    /// Unix time in ms at which the first of them took it.
    #[prost(uint64, tag = "15")]
    pub handed_at_ms: u64,
    /// Those nodes, at most 64 of them: a byte that is 1 if it survives a restart there, and the node key.
    #[prost(bytes = "vec", repeated, tag = "16")]
    pub carriers: Vec<Vec<u8>>,
    /// Those of them that keep it in memory only.
    #[prost(uint32, tag = "17")]
    pub handed_volatile: u32,
    /// Recipients for whom it lies at a relay of theirs.
    #[prost(uint32, tag = "19")]
    pub relayed: u32,
    /// It waits for its conversation to get a group; until then nobody knows how many recipients it has.
    #[prost(bool, tag = "13")]
    pub is_unsealed: bool,
    /// It was sealed, and waits to be sealed again when its conversation has a group again.
    #[prost(bool, tag = "18")]
    pub is_kept_again: bool,
}

/// Where a message lies.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct PlaceRecord {
    #[prost(bytes = "vec", tag = "1")]
    pub conversation: Vec<u8>,
    #[prost(uint64, tag = "2")]
    pub cursor: u64,
    #[prost(bytes = "vec", tag = "3")]
    pub sender: Vec<u8>,
}

/// How far a message got with one recipient.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct DeliveryRecord {
    #[prost(enumeration = "Progress", tag = "2")]
    pub progress: i32,
    /// Unix time in ms at which another node had stored it.
    #[prost(uint64, tag = "4")]
    pub sent_at_ms: u64,
    /// Unix time in ms at which it got as far as it can.
    #[prost(uint64, tag = "5")]
    pub ended_at_ms: u64,
    /// Why it is not further.
    #[prost(string, tag = "6")]
    pub reason: String,
    #[prost(uint32, tag = "7")]
    pub attempts: u32,
    /// Unix time in ms at which a relay of the recipient's took it.
    #[prost(uint64, tag = "8")]
    pub relayed_at_ms: u64,
}

/// A content that waits for an MLS group.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct UnsealedRecord {
    #[prost(bytes = "vec", tag = "1")]
    pub content: Vec<u8>,
    /// When its lifetime ends, in the node's own time; 0 if that begins when it is sealed.
    #[prost(uint64, tag = "2")]
    pub expires_node_ms: u64,
}

/// An event, as it is kept: what it names is looked up when it is read.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct EventRecord {
    #[prost(uint64, tag = "1")]
    pub at_ms: u64,
    /// "message", "state", "contact", "group", "gap", "post", "relay" or "alarm".
    #[prost(string, tag = "2")]
    pub what: String,
    /// Conversation, 16 bytes; of a post its topic, 32 bytes.
    #[prost(bytes = "vec", tag = "3")]
    pub conversation: Vec<u8>,
    /// Cursor of the message or the post.
    #[prost(uint64, tag = "4")]
    pub cursor: u64,
    /// Identity of the person, or the pin of the relay.
    #[prost(bytes = "vec", tag = "5")]
    pub person: Vec<u8>,
    /// What happened to a group, or the alarm's code.
    #[prost(string, tag = "6")]
    pub code: String,
    /// In words.
    #[prost(string, tag = "7")]
    pub text: String,
    #[prost(uint64, tag = "8")]
    pub number: u64,
}
