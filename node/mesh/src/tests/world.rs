//! Some nodes, the links between them, and a clock.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use qpq_proto::ids::NodeKey;
use qpq_proto::limits::Limits;

use crate::wire::{NodeKind, Request, Response};
use crate::{
    Bundle, BundleId, CallFailure, CallId, CallRefused, Config, Context, Effect, Input, MemoryStore, Mesh,
    SortKey, Tier,
};

mod made;

pub(crate) use made::{Made, Recipient, secret_of};

pub(crate) struct Node {
    pub(crate) key: NodeKey,
    pub(crate) mesh: Mesh,
    pub(crate) store: MemoryStore,
    pub(crate) config: Arc<Config>,
    /// Bundles that were opened here, as often as they were.
    pub(crate) opened: Vec<BundleId>,
    /// Everything that happened but calls.
    pub(crate) effects: Vec<Effect>,
    pub(crate) listens_to: u8,
}

struct Call {
    from: usize,
    to: usize,
    call: CallId,
    request: Request,
}

pub(crate) struct World {
    pub(crate) nodes: Vec<Node>,
    pub(crate) now_ms: u64,
    pub(crate) rng: ChaCha20Rng,
    /// Calls of a hundred that are lost, half of them after they were handled.
    pub(crate) loss_percent: u32,
    /// Bytes of all requests and responses.
    pub(crate) bytes: usize,
    /// Bundles accepted.
    pub(crate) transfers: usize,
    /// Recipients open what is theirs only from now on if this is set.
    pub(crate) opens: bool,
    links: BTreeSet<(usize, usize)>,
    calls: VecDeque<Call>,
}

pub(crate) fn config(kind: NodeKind) -> Config {
    Config::new(kind, &Limits::ROUTER)
}

pub(crate) fn key_of(number: usize) -> NodeKey {
    NodeKey::from_bytes([u8::try_from(number).unwrap() + 1; 32])
}

impl World {
    pub(crate) fn new(kinds: &[NodeKind]) -> Self {
        Self::with(kinds.iter().map(|kind| config(*kind)).collect())
    }

    pub(crate) fn with(configs: Vec<Config>) -> Self {
        let mut world = Self {
            nodes: Vec::new(),
            now_ms: 1_000,
            rng: ChaCha20Rng::from_seed([7; 32]),
            loss_percent: 0,
            bytes: 0,
            transfers: 0,
            opens: true,
            links: BTreeSet::new(),
            calls: VecDeque::new(),
        };
        for (number, config) in configs.into_iter().enumerate() {
            let (config, mut store) = (Arc::new(config), MemoryStore::new());
            let (mut effects, listens_to) = (Vec::new(), u8::try_from(number).unwrap());
            let mut cx = Context {
                now_ms: world.now_ms,
                rng: &mut world.rng,
                store: &mut store,
                interest: &mut Recipient(listens_to),
                effects: &mut effects,
            };
            let mesh = Mesh::open(key_of(number), Arc::clone(&config), &mut cx).unwrap();
            let key = key_of(number);
            let node = Node { key, mesh, store, config, opened: Vec::new(), effects, listens_to };
            world.nodes.push(node);
        }
        world
    }

