//! The person's keys: made once, presented to others, replaced, and read back.

use std::collections::BTreeSet;

use qpq_crypto::signature::Verify as _;
use qpq_proto::{Method, Status, v1};

use super::*;
use crate::tests::bench::Bench;

fn record(bench: &Bench) -> IdentityRecord {
    tables::load(&bench.memory, IDENTITY, tables::key(SINGLE)).unwrap().unwrap()
}

fn profile(bench: &mut Bench) -> Profile {
    bench.with(|engine, cx| engine.profile(cx).unwrap())
}

fn packages(profile: &Profile) -> Vec<mls::ValidatedKeyPackage> {
    profile.key_packages.iter().map(|package| mls::KeyPackage::validate(package).unwrap()).collect()
}

#[test]
fn what_is_made_is_what_is_shown_and_what_is_there_after_a_restart() {
    let mut bench = Bench::empty();
    let request = CreateIdentityRequest { name: "ﬁｎｎ".into() };
    let made: CreateIdentityResponse = bench.owner(Method::CreateIdentity, &request).unwrap();
    assert_eq!(made.name, "finn", "names are kept in their normal form");
    let show = |bench: &mut Bench| -> ShowIdentityResponse {
        bench.owner(Method::ShowIdentity, &v1::ShowIdentityRequest {}).unwrap()
    };
    let shown = show(&mut bench);
    assert_eq!((shown.identity.clone(), shown.device.clone()), (made.identity, made.device));
    assert_eq!(
        (shown.node.as_slice(), shown.device_list_sequence),
        (bench.engine.config.node.as_bytes().as_slice(), 1)
    );
    assert_eq!(shown.suites, [0x0001, 0x004F]);
    assert_eq!(shown.created_at_ms, bench.now().wall_ms);
    bench.now_ms += 1_000;
    bench.restart();
    assert_eq!(show(&mut bench), shown);
}

#[test]
fn a_second_identity_is_refused_and_the_first_one_stays() {
    let mut bench = Bench::of("alice");
    let before = record(&bench);
    let request = CreateIdentityRequest { name: "mallory".into() };
    let refused = bench.owner::<CreateIdentityResponse>(Method::CreateIdentity, &request).unwrap_err();
    assert_eq!(refused.status, Status::Conflict);
    assert!(refused.message.contains("named alice"), "{}", refused.message);
    assert_eq!(record(&bench), before);
}

#[test]
fn a_name_that_is_none_makes_no_identity() {
    let mut bench = Bench::empty();
    let make = |bench: &mut Bench, name: &str| {
        let request = CreateIdentityRequest { name: name.into() };
        bench.owner::<CreateIdentityResponse>(Method::CreateIdentity, &request)
    };
    for name in ["", "@alice", "two words", "a\u{7}", "\u{202e}ecila", "-v", &"x".repeat(65)] {
        let refused = make(&mut bench, name).unwrap_err();
        assert_eq!((refused.status, refused.field.as_str()), (Status::BadRequest, "name"), "{name:?}");
        assert!(bench.engine.me.is_none() && bench.memory.count(IDENTITY) == 0);
    }
    make(&mut bench, &"x".repeat(64)).unwrap();
}

#[test]
fn a_profile_proves_whose_it_is() {
    let mut bench = Bench::of("alice");
    bench.engine.addresses = (1..=12).map(|port| ([192, 0, 2, 1], port).into()).collect();
    let shown = profile(&mut bench);
    let me = bench.engine.me().unwrap();
    let sequence = shown.hybrid_sequence.to_be_bytes();
    let signed = [shown.hybrid_key.as_slice(), &sequence];
    me.identity.public().verify(Domain::HybridKey, &signed, &shown.hybrid_signature).unwrap();
    assert_eq!((shown.name.as_str(), shown.hybrid_sequence), ("alice", 1));
    assert_eq!(shown.addresses.len(), 8, "as many as a profile may hold");
    assert_eq!(shown.addresses[0], "192.0.2.1:1");
}

#[test]
fn each_profile_brings_key_packages_of_its_own() {
    let mut bench = Bench::of("alice");
    let (one, other) = (profile(&mut bench), profile(&mut bench));
    for profile in [&one, &other] {
        let kinds: Vec<(mls::Suite, bool)> =
            packages(profile).iter().map(|package| (package.suite, package.is_last_resort)).collect();
        let hybrid = mls::Suite::Hybrid;
        assert_eq!(kinds, [(mls::Suite::Classical, true), (hybrid, false), (hybrid, false), (hybrid, true)]);
        let me = bench.engine.me().unwrap();
        assert!(packages(profile).iter().all(|package| package.certificate == me.certificate));
    }
    let all: BTreeSet<&Vec<u8>> = one.key_packages.iter().chain(&other.key_packages).collect();
    assert_eq!(all.len(), 8, "what one person is given, nobody else is");
}

#[test]
fn a_new_device_takes_the_place_of_the_old_one() {
    let mut bench = Bench::of("alice");
    let (old_device, list) = {
        let me = bench.engine.me().unwrap();
        (me.device.public(), DeviceList::decode_and_verify(&me.device_list).unwrap())
    };
    let (identity, node) = (IdentityKey::from_seed(&seed_of(&record(&bench))), NodeKey::from_bytes([4; 32]));
    let me = bench.with(|_, cx| new_device(cx, node, &identity, Some(&list), "alice".into()).unwrap());
    let newer = DeviceList::decode_and_verify(&me.device_list).unwrap();
    assert_eq!((me.device_list_sequence, newer.sequence), (2, 2));
    assert!(newer.contains(&me.device.public()).is_some_and(|certificate| certificate.node == node));
    assert!(newer.contains(&old_device).is_none() && newer.revokes(&old_device));
    assert_ne!(me.hybrid.public().to_bytes(), bench.engine.me().unwrap().hybrid.public().to_bytes());
    assert_eq!(
        Me::load(&bench.memory).unwrap().unwrap().id(),
        list.identity.as_bytes(),
        "it is the one that is kept"
    );
}

fn seed_of(record: &IdentityRecord) -> [u8; 32] {
    record.identity_seed.as_slice().try_into().unwrap()
}

#[test]
fn a_broken_record_is_no_person() {
    let bench = Bench::of("alice");
    let (other, good) =
        (record(&Bench::over(NodeKey::from_bytes([3; 32]), bench.memory.clone())), record(&bench));
    assert_eq!(other, good);
    let broken = |change: &dyn Fn(&mut IdentityRecord)| {
        let mut record = good.clone();
        change(&mut record);
        record
    };
    for (record, what) in [
        (broken(&|record| record.identity_seed.truncate(31)), "a short identity seed"),
        (broken(&|record| record.device_seed.clear()), "no device seed"),
        (broken(&|record| record.hybrid_seed.push(0)), "a long hybrid seed"),
        (broken(&|record| record.device_list.truncate(40)), "half a device list"),
        (broken(&|record| record.device_list.clear()), "no device list"),
        (broken(&|record| record.device_seed = vec![1; 32]), "a device that is not in the list"),
    ] {
        let loaded = Me::from_record(&record);
        assert!(matches!(loaded, Err(EngineError::Corrupt { table: "identity", .. })), "{what}");
    }
    assert!(Me::from_record(&good).is_ok());
}
