//! Offering again what a recipient's node has stored without opening it, in rounds that grow further apart.

use std::collections::BTreeMap;

use super::{Entry, Stream, Task};
use crate::{
    context::Context,
    engine::Engine,
    input::{EngineError, Now},
};

/// Pause before the first round, ms; doubled up to [`ROUND_MAX_MS`].
const ROUND_MIN_MS: u64 = 5_000;
/// Longest pause between two rounds, ms.
const ROUND_MAX_MS: u64 = 3_600_000;

/// What is planned and under way, by stream and recipient.
pub(super) type Rounds = BTreeMap<(Stream, Vec<u8>), Round>;

/// One stream's rounds with one recipient.
#[derive(Debug, Default)]
pub(super) struct Round {
    /// The entry that was offered last in the present round; `None` between rounds.
    offered: Option<u64>,
    rounds: u32,
    /// When the next round begins, monotonic ms.
    due_ms: Option<u64>,
}

impl Engine {
    /// Something was stored and not opened: plans a round if none is planned.
    pub(super) fn plan_round(&mut self, now: Now, stream: &Stream, recipient: &[u8]) {
        let round = self.outbox.rounds.entry((stream.clone(), recipient.to_vec())).or_default();
        if round.offered.is_some() || round.due_ms.is_some() {
            return;
        }
        let pause_ms = ROUND_MIN_MS.saturating_mul(1 << round.rounds.min(16)).min(ROUND_MAX_MS);
        let due_ms = now.monotonic_ms + pause_ms;
        round.rounds += 1;
        round.due_ms = Some(due_ms);
        self.outbox.plan(due_ms, Task::Offer(stream.clone(), recipient.to_vec()));
    }

    /// The moment of a round has come.
    pub(super) fn offer_due(&mut self, now: Now, stream: &Stream, recipient: &[u8]) {
        let key = (stream.clone(), recipient.to_vec());
        let Some(round) = self.outbox.rounds.get_mut(&key) else { return };
        if round.due_ms.is_some_and(|due_ms| due_ms <= now.monotonic_ms) {
            round.due_ms = None;
            round.offered = Some(0);
            self.pump_later(recipient);
        }
    }

    /// Begins a round now: the recipient wants it, or has been away.
    pub(crate) fn offer_now(&mut self, stream: &Stream, recipient: &[u8]) {
        let round = self.outbox.rounds.entry((stream.clone(), recipient.to_vec())).or_default();
        *round = Round { offered: Some(0), ..Round::default() };
        self.pump_later(recipient);
    }

    /// Begins a round in every stream that a recipient reads.
    pub(super) fn offer_all(&mut self, cx: &mut Context<'_>, recipient: &[u8]) -> Result<(), EngineError> {
        for stream in self.streams_of(cx, recipient)? {
            if !self.cursor(cx, &stream, recipient)?.stored.is_empty() {
                self.offer_now(&stream, recipient);
            }
        }
        Ok(())
    }

    /// A conversation has its group again: what lies in its stream is taken up with those who are connected.
    pub(crate) fn offer_in(&mut self, cx: &mut Context<'_>, conversation: &[u8]) -> Result<(), EngineError> {
        let stream = Stream::Conversation(conversation.to_vec());
        for recipient in self.recipients(cx, &stream)?.cloned().unwrap_or_default() {
            if !self.cursor(cx, &stream, &recipient)?.stored.is_empty() {
                self.offer_now(&stream, &recipient);
            }
            self.pump_later(&recipient);
        }
        Ok(())
    }

    /// The next entry of a round that is under way; ends the round after the last.
    pub(super) fn next_offer(
        &mut self,
        cx: &Context<'_>,
        stream: &Stream,
        recipient: &[u8],
    ) -> Result<Option<Entry>, EngineError> {
        let key = (stream.clone(), recipient.to_vec());
        let Some(offered) = self.outbox.rounds.get(&key).and_then(|round| round.offered) else {
            return Ok(None);
        };
        let stored = self.cursor(cx, stream, recipient)?.stored;
        if let Some(ordinal) = stored.iter().copied().find(|ordinal| *ordinal > offered)
            && let Some(entry) = self.pending_entry(cx, stream, recipient, ordinal)?
        {
            self.outbox.rounds.entry(key).or_default().offered = Some(ordinal);
            return Ok(Some(entry));
        }
        if stored.is_empty() {
            self.outbox.rounds.remove(&key);
        } else {
            self.outbox.rounds.entry(key).or_default().offered = None;
            self.plan_round(cx.now, stream, recipient);
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests;
