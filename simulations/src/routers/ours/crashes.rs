//! Nodes that crash and come up again.

use std::collections::BTreeSet;

use qpq_mesh::{BundleId, Input};

use super::disk::{Disk, Found};
use super::{Ours, Packet, RESTART, settings};
use crate::net::{Net, Way};
use crate::observation::{Cause, Observation};
use crate::time::seconds;

impl Ours {
    /// Carries out the crashes of this moment.
    pub(super) fn fall(&mut self, net: &mut Net<'_, Packet>) {
        while let Some(node) = self.falling.pop() {
            let Some(faults) = self.faults else { continue };
            let station = &mut self.stations[node as usize];
            if station.is_down {
                continue;
            }
            station.fall(&mut self.chance);
            let until = net.now() + seconds(self.chance.between(faults.down_s));
            net.wake(node, until, RESTART);
            for Way { to, .. } in net.ways(node).to_vec() {
                self.handle(net, to, Input::LinkDown { node: settings::key(node).into() });
            }
        }
    }

    /// A node comes up again.
    pub(super) fn restart(&mut self, net: &mut Net<'_, Packet>, node: u32) {
        let Some(faults) = self.faults else { return };
        let is_wrong = self.chance.chance(faults.wrong_clock);
        let found = match &mut self.stations[node as usize].disk {
            Disk::Database(database) => match database.restart(&mut self.chance) {
                Ok(found) => Some(found),
                Err(error) => {
                    return net.observe(&Observation::Broken { node, reason: &error.to_string() });
                }
            },
            Disk::Lean | Disk::Memory(_) => None,
        };
        self.tell_what_is_found(net, node, found);
        let station = &mut self.stations[node as usize];
        station.clock.restart(net.now(), is_wrong, &mut self.chance);
        let mut effects = Vec::new();
        match station.open(node, &self.bundles, &mut self.random, &mut effects) {
            Ok(changes) => {
                for change in changes {
                    super::transaction::observe(net, &self.bundles, node, &change, &effects);
                }
            }
            Err(error) => return net.observe(&Observation::Broken { node, reason: &error.to_string() }),
        }
        let outbox = station.outbox.clone();
        self.carry_out(net, node, effects.into_iter().map(|effect| (node, effect)).collect());
        outbox.into_iter().for_each(|message| self.deposit(net, message));
        for way in net.ways(node).to_vec() {
            self.join(net, way);
        }
    }

    /// Tells checkers what is on the disk of a node that starts, and how it differs from what it told.
    fn tell_what_is_found(&mut self, net: &mut Net<'_, Packet>, node: u32, found: Option<Found>) {
        let station = &mut self.stations[node as usize];
        let Some(found) = found else {
            let holds = numbers(&self.bundles, station.disk.ids());
            return net.observe(&Observation::Restarted { node, holds: &holds, has_lost: false });
        };
        for message in found.delivered.difference(&station.opened) {
            net.observe(&Observation::Delivered { node, message: *message });
        }
        for message in station.opened.difference(&found.delivered) {
            net.observe(&Observation::Forgotten { node, message: *message });
        }
        station.outbox = station.written.difference(&found.deposited).copied().collect();
        station.opened = found.delivered;
        found.clock.into_iter().for_each(|saved| station.clock.set_saved(saved));
        for (id, cause) in &found.fewer {
            tell(net, &self.bundles, node, id, Some(*cause));
        }
        let holds = numbers(&self.bundles, station.disk.ids());
        net.observe(&Observation::Restarted { node, holds: &holds, has_lost: true });
        for id in &found.more {
            tell(net, &self.bundles, node, id, None);
        }
    }
}

fn tell(
    net: &mut Net<'_, Packet>,
    bundles: &super::Bundles,
    node: u32,
    id: &BundleId,
    removed: Option<Cause>,
) {
    let Some(message) = bundles.message(id) else { return };
    let bytes = bundles.stored_bytes(message);
    net.observe(&match removed {
        Some(cause) => Observation::Removed { node, message, bytes, cause },
        None => Observation::Stored { node, message, bytes },
    });
}

fn numbers<'a>(bundles: &super::Bundles, ids: impl Iterator<Item = &'a BundleId>) -> Vec<u32> {
    let numbers: BTreeSet<u32> = ids.filter_map(|id| bundles.message(id)).collect();
    numbers.into_iter().collect()
}
