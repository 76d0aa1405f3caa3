//! Devices: what the signed list says, what goes with a device, when it was seen, how it is woken.

mod nodes;
mod push;

use proptest::collection::vec;
use proptest::prelude::*;
use qpq_crypto::certificate::DeviceCertificate;
use qpq_crypto::device_list::DeviceList;
use qpq_proto::ids::NodeKey;
use qpq_proto::limits::{RateLimit, RelayLimits};
use qpq_proto::v1::{
    ListDevicesRequest, ListDevicesResponse, PushKind, RegisterDeviceRequest, RegisterDeviceResponse,
    RegisterPushTokenRequest, RegisterPushTokenResponse, RevokeDeviceRequest, RevokeDeviceResponse,
    UploadKeyPackageRequest, UploadKeyPackageResponse,
};
use qpq_proto::{Failure, Method, Status};

use super::world::{Device, START_MS, World};
use crate::input::{ConnectionId, Effect};
use crate::tables::{DEVICE_LISTS, KEY_PACKAGES, PUSH_TOKENS};

const LAPTOP: Device = Device { person: 1, number: 1 };
const PHONE: Device = Device { person: 1, number: 2 };
const TABLET: Device = Device { person: 1, number: 3 };
const BOB: Device = Device { person: 2, number: 1 };
const HOUR_MS: u64 = 3_600_000;

fn world() -> World {
    let mut world = World::with(RelayLimits {
        wakes_per_device: RateLimit { burst: 1, interval_us: 60_000_000 },
        ..RelayLimits::ROUTER
    });
    world.enrol(LAPTOP);
    world.enrol(BOB);
    world
}

/// The list of so many-th place that certifies some devices, on nodes of their numbers, and revokes others.
fn list(after: Option<&DeviceList>, devices: &[Device], revoked: &[Device]) -> DeviceList {
    let identity = devices[0].identity_key();
    let certificate = |device: &Device| {
        let node = NodeKey::from_bytes([device.number; 32]);
        DeviceCertificate::issue(&identity, device.key(), node, &[1], 1).unwrap()
    };
    let certificates: Vec<_> = devices.iter().map(certificate).collect();
    let revoked: Vec<_> = revoked.iter().map(|device| device.key()).collect();
    match after {
        None => DeviceList::sign(&identity, 1, [0; 32], certificates, revoked).unwrap(),
        Some(list) => list.next(&identity, certificates, revoked).unwrap(),
    }
}

impl World {
    fn register(&mut self, who: Device, list: &DeviceList) -> Result<Vec<u8>, Failure> {
        let request = RegisterDeviceRequest { device_list: list.encode() };
        let answer: RegisterDeviceResponse = self.call(who.caller(), Method::RegisterDevice, &request)?;
        Ok(answer.device_id)
    }

    fn revoke(&mut self, who: Device, list: &DeviceList) -> Result<(), Failure> {
        let request = RevokeDeviceRequest { device_list: list.encode() };
        self.call(who.caller(), Method::RevokeDevice, &request).map(|_: RevokeDeviceResponse| ())
    }

    fn devices(&mut self, who: Device) -> ListDevicesResponse {
        self.call(who.caller(), Method::ListDevices, &ListDevicesRequest {}).unwrap()
    }

    fn push_token(&mut self, who: Device, kind: PushKind, token: &[u8]) -> Result<bool, Failure> {
        let (device_id, token) = (who.key().to_vec(), token.to_vec());
        let request = RegisterPushTokenRequest { device_id, kind: kind.into(), token };
        let answer: RegisterPushTokenResponse =
            self.call(who.caller(), Method::RegisterPushToken, &request)?;
        Ok(answer.deliverable)
    }

    /// Connections that were ended since the last time, and endpoints to which something was posted.
    fn ended_and_woken(&mut self) -> (Vec<ConnectionId>, Vec<String>) {
        let (mut ended, mut woken) = (Vec::new(), Vec::new());
        for effect in self.effects() {
            match effect {
                Effect::Disconnect { connection } => ended.push(connection),
                Effect::WakeDevice(wake) => woken.push(wake.endpoint),
                _ => {}
            }
        }
        (ended, woken)
    }

