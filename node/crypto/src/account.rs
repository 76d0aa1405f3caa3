//! What identities and devices sign to use an account of a relay. A password alone makes nobody's device.
//!
//! Every function covers its domain label and the parts named at it, as [`crate::signature`] says. The TLS
//! exporter (RFC 8446, section 7.5) of the connection is among them wherever something is bound to a
//! connection: a signature is worth nothing on another one, so that whoever relays a login cannot take it over.

use crate::digest::sha256;
use crate::identity::{DeviceSecret, IdentityKey};
use crate::ids::{DeviceKey, Identity};
use crate::opaque::SessionKey;
use crate::signature::{Domain, SIGNATURE_BYTES, SignatureError, Verify};

/// Bytes of the token with which a session is resumed.
pub const SESSION_TOKEN_BYTES: usize = 32;
/// Bytes that a connection's TLS exporter gives to be signed.
pub const EXPORTER_BYTES: usize = 32;

/// What stands for a session's token where it is stored or signed: SHA-256 of it.
pub fn session_token_hash(token: &[u8; SESSION_TOKEN_BYTES]) -> [u8; 32] {
    sha256(&[token])
}

/// `proof_of_possession` of a registration: by the identity, over the username, the record uploaded and the
/// identity key. `username` is in the normal form in which the relay has it.
pub fn prove_possession(key: &IdentityKey, username: &str, record: &[u8]) -> [u8; SIGNATURE_BYTES] {
    key.sign(Domain::KeyPossession, &registration(username, record, &key.public()))
}

/// Verifies what [`prove_possession`] made.
///
/// # Errors
/// [`SignatureError`].
pub fn verify_possession(
    identity: &Identity,
    username: &str,
    record: &[u8],
    signature: &[u8],
) -> Result<(), SignatureError> {
    identity.verify(Domain::KeyPossession, &registration(username, record, identity), signature)
}

fn registration<'a>(username: &'a str, record: &'a [u8], identity: &'a Identity) -> [&'a [u8]; 3] {
    [username.as_bytes(), record, identity.as_bytes()]
}

/// `device_signature` of a login: by the device, over the OPAQUE session key and the TLS exporter.
pub fn sign_login(
    device: &DeviceSecret,
    session_key: &SessionKey,
    exporter: &[u8; EXPORTER_BYTES],
) -> [u8; SIGNATURE_BYTES] {
    device.sign(Domain::Login, &[session_key.as_bytes(), exporter])
}

/// Verifies what [`sign_login`] made.
///
/// # Errors
/// [`SignatureError`].
pub fn verify_login(
    device: &DeviceKey,
    session_key: &SessionKey,
    exporter: &[u8; EXPORTER_BYTES],
    signature: &[u8],
) -> Result<(), SignatureError> {
    device.verify(Domain::Login, &[session_key.as_bytes(), exporter], signature)
}

/// `device_signature` of a resumed session: by the device, over the [hash](session_token_hash) of its token
/// and the TLS exporter.
pub fn sign_session(
    device: &DeviceSecret,
    token_hash: &[u8; 32],
    exporter: &[u8; EXPORTER_BYTES],
) -> [u8; SIGNATURE_BYTES] {
    device.sign(Domain::Session, &[token_hash, exporter])
}

/// Verifies what [`sign_session`] made.
///
/// # Errors
/// [`SignatureError`].
pub fn verify_session(
    device: &DeviceKey,
    token_hash: &[u8; 32],
    exporter: &[u8; EXPORTER_BYTES],
    signature: &[u8],
) -> Result<(), SignatureError> {
    device.verify(Domain::Session, &[token_hash, exporter], signature)
}

/// `signature` of an account's deletion: by the identity, over the session key of a fresh OPAQUE login and the
/// TLS exporter.
pub fn sign_deletion(
    key: &IdentityKey,
    session_key: &SessionKey,
    exporter: &[u8; EXPORTER_BYTES],
) -> [u8; SIGNATURE_BYTES] {
    key.sign(Domain::AccountDeletion, &[session_key.as_bytes(), exporter])
}

/// Verifies what [`sign_deletion`] made.
///
/// # Errors
/// [`SignatureError`].
pub fn verify_deletion(
    identity: &Identity,
    session_key: &SessionKey,
    exporter: &[u8; EXPORTER_BYTES],
    signature: &[u8],
) -> Result<(), SignatureError> {
    identity.verify(Domain::AccountDeletion, &[session_key.as_bytes(), exporter], signature)
}

