//! One transaction of a node, from the input to what can be seen of it.

use qpq_mesh::{BundleId, Context, Effect, Mesh, StorageError, Store};

use super::bundles::{Bundles, Recipient};
use super::disk::{Beside, Change, Disk, Ended, Fate};
use super::{Effects, Ours, Packet};
use crate::net::Net;
use crate::observation::{Cause, Observation};
use crate::scenario::Role;
use crate::watch::watched;

/// Whose transaction, and what belongs to it besides what the mesh does.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    pub(super) node: u32,
    pub(super) beside: Beside,
}

impl Turn {
    /// Of a node: nobody is answered.
    pub(super) fn of(node: u32) -> Self {
        Self { node, beside: Beside::default() }
    }

    /// Of a node that answers a neighbour.
    pub(super) fn answering(node: u32) -> Self {
        Self { node, beside: Beside { is_promise: true, ..Beside::default() } }
    }

    /// With it the application gets a message.
    pub(super) fn delivers(node: u32, message: u32) -> Self {
        Self { node, beside: Beside { delivers: Some(message), ..Beside::default() } }
    }

    /// With it the mesh takes a message from the application.
    pub(super) fn deposits(node: u32, message: u32) -> Self {
        Self { node, beside: Beside { deposits: Some(message), ..Beside::default() } }
    }
}

impl Ours {
    /// Runs a transaction of a node and says what came of it; effects are left to be carried out. None if the node is
    /// down, or crashes before anything could follow.
    pub(super) fn with<T>(
        &mut self,
        net: &mut Net<'_, Packet>,
        Turn { node, beside }: Turn,
        effects: &mut Effects,
        run: impl FnOnce(&mut Mesh, &mut Context<'_>) -> Result<T, StorageError>,
    ) -> Option<T> {
        let now = net.now();
        let station = &mut self.stations[node as usize];
        let mesh = station.mesh.as_mut()?;
        let mut found = Vec::new();
        let (now_ms, clock) = (station.clock.node_ms(now), station.clock.readings(now));
        let (bundles, random, chance) = (&self.bundles, &mut self.random, &mut self.chance);
        let fate = match self.faults {
            Some(faults) if chance.chance(faults.crash_chance) => station.disk.fates(chance),
            _ => Fate::Lives,
        };
        let run = |store: &mut dyn Store| {
            let (rng, interest) = (random.generator(), &mut Recipient { bundles, node });
            run(mesh, &mut Context { now_ms, rng, store, interest, effects: &mut found })
        };
        let decide = |is_changed| if is_changed { fate } else { Fate::Lives };
        let watch = self.watch.as_ref().filter(|_| station.role == Role::Carrier);
        let disk = &mut station.disk;
        let ended = watched(watch, now, || disk.transact(bundles, Beside { clock, ..beside }, run, decide));
        let (result, changes, fate) = match ended {
            Ended::Committed { result, changes, fate } => (result, changes, fate),
            Ended::GivenUp => return self.falls_at_once(node),
            Ended::Unknown { changes } => {
                let removed = changes.iter().filter(|change| !change.is_put);
                let removed = removed.map(|change| (change.id, cause(&change.id, &found))).collect();
                if let Disk::Database(database) = &mut station.disk {
                    database.expect_removed(removed);
                }
                return self.falls_at_once(node);
            }
        };
        station.clock.save(now);
        if let Some(message) = beside.delivers.filter(|message| station.opened.insert(*message)) {
            net.observe(&Observation::Delivered { node, message });
        }
        if beside.deposits.is_some() {
            station.outbox.retain(|other| Some(*other) != beside.deposits);
        }
        for change in changes {
            observe(net, &self.bundles, node, &change, &found);
        }
        match fate {
            Fate::FallsAfterCommit => return self.falls_at_once(node),
            Fate::FallsAfterEffects => self.falling.push(node),
            // What else is planned shows when the disk is used again.
            _ => {}
        }
        effects.extend(found.into_iter().map(|effect| (node, effect)));
        Some(result)
    }

    fn falls_at_once<T>(&mut self, node: u32) -> Option<T> {
        self.stations[node as usize].mesh = None;
        self.falling.push(node);
        None
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
    let bytes = bundles.stored_bytes(message);
    if change.is_put {
        return net.observe(&Observation::Stored { node, message, bytes });
    }
    net.observe(&Observation::Removed { node, message, bytes, cause: cause(&change.id, effects) });
}

/// Why a bundle is gone, as the mesh says.
fn cause(gone: &BundleId, effects: &[Effect]) -> Cause {
    let cause = effects.iter().find_map(|effect| match effect {
        Effect::Settled { id, .. } if id == gone => Some(Cause::Settled),
        Effect::Expired { id, .. } if id == gone => Some(Cause::Expired),
        Effect::Evicted { id } if id == gone => Some(Cause::Evicted),
        _ => None,
    });
    cause.unwrap_or(Cause::Arrived)
}
