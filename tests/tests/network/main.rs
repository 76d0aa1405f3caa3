//! Real nodes on networks that do what networks do: lose, delay, reorder, filter, translate, and go away.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod carried;
mod families;
mod listener;
mod multicast;
mod nat;
mod relayed;
mod routes;

use qpq_tests::Node;
use serde_json::Value;

/// What a node's status says about a peer of which it has this value, if anything.
fn peer(node: &Node, key: &str, value: &str) -> Option<Value> {
    let status = node.ok(&["status"]);
    let peers = status["peers"].as_array().unwrap();
    peers.iter().find(|peer| peer[key] == value).cloned()
}

/// The address at which a node reaches a contact, if it does.
fn path(node: &Node, contact: &Node) -> Option<String> {
    let peer = peer(node, "contact", contact.name())?;
    (peer["path"] == "direct").then(|| peer["address"].as_str().unwrap_or_default().to_owned())
}

/// Waits until a node is connected with a contact, or is not.
fn await_path(node: &Node, contact: &Node, wanted: bool) {
    let what = format!("{} is {}", contact.name(), if wanted { "connected" } else { "gone" });
    node.until(&what, || (path(node, contact).is_some() == wanted).then_some(()));
}

/// Whether a node hears a peer announce itself.
fn discovers(node: &Node, other: &Node) -> bool {
    peer(node, "node", other.node_key()).is_some_and(|peer| peer["discovered"] == true)
}
