//! The interpreter of the engine's effects: what a committed batch asks for is carried out here.
//!
//! Calls of one peer wait for each other in that peer's lane, so that one that stalls delays nobody else. What
//! comes of a call goes back to the engine as an input. Connections are wanted by the engine, by the settings,
//! or by both, and given up when neither wants them.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;

use bytes::Bytes;
use chacha20::ChaCha20Rng;
use qpq_engine::{CallFailure, CallId, Effect, Input, RelayKey, RelayLine, Stretching, Work};
use qpq_proto::ids::NodeKey;
use qpq_proto::limits::Limits;
use qpq_proto::{CallError, Failure, Method, TransportErrorKind};
use rand_core::SeedableRng;
use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinError, JoinSet};
use zeroize::Zeroizing;

/// The network, as far as effects need it.
pub(crate) trait Network: Clone + Send + 'static {
    /// Calls a method of a peer, over a connection that is up.
    fn call(
        &self,
        node: NodeKey,
        method: Method,
        payload: Bytes,
    ) -> impl Future<Output = Result<Bytes, CallError>> + Send;
    /// Keeps a connection up.
    fn want(&self, node: NodeKey, addresses: Vec<SocketAddr>);
    /// Stops keeping it up.
    fn release(&self, node: NodeKey);
    /// Keeps a connection to a relay up, and tells the engine of it.
    fn want_relay(&self, relay: RelayKey, places: Vec<String>);
    /// Stops keeping it up.
    fn release_relay(&self, relay: RelayKey);
    /// Calls a method of a relay.
    fn call_relay(
        &self,
        relay: RelayKey,
        line: RelayLine,
        method: Method,
        payload: Bytes,
    ) -> impl Future<Output = Result<Bytes, CallFailure>> + Send;
}

/// Takes what the interpreter has for the engine.
pub(crate) trait Inputs: Clone + Send + 'static {
    /// Gives an input, and waits only for a place in the queue.
    fn give(&self, input: Input) -> impl Future<Output = ()> + Send;
}

/// A peer that the settings name, with its addresses.
pub(crate) type StaticPeers = BTreeMap<NodeKey, Vec<SocketAddr>>;

/// Carries out effects until their channel is closed.
pub(crate) struct Interpreter<N, I> {
    network: N,
    inputs: I,
    newest_event: watch::Sender<u64>,
    limits: Limits,
    lanes: BTreeMap<NodeKey, Lane>,
    waiting: usize,
    calls: JoinSet<()>,
    /// Calls of relays are in no lane.
    under_way: HashMap<Id, (Option<NodeKey>, CallId)>,
    wanted_by_engine: BTreeSet<NodeKey>,
    static_peers: StaticPeers,
}

/// The calls of one peer.
#[derive(Debug, Default)]
struct Lane {
    under_way: usize,
    waiting: VecDeque<Call>,
}

#[derive(Debug)]
struct Call {
    id: CallId,
    method: Method,
    payload: Bytes,
}

impl<N: Network, I: Inputs> Interpreter<N, I> {
    /// An interpreter that has nothing under way.
    pub(crate) fn new(network: N, inputs: I, newest_event: watch::Sender<u64>, limits: Limits) -> Self {
        Self {
            network,
            inputs,
            newest_event,
            limits,
            lanes: BTreeMap::new(),
            waiting: 0,
            calls: JoinSet::new(),
            under_way: HashMap::new(),
            wanted_by_engine: BTreeSet::new(),
            static_peers: StaticPeers::new(),
        }
    }

    /// Carries out effects as they come, and takes up other static peers as the settings change.
    pub(crate) async fn run(
        mut self,
        mut effects: mpsc::UnboundedReceiver<Effect>,
        mut static_peers: watch::Receiver<StaticPeers>,
    ) {
        static_peers.mark_changed();
        loop {
            tokio::select! {
                effect = effects.recv() => match effect {
                    Some(effect) => self.carry_out(effect).await,
                    None => return self.calls.shutdown().await,
                },
                Some(ended) = self.calls.join_next_with_id() => self.ended(ended).await,
                Ok(()) = static_peers.changed() => {
                    let peers = static_peers.borrow_and_update().clone();
                    self.set_static_peers(peers);
                }
            }
        }
    }

