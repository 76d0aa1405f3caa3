//! One engine over memory, with nobody around it: what it asks for is handed to the test.

use std::sync::LazyLock;

use bytes::Bytes;
use chacha20::ChaCha20Rng;
use prost::Message;
use qpq_proto::{Failure, Method, ids::NodeKey, limits::Limits, v1};
use rand_core::SeedableRng as _;

use super::{
    groups::group,
    memory::{Memory, faulty::Faulty},
};
use crate::{
    CallFailure, CallId, Caller, Config, Effect, Engine, Input, Now, Outcome,
    context::Context,
    records::ConversationRecord,
    tables::{self, CONVERSATIONS},
};

/// 2026-11-21, when the wall clock starts.
const START_MS: u64 = 1_795_219_200_000;

/// An engine, what it has written, and a clock that the test moves.
pub(crate) struct Bench {
    pub(crate) engine: Engine,
    pub(crate) memory: Memory,
    pub(crate) now_ms: u64,
    /// What was asked for from inside, as far as no test has taken it yet.
    pub(crate) effects: Vec<Effect>,
    node: NodeKey,
    rng: ChaCha20Rng,
}

impl Bench {
    /// A node without a person.
    pub(crate) fn empty() -> Self {
        Self::over(NodeKey::from_bytes([9; 32]), Memory::default())
    }

    /// A node that serves a person.
    pub(crate) fn of(name: &str) -> Self {
        let mut bench = Self::empty();
        let request = v1::CreateIdentityRequest { name: name.into() };
        bench.owner::<v1::CreateIdentityResponse>(Method::CreateIdentity, &request).unwrap();
        bench
    }

    /// The node of alice, who has made the group `#village` with bob and carol, her contacts.
    pub(crate) fn of_village() -> Self {
        static VILLAGE: LazyLock<Memory> =
            LazyLock::new(|| group(&["alice", "bob", "carol"]).nodes[0].memory.clone());
        Self::over(NodeKey::from_bytes([1; 32]), VILLAGE.clone())
    }

    /// A node that starts over what it had written.
    pub(crate) fn over(node: NodeKey, mut memory: Memory) -> Self {
        let engine = open(node, &mut memory);
        let rng = ChaCha20Rng::from_seed([1; 32]);
        let mut bench = Self { engine, memory, now_ms: 0, effects: Vec::new(), node, rng };
        bench.input(Input::Started);
        bench
    }

    /// Starts again, with its limits.
    pub(crate) fn restart(&mut self) -> Vec<Effect> {
        let limits = self.engine.limits.clone();
        self.engine = open(self.node, &mut self.memory);
        self.engine.limits = limits;
        self.input(Input::Started).effects
    }

    /// Does something inside the engine, looks after those for whom something waits, and keeps what was written.
    pub(crate) fn with<R>(&mut self, action: impl FnOnce(&mut Engine, &mut Context<'_>) -> R) -> R {
        let now = self.now();
        let node_ms = self.engine.clock.node_ms(now);
        let mut cx = Context::new(now, node_ms, &mut self.rng, &mut self.memory, Caller::Owner);
        let result = action(&mut self.engine, &mut cx);
        self.engine.pump_all(&mut cx).unwrap();
        self.effects.append(&mut cx.effects);
        self.engine.groups.keep();
        self.engine.outbox.keep();
        self.engine.peers.keep();
        result
    }

    /// Does something in a transaction that is dropped.
    pub(crate) fn in_vain<R>(&mut self, action: impl FnOnce(&mut Engine, &mut Context<'_>) -> R) -> R {
        let (before, next_event) = (self.memory.clone(), self.engine.next_event);
        let now = self.now();
        let node_ms = self.engine.clock.node_ms(now);
        let mut cx = Context::new(now, node_ms, &mut self.rng, &mut self.memory, Caller::Owner);
        let result = action(&mut self.engine, &mut cx);
        self.memory = before;
        self.engine.next_event = next_event;
        self.engine.groups.discard();
        self.engine.outbox.discard();
        self.engine.peers.discard();
        result
    }

    /// Takes an input through a transaction, which is kept if the engine says so.
    pub(crate) fn input(&mut self, input: Input) -> Outcome {
        let mut working = self.memory.clone();
        let outcome = self.engine.handle(input, self.now(), &mut self.rng, &mut working).unwrap();
        if outcome.keep {
            self.memory = working;
        }
        outcome
    }

    /// Takes an input through a transaction in which the storage fails after so many operations. True if it came to
    /// that, and then nothing is kept; false if the input was done before, and is kept.
    pub(crate) fn fail(&mut self, input: Input, after: usize) -> bool {
        let mut faulty = Faulty::after(&self.memory, after);
        let chance = self.rng.serialize_state();
        let outcome = self.engine.handle(input, self.now(), &mut self.rng, &mut faulty);
        let is_kept = outcome.is_ok_and(|outcome| outcome.keep);
        assert_ne!(is_kept, faulty.has_failed(), "after {after} operations");
        if is_kept {
            self.memory = faulty.memory;
        } else {
            self.rng = ChaCha20Rng::deserialize_state(&chance);
        }
        !is_kept
    }

    pub(crate) fn owner<R: Message + Default>(
        &mut self,
        method: Method,
        request: &impl Message,
    ) -> Result<R, Failure> {
        let payload = request.encode_to_vec().into();
        let answer = self.input(Input::Call { caller: Caller::Owner, method, payload }).answer;
        answer.unwrap().map(|payload| R::decode(payload).unwrap())
    }

    /// Gives the result of a call that the engine asked for; returns what it asks for next.
    pub(crate) fn answer(&mut self, call: CallId, result: Result<Bytes, CallFailure>) -> Vec<Effect> {
        self.input(Input::Answered { call, result }).effects
    }

    /// The conversation of the group.
    pub(crate) fn village(&self) -> ConversationRecord {
        let all: Vec<ConversationRecord> = tables::all(&self.memory, CONVERSATIONS).unwrap();
        all.into_iter().find(|conversation| conversation.name == "village").unwrap()
    }

    pub(crate) fn now(&self) -> Now {
        Now { monotonic_ms: self.now_ms, wall_ms: START_MS + self.now_ms }
    }
}

fn open(node: NodeKey, memory: &mut Memory) -> Engine {
    let (version, limits) = ("test".into(), Limits::SERVER);
    Engine::open(
        Config {
            node,
            version,
            limits,
            has_peers: true,
            seeks_strangers: false,
            is_rolled_back: false,
            custody_is_volatile: false,
            password_cost: crate::tests::PASSWORD_COST,
        },
        memory,
    )
    .unwrap()
}
