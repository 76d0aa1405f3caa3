//! Conversations and the MLS groups behind them.

use std::fmt;

use prost::{Enumeration, Message};
use qpq_proto::v1::ChangeRefusalReason;
use zeroize::Zeroize;

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

/// How a conversation was when this device lost its group, with a rollback or by restoring a backup.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct InterruptionRecord {
    /// Sequence of the last own content until then.
    #[prost(uint64, tag = "1")]
    pub own_sequence: u64,
    /// Identity keys of the other members then; none if nobody knows.
    #[prost(bytes = "vec", repeated, tag = "2")]
    pub members: Vec<Vec<u8>>,
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
    /// Keys of members' devices that their persons have revoked and that still have a leaf.
    #[prost(bytes = "vec", repeated, tag = "18")]
    pub revoked: Vec<Vec<u8>>,
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
    /// While its group is waited for again.
    #[prost(message, optional, tag = "19")]
    pub interruption: Option<InterruptionRecord>,
    /// Identity keys of people who were members and are not, whose names the history may show.
    #[prost(bytes = "vec", repeated, tag = "20")]
    pub departed: Vec<Vec<u8>>,
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
    /// Sequence of the last own content before it became a member: nothing up to there is for it.
    #[prost(uint64, tag = "7")]
    pub joined_after: u64,
}

/// A change of a group that is not committed yet, or, without the change itself, one that was refused before it came.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ChangeRecord {
    /// A serialized `SignedChange`.
    #[prost(bytes = "vec", tag = "1")]
    pub signed: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub id: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    pub author: Vec<u8>,
    /// Identity key of a member who says that it is not made; it counts if that member commits.
    #[prost(bytes = "vec", tag = "4")]
    pub refused_by: Vec<u8>,
    /// Why that member does not make it.
    #[prost(enumeration = "ChangeRefusalReason", tag = "5")]
    pub refusal: i32,
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