/// `signature` of an identity's revocation: by the identity, over its key, the sequence (8 bytes, big-endian)
/// above that of its newest device list, and the reason.
pub fn sign_revocation(key: &IdentityKey, sequence: u64, reason: &str) -> [u8; SIGNATURE_BYTES] {
    let sequence = sequence.to_be_bytes();
    key.sign(Domain::IdentityRevocation, &[key.public().as_bytes(), &sequence, reason.as_bytes()])
}

/// Verifies what [`sign_revocation`] made.
///
/// # Errors
/// [`SignatureError`].
pub fn verify_revocation(
    identity: &Identity,
    sequence: u64,
    reason: &str,
    signature: &[u8],
) -> Result<(), SignatureError> {
    let sequence = sequence.to_be_bytes();
    let parts = [identity.as_bytes().as_slice(), &sequence, reason.as_bytes()];
    identity.verify(Domain::IdentityRevocation, &parts, signature)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPORTER: [u8; 32] = [5; 32];
    const REFUSED: Result<(), SignatureError> = Err(SignatureError);

    fn identity() -> IdentityKey {
        IdentityKey::from_seed(&[1; 32])
    }

    fn device() -> DeviceSecret {
        DeviceSecret::from_seed(&[2; 32])
    }

    fn session_key(byte: u8) -> SessionKey {
        SessionKey::from_bytes_for_tests(byte)
    }

    #[test]
    fn possession_covers_name_record_and_key() {
        let signature = prove_possession(&identity(), "alice", b"record");
        let key = identity().public();
        assert_eq!(verify_possession(&key, "alice", b"record", &signature), Ok(()));
        assert_eq!(verify_possession(&key, "alicf", b"record", &signature), REFUSED);
        assert_eq!(verify_possession(&key, "alice", b"recorD", &signature), REFUSED);
        assert_eq!(verify_possession(&key, "alicer", b"ecord", &signature), REFUSED);
        let other = IdentityKey::from_seed(&[3; 32]).public();
        assert_eq!(verify_possession(&other, "alice", b"record", &signature), REFUSED);
    }

    #[test]
    fn a_login_covers_session_key_and_connection() {
        let signature = sign_login(&device(), &session_key(1), &EXPORTER);
        let key = device().public();
        assert_eq!(verify_login(&key, &session_key(1), &EXPORTER, &signature), Ok(()));
        assert_eq!(verify_login(&key, &session_key(2), &EXPORTER, &signature), REFUSED);
        assert_eq!(verify_login(&key, &session_key(1), &[6; 32], &signature), REFUSED);
        let other = DeviceSecret::from_seed(&[3; 32]).public();
        assert_eq!(verify_login(&other, &session_key(1), &EXPORTER, &signature), REFUSED);
    }

    #[test]
    fn a_session_covers_token_and_connection() {
        let hash = session_token_hash(&[9; 32]);
        let signature = sign_session(&device(), &hash, &EXPORTER);
        let key = device().public();
        assert_eq!(verify_session(&key, &hash, &EXPORTER, &signature), Ok(()));
        assert_eq!(verify_session(&key, &session_token_hash(&[8; 32]), &EXPORTER, &signature), REFUSED);
        assert_eq!(verify_session(&key, &hash, &[6; 32], &signature), REFUSED);
    }

    #[test]
    fn a_deletion_covers_session_key_and_connection() {
        let signature = sign_deletion(&identity(), &session_key(1), &EXPORTER);
        let key = identity().public();
        assert_eq!(verify_deletion(&key, &session_key(1), &EXPORTER, &signature), Ok(()));
        assert_eq!(verify_deletion(&key, &session_key(2), &EXPORTER, &signature), REFUSED);
        assert_eq!(verify_deletion(&key, &session_key(1), &[6; 32], &signature), REFUSED);
    }

    #[test]
    fn a_revocation_covers_sequence_and_reason() {
        let signature = sign_revocation(&identity(), 3, "lost");
        let key = identity().public();
        assert_eq!(verify_revocation(&key, 3, "lost", &signature), Ok(()));
        assert_eq!(verify_revocation(&key, 4, "lost", &signature), REFUSED);
        assert_eq!(verify_revocation(&key, 3, "", &signature), REFUSED);
    }

    #[test]
    fn one_is_not_taken_for_another() {
        let same_bytes = DeviceKey::from_bytes(*identity().public().as_bytes());
        let signature = sign_deletion(&identity(), &session_key(1), &EXPORTER);
        assert_eq!(verify_login(&same_bytes, &session_key(1), &EXPORTER, &signature), REFUSED);
    }
}
