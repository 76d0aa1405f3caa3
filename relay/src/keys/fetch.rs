//! Handing key packages out.

use bytes::Bytes;
use prost::Message;
use qpq_crypto::digest::sha256;
use qpq_proto::Failure;
use qpq_proto::ids::{DeviceKey, Identity};
use qpq_proto::limits::FRAME_PAYLOAD_BYTES_MAX;
use qpq_proto::v1::{
    DeviceKeyPackage, FetchKeyPackageRequest, FetchKeyPackageResponse, KeyPackagesLow, PushEvent,
};

use crate::accounts;
use crate::context::Context;
use crate::input::{Effect, RelayError};
use crate::keys::records::{KeysRecord, PackageRecord};
use crate::keys::{LAST_RESORT, device_field, of_device, supply};
use crate::queues::TOKEN_BYTES;
use crate::relay::Relay;
use crate::sets;
use crate::tables::{self, CONTACT_TOKENS, KEY_PACKAGES, KEY_SUPPLIES, KEYS, at, key};

impl Relay {
    pub(crate) fn fetch_key_package(
        &mut self,
        cx: &mut Context<'_>,
        request: &FetchKeyPackageRequest,
    ) -> Result<FetchKeyPackageResponse, Failure> {
        let identity = Identity::try_from(request.identity_key.as_slice())
            .map_err(|error| error.in_field("identity_key"))?;
        let mut devices = accounts::devices(cx.tx, identity.as_bytes())?;
        if !request.device_id.is_empty() {
            let device = device_field(&request.device_id)?;
            devices.retain(|known| known == device.as_bytes());
        }
        let is_contact = self.is_contact(cx, identity, &request.token)?;
        let mut handing =
            Handing { identity, is_contact, is_stranger_charged: false, bytes: 0, packages: Vec::new() };
        for device in devices {
            self.hand_out(cx, &mut handing, &device)?;
        }
        match handing.packages.is_empty() {
            true => Err(Failure::not_found("no key package of this person or device is held here")),
            false => Ok(FetchKeyPackageResponse { packages: handing.packages }),
        }
    }

    /// Whether the caller shows a contact token of the person's that was not shown too often.
    fn is_contact(&mut self, cx: &Context<'_>, identity: Identity, token: &[u8]) -> Result<bool, Failure> {
        if token.is_empty() {
            return Ok(false);
        }
        if token.len() != TOKEN_BYTES {
            return Err(Failure::bad_request("token", format!("a token is {TOKEN_BYTES} bytes long")));
        }
        let hash = sha256(&[token]);
        let keys: Option<KeysRecord> = tables::load(cx.tx, KEYS, key(identity.as_bytes()))?;
        let is_known = match keys {
            Some(keys) => sets::contains(cx.tx, CONTACT_TOKENS, &keys.all_tokens(identity), &hash)?,
            None => false,
        };
        Ok(is_known && self.key_rates.tokens.is_free(hash, cx.now.monotonic_ms))
    }

    /// Hands out a package of a device's, if there is one that fits.
    fn hand_out(
        &mut self,
        cx: &mut Context<'_>,
        handing: &mut Handing,
        device: &[u8],
    ) -> Result<(), Failure> {
        if handing.is_contact && self.hand_out_once(cx, handing, device)? {
            return Ok(());
        }
        let prefix = of_device(handing.identity, device);
        let Some(record) = tables::load::<PackageRecord>(cx.tx, KEY_PACKAGES, at(&prefix, LAST_RESORT))?
        else {
            return Ok(());
        };
        if !handing.is_stranger_charged {
            self.charge_stranger(cx, handing.identity)?;
            handing.is_stranger_charged = true;
        }
        handing.add(device, record, true);
        Ok(())
    }

    /// Hands out the oldest single-use package of a device's, which is then gone. False if there is none that fits.
    fn hand_out_once(
        &self,
        cx: &mut Context<'_>,
        handing: &mut Handing,
        device: &[u8],
    ) -> Result<bool, RelayError> {
        let mut supply = supply(cx.tx, handing.identity, device)?;
        let Some(oldest) = supply.packages.first().cloned() else { return Ok(false) };
        let prefix = of_device(handing.identity, device);
        let place = at(&prefix, oldest.ordinal);
        let Some(record) = tables::load::<PackageRecord>(cx.tx, KEY_PACKAGES, place)? else {
            return Ok(false);
        };
        if !handing.add(device, record, false) {
            return Ok(true);
        }
        cx.tx.delete(KEY_PACKAGES, place)?;
        cx.totals.hand_out(1);
        supply.packages.remove(0);
        tables::save(cx.tx, KEY_SUPPLIES, key(&prefix), &supply)?;
        if supply.packages.len() <= self.limits.key_packages_low {
            self.tell_low(cx, handing.identity, device, supply.held());
        }
        Ok(true)
    }

    fn charge_stranger(&mut self, cx: &Context<'_>, identity: Identity) -> Result<(), Failure> {
        self.key_rates.by.take(cx.call()?.who(), 1, cx.now.monotonic_ms)?;
        self.key_rates.of.take(identity, 1, cx.now.monotonic_ms)
    }

    /// Tells a device that is connected that it should upload more.
    fn tell_low(&self, cx: &mut Context<'_>, identity: Identity, device: &[u8], held: u32) {
        let event = KeyPackagesLow { device_id: device.to_vec(), held };
        let payload = Bytes::from(event.encode_to_vec());
        let is_it = |of: &DeviceKey| of.as_bytes() == device;
        for (connection, _) in self.sessions.connections(identity).filter(|(_, of)| is_it(of)) {
            let payload = payload.clone();
            cx.effects.push(Effect::Push { connection, event: PushEvent::KeyPackagesLow, payload });
        }
    }
}

/// What is handed out by one call.
struct Handing {
    identity: Identity,
    is_contact: bool,
    /// The call was counted as a stranger's.
    is_stranger_charged: bool,
    bytes: usize,
    packages: Vec<DeviceKeyPackage>,
}

impl Handing {
    /// False if the package does not fit the answer any more.
    fn add(&mut self, device: &[u8], record: PackageRecord, last_resort: bool) -> bool {
        let bytes = self.bytes + record.package.len() + FIELDS_BYTES_MAX;
        if bytes > FRAME_PAYLOAD_BYTES_MAX {
            return false;
        }
        self.bytes = bytes;
        let (device_id, package) = (device.to_vec(), record.package.to_vec());
        self.packages.push(DeviceKeyPackage { device_id, package, last_resort });
        true
    }
}

/// What an answer holds of one device besides the package: the device, a flag, tags and lengths.
const FIELDS_BYTES_MAX: usize = 64;
