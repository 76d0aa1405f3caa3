//! Published vectors of X-Wing and HPKE, through the crate with which bodies are sealed, and through
//! `qpq_crypto::sealed` itself.

use std::convert::Infallible;

use hpke::aead::{Aead, AesGcm128, AesGcm256, ChaCha20Poly1305, ExportOnlyAead};
use hpke::kdf::{HkdfSha256, HkdfSha512, Kdf, KdfShake256};
use hpke::kem::{X25519HkdfSha256, XWing};
use hpke::{
    Deserializable, Kem, OpModeR, OpModeS, PskBundle, Serializable, setup_receiver, setup_sender_with_rng,
};
use qpq_crypto::hybrid::{HybridPublic, HybridSecret};
use qpq_crypto::sealed::{OpenSealedError, open_sealed, seal_to};
use rand_core::{TryCryptoRng, TryRng};
use serde::Deserialize;

use crate::support::{Hex, load};

/// Gives the bytes of a vector, once.
struct Given(Vec<u8>);

impl TryRng for Given {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        unreachable!("bytes are drawn all at once")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        unreachable!("bytes are drawn all at once")
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.copy_from_slice(&self.0.drain(..bytes.len()).collect::<Vec<_>>());
        Ok(())
    }
}

impl TryCryptoRng for Given {}

#[derive(Deserialize)]
struct XWingTest {
    eseed: Hex,
    ss: Hex,
    sk: Hex,
    pk: Hex,
    ct: Hex,
}

