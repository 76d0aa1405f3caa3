//! Ours: the very state machine that nodes run, [`qpq_mesh::Mesh`], one for each node.
//!
//! Packets are the calls of the mesh and their answers, weighed as they would be on the wire, each with the frame of a
//! call. What a link loses is sent again, as the transport below the calls does. The recipient's node opens what is
//! for it at once and reveals its secret; a message to a group has no secret and ends with its lifetime. Carriers are
//! paired with each other; everybody else is a contact of everybody.
//!
//! With faults, a node crashes at transactions that change its store: before the commit, between the commit and what
//! follows from it, or after that. Its neighbours see their links end. It comes up again with what is on its disk and
//! a wall clock that may be wrong by years, and deposits again what it did not come to deposit.

mod bundles;
mod clock;
mod crashes;
mod disk;
mod exchange;
mod flood;
mod settings;
mod station;
#[cfg(test)]
mod tests;
mod transaction;

use std::collections::VecDeque;
use std::sync::Arc;

use qpq_mesh::wire::{Request, Response};
use qpq_mesh::work::solve;
use qpq_mesh::{CallFailure, CallId, Effect, Input, Tier};

use self::bundles::Bundles;
use self::disk::DiskKind;
use self::flood::Flood;
use self::station::Station;
use self::transaction::Turn;
use super::Router;
use crate::net::{Net, Way};
use crate::observation::Observation;
use crate::random::Random;
use crate::run::StoreKind;
use crate::scenario::{Faults, Node, Role, Scenario};
use crate::watch::Watch;

/// What a call or an answer has besides its payload.
const FRAME_BYTES: u64 = 32;
/// Wakes a node that is down; no node time is that late.
const RESTART: u64 = u64::MAX;

/// What nodes send each other.
#[derive(Debug, Clone)]
pub struct Packet {
    content: Content,
    /// How often the sender and the receiver had started when it was sent: a restart ends all that was before it.
    starts: [u32; 2],
}

#[derive(Debug, Clone)]
enum Content {
    Call { call: CallId, request: Request },
    Answer { call: CallId, result: Result<Response, CallFailure> },
}

/// The router.
#[derive(Debug)]
pub struct Ours {
    stations: Vec<Station>,
    bundles: Bundles,
    random: Random,
    faults: Option<Faults>,
    chance: Random,
    /// Nodes that crash at the end of this moment.
    falling: Vec<u32>,
    flood: Option<Flood>,
    watch: Option<Arc<dyn Watch>>,
}

/// What is to be carried out.
type Effects = VecDeque<(u32, Effect)>;

impl Ours {
    /// Every node with an empty store.
    ///
    /// # Errors
    /// Those of databases on real files.
    pub fn new(scenario: &Scenario, nodes: &[Node], seed: u64, store: &StoreKind) -> anyhow::Result<Self> {
        let mut random = Random::new(seed, "mesh", 0);
        let mut chance = Random::new(seed, "faults", 0);
        let bundles = Bundles::new(seed);
        let kind = match store {
            StoreKind::Memory if scenario.faults.is_none() => DiskKind::Lean,
            StoreKind::Memory => DiskKind::Memory,
            StoreKind::Redb => DiskKind::Faulty,
            StoreKind::Files(folder) => DiskKind::Files(folder.clone()),
        };
        let mut stations = Vec::with_capacity(nodes.len());
        for (number, node) in (0_u32..).zip(nodes) {
            let mut station = Station::new((number, *node), &kind, &mut chance)?;
            station.open(number, &bundles, &mut random, &mut Vec::new())?;
            stations.push(station);
        }
        let (faults, falling, flood) = (scenario.faults, Vec::new(), Flood::new(scenario, seed));
        Ok(Self { stations, bundles, random, faults, chance, falling, flood, watch: None })
    }

    /// With somebody who watches carriers.
    #[must_use]
    pub fn with_watch(mut self, watch: Option<Arc<dyn Watch>>) -> Self {
        self.watch = watch;
        self
    }

    fn handle(&mut self, net: &mut Net<'_, Packet>, node: u32, input: Input) {
        let mut effects = Effects::new();
        self.with(net, Turn::of(node), &mut effects, |mesh, cx| mesh.handle(cx, input));
        self.carry_out(net, node, effects);
    }

    /// Carries out effects until there are none, and sees to it that the node is woken in time.
    fn carry_out(&mut self, net: &mut Net<'_, Packet>, node: u32, mut effects: Effects) {
        while let Some((node, effect)) = effects.pop_front() {
            self.carry_out_one(net, node, effect, &mut effects);
        }
        self.see_to_waking(net, node);
    }

    fn carry_out_one(&mut self, net: &mut Net<'_, Packet>, node: u32, effect: Effect, effects: &mut Effects) {
        match effect {
            Effect::Call { call, node: to, request } => {
                if let Some(way) = way_to(net, node, settings::number(&to.into())) {
                    self.send(net, way, Content::Call { call, request });
                }
            }
            Effect::Mine { bundle } => self.open(net, node, bundle.id(), effects),
            Effect::Settled { id, .. } => {
                if let Some(message) = self.bundles.message(&id) {
                    net.observe(&Observation::Settled { node, message });
                }
            }
            Effect::Work { node: asked_by, challenge } => {
                let Some(solution) = solve(&challenge, &settings::key(node).into(), 0, u64::MAX) else {
                    return;
                };
                let input = Input::Worked { node: asked_by, solution };
                self.with(net, Turn::of(node), effects, |mesh, cx| mesh.handle(cx, input));
            }
            Effect::Handed { .. }
            | Effect::Expired { .. }
            | Effect::Evicted { .. }
            | Effect::Refused { .. } => {}
        }
    }

