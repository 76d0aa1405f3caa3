//! What a node decides for itself.

use qpq_proto::limits::Limits;

use crate::bundle::{Class, SizeClass};
use crate::custody::Quotas;
use crate::wire::NodeKind;

/// How a mesh behaves. Many meshes of one process may share it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// What kind of node it is.
    pub kind: NodeKind,
    /// Custody is lost at a restart, and answers say so.
    pub custody_is_volatile: bool,
    /// Classes taken for others, a bit each ([`Class::bit`]).
    pub accepts: u8,
    /// Bytes held.
    pub bytes_max: u64,
    /// Bundles held.
    pub bundles_max: usize,
    /// Bytes held for one neighbour that is not paired.
    pub neighbour_bytes_max: u64,
    /// Bundles held for one neighbour that is not paired.
    pub neighbour_bundles_max: usize,
    /// Bytes of bundles that are addressed to this node, do not fit any quota, and wait to be opened.
    pub unopened_bytes_max: u64,
    /// Settled bundles remembered.
    pub tombstones_max: usize,
    /// Neighbours remembered.
    pub neighbours_max: usize,
    /// Bundles that wait to be offered to one neighbour.
    pub offers_queued_max: usize,
    /// Bundles known by hearsay; who told most of them makes room.
    pub rumours_max: usize,
    /// Bytes of bundles taken from one neighbour in a second.
    pub ingress_bytes_per_s_max: u64,
    /// Bundles taken from one neighbour in a second.
    pub ingress_bundles_per_s_max: u64,
    /// Leading zero bits that strangers look for under pressure.
    pub work_bits: u8,
    /// Copies of a bundle that starts here, the one kept included, by size class, the smallest first. No more are believed
    /// of what others bring.
    pub copies: [u16; 4],
    /// Shortest time between two offers on one link, ms; what arrives in between is offered together.
    pub offer_interval_ms: u64,
    /// After which time a link between two carriers counts as stable, ms: on such links bodies wait until somebody wants
    /// them. `u64::MAX` switches that off.
    pub lazy_after_ms: u64,
}

impl Config {
    /// What a profile says.
    #[must_use]
    pub const fn new(kind: NodeKind, limits: &Limits) -> Self {
        Self {
            kind,
            custody_is_volatile: false,
            accepts: ALL_CLASSES,
            bytes_max: limits.custody_bytes_max,
            bundles_max: limits.custody_bundles_max,
            neighbour_bytes_max: limits.custody_neighbour_bytes_max,
            neighbour_bundles_max: limits.custody_neighbour_bundles_max,
            unopened_bytes_max: 1_048_576,
            tombstones_max: limits.tombstones_max,
            neighbours_max: limits.mesh_neighbours_max,
            offers_queued_max: limits.mesh_offers_queued_max,
            rumours_max: limits.mesh_rumours_max,
            ingress_bytes_per_s_max: limits.mesh_ingress_bytes_per_s_max,
            ingress_bundles_per_s_max: limits.mesh_ingress_bundles_per_s_max,
            work_bits: 18,
            copies: COPIES,
            offer_interval_ms: 200,
            lazy_after_ms: 600_000,
        }
    }

    /// Custody in RAM, within what the profile gives it there.
    #[must_use]
    pub const fn in_memory(mut self, limits: &Limits) -> Self {
        self.custody_is_volatile = true;
        self.bytes_max = limits.custody_volatile_bytes_max;
        self
    }

    pub(crate) const fn quotas(&self) -> Quotas {
        Quotas {
            bytes_max: self.bytes_max,
            bundles_max: self.bundles_max,
            neighbour_bytes_max: self.neighbour_bytes_max,
            neighbour_bundles_max: self.neighbour_bundles_max,
        }
    }

    /// Whether bundles of a class are taken for others.
    pub(crate) const fn takes(&self, class: Class) -> bool {
        !matches!(self.kind, NodeKind::Leaf) && self.accepts & class.bit() != 0
    }

    /// Copies that a bundle of this size has at most.
    pub(crate) const fn copies_of(&self, size: SizeClass) -> u16 {
        self.copies[size as usize]
    }
}

/// Copies by size class, so that all of them weigh about as much together, half a megabyte at most. What is small costs
/// little even if it goes nearly everywhere.
const COPIES: [u16; 4] = [96, 96, 21, 8];
const ALL_CLASSES: u8 = Class::Control.bit() | Class::Message.bit() | Class::Bulk.bit() | Class::Topic.bit();
