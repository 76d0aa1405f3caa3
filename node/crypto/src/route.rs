//! What a carrier sees of a parcel: a salt and a tag by which only its recipients recognise it, and a body.
//!
//! A [`RoutingSecret`] belongs to a pair of contacts or to a group. Each parcel has a fresh salt of 8 bytes;
//! its tag is the first 16 bytes of HMAC-SHA256(secret, salt), so that nobody without the secret links two
//! parcels. The body is sealed under the same secret and salt, whatever the epoch of the group, with
//!
//! ```text
//! key  = HKDF-SHA256(salt = salt, ikm = secret, info = "qpq/v1/body")
//! body = ChaCha20-Poly1305(key, nonce = 0, aad = tag, plaintext) | tag (16)
//! ```
//!
//! A key seals one body: salts are random, and among a million parcels of one secret two are the same with a
//! probability below 2^-24. The body hides from carriers what MLS messages and padding look like; what people
//! say is sealed once more inside.

use std::fmt;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Nonce};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use rand_core::CryptoRng;
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::identity::DeviceSecret;
use crate::ids::Identity;

/// Bytes of a parcel's salt.
pub const SALT_BYTES: usize = 8;
/// Bytes of a parcel's tag.
pub const TAG_BYTES: usize = 16;
/// Bytes by which a sealed body is longer than what is in it.
pub const BODY_OVERHEAD_BYTES: usize = 16;

/// The secret by which a pair of contacts or a group recognises and opens its parcels.
///
/// Overwritten when dropped; never printed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct RoutingSecret([u8; 32]);

/// The body was not sealed under this secret and salt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("parcel's body is not authentic")]
pub struct OpenBodyError;

impl RoutingSecret {
    /// Makes a new secret.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        let mut secret = Self([0; 32]);
        rng.fill_bytes(&mut secret.0);
        secret
    }

    /// A secret that was handed over or stored.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(*bytes)
    }

    /// The secret for parcels from those who share no secret with a person yet: whoever knows the identity
    /// recognises them, so its body must be [sealed](crate::sealed) to the person.
    pub fn derive_stranger(identity: &Identity) -> Self {
        Self(blake3::derive_key("qpq/v1/routing secret for strangers", identity.as_bytes()))
    }

    /// The bytes, to be handed over or stored.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The tag of the parcel with this salt.
    pub fn tag(&self, salt: &[u8; SALT_BYTES]) -> [u8; TAG_BYTES] {
        let mut tag = [0; TAG_BYTES];
        tag.copy_from_slice(&self.mac(salt).finalize().into_bytes()[..TAG_BYTES]);
        tag
    }

    /// Whether a parcel is for those who hold this secret. Takes the same time for any tag.
    pub fn matches(&self, salt: &[u8; SALT_BYTES], tag: &[u8; TAG_BYTES]) -> bool {
        self.mac(salt).verify_truncated_left(tag).is_ok()
    }

    /// Whether a parcel may be for those who hold this secret, as far as the start of its tag says.
    pub fn matches_start(&self, salt: &[u8; SALT_BYTES], start: &[u8]) -> bool {
        self.mac(salt).verify_truncated_left(start).is_ok()
    }

    /// Seals the body of the parcel with this salt.
    pub fn seal_body(&self, salt: &[u8; SALT_BYTES], plaintext: &[u8]) -> Vec<u8> {
        self.body_cipher(salt)
            .encrypt(&ZERO_NONCE, Payload { msg: plaintext, aad: &self.tag(salt) })
            .expect("no body in memory reaches ChaCha20's limit of 256 GiB")
    }

    /// Opens the body of the parcel with this salt.
    ///
    /// # Errors
    /// [`OpenBodyError`].
    pub fn open_body(&self, salt: &[u8; SALT_BYTES], body: &[u8]) -> Result<Vec<u8>, OpenBodyError> {
        self.body_cipher(salt)
            .decrypt(&ZERO_NONCE, Payload { msg: body, aad: &self.tag(salt) })
            .map_err(|_| OpenBodyError)
    }

    fn mac(&self, salt: &[u8; SALT_BYTES]) -> Hmac<Sha256> {
        let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.0);
        mac.expect("HMAC takes a key of any length").chain_update(salt)
    }

    fn body_cipher(&self, salt: &[u8; SALT_BYTES]) -> ChaCha20Poly1305 {
        let mut key = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(Some(salt), &self.0)
            .expand(b"qpq/v1/body", key.as_mut_slice())
            .expect("HKDF-SHA256 gives up to 255 * 32 bytes");
        ChaCha20Poly1305::new(&(*key).into())
    }
}

/// The secret that settles the bundle in which a device's parcel with this salt travels (MESH, section 1). Nobody but
/// the device knows it before it is told.
pub fn settle_secret(device: &DeviceSecret, salt: &[u8; SALT_BYTES]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("qpq/v1/settle secret");
    hasher.update(&*device.seed()).update(salt);
    *hasher.finalize().as_bytes()
}

