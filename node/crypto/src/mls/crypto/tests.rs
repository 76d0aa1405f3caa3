use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use openmls_rust_crypto::RustCrypto;

use super::*;
use crate::mls::Suite;

const INFO: &[u8] = b"info";
const AAD: &[u8] = b"associated data";
const PLAINTEXT: &[u8] = b"path secret";

fn crypto(seed: u8) -> Crypto {
    Crypto::seeded(&mut ChaCha20Rng::from_seed([seed; 32]))
}

/// Another implementation of the same, HPKE included.
fn independent() -> RustCrypto {
    RustCrypto::default()
}

fn key_pair(suite: Ciphersuite) -> HpkeKeyPair {
    independent().derive_hpke_keypair(suite.hpke_config(), &[7; 32]).unwrap()
}

#[test]
fn both_implementations_of_hpke_open_what_is_sealed() {
    for suite in SUPPORTED {
        let pair = key_pair(suite);
        let ours = crypto(1).hpke_seal(suite.hpke_config(), &pair.public, INFO, AAD, PLAINTEXT).unwrap();
        let theirs =
            independent().hpke_seal(suite.hpke_config(), &pair.public, INFO, AAD, PLAINTEXT).unwrap();
        for sealed in [&ours, &theirs] {
            let opened = crypto(2).hpke_open(suite.hpke_config(), sealed, &pair.private, INFO, AAD);
            assert_eq!(opened.unwrap(), PLAINTEXT, "{suite:?}");
            let opened = independent().hpke_open(suite.hpke_config(), sealed, &pair.private, INFO, AAD);
            assert_eq!(opened.unwrap(), PLAINTEXT, "{suite:?}");
        }
        assert_eq!(ours.kem_output.as_slice().len(), theirs.kem_output.as_slice().len());
    }
}

/// With a key of small order anybody knows what is agreed on (RFC 9180, section 7.1.4).
#[test]
fn keys_of_small_order_are_refused() {
    let suite = Suite::Classical.ciphersuite();
    let mut one = [0; 32];
    one[0] = 1;
    for key in [[0; 32], one] {
        let sealed = crypto(1).hpke_seal(suite.hpke_config(), &key, INFO, AAD, PLAINTEXT);
        assert_eq!(sealed.map(|_| ()), Err(CryptoError::HpkeEncryptionError));
    }
}

#[test]
fn both_implementations_of_hpke_export_the_same() {
    for suite in SUPPORTED {
        let pair = key_pair(suite);
        let config = || suite.hpke_config();
        let (encapsulated, sent) =
            crypto(1).hpke_setup_sender_and_export(config(), &pair.public, INFO, b"context", 32).unwrap();
        let ours = crypto(2).hpke_setup_receiver_and_export(
            config(),
            &encapsulated,
            &pair.private,
            INFO,
            b"context",
            32,
        );
        assert_eq!(*ours.unwrap(), *sent, "{suite:?}");
        let theirs = independent().hpke_setup_receiver_and_export(
            config(),
            &encapsulated,
            &pair.private,
            INFO,
            b"context",
            32,
        );
        assert_eq!(*theirs.unwrap(), *sent, "{suite:?}");
    }
}

#[test]
fn both_implementations_derive_the_same_keys() {
    for suite in SUPPORTED {
        let (ours, theirs) =
            (crypto(1).derive_hpke_keypair(suite.hpke_config(), &[7; 32]).unwrap(), key_pair(suite));
        assert_eq!(ours.public, theirs.public, "{suite:?}");
        // The bytes of an X25519 secret may differ, as RFC 9180, section 7.1.2, has them clamped.
        let sealed = crypto(1).hpke_seal(suite.hpke_config(), &theirs.public, INFO, AAD, PLAINTEXT).unwrap();
        let opened = independent().hpke_open(suite.hpke_config(), &sealed, &ours.private, INFO, AAD);
        assert_eq!(opened.unwrap(), PLAINTEXT, "{suite:?}");
    }
}

