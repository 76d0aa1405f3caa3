//! How the nodes of a scenario are set up.

use qpq_mesh::Config;
use qpq_mesh::wire::NodeKind;

use crate::scenario::{Node, Role, Scenario};

/// Room that is kept for what is addressed to a node and fits no quota.
const UNOPENED_BYTES_MAX: u64 = 128 << 10;
/// Instead of a buffer without a limit.
const UNLIMITED_BYTES: u64 = 1 << 50;

/// What a node of the scenario decides for itself: as the profile of a router says, but for the size of its store.
pub(super) fn config(scenario: &Scenario, node: Node) -> Config {
    let kind = match node.role {
        Role::Carrier => NodeKind::Carrier,
        Role::Mobile => NodeKind::Mobile,
    };
    let unlimited = node.buffer_bytes.is_none();
    let bytes_max = node.buffer_bytes.unwrap_or(UNLIMITED_BYTES).saturating_sub(UNOPENED_BYTES_MAX);
    Config {
        kind,
        custody_is_volatile: false,
        accepts: 0b1111,
        bytes_max,
        bundles_max: if unlimited { 1 << 30 } else { 12_288 },
        neighbour_bytes_max: if unlimited { bytes_max } else { 2 << 20 },
        neighbour_bundles_max: if unlimited { 1 << 30 } else { 256 },
        unopened_bytes_max: UNOPENED_BYTES_MAX,
        tombstones_max: 8_192,
        neighbours_max: 256,
        offers_queued_max: 2_048,
        ingress_bytes_per_s_max: 2 << 20,
        ingress_bundles_per_s_max: 512,
        work_bits: 8,
        mobile_copies: scenario.spray_copies,
        carrier_copies: 5,
        offer_interval_ms: 200,
        lazy_after_ms: 600_000,
    }
}

/// The key of a node: its number, so that the order of both is the same.
pub(super) fn key(node: u32) -> [u8; 32] {
    let mut key = [0x51; 32];
    key[..4].copy_from_slice(&node.to_be_bytes());
    key
}

pub(super) fn number(key: &[u8; 32]) -> u32 {
    u32::from_be_bytes([key[0], key[1], key[2], key[3]])
}