#[test]
fn xwing_draft() {
    let Some(tests) = load::<Vec<XWingTest>>("xwing/test-vectors.json") else { return };
    assert_eq!(tests.len(), 3);
    for test in tests {
        let secret = HybridSecret::from_seed(&test.sk.array());
        assert_eq!(secret.public().to_bytes(), test.pk[..]);
        assert_eq!(HybridPublic::from_bytes(&test.pk), Ok(secret.public()));
        let public = <XWing as Kem>::PublicKey::from_bytes(&test.pk).expect("the key is valid");
        let (shared, encapsulation) = XWing::encap_with_rng(&public, None, &mut Given(test.eseed.to_vec()))
            .expect("X-Wing encapsulates to any valid key");
        assert_eq!(encapsulation.to_bytes()[..], test.ct[..]);
        assert_eq!(shared.0[..], test.ss[..]);
        let secret = <XWing as Kem>::PrivateKey::from_bytes(&test.sk).expect("a seed has 32 bytes");
        let shared = XWing::decap(&secret, None, &encapsulation).expect("X-Wing always decapsulates");
        assert_eq!(shared.0[..], test.ss[..]);
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HpkeTest {
    mode: u8,
    #[serde(rename = "kdf_id")]
    kdf: u16,
    #[serde(rename = "aead_id")]
    aead: u16,
    info: Hex,
    ikm_e: Hex,
    ikm_r: Hex,
    #[serde(default)]
    ikm_s: Hex,
    sk_rm: Hex,
    pk_rm: Hex,
    enc: Hex,
    #[serde(default)]
    psk: Hex,
    #[serde(rename = "psk_id", default)]
    psk_id: Hex,
    #[serde(rename = "base_nonce")]
    base_nonce: Hex,
    encryptions: Vec<Encryption>,
    exports: Vec<Export>,
}

#[derive(Deserialize)]
struct Encryption {
    aad: Hex,
    ct: Hex,
    nonce: Hex,
    pt: Hex,
}

impl Encryption {
    /// Which message of its sender it is: its nonce is the base nonce, changed by that number.
    fn sequence(&self, base_nonce: &[u8]) -> u64 {
        let difference = self.nonce.iter().zip(base_nonce).map(|(one, other)| one ^ other);
        difference.fold(0, |sequence, byte| sequence << 8 | u64::from(byte))
    }
}

#[derive(Deserialize)]
struct Export {
    exporter_context: Hex,
    #[serde(rename = "L")]
    length: usize,
    exported_value: Hex,
}

/// Runs one vector, as sender and as receiver.
fn run<A: Aead, F: Kdf, K: Kem>(test: &HpkeTest) {
    let (secret, public) = K::derive_keypair(&test.ikm_r);
    assert_eq!(public.to_bytes()[..], test.pk_rm[..]);
    // Bits of an X25519 key that clamping overrides may differ: what counts is the public key.
    let written = K::PrivateKey::from_bytes(&test.sk_rm).expect("the key is valid");
    assert!(K::sk_to_pk(&written) == public);
    let psk = || PskBundle::new(&test.psk, &test.psk_id).expect("the key is long enough");
    let sender = || K::derive_keypair(&test.ikm_s);
    let (send, receive) = match test.mode {
        0 => (OpModeS::Base, OpModeR::Base),
        1 => (OpModeS::Psk(psk()), OpModeR::Psk(psk())),
        2 => (OpModeS::Auth(sender()), OpModeR::Auth(sender().1)),
        3 => (OpModeS::AuthPsk(sender(), psk()), OpModeR::AuthPsk(sender().1, psk())),
        mode => panic!("unknown mode {mode}"),
    };
    let mut rng = Given(test.ikm_e.to_vec());
    let (encapsulation, mut sender) = setup_sender_with_rng::<A, F, K>(&send, &public, &test.info, &mut rng)
        .expect("the recipient's key is valid");
    assert_eq!(encapsulation.to_bytes()[..], test.enc[..]);
    let mut receiver = setup_receiver::<A, F, K>(&receive, &secret, &encapsulation, &test.info)
        .expect("the encapsulation is valid");

    let mut next = 0;
    for encryption in &test.encryptions {
        for _ in next..encryption.sequence(&test.base_nonce) {
            let skipped = sender.seal(b"", b"").expect("nonces are left");
            receiver.open(&skipped, b"").expect("what was sealed opens");
        }
        next = encryption.sequence(&test.base_nonce) + 1;
        let sealed = sender.seal(&encryption.pt, &encryption.aad).expect("nonces are left");
        assert_eq!(sealed, encryption.ct[..]);
        let opened = receiver.open(&sealed, &encryption.aad).expect("what was sealed opens");
        assert_eq!(opened, encryption.pt[..]);
    }
    for export in &test.exports {
        let mut exported = vec![0; export.length];
        sender.export(&export.exporter_context, &mut exported).expect("the length is allowed");
        assert_eq!(exported, export.exported_value[..]);
        receiver.export(&export.exporter_context, &mut exported).expect("the length is allowed");
        assert_eq!(exported, export.exported_value[..]);
    }
}

/// DHKEM(X25519) in all four modes, with every KDF and AEAD that the vectors have for it.
#[test]
fn hpke_rfc_9180_x25519() {
    let Some(tests) = load::<Vec<HpkeTest>>("hpke/rfc9180-x25519-subset.json") else { return };
    assert_eq!(tests.len(), 32);
    for test in &tests {
        match (test.kdf, test.aead) {
            (1, 1) => run::<AesGcm128, HkdfSha256, X25519HkdfSha256>(test),
            (1, 2) => run::<AesGcm256, HkdfSha256, X25519HkdfSha256>(test),
            (1, 3) => run::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(test),
            (1, 0xffff) => run::<ExportOnlyAead, HkdfSha256, X25519HkdfSha256>(test),
            (3, 1) => run::<AesGcm128, HkdfSha512, X25519HkdfSha256>(test),
            (3, 2) => run::<AesGcm256, HkdfSha512, X25519HkdfSha256>(test),
            (3, 3) => run::<ChaCha20Poly1305, HkdfSha512, X25519HkdfSha256>(test),
            (3, 0xffff) => run::<ExportOnlyAead, HkdfSha512, X25519HkdfSha256>(test),
            other => panic!("unknown suite {other:?}"),
        }
    }
}

fn load_xwing() -> Vec<HpkeTest> {
    load("hpke/hpke-pq-xwing-647a-go-8aa8a04.json").unwrap_or_default()
}

#[test]
fn hpke_xwing() {
    for test in load_xwing() {
        match test.kdf {
            1 => run::<ChaCha20Poly1305, HkdfSha256, XWing>(&test),
            17 => run::<ChaCha20Poly1305, KdfShake256, XWing>(&test),
            other => panic!("unknown KDF {other}"),
        }
    }
}

/// The first message of the vector for our suite is a sealed body.
#[test]
fn sealed_bodies_are_hpke() {
    for test in load_xwing().into_iter().filter(|test| (test.kdf, test.aead) == (1, 3)) {
        let first = &test.encryptions[0];
        let secret = HybridSecret::from_seed(&test.sk_rm.array());
        let body = [&test.enc[..], &first.ct[..]].concat();
        let opened = open_sealed(&secret, &test.info, &first.aad, &body).expect("the vector opens");
        assert_eq!(opened[..], first.pt[..]);
        let mut rng = Given(test.ikm_e.to_vec());
        assert_eq!(seal_to(&mut rng, &secret.public(), &test.info, &first.aad, &first.pt), body);

        let later = [&test.enc[..], &test.encryptions[1].ct[..]].concat();
        let refused = open_sealed(&secret, &test.info, &test.encryptions[1].aad, &later);
        assert_eq!(refused, Err(OpenSealedError::NotAuthentic));
        let wrong_info = open_sealed(&secret, b"", &first.aad, &body);
        assert_eq!(wrong_info, Err(OpenSealedError::NotAuthentic));
    }
}