    async fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Call { call: id, node, method, payload } => {
                self.call(node, Call { id, method, payload }).await
            }
            Effect::Want { node, addresses } => {
                self.wanted_by_engine.insert(node);
                self.network.want(node, addresses);
            }
            Effect::Release { node } => {
                self.wanted_by_engine.remove(&node);
                if !self.static_peers.contains_key(&node) {
                    self.network.release(node);
                }
            }
            Effect::Events { newest } => {
                self.newest_event
                    .send_if_modified(|cursor| std::mem::replace(cursor, newest.max(*cursor)) < newest);
            }
            Effect::Next(next) => self.inputs.give(Input::Next(next)).await,
            Effect::Work { node, work } => {
                self.calls.spawn(solve(self.inputs.clone(), node, work));
            }
            Effect::WantRelay { relay, places } => self.network.want_relay(relay, places),
            Effect::ReleaseRelay { relay } => self.network.release_relay(relay),
            Effect::RelayCall { call: id, relay, line, method, payload } => {
                self.call_relay(relay, line, Call { id, method, payload }).await
            }
            Effect::Stretch(work) => {
                self.calls.spawn(stretch(self.inputs.clone(), work));
            }
            Effect::RotateSecrets => unreachable!("the writer, which owns the storage, keeps it to itself"),
        }
    }

    async fn call(&mut self, node: NodeKey, call: Call) {
        if self.is_busy() {
            return self.refuse(call).await;
        }
        self.waiting += 1;
        self.lanes.entry(node).or_default().waiting.push_back(call);
        self.start_next(node);
    }

    async fn call_relay(&mut self, relay: RelayKey, line: RelayLine, call: Call) {
        if self.is_busy() {
            return self.refuse(call).await;
        }
        let (id, network, inputs) = (call.id, self.network.clone(), self.inputs.clone());
        let task = self.calls.spawn(async move {
            let result = network.call_relay(relay, line, call.method, call.payload).await;
            inputs.give(Input::Answered { call: call.id, result }).await;
        });
        self.under_way.insert(task.id(), (None, id));
    }

    fn is_busy(&self) -> bool {
        self.waiting + self.calls.len() >= self.limits.write_queue_max
    }

    async fn refuse(&self, call: Call) {
        let busy = Failure::unavailable("too many calls wait", RETRY_WHEN_BUSY_MS);
        self.inputs.give(Input::Answered { call: call.id, result: Err(CallFailure::Refused(busy)) }).await;
    }

    async fn ended(&mut self, ended: Result<(Id, ()), JoinError>) {
        let (task, has_panicked) = match ended {
            Ok((task, ())) => (task, false),
            Err(error) => (error.id(), true),
        };
        let Some((node, call)) = self.under_way.remove(&task) else { return };
        if has_panicked {
            self.inputs.give(Input::Answered { call, result: Err(CallFailure::Unreachable) }).await;
        }
        let Some(node) = node else { return };
        if let Some(lane) = self.lanes.get_mut(&node) {
            lane.under_way -= 1;
        }
        self.start_next(node);
    }

    /// Starts what a lane has room for, and forgets a lane that is empty.
    fn start_next(&mut self, node: NodeKey) {
        let Some(lane) = self.lanes.get_mut(&node) else { return };
        while lane.under_way < self.limits.in_flight_calls_per_peer_max {
            let Some(call) = lane.waiting.pop_front() else { break };
            lane.under_way += 1;
            self.waiting -= 1;
            let id = call.id;
            let task = self.calls.spawn(carry_call(self.network.clone(), self.inputs.clone(), node, call));
            self.under_way.insert(task.id(), (Some(node), id));
        }
        if lane.under_way == 0 {
            self.lanes.remove(&node);
        }
    }

    fn set_static_peers(&mut self, peers: StaticPeers) {
        for (node, addresses) in &peers {
            if self.static_peers.get(node) != Some(addresses) {
                self.network.want(*node, addresses.clone());
            }
        }
        for node in self.static_peers.keys() {
            if !peers.contains_key(node) && !self.wanted_by_engine.contains(node) {
                self.network.release(*node);
            }
        }
        self.static_peers = peers;
    }
}

async fn carry_call<N: Network, I: Inputs>(network: N, inputs: I, node: NodeKey, call: Call) {
    let result = network.call(node, call.method, call.payload).await.map_err(|error| {
        tracing::debug!(node = short(&node), method = call.method.name(), "call failed: {error}");
        failure_of(error)
    });
    inputs.give(Input::Answered { call: call.id, result }).await;
}

async fn solve<I: Inputs>(inputs: I, node: NodeKey, work: Work) {
    if let Ok(Some(solution)) = tokio::task::spawn_blocking(move || work.solve(WORK_HASHES_MAX)).await {
        inputs.give(Input::Worked { node, solution }).await;
    }
}

async fn stretch<I: Inputs>(inputs: I, work: Stretching) {
    let attempt = work.attempt();
    let stretched = tokio::task::spawn_blocking(move || {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut_slice()).ok()?;
        work.run(&mut ChaCha20Rng::from_seed(*seed))
    });
    if let Ok(Some(stretched)) = stretched.await {
        inputs.give(Input::Stretched { attempt, stretched }).await;
    }
}

/// What the engine is told: whether the peer was there at all, and if so, whether trying again makes sense.
pub(crate) fn failure_of(error: CallError) -> CallFailure {
    use TransportErrorKind as Kind;
    match error {
        CallError::Failure(failure) => CallFailure::Refused(failure),
        CallError::Transport { kind: Kind::Busy, message } => {
            CallFailure::Refused(Failure::unavailable(message, RETRY_WHEN_BUSY_MS))
        }
        CallError::Transport { kind: Kind::TimedOut, .. } => {
            CallFailure::Refused(Failure::deadline_exceeded())
        }
        CallError::Transport { kind: Kind::ProtocolViolation, .. } | CallError::MalformedResponse { .. } => {
            CallFailure::Refused(Failure::internal())
        }
        CallError::RequestTooLarge { .. } => {
            CallFailure::Refused(Failure::bad_request("", error.to_string()))
        }
        _ => CallFailure::Unreachable,
    }
}

/// As much of a node key as a log shows.
pub(crate) fn short(node: &NodeKey) -> String {
    let mut text = node.to_string();
    text.truncate(8);
    text
}

const RETRY_WHEN_BUSY_MS: u64 = 1_000;
/// A neighbour that asks for more work than this, about half a second, is asked another time.
const WORK_HASHES_MAX: u64 = 1 << 22;

#[cfg(test)]
mod tests;
