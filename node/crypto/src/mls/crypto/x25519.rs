//! DHKEM(X25519, HKDF-SHA256) (RFC 9180, section 4.1) for senders.
//!
//! Crate `hpke` computes the public half of the ephemeral key twice, which takes an eighth of the time of an
//! encapsulation; a commit makes one for every member of a group that few have committed in. Here it is
//! computed once. Everything but the encapsulation is the crate's, and what is made here is opened by another
//! implementation.

use hkdf::Hkdf;
use hpke::kem::{SharedSecret, X25519HkdfSha256};
use hpke::{Deserializable, HpkeError, Kem, Serializable};
use rand_core::CryptoRng;
use sha2::Sha256;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

/// The KEM; its authenticated mode is not ours to use.
pub(super) struct X25519;

impl Kem for X25519 {
    type PublicKey = <X25519HkdfSha256 as Kem>::PublicKey;
    type PrivateKey = <X25519HkdfSha256 as Kem>::PrivateKey;
    type EncappedKey = <X25519HkdfSha256 as Kem>::EncappedKey;
    type NSecret = <X25519HkdfSha256 as Kem>::NSecret;

    const KEM_ID: u16 = X25519HkdfSha256::KEM_ID;

    fn sk_to_pk(secret: &Self::PrivateKey) -> Self::PublicKey {
        X25519HkdfSha256::sk_to_pk(secret)
    }

    fn derive_keypair(ikm: &[u8]) -> (Self::PrivateKey, Self::PublicKey) {
        X25519HkdfSha256::derive_keypair(ikm)
    }

    fn decap(
        secret: &Self::PrivateKey,
        sender: Option<&Self::PublicKey>,
        encapsulated: &Self::EncappedKey,
    ) -> Result<SharedSecret<Self>, HpkeError> {
        X25519HkdfSha256::decap(secret, sender, encapsulated).map(|shared| SharedSecret(shared.0))
    }

    fn encap_with_rng(
        recipient: &Self::PublicKey,
        sender: Option<(&Self::PrivateKey, &Self::PublicKey)>,
        rng: &mut impl CryptoRng,
    ) -> Result<(SharedSecret<Self>, Self::EncappedKey), HpkeError> {
        if sender.is_some() {
            return Err(HpkeError::EncapError);
        }
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(seed.as_mut_slice());
        let ephemeral = StaticSecret::from(*seed);
        let encapsulated = PublicKey::from(&ephemeral).to_bytes();
        let recipient: [u8; 32] = recipient.to_bytes().into();
        let agreed = ephemeral.diffie_hellman(&PublicKey::from(recipient));
        if !agreed.was_contributory() {
            return Err(HpkeError::EncapError);
        }
        let mut shared = SharedSecret::default();
        extract_and_expand(agreed.as_bytes(), &encapsulated, &recipient, &mut shared.0)?;
        Ok((shared, Self::EncappedKey::from_bytes(&encapsulated)?))
    }
}

/// `ExtractAndExpand(dh, enc || pkRm)` (RFC 9180, section 4.1).
fn extract_and_expand(
    agreed: &[u8; 32],
    encapsulated: &[u8; 32],
    recipient: &[u8; 32],
    shared: &mut [u8],
) -> Result<(), HpkeError> {
    let length = u16::try_from(shared.len()).map_err(|_| HpkeError::EncapError)?;
    let labeled = Zeroizing::new([VERSION, SUITE, b"eae_prk", agreed].concat());
    let (_, extracted) = Hkdf::<Sha256>::extract(None, &labeled);
    let info = [&length.to_be_bytes()[..], VERSION, SUITE, b"shared_secret", encapsulated, recipient];
    extracted.expand_multi_info(&info, shared).map_err(|_| HpkeError::EncapError)
}

const VERSION: &[u8] = b"HPKE-v1";
/// `"KEM" || I2OSP(kem_id, 2)`.
const SUITE: &[u8] = b"KEM\x00\x20";
