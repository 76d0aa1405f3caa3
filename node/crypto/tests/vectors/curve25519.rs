//! Published vectors of Ed25519, by this crate's one rule of verification, and of X25519.

use ed25519_dalek::SigningKey;
use qpq_crypto::signature::verify_bytes;
use serde::Deserialize;
use x25519_dalek::{PublicKey, StaticSecret};

use crate::support::{Hex, Verdict, load, load_wycheproof};

#[derive(Clone, Deserialize)]
struct EddsaGroup {
    #[serde(rename = "publicKey")]
    public_key: EddsaKey,
}

#[derive(Clone, Deserialize)]
struct EddsaKey {
    pk: Hex,
}

#[derive(Deserialize)]
struct EddsaTest {
    #[serde(rename = "tcId")]
    id: u32,
    msg: Hex,
    sig: Hex,
    result: Verdict,
}

#[test]
fn ed25519_wycheproof() {
    for (group, test) in load_wycheproof::<EddsaGroup, EddsaTest>("ed25519", 151) {
        let verdict = verify_bytes(&group.public_key.pk.array(), &test.msg, &test.sig);
        assert_eq!(verdict.is_ok(), test.result == Verdict::Valid, "test {}", test.id);
    }
}

#[derive(Deserialize)]
struct EdgeCase {
    number: u32,
    key: Hex,
    sig: Hex,
    msg: String,
    flags: Option<Vec<String>>,
}

/// CCTV lists the inputs on which implementations disagree. This pins what strict means here: points of small
/// order, encodings that are not canonical and equations that hold only with the cofactor are refused; a
/// component of small order in a key of large order is not.
#[test]
fn ed25519_edge_cases() {
    let Some(cases) = load::<Vec<EdgeCase>>("cctv/ed25519vectors.json") else { return };
    let refused = [
        "low_order_A",
        "low_order_R",
        "low_order_residue",
        "non_canonical_A",
        "non_canonical_R",
        "reencoded_k",
    ];
    let mut accepted = 0;
    for case in &cases {
        let flags = case.flags.as_deref().unwrap_or_default();
        let expected = !flags.iter().any(|flag| refused.contains(&flag.as_str()));
        let verdict = verify_bytes(&case.key.array(), case.msg.as_bytes(), &case.sig);
        assert_eq!(verdict.is_ok(), expected, "case {}: {flags:?}", case.number);
        accepted += usize::from(verdict.is_ok());
    }
    assert_eq!((cases.len(), accepted), (914, 43));
}

/// RFC 8032, section 7.1, tests 1 to 3: seed, public key, message, signature.
#[test]
fn ed25519_signs_as_rfc_8032_says() {
    use ed25519_dalek::Signer;
    let hex = |text: &str| data_encoding::HEXLOWER.decode(text.as_bytes()).expect("these are digits");
    for (seed, public, message, signature) in RFC_8032 {
        let seed: [u8; 32] = hex(seed).try_into().expect("a seed has 32 bytes");
        let key = SigningKey::from_bytes(&seed);
        assert_eq!(key.verifying_key().as_bytes(), &hex(public)[..]);
        assert_eq!(key.sign(&hex(message)).to_bytes(), &hex(signature)[..]);
    }
}

#[derive(Clone, Deserialize)]
struct NoGroup {}

#[derive(Deserialize)]
struct XdhTest {
    #[serde(rename = "tcId")]
    id: u32,
    flags: Vec<String>,
    public: Hex,
    private: Hex,
    shared: Hex,
}

/// All 31 exchanges that give zero are recognised; every other one gives the expected secret.
#[test]
fn x25519_wycheproof() {
    let tests = load_wycheproof::<NoGroup, XdhTest>("x25519", 518);
    let mut zeros = 0;
    for (_, test) in &tests {
        let private = StaticSecret::from(test.private.array::<32>());
        let shared = private.diffie_hellman(&PublicKey::from(test.public.array::<32>()));
        assert_eq!(shared.as_bytes(), &test.shared[..], "test {}", test.id);
        let is_zero = test.flags.iter().any(|flag| flag == "ZeroSharedSecret");
        assert_eq!(shared.was_contributory(), !is_zero, "test {}", test.id);
        zeros += usize::from(is_zero);
    }
    assert_eq!(zeros, if tests.is_empty() { 0 } else { 31 });
}

/// HPKE refuses to encapsulate to, or to decapsulate from, a point that gives zero (RFC 9180, section 7.1.4).
#[test]
fn hpke_refuses_points_of_small_order() {
    use hpke::aead::ChaCha20Poly1305;
    use hpke::kdf::HkdfSha256;
    use hpke::kem::X25519HkdfSha256;
    use hpke::{Deserializable, Kem, OpModeR, OpModeS, setup_receiver, setup_sender_with_rng};

    type PublicKey = <X25519HkdfSha256 as Kem>::PublicKey;
    type EncappedKey = <X25519HkdfSha256 as Kem>::EncappedKey;
    let (secret, _) = X25519HkdfSha256::derive_keypair(&[1; 32]);
    let mut rng = <chacha20::ChaCha20Rng as rand_core::SeedableRng>::from_seed([1; 32]);
    for (_, test) in load_wycheproof::<NoGroup, XdhTest>("x25519", 518) {
        if !test.flags.iter().any(|flag| flag == "ZeroSharedSecret") {
            continue;
        }
        if let Ok(public) = PublicKey::from_bytes(&test.public) {
            let sender = setup_sender_with_rng::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
                &OpModeS::Base,
                &public,
                b"",
                &mut rng,
            );
            assert!(sender.is_err(), "test {}", test.id);
        }
        if let Ok(encapsulation) = EncappedKey::from_bytes(&test.public) {
            let receiver = setup_receiver::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
                &OpModeR::Base,
                &secret,
                &encapsulation,
                b"",
            );
            assert!(receiver.is_err(), "test {}", test.id);
        }
    }
}

const RFC_8032: [(&str, &str, &str, &str); 3] = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b\
         d25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c\
         387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659\
         4a7c15e9716ed28dc027beceea1ec40a",
    ),
];
