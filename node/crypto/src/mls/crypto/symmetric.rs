//! Hashes and ciphers of our suites: SHA-256, HMAC and HKDF over it, AES-128-GCM, ChaCha20-Poly1305.

use aes_gcm::Aes128Gcm;
use chacha20poly1305::ChaCha20Poly1305;
use chacha20poly1305::aead::{Aead, KeyInit, Nonce, Payload};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use openmls_traits::types::{AeadType, CryptoError, HashType};
use sha2::{Digest, Sha256};
use tls_codec::SecretVLBytes;

pub(super) fn hkdf_extract(hash: HashType, salt: &[u8], ikm: &[u8]) -> Result<SecretVLBytes, CryptoError> {
    require_sha256(hash)?;
    Ok(Hkdf::<Sha256>::extract(Some(salt), ikm).0.as_slice().into())
}

pub(super) fn hkdf_expand(
    hash: HashType,
    prk: &[u8],
    info: &[u8],
    length: usize,
) -> Result<SecretVLBytes, CryptoError> {
    require_sha256(hash)?;
    let hkdf = Hkdf::<Sha256>::from_prk(prk).map_err(|_| CryptoError::HkdfOutputLengthInvalid)?;
    let mut output = vec![0; length];
    hkdf.expand(info, &mut output).map_err(|_| CryptoError::HkdfOutputLengthInvalid)?;
    Ok(output.into())
}

pub(super) fn hmac(hash: HashType, key: &[u8], message: &[u8]) -> Result<SecretVLBytes, CryptoError> {
    require_sha256(hash)?;
    let mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| CryptoError::CryptoLibraryError)?;
    Ok(mac.chain_update(message).finalize().into_bytes().as_slice().into())
}

pub(super) fn hash(hash: HashType, data: &[u8]) -> Result<Vec<u8>, CryptoError> {
    require_sha256(hash)?;
    Ok(Sha256::digest(data).to_vec())
}

pub(super) fn aead_encrypt(
    algorithm: AeadType,
    key: &[u8],
    plaintext: Payload<'_, '_>,
    nonce: &[u8],
) -> Result<Vec<u8>, CryptoError> {
    match algorithm {
        AeadType::Aes128Gcm => encrypt::<Aes128Gcm>(key, plaintext, nonce),
        AeadType::ChaCha20Poly1305 => encrypt::<ChaCha20Poly1305>(key, plaintext, nonce),
        AeadType::Aes256Gcm => Err(CryptoError::UnsupportedAeadAlgorithm),
    }
}

pub(super) fn aead_decrypt(
    algorithm: AeadType,
    key: &[u8],
    ciphertext: Payload<'_, '_>,
    nonce: &[u8],
) -> Result<Vec<u8>, CryptoError> {
    match algorithm {
        AeadType::Aes128Gcm => decrypt::<Aes128Gcm>(key, ciphertext, nonce),
        AeadType::ChaCha20Poly1305 => decrypt::<ChaCha20Poly1305>(key, ciphertext, nonce),
        AeadType::Aes256Gcm => Err(CryptoError::UnsupportedAeadAlgorithm),
    }
}

fn encrypt<A: Aead + KeyInit>(
    key: &[u8],
    plaintext: Payload<'_, '_>,
    nonce: &[u8],
) -> Result<Vec<u8>, CryptoError> {
    let (cipher, nonce) = prepare::<A>(key, nonce)?;
    cipher.encrypt(nonce, plaintext).map_err(|_| CryptoError::CryptoLibraryError)
}

fn decrypt<A: Aead + KeyInit>(
    key: &[u8],
    ciphertext: Payload<'_, '_>,
    nonce: &[u8],
) -> Result<Vec<u8>, CryptoError> {
    let (cipher, nonce) = prepare::<A>(key, nonce)?;
    cipher.decrypt(nonce, ciphertext).map_err(|_| CryptoError::AeadDecryptionError)
}

fn prepare<'a, A: Aead + KeyInit>(key: &[u8], nonce: &'a [u8]) -> Result<(A, &'a Nonce<A>), CryptoError> {
    let cipher = A::new_from_slice(key).map_err(|_| CryptoError::CryptoLibraryError)?;
    Ok((cipher, nonce.try_into().map_err(|_| CryptoError::InvalidLength)?))
}

fn require_sha256(hash: HashType) -> Result<(), CryptoError> {
    if hash == HashType::Sha2_256 { Ok(()) } else { Err(CryptoError::UnsupportedHashAlgorithm) }
}