#[test]
fn both_implementations_hash_and_seal_alike() {
    let (ours, theirs) = (crypto(1), independent());
    let sha256 = HashType::Sha2_256;
    assert_eq!(ours.hash(sha256, PLAINTEXT), theirs.hash(sha256, PLAINTEXT));
    assert_eq!(ours.hmac(sha256, INFO, PLAINTEXT), theirs.hmac(sha256, INFO, PLAINTEXT));
    let extracted = ours.hkdf_extract(sha256, INFO, PLAINTEXT).unwrap();
    assert_eq!(extracted, theirs.hkdf_extract(sha256, INFO, PLAINTEXT).unwrap());
    for length in [0, 1, 32, 33, 255 * 32] {
        let (ours, theirs) = (
            ours.hkdf_expand(sha256, extracted.as_slice(), INFO, length),
            theirs.hkdf_expand(sha256, extracted.as_slice(), INFO, length),
        );
        assert_eq!(ours.unwrap(), theirs.unwrap(), "{length}");
    }
    let too_long = ours.hkdf_expand(sha256, extracted.as_slice(), INFO, 255 * 32 + 1);
    assert_eq!(too_long, Err(CryptoError::HkdfOutputLengthInvalid));
    for (algorithm, key) in [(AeadType::Aes128Gcm, &[3; 16][..]), (AeadType::ChaCha20Poly1305, &[3; 32])] {
        let nonce = [5; 12];
        let sealed = ours.aead_encrypt(algorithm, key, PLAINTEXT, &nonce, AAD).unwrap();
        assert_eq!(sealed, theirs.aead_encrypt(algorithm, key, PLAINTEXT, &nonce, AAD).unwrap());
        assert_eq!(ours.aead_decrypt(algorithm, key, &sealed, &nonce, AAD).unwrap(), PLAINTEXT);
        let opened = |key: &[u8], sealed: &[u8], nonce: &[u8], aad| {
            ours.aead_decrypt(algorithm, key, sealed, nonce, aad).unwrap_err()
        };
        assert_eq!(opened(key, &sealed, &nonce, INFO), CryptoError::AeadDecryptionError);
        assert_eq!(opened(key, &sealed[1..], &nonce, AAD), CryptoError::AeadDecryptionError);
        assert_eq!(opened(key, &[], &nonce, AAD), CryptoError::AeadDecryptionError);
        assert_eq!(opened(&key[1..], &sealed, &nonce, AAD), CryptoError::CryptoLibraryError);
        assert_eq!(opened(key, &sealed, &nonce[1..], AAD), CryptoError::InvalidLength);
    }
}

#[test]
fn what_no_suite_of_ours_has_is_refused() {
    let crypto = crypto(1);
    assert_eq!(crypto.hash(HashType::Sha2_512, b""), Err(CryptoError::UnsupportedHashAlgorithm));
    let sealed = crypto.aead_encrypt(AeadType::Aes256Gcm, &[0; 32], b"", &[0; 12], b"");
    assert_eq!(sealed, Err(CryptoError::UnsupportedAeadAlgorithm));
    let scheme = SignatureScheme::ECDSA_SECP256R1_SHA256;
    assert_eq!(crypto.sign(scheme, b"", &[1; 32]), Err(CryptoError::UnsupportedSignatureScheme));
    let verified = crypto.verify_signature(scheme, b"", &[1; 32], &[1; 64]);
    assert_eq!(verified, Err(CryptoError::UnsupportedSignatureScheme));
    let config = Ciphersuite::MLS_128_DHKEMP256_AES128GCM_SHA256_P256.hpke_config();
    assert_eq!(
        crypto.derive_hpke_keypair(config, &[7; 32]).map(|_| ()),
        Err(CryptoError::UnsupportedCiphersuite)
    );
}

