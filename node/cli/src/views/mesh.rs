//! The mesh around a node.

use qpq_proto::v1;
use serde::Serialize;

use super::{count, hex, short};
use crate::output::{Show, Style, columns};
use crate::printable::printable;

mod custody;
pub(crate) use custody::{BundleView, ShareView, StoreView};

/// A node beside this one.
#[derive(Debug, Serialize)]
pub(crate) struct NeighbourView {
    pub(crate) node: String,
    pub(crate) contact: String,
    pub(crate) standing: String,
    pub(crate) kind: String,
    pub(crate) connected: bool,
    known: u64,
    to_offer: u64,
    to_send: u64,
    pub(crate) brought_bytes: u64,
    #[serde(skip)]
    pub(crate) node_short: String,
}

impl From<v1::Neighbour> for NeighbourView {
    fn from(neighbour: v1::Neighbour) -> Self {
        Self {
            node: hex(&neighbour.node),
            node_short: short(&neighbour.node),
            contact: neighbour.contact,
            standing: neighbour.standing,
            kind: neighbour.kind,
            connected: neighbour.connected,
            known: neighbour.known,
            to_offer: neighbour.to_offer,
            to_send: neighbour.to_send,
            brought_bytes: neighbour.brought_bytes,
        }
    }
}

impl NeighbourView {
    /// The contact's name, or the beginning of the node key.
    pub(crate) fn label(&self) -> String {
        if self.contact.is_empty() { self.node_short.clone() } else { printable(&self.contact).into_owned() }
    }

    fn row(&self) -> [String; 6] {
        let waits = match self.to_offer + self.to_send {
            0 => String::new(),
            waits => format!("{} on the way", count(waits, "bundle")),
        };
        let kind = match (self.connected, self.kind.as_str()) {
            (false, _) => "not connected".to_owned(),
            (true, "") => "connecting".to_owned(),
            (true, kind) => printable(kind).into_owned(),
        };
        [
            self.label(),
            printable(&self.standing).into_owned(),
            kind,
            format!("holds {} of ours", self.known),
            format!("brought {}", bytes(self.brought_bytes)),
            waits,
        ]
    }
}

/// The nodes beside this one.
#[derive(Debug, Serialize)]
pub(crate) struct PeersView {
    neighbours: Vec<NeighbourView>,
}

impl From<v1::ShowMeshResponse> for PeersView {
    fn from(shown: v1::ShowMeshResponse) -> Self {
        Self { neighbours: shown.neighbours.into_iter().map(NeighbourView::from).collect() }
    }
}

impl Show for PeersView {
    const SCHEMA: &'static str = "qpq.mesh-peers/1";

    fn human(&self, _style: &Style) -> String {
        if self.neighbours.is_empty() {
            return "No neighbours: nobody is connected. `qpq status` shows who could be.".to_owned();
        }
        let rows: Vec<_> = self.neighbours.iter().map(NeighbourView::row).collect();
        columns(&rows)
    }
}

/// What this node is in the mesh.
#[derive(Debug, Serialize)]
pub(crate) struct MeshIdentityView {
    node: String,
    kind: String,
    custody: String,
    roles: Vec<String>,
    discovery: String,
    addresses: Vec<String>,
    bytes_max: u64,
    volatile: bool,
}

impl MeshIdentityView {
    /// Of what the node says of the mesh and of itself.
    pub(crate) fn new(shown: v1::ShowMeshResponse, status: v1::NodeStatusResponse) -> Self {
        let custody = shown.custody.unwrap_or_default();
        Self {
            node: hex(&shown.node),
            kind: shown.kind,
            custody: hex(&shown.instance),
            roles: status.roles,
            discovery: status.discovery,
            addresses: status.addresses,
            bytes_max: custody.bytes_max,
            volatile: custody.volatile,
        }
    }
}

impl Show for MeshIdentityView {
    const SCHEMA: &'static str = "qpq.mesh-identity/1";

    fn human(&self, style: &Style) -> String {
        let place = if self.volatile { "in memory, lost when the node stops" } else { "on disk" };
        columns(&[
            ["node".to_owned(), style.bold(&self.node)],
            ["kind".to_owned(), printable(&self.kind).into_owned()],
            ["custody".to_owned(), self.custody.clone()],
            ["carries".to_owned(), format!("up to {}, {place}", bytes(self.bytes_max))],
            ["discovery".to_owned(), printable(&self.discovery).into_owned()],
            ["addresses".to_owned(), printable(&self.addresses.join(", ")).into_owned()],
        ])
    }
}

