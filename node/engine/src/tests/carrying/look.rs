//! What lies in a node's custody, and ways to change what it takes.

use qpq_mesh::{Class, SizeClass, storage::decode_record};
use qpq_proto::limits::Limits;

use super::super::world::World;
use crate::{
    carrying::Carrying,
    storage::Transaction as _,
    tables::{self, BUNDLES, OUTGOING},
};

/// A bundle as its header shows it: class, size, longest lifetime in hours.
pub(super) type Look = (Class, SizeClass, u32);

/// The bundles on a node's disk, in order.
pub(super) fn held(world: &World, node: usize) -> Vec<Look> {
    let records = world.nodes[node].memory.all(BUNDLES).unwrap();
    let mut held: Vec<Look> = records
        .iter()
        .map(|record| decode_record(record).unwrap().header)
        .map(|header| (header.kind().class, header.kind().size, header.lifetime_max_s() / 3_600))
        .collect();
    held.sort();
    held
}

/// Classes and lifetimes of what a node holds, without repetitions.
pub(super) fn kinds(world: &World, node: usize) -> Vec<(Class, u32)> {
    let mut kinds: Vec<(Class, u32)> =
        held(world, node).into_iter().map(|(class, _, hours)| (class, hours)).collect();
    kinds.sort();
    kinds.dedup();
    kinds
}

/// When the first bundle on a node's disk ends, and its own time now, ms.
pub(super) fn expiry_and_now(world: &mut World, node: usize) -> (u64, u64) {
    let records = world.nodes[node].memory.all(BUNDLES).unwrap();
    let expires_ms = decode_record(&records[0]).unwrap().expires_ms;
    (expires_ms, world.act(node, |_, cx| cx.node_ms))
}

/// Entries in a node's outbox.
pub(super) fn waiting(world: &World, node: usize) -> usize {
    world.nodes[node].memory.count(OUTGOING)
}

/// Has a node open its mesh again, under other limits, when it is next needed.
pub(super) fn limit(world: &mut World, node: usize, change: impl FnOnce(&mut Limits)) {
    world.limit(node, change);
    world.act(node, |engine, _| engine.carrying = Carrying::new(false));
}

/// Addresses that a node knows of a contact.
pub(super) fn addresses(world: &mut World, node: usize, contact: &str) -> Vec<String> {
    world.act(node, |engine, cx| engine.find_contact(cx, contact).unwrap().addresses)
}

/// Receipts that a node has not sent.
pub(super) fn receipts(world: &World, node: usize) -> usize {
    world.nodes[node].memory.count(tables::RECEIPTS)
}
