//! Key packages, and hybrid public keys: what others need to write to somebody who is not there.
//!
//! ```text
//!                      UploadKeyPackage           FetchKeyPackage
//!  device ───────────► supply: 1 2 3 4 5 ───────────────────────► contact, with a token: 1, and it is gone
//!                      last resort: L    ───────────────────────► anybody else: L, seldom
//! ```
//!
//! A single-use package (RFC 9420, 10) is handed out once: it is read and removed in one transaction. Contacts are known
//! by contact tokens, of which the relay keeps the hashes. Strangers get the last-resort package, and so does a contact
//! who asks too often or finds nothing else: nobody can drain anybody.

mod fetch;
mod hybrid;
mod records;
mod upload;

pub(crate) use hybrid::hybrid_key;
#[cfg(test)]
pub(crate) use records::PackageRecord;

use qpq_proto::ids::{DeviceKey, Identity};
use qpq_proto::limits::RelayLimits;

use crate::context::{Context, Who};
use crate::graves;
use crate::input::RelayError;
use crate::keys::records::{KeysRecord, SupplyRecord};
use crate::rates::Buckets;
use crate::records::SetKind;
use crate::storage::Transaction;
use crate::tables::{self, HYBRID_KEYS, KEY_PACKAGES, KEY_SUPPLIES, KEYS, at, key};

/// How often key packages may be asked for.
#[derive(Debug)]
pub(crate) struct KeyRates {
    /// Last-resort packages, by whose they are.
    of: Buckets<Identity>,
    /// Last-resort packages, by who asks.
    by: Buckets<Who>,
    /// Single-use packages, by contact token.
    tokens: Buckets<[u8; 32]>,
}

impl KeyRates {
    /// Nobody has asked yet.
    pub(crate) fn new(limits: &RelayLimits) -> Self {
        Self {
            of: Buckets::new(limits.last_resort_per_identity, limits.rate_keys_max),
            by: Buckets::new(limits.last_resort_per_caller, limits.rate_keys_max),
            tokens: Buckets::new(limits.key_packages_per_token, limits.rate_keys_max),
        }
    }
}

/// The single-use key packages that are held for a device.
pub(crate) fn held(tx: &dyn Transaction, identity: Identity, device: &[u8]) -> Result<u32, RelayError> {
    Ok(supply(tx, identity, device)?.held())
}

/// Removes what is kept for a device that is the person's no longer.
pub(crate) fn forget_device(
    cx: &mut Context<'_>,
    identity: Identity,
    device: &[u8],
) -> Result<(), RelayError> {
    let prefix = of_device(identity, device);
    let packages = supply(cx.tx, identity, device)?.packages;
    cx.totals.hand_out(packages.len());
    for held in packages {
        cx.tx.delete(KEY_PACKAGES, at(&prefix, held.ordinal))?;
    }
    cx.tx.delete(KEY_PACKAGES, at(&prefix, LAST_RESORT))?;
    Ok(cx.tx.delete(KEY_SUPPLIES, key(&prefix))?)
}

/// Removes what is kept for a person, whose devices these are.
pub(crate) fn forget_account(
    cx: &mut Context<'_>,
    identity: Identity,
    devices: &[Vec<u8>],
) -> Result<(), RelayError> {
    for device in devices {
        forget_device(cx, identity, device)?;
    }
    let tx = &mut *cx.tx;
    tx.delete(HYBRID_KEYS, key(identity.as_bytes()))?;
    let Some(keys) = tables::load::<KeysRecord>(tx, KEYS, key(identity.as_bytes()))? else { return Ok(()) };
    graves::dig_for_set(tx, identity.as_bytes(), &keys.all_tokens(identity), SetKind::ContactTokens)?;
    Ok(tx.delete(KEYS, key(identity.as_bytes()))?)
}

fn supply(tx: &dyn Transaction, identity: Identity, device: &[u8]) -> Result<SupplyRecord, RelayError> {
    Ok(tables::load(tx, KEY_SUPPLIES, key(&of_device(identity, device)))?.unwrap_or_default())
}

/// Under which a device's packages lie.
fn of_device(identity: Identity, device: &[u8]) -> Vec<u8> {
    [identity.as_bytes().as_slice(), device].concat()
}

/// A device of a request.
pub(crate) fn device_field(bytes: &[u8]) -> Result<DeviceKey, qpq_proto::Failure> {
    DeviceKey::try_from(bytes).map_err(|error| error.in_field("device_id"))
}

/// The place of a device's last-resort package; those of its single-use ones begin behind it.
pub(crate) const LAST_RESORT: u64 = 0;