/// The ways to somebody.
#[derive(Debug, Serialize)]
pub(crate) struct RouteView {
    to: String,
    carriers: u32,
    mobiles: u32,
    routes: Vec<RecipientView>,
}

/// The way to one recipient.
#[derive(Debug, Serialize)]
struct RecipientView {
    contact: String,
    way: String,
    waiting: u64,
    nodes: Vec<NodeView>,
}

/// A node of a recipient.
#[derive(Debug, Serialize)]
struct NodeView {
    node: String,
    connected: bool,
    addresses: Vec<String>,
}

impl RouteView {
    /// The ways to a contact or a group.
    pub(crate) fn new(to: String, found: v1::ShowRouteResponse) -> Self {
        let node = |node: v1::RouteNode| NodeView {
            node: hex(&node.node),
            connected: node.connected,
            addresses: node.addresses,
        };
        let recipient = |route: v1::Route| RecipientView {
            contact: route.contact,
            way: route.way,
            waiting: route.waiting,
            nodes: route.nodes.into_iter().map(node).collect(),
        };
        let routes = found.routes.into_iter().map(recipient).collect();
        Self { to, carriers: found.carriers, mobiles: found.mobiles, routes }
    }

    fn carried(&self) -> String {
        let carriers = count(self.carriers.into(), "carrier");
        format!("by {carriers} and {}", count(self.mobiles.into(), "other node"))
    }
}

impl Show for RouteView {
    const SCHEMA: &'static str = "qpq.mesh-route/1";

    fn human(&self, _style: &Style) -> String {
        let row = |route: &RecipientView| {
            let way = match route.way.as_str() {
                "direct" => "directly: connected".to_owned(),
                "carried" => self.carried(),
                "waiting" => "not now: it waits here until somebody is connected".to_owned(),
                other => printable(other).into_owned(),
            };
            let waiting = match route.waiting {
                0 => String::new(),
                waiting => format!("{waiting} wait already"),
            };
            [printable(&route.contact).into_owned(), way, waiting]
        };
        let rows: Vec<_> = self.routes.iter().map(row).collect();
        if rows.is_empty() { "Nobody would get it.".to_owned() } else { columns(&rows) }
    }
}

/// A file written.
#[derive(Debug, Serialize)]
pub(crate) struct ExportView {
    pub(crate) path: String,
    pub(crate) bundles: u64,
    pub(crate) bytes: u64,
}

impl Show for ExportView {
    const SCHEMA: &'static str = "qpq.mesh-export/1";

    fn human(&self, _style: &Style) -> String {
        let bundles = count(self.bundles, "bundle");
        format!("{}: {bundles}, {}", printable(&self.path), bytes(self.bytes))
    }
}

/// A file read.
#[derive(Debug, Serialize)]
pub(crate) struct ImportView {
    path: String,
    taken: u64,
    known: u64,
    refused: u64,
}

impl ImportView {
    /// What became of the bundles of a file.
    pub(crate) fn new(path: String, taken: &v1::ImportBundlesResponse) -> Self {
        Self { path, taken: taken.taken, known: taken.known, refused: taken.refused }
    }
}

impl Show for ImportView {
    const SCHEMA: &'static str = "qpq.mesh-import/1";

    fn human(&self, _style: &Style) -> String {
        let Self { path, taken, known, refused } = self;
        format!(
            "{}: {} taken, {known} known already, {refused} refused",
            printable(path),
            count(*taken, "bundle")
        )
    }
}

/// A pairing, made or ended.
#[derive(Debug, Serialize)]
pub(crate) struct PairView {
    node: String,
    paired: bool,
    #[serde(skip)]
    node_short: String,
}

impl PairView {
    /// With this node.
    pub(crate) fn new(node: &[u8], paired: bool) -> Self {
        Self { node: hex(node), node_short: short(node), paired }
    }
}

impl Show for PairView {
    const SCHEMA: &'static str = "qpq.mesh-pair/1";

    fn human(&self, _style: &Style) -> String {
        let node = &self.node_short;
        if self.paired { format!("Paired with {node}.") } else { format!("No longer paired with {node}.") }
    }
}

/// A size, for people.
pub(super) fn bytes(bytes: u64) -> String {
    match bytes {
        0..1_024 => format!("{bytes} B"),
        1_024..1_048_576 => format!("{} KiB", bytes / 1_024),
        1_048_576..1_073_741_824 => format!("{} MiB", bytes / 1_048_576),
        _ => format!("{} GiB", bytes / 1_073_741_824),
    }
}

#[cfg(test)]
mod tests;
