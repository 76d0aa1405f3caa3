//! Recovery bundles: bound to their owner, fetched by anybody with the token, seldom.

use std::net::IpAddr;

use proptest::collection::vec;
use proptest::prelude::*;
use qpq_crypto::digest::sha256;
use qpq_proto::limits::{RateLimit, RelayLimits};
use qpq_proto::v1::{
    DeleteRecoveryBundleRequest, DeleteRecoveryBundleResponse, FetchRecoveryBundleRequest,
    FetchRecoveryBundleResponse, StoreRecoveryBundleRequest, StoreRecoveryBundleResponse,
};
use qpq_proto::{Failure, Method, Status};

use super::world::{Device, STRANGER, World};
use crate::input::{Caller, Input};
use crate::tables::{ACCOUNT_BUNDLES, RECOVERY_BUNDLES};

const ALICE: Device = Device { person: 1, number: 1 };
const BOB: Device = Device { person: 2, number: 1 };
const DELAY_MS: u64 = 100;

fn world() -> World {
    let mut world = World::with(RelayLimits {
        recovery_answer_ms: DELAY_MS,
        recovery_bundle_bytes_max: 100,
        recovery_per_address: RateLimit { burst: 2, interval_us: 60_000_000 },
        recovery_for_all: RateLimit { burst: 4, interval_us: 60_000_000 },
        ..RelayLimits::ROUTER
    });
    world.enrol(ALICE);
    world.enrol(BOB);
    world
}

fn bundle(token: u8, version: u64, text: &str) -> StoreRecoveryBundleRequest {
    let token_hash = sha256(&[&[token; 32]]).to_vec();
    StoreRecoveryBundleRequest { token_hash, bundle: text.to_owned().into(), version }
}

fn from(address: &str) -> Caller {
    Caller { address: Some(address.parse::<IpAddr>().unwrap()), ..STRANGER }
}

impl World {
    fn store(&mut self, who: Device, request: &StoreRecoveryBundleRequest) -> Result<(), Failure> {
        let answer = self.call(who.caller(), Method::StoreRecoveryBundle, request);
        answer.map(|_: StoreRecoveryBundleResponse| ())
    }

    fn drop_bundle(&mut self, who: Device, token_hash: Vec<u8>) -> Result<(), Failure> {
        let request = DeleteRecoveryBundleRequest { token_hash };
        let answer = self.call(who.caller(), Method::DeleteRecoveryBundle, &request);
        answer.map(|_: DeleteRecoveryBundleResponse| ())
    }

    /// The bundle for a token, with its version, after the time that every answer takes.
    fn recover(&mut self, caller: Caller, token: u8) -> Result<(String, u64), Status> {
        let request = FetchRecoveryBundleRequest { token: vec![token; 32] };
        let call = self.submit(caller, Method::FetchRecoveryBundle, &request);
        if let Some(refused) = self.answer(call) {
            return Err(refused.unwrap_err().status);
        }
        self.pass(DELAY_MS - 1);
        assert_eq!(self.answer(call), None, "hit or miss, it takes its time");
        self.pass(1);
        let answer = self.answer(call).expect("an answer in time");
        let found: FetchRecoveryBundleResponse = answer
            .map(|payload| prost::Message::decode(payload).unwrap())
            .map_err(|failure| failure.status)?;
        Ok((String::from_utf8(found.bundle.to_vec()).unwrap(), found.version))
    }
}

#[test]
fn whoever_has_the_token_gets_the_newest_bundle() {
    let mut world = world();
    world.store(ALICE, &bundle(1, 3, "three")).unwrap();
    assert_eq!(world.recover(from("192.0.2.1"), 1), Ok(("three".to_owned(), 3)));
    for version in [1, 3] {
        assert_eq!(world.store(ALICE, &bundle(1, version, "late")).unwrap_err().status, Status::Conflict);
    }
    assert_eq!(world.store(BOB, &bundle(1, 9, "squatted")).unwrap_err().status, Status::Conflict);
    world.store(ALICE, &bundle(1, 4, "four")).unwrap();
    assert_eq!(world.recover(from("192.0.2.2"), 1), Ok(("four".to_owned(), 4)));
    assert_eq!(world.recover(from("192.0.2.3"), 2), Err(Status::NotFound));
}

