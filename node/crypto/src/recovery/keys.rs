//! What is derived from a code: enough to renew its bundle, and not the code.

use std::fmt;

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{Tag, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use qpq_proto::limits::RECOVERY_BUNDLE_BYTES_MAX;
use rand_core::CryptoRng;
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{RECOVERY_CONTENTS_BYTES_MAX, RECOVERY_OVERHEAD_BYTES, RecoveryBundleError};
use crate::encoding::{Reader, put_prefixed};
use crate::padding::{pad, unpad};

/// Bytes of [`RecoveryKeys`].
pub const RECOVERY_KEYS_BYTES: usize = 96;

/// What a node keeps of a code, so that it can renew the bundle when its contents change: under what the relay finds
/// the bundle, and the keys with which it is sealed. Neither the code nor the token can be computed from it.
/// Overwritten when dropped; never printed.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct RecoveryKeys {
    pub(super) token_hash: [u8; 32],
    pub(super) bundle: [u8; 32],
    pub(super) check: [u8; 32],
}

impl RecoveryKeys {
    /// Reads what [`RecoveryKeys::to_bytes`] wrote; `None` if it has another length.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (parts, []) = bytes.as_chunks::<32>() else { return None };
        let [token_hash, bundle, check] = *parts else { return None };
        Some(Self { token_hash, bundle, check })
    }

    /// Token hash, key of the bundle and key of the check, 32 bytes each.
    pub fn to_bytes(&self) -> Zeroizing<[u8; RECOVERY_KEYS_BYTES]> {
        let mut bytes = Zeroizing::new([0; RECOVERY_KEYS_BYTES]);
        bytes[..32].copy_from_slice(&self.token_hash);
        bytes[32..64].copy_from_slice(&self.bundle);
        bytes[64..].copy_from_slice(&self.check);
        bytes
    }

    /// Under what the relay stores the bundle.
    pub const fn token_hash(&self) -> &[u8; 32] {
        &self.token_hash
    }

    /// Seals contents. `version` is above that of the bundle before.
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
        bundle.extend_from_slice(&self.mac(&nonce).finalize().into_bytes()[..CHECK_BYTES]);
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

    /// Opens what was sealed with the same keys under the same version.
    pub(super) fn open(
        &self,
        version: u64,
        bundle: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, RecoveryBundleError> {
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
        let verdict = self.mac(&nonce).verify_truncated_left(&check);
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
        XChaCha20Poly1305::new(&self.bundle.into())
    }

    fn mac(&self, nonce: &[u8; NONCE_BYTES]) -> Hmac<Sha256> {
        let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.check);
        mac.expect("HMAC takes a key of any length").chain_update(nonce)
    }
}

impl fmt::Debug for RecoveryKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RecoveryKeys(..)")
    }
}

fn associated_data(version: u64) -> Vec<u8> {
    let mut data = Vec::new();
    put_prefixed(&mut data, &[b"qpq/v1/recovery bundle", &[FORM], &version.to_be_bytes()]);
    data
}

const FORM: u8 = 1;
pub(super) const NONCE_BYTES: usize = 24;
pub(super) const CHECK_BYTES: usize = 16;
pub(super) const TAG_BYTES: usize = 16;
