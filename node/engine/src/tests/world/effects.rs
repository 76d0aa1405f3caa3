//! Carrying out what nodes ask for.

use super::{Event, World};
use crate::{Effect, Input};

impl World {
    pub(super) fn carry_out(&mut self, index: usize, effect: Effect) {
        match effect {
            Effect::Call { call, node, method, payload } => {
                let to = self.index_of(node);
                let run = self.nodes[index].run;
                self.events.push_back(Event::Call { from: index, run, to, call, method, payload });
            }
            Effect::Want { node, .. } => {
                self.nodes[index].wanted.insert(node);
                self.connect_all();
            }
            Effect::Release { node } => drop(self.nodes[index].wanted.remove(&node)),
            Effect::Next(next) => {
                let run = self.nodes[index].run;
                self.events.push_back(Event::Next { to: index, run, next });
            }
            Effect::Work { node, work } => {
                let solution = work.solve(u64::MAX).unwrap();
                self.input(index, Input::Worked { node, solution });
            }
            Effect::WantRelay { relay, .. } => drop(self.nodes[index].relays.insert(relay)),
            Effect::ReleaseRelay { relay } => self.leave_office(index, relay),
            Effect::RelayCall { call, relay, line, method, payload } => {
                let run = self.nodes[index].run;
                self.events.push_back(Event::Mail { from: index, run, call, relay, line, method, payload });
            }
            Effect::Stretch(work) => {
                let stretched = work.run(&mut self.chance).unwrap();
                self.input(index, Input::Stretched { attempt: work.attempt(), stretched });
            }
            Effect::Events { .. } | Effect::RotateSecrets => {}
        }
    }

    pub(super) fn connect_all(&mut self) {
        for one in 0..self.nodes.len() {
            for other in one + 1..self.nodes.len() {
                let (a, b) = (&self.nodes[one], &self.nodes[other]);
                let is_wanted = a.wanted.contains(&b.key) || b.wanted.contains(&a.key);
                let is_possible = a.is_up && b.is_up && !self.cut.contains(&(one, other));
                if is_wanted && is_possible && self.connected.insert((one, other)) {
                    let (a, b) = (a.key, b.key);
                    let address = String::from("127.0.0.1:1");
                    self.input(one, Input::PeerConnected { node: b, address: address.clone() });
                    self.input(other, Input::PeerConnected { node: a, address });
                }
            }
        }
    }
}
