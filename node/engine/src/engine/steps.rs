//! Steps that the engine takes in transactions of their own: what becomes of one that is refused.

use bytes::Bytes;
use qpq_proto::{Failure, Status};

use crate::{
    carrying::is_final,
    input::{Effect, Input, Mail, Next, Outcome},
};

/// What is to be done if a step is refused.
pub(super) fn if_refused(input: &Input) -> Option<Next> {
    match input {
        Input::Next(Next::Open(bundle)) => Some(Next::Unopened(*bundle.id())),
        Input::Next(Next::Mail(Mail { relay, place, .. })) => {
            Some(Next::Unmailed { relay: *relay, place: *place, is_useless: true })
        }
        Input::Next(Next::Resume(conversation)) => Some(Next::NotResumed(conversation.clone())),
        _ => None,
    }
}

/// A step was not taken; if it never will be, that is to be written down.
pub(super) fn not_taken(next: Next, answer: Option<Result<Bytes, Failure>>) -> Outcome {
    let mut effects = Vec::new();
    if let Some(Err(failure)) = answer {
        tracing::debug!(%failure, "a step was not taken");
        let next = match next {
            Next::Unmailed { relay, place, .. } => {
                Next::Unmailed { relay, place, is_useless: failure.status != Status::Internal }
            }
            next => next,
        };
        if !matches!(next, Next::Unopened(_)) || is_final(&failure) {
            effects.push(Effect::Next(next));
        }
    }
    Outcome { answer: None, effects, keep: false }
}
