//! Taking device lists, and what they say.

use bytes::Bytes;
use qpq_crypto::device_list::{DeviceList, Succession};
use qpq_proto::Failure;
use qpq_proto::ids::{DeviceKey, Identity};
use qpq_proto::limits::DEVICE_LIST_BYTES_MAX;
use qpq_proto::v1::{
    ListDevicesRequest, ListDevicesResponse, RegisterDeviceRequest, RegisterDeviceResponse, RegisteredDevice,
    RevokeDeviceRequest, RevokeDeviceResponse,
};

use crate::accounts;
use crate::context::Context;
use crate::devices::moved;
use crate::input::RelayError;
use crate::keys;
use crate::records::DeviceRecord;
use crate::relay::Relay;
use crate::storage::Transaction;
use crate::tables::{self, ACCOUNTS, DEVICE_LISTS, key};

impl Relay {
    pub(crate) fn register_device(
        &self,
        cx: &mut Context<'_>,
        request: &RegisterDeviceRequest,
    ) -> Result<RegisterDeviceResponse, Failure> {
        let session = cx.session()?;
        let added = self.take_device_list(cx, session.identity, &request.device_list)?;
        Ok(RegisterDeviceResponse { device_id: added.first().unwrap_or(&session.device).to_vec() })
    }

    pub(crate) fn revoke_device(
        &self,
        cx: &mut Context<'_>,
        request: &RevokeDeviceRequest,
    ) -> Result<RevokeDeviceResponse, Failure> {
        self.take_device_list(cx, cx.identity()?, &request.device_list)?;
        Ok(RevokeDeviceResponse {})
    }

    pub(crate) fn list_devices(
        &self,
        cx: &Context<'_>,
        _request: &ListDevicesRequest,
    ) -> Result<ListDevicesResponse, Failure> {
        let identity = cx.identity()?;
        let account = accounts::account(cx.tx, identity.as_bytes())?.unwrap_or_default();
        let shown = |record: DeviceRecord| {
            let DeviceRecord { device, node, registered_at_ms, last_seen_ms } = record;
            let key_packages = keys::held(cx.tx, identity, &device)?;
            Ok(RegisteredDevice {
                device_id: device,
                node_key: node,
                registered_at_ms,
                last_seen_ms,
                key_packages,
            })
        };
        let devices: Result<_, RelayError> = account.devices.into_iter().map(shown).collect();
        let list = cx.tx.get(DEVICE_LISTS, key(identity.as_bytes()))?;
        Ok(ListDevicesResponse {
            devices: devices?,
            device_list: list.map(|list| list.to_vec()).unwrap_or_default(),
        })
    }

    /// Takes the next device list of a person: the account's devices become those that it certifies. A list that is held
    /// already changes nothing. Returns the devices that are new.
    pub(crate) fn take_device_list(
        &self,
        cx: &mut Context<'_>,
        identity: Identity,
        bytes: &[u8],
    ) -> Result<Vec<DeviceKey>, Failure> {
        let list = read(bytes)?;
        if list.identity != identity {
            return Err(Failure::forbidden("the device list is another person's"));
        }
        if !is_next(cx.tx, &list)? {
            return Ok(Vec::new());
        }
        let mut account = accounts::account(cx.tx, identity.as_bytes())?.ok_or_else(Failure::internal)?;
        cx.tx.put(DEVICE_LISTS, key(identity.as_bytes()), Bytes::copy_from_slice(bytes))?;
        let before = std::mem::take(&mut account.devices);
        let mut added = Vec::new();
        for certificate in &list.certificates {
            let known = before.iter().find(|record| record.device == certificate.device.as_bytes());
            let mut record = known.cloned().unwrap_or_else(|| {
                added.push(certificate.device);
                let (device, registered_at_ms) = (certificate.device.to_vec(), cx.now.wall_ms);
                DeviceRecord { device, registered_at_ms, ..DeviceRecord::default() }
            });
            record.node = certificate.node.to_vec();
            account.devices.push(record);
        }
        tables::save(cx.tx, ACCOUNTS, key(identity.as_bytes()), &account)?;
        moved(cx.tx, identity, &before, &account.devices)?;
        for record in before {
            let Ok(device) = DeviceKey::try_from(record.device.as_slice()) else { continue };
            if list.contains(&device).is_none() {
                self.forget_device(cx, identity, device)?;
            }
        }
        Ok(added)
    }
}

fn read(bytes: &[u8]) -> Result<DeviceList, Failure> {
    let wrong = |message: String| Failure::bad_request("device_list", message);
    if bytes.len() > DEVICE_LIST_BYTES_MAX {
        return Err(wrong(format!("a device list has at most {DEVICE_LIST_BYTES_MAX} bytes")));
    }
    DeviceList::decode_and_verify(bytes).map_err(|error| wrong(error.to_string()))
}

/// Whether a list comes after the one that is held; false if it is the same.
fn is_next(tx: &dyn Transaction, list: &DeviceList) -> Result<bool, Failure> {
    let Some(held) = known_list(tx, list.identity)? else { return Ok(true) };
    match list.succeeds(&held).map_err(|_| Failure::internal())? {
        Succession::Same => Ok(false),
        Succession::Newer => Ok(true),
        Succession::Older => {
            let message = format!("list {} is held: bring one that follows it", held.sequence);
            Err(Failure::conflict(message))
        }
        Succession::Fork => {
            tracing::warn!(
                target: "audit",
                identity = ?list.identity,
                held = held.sequence,
                brought = list.sequence,
                "a device list forks: somebody else holds the identity's key, or an old backup of it was used"
            );
            let message = format!("this list and list {} contradict each other: an alarm", held.sequence);
            Err(Failure::conflict(message))
        }
    }
}

/// The newest list that was brought.
pub(crate) fn known_list(tx: &dyn Transaction, identity: Identity) -> Result<Option<DeviceList>, RelayError> {
    let Some(encoded) = tx.get(DEVICE_LISTS, key(identity.as_bytes()))? else { return Ok(None) };
    let corrupt = |reason: String| RelayError::Corrupt { table: DEVICE_LISTS.0, reason };
    DeviceList::decode_and_verify(&encoded).map(Some).map_err(|error| corrupt(error.to_string()))
}
