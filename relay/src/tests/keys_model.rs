//! Whatever is uploaded and asked for, in whatever order: no single-use package is handed out twice.

use std::collections::VecDeque;

use proptest::collection::vec;
use proptest::prelude::*;
use qpq_crypto::digest::sha256;
use qpq_proto::limits::{RateLimit, RelayLimits};
use qpq_proto::v1::{
    FetchKeyPackageRequest, FetchKeyPackageResponse, UploadKeyPackageRequest, UploadKeyPackageResponse,
};
use qpq_proto::{Failure, Method};

use super::world::{Device, World};

const BOB: Device = Device { person: 1, number: 1 };
const ALICE: Device = Device { person: 2, number: 1 };
const TOKEN: [u8; 32] = [7; 32];
const HELD_MAX: usize = 5;

#[derive(Debug, Clone)]
enum Step {
    Upload { count: usize },
    LastResort,
    AsContact,
    AsStranger,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => (1..=HELD_MAX).prop_map(|count| Step::Upload { count }),
        1 => Just(Step::LastResort),
        4 => Just(Step::AsContact),
        1 => Just(Step::AsStranger),
    ];
    vec(step, 1..60)
}

fn upload(world: &mut World, packages: Vec<Vec<u8>>, last_resort: bool) -> UploadKeyPackageResponse {
    let identity_key = BOB.identity().to_vec();
    let request = UploadKeyPackageRequest {
        identity_key,
        packages,
        last_resort,
        add_token_hashes: vec![sha256(&[&TOKEN]).to_vec()],
        ..UploadKeyPackageRequest::default()
    };
    world.call(BOB.caller(), Method::UploadKeyPackage, &request).unwrap()
}

/// The package that is handed out, and whether it is the last resort.
fn ask(world: &mut World, token: &[u8]) -> Option<(Vec<u8>, bool)> {
    let (identity_key, token) = (BOB.identity().to_vec(), token.to_vec());
    let request = FetchKeyPackageRequest { identity_key, token, device_id: Vec::new() };
    let answer: Result<FetchKeyPackageResponse, Failure> =
        world.call(ALICE.caller(), Method::FetchKeyPackage, &request);
    let packages = answer.ok()?.packages;
    packages.into_iter().next().map(|found| (found.package, found.last_resort))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn single_use_packages_go_once_and_oldest_first(steps in steps()) {
        let often = RateLimit { burst: 1_000, interval_us: 1 };
        let mut world = World::with(RelayLimits {
            key_packages_per_device_max: HELD_MAX,
            key_packages_per_token: often,
            last_resort_per_identity: often,
            last_resort_per_caller: often,
            ..RelayLimits::ROUTER
        });
        world.enrol(BOB);
        world.enrol(ALICE);
        let (mut held, mut last, mut next) = (VecDeque::new(), None, 0_u32);
        for step in steps {
            match step {
                Step::Upload { count } => {
                    let new: Vec<_> = (next..).take(count).map(|number| number.to_be_bytes().to_vec()).collect();
                    next += 100;
                    held.extend(new.iter().cloned());
                    while held.len() > HELD_MAX {
                        held.pop_front();
                    }
                    let answer = upload(&mut world, new, false);
                    prop_assert_eq!(answer.held as usize, held.len());
                }
                Step::LastResort => {
                    last = Some(vec![0xff; next as usize % 7 + 5]);
                    upload(&mut world, last.iter().cloned().collect(), true);
                }
                Step::AsContact => {
                    // The token is set with the first upload.
                    let expected = match held.pop_front() {
                        Some(package) => Some((package, false)),
                        None => last.clone().map(|package| (package, true)),
                    };
                    prop_assert_eq!(ask(&mut world, &TOKEN), expected);
                }
                Step::AsStranger => {
                    prop_assert_eq!(ask(&mut world, &[]), last.clone().map(|package| (package, true)));
                }
            }
        }
    }
}
