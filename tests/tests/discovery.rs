//! Nodes on one network find each other, and tell nobody who their people are.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::time::Duration;

use qpq_tests::{Node, Options, Person, befriend, skip};
use serde_json::Value;

fn discovering() -> Options {
    Options { discovery: true, ..Options::default() }
}

#[test]
fn two_fresh_nodes_find_each_other() {
    if let Err(reason) = multicast_works() {
        return skip("two_fresh_nodes_find_each_other", &reason);
    }
    let nodes = ["one", "two"].map(|name| Node::start_with(name, discovering()));
    let [one, two] = &nodes;
    one.until("one sees two", || sees(one, two).then_some(()));
    two.until("two sees one", || sees(two, one).then_some(()));
}

#[test]
fn a_contact_is_found_again_at_another_port() {
    if let Err(reason) = multicast_works() {
        return skip("a_contact_is_found_again_at_another_port", &reason);
    }
    let [alice, mut bob] = ["alice", "bob"].map(|name| Person::with(name, discovering()));
    befriend(&alice, &bob);
    bob.terminate();
    alice.queue("@bob", "where are you?");
    // Discovering nodes take any port at every start.
    bob.run_again();
    bob.await_text("@alice", "where are you?");
}

#[test]
fn strangers_on_one_network_are_neighbours() {
    if let Err(reason) = multicast_works() {
        return skip("strangers_on_one_network_are_neighbours", &reason);
    }
    let [one, two] = ["one", "two"].map(|name| Node::start_with(name, discovering()));
    one.until("they are neighbours", || {
        let shown = one.ok(&["mesh", "peers"]);
        let neighbours = shown["neighbours"].as_array().unwrap();
        let found = neighbours.iter().find(|neighbour| neighbour["node"] == two.node_key())?;
        (found["standing"] == "stranger" && found["kind"] == "mobile").then_some(())
    });
}

#[test]
fn switched_off_it_finds_nobody_and_says_so() {
    let node = Node::start("hermit");
    let status = node.ok(&["status"]);
    assert_eq!(status["discovery"], "off");
    assert_eq!(status["peers"].as_array().map(Vec::len), Some(0));
}

fn sees(node: &Node, other: &Node) -> bool {
    let status = node.ok(&["status"]);
    let peers: &[Value] = status["peers"].as_array().unwrap();
    peers.iter().any(|peer| peer["node"] == other.node_key() && peer["discovered"] == true)
}

/// Sends a datagram to a multicast group, and looks whether it comes back.
fn multicast_works() -> Result<(), String> {
    let group = Ipv4Addr::new(224, 0, 0, 251);
    let receiver = UdpSocket::bind("0.0.0.0:0").map_err(|error| error.to_string())?;
    receiver.join_multicast_v4(&group, &Ipv4Addr::UNSPECIFIED).map_err(|error| error.to_string())?;
    receiver.set_read_timeout(Some(Duration::from_secs(1))).map_err(|error| error.to_string())?;
    let port = receiver.local_addr().map_err(|error| error.to_string())?.port();
    receiver.send_to(b"?", SocketAddrV4::new(group, port)).map_err(|error| error.to_string())?;
    receiver.recv(&mut [0; 1]).map(drop).map_err(|error| format!("multicast does not come back: {error}"))
}
