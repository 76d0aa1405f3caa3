//! Nodes and a network between them, in virtual time.

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;
use chacha20::ChaCha20Rng;
use prost::Message;
use qpq_proto::{Failure, Method, ids::NodeKey};
use rand_core::{Rng as _, SeedableRng as _};

use super::memory::Memory;
use crate::{CallFailure, CallId, Caller, Engine, Input, Next, Now, RelayKey, RelayLine};

mod effects;
mod inside;
mod offices;
mod people;

use inside::open;
pub(super) use offices::{Log, Office};

/// A moment at which every clock starts: 2026-11-21.
const START_MS: u64 = 1_795_219_200_000;

/// A person's node.
pub(super) struct Node {
    pub(super) memory: Memory,
    engine: Engine,
    rng: ChaCha20Rng,
    key: NodeKey,
    wanted: BTreeSet<NodeKey>,
    /// Its custody lives in memory, from its next start on.
    pub(super) is_volatile: bool,
    /// Milliseconds by which its wall clock is wrong.
    pub(super) clock_error_ms: i64,
    is_up: bool,
    /// Relays whose connection is wanted, and those of them that are connected.
    relays: BTreeSet<RelayKey>,
    on_line: BTreeSet<RelayKey>,
    /// Starts so far: what answers a call of an earlier run finds nobody.
    run: u32,
}

/// Something on its way between nodes.
enum Event {
    Call {
        from: usize,
        run: u32,
        to: usize,
        call: CallId,
        method: Method,
        payload: Bytes,
    },
    Answer {
        to: usize,
        run: u32,
        call: CallId,
        result: Result<Bytes, CallFailure>,
    },
    Next {
        to: usize,
        run: u32,
        next: Next,
    },
    Mail {
        from: usize,
        run: u32,
        call: CallId,
        relay: RelayKey,
        line: RelayLine,
        method: Method,
        payload: Bytes,
    },
}

/// Nodes, links, and what is under way.
pub(super) struct World {
    pub(super) nodes: Vec<Node>,
    /// Pairs of nodes, the smaller index first, that cannot reach each other.
    cut: BTreeSet<(usize, usize)>,
    connected: BTreeSet<(usize, usize)>,
    events: VecDeque<Event>,
    /// Relays.
    pub(super) offices: Vec<Office>,
    now_ms: u64,
    chance: ChaCha20Rng,
    /// Deliver what is under way in random order.
    pub(super) is_shuffled: bool,
    /// Repeat a call now and then.
    pub(super) is_repeating: bool,
}

