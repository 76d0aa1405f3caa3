//! The relay's part of a batch: who waits for which answer.

use std::collections::BTreeMap;

use qpq_proto::Failure;
use qpq_relay::{CallId, Effect, Input, Outcome, RelayError};
use qpq_store::{Batch, Storage};

use super::handle::Answer;
use crate::relay::Relay;

/// The relay's calls that are not answered, and what came of a batch.
#[derive(Default)]
pub(super) struct Relayed {
    waiting: BTreeMap<CallId, Answer>,
    effects: Vec<Effect>,
    /// Whether the present batch tells anybody that something was done.
    has_answers: bool,
}

impl Relayed {
    /// Somebody waits for the answer to an input.
    pub(super) fn expect(&mut self, input: &Input, answer: Option<Answer>) {
        match (input, answer) {
            (Input::Call { call, .. }, Some(answer)) => {
                self.waiting.insert(*call, answer);
            }
            (Input::Dropped(call), _) => {
                self.waiting.remove(call);
            }
            _ => {}
        }
    }

    /// Takes what came of an input. Returns whether its transaction is to be kept.
    pub(super) fn add(&mut self, call: Option<CallId>, outcome: Result<Outcome, RelayError>) -> bool {
        match outcome {
            Ok(Outcome { effects, keep }) => {
                self.extend(effects);
                keep
            }
            Err(error) => {
                tracing::error!("an input of the relay failed inside: {error}");
                self.extend(call.map(|call| Effect::Answer { call, result: Err(Failure::internal()) }));
                false
            }
        }
    }

    /// Ends the relay's part of a batch.
    pub(super) fn end<S: Storage>(&mut self, relay: &mut Relay, batch: &mut Batch<'_, S>) {
        if relay.has_new_totals() {
            let mut tx = batch.transaction();
            match relay.keep_totals(&mut tx) {
                Ok(()) => tx.accept(),
                // Written with the next change.
                Err(error) => tracing::error!("the relay's totals are not kept: {error}"),
            }
        }
        self.extend(relay.end_batch());
    }

    /// Takes effects.
    pub(super) fn extend(&mut self, effects: impl IntoIterator<Item = Effect>) {
        for effect in effects {
            self.has_answers |= matches!(effect, Effect::Answer { result: Ok(_), .. });
            self.effects.push(effect);
        }
    }

    /// Whether anybody is told that something was done.
    pub(super) fn has_answers(&self) -> bool {
        self.has_answers
    }

    /// Answers whoever can be answered, and gives the other effects. Callers who have gone are not missed.
    pub(super) fn answer(&mut self) -> impl Iterator<Item = Effect> + '_ {
        self.has_answers = false;
        let Self { waiting, effects, .. } = self;
        effects.drain(..).filter_map(|effect| match effect {
            Effect::Answer { call, result } => {
                if let Some(answer) = waiting.remove(&call) {
                    let _ = answer.send(result);
                }
                None
            }
            other => Some(other),
        })
    }

    /// Tells nobody that something was done.
    pub(super) fn refuse(&mut self, failure: &Failure) {
        for effect in &mut self.effects {
            if let Effect::Answer { result: result @ Ok(_), .. } = effect {
                *result = Err(failure.clone());
            }
        }
    }

    /// Tells everyone who waits that there will be no answer.
    pub(super) fn answer_unavailable(&mut self, failure: &Failure) {
        for (_, answer) in std::mem::take(&mut self.waiting) {
            let _ = answer.send(Err(failure.clone()));
        }
    }
}
