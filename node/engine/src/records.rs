//! What the engine keeps, as protobuf messages. Never sent to anybody.

use std::fmt;

use prost::{Enumeration, Message};
use zeroize::Zeroize;

/// The person this node serves, with its secrets.
#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub(crate) struct IdentityRecord {
    /// Seed of the identity key, 32 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub identity_seed: Vec<u8>,
    /// Seed of the device key, 32 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub device_seed: Vec<u8>,
    /// Seed of the hybrid key, 32 bytes.
    #[prost(bytes = "vec", tag = "3")]
    pub hybrid_seed: Vec<u8>,
    #[prost(string, tag = "4")]
    pub name: String,
    #[prost(uint64, tag = "5")]
    pub created_at_ms: u64,
    /// The newest signed device list.
    #[prost(bytes = "vec", tag = "6")]
    pub device_list: Vec<u8>,
    /// Signature of the identity over the hybrid public key, 64 bytes.
    #[prost(bytes = "vec", tag = "7")]
    pub hybrid_signature: Vec<u8>,
}

impl fmt::Debug for IdentityRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdentityRecord").finish_non_exhaustive()
    }
}

impl Drop for IdentityRecord {
    fn drop(&mut self) {
        self.identity_seed.zeroize();
        self.device_seed.zeroize();
        self.hybrid_seed.zeroize();
    }
}

/// The node's own time, which grows while the node runs and by what can be believed of the gaps between runs.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ClockRecord {
    #[prost(uint64, tag = "1")]
    pub node_ms: u64,
    #[prost(uint64, tag = "2")]
    pub wall_ms: u64,
}

/// How this person stands to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumeration)]
#[repr(i32)]
pub(crate) enum Standing {
    /// Known only as a member of a common group.
    Member = 0,
    /// We asked to become contacts.
    Requested = 1,
    /// They asked, through a reusable link.
    Pending = 2,
    Accepted = 3,
    Blocked = 4,
}

/// What comparing safety numbers gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumeration)]
#[repr(i32)]
pub(crate) enum Verification {
    Unverified = 0,
    Verified = 1,
    Mismatched = 2,
}

/// Somebody else.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct PersonRecord {
    #[prost(bytes = "vec", tag = "1")]
    pub identity: Vec<u8>,
    /// The name on this node; unique among contacts.
    #[prost(string, tag = "2")]
    pub name: String,
    #[prost(enumeration = "Standing", tag = "3")]
    pub standing: i32,
    #[prost(enumeration = "Verification", tag = "4")]
    pub verification: i32,
    #[prost(uint64, tag = "5")]
    pub verified_at_ms: u64,
    /// The newest signed device list seen; empty for mere members.
    #[prost(bytes = "vec", tag = "6")]
    pub device_list: Vec<u8>,
    /// Node keys, 32 bytes each.
    #[prost(bytes = "vec", repeated, tag = "7")]
    pub nodes: Vec<Vec<u8>>,
    /// Where the nodes may be.
    #[prost(string, repeated, tag = "8")]
    pub addresses: Vec<String>,
    #[prost(bytes = "vec", tag = "9")]
    pub hybrid_key: Vec<u8>,
    #[prost(uint64, tag = "10")]
    pub added_at_ms: u64,
    /// Direct conversation, 16 bytes; empty if there is none.
    #[prost(bytes = "vec", tag = "11")]
    pub conversation: Vec<u8>,
    /// Token with which we ask, or with which they asked.
    #[prost(bytes = "vec", tag = "12")]
    pub token: Vec<u8>,
    /// Conversation of the group we ask to be added to, 16 bytes; empty for a contact request.
    #[prost(bytes = "vec", tag = "13")]
    pub joining: Vec<u8>,
    /// A request has been sealed and lies in the outbox.
    #[prost(bool, tag = "14")]
    pub request_sealed: bool,
    /// Token of a request of theirs that is still under way though we are contacts already.
    #[prost(bytes = "vec", tag = "16")]
    pub crossing_token: Vec<u8>,
    /// What the standing was before it was blocked.
    #[prost(enumeration = "Standing", tag = "15")]
    pub standing_before_block: i32,
}

/// A link that can be used.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct InvitationRecord {
    #[prost(bytes = "vec", tag = "1")]
    pub token: Vec<u8>,
    #[prost(bool, tag = "2")]
    pub reusable: bool,
    #[prost(uint64, tag = "3")]
    pub created_at_ms: u64,
    /// For display.
    #[prost(uint64, tag = "4")]
    pub expires_at_ms: u64,
    /// In the node's own time; 0 for never.
    #[prost(uint64, tag = "5")]
    pub expires_node_ms: u64,
    #[prost(uint64, tag = "6")]
    pub used: u64,
    /// Conversation it leads to, 16 bytes; empty for a contact invitation.
    #[prost(bytes = "vec", tag = "7")]
    pub conversation: Vec<u8>,
    #[prost(string, tag = "8")]
    pub link: String,
}

