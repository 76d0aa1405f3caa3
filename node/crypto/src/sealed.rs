//! Bodies sealed to a person's hybrid key: HPKE (RFC 9180) in base mode.
//!
//! KEM 0x647a ([X-Wing](crate::hybrid)), KDF 0x0001 (HKDF-SHA256), AEAD 0x0003 (ChaCha20-Poly1305), one
//! message per encapsulation:
//!
//! ```text
//! sealed body = encapsulated secret (1120) | ciphertext | tag (16)
//! ```
//!
//! Nothing in it says who sealed it: the sender signs inside. Each body has a secret of its own, which whoever
//! later learns the recipient's key can compute again: what is sealed here is what people who share no MLS
//! group yet tell each other, nothing else.

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::XWing;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::hybrid::{HYBRID_ENCAPSULATION_BYTES, HybridPublic, HybridSecret};

/// Bytes by which a sealed body is longer than what is in it.
pub const SEALED_BODY_OVERHEAD_BYTES: usize = HYBRID_ENCAPSULATION_BYTES + 16;

/// Why a sealed body does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenSealedError {
    /// Shorter than any sealed body.
    #[error("sealed body is truncated")]
    Truncated,
    /// Sealed to another key, for another purpose, or changed.
    #[error("sealed body is not for this key and purpose")]
    NotAuthentic,
}

/// Seals `plaintext` to a hybrid key. `info` names the purpose, `aad` is authenticated and not sealed.
pub fn seal_to(
    mut rng: &mut dyn CryptoRng,
    recipient: &HybridPublic,
    info: &[u8],
    aad: &[u8],
    plaintext: &[u8],
) -> Vec<u8> {
    let (encapsulation, ciphertext) = hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, XWing>(
        &OpModeS::Base,
        &recipient.0,
        info,
        plaintext,
        aad,
        &mut rng,
    )
    .expect("X-Wing encapsulates to any key that was checked, and one message exhausts no nonces");
    let mut sealed = Vec::with_capacity(HYBRID_ENCAPSULATION_BYTES + ciphertext.len());
    sealed.extend_from_slice(&encapsulation.to_bytes());
    sealed.extend_from_slice(&ciphertext);
    sealed
}

/// Opens what [`seal_to`] sealed with the same `info` and `aad`.
///
/// # Errors
/// [`OpenSealedError`].
pub fn open_sealed(
    secret: &HybridSecret,
    info: &[u8],
    aad: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, OpenSealedError> {
    if sealed.len() < SEALED_BODY_OVERHEAD_BYTES {
        return Err(OpenSealedError::Truncated);
    }
    let (encapsulation, ciphertext) = sealed.split_at(HYBRID_ENCAPSULATION_BYTES);
    let encapsulation = <XWing as Kem>::EncappedKey::from_bytes(encapsulation)
        .expect("any 1,120 bytes are an X-Wing ciphertext");
    hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, XWing>(
        &OpModeR::Base,
        &secret.0,
        &encapsulation,
        info,
        ciphertext,
        aad,
    )
    .map(Zeroizing::new)
    .map_err(|_| OpenSealedError::NotAuthentic)
}

#[cfg(test)]
mod tests {
    use chacha20::ChaCha20Rng;
    use chacha20::rand_core::SeedableRng;
    use proptest::prelude::*;

    use super::*;

    fn seal(seed: u8, plaintext: &[u8]) -> Vec<u8> {
        let mut rng = ChaCha20Rng::from_seed([seed; 32]);
        seal_to(&mut rng, &HybridSecret::from_seed(&[1; 32]).public(), b"info", b"aad", plaintext)
    }

    fn open(key: u8, info: &[u8], aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, OpenSealedError> {
        open_sealed(&HybridSecret::from_seed(&[key; 32]), info, aad, sealed).map(|opened| opened.to_vec())
    }

    #[test]
    fn only_the_recipient_opens_and_only_for_the_same_purpose() {
        let sealed = seal(1, b"hello");
        assert_eq!(sealed.len(), 5 + SEALED_BODY_OVERHEAD_BYTES);
        assert_eq!(open(1, b"info", b"aad", &sealed), Ok(b"hello".to_vec()));
        for (key, info, aad) in [(2, "info", "aad"), (1, "inf", "aad"), (1, "info", ""), (1, "", "infoaad")] {
            let opened = open(key, info.as_bytes(), aad.as_bytes(), &sealed);
            assert_eq!(opened, Err(OpenSealedError::NotAuthentic), "{key} {info} {aad}");
        }
    }

    #[test]
    fn the_generator_decides_the_encapsulation() {
        assert_eq!(seal(1, b"hello"), seal(1, b"hello"));
        assert_ne!(seal(1, b"hello"), seal(2, b"hello"));
    }

    #[test]
    fn any_changed_byte_is_refused() {
        let sealed = seal(1, b"hello");
        for position in (0..sealed.len()).step_by(7).chain(HYBRID_ENCAPSULATION_BYTES - 32..sealed.len()) {
            let mut changed = sealed.clone();
            changed[position] ^= 0x10;
            let opened = open(1, b"info", b"aad", &changed);
            assert_eq!(opened, Err(OpenSealedError::NotAuthentic), "byte {position}");
        }
    }

    #[test]
    fn short_bodies_are_truncated() {
        let sealed = seal(1, b"");
        assert_eq!(open(1, b"info", b"aad", &sealed), Ok(vec![]));
        for length in [0, 1, 1119, 1120, 1135] {
            let opened = open(1, b"info", b"aad", &sealed[..length]);
            assert_eq!(opened, Err(OpenSealedError::Truncated), "{length} bytes");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn round_trip(seed: [u8; 32], info: Vec<u8>, aad: Vec<u8>, plaintext: Vec<u8>) {
            let secret = HybridSecret::from_seed(&seed);
            let mut rng = ChaCha20Rng::from_seed(seed);
            let sealed = seal_to(&mut rng, &secret.public(), &info, &aad, &plaintext);
            let opened = open_sealed(&secret, &info, &aad, &sealed).unwrap();
            prop_assert_eq!(opened.as_slice(), plaintext);
        }
    }
}
