//! A relay that passes packets on between nodes, for those who have an account there.
//!
//! How nodes reach each other through it is tested on networks of their own (`network/relayed.rs`).
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::{Ipv4Addr, UdpSocket};

use qpq_tests::{Node, Options, RelayAddress, RelayUser};

/// A port that is free, and the next one too.
fn two_ports() -> u16 {
    let bind = |port: u16| UdpSocket::bind((Ipv4Addr::LOCALHOST, port));
    let pair = || {
        let first = bind(0).ok()?;
        let port = first.local_addr().ok()?.port();
        bind(port.checked_add(1)?).ok().map(|_| port)
    };
    (0..64).find_map(|_| pair()).unwrap()
}

fn node(name: &str, settings: &[(&str, &str)]) -> Node {
    let set = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Node::start_with(name, Options { environment: settings.iter().map(set).collect(), ..Options::default() })
}

#[test]
fn whoever_has_an_account_can_be_reached_through_the_relay_and_others_learn_why_not() {
    let listen = format!("127.0.0.1:{}", two_ports());
    let relay = node("relay", &[("QPQ_RPC_LISTEN", &listen), ("QPQ_RELAY_REGISTRATION", "open")]);
    relay.ok(&["role", "relay", "on"]);
    let pin = relay.ok(&["relay", "status"])["pin"].as_str().unwrap().to_owned();
    let alice = node("alice", &[("QPQ_PACKET_RELAYS", &format!("{pin}@{listen}"))]);
    let says = |words: &str| alice.qpq(&["doctor"]).stdout.contains(words);
    let refusal = "not that of somebody with an account here";
    alice.until("the relay refuses her", || says(refusal).then_some(()));

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let user = RelayUser::new(1).on_node(alice.node_key().parse().unwrap());
    runtime.block_on(user.arrive(&RelayAddress::of(&relay).unwrap())).unwrap();
    let reached = format!("peers can reach the node through {listen}");
    alice.until("the relay lets her in", || says(&reached).then_some(()));
    let status = relay.ok(&["relay", "status"]);
    assert_eq!((&status["packets"], &status["packet_nodes"]), (&true.into(), &1.into()));

    relay.ok(&["role", "relay", "off"]);
    alice.until("the relay is none any more", || (!says(&reached)).then_some(()));
    assert_eq!(relay.ok(&["relay", "status"])["packets"], false);
}
