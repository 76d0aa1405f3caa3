use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use hpke::aead::{Aead, AesGcm128, ChaCha20Poly1305};
use hpke::kdf::HkdfSha256;
use hpke::kem::{X25519HkdfSha256, XWing};
use hpke::{Deserializable, Kem, OpModeR, single_shot_open};

use super::*;
use crate::mls::Suite;

const INFO: &[u8] = b"info";
const AAD: &[u8] = b"associated data";
const PLAINTEXT: &[u8] = b"path secret";

fn crypto(seed: u8) -> Crypto {
    Crypto::seeded(&mut ChaCha20Rng::from_seed([seed; 32]))
}

/// The suites of which HPKE is ours to seal.
fn sealing_suites() -> impl Iterator<Item = Ciphersuite> {
    SUPPORTED.into_iter().filter(|suite| Encapsulation::of(&suite.hpke_config()).is_ok())
}

fn key_pair(suite: Ciphersuite) -> HpkeKeyPair {
    RUST_CRYPTO.derive_hpke_keypair(suite.hpke_config(), &[7; 32]).unwrap()
}

/// Opens with crate `hpke` alone, whose receiver we do not use.
fn open_independently(suite: Ciphersuite, sealed: &HpkeCiphertext, secret: &[u8]) -> Vec<u8> {
    fn open<A: Aead, K: Kem>(sealed: &HpkeCiphertext, secret: &[u8]) -> Vec<u8> {
        let secret = K::PrivateKey::from_bytes(secret).unwrap();
        let encapsulated = K::EncappedKey::from_bytes(sealed.kem_output.as_slice()).unwrap();
        let ciphertext = sealed.ciphertext.as_slice();
        single_shot_open::<A, HkdfSha256, K>(&OpModeR::Base, &secret, &encapsulated, INFO, ciphertext, AAD)
            .unwrap()
    }
    match Encapsulation::of(&suite.hpke_config()).unwrap() {
        Encapsulation::XWingAes128 => open::<AesGcm128, XWing>(sealed, secret),
        Encapsulation::X25519Aes128 => open::<AesGcm128, X25519HkdfSha256>(sealed, secret),
        Encapsulation::X25519ChaCha20 => open::<ChaCha20Poly1305, X25519HkdfSha256>(sealed, secret),
    }
}

#[test]
fn both_implementations_of_hpke_open_what_is_sealed() {
    for suite in sealing_suites() {
        let pair = key_pair(suite);
        let ours = crypto(1).hpke_seal(suite.hpke_config(), &pair.public, INFO, AAD, PLAINTEXT).unwrap();
        let theirs = RUST_CRYPTO.hpke_seal(suite.hpke_config(), &pair.public, INFO, AAD, PLAINTEXT).unwrap();
        for sealed in [&ours, &theirs] {
            let opened = crypto(2).hpke_open(suite.hpke_config(), sealed, &pair.private, INFO, AAD);
            assert_eq!(opened.unwrap(), PLAINTEXT, "{suite:?}");
            assert_eq!(open_independently(suite, sealed, &pair.private), PLAINTEXT, "{suite:?}");
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
    for suite in sealing_suites() {
        let pair = key_pair(suite);
        let config = || suite.hpke_config();
        let (encapsulated, ours) =
            crypto(1).hpke_setup_sender_and_export(config(), &pair.public, INFO, b"context", 32).unwrap();
        let theirs = RUST_CRYPTO
            .hpke_setup_receiver_and_export(config(), &encapsulated, &pair.private, INFO, b"context", 32)
            .unwrap();
        assert_eq!(*ours, *theirs, "{suite:?}");
    }
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
    for suite in sealing_suites() {
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
