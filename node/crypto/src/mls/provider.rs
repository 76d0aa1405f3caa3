//! What OpenMLS is given to work with, for the length of one operation.
//!
//! [`Group`](super::Group) uses it by itself. It is public for those who drive OpenMLS directly: tests with
//! the vectors of the MLS working group, and benchmarks.

use std::cell::RefCell;
use std::convert::Infallible;
use std::fmt;

use openmls_traits::OpenMlsProvider;
use openmls_traits::random::OpenMlsRand;
use openmls_traits::signatures::{Signer, SignerError};
use openmls_traits::types::SignatureScheme;
use rand_core::CryptoRng;

use super::error::MlsError;
use crate::identity::DeviceSecret;
use crate::key_value::KeyValue;

pub use super::crypto::Crypto;
pub use super::storage::{Storage, StorageCache, StorageFailed};

/// The provider of one operation.
pub struct Provider<'a> {
    crypto: Crypto,
    random: Random<'a>,
    storage: Storage<'a>,
}

impl<'a> Provider<'a> {
    /// Begins an operation on one group, or on what belongs to none. `cache` is the group's.
    pub fn new(
        key_value: &'a mut dyn KeyValue,
        rng: &'a mut dyn CryptoRng,
        cache: &'a mut StorageCache,
    ) -> Self {
        let crypto = Crypto::seeded(rng);
        Self { crypto, random: Random(RefCell::new(rng)), storage: Storage::new(key_value, cache) }
    }

    /// The storage's own reason for a failure that OpenMLS reports in its way, if that is what happened.
    pub(super) fn explain(&self, otherwise: MlsError) -> MlsError {
        self.storage.take_failure().unwrap_or(otherwise)
    }
}

impl<'a> OpenMlsProvider for Provider<'a> {
    type CryptoProvider = Crypto;
    type RandProvider = Random<'a>;
    type StorageProvider = Storage<'a>;

    fn storage(&self) -> &Storage<'a> {
        &self.storage
    }

    fn crypto(&self) -> &Crypto {
        &self.crypto
    }

    fn rand(&self) -> &Random<'a> {
        &self.random
    }
}

/// The injected generator as OpenMLS wants it.
pub struct Random<'a>(RefCell<&'a mut dyn CryptoRng>);

impl OpenMlsRand for Random<'_> {
    type Error = Infallible;

    fn random_array<const N: usize>(&self) -> Result<[u8; N], Infallible> {
        let mut bytes = [0; N];
        self.0.borrow_mut().fill_bytes(&mut bytes);
        Ok(bytes)
    }

    fn random_vec(&self, length: usize) -> Result<Vec<u8>, Infallible> {
        let mut bytes = vec![0; length];
        self.0.borrow_mut().fill_bytes(&mut bytes);
        Ok(bytes)
    }
}

impl fmt::Debug for Provider<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Provider").finish_non_exhaustive()
    }
}

impl fmt::Debug for Random<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Random").finish_non_exhaustive()
    }
}

/// A device's key as OpenMLS wants it.
pub(super) struct DeviceSigner<'a>(pub(super) &'a DeviceSecret);

impl Signer for DeviceSigner<'_> {
    fn sign(&self, payload: &[u8]) -> Result<Vec<u8>, SignerError> {
        Ok(self.0.sign_bytes(payload).to_vec())
    }

    fn signature_scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}
