//! This person's session with a relay: resumed over each connection, with one question for deliveries always open.

use bytes::Bytes;
use qpq_crypto::account::{session_token_hash, sign_session};
use qpq_proto::{
    Failure, Method, Status,
    v1::{
        AckRequest, FetchWaitRequest, FetchWaitResponse, MailboxPolicy, RegisterMailboxRequest,
        ResumeSessionRequest, ResumeSessionResponse,
    },
};

use super::{RelayStep, Stage, decoded, request};
use crate::{
    context::Context,
    engine::Engine,
    input::{CallFailure, Effect, EngineError, Mail, MailPlace, Next, RelayKey},
    records::RelayRecord,
};

/// How long the relay may wait for a delivery before it answers with none, ms: less than a call may take.
const FETCH_WAIT_MS: u32 = 20_000;
/// Deliveries asked for at once.
const FETCH_MAX: u32 = 64;
/// A relay that answers with nothing is not asked again sooner than this, ms.
const FETCH_PAUSE_MS: u64 = 1_000;
/// When something is tried again that a relay did not do, ms.
const RETRY_MS: u64 = 5_000;
/// When a delivery is fetched again that could not be handled, ms.
const STUCK_MS: u64 = 30_000;
/// How often.
const STUCK_MAX: u32 = 3;

impl Engine {
    /// Logs in on a connection on which nobody is logged in yet.
    pub(super) fn begin_session(&mut self, cx: &mut Context<'_>, relay: RelayKey) -> Result<(), EngineError> {
        if self.is_attempted(relay) {
            return self.begin_attempt(cx, relay);
        }
        let Some(record) = self.relay_record(cx, relay)? else { return Ok(()) };
        let (Ok(token), Some(me)) = (<[u8; 32]>::try_from(record.session_token.as_slice()), &self.me) else {
            return Ok(());
        };
        let exporter = self.relays.line(relay).exporter;
        let signature = sign_session(&me.device, &session_token_hash(&token), &exporter);
        let resume =
            ResumeSessionRequest { session_token: token.to_vec(), device_signature: signature.to_vec() };
        self.call_own_relay(cx, relay, request(Method::ResumeSession, &resume), RelayStep::Resume);
        Ok(())
    }

    /// The relay has answered whether the session goes on.
    pub(super) fn resumed(
        &mut self,
        cx: &mut Context<'_>,
        relay: RelayKey,
        result: Result<Bytes, CallFailure>,
    ) -> Result<(), EngineError> {
        let Some(mut record) = self.relay_record(cx, relay)? else { return Ok(()) };
        match result.and_then(decoded::<ResumeSessionResponse>) {
            Ok(answer) => {
                let log_key = answer.transparency.map(|keys| keys.log_key).unwrap_or_default();
                if log_key != record.log_key {
                    let text = "the relay's log of names is signed by another key than before";
                    return self.log_out(cx, relay, record, text);
                }
                if record.session_ends_at_ms != answer.expires_at_ms {
                    record.session_ends_at_ms = answer.expires_at_ms;
                    self.save_relay(cx, &record)?;
                }
                self.open_mailbox(cx, relay, &record);
                Ok(())
            }
            // `Forbidden` says that the node is no relay at present, and is no reason to throw the session away.
            Err(CallFailure::Refused(failure))
                if matches!(failure.status, Status::Unauthorized | Status::BadRequest) =>
            {
                self.log_out(cx, relay, record, &failure.message)
            }
            Err(failure) => self.step_failed(cx, relay, &failure),
        }
    }

    /// The session has ended for good.
    fn log_out(
        &mut self,
        cx: &mut Context<'_>,
        relay: RelayKey,
        mut record: RelayRecord,
        reason: &str,
    ) -> Result<(), EngineError> {
        record.session_token.clear();
        record.session_ends_at_ms = 0;
        self.save_relay(cx, &record)?;
        self.let_relay_go(cx, relay);
        let place = record.places.first().cloned().unwrap_or_default();
        self.log_alarm(
            cx,
            "relay-logged-out",
            format!("the relay at {place} keeps nothing any more: {reason}"),
        )?;
        self.log_relay(cx, relay)
    }

    /// Makes sure that the relay knows the mailbox.
    pub(super) fn open_mailbox(&mut self, cx: &mut Context<'_>, relay: RelayKey, record: &RelayRecord) {
        // Said again after each login: whoever deleted the account and made another has no mailbox.
        let policy = MailboxPolicy { tokens_only: true, ..MailboxPolicy::default() };
        let register = RegisterMailboxRequest { mailbox: record.mailbox.clone(), policy: Some(policy) };
        self.call_own_relay(cx, relay, request(Method::RegisterMailbox, &register), RelayStep::Mailbox);
    }

    pub(super) fn mailbox_registered(
        &mut self,
        cx: &mut Context<'_>,
        relay: RelayKey,
        result: Result<Bytes, CallFailure>,
    ) -> Result<(), EngineError> {
        if let Err(failure) = result {
            return self.step_failed(cx, relay, &failure);
        }
        let Some(mut record) = self.relay_record(cx, relay)? else { return Ok(()) };
        if !record.has_mailbox {
            record.has_mailbox = true;
            self.save_relay(cx, &record)?;
        }
        let line = self.relays.line(relay);
        line.stage = Stage::Ready;
        line.reason.clear();
        self.log_relay(cx, relay)?;
        self.upload_hybrid_key(cx, relay, &record);
        self.grant_soon(cx.now);
        self.keep_bundles(cx, relay)?;
        self.fetch_mail(cx, relay)
    }

