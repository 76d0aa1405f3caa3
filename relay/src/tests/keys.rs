//! Key packages: handed out once, to contacts; the last resort to everybody else.

use qpq_crypto::digest::sha256;
use qpq_proto::ids::NodeKey;
use qpq_proto::limits::{RateLimit, RelayLimits};
use qpq_proto::v1::{
    FetchKeyPackageRequest, FetchKeyPackageResponse, KeyPackagesLow, PushEvent, UploadKeyPackageRequest,
    UploadKeyPackageResponse,
};
use qpq_proto::{Method, Status};

use super::hybrid_keys::{hybrid_key, publish};
use super::world::{Device, World};
use crate::input::{Caller, ConnectionId, Peer};
use crate::tables::{CONTACT_TOKENS, GRAVES, HYBRID_KEYS, KEY_PACKAGES, KEY_SUPPLIES, KEYS};

const ALICE: Device = Device { person: 1, number: 1 };
const BOB: Device = Device { person: 2, number: 1 };
const BOBS_PHONE: Device = Device { person: 2, number: 2 };
const NODE: Caller = Caller {
    connection: ConnectionId(7),
    peer: Peer::Node(NodeKey::from_bytes([7; 32])),
    address: None,
    exporter: [0; 32],
};
const TOKEN: [u8; 32] = [0x70; 32];

/// Limits under which a few calls show everything.
fn limits() -> RelayLimits {
    RelayLimits {
        key_packages_per_device_max: 4,
        key_package_bytes_per_device_max: 1_000,
        key_packages_low: 1,
        contact_tokens_per_account_max: 2,
        key_packages_per_token: RateLimit { burst: 6, interval_us: 60_000_000 },
        last_resort_per_identity: RateLimit { burst: 3, interval_us: 60_000_000 },
        last_resort_per_caller: RateLimit { burst: 2, interval_us: 60_000_000 },
        removals_per_step_max: 1,
        ..RelayLimits::ROUTER
    }
}

fn both() -> World {
    let mut world = World::with(limits());
    world.enrol(ALICE);
    world.enrol(BOB);
    world
}

fn of(device: Device) -> UploadKeyPackageRequest {
    UploadKeyPackageRequest { identity_key: device.identity().to_vec(), ..Default::default() }
}

fn packages(device: Device, packages: &[&str]) -> UploadKeyPackageRequest {
    let packages = packages.iter().map(|package| package.as_bytes().to_vec()).collect();
    UploadKeyPackageRequest { packages, ..of(device) }
}

fn last_resort(device: Device, package: &str) -> UploadKeyPackageRequest {
    UploadKeyPackageRequest { last_resort: true, ..packages(device, &[package]) }
}

fn token(device: Device, token: &[u8]) -> UploadKeyPackageRequest {
    UploadKeyPackageRequest { add_token_hashes: vec![sha256(&[token]).to_vec()], ..of(device) }
}

impl World {
    fn upload(
        &mut self,
        device: Device,
        request: &UploadKeyPackageRequest,
    ) -> Result<UploadKeyPackageResponse, (Status, String)> {
        let answer = self.call(device.caller(), Method::UploadKeyPackage, request);
        answer.map_err(|failure| (failure.status, failure.field))
    }

    /// Bob's packages: a text and whether it is the last resort, for each of his devices that has one.
    fn ask(&mut self, caller: Caller, token: &[u8]) -> Result<Vec<(String, bool)>, Status> {
        let identity_key = BOB.identity().to_vec();
        let request = FetchKeyPackageRequest { identity_key, token: token.to_vec(), device_id: Vec::new() };
        self.ask_for(caller, &request)
    }

    fn ask_for(
        &mut self,
        caller: Caller,
        request: &FetchKeyPackageRequest,
    ) -> Result<Vec<(String, bool)>, Status> {
        let answer: Result<FetchKeyPackageResponse, _> = self.call(caller, Method::FetchKeyPackage, request);
        let found = answer.map_err(|failure| failure.status)?.packages;
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ok(found.into_iter().map(|found| (text(found.package), found.last_resort)).collect())
    }
}

fn found(packages: &[(&str, bool)]) -> Result<Vec<(String, bool)>, Status> {
    Ok(packages.iter().map(|(package, last)| ((*package).to_owned(), *last)).collect())
}

