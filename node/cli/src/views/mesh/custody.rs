//! What a node carries.

use std::time::Duration;

use qpq_proto::v1;
use serde::Serialize;

use super::bytes;
use crate::durations::describe;
use crate::output::{Show, Style, columns};
use crate::printable::printable;
use crate::views::{count, hex, short, uuid};

/// A part of what is carried.
#[derive(Debug, Serialize)]
pub(crate) struct ShareView {
    pub(crate) standing: String,
    pub(crate) bytes: u64,
    pub(crate) bytes_max: u64,
    pub(crate) bundles: u64,
}

/// What is carried.
#[derive(Debug, Serialize)]
pub(crate) struct StoreView {
    pub(crate) bytes: u64,
    pub(crate) bytes_max: u64,
    pub(crate) bundles: u64,
    tombstones: u64,
    volatile: bool,
    pub(crate) shares: Vec<ShareView>,
}

impl From<v1::CustodyStatus> for StoreView {
    fn from(custody: v1::CustodyStatus) -> Self {
        let share = |share: v1::CustodyShare| ShareView {
            standing: share.standing,
            bytes: share.bytes,
            bytes_max: share.bytes_max,
            bundles: share.bundles,
        };
        Self {
            bytes: custody.bytes,
            bytes_max: custody.bytes_max,
            bundles: custody.bundles,
            tombstones: custody.tombstones,
            volatile: custody.volatile,
            shares: custody.shares.into_iter().map(share).collect(),
        }
    }
}

impl Show for StoreView {
    const SCHEMA: &'static str = "qpq.mesh-store/1";

    fn human(&self, _style: &Style) -> String {
        let place = if self.volatile { " in memory, lost when the node stops" } else { "" };
        let held = count(self.bundles, "bundle");
        let first = format!(
            "{held}, {} of {}{place}; {} settled ones remembered",
            bytes(self.bytes),
            bytes(self.bytes_max),
            self.tombstones
        );
        let row = |share: &ShareView| {
            [
                printable(&share.standing).into_owned(),
                count(share.bundles, "bundle"),
                format!("{} of {}", bytes(share.bytes), bytes(share.bytes_max)),
            ]
        };
        let rows: Vec<_> = self.shares.iter().map(row).collect();
        format!("{first}\n{}", columns(&rows))
    }
}

/// A bundle in custody.
#[derive(Debug, Serialize)]
pub(crate) struct BundleView {
    id: String,
    class: String,
    body_bytes: u32,
    remaining_s: u32,
    lifetime_max_s: u32,
    standing: String,
    bringer: String,
    holders: u32,
    copies: u32,
    message: String,
    #[serde(skip)]
    id_short: String,
}

impl From<v1::BundleStatus> for BundleView {
    fn from(bundle: v1::BundleStatus) -> Self {
        Self {
            id: hex(&bundle.id),
            id_short: short(&bundle.id),
            class: bundle.class,
            body_bytes: bundle.body_bytes,
            remaining_s: bundle.remaining_s,
            lifetime_max_s: bundle.lifetime_max_s,
            standing: bundle.standing,
            bringer: hex(&bundle.bringer),
            holders: bundle.holders,
            copies: bundle.copies,
            message: uuid(&bundle.message),
        }
    }
}

impl Show for BundleView {
    const SCHEMA: &'static str = "qpq.mesh-bundle/1";

    fn human(&self, style: &Style) -> String {
        let Self { id_short, class, body_bytes, holders, .. } = self;
        let left = describe(Duration::from_secs(self.remaining_s.into()));
        let from = match (self.standing.as_str(), self.message.as_str()) {
            ("own", "") => "ours".to_owned(),
            ("own", message) => format!("ours, message {message}"),
            (standing, _) => format!("brought by a {}", printable(standing)),
        };
        let size = bytes((*body_bytes).into());
        format!(
            "{}  {}  {size}  ends in {left}  held by {holders} more  {from}",
            style.faint(id_short),
            printable(class)
        )
    }
}
