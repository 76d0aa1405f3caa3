//! Ours: the very state machine that nodes run, [`qpq_mesh::Mesh`], one for each node.
//!
//! Packets are the calls of the mesh and their answers, weighed as they would be on the wire, each with the frame of a
//! call. What a link loses is sent again, as the transport below the calls does. The recipient's node opens what is
//! for it at once and reveals its secret; a message to a group has no secret and ends with its lifetime. Carriers are
//! paired with each other; everybody else is a contact of everybody.

mod bundles;
mod disk;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use qpq_mesh::wire::{NodeKind, Request, Response, TransferVerdict};
use qpq_mesh::work::solve;
use qpq_mesh::{BundleId, CallFailure, CallId, Config, Context, Effect, Input, Mesh, StorageError, Tier};

use self::bundles::{Bundles, Recipient};
use self::disk::{Change, Disk};
use super::Router;
use crate::net::{Net, Way};
use crate::observation::{Cause, Observation};
use crate::random::Random;
use crate::scenario::{Node, Role, Scenario};
use crate::time::Time;

/// What a call or an answer has besides its payload.
const FRAME_BYTES: u64 = 32;
/// Room that is kept for what is addressed to a node and fits no quota.
const UNOPENED_BYTES_MAX: u64 = 128 << 10;
/// Instead of a buffer without a limit.
const UNLIMITED_BYTES: u64 = 1 << 50;

/// What nodes say to each other.
#[derive(Debug, Clone)]
pub enum Packet {
    /// A call.
    Call {
        /// Names it in the answer.
        call: CallId,
        /// The call.
        request: Request,
    },
    /// The answer.
    Answer {
        /// To which call.
        call: CallId,
        /// The answer.
        result: Result<Response, CallFailure>,
    },
}

/// The router.
#[derive(Debug)]
pub struct Ours {
    stations: Vec<Station>,
    bundles: Bundles,
    random: Random,
}

/// One node.
#[derive(Debug)]
struct Station {
    mesh: Mesh,
    disk: Disk,
    role: Role,
    /// The messages that its application has.
    opened: BTreeSet<u32>,
    /// The call that the network was asked for, ms.
    wakes_ms: Option<u64>,
}

/// What is to be carried out.
type Effects = VecDeque<(u32, Effect)>;

impl Ours {
    /// Every node with an empty store.
    ///
    /// # Errors
    /// None: stores in memory do not fail.
    pub fn new(scenario: &Scenario, nodes: &[Node], seed: u64) -> Result<Self, StorageError> {
        let mut random = Random::new(seed, "mesh", 0);
        let bundles = Bundles::new(seed);
        let mut stations = Vec::with_capacity(nodes.len());
        for (number, node) in (0_u32..).zip(nodes) {
            let (config, mut disk) = (Arc::new(config(scenario, *node)), Disk::default());
            let mut cx = Context {
                now_ms: 0,
                rng: random.generator(),
                store: &mut disk,
                interest: &mut Recipient { bundles: &bundles, node: number },
                effects: &mut Vec::new(),
            };
            let mesh = Mesh::open(key(number).into(), config, &mut cx)?;
            disk.commit();
            let (role, opened) = (node.role, BTreeSet::new());
            stations.push(Station { mesh, disk, role, opened, wakes_ms: None });
        }
        Ok(Self { stations, bundles, random })
    }

