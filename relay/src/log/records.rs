//! What is kept of the log besides its entries and nodes.

use prost::Message;
use qpq_crypto::transparency::Revocation;

/// How large the log is, and what was last signed of it.
#[derive(Clone, PartialEq, Message)]
pub(super) struct LogRecord {
    /// Entries.
    #[prost(uint64, tag = "1")]
    pub size: u64,
    /// The newest tree head that was signed, encoded; empty if none ever was.
    #[prost(bytes = "vec", tag = "2")]
    pub head: Vec<u8>,
    /// The same tree as a checkpoint; empty if nobody asked for it.
    #[prost(string, tag = "3")]
    pub checkpoint: String,
}

/// What the log says of a subject.
#[derive(Clone, PartialEq, Message)]
pub(super) struct SubjectRecord {
    /// How often it was set.
    #[prost(uint64, tag = "1")]
    pub version: u64,
    /// Of the newest version's commitment, 32 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub opening: Vec<u8>,
    /// Index of the newest version's entry.
    #[prost(uint64, tag = "3")]
    pub index: u64,
    /// Of a name: the identity key behind it; empty if there is nobody.
    #[prost(bytes = "vec", tag = "4")]
    pub identity: Vec<u8>,
    /// Of an identity: how it ended.
    #[prost(message, optional, tag = "5")]
    pub revocation: Option<RevocationRecord>,
}

/// The end of an identity.
#[derive(Clone, PartialEq, Message)]
pub(super) struct RevocationRecord {
    /// As its owner signed it.
    #[prost(uint64, tag = "1")]
    pub sequence: u64,
    /// Unix time in ms.
    #[prost(uint64, tag = "2")]
    pub at_ms: u64,
    /// As its owner signed it.
    #[prost(string, tag = "3")]
    pub reason: String,
    /// The owner's.
    #[prost(bytes = "vec", tag = "4")]
    pub signature: Vec<u8>,
}

impl From<&Revocation> for RevocationRecord {
    fn from(revocation: &Revocation) -> Self {
        Self {
            sequence: revocation.sequence,
            at_ms: revocation.at_ms,
            reason: revocation.reason.clone(),
            signature: revocation.signature.clone(),
        }
    }
}