    fn leave(&mut self, device: Device) {
        self.give(crate::input::Input::Disconnected(device.connection()));
    }
}

fn numbers(listed: &ListDevicesResponse) -> Vec<u8> {
    let mut numbers: Vec<_> = listed.devices.iter().map(|device| device.node_key[0]).collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn a_device_is_registered_by_the_next_signed_list() {
    let mut world = world();
    let first = list(None, &[LAPTOP], &[]);
    assert_eq!(world.register(LAPTOP, &first).unwrap(), LAPTOP.key().to_vec());
    let second = list(Some(&first), &[LAPTOP, PHONE], &[]);
    assert_eq!(world.register(LAPTOP, &second).unwrap(), PHONE.key().to_vec());
    assert_eq!(world.register(LAPTOP, &second).unwrap(), LAPTOP.key().to_vec(), "held already");
    let listed = world.devices(LAPTOP);
    assert_eq!((numbers(&listed), listed.device_list), (vec![1, 2], second.encode()));
    let phone = listed.devices.iter().find(|device| device.device_id == PHONE.key().to_vec()).unwrap();
    assert_eq!((phone.registered_at_ms, phone.last_seen_ms, phone.key_packages), (START_MS, 0, 0));
    assert_eq!(world.devices(BOB).devices.len(), 1);
}

#[test]
fn lists_that_are_old_or_foreign_or_forged_or_fork_are_refused() {
    let mut world = world();
    let first = list(None, &[LAPTOP], &[]);
    let second = list(Some(&first), &[LAPTOP, PHONE], &[]);
    world.register(LAPTOP, &second).unwrap();
    let fork = list(Some(&first), &[LAPTOP, TABLET], &[]);
    let after_fork = list(Some(&fork), &[LAPTOP, TABLET], &[]);
    let of_bob = list(None, &[BOB], &[]);
    for (of, expected) in [
        (&first, Status::Conflict),
        (&fork, Status::Conflict),
        (&after_fork, Status::Conflict),
        (&of_bob, Status::Forbidden),
    ] {
        assert_eq!(world.register(LAPTOP, of).unwrap_err().status, expected);
        assert_eq!(world.revoke(LAPTOP, of).unwrap_err().status, expected);
    }
    let mut forged = list(Some(&second), &[LAPTOP], &[]).encode();
    forged[50] ^= 1;
    for device_list in [forged, Vec::new(), vec![0; 65_537]] {
        let request = RegisterDeviceRequest { device_list };
        let refused: Result<RegisterDeviceResponse, _> =
            world.call(LAPTOP.caller(), Method::RegisterDevice, &request);
        let refused = refused.unwrap_err();
        assert_eq!((refused.status, refused.field.as_str()), (Status::BadRequest, "device_list"));
    }
    assert_eq!(numbers(&world.devices(LAPTOP)), [1, 2]);
}

#[test]
fn everything_of_a_revoked_device_goes_with_it() {
    let mut world = world();
    let first = list(None, &[LAPTOP, PHONE], &[]);
    world.register(LAPTOP, &first).unwrap();
    world.log_in(PHONE, false);
    let request = UploadKeyPackageRequest {
        identity_key: PHONE.identity().to_vec(),
        packages: vec![vec![1], vec![2]],
        ..Default::default()
    };
    let _: UploadKeyPackageResponse = world.call(PHONE.caller(), Method::UploadKeyPackage, &request).unwrap();
    world.push_token(PHONE, PushKind::Fcm, b"token").unwrap();
    let listed = world.devices(LAPTOP).devices;
    assert_eq!(listed.iter().map(|device| device.key_packages).sum::<u32>(), 2);
    let waiting = world.wait(PHONE, 10_000);
    world.effects();
    world.revoke(LAPTOP, &list(Some(&first), &[LAPTOP], &[PHONE])).unwrap();
    assert_eq!(world.ended_and_woken().0, [PHONE.connection()]);
    assert_eq!((world.memory.count(KEY_PACKAGES), world.memory.count(PUSH_TOKENS)), (0, 0));
    let refused: Result<ListDevicesResponse, _> =
        world.call(PHONE.caller(), Method::ListDevices, &ListDevicesRequest {});
    assert_eq!(refused.unwrap_err().status, Status::Unauthorized);
    world.pass(20_000);
    assert_eq!(world.answer(waiting), None, "its calls went with its connection");
    assert_eq!(numbers(&world.devices(LAPTOP)), [1]);
}

#[test]
fn a_device_may_revoke_itself_and_keeps_the_connection_over_which_it_is_answered() {
    let mut world = world();
    let first = list(None, &[LAPTOP, PHONE], &[]);
    world.register(LAPTOP, &first).unwrap();
    let last = list(Some(&first), &[PHONE], &[LAPTOP]);
    let request = RevokeDeviceRequest { device_list: last.encode() };
    let call = world.submit(LAPTOP.caller(), Method::RevokeDevice, &request);
    let effects = world.effects();
    let answer = Effect::Answer { call, result: Ok(Default::default()) };
    assert_eq!(effects, [answer]);
    let refused: Result<ListDevicesResponse, _> =
        world.call(LAPTOP.caller(), Method::ListDevices, &ListDevicesRequest {});
    assert_eq!(refused.unwrap_err().status, Status::Unauthorized);
}

#[test]
fn a_device_is_seen_to_the_hour_with_one_write_in_an_hour() {
    let mut world = world();
    world.register(LAPTOP, &list(None, &[LAPTOP], &[])).unwrap();
    let seen = |world: &mut World| world.devices(LAPTOP).devices[0].last_seen_ms;
    seen(&mut world);
    let this_hour = world.now.wall_ms / HOUR_MS * HOUR_MS;
    assert_eq!(seen(&mut world), this_hour);
    world.memory.writes = 0;
    for _ in 0..100 {
        seen(&mut world);
    }
    assert_eq!(world.memory.writes, 0);
    world.pass(HOUR_MS);
    assert_eq!(seen(&mut world), this_hour, "what was known before this call");
    assert_eq!(seen(&mut world), this_hour + HOUR_MS);
}

#[test]
fn nothing_stays_of_an_account_that_goes() {
    let mut world = world();
    world.register(LAPTOP, &list(None, &[LAPTOP], &[])).unwrap();
    world.push_token(LAPTOP, PushKind::Fcm, b"token").unwrap();
    crate::devices::forget_account(&mut world.memory, LAPTOP.identity(), &[LAPTOP.key().to_vec()]).unwrap();
    for table in [DEVICE_LISTS, PUSH_TOKENS] {
        assert_eq!(world.memory.count(table), 0, "{table:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Each step certifies a set of devices; every third list is brought once more, later.
    #[test]
    fn the_devices_are_those_of_the_highest_list(sets in vec(1..32_u8, 1..8), order in vec(0..8_usize, 1..20)) {
        let mut world = World::new();
        let device = |number: u8| Device { person: 1, number };
        world.enrol(device(1));
        let mut lists: Vec<DeviceList> = Vec::new();
        for set in &sets {
            // The first always stays, so that somebody is logged in.
            let devices: Vec<_> = (1..=5).filter(|bit| *bit == 1 || set >> (bit - 1) & 1 == 1).map(device).collect();
            lists.push(list(lists.last(), &devices, &[]));
        }
        let mut highest: Option<usize> = None;
        for place in order.into_iter().filter(|place| *place < lists.len()) {
            let is_taken = world.register(device(1), &lists[place]).is_ok();
            prop_assert_eq!(is_taken, highest.is_none_or(|highest| place >= highest));
            highest = highest.max(Some(place));
            let listed = world.devices(device(1));
            let expected: Vec<_> = lists[highest.unwrap()].certificates.iter().map(|certificate| certificate.device.to_vec()).collect();
            let found: Vec<_> = listed.devices.into_iter().map(|device| device.device_id).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
