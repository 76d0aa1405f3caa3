//! One input of a batch: through which machine it goes, in a transaction of its own.

use bytes::Bytes;
use chacha20::ChaCha20Rng;
use qpq_engine::storage::Transaction;
use qpq_engine::{EngineError, Input, Now, Outcome};
use qpq_proto::{Failure, Method};
use qpq_relay::{Caller, Peer};
use qpq_store::{Batch, Storage};

use super::Machine;
use super::handle::{Answer, Prepare, Queued, QueuedRelay};
use super::relayed::Relayed;
use super::results::Results;

/// One input of a batch.
pub(super) enum Entry {
    /// For the engine.
    Engine(Queued),
    /// For the relay, if there is one.
    Relay(QueuedRelay),
    /// A moment has come that the engine or the relay waits for.
    Tick,
}

/// What an input is taken through, and where goes what came of it.
pub(super) struct Step<'a, M> {
    pub(super) machine: &'a mut M,
    pub(super) rng: &'a mut ChaCha20Rng,
    pub(super) now: Now,
    pub(super) results: &'a mut Results,
    pub(super) relayed: &'a mut Relayed,
}

impl<M: Machine> Step<'_, M> {
    /// Takes an input.
    pub(super) fn take<S: Storage>(&mut self, entry: Entry, batch: &mut Batch<'_, S>) {
        match entry {
            Entry::Engine(Queued { input, prepare, answer, room: _room }) => {
                self.engine(input, prepare, answer, batch);
            }
            Entry::Relay(QueuedRelay { input, answer, room: _room }) => self.relay(input, answer, batch),
            Entry::Tick => self.tick(batch),
        }
    }

    fn tick<S: Storage>(&mut self, batch: &mut Batch<'_, S>) {
        let is_due = |at: Option<u64>| at.is_some_and(|at| at <= self.now.monotonic_ms);
        let (engine, relay) = (is_due(self.machine.wake_at()), is_due(self.machine.relay_wake_at()));
        if engine {
            self.engine(Input::Tick, None, None, batch);
        }
        if relay {
            self.relay(qpq_relay::Input::Tick, None, batch);
        }
    }

    fn engine<S: Storage>(
        &mut self,
        input: Input,
        prepare: Option<Prepare>,
        answer: Option<Answer>,
        batch: &mut Batch<'_, S>,
    ) {
        let mut tx = batch.transaction();
        let outcome = self.outcome(input, prepare, &mut tx);
        match &outcome {
            Ok(outcome) if outcome.keep => tx.accept(),
            _ => drop(tx),
        }
        self.results.add(answer, outcome);
    }

    fn outcome(
        &mut self,
        input: Input,
        prepare: Option<Prepare>,
        tx: &mut dyn Transaction,
    ) -> Result<Outcome, EngineError> {
        match prepare.map_or(Ok(()), |prepare| prepare(tx)) {
            Ok(()) => self.machine.handle(input, self.now, self.rng, tx),
            Err(failure) => Ok(Outcome { answer: Some(Err(failure)), effects: Vec::new(), keep: false }),
        }
    }

    fn relay<S: Storage>(
        &mut self,
        input: qpq_relay::Input,
        answer: Option<Answer>,
        batch: &mut Batch<'_, S>,
    ) {
        let call = match input {
            qpq_relay::Input::Call { caller, method, payload, .. }
                if self.machine.is_own(&caller, method, &payload) =>
            {
                return self.own(caller, method, payload, answer, batch);
            }
            qpq_relay::Input::Call { call, .. } => Some(call),
            _ => None,
        };
        self.relayed.expect(&input, answer);
        let now = qpq_relay::Now { monotonic_ms: self.now.monotonic_ms, wall_ms: self.now.wall_ms };
        let mut tx = batch.transaction();
        let outcome = match self.machine.relay() {
            Some(relay) => relay.handle(input, now, self.rng, &mut tx),
            None => Ok(no_relay(call)),
        };
        if self.relayed.add(call, outcome) {
            tx.accept();
        }
    }

    /// A call that a relay may answer and that is for this node's own person.
    fn own<S: Storage>(
        &mut self,
        caller: Caller,
        method: Method,
        payload: Bytes,
        answer: Option<Answer>,
        batch: &mut Batch<'_, S>,
    ) {
        let caller = match caller.peer {
            Peer::Owner => qpq_engine::Caller::Owner,
            Peer::Node(node) => qpq_engine::Caller::Node(node),
            Peer::Anyone => qpq_engine::Caller::Public,
        };
        self.engine(Input::Call { caller, method, payload }, None, answer, batch);
    }
}

/// The role was switched off a moment ago.
fn no_relay(call: Option<qpq_relay::CallId>) -> qpq_relay::Outcome {
    let result = Err(Failure::forbidden("this node is no relay"));
    let effects = call.map(|call| qpq_relay::Effect::Answer { call, result });
    qpq_relay::Outcome { effects: effects.into_iter().collect(), keep: false }
}
