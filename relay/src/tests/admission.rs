//! How much callers may ask, by connection, account, node and address.

use qpq_proto::ids::NodeKey;
use qpq_proto::limits::{RateLimit, RelayLimits};
use qpq_proto::v1::{
    BatchEnqueueRequest, BatchRecipient, CheckRevocationRequest, FetchRequest, ResolveEndpointRequest,
};
use qpq_proto::{Method, Status};

use super::world::{Device, STRANGER, World};
use crate::input::{Caller, ConnectionId, Peer};

const ALICE: Device = Device { person: 1, number: 1 };
const ALICES_PHONE: Device = Device { person: 1, number: 2 };

/// So many at once, and one more each second.
const fn each_second(burst: u32) -> RateLimit {
    RateLimit { burst, interval_us: 1_000_000 }
}

fn world(connection: u32, caller: u32, address: u32) -> World {
    let mut world = World::with_rates(RelayLimits {
        calls_per_connection: each_second(connection),
        calls_per_caller: each_second(caller),
        calls_per_address: each_second(address),
        ..RelayLimits::ROUTER
    });
    world.enrol(ALICE);
    world.enrol(ALICES_PHONE);
    world
}

/// How many calls are let through before one is refused.
fn let_through(world: &mut World, caller: Caller) -> usize {
    (0..).take_while(|_| is_let(world, caller, Method::Fetch)).count()
}

fn is_let(world: &mut World, caller: Caller, method: Method) -> bool {
    let answer = match method {
        Method::Fetch if matches!(caller.peer, Peer::Node(_)) => {
            let request = ResolveEndpointRequest { lookup_key: vec![1; 32] };
            world.try_call(caller, Method::ResolveEndpoint, &request)
        }
        Method::Fetch => world.try_call(caller, method, &FetchRequest::default()),
        _ => world.try_call(caller, method, &CheckRevocationRequest::default()),
    };
    let failure = answer.expect("an answer").err();
    failure.is_none_or(|failure| failure.status != Status::RateLimited)
}

fn node(connection: u64) -> Caller {
    let peer = Peer::Node(NodeKey::from_bytes([7; 32]));
    Caller { connection: ConnectionId(connection), peer, ..STRANGER }
}

fn from(connection: u64, address: &str) -> Caller {
    Caller { address: Some(address.parse().unwrap()), connection: ConnectionId(connection), ..STRANGER }
}

#[test]
fn a_connection_has_a_bucket_and_each_second_gives_one_call_back() {
    let mut world = world(4, 100, 100);
    assert_eq!(let_through(&mut world, ALICE.caller()), 4);
    assert_eq!(let_through(&mut world, ALICES_PHONE.caller()), 4);
    world.pass(2_000);
    assert_eq!(let_through(&mut world, ALICE.caller()), 2);
    let refused = world.try_call(ALICE.caller(), Method::Fetch, &FetchRequest::default()).unwrap();
    assert_eq!(refused.unwrap_err().retry_after_ms, 1_000);
}

#[test]
fn an_account_and_a_node_have_one_bucket_over_all_connections() {
    let mut world = world(100, 4, 100);
    assert_eq!(let_through(&mut world, ALICE.caller()), 4);
    assert_eq!(let_through(&mut world, ALICES_PHONE.caller()), 0);
    assert_eq!(let_through(&mut world, node(901)), 4);
    assert_eq!(let_through(&mut world, node(902)), 0);
}

#[test]
fn an_address_has_one_bucket_and_dear_methods_cost_more() {
    let mut world = world(100, 100, 9);
    let ask = |world: &mut World, caller| is_let(world, caller, Method::CheckRevocation);
    assert!(ask(&mut world, from(1, "192.0.2.1")));
    assert!(ask(&mut world, from(2, "::ffff:192.0.2.1")), "the same, as IPv6 writes it");
    assert!(!ask(&mut world, from(3, "192.0.2.1")), "two of four make eight of nine");
    assert!(ask(&mut world, from(4, "192.0.2.2")));
    assert!(ask(&mut world, from(5, "2001:db8::1")));
    assert!(ask(&mut world, from(6, "2001:db8::2")));
    assert!(!ask(&mut world, from(7, "2001:db8::3")), "one network");
}

#[test]
fn a_batch_costs_as_much_as_the_calls_that_it_is_for() {
    let mut world = world(4, 100, 100);
    let batch = |world: &mut World, mailboxes: u8| {
        let recipients = (0..mailboxes)
            .map(|number| BatchRecipient { mailbox: vec![number; 32], token: Vec::new() })
            .collect();
        let request = BatchEnqueueRequest { recipients, ..BatchEnqueueRequest::default() };
        let refused = world.try_call(ALICE.caller(), Method::BatchEnqueue, &request).unwrap().unwrap_err();
        refused.status != Status::RateLimited
    };
    assert!(batch(&mut world, 3), "refused as malformed, and paid for");
    assert!(!batch(&mut world, 2));
    assert!(!batch(&mut world, 1));
}

#[test]
fn the_owner_pays_nothing_and_a_new_connection_begins_anew() {
    let mut world = world(1, 100, 100);
    let owner = Caller { peer: Peer::Owner, ..STRANGER };
    assert!((0..50).all(|_| is_let(&mut world, owner, Method::CheckRevocation)));
    assert!(is_let(&mut world, node(901), Method::Fetch));
    assert!(!is_let(&mut world, node(901), Method::Fetch));
    assert!(is_let(&mut world, node(902), Method::Fetch));
}
