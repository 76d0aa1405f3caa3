//! Recovery codes, and what is sealed for them.

use std::fmt;

use prost::Message;
use zeroize::Zeroize;

use super::{MailboxRecord, PersonRecord};

/// The codes by which this person can come back, and how far the relays are.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct RecoveryRecord {
    #[prost(message, repeated, tag = "1")]
    pub codes: Vec<RecoveryCodeRecord>,
    /// Unix time in ms.
    #[prost(uint64, tag = "2")]
    pub created_at_ms: u64,
    /// Under which bundles are sealed and stored now; 0 before the first time.
    #[prost(uint64, tag = "3")]
    pub version: u64,
    /// SHA-256 of what lasts of the contents that were sealed then; empty if they are to be sealed anew.
    #[prost(bytes = "vec", tag = "4")]
    pub digest: Vec<u8>,
    /// Sequence of the device list in them.
    #[prost(uint64, tag = "5")]
    pub device_list_sequence: u64,
    /// When they were sealed first, in the node's own time.
    #[prost(uint64, tag = "6")]
    pub sealed_node_ms: u64,
    #[prost(message, repeated, tag = "7")]
    pub places: Vec<RecoveryPlaceRecord>,
}

/// What is kept of a code.
#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub(crate) struct RecoveryCodeRecord {
    /// From 1.
    #[prost(uint32, tag = "1")]
    pub number: u32,
    /// Token hash, key of the bundle and key of the check, 96 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub keys: Vec<u8>,
}

/// How far a relay is.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct RecoveryPlaceRecord {
    /// Pin of the relay, 32 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub pin: Vec<u8>,
    /// Bundles that it has said it holds.
    #[prost(message, repeated, tag = "2")]
    pub stored: Vec<StoredBundleRecord>,
    /// Token hashes of bundles that it is to delete, 32 bytes each.
    #[prost(bytes = "vec", repeated, tag = "3")]
    pub to_delete: Vec<Vec<u8>>,
}

/// A bundle at a relay.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct StoredBundleRecord {
    /// 32 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub token_hash: Vec<u8>,
    #[prost(uint64, tag = "2")]
    pub version: u64,
}

/// What a recovery bundle holds. Newer versions read what older ones sealed: fields are only ever added.
#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub(crate) struct RecoveryContents {
    /// Seed of the identity key, 32 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub identity_seed: Vec<u8>,
    #[prost(string, tag = "2")]
    pub name: String,
    /// The newest signed device list.
    #[prost(bytes = "vec", tag = "3")]
    pub device_list: Vec<u8>,
    /// When it was sealed, Unix time in ms.
    #[prost(uint64, tag = "4")]
    pub made_at_ms: u64,
    /// When the codes were made, Unix time in ms.
    #[prost(uint64, tag = "5")]
    pub codes_made_at_ms: u64,
    #[prost(message, repeated, tag = "6")]
    pub codes: Vec<RecoveryCodeRecord>,
    #[prost(message, repeated, tag = "7")]
    pub relays: Vec<RecoveryRelayRecord>,
    #[prost(message, repeated, tag = "8")]
    pub contacts: Vec<RecoveryContactRecord>,
    /// Contacts for whom there was no room.
    #[prost(uint64, tag = "9")]
    pub left_out: u64,
    /// Token hashes of bundles that some relay is still to delete, 32 bytes each.
    #[prost(bytes = "vec", repeated, tag = "10")]
    pub withdrawn: Vec<Vec<u8>>,
}

/// An account at a relay.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct RecoveryRelayRecord {
    /// Pin of the relay, 32 bytes.
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
    /// The person's mailbox there, 32 bytes.
    #[prost(bytes = "vec", tag = "5")]
    pub mailbox: Vec<u8>,
    #[prost(uint32, tag = "6")]
    pub preference: u32,
}

/// A contact, and where its deliveries may be left.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct RecoveryContactRecord {
    #[prost(message, optional, tag = "1")]
    pub person: Option<PersonRecord>,
    /// With a few of the tokens.
    #[prost(message, repeated, tag = "2")]
    pub mailboxes: Vec<MailboxRecord>,
}

impl fmt::Debug for RecoveryCodeRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecoveryCodeRecord").field("number", &self.number).finish_non_exhaustive()
    }
}

impl Drop for RecoveryCodeRecord {
    fn drop(&mut self) {
        self.keys.zeroize();
    }
}

impl fmt::Debug for RecoveryContents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecoveryContents").finish_non_exhaustive()
    }
}

impl Drop for RecoveryContents {
    fn drop(&mut self) {
        self.identity_seed.zeroize();
    }
}
