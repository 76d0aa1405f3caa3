//! The two keys with which a person signs, the identity's and that of one device; and that of a relay's log.

use std::fmt;

use ed25519_dalek::{Signer, SigningKey};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::ids::{DeviceKey, Identity, LogKey};
use crate::signature::{Domain, SIGNATURE_BYTES};

/// A person's Ed25519 secret key. It signs what makes devices the person's, and nothing they say.
///
/// Overwritten when dropped; never printed.
pub struct IdentityKey(SigningKey);

/// A device's Ed25519 secret key: its MLS signature key.
///
/// Overwritten when dropped; never printed.
pub struct DeviceSecret(SigningKey);

/// The Ed25519 secret key with which a relay signs what its transparency log is.
///
/// Overwritten when dropped; never printed.
pub struct LogSecret(SigningKey);

macro_rules! signing_key {
    ($name:ident, $public:ident) => {
        impl $name {
            /// Makes a new key.
            pub fn generate(rng: &mut dyn CryptoRng) -> Self {
                let mut seed = Zeroizing::new([0; 32]);
                rng.fill_bytes(seed.as_mut_slice());
                Self::from_seed(&seed)
            }

            /// The key that grows from a seed (the private key of RFC 8032).
            pub fn from_seed(seed: &[u8; 32]) -> Self {
                Self(SigningKey::from_bytes(seed))
            }

            /// The seed, to be sealed and stored.
            pub fn seed(&self) -> Zeroizing<[u8; 32]> {
                Zeroizing::new(self.0.to_bytes())
            }

            /// The public key.
            pub fn public(&self) -> $public {
                $public::from_bytes(self.0.verifying_key().to_bytes())
            }

            /// Signs `parts` for one purpose; see [`crate::signature`] for the bytes that are covered.
            pub fn sign(&self, domain: Domain, parts: &[&[u8]]) -> [u8; SIGNATURE_BYTES] {
                self.0.sign(&domain.covered(parts)).to_bytes()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}

signing_key!(IdentityKey, Identity);
signing_key!(DeviceSecret, DeviceKey);
signing_key!(LogSecret, LogKey);

impl DeviceSecret {
    /// Signs bytes that carry their own label, as MLS's do (RFC 9420, section 5.1.2).
    pub fn sign_bytes(&self, message: &[u8]) -> [u8; SIGNATURE_BYTES] {
        self.0.sign(message).to_bytes()
    }
}

impl LogSecret {
    /// Signs the text of a checkpoint, which never starts with a zero byte.
    pub(crate) fn sign_text(&self, text: &str) -> [u8; SIGNATURE_BYTES] {
        self.0.sign(text.as_bytes()).to_bytes()
    }
}

#[cfg(test)]
mod tests {
    use chacha20::ChaCha20Rng;
    use chacha20::rand_core::SeedableRng;

    use super::*;
    use crate::signature::{Verify, verify_bytes};

    #[test]
    fn the_seed_is_the_key() {
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let key = IdentityKey::generate(&mut rng);
        let again = IdentityKey::from_seed(&key.seed());
        assert_eq!(key.public(), again.public());
        assert_ne!(key.public(), IdentityKey::generate(&mut rng).public());
    }

    #[test]
    fn rfc_8032_test_1() {
        let seed = data_encoding::HEXLOWER
            .decode(b"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
            .unwrap();
        let key = DeviceSecret::from_seed(seed.as_slice().try_into().unwrap());
        assert_eq!(
            key.public().to_string(),
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
        );
        let signature = key.sign_bytes(b"");
        assert!(data_encoding::HEXLOWER.encode(&signature).starts_with("e5564300c360ac729086e2cc806e828a"));
        assert_eq!(verify_bytes(key.public().as_bytes(), b"", &signature), Ok(()));
    }

    #[test]
    fn signatures_verify() {
        let identity = IdentityKey::from_seed(&[2; 32]);
        let signature = identity.sign(Domain::HybridKey, &[b"key", b"1"]);
        assert_eq!(identity.public().verify(Domain::HybridKey, &[b"key", b"1"], &signature), Ok(()));
    }

    #[test]
    fn nothing_secret_is_printed() {
        let printed =
            format!("{:?} {:?}", IdentityKey::from_seed(&[3; 32]), DeviceSecret::from_seed(&[3; 32]));
        assert_eq!(printed, "IdentityKey(..) DeviceSecret(..)");
    }
}