#[test]
fn a_contact_gets_each_package_once_and_then_the_last_resort() {
    let mut world = both();
    let answer = world.upload(BOB, &packages(BOB, &["one", "two"])).unwrap();
    assert_eq!(answer.fingerprints, [sha256(&[b"one"]).to_vec(), sha256(&[b"two"]).to_vec()]);
    assert_eq!((answer.held, answer.contact_tokens), (2, 0));
    assert_eq!(world.upload(BOB, &last_resort(BOB, "last")).unwrap().held, 2);
    assert_eq!(world.upload(BOB, &token(BOB, &TOKEN)).unwrap().contact_tokens, 1);
    assert_eq!(world.ask(ALICE.caller(), &TOKEN), found(&[("one", false)]));
    assert_eq!(world.ask(NODE, &TOKEN), found(&[("two", false)]));
    assert_eq!(world.ask(ALICE.caller(), &TOKEN), found(&[("last", true)]));
    assert_eq!(world.upload(BOB, &packages(BOB, &["three"])).unwrap().held, 1);
    assert_eq!(world.ask(ALICE.caller(), &[]), found(&[("last", true)]), "a stranger gets no other");
    assert_eq!(world.ask(NODE, &[1; 32]), found(&[("last", true)]), "nor does who shows a wrong token");
    assert_eq!(world.memory.count(KEY_PACKAGES), 2);
}

#[test]
fn strangers_ask_seldom_and_so_does_a_contact() {
    let mut world = both();
    world.upload(BOB, &last_resort(BOB, "last")).unwrap();
    world.upload(BOB, &token(BOB, &TOKEN)).unwrap();
    let last = found(&[("last", true)]);
    assert_eq!(world.ask(ALICE.caller(), &[]), last);
    assert_eq!(world.ask(ALICE.caller(), &[]), last);
    assert_eq!(world.ask(ALICE.caller(), &[]), Err(Status::RateLimited), "as a caller");
    assert_eq!(world.ask(NODE, &[]), last);
    assert_eq!(world.ask(NODE, &[]), Err(Status::RateLimited), "for all that ask for Bob's");
    world.pass(60_000);
    assert_eq!(world.ask(NODE, &[]), last);
    for number in 0..6 {
        let name = number.to_string();
        world.upload(BOB, &packages(BOB, &[&name])).unwrap();
        assert_eq!(world.ask(ALICE.caller(), &TOKEN), found(&[(&name, false)]));
    }
    world.upload(BOB, &packages(BOB, &["kept"])).unwrap();
    world.pass(30_000);
    assert_eq!(world.ask(ALICE.caller(), &TOKEN), Err(Status::RateLimited), "one token drains nobody");
    world.pass(30_000);
    assert_eq!(world.ask(ALICE.caller(), &TOKEN), found(&[("kept", false)]));
}

#[test]
fn each_device_has_packages_of_its_own_and_is_told_when_few_are_left() {
    let mut world = both();
    world.enrol(BOBS_PHONE);
    world.upload(BOB, &token(BOB, &TOKEN)).unwrap();
    world.upload(BOB, &packages(BOB, &["a", "b", "c"])).unwrap();
    world.upload(BOBS_PHONE, &packages(BOBS_PHONE, &["x"])).unwrap();
    assert_eq!(world.ask(ALICE.caller(), &TOKEN), found(&[("a", false), ("x", false)]));
    let told = KeyPackagesLow { device_id: BOBS_PHONE.key().to_vec(), held: 0 };
    assert_eq!(world.events(PushEvent::KeyPackagesLow), [(BOBS_PHONE.connection(), told)]);
    let device_id = BOB.key().to_vec();
    let request = FetchKeyPackageRequest {
        identity_key: BOB.identity().to_vec(),
        token: TOKEN.to_vec(),
        device_id: device_id.clone(),
    };
    assert_eq!(world.ask_for(ALICE.caller(), &request), found(&[("b", false)]));
    let told = KeyPackagesLow { device_id, held: 1 };
    assert_eq!(world.events(PushEvent::KeyPackagesLow), [(BOB.connection(), told)]);
    world.expel(BOBS_PHONE);
    world.ask(ALICE.caller(), &TOKEN).unwrap();
    let of_a_revoked_device = FetchKeyPackageRequest { device_id: BOBS_PHONE.key().to_vec(), ..request };
    assert_eq!(world.ask_for(ALICE.caller(), &of_a_revoked_device), Err(Status::NotFound));
    assert_eq!(world.ask(ALICE.caller(), &TOKEN), Err(Status::NotFound), "nothing is left");
}

#[test]
fn the_newest_packages_take_the_place_of_the_oldest_and_none_is_held_twice() {
    let mut world = both();
    assert_eq!(world.upload(BOB, &packages(BOB, &["a", "b", "a"])).unwrap().held, 2);
    assert_eq!(world.upload(BOB, &packages(BOB, &["b", "c", "d", "e"])).unwrap().held, 4);
    world.upload(BOB, &token(BOB, &TOKEN)).unwrap();
    assert_eq!(world.ask(ALICE.caller(), &TOKEN), found(&[("b", false)]));
    let long = "x".repeat(900);
    assert_eq!(world.upload(BOB, &packages(BOB, &[&long, "fits"])).unwrap().held, 4);
    let longer = "y".repeat(997);
    assert_eq!(world.upload(BOB, &packages(BOB, &[&longer])).unwrap().held, 1, "for want of bytes");
    assert_eq!(world.memory.count(KEY_PACKAGES), 1);
}

