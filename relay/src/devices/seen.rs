//! When devices were seen, and waking those that are not there.

use qpq_proto::ids::{DeviceKey, Identity};
use qpq_proto::v1::PushKind;

use crate::accounts;
use crate::context::Context;
use crate::devices::of_device;
use crate::devices::records::PushTokenRecord;
use crate::due::HOUR_MS;
use crate::input::{Effect, RelayError, Wake};
use crate::relay::Relay;
use crate::tables::{self, ACCOUNTS, PUSH_TOKENS, key};

impl Relay {
    /// Notes that the device that calls was seen: one write in an hour, however often it calls.
    pub(crate) fn note_seen(&self, cx: &mut Context<'_>) -> Result<(), RelayError> {
        let Some(call) = cx.call else { return Ok(()) };
        let (Some(session), hour) = (call.session, cx.now.wall_ms / HOUR_MS) else { return Ok(()) };
        if self.sessions.seen_hour(call.caller.connection) == hour {
            return Ok(());
        }
        let identity = session.identity;
        let Some(mut account) = accounts::account(cx.tx, identity.as_bytes())? else { return Ok(()) };
        let is_it = |device: &[u8]| device == session.device.as_bytes();
        if let Some(record) = account.devices.iter_mut().find(|record| is_it(&record.device)) {
            record.last_seen_ms = hour * HOUR_MS;
            tables::save(cx.tx, ACCOUNTS, key(identity.as_bytes()), &account)?;
            cx.seen = Some((call.caller.connection, hour));
        }
        Ok(())
    }

    /// Wakes the devices that something waits for and that are not connected: each once in an interval, until it
    /// connects.
    pub(crate) fn wake(
        &mut self,
        cx: &mut Context<'_>,
        owner: Identity,
        devices: &[DeviceKey],
    ) -> Result<(), RelayError> {
        let connected: Vec<_> = self.sessions.connections(owner).map(|(_, device)| device).collect();
        for device in devices.iter().filter(|device| !connected.contains(device)) {
            if !self.wakes.is_free(*device, cx.now.monotonic_ms) {
                continue;
            }
            let place = of_device(owner, device.as_bytes());
            let Some(record) = tables::load::<PushTokenRecord>(cx.tx, PUSH_TOKENS, key(&place))? else {
                continue;
            };
            let is_unified = record.kind == i32::from(PushKind::UnifiedPush);
            if let Some(endpoint) = String::from_utf8(record.token).ok().filter(|_| is_unified) {
                cx.effects.push(Effect::WakeDevice(Wake { owner, device: *device, endpoint }));
            }
        }
        Ok(())
    }
}
