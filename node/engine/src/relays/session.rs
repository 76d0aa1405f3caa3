//! This person's session with a relay: resumed over each connection, with one question for deliveries always open.

use bytes::Bytes;
use qpq_crypto::account::{session_token_hash, sign_session};
use qpq_proto::{
    Failure, Method, Status,
    v1::{MailboxPolicy, RegisterMailboxRequest, ResumeSessionRequest, ResumeSessionResponse},
};

use super::{RelayStep, Stage, decoded, fetching::FETCH_PAUSE_MS, request};
use crate::{
    context::Context,
    engine::Engine,
    input::{CallFailure, EngineError, RelayKey},
    records::RelayRecord,
};

/// When something is tried again that a relay did not do, ms.
const RETRY_MS: u64 = 5_000;

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
                let keys = answer.transparency;
                let log_key = keys.as_ref().map(|keys| keys.log_key.as_slice()).unwrap_or_default();
                if log_key != record.log_key {
                    let text = "the relay's log of names is signed by another key than before";
                    return self.log_out(cx, relay, record, text);
                }
                if record.session_ends_at_ms != answer.expires_at_ms {
                    record.session_ends_at_ms = answer.expires_at_ms;
                    self.save_relay(cx, &record)?;
                }
                self.note_log_keys(cx, relay, keys.as_ref())?;
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
        self.ask_own_name(cx, relay)?;
        self.meet_at(cx, relay)?;
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
}
