//! What lies on a disk: values sealed, and keys that would reveal a person replaced by keyed hashes.
//!
//! All of it hangs on one [`AtRestKey`], which lies outside the database: in a file of its own, behind a
//! passphrase, or in the system's credential store. [`ValueSealer`] and [`KeyBlinder`] are derived from it
//! once, so that a record costs one pass of the cipher and no key derivation.
//!
//! ```text
//! sealed value = version (1) = 1 | nonce (24) | XChaCha20-Poly1305 ciphertext | tag (16)
//! ```
//!
//! The associated data is the version, the table and the record's key, so that whoever can write the file
//! cannot put one record in another's place. Putting back an older value of the same record is not
//! noticed here.

use std::fmt;

use chacha20poly1305::aead::{Aead, AeadInOut, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use rand_core::CryptoRng;
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::encoding::put_prefixed;
use crate::passphrase::{PassphraseError, PassphraseKdf};

/// Bytes by which a sealed value is longer than the value.
pub const SEALED_VALUE_OVERHEAD_BYTES: usize = 1 + NONCE_BYTES + TAG_BYTES;

/// The key from which everything on a disk is sealed. Overwritten when dropped; never printed.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct AtRestKey([u8; 32]);

impl AtRestKey {
    /// Makes a new key.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        let mut key = Self([0; 32]);
        rng.fill_bytes(&mut key.0);
        key
    }

    /// A key that was stored.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(*bytes)
    }

    /// The key that a passphrase gives; see [`PassphraseKdf`] for what must be kept beside the data.
    ///
    /// # Errors
    /// Those of [`PassphraseKdf::derive`].
    pub fn from_passphrase(passphrase: &[u8], kdf: &PassphraseKdf) -> Result<Self, PassphraseError> {
        kdf.derive(passphrase).map(|key| Self(*key))
    }

    /// The bytes, to be stored where the data is not.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    fn derive(&self, label: &str, purpose: &str) -> Zeroizing<[u8; 32]> {
        let mut info = Vec::new();
        put_prefixed(&mut info, &[label.as_bytes(), purpose.as_bytes()]);
        let mut derived = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(None, &self.0)
            .expand(&info, derived.as_mut_slice())
            .expect("HKDF-SHA256 gives up to 255 * 32 bytes");
        derived
    }
}

impl fmt::Debug for AtRestKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("AtRestKey(..)")
    }
}

/// Why a sealed value does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenValueError {
    /// Shorter than any sealed value.
    #[error("sealed value is truncated")]
    Truncated,
    /// Made by a newer version.
    #[error("sealed value has the unknown version {0}")]
    UnknownVersion(u8),
    /// Another key, another record's value, or changed bytes.
    #[error("sealed value is not this record's under this key")]
    NotAuthentic,
}

/// Seals values for one purpose.
pub struct ValueSealer(XChaCha20Poly1305);

impl ValueSealer {
    /// A sealer for one purpose, a constant of the program; what one seals another does not open.
    pub fn new(key: &AtRestKey, purpose: &str) -> Self {
        Self(XChaCha20Poly1305::new(&(*key.derive("qpq/v1/at rest/values", purpose)).into()))
    }

    /// Seals the value of a record. Nonces are random: 192 bits do not repeat.
    pub fn seal(&self, rng: &mut dyn CryptoRng, table: &str, key: &[u8], value: &[u8]) -> Vec<u8> {
        let mut sealed = Vec::with_capacity(value.len() + SEALED_VALUE_OVERHEAD_BYTES);
        let mut nonce = [0; NONCE_BYTES];
        rng.fill_bytes(&mut nonce);
        sealed.push(VERSION);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(value);
        let tag = self
            .0
            .encrypt_inout_detached(
                &XNonce::from(nonce),
                &associated_data(table, key),
                (&mut sealed[1 + NONCE_BYTES..]).into(),
            )
            .expect("no value in memory reaches ChaCha20's limit of 256 GiB");
        sealed.extend_from_slice(&tag);
        sealed
    }

    /// Opens the value of a record.
    ///
    /// # Errors
    /// [`OpenValueError`].
    pub fn open(&self, table: &str, key: &[u8], sealed: &[u8]) -> Result<Vec<u8>, OpenValueError> {
        let (version, sealed) = sealed.split_first().ok_or(OpenValueError::Truncated)?;
        if *version != VERSION {
            return Err(OpenValueError::UnknownVersion(*version));
        }
        let (nonce, msg) = sealed.split_first_chunk().ok_or(OpenValueError::Truncated)?;
        if msg.len() < TAG_BYTES {
            return Err(OpenValueError::Truncated);
        }
        let aad = associated_data(table, key);
        self.0
            .decrypt(&XNonce::from(*nonce), Payload { msg, aad: &aad })
            .map_err(|_| OpenValueError::NotAuthentic)
    }
}

impl fmt::Debug for ValueSealer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ValueSealer(..)")
    }
}

/// Replaces what would reveal a person in a database key by a keyed hash.
pub struct KeyBlinder(Zeroizing<[u8; 32]>);

impl KeyBlinder {
    /// The blinder of an at-rest key.
    pub fn new(key: &AtRestKey) -> Self {
        Self(key.derive("qpq/v1/at rest/keys", ""))
    }