#[test]
fn tampered_ciphertexts_are_refused() {
    let suite = Suite::Hybrid.ciphersuite();
    let pair = key_pair(suite);
    let sealed = crypto(1).hpke_seal(suite.hpke_config(), &pair.public, INFO, AAD, PLAINTEXT).unwrap();
    let mut tampered = sealed.ciphertext.as_slice().to_vec();
    tampered[0] ^= 1;
    let input = HpkeCiphertext { kem_output: sealed.kem_output.clone(), ciphertext: tampered.into() };
    let open = |input: &HpkeCiphertext, aad: &[u8]| {
        crypto(2).hpke_open(suite.hpke_config(), input, &pair.private, INFO, aad)
    };
    assert_eq!(open(&input, AAD), Err(CryptoError::HpkeDecryptionError));
    assert_eq!(open(&sealed, b"other"), Err(CryptoError::HpkeDecryptionError));
    assert_eq!(open(&sealed, AAD).unwrap(), PLAINTEXT);
}

#[test]
fn the_seed_and_the_inputs_decide_the_randomness() {
    let suite = Suite::Hybrid.ciphersuite();
    let pair = key_pair(suite);
    let seal = |crypto: &Crypto, aad: &[u8]| {
        let sealed = crypto.hpke_seal(suite.hpke_config(), &pair.public, INFO, aad, PLAINTEXT).unwrap();
        sealed.kem_output.as_slice().to_vec()
    };
    let one = crypto(1);
    assert_eq!(seal(&one, AAD), seal(&one, AAD));
    assert_eq!(seal(&one, AAD), seal(&crypto(1), AAD));
    assert_ne!(seal(&one, AAD), seal(&crypto(2), AAD));
    assert_ne!(seal(&one, AAD), seal(&one, b"other"));
}

#[test]
fn what_needs_randomness_fails_without_a_seed() {
    let suite = Suite::Classical.ciphersuite();
    let pair = key_pair(suite);
    let crypto = Crypto::unseeded();
    let sealed = crypto.hpke_seal(suite.hpke_config(), &pair.public, INFO, AAD, PLAINTEXT);
    assert_eq!(sealed.map(|_| ()), Err(CryptoError::InsufficientRandomness));
    let generated = crypto.signature_key_gen(SignatureScheme::ED25519);
    assert_eq!(generated.map(|_| ()), Err(CryptoError::InsufficientRandomness));
}

#[test]
fn generated_signature_keys_differ_and_verify() {
    let crypto = crypto(1);
    let generate = || crypto.signature_key_gen(SignatureScheme::ED25519).unwrap();
    let ((secret, public), (_, other)) = (generate(), generate());
    assert_ne!(public, other);
    let signature = crypto.sign(SignatureScheme::ED25519, b"message", &secret).unwrap();
    let verify = |key: &[u8]| crypto.verify_signature(SignatureScheme::ED25519, b"message", key, &signature);
    assert_eq!(verify(&public), Ok(()));
    assert_eq!(verify(&other), Err(CryptoError::InvalidSignature));
    assert_eq!(verify(&public[1..]), Err(CryptoError::InvalidPublicKey));
}

#[test]
fn malformed_keys_are_refused() {
    for suite in SUPPORTED {
        let sealed = crypto(1).hpke_seal(suite.hpke_config(), &[1; 31], INFO, AAD, PLAINTEXT);
        assert_eq!(sealed.map(|_| ()), Err(CryptoError::InvalidPublicKey), "{suite:?}");
    }
}

#[test]
fn what_is_not_listed_is_not_supported() {
    let crypto = Crypto::unseeded();
    for suite in crypto.supported_ciphersuites() {
        assert_eq!(crypto.supports(suite), Ok(()));
    }
    let other = Ciphersuite::MLS_256_XWING_CHACHA20POLY1305_SHA256_Ed25519;
    assert_eq!(crypto.supports(other), Err(CryptoError::UnsupportedCiphersuite));
}
