//! What is kept of channels.

use prost::Message;

/// A channel and its delivery list.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ChannelRecord {
    /// Those on the list, in the order in which they came.
    #[prost(message, repeated, tag = "1")]
    pub members: Vec<MemberRecord>,
    /// For a channel of two, their identity keys in order, one after the other; empty for a channel for more.
    #[prost(bytes = "vec", tag = "2")]
    pub pair: Vec<u8>,
    /// Identity key of who made it.
    #[prost(bytes = "vec", tag = "3")]
    pub made_by: Vec<u8>,
    /// The account's life in which it made it.
    #[prost(bytes = "vec", tag = "4")]
    pub made_in: Vec<u8>,
    /// Version of the metadata; 0 if there never was any.
    #[prost(uint64, tag = "5")]
    pub version: u64,
    /// Unix time in ms when members were last asked to update their leaves; 0 if never.
    #[prost(uint64, tag = "6")]
    pub rotation_asked_at_ms: u64,
}

/// Somebody on a channel's list.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct MemberRecord {
    /// Identity key.
    #[prost(bytes = "vec", tag = "1")]
    pub identity: Vec<u8>,
    /// Unix time in ms.
    #[prost(uint64, tag = "2")]
    pub joined_at_ms: u64,
    /// Identity key of who added it.
    #[prost(bytes = "vec", tag = "3")]
    pub added_by: Vec<u8>,
    /// The account's life in which it came.
    #[prost(bytes = "vec", tag = "4")]
    pub joined_in: Vec<u8>,
}

impl ChannelRecord {
    /// Whether somebody is on the list.
    pub(crate) fn has(&self, identity: &[u8]) -> bool {
        self.member(identity).is_some()
    }

    /// Somebody on the list.
    pub(crate) fn member(&self, identity: &[u8]) -> Option<&MemberRecord> {
        self.members.iter().find(|member| member.identity == identity)
    }

    /// Whether one member may take another off the list.
    pub(crate) fn may_remove(&self, who: &[u8], whom: &MemberRecord) -> bool {
        let is_first = self.members.first().is_some_and(|first| first.identity == who);
        let is_group = self.pair.is_empty();
        whom.identity == who || (is_group && (is_first || whom.added_by == who))
    }
}

/// The channel of two people.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct PairRecord {
    /// Its id.
    #[prost(bytes = "vec", tag = "1")]
    pub channel: Vec<u8>,
}

/// A channel's metadata, apart from the list, which is read more often.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct MetadataRecord {
    /// Encrypted by the members.
    #[prost(bytes = "vec", tag = "1")]
    pub metadata: Vec<u8>,
}

/// What an account has to do with channels.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ChannelAccountRecord {
    /// Random, 8 bytes, for as long as the account lives: under it and the identity key lie the ids of its channels.
    #[prost(bytes = "vec", tag = "1")]
    pub incarnation: Vec<u8>,
    /// Channels that it made and that still are.
    #[prost(uint64, tag = "2")]
    pub made: u64,
}
