//! Fetching what lies in this person's two mailboxes at a relay: that which contacts know, and that of the identity.

use bytes::Bytes;
use qpq_proto::{
    Method,
    v1::{AckRequest, FetchWaitRequest, FetchWaitResponse},
};

use super::{RelayStep, decoded, request};
use crate::{
    context::Context,
    engine::Engine,
    input::{CallFailure, Effect, EngineError, Mail, MailPlace, Next, OwnMailbox, RelayKey},
};

/// How long the relay may wait for a delivery before it answers with none, ms: less than a call may take.
const FETCH_WAIT_MS: u32 = 20_000;
/// Deliveries asked for at once.
const FETCH_MAX: u32 = 64;
/// A relay that answers with nothing is not asked again sooner than this, ms.
pub(super) const FETCH_PAUSE_MS: u64 = 1_000;
/// When a delivery is fetched again that could not be handled, ms.
const STUCK_MS: u64 = 30_000;
/// How often.
const STUCK_MAX: u32 = 3;

impl Engine {
    /// Asks for deliveries in both mailboxes.
    pub(super) fn fetch_mail(&mut self, cx: &mut Context<'_>, relay: RelayKey) -> Result<(), EngineError> {
        self.fetch_from(cx, relay, OwnMailbox::Contacts)?;
        self.fetch_from(cx, relay, OwnMailbox::Strangers)
    }

    /// Asks for deliveries, unless some are being handled.
    fn fetch_from(
        &mut self,
        cx: &mut Context<'_>,
        relay: RelayKey,
        mailbox: OwnMailbox,
    ) -> Result<(), EngineError> {
        let Some(id) = self.mailbox_id(cx, relay, mailbox)? else { return Ok(()) };
        let line = self.relays.line(relay);
        let is_asked = self.peers.is_asking_relay(relay, line.round, mailbox);
        let fetched = line.fetched(mailbox);
        if !fetched.mails.is_empty() || is_asked {
            return Ok(());
        }
        fetched.asked_ms = cx.now.monotonic_ms;
        let fetch = FetchWaitRequest {
            mailbox: id,
            channel_id: Vec::new(),
            limit: FETCH_MAX,
            // At first what there is, so that it is known when all of that is here.
            timeout_ms: if fetched.is_caught_up { FETCH_WAIT_MS } else { 0 },
        };
        self.call_own_relay(cx, relay, request(Method::FetchWait, &fetch), RelayStep::Fetch { mailbox });
        Ok(())
    }

    /// Deliveries have come, or the time is up.
    pub(super) fn mail_fetched(
        &mut self,
        cx: &mut Context<'_>,
        relay: RelayKey,
        mailbox: OwnMailbox,
        result: Result<Bytes, CallFailure>,
    ) -> Result<(), EngineError> {
        let envelopes = match result.and_then(decoded::<FetchWaitResponse>) {
            Ok(answer) => answer.envelopes,
            Err(failure) => return self.step_failed(cx, relay, &failure),
        };
        let line = self.relays.line(relay);
        let fetched = line.fetched(mailbox);
        if envelopes.is_empty() && !std::mem::replace(&mut fetched.is_caught_up, true) {
            return self.fetch_from(cx, relay, mailbox);
        }
        if envelopes.is_empty() {
            let since_ms = cx.now.monotonic_ms.saturating_sub(fetched.asked_ms);
            match FETCH_PAUSE_MS.saturating_sub(since_ms) {
                0 => return self.fetch_from(cx, relay, mailbox),
                pause_ms => self.relay_later(cx.now, relay, pause_ms),
            }
            return Ok(());
        }
        let round = line.round;
        let fetched = line.fetched(mailbox);
        for envelope in envelopes {
            // What a relay gives twice, or out of order, is acknowledged with the rest.
            if fetched.mails.insert(envelope.seq) {
                let place = MailPlace::Queue { round, mailbox, seq: envelope.seq };
                let mail = Mail { relay, place, payload: envelope.data };
                cx.effects.push(Effect::Next(Next::Mail(mail)));
            }
            fetched.newest = fetched.newest.max(envelope.seq);
        }
        Ok(())
    }

    /// A delivery is handled, whatever came of it. Once all are, the relay is told.
    pub(super) fn mail_handled(
        &mut self,
        cx: &mut Context<'_>,
        relay: RelayKey,
        (round, mailbox, seq): (u64, OwnMailbox, u64),
    ) -> Result<(), EngineError> {
        let Some(id) = self.mailbox_id(cx, relay, mailbox)? else { return Ok(()) };
        let Some(line) = self.relays.line_of(relay, round) else { return Ok(()) };
        let fetched = line.fetched(mailbox);
        if !fetched.mails.remove(&seq) || !fetched.mails.is_empty() {
            return Ok(());
        }
        let ack = AckRequest { mailbox: id, channel_id: Vec::new(), seq_up_to: fetched.newest };
        self.call_own_relay(cx, relay, request(Method::Ack, &ack), RelayStep::Acknowledge { mailbox });
        Ok(())
    }

    /// A delivery could not be handled though nothing is known to be wrong with it. It is fetched again with those after
    /// it, but not for ever. True if it is given up.
    pub(super) fn mail_stuck(
        &mut self,
        cx: &Context<'_>,
        relay: RelayKey,
        (round, mailbox, seq): (u64, OwnMailbox, u64),
    ) -> bool {
        let Some(line) = self.relays.line_of(relay, round) else { return false };
        let fetched = line.fetched(mailbox);
        let (stuck, times) = fetched.stuck;
        fetched.stuck = (seq, if stuck == seq { times + 1 } else { 1 });
        if fetched.stuck.1 >= STUCK_MAX {
            return true;
        }
        line.reason = "a delivery could not be handled; the log says why".into();
        self.relays.next_round += 1;
        let round = self.relays.next_round;
        let line = self.relays.line(relay);
        line.round = round;
        line.fetched(OwnMailbox::Contacts).mails.clear();
        line.fetched(OwnMailbox::Strangers).mails.clear();
        // The answer to what it was asked is not taken any more: asked again.
        let asked = line.asked.take();
        asked.into_iter().for_each(|question| line.questions.push_front(question));
        self.relay_later(cx.now, relay, STUCK_MS);
        false
    }

    pub(super) fn mail_acknowledged(
        &mut self,
        cx: &mut Context<'_>,
        relay: RelayKey,
        mailbox: OwnMailbox,
        result: Result<Bytes, CallFailure>,
    ) -> Result<(), EngineError> {
        match result {
            Ok(_) => self.fetch_from(cx, relay, mailbox),
            // What was handled is known by its delivery id when it comes again.
            Err(failure) => self.step_failed(cx, relay, &failure),
        }
    }

    /// The id of one of this person's mailboxes at a relay.
    fn mailbox_id(
        &self,
        cx: &Context<'_>,
        relay: RelayKey,
        mailbox: OwnMailbox,
    ) -> Result<Option<Vec<u8>>, EngineError> {
        let Some(record) = self.relay_record(cx, relay)? else { return Ok(None) };
        Ok(match mailbox {
            OwnMailbox::Contacts => Some(record.mailbox.clone()),
            OwnMailbox::Strangers => self.me.as_ref().map(crate::identity::Me::id),
        })
    }
}
