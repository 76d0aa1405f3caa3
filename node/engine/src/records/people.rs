//! People, this one included.

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
    /// The last request to this person failed.
    #[prost(bool, tag = "17")]
    pub is_refused: bool,
    /// We are contacts and ask again, since the other side may have forgotten us: its group replaces the one we have.
    #[prost(bool, tag = "18")]
    pub is_renewing: bool,
    /// Token of a request of theirs that is still under way though we are contacts already.
    #[prost(bytes = "vec", tag = "16")]
    pub crossing_token: Vec<u8>,
    /// Hybrid key as another member told it, signed by the person; serves for welcomes into common groups alone.
    #[prost(bytes = "vec", tag = "19")]
    pub welcome_key: Vec<u8>,
    /// Which of the person's hybrid keys that is.
    #[prost(uint64, tag = "20")]
    pub welcome_sequence: u64,
    /// The person's signature of the hybrid key, 64 bytes.
    #[prost(bytes = "vec", tag = "21")]
    pub hybrid_signature: Vec<u8>,
    /// Which of the person's hybrid keys it is.
    #[prost(uint64, tag = "22")]
    pub hybrid_sequence: u64,
    /// Pin of the relay at which one of the two found the other by name, 32 bytes; empty if they met otherwise.
    #[prost(bytes = "vec", tag = "23")]
    pub met_at: Vec<u8>,
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
    /// The link names a mailbox whose relay does not know the link's tokens yet.
    #[prost(bool, tag = "9")]
    pub is_untold: bool,
}

/// Key packages somebody made for this person's use.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct KeyPackagesRecord {
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub packages: Vec<Vec<u8>>,
}

/// A name's owner.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct NameRecord {
    /// Identity key or conversation id.
    #[prost(bytes = "vec", tag = "1")]
    pub target: Vec<u8>,
}