/// The salt of a piece of a device's parcel that is too long for one bundle: always the same for the same piece, so that
/// a device need not keep it to settle the piece's bundle.
pub fn piece_salt(device: &DeviceSecret, salt: &[u8; SALT_BYTES], index: u16) -> [u8; SALT_BYTES] {
    let mut hasher = blake3::Hasher::new_derive_key("qpq/v1/piece salt");
    hasher.update(&*device.seed()).update(salt).update(&index.to_be_bytes());
    let mut piece_salt = [0; SALT_BYTES];
    piece_salt.copy_from_slice(&hasher.finalize().as_bytes()[..SALT_BYTES]);
    piece_salt
}

impl fmt::Debug for RoutingSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RoutingSecret(..)")
    }
}

/// One key seals one body.
const ZERO_NONCE: Nonce = chacha20poly1305::aead::array::Array([0; 12]);

#[cfg(test)]
mod tests {
    use chacha20::ChaCha20Rng;
    use chacha20::rand_core::SeedableRng;
    use proptest::prelude::*;

    use super::*;

    fn secret(byte: u8) -> RoutingSecret {
        RoutingSecret::from_bytes(&[byte; 32])
    }

    #[test]
    fn the_tag_is_a_truncated_hmac() {
        // printf '\1\1\1\1\1\1\1\1' | openssl dgst -sha256 -mac HMAC -macopt hexkey:$(printf '07%.0s' $(seq 32))
        let tag = secret(7).tag(&[1; 8]);
        assert_eq!(data_encoding::HEXLOWER.encode(&tag), OPENSSL_TAG);
    }

    #[test]
    fn tags_are_recognised_by_who_holds_the_secret() {
        let tag = secret(1).tag(&[2; 8]);
        assert!(secret(1).matches(&[2; 8], &tag));
        assert!(!secret(2).matches(&[2; 8], &tag));
        assert!(!secret(1).matches(&[3; 8], &tag));
        for bit in 0..128 {
            let mut flipped = tag;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!secret(1).matches(&[2; 8], &flipped), "bit {bit}");
        }
    }

    #[test]
    fn strangers_need_only_the_identity() {
        let someone = Identity::from_bytes([1; 32]);
        let tag = RoutingSecret::derive_stranger(&someone).tag(&[9; 8]);
        assert!(RoutingSecret::derive_stranger(&someone).matches(&[9; 8], &tag));
        let other = Identity::from_bytes([2; 32]);
        assert!(!RoutingSecret::derive_stranger(&other).matches(&[9; 8], &tag));
        assert_ne!(RoutingSecret::derive_stranger(&someone).as_bytes(), someone.as_bytes());
    }

    #[test]
    fn bodies_open_with_their_own_salt_and_secret() {
        let body = secret(1).seal_body(&[2; 8], b"hello");
        assert_eq!(body.len(), 5 + BODY_OVERHEAD_BYTES);
        assert_eq!(secret(1).open_body(&[2; 8], &body), Ok(b"hello".to_vec()));
        assert_eq!(secret(2).open_body(&[2; 8], &body), Err(OpenBodyError));
        assert_eq!(secret(1).open_body(&[3; 8], &body), Err(OpenBodyError));
        assert_eq!(secret(1).open_body(&[2; 8], &body[1..]), Err(OpenBodyError));
        assert_eq!(secret(1).open_body(&[2; 8], &[]), Err(OpenBodyError));
    }

    #[test]
    fn pieces_have_salts_of_their_own() {
        let device = |seed| DeviceSecret::from_seed(&[seed; 32]);
        let salts = [(1, 2, 0), (1, 2, 1), (1, 3, 0), (2, 2, 0)]
            .map(|(seed, salt, index)| piece_salt(&device(seed), &[salt; 8], index));
        let different: std::collections::BTreeSet<_> = salts.into_iter().collect();
        assert_eq!(different.len(), 4);
        assert_eq!(piece_salt(&device(1), &[2; 8], 0), salts[0]);
    }

    #[test]
    fn nothing_secret_is_printed() {
        let generated = RoutingSecret::generate(&mut ChaCha20Rng::from_seed([1; 32]));
        assert_ne!(generated.as_bytes(), &[0; 32]);
        assert_eq!(format!("{generated:?}"), "RoutingSecret(..)");
    }

    proptest! {
        #[test]
        fn round_trip(secret: [u8; 32], salt: [u8; 8], plaintext: Vec<u8>) {
            let secret = RoutingSecret::from_bytes(&secret);
            prop_assert_eq!(secret.open_body(&salt, &secret.seal_body(&salt, &plaintext)), Ok(plaintext));
            prop_assert!(secret.matches(&salt, &secret.tag(&salt)));
        }

        #[test]
        fn any_flipped_bit_is_refused(salt: [u8; 8], plaintext: Vec<u8>, bit: prop::sample::Index) {
            let mut body = secret(1).seal_body(&salt, &plaintext);
            let bit = bit.index(body.len() * 8);
            body[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(secret(1).open_body(&salt, &body), Err(OpenBodyError));
        }
    }

    const OPENSSL_TAG: &str = "f7eef8d36e2c875b1bde6848ab41c85f";
}
