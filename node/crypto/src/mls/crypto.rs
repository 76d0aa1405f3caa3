//! The cryptographic operations of OpenMLS, with the injected generator behind those that need randomness.
//!
//! Of RustCrypto's primitives exactly what our suites are made of, where `openmls_rust_crypto` brings three further curves
//! and an older generation of every cipher: 0.2 MB of a router's program. HPKE is crate `hpke`'s, which takes its
//! generator as an argument; tests hold it against the other implementation. Ed25519 verification follows the one strict
//! rule of [`crate::signature`], so that no two members disagree about a signature.
//!
//! OpenMLS encapsulates the secrets of an update path on several threads at once, in an order that changes
//! from run to run; a generator shared by them would make runs differ. Each encapsulation therefore draws
//! from a generator of its own: BLAKE3's output stream, keyed with a seed that is fresh for the operation,
//! over the recipient's key, the info, the associated data and the plaintext. Two encapsulations with all
//! four equal give the same ciphertext, which tells nobody more than that they are equal.

mod encapsulation;
mod symmetric;
#[cfg(test)]
mod tests;
mod x25519;

use chacha20poly1305::aead::Payload;
use openmls_traits::crypto::OpenMlsCrypto;
use openmls_traits::types::{
    AeadType, Ciphersuite, CryptoError, ExporterSecret, HashType, HpkeCiphertext, HpkeConfig, HpkeKeyPair,
    KemOutput, SignatureScheme,
};
use portable_atomic::{AtomicU64, Ordering};
use rand_core::CryptoRng;
use tls_codec::SecretVLBytes;
use zeroize::Zeroizing;

use self::encapsulation::Encapsulation;
use crate::encoding::put_prefixed;
use crate::identity::DeviceSecret;
use crate::signature::verify_bytes;

/// OpenMLS's cryptographic operations for one operation of ours.
pub struct Crypto {
    seed: Option<Zeroizing<[u8; 32]>>,
    signature_keys_generated: AtomicU64,
}

impl Crypto {
    /// Draws the seed of an operation.
    pub(super) fn seeded(rng: &mut dyn CryptoRng) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(seed.as_mut_slice());
        Self { seed: Some(seed), signature_keys_generated: AtomicU64::new(0) }
    }

    /// For what needs no randomness; whatever does fails.
    pub(super) fn unseeded() -> Self {
        Self { seed: None, signature_keys_generated: AtomicU64::new(0) }
    }

    /// The generator that belongs to exactly these inputs.
    fn generator(&self, purpose: &[u8], inputs: &[&[u8]]) -> Result<OutputStream, CryptoError> {
        let seed = self.seed.as_ref().ok_or(CryptoError::InsufficientRandomness)?;
        let mut covered = Zeroizing::new(Vec::new());
        put_prefixed(&mut covered, &[purpose]);
        put_prefixed(&mut covered, inputs);
        Ok(OutputStream(blake3::Hasher::new_keyed(seed).update(&covered).finalize_xof()))
    }
}

impl std::fmt::Debug for Crypto {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Crypto").finish_non_exhaustive()
    }
}

impl OpenMlsCrypto for Crypto {
    fn supports(&self, ciphersuite: Ciphersuite) -> Result<(), CryptoError> {
        if SUPPORTED.contains(&ciphersuite) { Ok(()) } else { Err(CryptoError::UnsupportedCiphersuite) }
    }

    fn supported_ciphersuites(&self) -> Vec<Ciphersuite> {
        SUPPORTED.to_vec()
    }

    fn hkdf_extract(&self, hash: HashType, salt: &[u8], ikm: &[u8]) -> Result<SecretVLBytes, CryptoError> {
        symmetric::hkdf_extract(hash, salt, ikm)
    }

    fn hmac(&self, hash: HashType, key: &[u8], message: &[u8]) -> Result<SecretVLBytes, CryptoError> {
        symmetric::hmac(hash, key, message)
    }

    fn hkdf_expand(
        &self,
        hash: HashType,
        prk: &[u8],
        info: &[u8],
        length: usize,
    ) -> Result<SecretVLBytes, CryptoError> {
        symmetric::hkdf_expand(hash, prk, info, length)
    }

    fn hash(&self, hash: HashType, data: &[u8]) -> Result<Vec<u8>, CryptoError> {
        symmetric::hash(hash, data)
    }

    fn aead_encrypt(
        &self,
        algorithm: AeadType,
        key: &[u8],
        data: &[u8],
        nonce: &[u8],
        aad: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        symmetric::aead_encrypt(algorithm, key, Payload { msg: data, aad }, nonce)
    }

