//! Endpoint records: one of each publisher, newest first, until they end.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use qpq_proto::ids::NodeKey;
use qpq_proto::limits::RelayLimits;
use qpq_proto::v1::{
    PublishEndpointRequest, PublishEndpointResponse, ResolveEndpointRequest, ResolveEndpointResponse,
};
use qpq_proto::{Failure, Method, Status};

use super::world::{Device, World};
use crate::input::{Caller, ConnectionId, Peer};
use crate::tables::{DUES, ENDPOINTS, PUBLISHERS};

const ALICE: Device = Device { person: 1, number: 1 };
const HOUR_MS: u64 = 3_600_000;

fn world() -> World {
    let mut world = World::with(RelayLimits {
        endpoint_ttl_default_s: 7_200,
        endpoint_ttl_max_s: 10_800,
        endpoints_per_publisher_max: 2,
        ..RelayLimits::ROUTER
    });
    world.enrol(ALICE);
    world
}

fn node(number: u8) -> Caller {
    Caller {
        connection: ConnectionId(1_000 + u64::from(number)),
        peer: Peer::Node(NodeKey::from_bytes([number; 32])),
        address: None,
        exporter: [0; 32],
    }
}

impl World {
    fn publish(&mut self, caller: Caller, lookup: u8, text: &str, ttl_secs: u32) -> Result<(), Failure> {
        let (lookup_key, sealed_record) = (vec![lookup; 32], text.as_bytes().to_vec());
        let request = PublishEndpointRequest { lookup_key, sealed_record, ttl_secs };
        self.call(caller, Method::PublishEndpoint, &request).map(|_: PublishEndpointResponse| ())
    }

    fn resolve(&mut self, lookup: u8) -> Vec<String> {
        let request = ResolveEndpointRequest { lookup_key: vec![lookup; 32] };
        let found: ResolveEndpointResponse =
            self.call(ALICE.caller(), Method::ResolveEndpoint, &request).unwrap();
        found.sealed_records.into_iter().map(|record| String::from_utf8(record).unwrap()).collect()
    }
}

#[test]
fn a_publisher_has_one_record_under_a_key_and_the_newest_comes_first() {
    let mut world = world();
    assert_eq!(world.resolve(1), [""; 0]);
    world.publish(ALICE.caller(), 1, "alice", 0).unwrap();
    world.publish(node(1), 1, "node", 0).unwrap();
    assert_eq!(world.resolve(1), ["node", "alice"]);
    world.publish(ALICE.caller(), 1, "alice moved", 0).unwrap();
    assert_eq!(world.resolve(1), ["alice moved", "node"]);
    assert_eq!(world.resolve(2), [""; 0]);
    for number in 2..=8 {
        world.publish(node(number), 1, &number.to_string(), 0).unwrap();
    }
    assert_eq!(world.resolve(1), ["8", "7", "6", "5", "4", "3", "2", "alice moved"], "eight at most");
    assert_eq!(world.memory.count(PUBLISHERS), 8);
}

#[test]
fn a_record_ends_with_its_lifetime_and_nothing_of_it_stays() {
    let mut world = world();
    world.publish(node(1), 1, "short", 60).unwrap();
    world.publish(node(2), 1, "as usual", 0).unwrap();
    world.publish(node(3), 1, "as long as may be", u32::MAX).unwrap();
    world.pass(59_999);
    assert_eq!(world.resolve(1).len(), 3);
    world.pass(1);
    assert_eq!(world.resolve(1), ["as long as may be", "as usual"]);
    world.pass(2 * HOUR_MS - 60_000);
    assert_eq!(world.resolve(1), ["as long as may be"]);
    world.publish(node(3), 1, "again", 0).unwrap();
    world.pass(HOUR_MS);
    assert_eq!(world.resolve(1), ["again"], "prolonged");
    for _ in 0..3 {
        world.pass(HOUR_MS);
    }
    for table in [ENDPOINTS, PUBLISHERS, DUES] {
        assert_eq!(world.memory.count(table), 0, "{table:?}");
    }
}

#[test]
fn what_is_malformed_or_too_much_is_refused() {
    let mut world = world();
    let good = PublishEndpointRequest { lookup_key: vec![1; 32], sealed_record: b"x".to_vec(), ttl_secs: 0 };
    for (request, field) in [
        (PublishEndpointRequest { lookup_key: vec![1; 31], ..good.clone() }, "lookup_key"),
        (PublishEndpointRequest { sealed_record: Vec::new(), ..good.clone() }, "sealed_record"),
        (PublishEndpointRequest { sealed_record: vec![1; 4_097], ..good }, "sealed_record"),
    ] {
        let refused: Result<PublishEndpointResponse, _> =
            world.call(node(1), Method::PublishEndpoint, &request);
        let refused = refused.unwrap_err();
        assert_eq!((refused.status, refused.field.as_str()), (Status::BadRequest, field));
    }
    let request = ResolveEndpointRequest { lookup_key: vec![1; 33] };
    let refused: Result<ResolveEndpointResponse, _> = world.call(node(1), Method::ResolveEndpoint, &request);
    assert_eq!(refused.unwrap_err().field, "lookup_key");
    world.publish(node(1), 1, "x", 0).unwrap();
    world.publish(node(1), 2, "x", 0).unwrap();
    assert_eq!(world.publish(node(1), 3, "x", 0).unwrap_err().status, Status::QuotaExceeded);
    world.publish(node(1), 2, "y", 0).unwrap();
}

#[test]
fn the_records_of_a_device_go_with_it() {
    let mut world = world();
    world.publish(ALICE.caller(), 1, "alice", 0).unwrap();
    world.publish(ALICE.caller(), 2, "alice", 0).unwrap();
    world.publish(node(1), 2, "node", 0).unwrap();
    crate::endpoints::forget_account(&mut world.memory, &[ALICE.key().to_vec()]).unwrap();
    assert_eq!((world.resolve(1), world.resolve(2)), (vec![], vec!["node".to_owned()]));
    assert_eq!((world.memory.count(ENDPOINTS), world.memory.count(PUBLISHERS)), (1, 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A step is a publisher, a key, a lifetime in minutes, and a pause in minutes before it.
    #[test]
    fn a_key_leads_to_what_a_plain_list_says(
        steps in vec((0..12_u8, 0..2_u8, 1..180_u32, 0..60_u64), 1..60),
    ) {
        let mut world = world();
        // Under each key: publisher, text, end; oldest first.
        let mut plain: BTreeMap<u8, Vec<(u8, String, u64)>> = BTreeMap::new();
        for (number, (publisher, lookup, minutes, pause)) in steps.into_iter().enumerate() {
            world.pass(pause * 60_000);
            let text = number.to_string();
            world.publish(node(publisher), lookup, &text, minutes * 60).unwrap();
            let now_ms = world.now.wall_ms;
            let records = plain.entry(lookup).or_default();
            records.retain(|(of, _, end_ms)| *of != publisher && *end_ms > now_ms);
            if records.len() == 8 {
                records.remove(0);
            }
            records.push((publisher, text, now_ms + u64::from(minutes) * 60_000));
            for (lookup, records) in &plain {
                let live = records.iter().rev().filter(|(_, _, end_ms)| *end_ms > now_ms);
                let expected: Vec<_> = live.map(|(_, text, _)| text.clone()).collect();
                prop_assert_eq!(world.resolve(*lookup), expected);
            }
        }
        world.pass(4 * HOUR_MS);
        prop_assert_eq!(world.memory.count(ENDPOINTS) + world.memory.count(PUBLISHERS), 0);
    }
}