    /// Keyed BLAKE3 of a table and the revealing part of a key, its first 16 bytes.
    pub fn blind(&self, table: &str, prefix: &[u8]) -> [u8; 16] {
        let mut blinded = [0; 16];
        blake3::Hasher::new_keyed(&self.0)
            .update(&(table.len() as u64).to_be_bytes())
            .update(table.as_bytes())
            .update(prefix)
            .finalize_xof()
            .fill(&mut blinded);
        blinded
    }
}

impl fmt::Debug for KeyBlinder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("KeyBlinder(..)")
    }
}

fn associated_data(table: &str, key: &[u8]) -> Vec<u8> {
    let mut associated = Vec::with_capacity(1 + 16 + table.len() + key.len());
    associated.push(VERSION);
    put_prefixed(&mut associated, &[table.as_bytes(), key]);
    associated
}

const VERSION: u8 = 1;
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;

#[cfg(test)]
mod tests {
    use chacha20::ChaCha20Rng;
    use chacha20::rand_core::SeedableRng;
    use proptest::prelude::*;

    use super::*;
    use crate::passphrase::PassphraseCost;

    fn rng() -> ChaCha20Rng {
        ChaCha20Rng::from_seed([1; 32])
    }

    fn key() -> AtRestKey {
        AtRestKey::from_bytes(&[2; 32])
    }

    #[test]
    fn only_the_same_record_opens() {
        let sealer = ValueSealer::new(&key(), "records");
        let sealed = sealer.seal(&mut rng(), "messages", b"key", b"value");
        assert_eq!(sealed.len(), 5 + SEALED_VALUE_OVERHEAD_BYTES);
        assert_eq!(sealer.open("messages", b"key", &sealed).unwrap(), b"value");
        let refused = Err(OpenValueError::NotAuthentic);
        assert_eq!(sealer.open("messages", b"kex", &sealed), refused);
        assert_eq!(sealer.open("messagesk", b"ey", &sealed), refused);
        assert_eq!(ValueSealer::new(&key(), "secrets").open("messages", b"key", &sealed), refused);
        let other = AtRestKey::from_bytes(&[3; 32]);
        assert_eq!(ValueSealer::new(&other, "records").open("messages", b"key", &sealed), refused);
    }

    #[test]
    fn each_violation_has_its_error() {
        let sealer = ValueSealer::new(&key(), "records");
        let sealed = sealer.seal(&mut rng(), "t", b"k", b"");
        assert_eq!(sealer.open("t", b"k", &[]), Err(OpenValueError::Truncated));
        assert_eq!(sealer.open("t", b"k", &sealed[..20]), Err(OpenValueError::Truncated));
        assert_eq!(sealer.open("t", b"k", &sealed[..sealed.len() - 1]), Err(OpenValueError::Truncated));
        let newer = [&[2], &sealed[1..]].concat();
        assert_eq!(sealer.open("t", b"k", &newer), Err(OpenValueError::UnknownVersion(2)));
        for bit in 8..sealed.len() * 8 {
            let mut flipped = sealed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(sealer.open("t", b"k", &flipped), Err(OpenValueError::NotAuthentic), "bit {bit}");
        }
    }

    #[test]
    fn sealing_twice_looks_different() {
        let sealer = ValueSealer::new(&key(), "records");
        let mut rng = rng();
        assert_ne!(sealer.seal(&mut rng, "t", b"k", b"v"), sealer.seal(&mut rng, "t", b"k", b"v"));
    }

    #[test]
    fn blinded_keys_depend_on_key_table_and_prefix() {
        let blinder = KeyBlinder::new(&key());
        let blinded = blinder.blind("contacts", b"someone");
        assert_eq!(blinded, KeyBlinder::new(&key()).blind("contacts", b"someone"));
        assert_ne!(blinded, blinder.blind("contacts", b"someone else"));
        assert_ne!(blinded, blinder.blind("contactssome", b"one"));
        assert_ne!(blinded, KeyBlinder::new(&AtRestKey::from_bytes(&[3; 32])).blind("contacts", b"someone"));
    }

    #[test]
    fn a_passphrase_gives_a_key() {
        let cost = PassphraseCost { memory_kib: 32, passes: 1, lanes: 1 };
        let kdf = PassphraseKdf::generate(&mut rng(), cost).unwrap();
        let key = AtRestKey::from_passphrase(b"passphrase", &kdf).unwrap();
        let again = AtRestKey::from_passphrase(b"passphrase", &kdf).unwrap();
        assert_eq!(key.as_bytes(), again.as_bytes());
        assert_ne!(key.as_bytes(), AtRestKey::generate(&mut rng()).as_bytes());
    }

    #[test]
    fn nothing_secret_is_printed() {
        let printed =
            format!("{:?} {:?} {:?}", key(), ValueSealer::new(&key(), "x"), KeyBlinder::new(&key()));
        assert_eq!(printed, "AtRestKey(..) ValueSealer(..) KeyBlinder(..)");
    }

    proptest! {
        #[test]
        fn round_trip(seed: [u8; 32], table: String, key: Vec<u8>, value: Vec<u8>) {
            let sealer = ValueSealer::new(&AtRestKey::from_bytes(&seed), "records");
            let sealed = sealer.seal(&mut rng(), &table, &key, &value);
            prop_assert_eq!(sealer.open(&table, &key, &sealed), Ok(value));
        }

        #[test]
        fn garbage_is_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(ValueSealer::new(&key(), "records").open("t", b"k", &bytes).is_err());
        }
    }
}