    fn aead_decrypt(
        &self,
        algorithm: AeadType,
        key: &[u8],
        ciphertext_and_tag: &[u8],
        nonce: &[u8],
        aad: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        symmetric::aead_decrypt(algorithm, key, Payload { msg: ciphertext_and_tag, aad }, nonce)
    }

    /// Our groups never ask, as a device brings its key.
    fn signature_key_gen(&self, scheme: SignatureScheme) -> Result<(Vec<u8>, Vec<u8>), CryptoError> {
        require_ed25519(scheme)?;
        let count = self.signature_keys_generated.fetch_add(1, Ordering::Relaxed);
        let secret = DeviceSecret::generate(&mut self.generator(b"signature key", &[&count.to_be_bytes()])?);
        Ok((secret.seed().to_vec(), secret.public().as_bytes().to_vec()))
    }

    fn verify_signature(
        &self,
        scheme: SignatureScheme,
        data: &[u8],
        key: &[u8],
        signature: &[u8],
    ) -> Result<(), CryptoError> {
        require_ed25519(scheme)?;
        let key = key.try_into().map_err(|_| CryptoError::InvalidPublicKey)?;
        verify_bytes(key, data, signature).map_err(|_| CryptoError::InvalidSignature)
    }

    fn sign(&self, scheme: SignatureScheme, data: &[u8], key: &[u8]) -> Result<Vec<u8>, CryptoError> {
        require_ed25519(scheme)?;
        let seed = key.try_into().map_err(|_| CryptoError::SigningError)?;
        Ok(DeviceSecret::from_seed(seed).sign_bytes(data).to_vec())
    }

    fn hpke_seal(
        &self,
        config: HpkeConfig,
        recipient: &[u8],
        info: &[u8],
        aad: &[u8],
        plaintext: &[u8],
    ) -> Result<HpkeCiphertext, CryptoError> {
        let mut generator = self.generator(b"hpke seal", &[recipient, info, aad, plaintext])?;
        Encapsulation::of(&config)?.seal(recipient, info, aad, plaintext, &mut generator)
    }

    fn hpke_open(
        &self,
        config: HpkeConfig,
        input: &HpkeCiphertext,
        secret: &[u8],
        info: &[u8],
        aad: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        Encapsulation::of(&config)?.open(input, secret, info, aad)
    }

    fn hpke_setup_sender_and_export(
        &self,
        config: HpkeConfig,
        recipient: &[u8],
        info: &[u8],
        exporter_context: &[u8],
        exporter_length: usize,
    ) -> Result<(KemOutput, ExporterSecret), CryptoError> {
        let mut generator = self.generator(b"hpke export", &[recipient, info, exporter_context])?;
        Encapsulation::of(&config)?.export(recipient, info, exporter_context, exporter_length, &mut generator)
    }

    fn hpke_setup_receiver_and_export(
        &self,
        config: HpkeConfig,
        encapsulated: &[u8],
        secret: &[u8],
        info: &[u8],
        exporter_context: &[u8],
        exporter_length: usize,
    ) -> Result<ExporterSecret, CryptoError> {
        Encapsulation::of(&config)?.export_received(
            encapsulated,
            secret,
            info,
            exporter_context,
            exporter_length,
        )
    }

    fn derive_hpke_keypair(&self, config: HpkeConfig, ikm: &[u8]) -> Result<HpkeKeyPair, CryptoError> {
        Ok(Encapsulation::of(&config)?.derive_key_pair(ikm))
    }
}

fn require_ed25519(scheme: SignatureScheme) -> Result<(), CryptoError> {
    if scheme == SignatureScheme::ED25519 { Ok(()) } else { Err(CryptoError::UnsupportedSignatureScheme) }
}

/// BLAKE3's output stream as a generator.
struct OutputStream(blake3::OutputReader);

impl rand_core::TryRng for OutputStream {
    type Error = rand_core::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        self.0.fill(bytes);
        Ok(())
    }
}

impl rand_core::TryCryptoRng for OutputStream {}

/// Our two suites, and the third of the MLS working group's test vectors that is made of the same parts. No group of
/// ours has that one: see [`Suite`](super::suite::Suite).
const SUPPORTED: [Ciphersuite; 3] = [
    Ciphersuite::MLS_128_MLKEM768X25519_AES128GCM_SHA256_Ed25519,
    Ciphersuite::MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519,
    Ciphersuite::MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519,
];
