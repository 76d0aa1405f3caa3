//! What `qpq status` shows.

use std::time::Duration;

use qpq_proto::v1;
use serde::Serialize;

use crate::durations::describe;
use crate::output::{Show, Style, columns};
use crate::printable::printable;
use crate::views::{count, hex, short};

/// How the node is.
#[derive(Debug, Serialize)]
pub(crate) struct StatusView {
    version: String,
    node: String,
    uptime_ms: u64,
    addresses: Vec<String>,
    identities: Vec<IdentityView>,
    peers: Vec<PeerView>,
    outbox: OutboxView,
    discovery: String,
    roles: Vec<String>,
    storage_bytes: u64,
    contacts: u64,
    conversations: u64,
    unread: u64,
    health: Vec<HealthView>,
}

/// A person served.
#[derive(Debug, Serialize)]
struct IdentityView {
    identity: String,
    name: String,
}

/// A peer and how it is reached.
#[derive(Debug, Serialize)]
struct PeerView {
    node: String,
    contact: String,
    path: String,
    address: String,
    rtt_us: u64,
    since_ms: u64,
    discovered: bool,
    waiting: u64,
    #[serde(skip)]
    node_short: String,
}

/// What waits to be delivered.
#[derive(Debug, Serialize)]
struct OutboxView {
    waiting: u64,
    oldest_ms: u64,
}

/// Something that is wrong.
#[derive(Debug, Serialize)]
struct HealthView {
    code: String,
    title: String,
    text: String,
    severity: String,
    fix: String,
}

impl From<v1::NodeStatusResponse> for StatusView {
    fn from(status: v1::NodeStatusResponse) -> Self {
        Self {
            version: status.version,
            node: hex(&status.node),
            uptime_ms: status.uptime_ms,
            addresses: status.addresses,
            identities: status.identities.into_iter().map(IdentityView::from).collect(),
            peers: status.peers.into_iter().map(PeerView::from).collect(),
            outbox: OutboxView { waiting: status.outbox_waiting, oldest_ms: status.outbox_oldest_ms },
            discovery: status.discovery,
            roles: status.roles,
            storage_bytes: status.storage_bytes,
            contacts: status.contacts,
            conversations: status.conversations,
            unread: status.unread,
            health: status.health.into_iter().map(HealthView::from).collect(),
        }
    }
}

impl From<v1::IdentitySummary> for IdentityView {
    fn from(summary: v1::IdentitySummary) -> Self {
        Self { identity: hex(&summary.identity), name: summary.name }
    }
}

impl From<v1::PeerStatus> for PeerView {
    fn from(peer: v1::PeerStatus) -> Self {
        Self {
            node: hex(&peer.node),
            node_short: short(&peer.node),
            contact: peer.contact,
            path: peer.path,
            address: peer.address,
            rtt_us: peer.rtt_us,
            since_ms: peer.since_ms,
            discovered: peer.discovered,
            waiting: peer.waiting,
        }
    }
}

impl From<v1::HealthItem> for HealthView {
    fn from(item: v1::HealthItem) -> Self {
        Self { code: item.code, title: item.title, text: item.text, severity: item.severity, fix: item.fix }
    }
}

impl Show for StatusView {
    const SCHEMA: &'static str = "qpq.status/1";

    fn human(&self, style: &Style) -> String {
        let mut lines = vec![self.headline(style), self.node_rows()];
        lines.push(style.bold("peers"));
        lines.push(self.peer_rows(style));
        lines.push(format!("{}   {}", style.bold("outbox"), self.outbox.describe()));
        let bytes = describe_bytes(self.storage_bytes);
        lines.push(format!(
            "{}  {bytes}: {}, {}, {}",
            style.bold("storage"),
            count(self.contacts, "contact"),
            count(self.conversations, "conversation"),
            count(self.unread, "unread message"),
        ));
        lines.push(self.health_rows(style));
        lines.join("\n")
    }
}

