//! What becomes of connections to relays, and which step comes next.

use bytes::Bytes;

use super::{RelayStep, Relays, Stage, not_reached};
use crate::{
    context::Context,
    engine::Engine,
    input::{CallFailure, EngineError, Input, Now, RelayKey},
    outbox::Task,
};

impl Engine {
    /// Something has happened between this node and a relay.
    pub(crate) fn relay_input(&mut self, cx: &mut Context<'_>, input: Input) -> Result<(), EngineError> {
        match input {
            Input::RelayConnected { relay, exporter } => self.relay_connected(cx, relay, exporter),
            Input::RelayUnreached { relay, reason } => self.relay_unreached(cx, relay, &reason),
            Input::RelayLost { relay } => self.relay_lost(cx, relay),
            Input::Stretched { attempt, stretched } => self.stretched(cx, attempt, stretched),
            _ => Ok(()),
        }
    }

    /// A connection to a relay that is wanted is up.
    fn relay_connected(
        &mut self,
        cx: &mut Context<'_>,
        relay: RelayKey,
        exporter: [u8; 32],
    ) -> Result<(), EngineError> {
        if !self.relays.lines.contains_key(&relay) {
            // It was released in the meantime.
            return Ok(());
        }
        self.relays.line(relay);
        let Relays { lines, next_round, .. } = &mut self.relays;
        if let Some(line) = lines.get_mut(&relay) {
            line.begin_round(next_round);
            line.exporter = exporter;
            line.reason.clear();
        }
        self.begin_session(cx, relay)
    }

    /// A relay that is wanted was not reached.
    fn relay_unreached(
        &mut self,
        cx: &mut Context<'_>,
        relay: RelayKey,
        reason: &str,
    ) -> Result<(), EngineError> {
        if !self.relays.lines.contains_key(&relay) {
            return Ok(());
        }
        let line = self.relays.line(relay);
        let is_news = line.reason != reason;
        reason.clone_into(&mut line.reason);
        if self.is_attempted(relay) {
            return self.attempt_failed(cx, relay, not_reached(reason));
        }
        if is_news { self.log_relay(cx, relay) } else { Ok(()) }
    }

    /// The connection to a relay is gone.
    fn relay_lost(&mut self, cx: &mut Context<'_>, relay: RelayKey) -> Result<(), EngineError> {
        let stage = self.relays.lines.get(&relay).map_or(Stage::Offline, |line| line.stage);
        if stage == Stage::Offline {
            return Ok(());
        }
        self.relays.line(relay).break_off("the connection broke");
        if self.is_attempted(relay) {
            let failure = not_reached("the relay ended the connection: try again");
            return self.attempt_failed(cx, relay, failure);
        }
        if stage == Stage::Ready { self.log_relay(cx, relay) } else { Ok(()) }
    }

    /// The time has come to go on with a relay.
    pub(crate) fn relay_due(&mut self, cx: &mut Context<'_>, relay: RelayKey) -> Result<(), EngineError> {
        match self.relays.lines.get(&relay).map(|line| line.stage) {
            None | Some(Stage::Offline) => Ok(()),
            Some(Stage::Connected) => self.begin_session(cx, relay),
            Some(Stage::Ready) => {
                self.ask_next(cx, relay)?;
                self.fetch_mail(cx, relay)
            }
        }
    }

    /// Goes on with a relay after a while.
    pub(super) fn relay_later(&mut self, now: Now, relay: RelayKey, after_ms: u64) {
        self.outbox.plan(now.monotonic_ms + after_ms, Task::Relay(relay));
    }

    /// A call between this person and a relay has ended.
    pub(crate) fn relay_answered(
        &mut self,
        cx: &mut Context<'_>,
        relay: RelayKey,
        round: u64,
        step: RelayStep,
        result: Result<Bytes, CallFailure>,
    ) -> Result<(), EngineError> {
        if self.relays.line_of(relay, round).is_none() {
            return Ok(());
        }
        match step {
            RelayStep::Attempt { number } => self.attempt_answered(cx, relay, number, result),
            RelayStep::Resume => self.resumed(cx, relay, result),
            RelayStep::Mailbox => self.mailbox_registered(cx, relay, result),
            RelayStep::Tokens { contacts, invitations } => {
                self.tokens_told(cx, relay, (&contacts, &invitations), result)
            }
            RelayStep::HybridKey { sequence } => self.hybrid_key_uploaded(cx, relay, sequence, result),
            RelayStep::Fetch { mailbox } => self.mail_fetched(cx, relay, mailbox, result),
            RelayStep::Acknowledge { mailbox } => self.mail_acknowledged(cx, relay, mailbox, result),
            RelayStep::Bundle(step) => self.bundle_kept(cx, relay, &step, result),
            RelayStep::Ask => self.question_answered(cx, relay, result),
            RelayStep::Errand { number } => self.errand_answered(cx, relay, number, result),
            RelayStep::KeyOf { person } => self.key_at_relay_answered(cx, &person, result),
            RelayStep::Revoke => {
                self.let_relay_go(cx, relay);
                Ok(())
            }
        }
    }
}
