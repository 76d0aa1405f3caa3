//! What is kept of keys.

use bytes::Bytes;
use prost::Message;
use qpq_proto::ids::Identity;

/// The keys of a person.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct KeysRecord {
    /// Random, 8 bytes: the tokens of an account that was deleted are not found again.
    #[prost(bytes = "vec", tag = "1")]
    pub incarnation: Vec<u8>,
    /// Contact tokens that are held.
    #[prost(uint64, tag = "2")]
    pub tokens: u64,
}

impl KeysRecord {
    /// Under which the hashes of the person's contact tokens lie.
    pub(crate) fn all_tokens(&self, identity: Identity) -> Vec<u8> {
        [identity.as_bytes().as_slice(), &self.incarnation].concat()
    }
}

/// The single-use packages of a device.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct SupplyRecord {
    /// Those that are held, oldest first.
    #[prost(message, repeated, tag = "1")]
    pub packages: Vec<HeldRecord>,
    /// The last place that was given to one.
    #[prost(uint64, tag = "2")]
    pub last_ordinal: u64,
}

/// A package of a supply.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct HeldRecord {
    /// Its place.
    #[prost(uint64, tag = "1")]
    pub ordinal: u64,
    /// SHA-256.
    #[prost(bytes = "vec", tag = "2")]
    pub fingerprint: Vec<u8>,
    /// Its length in bytes.
    #[prost(uint64, tag = "3")]
    pub bytes: u64,
}

impl SupplyRecord {
    /// How many there are.
    pub(crate) fn held(&self) -> u32 {
        u32::try_from(self.packages.len()).unwrap_or(u32::MAX)
    }

    /// How long they are together.
    pub(crate) fn bytes(&self) -> u64 {
        self.packages.iter().map(|held| held.bytes).sum()
    }
}

/// A key package.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct PackageRecord {
    /// As uploaded.
    #[prost(bytes = "bytes", tag = "1")]
    pub package: Bytes,
}

/// A person's hybrid public key.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct HybridKeyRecord {
    /// 1,216 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub hybrid_public_key: Vec<u8>,
    /// Of the identity.
    #[prost(bytes = "vec", tag = "2")]
    pub signature: Vec<u8>,
    /// Which of the identity's it is.
    #[prost(uint64, tag = "3")]
    pub sequence: u64,
}
