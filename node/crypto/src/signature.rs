//! What a signature covers, and the one rule by which it is verified.
//!
//! Every signature covers a label that names its purpose, then the parts of the message, each behind its
//! length as 8 bytes big-endian:
//!
//! ```text
//! length("qpq/v1/<label>") | "qpq/v1/<label>" | length(part 1) | part 1 | length(part 2) | part 2 | ...
//! ```
//!
//! so that a signature made for one purpose is worth nothing for another, and no bytes move between parts.
//! The same device key signs in MLS, where what is signed starts with the length of a label that starts
//! with "MLS 1.0 " (RFC 9420, section 5.1.2) as a variable-size integer and hence never with a zero byte;
//! what is signed here always does. The text of a checkpoint, which a log's key signs as well, starts with the
//! name of a relay.
//!
//! Ed25519 verification is strict: RFC 8032, without the cofactor, and a key or a commitment of small order
//! or in a non-canonical encoding is refused. What one device accepts every other accepts.

use ed25519_dalek::VerifyingKey;

use crate::encoding::put_prefixed;
use crate::ids::{DeviceKey, Identity, LogKey, NodeKey};

/// Bytes of a signature.
pub const SIGNATURE_BYTES: usize = 64;

/// What a signature is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Domain {
    /// An identity certifies one of its devices.
    DeviceCertificate,
    /// An identity lists its devices.
    DeviceList,
    /// An identity names the hybrid key to which bodies for it are sealed.
    HybridKey,
    /// A device introduces its person to one who shares no group with it yet.
    Introduction,
    /// A device asks for a change of a group.
    GroupChange,
    /// An identity shows a relay that it holds its key.
    KeyPossession,
    /// A device completes a login on a connection.
    Login,
    /// A device resumes a session on a connection.
    Session,
    /// An identity deletes its account.
    AccountDeletion,
    /// An identity ends itself.
    IdentityRevocation,
    /// A relay states what its transparency log is.
    TreeHead,
    /// An identity publishes where its nodes can be reached.
    EndpointRecord,
    /// An identity says that a device posts to topics for it; unlike a certificate it tells no node.
    PostingDevice,
    /// A device signs a post.
    TopicPost,
    /// A node says that a batch of deliveries is durable.
    DeliveryBatch,
    /// An identity reports a message to the administrators of a relay.
    Report,
}

impl Domain {
    const fn label(self) -> &'static str {
        match self {
            Self::DeviceCertificate => "qpq/v1/device certificate",
            Self::DeviceList => "qpq/v1/device list",
            Self::HybridKey => "qpq/v1/hybrid key",
            Self::Introduction => "qpq/v1/introduction",
            Self::GroupChange => "qpq/v1/group change",
            Self::KeyPossession => "qpq/v1/key possession",
            Self::Login => "qpq/v1/login",
            Self::Session => "qpq/v1/session",
            Self::AccountDeletion => "qpq/v1/account deletion",
            Self::IdentityRevocation => "qpq/v1/identity revocation",
            Self::TreeHead => "qpq/v1/tree head",
            Self::EndpointRecord => "qpq/v1/endpoint record",
            Self::PostingDevice => "qpq/v1/posting device",
            Self::TopicPost => "qpq/v1/topic post",
            Self::DeliveryBatch => "qpq/v1/delivery batch",
            Self::Report => "qpq/v1/report",
        }
    }

    /// The bytes that are signed.
    pub(crate) fn covered(self, parts: &[&[u8]]) -> Vec<u8> {
        let mut covered = Vec::new();
        put_prefixed(&mut covered, &[self.label().as_bytes()]);
        put_prefixed(&mut covered, parts);
        covered
    }
}

/// The signature is not by this key over this message; it does not matter why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("signature does not verify")]
pub struct SignatureError;

/// A public key that verifies signatures.
pub trait Verify {
    /// The Ed25519 key, 32 bytes.
    fn key_bytes(&self) -> &[u8; 32];

