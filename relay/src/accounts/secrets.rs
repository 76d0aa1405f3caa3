//! What only this relay knows, made when it is first a relay.

use bytes::Bytes;
use qpq_crypto::opaque::OpaqueSetup;
use rand_core::CryptoRng;

use crate::input::RelayError;
use crate::storage::Transaction;
use crate::tables::{SECRETS, key};

/// The relay's own secrets.
#[derive(Debug)]
pub(crate) struct Secrets {
    /// Under which passwords are registered.
    pub opaque: OpaqueSetup,
}

impl Secrets {
    /// Reads the secrets, or makes them.
    pub(crate) fn open(tx: &mut dyn Transaction, rng: &mut dyn CryptoRng) -> Result<Self, RelayError> {
        let opaque = match tx.get(SECRETS, key(OPAQUE))? {
            Some(bytes) => OpaqueSetup::from_bytes(&bytes)
                .map_err(|error| RelayError::Corrupt { table: SECRETS.0, reason: error.to_string() })?,
            None => {
                let opaque = OpaqueSetup::generate(rng);
                tx.put(SECRETS, key(OPAQUE), Bytes::copy_from_slice(opaque.as_bytes()))?;
                opaque
            }
        };
        Ok(Self { opaque })
    }
}

const OPAQUE: &[u8] = b"opaque";