    /// Runs something with a node's mesh, commits, and says what came of it. Effects are left to be carried out.
    fn with<T>(
        &mut self,
        net: &mut Net<'_, Packet>,
        node: u32,
        effects: &mut Effects,
        run: impl FnOnce(&mut Mesh, &mut Context<'_>) -> Result<T, StorageError>,
    ) -> T {
        let station = &mut self.stations[node as usize];
        let mut found = Vec::new();
        let mut cx = Context {
            now_ms: net.now().as_millis(),
            rng: self.random.generator(),
            store: &mut station.disk,
            interest: &mut Recipient { bundles: &self.bundles, node },
            effects: &mut found,
        };
        let result = run(&mut station.mesh, &mut cx).expect("a store in memory does not fail");
        for change in station.disk.commit() {
            observe(net, &self.bundles, node, &change, &found);
        }
        effects.extend(found.into_iter().map(|effect| (node, effect)));
        result
    }

    fn handle(&mut self, net: &mut Net<'_, Packet>, node: u32, input: Input) {
        let mut effects = Effects::new();
        self.with(net, node, &mut effects, |mesh, cx| mesh.handle(cx, input));
        self.carry_out(net, node, effects);
    }

    /// Carries out effects until there are none, and sees to it that everybody concerned is woken in time.
    fn carry_out(&mut self, net: &mut Net<'_, Packet>, node: u32, mut effects: Effects) {
        while let Some((node, effect)) = effects.pop_front() {
            self.carry_out_one(net, node, effect, &mut effects);
        }
        self.see_to_waking(net, node);
    }

    fn carry_out_one(&mut self, net: &mut Net<'_, Packet>, node: u32, effect: Effect, effects: &mut Effects) {
        match effect {
            Effect::Call { call, node: to, request } => {
                let bytes = FRAME_BYTES + request.encoded_len() as u64;
                if let Some(way) = way_to(net, node, number(&to.into())) {
                    net.send(way, Packet::Call { call, request }, bytes);
                }
            }
            Effect::Mine { bundle } => self.open(net, node, bundle.id(), effects),
            Effect::Settled { id, .. } => {
                if let Some(message) = self.bundles.message(&id) {
                    net.observe(&Observation::Settled { node, message });
                }
            }
            Effect::Work { node: asked_by, challenge } => {
                let Some(solution) = solve(&challenge, &key(node).into(), 0, u64::MAX) else { return };
                let input = Input::Worked { node: asked_by, solution };
                self.with(net, node, effects, |mesh, cx| mesh.handle(cx, input));
            }
            Effect::Handed { .. }
            | Effect::Expired { .. }
            | Effect::Evicted { .. }
            | Effect::Refused { .. } => {}
        }
    }

    /// What the engine does with a bundle: gives a message to the application once, and reveals the secret.
    fn open(&mut self, net: &mut Net<'_, Packet>, node: u32, id: &BundleId, effects: &mut Effects) {
        let Some(message) = self.bundles.message(id) else { return };
        if self.stations[node as usize].opened.insert(message) {
            net.observe(&Observation::Delivered { node, message });
        }
        let input = match self.bundles.secret(message) {
            Some(secret) => Input::Settle { id: *id, secret },
            None => Input::Opened { id: *id },
        };
        self.with(net, node, effects, |mesh, cx| mesh.handle(cx, input));
    }

    fn see_to_waking(&mut self, net: &mut Net<'_, Packet>, node: u32) {
        let station = &mut self.stations[node as usize];
        let Some(at_ms) = station.mesh.wake_at() else { return };
        let at_ms = at_ms.max(net.now().as_millis() + 1);
        if station.wakes_ms.is_none_or(|wakes_ms| at_ms < wakes_ms) {
            station.wakes_ms = Some(at_ms);
            net.wake(node, Time::from_micros(at_ms * 1000), at_ms);
        }
    }

    fn answer(&mut self, net: &mut Net<'_, Packet>, way: Way, call: CallId, request: Request) {
        let Way { from, to, .. } = way;
        let brought = self.brought(net, way, &request);
        let mut effects = Effects::new();
        let answer = self.with(net, to, &mut effects, |mesh, cx| mesh.answer(cx, &key(from).into(), request));
        let result = answer.map_err(|_| CallFailure::Refused { retry_after_ms: 0 });
        if let Ok(Response::Transfer(verdicts)) = &result {
            for (message, verdict) in brought.iter().zip(&verdicts.verdicts) {
                if let (Some(message), TransferVerdict::Accepted(_)) = (*message, verdict) {
                    net.observe(&Observation::Promised { holder: to, message });
                }
            }
        }
        let bytes = result.as_ref().map_or(0, |response| response.encoded_len() as u64);
        net.send(way.back(), Packet::Answer { call, result }, FRAME_BYTES + bytes);
        self.carry_out(net, to, effects);
    }

    /// The messages that a call brings with their bodies.
    fn brought(&self, net: &mut Net<'_, Packet>, way: Way, request: &Request) -> Vec<Option<u32>> {
        let Request::Transfer(transfer) = request else { return Vec::new() };
        let brought: Vec<_> =
            transfer.bundles.iter().map(|bundle| self.bundles.message(bundle.id())).collect();
        for message in brought.iter().flatten() {
            net.observe(&Observation::Transferred { from: way.from, to: way.to, message: *message });
        }
        brought
    }

    fn standing(&self, one: u32, other: u32) -> Tier {
        let is_carrier = |node: u32| self.stations[node as usize].role == Role::Carrier;
        if is_carrier(one) && is_carrier(other) { Tier::Paired } else { Tier::Contact }
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
        self.handle(net, message.source, Input::Deposit { bundle });
    }

    fn link_up(&mut self, net: &mut Net<'_, Packet>, way: Way) {
        for Way { from, to, .. } in [way, way.back()] {
            let standing = self.standing(from, to);
            self.handle(net, from, Input::LinkUp { node: key(to).into(), standing });
        }
    }

    fn link_down(&mut self, net: &mut Net<'_, Packet>, way: Way) {
        for Way { from, to, .. } in [way, way.back()] {
            self.handle(net, from, Input::LinkDown { node: key(to).into() });
        }
    }

    fn arrived(&mut self, net: &mut Net<'_, Packet>, way: Way, packet: Packet) {
        match packet {
            Packet::Call { call, request } => self.answer(net, way, call, request),
            Packet::Answer { call, result } => self.handle(net, way.to, Input::Answered { call, result }),
        }
    }

    fn lost(&mut self, net: &mut Net<'_, Packet>, way: Way, packet: Packet) {
        // A contact that has ended takes everything with it; the network drops what is sent over it.
        let payload = match &packet {
            Packet::Call { request, .. } => request.encoded_len(),
            Packet::Answer { result, .. } => result.as_ref().map_or(0, Response::encoded_len),
        };
        net.send(way, packet, FRAME_BYTES + payload as u64);
    }

    fn wake(&mut self, net: &mut Net<'_, Packet>, node: u32, token: u64) {
        let station = &mut self.stations[node as usize];
        if station.wakes_ms == Some(token) {
            station.wakes_ms = None;
            self.handle(net, node, Input::Tick);
        }
    }
}

/// Tells what a commit changed of a store, and why.
fn observe(net: &mut Net<'_, Packet>, bundles: &Bundles, node: u32, change: &Change, effects: &[Effect]) {
    let Some(message) = bundles.message(&change.id) else { return };
    let bytes = super::baseline::stored_bytes(net.message(message));
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

/// What a node of the scenario decides for itself: as the profile of a router says, but for the size of its store.
fn config(scenario: &Scenario, node: Node) -> Config {
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
    }
}

/// The key of a node: its number, so that the order of both is the same.
fn key(node: u32) -> [u8; 32] {
    let mut key = [0x51; 32];
    key[..4].copy_from_slice(&node.to_be_bytes());
    key
}

fn number(key: &[u8; 32]) -> u32 {
    u32::from_be_bytes([key[0], key[1], key[2], key[3]])
}

fn way_to(net: &Net<'_, Packet>, node: u32, to: u32) -> Option<Way> {
    let ways = net.ways(node);
    ways.binary_search_by_key(&to, |way| way.to).ok().map(|place| ways[place])
}
