//! X-Wing keys: X25519 and ML-KEM-768 in one, for bodies sealed to a person.
//!
//! [draft-connolly-cfrg-xwing-kem-06], as HPKE's KEM 0x647a. The secret is confidential as long as either
//! half holds: X25519 against ordinary machines, ML-KEM (FIPS 203) against quantum ones.
//!
//! [draft-connolly-cfrg-xwing-kem-06]: https://datatracker.ietf.org/doc/draft-connolly-cfrg-xwing-kem/06/

use std::fmt;

use hpke::kem::XWing;
use hpke::{Deserializable, Kem, Serializable};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

/// Bytes of a hybrid public key: 1,184 of ML-KEM-768, then 32 of X25519.
pub const HYBRID_PUBLIC_BYTES: usize = 1216;
/// Bytes of an encapsulated secret: 1,088 of ML-KEM-768, then 32 of X25519.
pub const HYBRID_ENCAPSULATION_BYTES: usize = 1120;

/// The secret key, grown from a seed of 32 bytes. Overwritten when dropped; never printed.
pub struct HybridSecret(pub(crate) <XWing as Kem>::PrivateKey);

/// The public key, checked when it was read (FIPS 203, section 7.2).
#[derive(Clone, PartialEq, Eq)]
pub struct HybridPublic(pub(crate) <XWing as Kem>::PublicKey);

/// Why bytes are not a hybrid public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HybridPublicError {
    /// Another length than 1,216 bytes.
    #[error("hybrid public key has {0} bytes, not {HYBRID_PUBLIC_BYTES}")]
    Length(usize),
    /// A coefficient of the ML-KEM key is not reduced: the modulus check of FIPS 203.
    #[error("hybrid public key is not a valid ML-KEM-768 key")]
    Modulus,
}

impl HybridSecret {
    /// Makes a new key.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(seed.as_mut_slice());
        Self::from_seed(&seed)
    }

    /// The key that grows from a seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let secret = <XWing as Kem>::PrivateKey::from_bytes(seed);
        Self(secret.expect("any 32 bytes are the seed of an X-Wing key"))
    }

    /// The seed, to be sealed and stored.
    pub fn seed(&self) -> Zeroizing<[u8; 32]> {
        let mut seed = Zeroizing::new([0; 32]);
        self.0.write_exact(seed.as_mut_slice());
        seed
    }

    /// The public key.
    pub fn public(&self) -> HybridPublic {
        HybridPublic(XWing::sk_to_pk(&self.0))
    }
}

impl fmt::Debug for HybridSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("HybridSecret(..)")
    }
}

impl HybridPublic {
    /// Reads and checks a public key.
    ///
    /// # Errors
    /// [`HybridPublicError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, HybridPublicError> {
        if bytes.len() != HYBRID_PUBLIC_BYTES {
            return Err(HybridPublicError::Length(bytes.len()));
        }
        <XWing as Kem>::PublicKey::from_bytes(bytes).map(Self).map_err(|_| HybridPublicError::Modulus)
    }

    /// The bytes of the key.
    pub fn to_bytes(&self) -> [u8; HYBRID_PUBLIC_BYTES] {
        let mut bytes = [0; HYBRID_PUBLIC_BYTES];
        self.0.write_exact(&mut bytes);
        bytes
    }
}

impl fmt::Debug for HybridPublic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hash = blake3::hash(&self.to_bytes()).to_hex();
        write!(formatter, "HybridPublic(BLAKE3 {})", &hash[..16])
    }
}

#[cfg(test)]
mod tests {
    use chacha20::ChaCha20Rng;
    use chacha20::rand_core::SeedableRng;

    use super::*;

    #[test]
    fn the_seed_is_the_key() {
        let secret = HybridSecret::generate(&mut ChaCha20Rng::from_seed([1; 32]));
        assert_eq!(HybridSecret::from_seed(&secret.seed()).public(), secret.public());
        assert_ne!(HybridSecret::from_seed(&[2; 32]).public(), secret.public());
    }

    #[test]
    fn public_keys_are_read_back() {
        let public = HybridSecret::from_seed(&[1; 32]).public();
        assert_eq!(HybridPublic::from_bytes(&public.to_bytes()), Ok(public));
    }

    #[test]
    fn invalid_public_keys_are_refused() {
        let valid = HybridSecret::from_seed(&[1; 32]).public().to_bytes();
        assert_eq!(HybridPublic::from_bytes(&valid[1..]), Err(HybridPublicError::Length(1215)));
        let longer = [valid.as_slice(), &[0]].concat();
        assert_eq!(HybridPublic::from_bytes(&longer), Err(HybridPublicError::Length(1217)));
        // The first coefficient, 12 bits little-endian, becomes 4095: not below 3329.
        let mut unreduced = valid;
        unreduced[0] = 0xff;
        unreduced[1] |= 0x0f;
        assert_eq!(HybridPublic::from_bytes(&unreduced), Err(HybridPublicError::Modulus));
    }

    #[test]
    fn nothing_secret_is_printed() {
        assert_eq!(format!("{:?}", HybridSecret::from_seed(&[1; 32])), "HybridSecret(..)");
    }
}