    /// Runs something with a node's mesh, and carries out what comes of it.
    pub(crate) fn with_mesh<T>(
        &mut self,
        node: usize,
        run: impl FnOnce(&mut Mesh, &mut Context<'_>) -> T,
    ) -> T {
        let mut effects = Vec::new();
        let Node { mesh, store, listens_to, .. } = &mut self.nodes[node];
        let mut cx = Context {
            now_ms: self.now_ms,
            rng: &mut self.rng,
            store,
            interest: &mut Recipient(*listens_to),
            effects: &mut effects,
        };
        let result = run(mesh, &mut cx);
        self.carry_out(node, effects);
        result
    }

    pub(crate) fn handle(&mut self, node: usize, input: Input) {
        self.with_mesh(node, |mesh, cx| mesh.handle(cx, input)).unwrap();
    }

    fn carry_out(&mut self, node: usize, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Call { call, node: to, request } => {
                    let to = self.nodes.iter().position(|node| node.key == to).unwrap();
                    self.calls.push_back(Call { from: node, to, call, request });
                }
                Effect::Mine { bundle } if self.opens => self.open(node, &bundle),
                effect => self.nodes[node].effects.push(effect),
            }
        }
    }

    fn open(&mut self, node: usize, bundle: &Bundle) {
        let id = *bundle.id();
        self.nodes[node].opened.push(id);
        let secret = secret_of(bundle.body());
        let settles = bundle.header().is_settled_by(&secret);
        self.handle(node, if settles { Input::Settle { id, secret } } else { Input::Opened { id } });
    }

    pub(crate) fn deposit(&mut self, node: usize, bundle: &Bundle) -> BundleId {
        self.handle(node, Input::Deposit { bundle: bundle.clone() });
        *bundle.id()
    }

    pub(crate) fn link_as(&mut self, a: usize, b: usize, standing: Tier) {
        if self.links.insert((a.min(b), a.max(b))) {
            for (at, other) in [(a, b), (b, a)] {
                let node = self.nodes[other].key;
                self.handle(at, Input::LinkUp { node, standing });
            }
        }
    }

    pub(crate) fn link(&mut self, a: usize, b: usize) {
        self.link_as(a, b, Tier::Paired);
    }

    pub(crate) fn unlink(&mut self, a: usize, b: usize) {
        if self.links.remove(&(a.min(b), a.max(b))) {
            self.calls.retain(|call| ![(a, b), (b, a)].contains(&(call.from, call.to)));
            for (at, other) in [(a, b), (b, a)] {
                let node = self.nodes[other].key;
                self.handle(at, Input::LinkDown { node });
            }
        }
    }

    /// Loses everything that is not stored, and all links.
    pub(crate) fn restart(&mut self, node: usize) {
        for other in 0..self.nodes.len() {
            self.unlink(node, other);
        }
        let mut effects = Vec::new();
        let Node { key, config, store, listens_to, .. } = &mut self.nodes[node];
        let mut cx = Context {
            now_ms: self.now_ms,
            rng: &mut self.rng,
            store,
            interest: &mut Recipient(*listens_to),
            effects: &mut effects,
        };
        self.nodes[node].mesh = Mesh::open(*key, Arc::clone(config), &mut cx).unwrap();
        self.carry_out(node, effects);
    }

    /// Handles the oldest call. `false` if there is none.
    pub(crate) fn step(&mut self) -> bool {
        let Some(Call { from, to, call, request }) = self.calls.pop_front() else { return false };
        let fate = self.rng.next_u32() % 200;
        let result = if fate < self.loss_percent {
            Err(CallFailure::Unreachable)
        } else {
            self.call(from, to, request).map_err(|_| CallFailure::Refused { retry_after_ms: 0 })
        };
        let result = if (100..100 + self.loss_percent).contains(&fate) {
            Err(CallFailure::Unreachable)
        } else {
            result
        };
        self.handle(from, Input::Answered { call, result });
        true
    }

    /// A call as it goes over the wire.
    pub(crate) fn call(&mut self, from: usize, to: usize, request: Request) -> Result<Response, CallRefused> {
        let (node, method) = (self.nodes[from].key, request.method());
        let payload = request.encode();
        assert_eq!(payload.len(), request.encoded_len(), "{request:?}");
        assert!(payload.len() <= method.request_bytes_max(), "{} bytes of {method:?}", payload.len());
        self.bytes += payload.len();
        let request = Request::decode(method, payload).unwrap();
        let response = self.with_mesh(to, |mesh, cx| mesh.answer(cx, &node, request)).unwrap()?;
        let payload: Bytes = response.encode();
        assert_eq!(payload.len(), response.encoded_len(), "{response:?}");
        assert!(payload.len() <= method.response_bytes_max(), "{} bytes of {method:?}", payload.len());
        self.bytes += payload.len();
        if let Response::Transfer(verdicts) = &response {
            let accepted = |verdict: &&_| matches!(verdict, crate::wire::TransferVerdict::Accepted(_));
            self.transfers += verdicts.verdicts.iter().filter(accepted).count();
        }
        Ok(Response::decode(method, payload).unwrap())
    }

    /// Until nobody has anything to say.
    pub(crate) fn settle_down(&mut self) {
        let mut steps = 0;
        while self.step() {
            steps += 1;
            assert!(steps < 100_000, "they talk for ever");
        }
    }

    /// Lets time pass, waking each node when it asked for it.
    pub(crate) fn pass(&mut self, ms: u64) {
        let (end, mut wakes_left) = (self.now_ms + ms, 20_000);
        loop {
            wakes_left -= 1;
            assert!(wakes_left > 0, "they wake for nothing");
            self.settle_down();
            let wakes = self.nodes.iter().filter_map(|node| node.mesh.wake_at());
            let Some(next) = wakes.min().map(|at| at.max(self.now_ms + 1)).filter(|at| *at <= end) else {
                break;
            };
            self.now_ms = next;
            for node in 0..self.nodes.len() {
                if self.nodes[node].mesh.wake_at().is_some_and(|at| at <= next) {
                    self.handle(node, Input::Tick);
                }
            }
        }
        self.now_ms = end;
        (0..self.nodes.len()).for_each(|node| self.handle(node, Input::Tick));
        self.settle_down();
    }

    pub(crate) fn holds(&self, node: usize, bundle: &Bundle) -> bool {
        let held = self.nodes[node].mesh.holds(SortKey::of(bundle.header()));
        assert_eq!(held, self.nodes[node].store.contains(bundle.id()), "index and store agree");
        held
    }

    pub(crate) fn opened(&self, node: usize, bundle: &Bundle) -> usize {
        self.nodes[node].opened.iter().filter(|id| *id == bundle.id()).count()
    }
}
