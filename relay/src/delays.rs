//! Answers that are given at a moment of their own, so that the time they take tells nothing.

use std::collections::BTreeMap;

use bytes::Bytes;
use qpq_proto::Failure;

use crate::input::{CallId, Effect};

/// Answers that are known and not given yet.
#[derive(Debug, Default)]
pub(crate) struct Delays {
    /// By the moment, in monotonic ms.
    answers: BTreeMap<(u64, CallId), Result<Bytes, Failure>>,
}

impl Delays {
    /// A call is answered at a moment.
    pub(crate) fn add(&mut self, call: CallId, at_ms: u64, result: Result<Bytes, Failure>) {
        self.answers.insert((at_ms, call), result);
    }

    /// Answers for which the moment has come.
    pub(crate) fn take_due(&mut self, monotonic_ms: u64) -> Vec<Effect> {
        let later = self.answers.split_off(&(monotonic_ms.saturating_add(1), CallId(0)));
        let due = std::mem::replace(&mut self.answers, later);
        due.into_iter().map(|((_, call), result)| Effect::Answer { call, result }).collect()
    }

    /// When the first moment comes, in monotonic ms.
    pub(crate) fn next(&self) -> Option<u64> {
        self.answers.keys().next().map(|(at_ms, _)| *at_ms)
    }

    /// Nobody wants the answer any more.
    pub(crate) fn give_up(&mut self, call: CallId) {
        self.answers.retain(|(_, of), _| *of != call);
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.answers.len()
    }
}
