//! HPKE's sender in base mode (RFC 9180) with an explicit generator, for the suites of our groups.

use hpke::aead::{Aead, AesGcm128, ChaCha20Poly1305};
use hpke::kdf::HkdfSha256;
use hpke::kem::XWing;
use hpke::{Deserializable, Kem, OpModeS, Serializable, setup_sender_with_rng, single_shot_seal_with_rng};
use openmls_traits::types::{
    CryptoError, ExporterSecret, HpkeAeadType, HpkeCiphertext, HpkeConfig, HpkeKdfType, HpkeKemType,
    KemOutput,
};
use rand_core::CryptoRng;

use super::x25519::X25519;

/// A combination of algorithms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encapsulation {
    /// X-Wing (draft-connolly-cfrg-xwing-kem-06) with AES-128-GCM.
    XWingAes128,
    /// DHKEM(X25519) with AES-128-GCM.
    X25519Aes128,
    /// DHKEM(X25519) with ChaCha20-Poly1305.
    X25519ChaCha20,
}

impl Encapsulation {
    pub(super) fn of(config: &HpkeConfig) -> Result<Self, CryptoError> {
        let HpkeConfig(kem, kdf, aead) = config;
        match (kem, kdf, aead) {
            (HpkeKemType::XWingKemDraft6, HpkeKdfType::HkdfSha256, HpkeAeadType::AesGcm128) => {
                Ok(Self::XWingAes128)
            }
            (HpkeKemType::DhKem25519, HpkeKdfType::HkdfSha256, HpkeAeadType::AesGcm128) => {
                Ok(Self::X25519Aes128)
            }
            (HpkeKemType::DhKem25519, HpkeKdfType::HkdfSha256, HpkeAeadType::ChaCha20Poly1305) => {
                Ok(Self::X25519ChaCha20)
            }
            _ => Err(CryptoError::UnsupportedCiphersuite),
        }
    }

    pub(super) fn seal(
        self,
        recipient: &[u8],
        info: &[u8],
        aad: &[u8],
        plaintext: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<HpkeCiphertext, CryptoError> {
        match self {
            Self::XWingAes128 => seal::<AesGcm128, XWing>(recipient, info, aad, plaintext, rng),
            Self::X25519Aes128 => seal::<AesGcm128, X25519>(recipient, info, aad, plaintext, rng),
            Self::X25519ChaCha20 => seal::<ChaCha20Poly1305, X25519>(recipient, info, aad, plaintext, rng),
        }
    }

    pub(super) fn export(
        self,
        recipient: &[u8],
        info: &[u8],
        context: &[u8],
        length: usize,
        rng: &mut impl CryptoRng,
    ) -> Result<(KemOutput, ExporterSecret), CryptoError> {
        match self {
            Self::XWingAes128 => export::<AesGcm128, XWing>(recipient, info, context, length, rng),
            Self::X25519Aes128 => export::<AesGcm128, X25519>(recipient, info, context, length, rng),
            Self::X25519ChaCha20 => export::<ChaCha20Poly1305, X25519>(recipient, info, context, length, rng),
        }
    }
}

fn seal<A: Aead, K: Kem>(
    recipient: &[u8],
    info: &[u8],
    aad: &[u8],
    plaintext: &[u8],
    rng: &mut impl CryptoRng,
) -> Result<HpkeCiphertext, CryptoError> {
    let recipient = K::PublicKey::from_bytes(recipient).map_err(|_| CryptoError::InvalidPublicKey)?;
    let (encapsulated, ciphertext) =
        single_shot_seal_with_rng::<A, HkdfSha256, K>(&OpModeS::Base, &recipient, info, plaintext, aad, rng)
            .map_err(|_| CryptoError::HpkeEncryptionError)?;
    Ok(HpkeCiphertext { kem_output: encapsulated.to_bytes().to_vec().into(), ciphertext: ciphertext.into() })
}

fn export<A: Aead, K: Kem>(
    recipient: &[u8],
    info: &[u8],
    context: &[u8],
    length: usize,
    rng: &mut impl CryptoRng,
) -> Result<(KemOutput, ExporterSecret), CryptoError> {
    let recipient = K::PublicKey::from_bytes(recipient).map_err(|_| CryptoError::InvalidPublicKey)?;
    let (encapsulated, sender) =
        setup_sender_with_rng::<A, HkdfSha256, K>(&OpModeS::Base, &recipient, info, rng)
            .map_err(|_| CryptoError::SenderSetupError)?;
    let mut secret = vec![0; length];
    sender.export(context, &mut secret).map_err(|_| CryptoError::ExporterError)?;
    Ok((encapsulated.to_bytes().to_vec(), secret.into()))
}
