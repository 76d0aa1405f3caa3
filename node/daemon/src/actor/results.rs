//! What comes of a batch, held back until it is committed.

use bytes::Bytes;
use qpq_engine::{Effect, EngineError, Outcome};
use qpq_proto::Failure;

use super::RETRY_AFTER_STOP_MS;
use super::handle::Answer;

/// What came of the inputs of a batch, held back until it is committed.
#[derive(Default)]
pub(super) struct Results {
    answers: Vec<(Answer, Result<Bytes, Failure>)>,
    effects: Vec<Effect>,
}

impl Results {
    /// Takes what came of one input.
    pub(super) fn add(&mut self, answer: Option<Answer>, outcome: Result<Outcome, EngineError>) {
        let response = match outcome {
            Ok(outcome) => {
                self.effects.extend(outcome.effects);
                outcome.answer.unwrap_or_else(|| Err(Failure::internal()))
            }
            Err(error) => {
                tracing::error!("an input failed inside: {error}");
                Err(Failure::internal())
            }
        };
        self.answers.extend(answer.map(|answer| (answer, response)));
    }

    /// Whether anybody is told that something was done.
    pub(super) fn has_answers(&self) -> bool {
        self.answers.iter().any(|(_, response)| response.is_ok())
    }

    /// Answers everyone, and gives the effects. Callers who have gone are not missed.
    pub(super) fn answer(self) -> Vec<Effect> {
        for (answer, response) in self.answers {
            let _ = answer.send(response);
        }
        self.effects
    }

    /// Tells everyone that nothing of it is known to be on disk. Returns what they are told.
    pub(super) fn answer_unavailable(self) -> Failure {
        let failure =
            Failure::unavailable("the node cannot write to its disk and stops", RETRY_AFTER_STOP_MS);
        for (answer, _) in self.answers {
            let _ = answer.send(Err(failure.clone()));
        }
        failure
    }
}