    /// A step of the session was not done: tries again.
    pub(crate) fn step_failed(
        &mut self,
        cx: &Context<'_>,
        relay: RelayKey,
        failure: &CallFailure,
    ) -> Result<(), EngineError> {
        let line = self.relays.line(relay);
        match failure {
            CallFailure::Unreachable => self.relay_later(cx.now, relay, RETRY_MS),
            CallFailure::Refused(failure) if failure.status == Status::Unauthorized => {
                // The session has ended, or the relay was started anew: resumed, or found to have ended.
                line.stage = Stage::Connected;
                self.relay_later(cx.now, relay, FETCH_PAUSE_MS);
            }
            CallFailure::Refused(Failure { message, retry_after_ms, .. }) => {
                message.clone_into(&mut line.reason);
                self.relay_later(cx.now, relay, (*retry_after_ms).clamp(RETRY_MS, 60 * RETRY_MS));
            }
        }
        Ok(())
    }

    /// Asks for deliveries, unless some are being handled.
    pub(super) fn fetch_mail(&mut self, cx: &mut Context<'_>, relay: RelayKey) -> Result<(), EngineError> {
        let Some(record) = self.relay_record(cx, relay)? else { return Ok(()) };
        let line = self.relays.line(relay);
        let is_asked = self.peers.is_asking_relay(relay, line.round);
        if !line.mails.is_empty() || is_asked {
            return Ok(());
        }
        line.asked_ms = cx.now.monotonic_ms;
        let fetch = FetchWaitRequest {
            mailbox: record.mailbox.clone(),
            channel_id: Vec::new(),
            limit: FETCH_MAX,
            // At first what there is, so that it is known when all of that is here.
            timeout_ms: if line.is_caught_up { FETCH_WAIT_MS } else { 0 },
        };
        self.call_own_relay(cx, relay, request(Method::FetchWait, &fetch), RelayStep::Fetch);
        Ok(())
    }

    /// Deliveries have come, or the time is up.
    pub(super) fn mail_fetched(
        &mut self,
        cx: &mut Context<'_>,
        relay: RelayKey,
        result: Result<Bytes, CallFailure>,
    ) -> Result<(), EngineError> {
        let envelopes = match result.and_then(decoded::<FetchWaitResponse>) {
            Ok(answer) => answer.envelopes,
            Err(failure) => return self.step_failed(cx, relay, &failure),
        };
        let line = self.relays.line(relay);
        if envelopes.is_empty() && !std::mem::replace(&mut line.is_caught_up, true) {
            return self.fetch_mail(cx, relay);
        }
        if envelopes.is_empty() {
            let since_ms = cx.now.monotonic_ms.saturating_sub(line.asked_ms);
            match FETCH_PAUSE_MS.saturating_sub(since_ms) {
                0 => return self.fetch_mail(cx, relay),
                pause_ms => self.relay_later(cx.now, relay, pause_ms),
            }
            return Ok(());
        }
        for envelope in envelopes {
            // What a relay gives twice, or out of order, is acknowledged with the rest.
            if line.mails.insert(envelope.seq) {
                let place = MailPlace::Queue { round: line.round, seq: envelope.seq };
                let mail = Mail { relay, place, payload: envelope.data };
                cx.effects.push(Effect::Next(Next::Mail(mail)));
            }
            line.newest = line.newest.max(envelope.seq);
        }
        Ok(())
    }

    /// A delivery is handled, whatever came of it. Once all are, the relay is told.
    pub(super) fn mail_handled(
        &mut self,
        cx: &mut Context<'_>,
        relay: RelayKey,
        round: u64,
        seq: u64,
    ) -> Result<(), EngineError> {
        let Some(record) = self.relay_record(cx, relay)? else { return Ok(()) };
        let Some(line) = self.relays.line_of(relay, round) else { return Ok(()) };
        if !line.mails.remove(&seq) || !line.mails.is_empty() {
            return Ok(());
        }
        let (mailbox, seq_up_to) = (record.mailbox.clone(), line.newest);
        let ack = AckRequest { mailbox, channel_id: Vec::new(), seq_up_to };
        self.call_own_relay(cx, relay, request(Method::Ack, &ack), RelayStep::Acknowledge);
        Ok(())
    }

    /// A delivery could not be handled though nothing is known to be wrong with it. It is fetched again with those after
    /// it, but not for ever. True if it is given up.
    pub(super) fn mail_stuck(&mut self, cx: &Context<'_>, relay: RelayKey, round: u64, seq: u64) -> bool {
        let Some(line) = self.relays.line_of(relay, round) else { return false };
        let (stuck, times) = line.stuck;
        line.stuck = (seq, if stuck == seq { times + 1 } else { 1 });
        if line.stuck.1 >= STUCK_MAX {
            return true;
        }
        line.reason = "a delivery could not be handled; the log says why".into();
        self.relays.next_round += 1;
        let round = self.relays.next_round;
        let line = self.relays.line(relay);
        line.round = round;
        line.mails.clear();
        self.relay_later(cx.now, relay, STUCK_MS);
        false
    }

    pub(super) fn mail_acknowledged(
        &mut self,
        cx: &mut Context<'_>,
        relay: RelayKey,
        result: Result<Bytes, CallFailure>,
    ) -> Result<(), EngineError> {
        match result {
            Ok(_) => self.fetch_mail(cx, relay),
            // What was handled is known by its delivery id when it comes again.
            Err(failure) => self.step_failed(cx, relay, &failure),
        }
    }
}
