//! From a passphrase to a key: Argon2id (RFC 9106) with parameters that are stored beside the salt.

use argon2::{Algorithm, Argon2, Params, Version};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::encoding::{Reader, Truncated};

/// Bytes of an encoded [`PassphraseKdf`].
pub const PASSPHRASE_KDF_BYTES: usize = 28;

/// Memory that a stored parameter may ask for at most, in KiB: 1 GiB.
pub const PASSPHRASE_MEMORY_KIB_MAX: u32 = 1_048_576;
/// Passes that a stored parameter may ask for at most.
pub const PASSPHRASE_PASSES_MAX: u32 = 16;
/// Lanes that a stored parameter may ask for at most.
pub const PASSPHRASE_LANES_MAX: u32 = 16;

/// How expensive a guess at a passphrase is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassphraseCost {
    /// Memory in KiB; at least 8 for each lane.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes. They are computed one after another here.
    pub lanes: u32,
}

impl PassphraseCost {
    /// RFC 9106, section 4, second recommended option: 64 MiB, 3 passes, 4 lanes.
    pub const STANDARD: Self = Self { memory_kib: 65_536, passes: 3, lanes: 4 };
    /// For a router with 64 MB of memory: 16 MiB, 6 passes, 1 lane.
    pub const ROUTER: Self = Self { memory_kib: 16_384, passes: 6, lanes: 1 };

    /// Refuses what is out of bounds before any memory is taken.
    pub(crate) fn check(self) -> Result<(), PassphraseError> {
        let is_bounded = self.memory_kib <= PASSPHRASE_MEMORY_KIB_MAX
            && (1..=PASSPHRASE_PASSES_MAX).contains(&self.passes)
            && (1..=PASSPHRASE_LANES_MAX).contains(&self.lanes);
        if !is_bounded || self.memory_kib < 8 * self.lanes {
            return Err(PassphraseError::Cost(self));
        }
        Ok(())
    }
}

/// A cost and a salt: what must be kept, in the open, to make the same key from a passphrase again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassphraseKdf {
    cost: PassphraseCost,
    salt: [u8; 16],
}

/// Why no key could be made from a passphrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PassphraseError {
    /// The stored parameters end too early, or bytes follow them.
    #[error("passphrase parameters are not {PASSPHRASE_KDF_BYTES} bytes long")]
    Length,
    /// Parameters beyond the bounds of this module.
    #[error("passphrase parameters are out of bounds: {0:?}")]
    Cost(PassphraseCost),
    /// There is nothing to make a key from.
    #[error("passphrase is empty")]
    Empty,
    /// Longer than Argon2 takes.
    #[error("passphrase is too long")]
    TooLong,
}

impl From<Truncated> for PassphraseError {
    fn from(_: Truncated) -> Self {
        Self::Length
    }
}

impl PassphraseKdf {
    /// A fresh salt.
    ///
    /// # Errors
    /// [`PassphraseError::Cost`].
    pub fn generate(rng: &mut dyn CryptoRng, cost: PassphraseCost) -> Result<Self, PassphraseError> {
        cost.check()?;
        let mut salt = [0; 16];
        rng.fill_bytes(&mut salt);
        Ok(Self { cost, salt })
    }

    /// What a guess costs.
    pub fn cost(&self) -> PassphraseCost {
        self.cost
    }

    /// `memory_kib (4) | passes (4) | lanes (4) | salt (16)`, big-endian.
    pub fn encode(&self) -> [u8; PASSPHRASE_KDF_BYTES] {
        let mut bytes = [0; PASSPHRASE_KDF_BYTES];
        bytes[..4].copy_from_slice(&self.cost.memory_kib.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.cost.passes.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.cost.lanes.to_be_bytes());
        bytes[12..].copy_from_slice(&self.salt);
        bytes
    }

    /// Reads what [`PassphraseKdf::encode`] wrote.
    ///
    /// # Errors
    /// [`PassphraseError::Length`], [`PassphraseError::Cost`].
    pub fn decode(bytes: &[u8]) -> Result<Self, PassphraseError> {
        let mut reader = Reader::new(bytes);
        let cost = PassphraseCost { memory_kib: reader.u32()?, passes: reader.u32()?, lanes: reader.u32()? };
        let salt = reader.array()?;
        if reader.remaining() > 0 {
            return Err(PassphraseError::Length);
        }
        cost.check()?;
        Ok(Self { cost, salt })
    }