impl StatusView {
    fn headline(&self, style: &Style) -> String {
        let names: Vec<_> = self.identities.iter().map(|identity| printable(&identity.name)).collect();
        let who = if names.is_empty() {
            "nobody yet (qpq init --name NAME)".to_owned()
        } else {
            style.bold(&names.join(", "))
        };
        let up = describe(Duration::from_millis(self.uptime_ms));
        format!("{who}, qpqd {}, running for {up}", printable(&self.version))
    }

    fn node_rows(&self) -> String {
        let mut rows = Vec::new();
        rows.extend(
            self.identities.iter().map(|identity| ["  identity".to_owned(), identity.identity.clone()]),
        );
        rows.push(["  node".to_owned(), self.node.clone()]);
        rows.push(["  reached at".to_owned(), printable(&self.addresses.join(", ")).into_owned()]);
        rows.push(["  discovery".to_owned(), printable(&self.discovery).into_owned()]);
        // A node that connects with relays alone is reached nowhere.
        rows.retain(|[_, value]| !value.is_empty());
        let roles = if self.roles.is_empty() { "none for others".to_owned() } else { self.roles.join(", ") };
        rows.push(["  roles".to_owned(), printable(&roles).into_owned()]);
        columns(&rows)
    }

    fn peer_rows(&self, style: &Style) -> String {
        if self.peers.is_empty() {
            return style.faint("  none");
        }
        columns(&self.peers.iter().map(|peer| peer.row(style)).collect::<Vec<_>>())
    }

    fn health_rows(&self, style: &Style) -> String {
        let heading = style.bold("health");
        if self.health.is_empty() {
            return format!("{heading}   {}", style.severity("ok"));
        }
        let rows: Vec<String> = self.health.iter().map(|item| item.rows(style)).collect();
        format!("{heading}\n{}", rows.join("\n"))
    }
}

impl PeerView {
    fn row(&self, style: &Style) -> [String; 4] {
        let name = if self.contact.is_empty() {
            self.node_short.clone()
        } else {
            format!("@{}", printable(&self.contact))
        };
        let waiting = if self.waiting == 0 { String::new() } else { format!("{} waiting", self.waiting) };
        [format!("  {}", style.bold(&name)), self.path_text(), self.since_text(style), waiting]
    }

    fn path_text(&self) -> String {
        let address = printable(&self.address);
        let rtt = match self.rtt_us {
            0 => String::new(),
            us => format!(", {}.{} ms", us / 1_000, us % 1_000 / 100),
        };
        match (self.path.as_str(), self.discovered) {
            ("offline", true) => "seen nearby, not connected".to_owned(),
            ("offline", false) => "offline".to_owned(),
            (path, _) => format!("{} {address}{rtt}", printable(path)),
        }
    }

    fn since_text(&self, style: &Style) -> String {
        if self.since_ms == 0 {
            String::new()
        } else {
            format!("since {}", style.zone.date_time(self.since_ms))
        }
    }
}

impl OutboxView {
    fn describe(&self) -> String {
        match self.waiting {
            0 => "nothing waits".to_owned(),
            waiting => {
                let age = describe(Duration::from_millis(self.oldest_ms));
                format!("{waiting} waiting, the oldest for {age}")
            }
        }
    }
}

impl HealthView {
    fn rows(&self, style: &Style) -> String {
        let mut text = format!("  {}  {}", style.severity(&self.severity), printable(&self.title));
        if !self.text.is_empty() {
            text.push_str(&format!("\n    {}", printable(&self.text)));
        }
        if !self.fix.is_empty() {
            text.push_str(&format!("\n    try: {}", printable(&self.fix)));
        }
        text
    }
}

/// A size with one decimal in the largest unit that keeps it above 1.
fn describe_bytes(bytes: u64) -> String {
    let mut tenths = bytes.saturating_mul(10);
    for unit in ["bytes", "KiB", "MiB", "GiB"] {
        if tenths < 10_240 || unit == "GiB" {
            return if unit == "bytes" {
                format!("{bytes} bytes")
            } else {
                format!("{}.{} {unit}", tenths / 10, tenths % 10)
            };
        }
        tenths /= 1_024;
    }
    format!("{bytes} bytes")
}

#[cfg(test)]
mod tests;