/// Direct or group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumeration)]
#[repr(i32)]
pub(crate) enum Kind {
    Direct = 0,
    Group = 1,
}

/// Whether a conversation can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumeration)]
#[repr(i32)]
pub(crate) enum Stage {
    /// There is no MLS group yet.
    Waiting = 0,
    Open = 1,
    /// Left, or removed from.
    Ended = 2,
}

/// A routing secret and until when it is recognised.
#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub(crate) struct RouteRecord {
    #[prost(bytes = "vec", tag = "1")]
    pub secret: Vec<u8>,
    /// In the node's own time; 0 while it is the current one.
    #[prost(uint64, tag = "2")]
    pub until_node_ms: u64,
    /// The MLS group it belongs to.
    #[prost(bytes = "vec", tag = "3")]
    pub group_id: Vec<u8>,
}

impl fmt::Debug for RouteRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouteRecord").finish_non_exhaustive()
    }
}

impl Drop for RouteRecord {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

/// A conversation.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ConversationRecord {
    /// 16 random bytes, never sent.
    #[prost(bytes = "vec", tag = "1")]
    pub id: Vec<u8>,
    #[prost(enumeration = "Kind", tag = "2")]
    pub kind: i32,
    #[prost(enumeration = "Stage", tag = "3")]
    pub stage: i32,
    /// The group's name on this node, without sigil; empty for direct ones.
    #[prost(string, tag = "4")]
    pub name: String,
    /// The other person of a direct conversation.
    #[prost(bytes = "vec", tag = "5")]
    pub contact: Vec<u8>,
    /// The MLS group in use.
    #[prost(bytes = "vec", tag = "6")]
    pub group_id: Vec<u8>,
    #[prost(message, repeated, tag = "7")]
    pub routes: Vec<RouteRecord>,
    #[prost(uint64, tag = "8")]
    pub unread: u64,
    #[prost(uint64, tag = "9")]
    pub last_at_ms: u64,
    /// Sequence of the last own numbered content.
    #[prost(uint64, tag = "10")]
    pub own_sequence: u64,
    #[prost(uint64, tag = "11")]
    pub read_cursor: u64,
    /// Members, for lists; the group itself is the truth.
    #[prost(uint32, tag = "12")]
    pub members: u32,
    /// Identity keys of members who have said that they leave, this person included.
    #[prost(bytes = "vec", repeated, tag = "13")]
    pub leaving: Vec<Vec<u8>>,
    /// Other MLS groups of a direct conversation that lost, kept for what is still under way.
    #[prost(bytes = "vec", repeated, tag = "14")]
    pub retired_groups: Vec<Vec<u8>>,
    /// MLS cipher suite of the group in use, its code point.
    #[prost(uint32, tag = "16")]
    pub suite: u32,
    /// Commits processed in the group in use, so that epochs of this branch can be ordered.
    #[prost(uint64, tag = "17")]
    pub epoch_ordinal: u64,
    /// The newest epoch that every member is known to have reached, 32 bytes.
    #[prost(bytes = "vec", tag = "15")]
    pub stable_epoch: Vec<u8>,
}

/// What is known of a sender in one conversation.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct SenderRecord {
    /// Every sequence up to here is here or given up.
    #[prost(uint64, tag = "1")]
    pub contiguous: u64,
    /// Sequences above it that are here.
    #[prost(uint64, repeated, tag = "2")]
    pub ahead: Vec<u64>,
    /// Commits since the start that the sender is known to have processed.
    #[prost(uint64, tag = "3")]
    pub epoch_ordinal: u64,
    /// When missing ones were last asked for, in the node's own time.
    #[prost(uint64, tag = "4")]
    pub asked_node_ms: u64,
    #[prost(bytes = "vec", tag = "5")]
    pub conversation: Vec<u8>,
    #[prost(bytes = "vec", tag = "6")]
    pub identity: Vec<u8>,
}

/// How far a message got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub(crate) enum Progress {
    Queued = 0,
    Sent = 1,
    Delivered = 2,
    Expired = 3,
    Failed = 4,
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
}

/// A content that waits for an MLS group.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct UnsealedRecord {
    #[prost(bytes = "vec", tag = "1")]
    pub content: Vec<u8>,
}