    /// Makes the key. Takes the memory of the cost, and as long as it takes.
    ///
    /// # Errors
    /// [`PassphraseError::Empty`], [`PassphraseError::TooLong`].
    pub fn derive(&self, passphrase: &[u8]) -> Result<Zeroizing<[u8; 32]>, PassphraseError> {
        if passphrase.is_empty() {
            return Err(PassphraseError::Empty);
        }
        let PassphraseCost { memory_kib, passes, lanes } = self.cost;
        let params =
            Params::new(memory_kib, passes, lanes, None).map_err(|_| PassphraseError::Cost(self.cost))?;
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase, &self.salt, key.as_mut_slice())
            .map_err(|_| PassphraseError::TooLong)?;
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use chacha20::ChaCha20Rng;
    use chacha20::rand_core::SeedableRng;

    use super::*;

    const CHEAP: PassphraseCost = PassphraseCost { memory_kib: 32, passes: 3, lanes: 4 };

    fn kdf(seed: u8) -> PassphraseKdf {
        PassphraseKdf::generate(&mut ChaCha20Rng::from_seed([seed; 32]), CHEAP).unwrap()
    }

    #[test]
    fn the_same_passphrase_and_salt_give_the_same_key() {
        let stored = PassphraseKdf::decode(&kdf(1).encode()).unwrap();
        assert_eq!(stored, kdf(1));
        assert_eq!(stored.derive(b"correct horse").unwrap(), kdf(1).derive(b"correct horse").unwrap());
        assert_ne!(stored.derive(b"correct horse").unwrap(), kdf(1).derive(b"correct hors").unwrap());
        assert_ne!(stored.derive(b"correct horse").unwrap(), kdf(2).derive(b"correct horse").unwrap());
    }

    #[test]
    fn agrees_with_other_implementations() {
        // echo -n password | argon2 somesaltsomesalt -id -t 3 -k 32 -p 4 -l 32 -r; OpenSSL says the same.
        let kdf = PassphraseKdf { cost: CHEAP, salt: *b"somesaltsomesalt" };
        let key = kdf.derive(b"password").unwrap();
        assert_eq!(data_encoding::HEXLOWER.encode(key.as_slice()), REFERENCE);
    }

    #[test]
    fn a_hostile_header_takes_no_memory() {
        let out_of_bounds = [
            PassphraseCost { memory_kib: u32::MAX, ..CHEAP },
            PassphraseCost { memory_kib: PASSPHRASE_MEMORY_KIB_MAX + 1, ..CHEAP },
            PassphraseCost { memory_kib: 31, ..CHEAP },
            PassphraseCost { passes: 0, ..CHEAP },
            PassphraseCost { passes: PASSPHRASE_PASSES_MAX + 1, ..CHEAP },
            PassphraseCost { lanes: 0, ..CHEAP },
            PassphraseCost { lanes: PASSPHRASE_LANES_MAX + 1, ..CHEAP },
        ];
        for cost in out_of_bounds {
            let bytes = PassphraseKdf { cost, salt: [0; 16] }.encode();
            assert_eq!(PassphraseKdf::decode(&bytes), Err(PassphraseError::Cost(cost)));
            let mut rng = ChaCha20Rng::from_seed([0; 32]);
            assert_eq!(PassphraseKdf::generate(&mut rng, cost), Err(PassphraseError::Cost(cost)));
        }
        for cost in [CHEAP, PassphraseCost::STANDARD, PassphraseCost::ROUTER] {
            assert_eq!(cost.check(), Ok(()));
        }
    }

    #[test]
    fn lengths_are_checked() {
        let bytes = kdf(1).encode();
        assert_eq!(PassphraseKdf::decode(&bytes[..27]), Err(PassphraseError::Length));
        assert_eq!(PassphraseKdf::decode(&[bytes.as_slice(), &[0]].concat()), Err(PassphraseError::Length));
        assert_eq!(kdf(1).derive(b""), Err(PassphraseError::Empty));
    }

    const REFERENCE: &str = "f25048ec48311a804ea9edd74e08c30765aa0f8d47c2a5b5a6097243cdf2e5ce";
}
