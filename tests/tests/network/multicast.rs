//! Finding each other, with multicast and without.

use qpq_tests::lab::{Air, Host, Lab, Segment, has_program};
use qpq_tests::{Node, Person, befriend};

use crate::discovers;

/// Ways in which multicast does not get through.
type Filter = fn(&Segment, &Host);

const ON_THE_WAY: Filter = |lan, _| lan.drop_multicast();
const BY_THE_PACKET_FILTER: Filter = |_, host| {
    host.nft("table ip filter {\nchain input {\ntype filter hook input priority 0\nip protocol udp udp sport 5353 drop\n}\n}");
};

#[test]
fn where_the_network_filters_multicast_a_link_connects() {
    a_link_connects("multicast::where_the_network_filters_multicast_a_link_connects", ON_THE_WAY);
}

#[test]
fn where_a_host_filters_discovery_a_link_connects() {
    let test = "multicast::where_a_host_filters_discovery_a_link_connects";
    if has_program(test, "nft") {
        a_link_connects(test, BY_THE_PACKET_FILTER);
    }
}

/// Both look for others, one of them in vain, and an address in a link is enough.
fn a_link_connects(test: &str, filter: Filter) {
    let Some(lab) = Lab::enter(test) else { return };
    let (lan, hosts) = (lab.segment(Air::CLEAR), ["alice", "bob"].map(|name| lab.host(name)));
    for (host, number) in hosts.iter().zip(1..) {
        lan.plug(host, "eth0", &format!("10.0.0.{number}/24"));
    }
    filter(&lan, &hosts[0]);
    let [alice, bob] = hosts.each_ref().map(|host| Person::with(host.name(), host.discovering()));
    befriend(&alice, &bob);
    alice.deliver("@bob", "without multicast");
    bob.deliver("@alice", "without multicast");
    assert!(!discovers(&alice, &bob), "the filter does not filter: {}", alice.ok(&["status"]));
}

#[test]
fn neighbours_are_found_on_every_interface() {
    let Some(lab) = Lab::enter("multicast::neighbours_are_found_on_every_interface") else { return };
    let (bridged, wired) = (lab.segment(Air::CLEAR), lab.segment(Air::CLEAR));
    let [middle, left, right] = ["middle", "left", "right"].map(|name| lab.host(name));
    // One interface is a bridge, as on a router or where virtual machines run; the other is a card.
    middle.ip("link add br0 type bridge");
    middle.ip("addr add 10.0.1.1/24 dev br0");
    middle.ip("link set br0 up");
    bridged.plug(&middle, "port0", "");
    middle.ip("link set port0 master br0");
    wired.plug(&middle, "eth0", "10.0.2.1/24");
    bridged.plug(&left, "eth0", "10.0.1.2/24");
    wired.plug(&right, "eth0", "10.0.2.2/24");

    let nodes = [&middle, &left, &right].map(|host| Node::start_with(host.name(), host.discovering()));
    let [middle, left, right] = &nodes;
    for (one, other) in [(middle, left), (middle, right), (left, middle), (right, middle)] {
        one.until(&format!("{} is found", other.name()), || discovers(one, other).then_some(()));
    }
    assert!(!discovers(left, right), "two networks are not one");
}
