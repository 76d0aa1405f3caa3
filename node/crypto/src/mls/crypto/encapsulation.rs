//! HPKE in base mode (RFC 9180) with an explicit generator for senders, for the suites of our groups.

use hpke::aead::{Aead, AesGcm128, ChaCha20Poly1305};
use hpke::kdf::HkdfSha256;
use hpke::kem::XWing;
use hpke::{
    Deserializable, Kem, OpModeR, OpModeS, Serializable, setup_receiver, setup_sender_with_rng,
    single_shot_open, single_shot_seal_with_rng,
};
use openmls_traits::types::{
    CryptoError, ExporterSecret, HpkeAeadType, HpkeCiphertext, HpkeConfig, HpkeKdfType, HpkeKemType,
    HpkeKeyPair, KemOutput,
};
use rand_core::CryptoRng;
use shake::Shake256;
use shake::digest::{ExtendableOutput, Update};
use zeroize::Zeroizing;

use super::x25519::X25519;
use crate::hybrid::HybridSecret;

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

    pub(super) fn open(
        self,
        sealed: &HpkeCiphertext,
        secret: &[u8],
        info: &[u8],
        aad: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        match self {
            Self::XWingAes128 => open::<AesGcm128, XWing>(sealed, secret, info, aad),
            Self::X25519Aes128 => open::<AesGcm128, X25519>(sealed, secret, info, aad),
            Self::X25519ChaCha20 => open::<ChaCha20Poly1305, X25519>(sealed, secret, info, aad),
        }
    }

    /// What the sender of `encapsulated` exported.
    pub(super) fn export_received(
        self,
        encapsulated: &[u8],
        secret: &[u8],
        info: &[u8],
        context: &[u8],
        length: usize,
    ) -> Result<ExporterSecret, CryptoError> {
        let received = match self {
            Self::XWingAes128 => export_received::<AesGcm128, XWing>,
            Self::X25519Aes128 => export_received::<AesGcm128, X25519>,
            Self::X25519ChaCha20 => export_received::<ChaCha20Poly1305, X25519>,
        };
        received(encapsulated, secret, info, context, length)
    }

    /// `DeriveKeyPair` (RFC 9180, section 4). That of X-Wing is its own draft's, and OpenMLS's; crate
    /// `hpke` follows a later draft of HPKE's working group, which would make another key of the same secret.
    pub(super) fn derive_key_pair(self, ikm: &[u8]) -> HpkeKeyPair {
        match self {
            Self::XWingAes128 => {
                let mut seed = Zeroizing::new([0; 32]);
                Shake256::default().chain(ikm).finalize_xof_into(seed.as_mut_slice());
                let secret = HybridSecret::from_seed(&seed);
                key_pair::<XWing>(&secret.0, &secret.public().0)
            }
            Self::X25519Aes128 | Self::X25519ChaCha20 => {
                let (secret, public) = X25519::derive_keypair(ikm);
                key_pair::<X25519>(&secret, &public)
            }
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

fn open<A: Aead, K: Kem>(
    sealed: &HpkeCiphertext,
    secret: &[u8],
    info: &[u8],
    aad: &[u8],
) -> Result<Vec<u8>, CryptoError> {
    let (secret, encapsulated) = received::<K>(sealed.kem_output.as_slice(), secret)?;
    let ciphertext = sealed.ciphertext.as_slice();
    single_shot_open::<A, HkdfSha256, K>(&OpModeR::Base, &secret, &encapsulated, info, ciphertext, aad)
        .map_err(|_| CryptoError::HpkeDecryptionError)
}

fn export_received<A: Aead, K: Kem>(
    encapsulated: &[u8],
    secret: &[u8],
    info: &[u8],
    context: &[u8],
    length: usize,
) -> Result<ExporterSecret, CryptoError> {
    let (secret, encapsulated) = received::<K>(encapsulated, secret)?;
    let receiver = setup_receiver::<A, HkdfSha256, K>(&OpModeR::Base, &secret, &encapsulated, info)
        .map_err(|_| CryptoError::ReceiverSetupError)?;
    let mut exported = vec![0; length];
    receiver.export(context, &mut exported).map_err(|_| CryptoError::ExporterError)?;
    Ok(exported.into())
}

fn received<K: Kem>(
    encapsulated: &[u8],
    secret: &[u8],
) -> Result<(K::PrivateKey, K::EncappedKey), CryptoError> {
    let secret = K::PrivateKey::from_bytes(secret).map_err(|_| CryptoError::ReceiverSetupError)?;
    let encapsulated =
        K::EncappedKey::from_bytes(encapsulated).map_err(|_| CryptoError::HpkeDecryptionError)?;
    Ok((secret, encapsulated))
}

fn key_pair<K: Kem>(secret: &K::PrivateKey, public: &K::PublicKey) -> HpkeKeyPair {
    // Straight to where it is overwritten when dropped: no copy is left on the stack.
    let mut private = vec![0; K::PrivateKey::size()];
    secret.write_exact(&mut private);
    HpkeKeyPair { private: private.into(), public: public.to_bytes().to_vec() }
}
