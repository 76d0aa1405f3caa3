//! Published vectors of the ciphers, hashes and derivations that this crate uses, through the same crates.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Nonce, XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use serde::Deserialize;
use sha2::Sha256;

use crate::support::{Hex, Verdict, load, load_wycheproof};

#[derive(Clone, Deserialize)]
struct NoGroup {}

#[derive(Deserialize)]
struct AeadTest {
    #[serde(rename = "tcId")]
    id: u32,
    key: Hex,
    iv: Hex,
    aad: Hex,
    msg: Hex,
    ct: Hex,
    tag: Hex,
    result: Verdict,
}

#[test]
fn chacha20_poly1305_wycheproof() {
    for (_, test) in load_wycheproof::<NoGroup, AeadTest>("chacha20_poly1305", 325) {
        let Ok(nonce) = Nonce::try_from(&test.iv[..]) else {
            assert_eq!(test.result, Verdict::Invalid, "test {}: the type takes no other nonce", test.id);
            continue;
        };
        let cipher = ChaCha20Poly1305::new(&test.key.array().into());
        let sealed = [&test.ct[..], &test.tag[..]].concat();
        let opened = cipher.decrypt(&nonce, Payload { msg: &sealed, aad: &test.aad });
        let made = cipher.encrypt(&nonce, Payload { msg: &test.msg, aad: &test.aad });
        if test.result == Verdict::Valid {
            assert_eq!(opened.as_deref(), Ok(&test.msg[..]), "test {}", test.id);
            assert_eq!(made, Ok(sealed), "test {}", test.id);
        } else {
            assert!(opened.is_err(), "test {}", test.id);
            assert_ne!(made, Ok(sealed), "test {}", test.id);
        }
    }
}

/// draft-irtf-cfrg-xchacha-03, appendix A.3.1.
#[test]
fn xchacha20_poly1305_draft() {
    let hex = |text: &str| data_encoding::HEXLOWER.decode(text.as_bytes()).expect("these are digits");
    let plaintext = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for \
                      the future, sunscreen would be it.";
    let key: [u8; 32] = std::array::from_fn(|position| 0x80 + u8::try_from(position).expect("below 32"));
    let nonce: [u8; 24] = std::array::from_fn(|position| 0x40 + u8::try_from(position).expect("below 24"));
    let aad = hex("50515253c0c1c2c3c4c5c6c7");
    let expected = hex(concat!(
        "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb",
        "731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452",
        "2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9",
        "21f9664c97637da9768812f615c68b13b52e",
        "c0875924c1c7987947deafd8780acf49",
    ));
    let cipher = XChaCha20Poly1305::new(&key.into());
    let nonce = XNonce::from(nonce);
    assert_eq!(cipher.encrypt(&nonce, Payload { msg: plaintext, aad: &aad }), Ok(expected.clone()));
    for bit in 0..expected.len() * 8 {
        let mut flipped = expected.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(cipher.decrypt(&nonce, Payload { msg: &flipped, aad: &aad }).is_err(), "bit {bit}");
    }
}

#[derive(Deserialize)]
struct HkdfTest {
    #[serde(rename = "tcId")]
    id: u32,
    ikm: Hex,
    salt: Hex,
    info: Hex,
    size: usize,
    okm: Hex,
    result: Verdict,
}

#[test]
fn hkdf_sha256_wycheproof() {
    for (_, test) in load_wycheproof::<NoGroup, HkdfTest>("hkdf_sha256", 86) {
        let mut okm = vec![0; test.size];
        let expanded = Hkdf::<Sha256>::new(Some(&test.salt), &test.ikm).expand(&test.info, &mut okm);
        assert_eq!(expanded.is_ok(), test.result == Verdict::Valid, "test {}", test.id);
        if test.result == Verdict::Valid {
            assert_eq!(okm, &test.okm[..], "test {}", test.id);
        }
    }
}

#[derive(Deserialize)]
struct MacTest {
    #[serde(rename = "tcId")]
    id: u32,
    key: Hex,
    msg: Hex,
    tag: Hex,
    result: Verdict,
}

/// Groups with tags of 16 bytes are among them: parcels' tags are cut to that.
#[test]
fn hmac_sha256_wycheproof() {
    for (_, test) in load_wycheproof::<NoGroup, MacTest>("hmac_sha256", 174) {
        let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&test.key).expect("any length is a key");
        let mac = mac.chain_update(&test.msg[..]);
        let is_valid = mac.clone().verify_truncated_left(&test.tag).is_ok();
        assert_eq!(is_valid, test.result == Verdict::Valid, "test {}", test.id);
        let made = mac.finalize().into_bytes();
        assert_eq!(made.starts_with(&test.tag), is_valid, "test {}", test.id);
    }
}

#[derive(Deserialize)]
struct Blake3File {
    key: String,
    context_string: String,
    cases: Vec<Blake3Case>,
}

#[derive(Deserialize)]
struct Blake3Case {
    input_len: usize,
    hash: Hex,
    keyed_hash: Hex,
    derive_key: Hex,
}

#[test]
fn blake3_reference() {
    let Some(file) = load::<Blake3File>("blake3/test_vectors.json") else { return };
    assert_eq!(file.cases.len(), 35);
    let key: &[u8; 32] = file.key.as_bytes().try_into().expect("the key has 32 characters");
    for case in file.cases {
        let input = (0..=250).cycle().take(case.input_len).collect::<Vec<u8>>();
        let hashers = [
            (blake3::Hasher::new(), &case.hash),
            (blake3::Hasher::new_keyed(key), &case.keyed_hash),
            (blake3::Hasher::new_derive_key(&file.context_string), &case.derive_key),
        ];
        for (mut hasher, expected) in hashers {
            let mut output = vec![0; expected.len()];
            hasher.update(&input).finalize_xof().fill(&mut output);
            assert_eq!(output, expected[..], "{} bytes", case.input_len);
            assert_eq!(hasher.finalize().as_bytes(), &expected[..32], "{} bytes", case.input_len);
        }
    }
}
