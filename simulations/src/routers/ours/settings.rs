//! How the nodes of a scenario are set up.

use qpq_mesh::wire::NodeKind;
use qpq_mesh::{Config, Limits};

use crate::scenario::{Node, Role};

/// Room that is kept for what is addressed to a node and fits no quota.
const UNOPENED_BYTES_MAX: u64 = 128 << 10;
/// Instead of a buffer without a limit.
const UNLIMITED_BYTES: u64 = 1 << 50;
/// The same in bundles.
const UNLIMITED_BUNDLES: usize = 1 << 30;
/// Leading zero bits: the challenges are solved, but need not take time.
const WORK_BITS: u8 = 8;

/// What a node of the scenario decides for itself: as the profile of a router says, but for the size of its store.
pub(super) fn config(node: Node) -> Config {
    let kind = match node.role {
        Role::Carrier => NodeKind::Carrier,
        Role::Mobile => NodeKind::Mobile,
    };
    let router = Config {
        unopened_bytes_max: UNOPENED_BYTES_MAX,
        work_bits: WORK_BITS,
        ..Config::new(kind, &Limits::ROUTER)
    };
    match node.buffer_bytes {
        Some(buffer_bytes) => Config { bytes_max: buffer_bytes.saturating_sub(UNOPENED_BYTES_MAX), ..router },
        None => Config {
            bytes_max: UNLIMITED_BYTES,
            bundles_max: UNLIMITED_BUNDLES,
            neighbour_bytes_max: UNLIMITED_BYTES,
            neighbour_bundles_max: UNLIMITED_BUNDLES,
            ..router
        },
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
