//! Recovery codes: what a person writes down to get an account's secrets back from a relay that cannot read
//! them.
//!
//! A code is 128 random bits, written as two groups of 14 characters, each with a check character. HKDF-SHA256
//! makes three secrets of it: the token by which the relay finds the bundle (it stores SHA-256 of the token),
//! the key under which the bundle is sealed, and a key that tells a wrong code from a damaged bundle. Each of the
//! eight codes has a bundle of its own, so that one that was used or lost can be taken back alone. A code needs
//! no stretching: nobody guesses 128 bits.
//!
//! ```text
//! bundle = form (1) = 1 | nonce (24) | check (16) | XChaCha20-Poly1305 ciphertext of the padded contents | tag (16)
//! ```
//!
//! The associated data is the form and the version of the bundle, by which the relay tells newer from older. A
//! relay that gives an old bundle under its old version is not found out here: what is in the bundle says how
//! new it is.

use std::fmt;

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{Tag, XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use qpq_proto::limits::{RECOVERY_BUNDLE_BYTES_MAX, RECOVERY_BUNDLES_MAX};
use rand_core::CryptoRng;
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::encoding::{Reader, Truncated, put_prefixed};
use crate::link::{LinkError, groups};
use crate::padding::{PaddingError, pad, unpad};

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
        if contents.len() > RECOVERY_CONTENTS_BYTES_MAX {
            return Err(RecoveryBundleError::TooLong(contents.len()));
        }
        let mut nonce = [0; NONCE_BYTES];
        rng.fill_bytes(&mut nonce);
        let padded = Zeroizing::new(pad(contents, RECOVERY_OVERHEAD_BYTES));
        let mut bundle = Vec::with_capacity(padded.len() + RECOVERY_OVERHEAD_BYTES);
        bundle.push(FORM);
        bundle.extend_from_slice(&nonce);
        bundle.extend_from_slice(&self.check(&nonce).finalize().into_bytes()[..CHECK_BYTES]);
        let start = bundle.len();
        bundle.extend_from_slice(&padded);
        let tag = self
            .cipher()
            .encrypt_inout_detached(
                &XNonce::from(nonce),
                &associated_data(version),
                (&mut bundle[start..]).into(),
            )
            .expect("a bundle is far below ChaCha20's limit of 256 GiB");
        bundle.extend_from_slice(&tag);
        Ok(bundle)
    }

    /// Opens what [`RecoveryCode::seal`] sealed under the same code and version.
    ///
    /// # Errors
    /// [`RecoveryBundleError`].
    pub fn open(&self, version: u64, bundle: &[u8]) -> Result<Zeroizing<Vec<u8>>, RecoveryBundleError> {
        if bundle.len() > RECOVERY_BUNDLE_BYTES_MAX {
            return Err(RecoveryBundleError::TooLong(bundle.len()));
        }
        let mut reader = Reader::new(bundle);
        let form = reader.u8()?;
        if form != FORM {
            return Err(RecoveryBundleError::UnknownForm(form));
        }
        let nonce = reader.array::<NONCE_BYTES>()?;
        let check = reader.array::<CHECK_BYTES>()?;
        let length = reader.remaining().checked_sub(TAG_BYTES).ok_or(RecoveryBundleError::Truncated)?;
        let mut padded = Zeroizing::new(reader.bytes(length)?.to_vec());
        let tag = Tag::from(reader.array::<TAG_BYTES>()?);
        let verdict = self.check(&nonce).verify_truncated_left(&check);
        verdict.map_err(|_| RecoveryBundleError::WrongCode)?;
        self.cipher()
            .decrypt_inout_detached(
                &XNonce::from(nonce),
                &associated_data(version),
                padded.as_mut_slice().into(),
                &tag,
            )
            .map_err(|_| RecoveryBundleError::Damaged)?;
        Ok(Zeroizing::new(unpad(&padded)?.to_vec()))
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&(*self.expand(b"qpq/v1/recovery bundle")).into())
    }

    fn check(&self, nonce: &[u8; NONCE_BYTES]) -> Hmac<Sha256> {
        let key = self.expand(b"qpq/v1/recovery check");
        let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key.as_slice());
        mac.expect("HMAC takes a key of any length").chain_update(nonce)
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

fn associated_data(version: u64) -> Vec<u8> {
    let mut data = Vec::new();
    put_prefixed(&mut data, &[b"qpq/v1/recovery bundle", &[FORM], &version.to_be_bytes()]);
    data
}

const FORM: u8 = 1;
const CODE_BYTES: usize = 16;
const NONCE_BYTES: usize = 24;
const CHECK_BYTES: usize = 16;
const TAG_BYTES: usize = 16;
/// Of two groups, without the dash.
const TEXT_CHARS: usize = 28;

#[cfg(test)]
mod tests;