    /// Verifies a signature over `parts` for one purpose.
    ///
    /// # Errors
    /// [`SignatureError`] for anything but a valid signature, one of another length than 64 bytes included.
    fn verify(&self, domain: Domain, parts: &[&[u8]], signature: &[u8]) -> Result<(), SignatureError> {
        verify_bytes(self.key_bytes(), &domain.covered(parts), signature)
    }
}

impl Verify for Identity {
    fn key_bytes(&self) -> &[u8; 32] {
        self.as_bytes()
    }
}

impl Verify for DeviceKey {
    fn key_bytes(&self) -> &[u8; 32] {
        self.as_bytes()
    }
}

impl Verify for NodeKey {
    fn key_bytes(&self) -> &[u8; 32] {
        self.as_bytes()
    }
}

impl Verify for LogKey {
    fn key_bytes(&self) -> &[u8; 32] {
        self.as_bytes()
    }
}

/// Strict Ed25519 verification of bytes that carry a label of their own, as MLS's do.
pub fn verify_bytes(key: &[u8; 32], message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
    let signature = signature.try_into().map_err(|_| SignatureError)?;
    let verifier = VerifyingKey::from_bytes(key).map_err(|_| SignatureError)?;
    let is_canonical = verifier.to_edwards().compress().as_bytes() == key;
    if !is_canonical {
        return Err(SignatureError);
    }
    verifier.verify_strict(message, &signature).map_err(|_| SignatureError)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::DeviceSecret;

    const DOMAINS: [Domain; 16] = [
        Domain::DeviceCertificate,
        Domain::DeviceList,
        Domain::HybridKey,
        Domain::Introduction,
        Domain::GroupChange,
        Domain::KeyPossession,
        Domain::Login,
        Domain::Session,
        Domain::AccountDeletion,
        Domain::IdentityRevocation,
        Domain::TreeHead,
        Domain::EndpointRecord,
        Domain::PostingDevice,
        Domain::TopicPost,
        Domain::DeliveryBatch,
        Domain::Report,
    ];

    #[test]
    fn a_signature_is_good_for_its_own_purpose_only() {
        let secret = DeviceSecret::from_seed(&[7; 32]);
        for made_for in DOMAINS {
            let signature = secret.sign(made_for, &[b"message"]);
            for used_for in DOMAINS {
                let verdict = secret.public().verify(used_for, &[b"message"], &signature);
                assert_eq!(verdict.is_ok(), made_for == used_for, "{made_for:?} used for {used_for:?}");
            }
        }
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        let secret = DeviceSecret::from_seed(&[7; 32]);
        let signature = secret.sign(Domain::Introduction, &[b"ab", b"c"]);
        let verify = |parts: &[&[u8]]| secret.public().verify(Domain::Introduction, parts, &signature);
        assert_eq!(verify(&[b"ab", b"c"]), Ok(()));
        assert_eq!(verify(&[b"a", b"bc"]), Err(SignatureError));
        assert_eq!(verify(&[b"abc"]), Err(SignatureError));
        assert_eq!(verify(&[b"ab", b"c", b""]), Err(SignatureError));
    }

    #[test]
    fn what_is_signed_never_looks_like_mls() {
        for domain in DOMAINS {
            assert_eq!(domain.covered(&[])[0], 0);
        }
    }

    #[test]
    fn wrong_lengths_and_keys_are_refused() {
        let secret = DeviceSecret::from_seed(&[7; 32]);
        let signature = secret.sign(Domain::Session, &[]);
        let verify = |signature: &[u8]| secret.public().verify(Domain::Session, &[], signature);
        assert_eq!(verify(&signature[..63]), Err(SignatureError));
        assert_eq!(verify(&[signature.as_slice(), &[0]].concat()), Err(SignatureError));
        assert_eq!(verify(&[]), Err(SignatureError));
        let other = DeviceSecret::from_seed(&[8; 32]).public();
        assert_eq!(other.verify(Domain::Session, &[], &signature), Err(SignatureError));
        let no_point = DeviceKey::from_bytes([0xff; 32]);
        assert_eq!(no_point.verify(Domain::Session, &[], &signature), Err(SignatureError));
    }
}