    fn see_to_waking(&mut self, net: &mut Net<'_, Packet>, node: u32) {
        let now = net.now();
        if let Some((at, token)) = self.stations[node as usize].next_wake(now) {
            net.wake(node, at, token);
        }
    }

    fn send(&self, net: &mut Net<'_, Packet>, way: Way, content: Content) {
        let payload = match &content {
            Content::Call { request, .. } => request.encoded_len(),
            Content::Answer { result, .. } => result.as_ref().map_or(0, Response::encoded_len),
        };
        let starts = self.starts(way);
        net.send(way, Packet { content, starts }, FRAME_BYTES + payload as u64);
    }

    fn starts(&self, way: Way) -> [u32; 2] {
        [way.from, way.to].map(|node| self.stations[node as usize].starts)
    }

    fn standing(&self, one: u32, other: u32) -> Tier {
        if let Some(standing) = self.flood.as_ref().and_then(|flood| flood.standing(one, other)) {
            return standing;
        }
        let is_carrier = |node: u32| self.stations[node as usize].role == Role::Carrier;
        if is_carrier(one) && is_carrier(other) { Tier::Paired } else { Tier::Contact }
    }

    /// Joins two nodes that are both up.
    fn join(&mut self, net: &mut Net<'_, Packet>, way: Way) {
        if [way.from, way.to].iter().all(|node| self.stations[*node as usize].mesh.is_some()) {
            for Way { from, to, .. } in [way, way.back()] {
                let standing = self.standing(from, to);
                self.handle(net, from, Input::LinkUp { node: settings::key(to).into(), standing });
            }
        }
    }

    /// Gives a message to the mesh; until that is committed it stays in the outbox.
    fn deposit(&mut self, net: &mut Net<'_, Packet>, message: u32) {
        let node = net.message(message).source;
        let Some(bundle) = self.bundles.made(message) else { return };
        let mut effects = Effects::new();
        let input = Input::Deposit { bundle };
        self.with(net, Turn::deposits(node, message), &mut effects, |mesh, cx| mesh.handle(cx, input));
        self.carry_out(net, node, effects);
    }
}

impl Router for Ours {
    type Packet = Packet;

    fn created(&mut self, net: &mut Net<'_, Packet>, number: u32) {
        let message = net.message(number);
        let bundle = self.bundles.make(number, message);
        let header = bundle.header();
        let settle = header.settle().map(|settle| settle.as_slice());
        let mut fields = vec![header.id().as_bytes().as_slice(), header.salt(), header.tag()];
        fields.extend(settle);
        net.observe(&Observation::Header { message: number, fields: &fields });
        let station = &mut self.stations[message.source as usize];
        station.outbox.push(number);
        station.written.insert(number);
        self.deposit(net, number);
        self.fall(net);
    }

    fn link_up(&mut self, net: &mut Net<'_, Packet>, way: Way) {
        self.join(net, way);
        self.fall(net);
        self.flood(net, way);
        self.flood(net, way.back());
    }

    fn minds_idle(&self) -> bool {
        self.flood.is_some()
    }

    fn idle(&mut self, net: &mut Net<'_, Packet>, way: Way) {
        self.flood(net, way);
    }

    fn link_down(&mut self, net: &mut Net<'_, Packet>, way: Way) {
        for Way { from, to, .. } in [way, way.back()] {
            self.handle(net, from, Input::LinkDown { node: settings::key(to).into() });
        }
        self.fall(net);
    }

    fn arrived(&mut self, net: &mut Net<'_, Packet>, way: Way, packet: Packet) {
        if packet.starts != self.starts(way) {
            return;
        }
        match packet.content {
            Content::Call { call, request } => self.answer(net, way, call, request),
            Content::Answer { call, result } if self.flood_answered(call, &result) => {}
            Content::Answer { call, result } => self.handle(net, way.to, Input::Answered { call, result }),
        }
        self.fall(net);
    }

    fn lost(&mut self, net: &mut Net<'_, Packet>, way: Way, packet: Packet) {
        // A contact that has ended takes everything with it; the network drops what is sent over it.
        if packet.starts == self.starts(way) {
            self.send(net, way, packet.content);
        }
    }

    fn wake(&mut self, net: &mut Net<'_, Packet>, node: u32, token: u64) {
        if token == RESTART {
            self.restart(net, node);
        } else if self.stations[node as usize].wakes_ms == Some(token) {
            self.stations[node as usize].wakes_ms = None;
            self.handle(net, node, Input::Tick);
        }
        self.fall(net);
    }
}

fn way_to(net: &Net<'_, Packet>, node: u32, to: u32) -> Option<Way> {
    let ways = net.ways(node);
    ways.binary_search_by_key(&to, |way| way.to).ok().map(|place| ways[place])
}
