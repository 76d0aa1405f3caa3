//! Nodes that are relays.

use std::net::UdpSocket;

use crate::{Node, Options};

/// A relay at which people register with an invitation, at a port that is the same after a restart, as a relay's is.
#[track_caller]
pub fn relay_by_invitation(name: &str) -> Node {
    relay_with(name, &[])
}

/// A relay with these settings, at a port that is the same after a restart.
#[track_caller]
pub fn relay_with(name: &str, settings: &[(&str, &str)]) -> Node {
    let free = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    let address = free.unwrap_or_else(|error| panic!("no port for {name}: {error}"));
    let mut environment = vec![("QPQ_RPC_LISTEN".to_owned(), address.to_string())];
    environment.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    started(name, environment)
}

/// A relay at which everybody may register, from as many connections as a test has.
#[track_caller]
pub fn relay_for_all(name: &str) -> Node {
    let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let environment = vec![
        set("QPQ_RPC_LISTEN", "127.0.0.1:0"),
        set("QPQ_RELAY_REGISTRATION", "open"),
        set("QPQ_CONNECTIONS_PER_ADDRESS", "4096"),
    ];
    started(name, environment)
}

/// The link to a relay, without an invitation.
#[track_caller]
pub fn relay_link(relay: &Node) -> String {
    let status = relay.ok(&["relay", "status"]);
    status["link"].as_str().unwrap_or_else(|| panic!("a relay without a link: {status}")).to_owned()
}

#[track_caller]
fn started(name: &str, environment: Vec<(String, String)>) -> Node {
    let node = Node::start_with(name, Options { environment, ..Options::default() });
    node.ok(&["role", "relay", "on"]);
    node
}
