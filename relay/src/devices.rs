//! The devices of an account: those that its identity's newest signed device list names, and no others.
//!
//! The list is the person's, not the relay's: it travels with contacts too, and the relay keeps the newest that it was
//! shown. Two lists that do not follow one from the other are an alarm: somebody else has the identity's key.

use bytes::Bytes;
use qpq_crypto::device_list::{DeviceList, Succession};
use qpq_proto::Failure;
use qpq_proto::ids::{DeviceKey, Identity};
use qpq_proto::limits::DEVICE_LIST_BYTES_MAX;
use qpq_proto::v1::{
    RegisterDeviceRequest, RegisterDeviceResponse, RevokeDeviceRequest, RevokeDeviceResponse,
};

use crate::accounts::{account, end_sessions};
use crate::context::Context;
use crate::input::RelayError;
use crate::records::{AccountRecord, DeviceRecord};
use crate::relay::Relay;
use crate::storage::Transaction;
use crate::tables::{self, ACCOUNTS, DEVICE_LISTS, key};

impl Relay {
    pub(crate) fn register_device(
        &self,
        cx: &mut Context<'_>,
        request: &RegisterDeviceRequest,
    ) -> Result<RegisterDeviceResponse, Failure> {
        let identity = cx.identity()?;
        let before = account(cx.tx, identity.as_bytes())?.unwrap_or_default();
        let after = self.take_device_list(cx, identity, &request.device_list)?;
        let is_new = |device: &&DeviceRecord| before.devices.iter().all(|of| of.device != device.device);
        let registered = after.devices.iter().find(is_new).map(|device| device.device.clone());
        let device_id =
            registered.unwrap_or_else(|| cx.device().map(|device| device.to_vec()).unwrap_or_default());
        Ok(RegisterDeviceResponse { device_id })
    }

    pub(crate) fn revoke_device(
        &self,
        cx: &mut Context<'_>,
        request: &RevokeDeviceRequest,
    ) -> Result<RevokeDeviceResponse, Failure> {
        let identity = cx.identity()?;
        self.take_device_list(cx, identity, &request.device_list)?;
        Ok(RevokeDeviceResponse {})
    }

    /// Takes an identity's signed device list, if it follows the one that is known. What it revokes ends with it.
    pub(crate) fn take_device_list(
        &self,
        cx: &mut Context<'_>,
        identity: Identity,
        encoded: &[u8],
    ) -> Result<AccountRecord, Failure> {
        let wrong = |message: String| Failure::bad_request("device_list", message);
        if encoded.len() > DEVICE_LIST_BYTES_MAX {
            return Err(wrong(format!("a device list has at most {DEVICE_LIST_BYTES_MAX} bytes")));
        }
        let list = DeviceList::decode_and_verify(encoded).map_err(|error| wrong(error.to_string()))?;
        if list.identity != identity {
            return Err(Failure::forbidden("this is another identity's device list"));
        }
        let account = account(cx.tx, identity.as_bytes())?.ok_or_else(Failure::internal)?;
        let known = known_list(cx.tx, identity)?;
        match known.as_ref().map(|known| list.succeeds(known)).transpose().map_err(|_| Failure::internal())? {
            None | Some(Succession::Newer) => Ok(replace(cx, account, &list, encoded)?),
            Some(Succession::Same) => Ok(account),
            Some(Succession::Older) => {
                Err(Failure::conflict("a newer device list is known here: fetch it first"))
            }
            Some(Succession::Fork) => {
                tracing::warn!(target: "audit", identity = %short(identity), "a forked device list was shown");
                Err(Failure::conflict(
                    "this device list does not follow the one that is known here: \
                     another device, or somebody else with the identity's key, has signed a different one",
                ))
            }
        }
    }
}

/// Puts a list into the place of the one that was known.
fn replace(
    cx: &mut Context<'_>,
    mut account: AccountRecord,
    list: &DeviceList,
    encoded: &[u8],
) -> Result<AccountRecord, RelayError> {
    let identity = list.identity;
    let is_listed = |device: &[u8]| list.certificates.iter().any(|of| of.device.as_bytes() == device);
    for gone in account.devices.iter().filter(|device| !is_listed(&device.device)) {
        if let Ok(device) = DeviceKey::try_from(gone.device.as_slice()) {
            end_sessions(cx.tx, identity, Some(device))?;
            cx.unbind.push((identity, Some(device)));
        }
    }
    account.devices.retain(|device| is_listed(&device.device));
    for certificate in &list.certificates {
        if account.devices.iter().all(|of| of.device != certificate.device.as_bytes()) {
            account.devices.push(DeviceRecord {
                device: certificate.device.to_vec(),
                node: certificate.node.to_vec(),
                registered_at_ms: cx.now.wall_ms,
            });
        }
    }
    tables::save(cx.tx, ACCOUNTS, key(identity.as_bytes()), &account)?;
    cx.tx.put(DEVICE_LISTS, key(identity.as_bytes()), Bytes::copy_from_slice(encoded))?;
    Ok(account)
}

/// The newest list that was shown.
pub(crate) fn known_list(tx: &dyn Transaction, identity: Identity) -> Result<Option<DeviceList>, RelayError> {
    let Some(encoded) = tx.get(DEVICE_LISTS, key(identity.as_bytes()))? else { return Ok(None) };
    let corrupt = |reason: String| RelayError::Corrupt { table: DEVICE_LISTS.0, reason };
    DeviceList::decode_and_verify(&encoded).map(Some).map_err(|error| corrupt(error.to_string()))
}

/// The beginning of an identity key, for the audit log.
fn short(identity: Identity) -> String {
    identity.as_bytes()[..4].iter().map(|byte| format!("{byte:02x}")).collect()
}
