//! Tree heads: what a relay signs of its log, and the proof that it signed two that cannot both be true.

use qpq_proto::limits::DOMAIN_BYTES_MAX;

use super::merkle::LogHash;
use crate::encoding::{Reader, Truncated};
use crate::identity::LogSecret;
use crate::ids::LogKey;
use crate::signature::{Domain, SIGNATURE_BYTES, Verify};

/// A relay's statement of its log. The fields are for reading: whoever changes one holds something that
/// [`TreeHead::verify`] refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeHead {
    /// Domain of the relay.
    pub relay: String,
    /// Entries in the log.
    pub size: u64,
    /// Root of the log.
    pub root: LogHash,
    /// Unix time in ms of signing. A relay that signs a smaller tree later convicts itself: it never lets its
    /// clock go back behind what it has signed.
    pub signed_at_ms: u64,
    /// By the relay's log key over the fields above.
    pub signature: [u8; SIGNATURE_BYTES],
}

/// Why a tree head, or a proof made of two, is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TreeHeadError {
    /// The bytes end too early.
    #[error("tree head is truncated")]
    Truncated,
    /// Bytes follow it.
    #[error("tree head is followed by other bytes")]
    TrailingBytes,
    /// Made by a newer version.
    #[error("tree head has the unknown form {0}")]
    UnknownForm(u8),
    /// The relay's domain is empty, too long, or not UTF-8.
    #[error("tree head names no relay")]
    Relay,
    /// About another relay's log.
    #[error("tree head is about another relay's log")]
    OtherRelay,
    /// Not signed by the log's key.
    #[error("tree head is not signed by its log")]
    Signature,
    /// Both heads of the proof can be true.
    #[error("tree heads do not contradict each other")]
    NoContradiction,
}

impl From<Truncated> for TreeHeadError {
    fn from(_: Truncated) -> Self {
        Self::Truncated
    }
}

/// How two tree heads contradict each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contradiction {
    /// One size, two roots: different people are shown different logs.
    TwoRoots,
    /// Two sizes, one root, which no two logs can have.
    TwoSizes,
    /// The smaller tree was signed later: entries were taken back.
    RolledBack,
}

/// Two tree heads that a relay signed and that cannot both be true: whoever has the relay's log key convicts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForkProof {
    /// One of them.
    pub one: TreeHead,
    /// The other.
    pub other: TreeHead,
}

impl TreeHead {
    /// Signs a tree head. `relay` has 1 to 253 bytes.
    pub fn sign(key: &LogSecret, relay: &str, size: u64, root: LogHash, signed_at_ms: u64) -> Self {
        let mut head =
            Self { relay: relay.to_owned(), size, root, signed_at_ms, signature: [0; SIGNATURE_BYTES] };
        head.signature = head.covered(|parts| key.sign(Domain::TreeHead, parts));
        head
    }

    /// Verifies that a log signed it for a relay.
    ///
    /// # Errors
    /// [`TreeHeadError::OtherRelay`], [`TreeHeadError::Signature`].
    pub fn verify(&self, relay: &str, key: &LogKey) -> Result<(), TreeHeadError> {
        if self.relay != relay {
            return Err(TreeHeadError::OtherRelay);
        }
        self.covered(|parts| key.verify(Domain::TreeHead, parts, &self.signature))
            .map_err(|_| TreeHeadError::Signature)
    }

    /// How it contradicts another head of the same relay, if it does.
    pub fn contradiction(&self, other: &Self) -> Option<Contradiction> {
        let (earlier, later) =
            if self.signed_at_ms <= other.signed_at_ms { (self, other) } else { (other, self) };
        let is_later = earlier.signed_at_ms < later.signed_at_ms;
        match (self.size == other.size, self.root == other.root) {
            (true, true) => None,
            (true, false) => Some(Contradiction::TwoRoots),
            (false, true) => Some(Contradiction::TwoSizes),
            (false, false) => (is_later && later.size < earlier.size).then_some(Contradiction::RolledBack),
        }
    }

    fn covered<T>(&self, use_parts: impl FnOnce(&[&[u8]]) -> T) -> T {
        let (size, time) = (self.size.to_be_bytes(), self.signed_at_ms.to_be_bytes());
        use_parts(&[self.relay.as_bytes(), &size, &self.root, &time])
    }

    /// `form (1) = 1 | length (1) | relay | size (8) | root (32) | signed at (8) | signature (64)`.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![FORM];
        let length = self.relay.len().min(DOMAIN_BYTES_MAX);
        bytes.push(u8::try_from(length).unwrap_or(u8::MAX));
        bytes.extend_from_slice(&self.relay.as_bytes()[..length]);
        bytes.extend_from_slice(&self.size.to_be_bytes());
        bytes.extend_from_slice(&self.root);
        bytes.extend_from_slice(&self.signed_at_ms.to_be_bytes());
        bytes.extend_from_slice(&self.signature);
        bytes
    }

    /// Reads what [`TreeHead::encode`] wrote. Nothing is verified.
    ///
    /// # Errors
    /// Those of [`TreeHeadError`] that are about the form.
    pub fn decode(bytes: &[u8]) -> Result<Self, TreeHeadError> {
        let mut reader = Reader::new(bytes);
        let head = Self::read(&mut reader)?;
        if reader.remaining() > 0 {
            return Err(TreeHeadError::TrailingBytes);
        }
        Ok(head)
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, TreeHeadError> {
        let form = reader.u8()?;
        if form != FORM {
            return Err(TreeHeadError::UnknownForm(form));
        }
        Ok(Self {
            relay: read_relay(reader)?,
            size: reader.u64()?,
            root: reader.array()?,
            signed_at_ms: reader.u64()?,
            signature: reader.array()?,
        })
    }
}

/// Reads the domain of a relay behind its length.
pub(super) fn read_relay(reader: &mut Reader<'_>) -> Result<String, TreeHeadError> {
    let length = usize::from(reader.u8()?);
    let relay = std::str::from_utf8(reader.bytes(length)?).map_err(|_| TreeHeadError::Relay)?;
    if !(1..=DOMAIN_BYTES_MAX).contains(&length) {
        return Err(TreeHeadError::Relay);
    }
    Ok(relay.to_owned())
}

impl ForkProof {
    /// Verifies the proof: both heads are the relay's, and they contradict each other.
    ///
    /// # Errors
    /// [`TreeHeadError::OtherRelay`], [`TreeHeadError::Signature`], [`TreeHeadError::NoContradiction`].
    pub fn verify(&self, relay: &str, key: &LogKey) -> Result<Contradiction, TreeHeadError> {
        self.one.verify(relay, key)?;
        self.other.verify(relay, key)?;
        self.one.contradiction(&self.other).ok_or(TreeHeadError::NoContradiction)
    }

    /// Both heads, one after the other.
    pub fn encode(&self) -> Vec<u8> {
        [self.one.encode(), self.other.encode()].concat()
    }

    /// Reads what [`ForkProof::encode`] wrote. Nothing is verified.
    ///
    /// # Errors
    /// Those of [`TreeHeadError`] that are about the form.
    pub fn decode(bytes: &[u8]) -> Result<Self, TreeHeadError> {
        let mut reader = Reader::new(bytes);
        let proof = Self { one: TreeHead::read(&mut reader)?, other: TreeHead::read(&mut reader)? };
        if reader.remaining() > 0 {
            return Err(TreeHeadError::TrailingBytes);
        }
        Ok(proof)
    }
}

const FORM: u8 = 1;