/// An entry of the outbox; its payload lies beside it.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ParcelRecord {
    /// Recipients that are not done with it.
    #[prost(uint32, tag = "1")]
    pub remaining: u32,
    /// Message id, 16 bytes; empty for what is no message.
    #[prost(bytes = "vec", tag = "2")]
    pub message: Vec<u8>,
    /// Conversation, 16 bytes; empty for introductions.
    #[prost(bytes = "vec", tag = "3")]
    pub conversation: Vec<u8>,
    /// In the node's own time.
    #[prost(uint64, tag = "4")]
    pub expires_node_ms: u64,
    /// Identity key if it is for one person; empty if for members of the conversation.
    #[prost(bytes = "vec", tag = "5")]
    pub recipient: Vec<u8>,
    /// Delivery id, 16 bytes.
    #[prost(bytes = "vec", tag = "6")]
    pub delivery: Vec<u8>,
    /// A content that is no text, to be sealed again if the recipient can no longer open it.
    #[prost(bytes = "vec", tag = "7")]
    pub content: Vec<u8>,
    /// Identity keys of members whom it is not for.
    #[prost(bytes = "vec", repeated, tag = "8")]
    pub except: Vec<Vec<u8>>,
}

/// How far a recipient is in a stream of the outbox.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct CursorRecord {
    /// Ordinal up to which every entry was taken, or is for others.
    #[prost(uint64, tag = "1")]
    pub through: u64,
    /// Ordinals of entries that the recipient's node has stored and not opened, ascending.
    #[prost(uint64, repeated, tag = "2")]
    pub stored: Vec<u64>,
}

/// The outbox as a whole.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct OutboxRecord {
    /// No ordinal from here on has been used.
    #[prost(uint64, tag = "1")]
    pub reserved: u64,
}

/// What was answered to a delivery.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct SeenRecord {
    /// A `Disposition`.
    #[prost(int32, tag = "1")]
    pub disposition: i32,
    /// Delivery id, 16 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub delivery: Vec<u8>,
}

/// An MLS message of an epoch that is not here yet.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct FutureRecord {
    #[prost(bytes = "vec", tag = "1")]
    pub message: Vec<u8>,
    /// Node it came from.
    #[prost(bytes = "vec", tag = "2")]
    pub node: Vec<u8>,
    /// Delivery id, 16 bytes.
    #[prost(bytes = "vec", tag = "3")]
    pub delivery: Vec<u8>,
}

/// A change of a group that is not committed yet.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ChangeRecord {
    /// A serialized `SignedChange`.
    #[prost(bytes = "vec", tag = "1")]
    pub signed: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub id: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    pub author: Vec<u8>,
}

/// What became of a change that was asked for on this node.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ChangeStateRecord {
    #[prost(bytes = "vec", tag = "1")]
    pub conversation: Vec<u8>,
    #[prost(bool, tag = "2")]
    pub committed: bool,
    #[prost(string, tag = "3")]
    pub failed: String,
}

/// Key packages somebody made for this person's use.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct KeyPackagesRecord {
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub packages: Vec<Vec<u8>>,
}

/// A commit since the stable epoch.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct CommitRecord {
    /// Epoch id it was made on, 32 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub parent: Vec<u8>,
    /// Epoch id it leads to, 32 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub epoch: Vec<u8>,
    /// The MLS message.
    #[prost(bytes = "vec", tag = "3")]
    pub commit: Vec<u8>,
    /// In the node's own time.
    #[prost(uint64, tag = "4")]
    pub at_node_ms: u64,
}

/// A copy of a group's state.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct CheckpointRecord {
    #[prost(bytes = "vec", tag = "1")]
    pub group_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub epoch: Vec<u8>,
    /// In the node's own time.
    #[prost(uint64, tag = "3")]
    pub at_node_ms: u64,
    /// Commits since the start when it was made.
    #[prost(uint64, tag = "4")]
    pub epoch_ordinal: u64,
}

/// An event, as it is kept: what it names is looked up when it is read.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct EventRecord {
    #[prost(uint64, tag = "1")]
    pub at_ms: u64,
    /// "message", "state", "contact", "group", "gap" or "alarm".
    #[prost(string, tag = "2")]
    pub what: String,
    /// Conversation, 16 bytes.
    #[prost(bytes = "vec", tag = "3")]
    pub conversation: Vec<u8>,
    /// Cursor of the message.
    #[prost(uint64, tag = "4")]
    pub cursor: u64,
    /// Identity of the person.
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

/// A name's owner.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct NameRecord {
    /// Identity key or conversation id.
    #[prost(bytes = "vec", tag = "1")]
    pub target: Vec<u8>,
}
