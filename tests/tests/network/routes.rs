//! Networks that change under running nodes: routes, interfaces and addresses that come and go.

use qpq_tests::lab::{Air, Host, Lab};
use qpq_tests::{Person, befriend};

use crate::{await_path, path};

/// Two hosts on two segments, and a router between them.
struct Routed {
    at_alice: Host,
    alice: Person,
    bob: Person,
}

const ALICE: &str = "10.0.0.2/24";
const ROUTE: &str = "default via 10.0.0.1";

/// Alice and Bob know each other, and have only a router in common.
fn routed(lab: &Lab) -> Routed {
    let (lan, wan) = (lab.segment(Air::CLEAR), lab.segment(Air::CLEAR));
    let [at_alice, router, at_bob] = ["alice", "router", "bob"].map(|name| lab.host(name));
    lan.plug(&at_alice, "eth0", ALICE);
    lan.plug(&router, "eth0", "10.0.0.1/24");
    wan.plug(&router, "eth1", "192.0.2.1/24");
    wan.plug(&at_bob, "eth0", "192.0.2.2/24");
    router.forwards();
    at_alice.ip(&format!("route add {ROUTE}"));
    at_bob.ip("route add default via 192.0.2.1");
    let [alice, bob] = [&at_alice, &at_bob].map(|host| Person::with(host.name(), host.quiet()));
    befriend(&alice, &bob);
    Routed { at_alice, alice, bob }
}

/// Both ways, and each end knows that it arrived.
fn talk(one: &Person, other: &Person, words: &str) {
    one.deliver(&format!("@{}", other.name()), words);
    other.deliver(&format!("@{}", one.name()), words);
}

#[test]
fn without_a_default_route_nodes_wait_for_it() {
    let Some(lab) = Lab::enter("routes::without_a_default_route_nodes_wait_for_it") else { return };
    let Routed { at_alice, alice, bob } = routed(&lab);
    at_alice.ip("route del default");
    await_path(&bob, &alice, false);
    await_path(&alice, &bob, false);
    alice.queue("@bob", "while there is no way");
    bob.queue("@alice", "nor back");
    at_alice.ip(&format!("route add {ROUTE}"));
    bob.await_text("@alice", "while there is no way");
    alice.await_text("@bob", "nor back");
    talk(&alice, &bob, "again");
}

#[test]
fn an_interface_that_was_down_is_used_again() {
    let Some(lab) = Lab::enter("routes::an_interface_that_was_down_is_used_again") else { return };
    let Routed { at_alice, alice, bob } = routed(&lab);
    at_alice.ip("link set eth0 down");
    await_path(&bob, &alice, false);
    alice.queue("@bob", "while it is down");
    at_alice.ip("link set eth0 up");
    // The kernel forgets routes over an interface that goes down, and a network manager adds them again.
    at_alice.ip(&format!("route add {ROUTE}"));
    bob.await_text("@alice", "while it is down");
    talk(&alice, &bob, "again");
}

#[test]
fn another_address_is_found_out() {
    let Some(lab) = Lab::enter("routes::another_address_is_found_out") else { return };
    let Routed { at_alice, alice, bob } = routed(&lab);
    at_alice.ip(&format!("addr del {ALICE} dev eth0"));
    at_alice.ip("addr add 10.0.0.77/24 dev eth0");
    at_alice.ip(&format!("route replace {ROUTE}"));
    talk(&alice, &bob, "from elsewhere");
    assert_eq!(path(&bob, &alice).as_deref(), Some("10.0.0.77:4433"));
}
