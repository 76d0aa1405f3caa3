//! Two nodes, each behind a router of its own that translates addresses, and a relay that both can reach.

use qpq_tests::lab::{Air, Host, Lab, Segment, has_program};
use qpq_tests::{Node, Person, befriend};

use crate::peer;

/// How a router translates: to one port for all destinations, or to another one for each.
const CONE: &str = "masquerade";
const SYMMETRIC: &str = "masquerade fully-random";

/// Translates in this way, and lets in answers alone. What is for the router itself and no answer must not be taken note
/// of: the port would be in use then.
fn rules(translation: &str) -> String {
    format!(
        "table ip nat {{
            chain postrouting {{
                type nat hook postrouting priority srcnat;
                oifname eth1 {translation}
            }}
        }}
        table ip filter {{
            chain input {{
                type filter hook input priority filter; policy accept;
                iifname eth1 meta l4proto udp drop
            }}
            chain forward {{
                type filter hook forward priority filter; policy drop;
                iifname eth0 accept
                ct state established,related accept
            }}
        }}"
    )
}

/// Loses what two routers send each other.
const APART: &str = "table ip apart {
    chain forward {
        type filter hook forward priority 10;
        ip daddr { 192.0.2.1, 192.0.2.2 } drop
    }
}";
const TOGETHER: &str = "delete table ip apart";

const RELAY: &str = "192.0.2.9:5001";

/// A person's own network behind a router.
struct Home {
    _lan: Segment,
    router: Host,
    at: Host,
}

impl Home {
    fn new(lab: &Lab, wan: &Segment, name: &str, number: u8, translation: &str) -> Self {
        let lan = lab.segment(Air::CLEAR);
        let [at, router] = [name.to_owned(), format!("{name}-router")].map(|name| lab.host(&name));
        lan.plug(&at, "eth0", &format!("10.0.{number}.2/24"));
        lan.plug(&router, "eth0", &format!("10.0.{number}.1/24"));
        wan.plug(&router, "eth1", &format!("192.0.2.{number}/24"));
        at.ip(&format!("route add default via 10.0.{number}.1"));
        router.forwards();
        router.nft(&rules(translation));
        Self { _lan: lan, router, at }
    }

    /// The person, whose node uses a relay.
    fn person(&self, relay: &str) -> Person {
        let mut options = self.at.quiet();
        options.environment.push(("QPQ_PACKET_RELAYS".to_owned(), relay.to_owned()));
        Person::with(self.at.name(), options)
    }
}

/// A relay, and how nodes are told of it.
fn relay(host: &Host) -> (Node, String) {
    let mut options = host.quiet();
    for (name, value) in [("QPQ_RPC_LISTEN", RELAY), ("QPQ_RELAY_PACKETS", "open")] {
        options.environment.push((name.to_owned(), value.to_owned()));
    }
    let node = Node::start_with(host.name(), options);
    node.ok(&["role", "relay", "on"]);
    let shown = node.ok(&["relay", "status"]);
    let place = format!("{}@{RELAY}", shown["pin"].as_str().unwrap());
    (node, place)
}

/// How a node reaches a contact: by what kind of path, and where.
fn reached(node: &Node, contact: &Node) -> (String, String) {
    let peer = peer(node, "contact", contact.name()).unwrap_or_default();
    let text = |key: &str| peer[key].as_str().unwrap_or_default().to_owned();
    (text("path"), text("address"))
}

fn through_the_relay() -> (String, String) {
    ("relayed".to_owned(), RELAY.to_owned())
}

/// Waits until each of the two reaches the other directly, at the other's router.
fn await_direct(alice: &Person, bob: &Person) {
    for (node, contact, router) in [(alice, bob, "192.0.2.2:"), (bob, alice, "192.0.2.1:")] {
        node.until("the path is direct", || {
            let (path, address) = reached(node, contact);
            (path == "direct" && address.starts_with(router)).then_some(())
        });
    }
}

#[test]
fn two_who_are_behind_routers_meet_at_a_relay_and_go_on_directly() {
    let test = "relayed::two_who_are_behind_routers_meet_at_a_relay_and_go_on_directly";
    if !has_program(test, "nft") {
        return;
    }
    let Some(lab) = Lab::enter(test) else { return };
    let wan = lab.segment(Air::CLEAR);
    let homes = [("alice", 1), ("bob", 2)].map(|(name, number)| Home::new(&lab, &wan, name, number, CONE));
    let at_relay = lab.host("relay");
    wan.plug(&at_relay, "eth0", "192.0.2.9/24");
    let (_relay, place) = relay(&at_relay);
    for home in &homes {
        home.router.nft(APART);
    }
    let [alice, bob] = homes.each_ref().map(|home| home.person(&place));
    befriend(&alice, &bob);
    alice.deliver("@bob", "through the relay");
    bob.deliver("@alice", "and back");
    assert_eq!(reached(&alice, &bob), through_the_relay());
    assert_eq!(reached(&bob, &alice), through_the_relay());

    for home in &homes {
        home.router.nft(TOGETHER);
    }
    await_direct(&alice, &bob);
    alice.deliver("@bob", "directly");
}

#[test]
fn two_behind_routers_that_cannot_be_passed_stay_with_the_relay() {
    let test = "relayed::two_behind_routers_that_cannot_be_passed_stay_with_the_relay";
    if !has_program(test, "nft") {
        return;
    }
    let Some(lab) = Lab::enter(test) else { return };
    let wan = lab.segment(Air::CLEAR);
    let homes =
        [("alice", 1), ("bob", 2)].map(|(name, number)| Home::new(&lab, &wan, name, number, SYMMETRIC));
    let at_relay = lab.host("relay");
    wan.plug(&at_relay, "eth0", "192.0.2.9/24");
    let (_relay, place) = relay(&at_relay);
    let [alice, bob] = homes.each_ref().map(|home| home.person(&place));
    befriend(&alice, &bob);
    for round in 0..10 {
        alice.deliver("@bob", &format!("question {round}"));
        bob.deliver("@alice", &format!("answer {round}"));
        assert_eq!(reached(&alice, &bob), through_the_relay());
        assert_eq!(reached(&bob, &alice), through_the_relay());
    }
}
