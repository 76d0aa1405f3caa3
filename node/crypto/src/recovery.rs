//! Recovery codes: what a person writes down to get an account's secrets back from a relay that cannot read
//! them.
//!
//! A code is 128 random bits, written as two groups of 14 characters, each with a check character. HKDF-SHA256
//! makes three secrets of it: the token by which the relay finds the bundle (it stores SHA-256 of the token),
//! the key under which the bundle is sealed, and a key that tells a wrong code from a damaged bundle. Each of the
//! eight codes has a bundle of its own, so that one that was used or lost can be taken back alone. A code needs
//! no stretching: nobody guesses 128 bits. A node keeps what is derived from its codes ([`RecoveryKeys`]) to renew the
//! bundles, and the codes themselves nowhere.
//!
//! ```text
//! bundle = form (1) = 1 | nonce (24) | check (16) | XChaCha20-Poly1305 ciphertext of the padded contents | tag (16)
//! ```
//!
//! The associated data is the form and the version of the bundle, by which the relay tells newer from older. A
//! relay that gives an old bundle under its old version is not found out here: what is in the bundle says how
//! new it is.

use std::fmt;

use hkdf::Hkdf;
use qpq_proto::limits::{RECOVERY_BUNDLE_BYTES_MAX, RECOVERY_BUNDLES_MAX};
use rand_core::CryptoRng;
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::encoding::Truncated;
use crate::link::{LinkError, groups};
use crate::padding::PaddingError;

mod keys;
use keys::{CHECK_BYTES, NONCE_BYTES, TAG_BYTES};
pub use keys::{RECOVERY_KEYS_BYTES, RecoveryKeys};

/// Bytes by which a bundle is longer than its padded contents.
pub const RECOVERY_OVERHEAD_BYTES: usize = 1 + NONCE_BYTES + CHECK_BYTES + TAG_BYTES;
/// Bytes that the contents of a bundle have at most.
pub const RECOVERY_CONTENTS_BYTES_MAX: usize = RECOVERY_BUNDLE_BYTES_MAX - RECOVERY_OVERHEAD_BYTES - 1;

/// One code. Overwritten when dropped; never printed but by [`RecoveryCode::to_text`].
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct RecoveryCode([u8; CODE_BYTES]);

/// By which a relay finds a bundle; secret until it is shown to the relay. Overwritten when dropped; never
/// printed.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct RecoveryToken([u8; 32]);

/// Why text is not a recovery code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecoveryCodeError {
    /// A character that no code holds.
    #[error("group {index} of the recovery code holds {}, which no code does", .character.escape_debug())]
    Character {
        /// Which group of 14 characters, from 1.
        index: usize,
        /// The character.
        character: char,
    },
    /// A group whose check character is wrong.
    #[error("group {index} of the recovery code is mistyped")]
    Group {
        /// Which group of 14 characters, from 1.
        index: usize,
    },
    /// Each group is right in itself, but these are not two groups in their order.
    #[error("recovery code is incomplete, or its groups are exchanged")]
    Incomplete,
    /// More than two groups.
    #[error("recovery code is too long")]
    TooLong,
}

/// Why a bundle cannot be sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecoveryBundleError {
    /// More contents than [`RECOVERY_CONTENTS_BYTES_MAX`], or a bundle of more than 1 MiB.
    #[error("recovery bundle of {0} bytes is too long")]
    TooLong(usize),
    /// Shorter than any bundle.
    #[error("recovery bundle is truncated")]
    Truncated,
    /// Made by a newer version of the program.
    #[error("recovery bundle was made by a newer version of qpq (form {0})")]
    UnknownForm(u8),
    /// Sealed under another code.
    #[error("recovery bundle belongs to another code")]
    WrongCode,
    /// Changed, or given out under another version than it was sealed for.
    #[error("recovery bundle is damaged, or of another version")]
    Damaged,
}

impl From<Truncated> for RecoveryBundleError {
    fn from(_: Truncated) -> Self {
        Self::Truncated
    }
}

impl From<PaddingError> for RecoveryBundleError {
    fn from(_: PaddingError) -> Self {
        Self::Damaged
    }
}

impl From<LinkError> for RecoveryCodeError {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Character { index, character } => Self::Character { index, character },
            LinkError::Group { index } => Self::Group { index },
            _ => Self::Incomplete,
        }
    }
}

/// Makes the eight codes of an account.
pub fn generate_codes(rng: &mut dyn CryptoRng) -> [RecoveryCode; RECOVERY_BUNDLES_MAX] {
    std::array::from_fn(|_| {
        let mut code = RecoveryCode([0; CODE_BYTES]);
        rng.fill_bytes(&mut code.0);
        code
    })
}

impl RecoveryCode {
    /// As it is shown, once: two groups of 14 characters, joined by a dash.
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(groups::write(&self.0))
    }

    /// Reads a code as it may have been copied by hand: in either case, with blanks and dashes anywhere.
    ///
    /// # Errors
    /// [`RecoveryCodeError`].
    pub fn from_text(text: &str) -> Result<Self, RecoveryCodeError> {
        if text.chars().filter(char::is_ascii_alphanumeric).count() > TEXT_CHARS {
            return Err(RecoveryCodeError::TooLong);
        }
        let bytes = Zeroizing::new(groups::read(text)?);
        let code = bytes.as_slice().try_into().map_err(|_| RecoveryCodeError::Incomplete)?;
        Ok(Self(code))
    }

    /// By which the relay finds the bundle of this code.
    pub fn token(&self) -> RecoveryToken {
        RecoveryToken(*self.expand(b"qpq/v1/recovery token"))
    }

    /// What is kept of the code so that its bundle can be renewed.
    pub fn keys(&self) -> RecoveryKeys {
        RecoveryKeys {
            token_hash: self.token().hash(),
            bundle: *self.expand(b"qpq/v1/recovery bundle"),
            check: *self.expand(b"qpq/v1/recovery check"),
        }
    }

    /// Seals contents under this code. `version` is above that of the bundle before.
    ///
    /// # Errors
    /// [`RecoveryBundleError::TooLong`].
    pub fn seal(
        &self,
        rng: &mut dyn CryptoRng,
        version: u64,
        contents: &[u8],
    ) -> Result<Vec<u8>, RecoveryBundleError> {
        self.keys().seal(rng, version, contents)
    }

    /// Opens what [`RecoveryCode::seal`] sealed under the same code and version.
    ///
    /// # Errors
    /// [`RecoveryBundleError`].
    pub fn open(&self, version: u64, bundle: &[u8]) -> Result<Zeroizing<Vec<u8>>, RecoveryBundleError> {
        self.keys().open(version, bundle)
    }

    fn expand(&self, label: &[u8]) -> Zeroizing<[u8; 32]> {
        let mut derived = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(None, &self.0)
            .expand(label, derived.as_mut_slice())
            .expect("HKDF-SHA256 gives up to 255 * 32 bytes");
        derived
    }
}

impl RecoveryToken {
    /// The bytes, to be shown to the relay when the bundle is fetched.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Under what the relay stores the bundle.
    pub fn hash(&self) -> [u8; 32] {
        recovery_token_hash(&self.0)
    }
}

/// SHA-256 of a token, as a relay computes it of one that it is shown.
pub fn recovery_token_hash(token: &[u8; 32]) -> [u8; 32] {
    Sha256::digest(token).into()
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RecoveryCode(..)")
    }
}

impl fmt::Debug for RecoveryToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RecoveryToken(..)")
    }
}

const CODE_BYTES: usize = 16;
/// Of two groups, without the dash.
const TEXT_CHARS: usize = 28;

#[cfg(test)]
mod tests;
