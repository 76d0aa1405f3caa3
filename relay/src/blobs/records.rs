//! What is kept of blobs.

use prost::Message;

/// A blob that is readable.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct BlobRecord {
    /// Its length in bytes.
    #[prost(uint64, tag = "1")]
    pub total_bytes: u64,
    /// Accounts that have it.
    #[prost(uint64, tag = "2")]
    pub owners: u64,
}

/// What an account has of a blob: all, or an upload under way.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct OwnedRecord {
    /// Names the upload in the object store, 16 bytes; empty once the blob is readable.
    #[prost(bytes = "vec", tag = "1")]
    pub upload: Vec<u8>,
    /// Length of the whole in bytes.
    #[prost(uint64, tag = "2")]
    pub total_bytes: u64,
    /// Bytes received so far.
    #[prost(uint64, tag = "3")]
    pub received_bytes: u64,
    /// SHA-256 of the token with which others may read it; empty for nobody.
    #[prost(bytes = "vec", tag = "4")]
    pub access_token_hash: Vec<u8>,
    /// Lifetime of the whole from its last piece on.
    #[prost(uint64, tag = "5")]
    pub ttl_s: u64,
    /// Unix time in ms after which it is dropped.
    #[prost(uint64, tag = "6")]
    pub expires_at_ms: u64,
}

impl OwnedRecord {
    /// Whether the blob is readable.
    pub(crate) fn is_complete(&self) -> bool {
        self.upload.is_empty()
    }
}

/// What an account has of blobs, uploads under way included.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct BlobAccountRecord {
    /// Random, 8 bytes, for as long as the account lives.
    #[prost(bytes = "vec", tag = "1")]
    pub incarnation: Vec<u8>,
    /// Their lengths together.
    #[prost(uint64, tag = "2")]
    pub bytes: u64,
    /// How many there are.
    #[prost(uint64, tag = "3")]
    pub blobs: u64,
}

/// That whoever has a token may read a blob.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct AccessRecord {
    /// Owners that gave it out.
    #[prost(uint64, tag = "1")]
    pub owners: u64,
    /// Unix time in ms at which the last of them drops the blob.
    #[prost(uint64, tag = "2")]
    pub expires_at_ms: u64,
}