impl World {
    /// Nodes of people who have made their identities and see each other.
    pub(super) fn of(names: &[&'static str]) -> Self {
        Self::seeded(1, names)
    }

    pub(super) fn seeded(seed: u64, names: &[&'static str]) -> Self {
        let mut world = Self {
            nodes: Vec::new(),
            cut: BTreeSet::new(),
            connected: BTreeSet::new(),
            events: VecDeque::new(),
            offices: Vec::new(),
            now_ms: 0,
            chance: rng(seed, 255),
            is_shuffled: false,
            is_repeating: false,
        };
        for name in names {
            let index = world.nodes.len();
            assert_eq!(world.add_with_identity(seed, name), index);
        }
        world
    }

    /// A further node over what is in `memory`.
    pub(super) fn add(&mut self, seed: u64, mut memory: Memory) -> usize {
        let index = self.nodes.len();
        let key = NodeKey::from_bytes([u8::try_from(index).unwrap() + 1; 32]);
        let engine = open(key, &mut memory, false, false);
        let rng = rng(seed, u8::try_from(index).unwrap());
        self.nodes.push(Node::over(key, memory, engine, rng));
        self.input(index, Input::Started);
        index
    }

    /// Calls a method as the owner.
    pub(super) fn owner<R: Message + Default>(
        &mut self,
        node: usize,
        method: Method,
        request: &impl Message,
    ) -> Result<R, Failure> {
        let payload = request.encode_to_vec().into();
        let answer = self.input(node, Input::Call { caller: Caller::Owner, method, payload });
        answer.unwrap().map(|payload| R::decode(payload).unwrap())
    }

    /// Hands a payload to a node as if a peer had brought it.
    pub(super) fn bring(
        &mut self,
        from: usize,
        to: usize,
        method: Method,
        payload: Bytes,
    ) -> Result<Bytes, Failure> {
        let caller = Caller::Node(self.nodes[from].key);
        self.input(to, Input::Call { caller, method, payload }).unwrap()
    }

    pub(super) fn cut(&mut self, one: usize, other: usize) {
        self.cut.insert(pair(one, other));
        if self.connected.remove(&pair(one, other)) {
            let (a, b) = (self.nodes[one].key, self.nodes[other].key);
            self.input(one, Input::PeerDisconnected { node: b });
            self.input(other, Input::PeerDisconnected { node: a });
        }
    }

    pub(super) fn join(&mut self, one: usize, other: usize) {
        self.cut.remove(&pair(one, other));
        self.connect_all();
    }

    /// Takes a node down; what it had not written is gone.
    pub(super) fn stop(&mut self, node: usize) {
        self.nodes[node].is_up = false;
        self.leave_offices(node);
        for other in 0..self.nodes.len() {
            if self.connected.remove(&pair(node, other)) {
                let key = self.nodes[node].key;
                self.input(other, Input::PeerDisconnected { node: key });
            }
        }
    }

    /// Starts a node again over what it had written.
    pub(super) fn start(&mut self, node: usize) {
        self.start_again(node, false);
    }

    /// Starts a node over what it had written at some time before.
    pub(super) fn start_over(&mut self, node: usize, earlier: Memory) {
        self.nodes[node].memory = earlier;
        self.start_again(node, true);
    }

    fn start_again(&mut self, node: usize, is_rolled_back: bool) {
        let key = self.nodes[node].key;
        let Node { memory, is_volatile, .. } = &mut self.nodes[node];
        self.nodes[node].engine = open(key, memory, is_rolled_back, *is_volatile);
        self.nodes[node].wanted.clear();
        self.nodes[node].relays.clear();
        self.nodes[node].is_up = true;
        self.nodes[node].run += 1;
        self.input(node, Input::Started);
        self.connect_all();
    }

    /// Lets virtual time pass, with every tick that is asked for.
    pub(super) fn pass(&mut self, ms: u64) {
        let end = self.now_ms + ms;
        loop {
            self.settle();
            let wakes = self.nodes.iter().filter(|node| node.is_up).filter_map(|node| node.engine.wake_at());
            let Some(next) = wakes.min().filter(|wake| *wake <= end) else { break };
            self.now_ms = next.max(self.now_ms);
            for index in 0..self.nodes.len() {
                if self.nodes[index].is_up
                    && self.nodes[index].engine.wake_at().is_some_and(|at| at <= self.now_ms)
                {
                    self.input(index, Input::Tick);
                }
            }
        }
        self.now_ms = end;
    }

    /// Delivers until nothing is under way.
    pub(super) fn settle(&mut self) {
        while self.step() {}
    }

    /// Delivers one thing; false if nothing is under way.
    pub(super) fn step(&mut self) -> bool {
        let position = match (self.events.len(), self.is_shuffled) {
            (0, _) => return self.connect_offices(),
            (length, true) => self.chance.next_u32() as usize % length,
            (_, false) => 0,
        };
        match self.events.remove(position).unwrap() {
            Event::Call { from, run, to, call, method, payload } => {
                let result = self.carry(from, to, method, payload);
                self.events.push_back(Event::Answer { to: from, run, call, result });
            }
            Event::Answer { to, run, call, result } => {
                if self.nodes[to].is_up && self.nodes[to].run == run {
                    self.input(to, Input::Answered { call, result });
                }
            }
            Event::Mail { from, run, call, relay, line, method, payload } => {
                self.post(from, run, call, (relay, line), method, payload);
            }
            Event::Next { to, run, next } => {
                if self.nodes[to].is_up && self.nodes[to].run == run {
                    self.input(to, Input::Next(next));
                }
            }
        }
        true
    }

    fn carry(
        &mut self,
        from: usize,
        to: usize,
        method: Method,
        payload: Bytes,
    ) -> Result<Bytes, CallFailure> {
        let is_there = self.nodes[to].is_up && self.connected.contains(&pair(from, to));
        if is_there {
            let caller = Caller::Node(self.nodes[from].key);
            if self.is_repeating && self.chance.next_u32().is_multiple_of(4) {
                self.input(to, Input::Call { caller, method, payload: payload.clone() });
            }
            self.input(to, Input::Call { caller, method, payload }).unwrap().map_err(CallFailure::Refused)
        } else {
            Err(CallFailure::Unreachable)
        }
    }

    /// Takes an input through a transaction, commits, and carries out the effects.
    fn input(&mut self, index: usize, input: Input) -> Option<Result<Bytes, Failure>> {
        let node = &mut self.nodes[index];
        let wall_ms = (START_MS + self.now_ms).saturating_add_signed(node.clock_error_ms);
        let now = Now { monotonic_ms: self.now_ms, wall_ms };
        let mut working = node.memory.clone();
        let outcome = node.engine.handle(input, now, &mut node.rng, &mut working).unwrap();
        if outcome.keep {
            node.memory = working;
        }
        for effect in outcome.effects {
            self.carry_out(index, effect);
        }
        outcome.answer
    }

    fn index_of(&self, key: NodeKey) -> usize {
        self.nodes.iter().position(|node| node.key == key).unwrap()
    }
}

fn pair(one: usize, other: usize) -> (usize, usize) {
    (one.min(other), one.max(other))
}

fn rng(seed: u64, index: u8) -> ChaCha20Rng {
    let mut bytes = [index; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    ChaCha20Rng::from_seed(bytes)
}
