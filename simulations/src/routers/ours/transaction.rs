//! One transaction of a node, from the input to what can be seen of it.

use qpq_mesh::{Context, Effect, Mesh, StorageError};

use super::bundles::{Bundles, Recipient};
use super::disk::Change;
use super::station::Fate;
use super::{Effects, Ours, Packet};
use crate::net::Net;
use crate::observation::{Cause, Observation};
use crate::routers::baseline::stored_bytes;

impl Ours {
    /// Runs a transaction of a node and says what came of it; effects are left to be carried out. None if the node is
    /// down, or crashes before anything could follow. `delivers` is a message that the application gets with it.
    pub(super) fn with<T>(
        &mut self,
        net: &mut Net<'_, Packet>,
        (node, delivers): (u32, Option<u32>),
        effects: &mut Effects,
        run: impl FnOnce(&mut Mesh, &mut Context<'_>) -> Result<T, StorageError>,
    ) -> Option<T> {
        let now = net.now();
        let station = &mut self.stations[node as usize];
        let mut found = Vec::new();
        let mut cx = Context {
            now_ms: station.clock.node_ms(now),
            rng: self.random.generator(),
            store: &mut station.disk,
            interest: &mut Recipient { bundles: &self.bundles, node },
            effects: &mut found,
        };
        let result = run(station.mesh.as_mut()?, &mut cx).expect("a store in memory does not fail");
        let fate = self
            .faults
            .filter(|_| station.disk.is_changed())
            .map_or(Fate::Lives, |faults| faults.fate(&mut self.chance));
        if fate == Fate::FallsBeforeCommit {
            station.disk.roll_back();
            station.mesh = None;
            self.falling.push(node);
            return None;
        }
        station.clock.save(now);
        if let Some(message) = delivers.filter(|message| station.opened.insert(*message)) {
            net.observe(&Observation::Delivered { node, message });
        }
        for change in station.disk.commit() {
            observe(net, &self.bundles, node, &change, &found);
        }
        if fate != Fate::Lives {
            self.falling.push(node);
        }
        if fate == Fate::FallsAfterCommit {
            station.mesh = None;
            return None;
        }
        effects.extend(found.into_iter().map(|effect| (node, effect)));
        Some(result)
    }
}

/// Tells what a commit changed of a store, and why.
pub(super) fn observe(
    net: &mut Net<'_, Packet>,
    bundles: &Bundles,
    node: u32,
    change: &Change,
    effects: &[Effect],
) {
    let Some(message) = bundles.message(&change.id) else { return };
    let bytes = stored_bytes(net.message(message));
    if change.is_put {
        return net.observe(&Observation::Stored { node, message, bytes });
    }
    let cause = effects.iter().find_map(|effect| match effect {
        Effect::Settled { id, .. } if *id == change.id => Some(Cause::Settled),
        Effect::Expired { id, .. } if *id == change.id => Some(Cause::Expired),
        Effect::Evicted { id } if *id == change.id => Some(Cause::Evicted),
        _ => None,
    });
    let cause = cause.unwrap_or(Cause::Arrived);
    net.observe(&Observation::Removed { node, message, bytes, cause });
}