#[test]
fn guessing_is_let_through_seldom() {
    let mut world = world();
    let (one, same_net, other) = (from("2001:db8::1"), from("2001:db8::2"), from("2001:db8:0:1::1"));
    assert_eq!(world.recover(one, 1), Err(Status::NotFound));
    assert_eq!(world.recover(same_net, 2), Err(Status::NotFound));
    assert_eq!(world.recover(one, 3), Err(Status::RateLimited), "for one network");
    assert_eq!(world.recover(other, 4), Err(Status::NotFound));
    assert_eq!(world.recover(from("192.0.2.1"), 5), Err(Status::NotFound));
    assert_eq!(world.recover(from("192.0.2.2"), 5), Err(Status::RateLimited), "for all");
    world.pass(60_000);
    assert_eq!(world.recover(from("192.0.2.2"), 5), Err(Status::NotFound));
    assert_eq!(world.recover(ALICE.caller(), 5), Err(Status::RateLimited), "a session helps nobody");
}

#[test]
fn nobody_is_answered_who_went_away() {
    let mut world = world();
    let request = FetchRecoveryBundleRequest { token: vec![1; 32] };
    let call = world.submit(from("192.0.2.1"), Method::FetchRecoveryBundle, &request);
    world.give(Input::Dropped(call));
    world.pass(DELAY_MS);
    assert_eq!(world.answer(call), None);
}

#[test]
fn an_account_has_eight_bundles_and_deletes_its_own_only() {
    let mut world = world();
    for token in 0..8 {
        world.store(ALICE, &bundle(token, 1, "x")).unwrap();
    }
    assert_eq!(world.store(ALICE, &bundle(8, 1, "x")).unwrap_err().status, Status::QuotaExceeded);
    world.store(ALICE, &bundle(7, 2, "y")).unwrap();
    let hash = bundle(3, 1, "").token_hash;
    assert_eq!(world.drop_bundle(BOB, hash.clone()).unwrap_err().status, Status::NotFound);
    world.drop_bundle(ALICE, hash.clone()).unwrap();
    assert_eq!(world.drop_bundle(ALICE, hash).unwrap_err().status, Status::NotFound);
    world.store(ALICE, &bundle(8, 1, "x")).unwrap();
    crate::recovery::forget_account(&mut world.memory, ALICE.identity()).unwrap();
    assert_eq!((world.memory.count(RECOVERY_BUNDLES), world.memory.count(ACCOUNT_BUNDLES)), (0, 0));
}

#[test]
fn what_is_malformed_is_refused_by_field() {
    let mut world = world();
    let good = bundle(1, 1, "x");
    for (request, field) in [
        (StoreRecoveryBundleRequest { token_hash: vec![1; 31], ..good.clone() }, "token_hash"),
        (StoreRecoveryBundleRequest { bundle: Vec::new().into(), ..good.clone() }, "bundle"),
        (StoreRecoveryBundleRequest { bundle: vec![1; 101].into(), ..good.clone() }, "bundle"),
        (StoreRecoveryBundleRequest { version: 0, ..good }, "version"),
    ] {
        let refused = world.store(ALICE, &request).unwrap_err();
        assert_eq!((refused.status, refused.field.as_str()), (Status::BadRequest, field));
    }
    assert_eq!(world.drop_bundle(ALICE, vec![1; 33]).unwrap_err().field, "token_hash");
    let request = FetchRecoveryBundleRequest { token: vec![1; 31] };
    let refused: Result<FetchRecoveryBundleResponse, _> =
        world.call(STRANGER, Method::FetchRecoveryBundle, &request);
    assert_eq!(refused.unwrap_err().field, "token");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A step stores a version under a token, or deletes it with version 0.
    #[test]
    fn a_token_leads_to_its_highest_version(steps in vec((0..2_u8, 0..3_u8, 0..6_u64), 1..60)) {
        let mut world = world();
        let mut held: std::collections::BTreeMap<u8, (u8, u64)> = Default::default();
        for (person, token, version) in steps {
            let who = [ALICE, BOB][usize::from(person)];
            let known = held.get(&token).copied();
            if version == 0 {
                let is_done = world.drop_bundle(who, bundle(token, 0, "").token_hash).is_ok();
                prop_assert_eq!(is_done, known.is_some_and(|(owner, _)| owner == person));
                if is_done {
                    held.remove(&token);
                }
            } else {
                let is_done = world.store(who, &bundle(token, version, "x")).is_ok();
                let may = known.is_none_or(|(owner, newest)| owner == person && version > newest);
                prop_assert_eq!(is_done, may);
                if is_done {
                    held.insert(token, (person, version));
                }
            }
            prop_assert_eq!(world.memory.count(RECOVERY_BUNDLES), held.len());
        }
        world.pass(600_000);
        for (token, (_, version)) in held {
            prop_assert_eq!(world.recover(STRANGER, token), Ok(("x".to_owned(), version)));
            world.pass(600_000);
        }
    }
}
