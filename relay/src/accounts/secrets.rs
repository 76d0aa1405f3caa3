//! What only this relay knows, made when it is first a relay.

use bytes::Bytes;
use qpq_crypto::identity::LogSecret;
use qpq_crypto::opaque::OpaqueSetup;
use qpq_crypto::vrf::VrfSecret;
use rand_core::CryptoRng;

use crate::input::RelayError;
use crate::storage::Transaction;
use crate::tables::{SECRETS, key};

/// The relay's own secrets. Each is overwritten when dropped, and never printed.
#[derive(Debug)]
pub(crate) struct Secrets {
    /// Under which passwords are registered.
    pub opaque: OpaqueSetup,
    /// With which the log's tree heads are signed.
    pub log: LogSecret,
    /// With which the log's labels are made.
    pub vrf: VrfSecret,
}

impl Secrets {
    /// Reads the secrets, or makes them.
    pub(crate) fn open(tx: &mut dyn Transaction, rng: &mut dyn CryptoRng) -> Result<Self, RelayError> {
        let opaque = match tx.get(SECRETS, key(OPAQUE))? {
            Some(bytes) => OpaqueSetup::from_bytes(&bytes).map_err(|error| damaged(error.to_string()))?,
            None => {
                let opaque = OpaqueSetup::generate(rng);
                tx.put(SECRETS, key(OPAQUE), Bytes::copy_from_slice(opaque.as_bytes()))?;
                opaque
            }
        };
        let log = match tx.get(SECRETS, key(LOG))? {
            Some(bytes) => LogSecret::from_seed(seed(&bytes)?),
            None => {
                let log = LogSecret::generate(rng);
                tx.put(SECRETS, key(LOG), Bytes::copy_from_slice(log.seed().as_slice()))?;
                log
            }
        };
        let vrf = match tx.get(SECRETS, key(VRF))? {
            Some(bytes) => VrfSecret::from_seed(seed(&bytes)?),
            None => {
                let vrf = VrfSecret::generate(rng);
                tx.put(SECRETS, key(VRF), Bytes::copy_from_slice(vrf.seed().as_slice()))?;
                vrf
            }
        };
        Ok(Self { opaque, log, vrf })
    }
}

fn seed(bytes: &Bytes) -> Result<&[u8; 32], RelayError> {
    bytes.as_ref().try_into().map_err(|_| damaged(format!("a seed of {} bytes", bytes.len())))
}

fn damaged(reason: String) -> RelayError {
    RelayError::Corrupt { table: SECRETS.0, reason }
}

const OPAQUE: &[u8] = b"opaque";
const LOG: &[u8] = b"log";
const VRF: &[u8] = b"vrf";