#[test]
fn what_is_malformed_is_refused_by_field_and_leaves_nothing() {
    let mut world = both();
    let long = "x".repeat(1_001);
    let many = ["1", "2", "3", "4", "5"];
    let hashes = |count: usize, length: usize| vec![vec![1; length]; count];
    for (request, field) in [
        (UploadKeyPackageRequest { identity_key: vec![1; 31], ..packages(BOB, &["a"]) }, "identity_key"),
        (of(BOB), "packages"),
        (packages(BOB, &[""]), "packages"),
        (packages(BOB, &[&long]), "packages"),
        (packages(BOB, &many), "packages"),
        (UploadKeyPackageRequest { last_resort: true, ..packages(BOB, &["a", "b"]) }, "packages"),
        (UploadKeyPackageRequest { last_resort: true, ..token(BOB, &TOKEN) }, "packages"),
        (UploadKeyPackageRequest { add_token_hashes: hashes(1, 31), ..of(BOB) }, "add_token_hashes"),
        (UploadKeyPackageRequest { add_token_hashes: hashes(257, 32), ..of(BOB) }, "add_token_hashes"),
        (UploadKeyPackageRequest { revoke_token_hashes: hashes(1, 33), ..of(BOB) }, "revoke_token_hashes"),
        (UploadKeyPackageRequest { revoke_token_hashes: hashes(257, 32), ..of(BOB) }, "revoke_token_hashes"),
    ] {
        assert_eq!(world.upload(BOB, &request), Err((Status::BadRequest, field.to_owned())), "{request:?}");
    }
    let foreign = world.upload(BOB, &packages(ALICE, &["a"])).unwrap_err();
    assert_eq!(foreign.0, Status::Forbidden);
    world.upload(BOB, &token(BOB, &[1; 32])).unwrap();
    world.upload(BOB, &token(BOB, &[2; 32])).unwrap();
    assert_eq!(world.upload(BOB, &token(BOB, &[3; 32])).unwrap_err().0, Status::QuotaExceeded);
    assert_eq!((world.memory.count(KEY_PACKAGES), world.memory.count(CONTACT_TOKENS)), (0, 2));

    let good = FetchKeyPackageRequest { identity_key: BOB.identity().to_vec(), ..Default::default() };
    for request in [
        FetchKeyPackageRequest { identity_key: vec![1; 33], ..good.clone() },
        FetchKeyPackageRequest { device_id: vec![1; 31], ..good.clone() },
        FetchKeyPackageRequest { token: vec![1; 31], ..good },
    ] {
        assert_eq!(world.ask_for(ALICE.caller(), &request), Err(Status::BadRequest), "{request:?}");
    }
}

#[test]
fn a_token_that_was_revoked_is_a_strangers() {
    let mut world = both();
    world.upload(BOB, &packages(BOB, &["one"])).unwrap();
    world.upload(BOB, &token(BOB, &TOKEN)).unwrap();
    let revoke_token_hashes = vec![sha256(&[&TOKEN]).to_vec()];
    let answer = world.upload(BOB, &UploadKeyPackageRequest { revoke_token_hashes, ..of(BOB) }).unwrap();
    assert_eq!(answer.contact_tokens, 0);
    assert_eq!(world.ask(ALICE.caller(), &TOKEN), Err(Status::NotFound));
}

#[test]
fn nothing_stays_of_an_account_that_goes() {
    let mut world = both();
    world.upload(BOB, &packages(BOB, &["a", "b"])).unwrap();
    world.upload(BOB, &last_resort(BOB, "last")).unwrap();
    world.upload(BOB, &token(BOB, &[1; 32])).unwrap();
    world.upload(BOB, &token(BOB, &[2; 32])).unwrap();
    publish(&mut world, &hybrid_key(BOB, 1, 1)).unwrap();
    world.directly(|cx| crate::keys::forget_account(cx, BOB.identity(), &[BOB.key().to_vec()])).unwrap();
    world.pass(60_000);
    for table in [KEYS, CONTACT_TOKENS, KEY_SUPPLIES, KEY_PACKAGES, HYBRID_KEYS, GRAVES] {
        assert_eq!(world.memory.count(table), 0, "{table:?}");
    }
}
