//! Nodes that crash and come up again.

use qpq_mesh::Input;

use super::station::Fate;
use super::{Ours, Packet, RESTART, settings};
use crate::net::{Net, Way};
use crate::observation::Observation;
use crate::random::Random;
use crate::scenario::Faults;
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
            station.fall();
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
        let station = &mut self.stations[node as usize];
        station.clock.restart(net.now(), is_wrong, &mut self.chance);
        let mut holds: Vec<u32> = station.disk.ids().filter_map(|id| self.bundles.message(id)).collect();
        holds.sort_unstable();
        net.observe(&Observation::Restarted { node, holds: &holds });
        let mut found = Vec::new();
        station
            .open(node, &self.bundles, &mut self.random, &mut found)
            .expect("a store in memory does not fail");
        for change in station.disk.commit() {
            super::transaction::observe(net, &self.bundles, node, &change, &found);
        }
        let outbox = station.outbox.clone();
        self.carry_out(net, node, found.into_iter().map(|effect| (node, effect)).collect());
        outbox.into_iter().for_each(|message| self.deposit(net, message));
        for way in net.ways(node).to_vec() {
            self.join(net, way);
        }
    }
}

impl Faults {
    pub(super) fn fate(&self, chance: &mut Random) -> Fate {
        const FATES: [Fate; 3] = [Fate::FallsBeforeCommit, Fate::FallsAfterCommit, Fate::FallsAfterEffects];
        if chance.chance(self.crash_chance) { FATES[chance.below(FATES.len())] } else { Fate::Lives }
    }
}
