//! Registering at a relay and logging in there, step by step (RFC 9807).
//!
//! ```text
//!  connected ─► RegisterStart ─► stretch ─► RegisterFinish ─► LoginStart ─► stretch ─► LoginFinish ─► session
//!                    (only if there is no account yet)           ▲
//!  connected ────────────────────────────────────────────────────┘
//! ```
//!
//! The password is held until the login has begun, and never written. An attempt that is cut short is made again by the
//! owner; an account that it had made already is logged in at.

use bytes::Bytes;
use qpq_crypto::{
    account::{prove_possession, sign_login},
    opaque::{ClientLogin, ClientRegistration, LoggedIn, Registered},
    work::Challenge,
};
use qpq_proto::{
    Failure, Method,
    v1::{
        OpaqueLoginFinishRequest, OpaqueLoginFinishResponse, OpaqueLoginStartRequest,
        OpaqueLoginStartResponse, OpaqueRegisterFinishRequest, OpaqueRegisterFinishResponse,
        OpaqueRegisterStartRequest, OpaqueRegisterStartResponse,
    },
};
use zeroize::Zeroizing;

use super::{
    RelayStep, decoded, not_reached, request,
    stretching::{Proof, Solved, State, Stretched, Stretching, Work},
};
use crate::{
    context::Context,
    engine::Engine,
    input::{CallFailure, Effect, EngineError, RelayKey},
    records::RelayRecord,
};

mod steps;
pub(crate) use steps::place_texts;
use steps::{Answered, challenge_of, explained, opaque_failure};
pub(super) use steps::{Attempt, Step};

impl Engine {
    /// Whether an attempt is under way at a relay.
    pub(super) fn is_attempted(&self, relay: RelayKey) -> bool {
        self.relays.attempts.get(&relay).is_some_and(|attempt| attempt.failure.is_none())
    }

    /// There is a connection: takes the first step.
    pub(super) fn begin_attempt(&mut self, cx: &mut Context<'_>, relay: RelayKey) -> Result<(), EngineError> {
        match self.relays.attempts.get(&relay).map(|attempt| &attempt.step) {
            Some(Step::ToRegister) => self.start_registration(cx, relay),
            Some(Step::ToLogIn) => self.start_login(cx, relay),
            // What had begun was given up.
            _ => self.attempt_failed(cx, relay, not_reached("the attempt was cut short: try again")),
        }
    }

    fn start_registration(&mut self, cx: &mut Context<'_>, relay: RelayKey) -> Result<(), EngineError> {
        let Some(attempt) = self.relays.attempts.get_mut(&relay) else { return Ok(()) };
        let (state, first) = match ClientRegistration::start(cx.rng, &attempt.password) {
            Ok(started) => started,
            Err(error) => return self.attempt_failed(cx, relay, opaque_failure(error)),
        };
        attempt.step = Step::RegisterStart(Box::new(state));
        let start = OpaqueRegisterStartRequest { username: attempt.username.clone(), request: first };
        let step = RelayStep::Attempt { number: attempt.number };
        self.call_own_relay(cx, relay, request(Method::OpaqueRegisterStart, &start), step);
        Ok(())
    }

    fn start_login(&mut self, cx: &mut Context<'_>, relay: RelayKey) -> Result<(), EngineError> {
        let Some(attempt) = self.relays.attempts.get_mut(&relay) else { return Ok(()) };
        let password = std::mem::take(&mut attempt.password);
        let (state, first) = match ClientLogin::start(cx.rng, &password) {
            Ok(started) => started,
            Err(error) => return self.attempt_failed(cx, relay, opaque_failure(error)),
        };
        attempt.step = Step::LoginStart(Box::new(state));
        let start = OpaqueLoginStartRequest { username: attempt.username.clone(), request: first };
        let step = RelayStep::Attempt { number: attempt.number };
        self.call_own_relay(cx, relay, request(Method::OpaqueLoginStart, &start), step);
        Ok(())
    }

    /// The relay has answered a step.
    pub(super) fn attempt_answered(
        &mut self,
        cx: &mut Context<'_>,
        relay: RelayKey,
        number: u64,
        result: Result<Bytes, CallFailure>,
    ) -> Result<(), EngineError> {
        let Some(attempt) = self.relays.attempts.get_mut(&relay).filter(|attempt| attempt.number == number)
        else {
            return Ok(());
        };
        let taken = std::mem::replace(&mut attempt.step, Step::Stretching);
        let is_finish = matches!(taken, Step::RegisterFinish);
        let has_invitation = !attempt.invitation.is_empty();
        let Some(identity) = self.me.as_ref().map(|me| me.identity.public()) else { return Ok(()) };
        let done = result.and_then(|payload| match taken {
            Step::RegisterStart(state) => {
                let answer: OpaqueRegisterStartResponse = decoded(payload)?;
                let work = answer.work.filter(|_| !has_invitation);
                let challenge = challenge_of(work, identity)?;
                Ok(Answered::Stretch(State::Registration(state), answer.response, challenge))
            }
            Step::LoginStart(state) => {
                let answer: OpaqueLoginStartResponse = decoded(payload)?;
                Ok(Answered::Stretch(State::Login(state), answer.response, None))
            }
            Step::RegisterFinish => {
                decoded(payload).map(|_: OpaqueRegisterFinishResponse| Answered::Registered)
            }
            Step::LoginFinish => decoded(payload).map(Answered::LoggedIn),
            _ => Ok(Answered::Nothing),
        });
        match done {
            Ok(Answered::Stretch(state, response, challenge)) => {
                self.stretch(cx, number, (state, challenge), response)
            }
            Ok(Answered::Registered) => {
                self.own_name_is_new(cx, relay)?;
                self.start_login(cx, relay)
            }
            Ok(Answered::LoggedIn(answer)) => self.logged_in(cx, relay, answer),
            Ok(Answered::Nothing) => Ok(()),
            Err(CallFailure::Refused(failure)) if is_finish && failure.work.is_some() => {
                self.work_again(cx, relay, failure)
            }
            Err(failure) => self.attempt_failed(cx, relay, explained(failure)),
        }
    }

    fn stretch(
        &self,
        cx: &mut Context<'_>,
        number: u64,
        (state, challenge): (State, Option<Challenge>),
        response: Vec<u8>,
    ) -> Result<(), EngineError> {
        let Some(me) = &self.me else { return Ok(()) };
        let (identity, cost) = (me.identity.public(), self.config.password_cost);
        let work = Work { state, identity, response, cost, challenge };
        cx.effects.push(Effect::Stretch(Stretching::new(number, work)));
        Ok(())
    }

    /// A password is stretched.
    pub(super) fn stretched(
        &mut self,
        cx: &mut Context<'_>,
        number: u64,
        Stretched(result): Stretched,
    ) -> Result<(), EngineError> {
        let mut attempts = self.relays.attempts.iter();
        let is_it =
            |(_, attempt): &(&RelayKey, &Attempt)| attempt.number == number && attempt.failure.is_none();
        let Some(relay) = attempts.find(is_it).map(|(relay, _)| *relay) else { return Ok(()) };
        match result {
            Ok(Proof::Registered(registered, solved)) => {
                self.finish_registration(cx, relay, registered, solved)
            }
            Ok(Proof::LoggedIn(proven)) => self.finish_login(cx, relay, proven),
            Err(error) => self.attempt_failed(cx, relay, opaque_failure(error)),
        }
    }

    fn finish_registration(
        &mut self,
        cx: &mut Context<'_>,
        relay: RelayKey,
        registered: Registered,
        solved: Option<Solved>,
    ) -> Result<(), EngineError> {
        let (Some(attempt), Some(me)) = (self.relays.attempts.get_mut(&relay), &self.me) else {
            return Ok(());
        };
        let proof = prove_possession(&me.identity, &attempt.username, &registered.record);
        attempt.step = Step::RegisterFinish;
        let finish = OpaqueRegisterFinishRequest {
            username: attempt.username.clone(),
            upload: registered.record,
            identity_key: me.id(),
            proof_of_possession: proof.to_vec(),
            invitation: attempt.invitation.clone(),
            work_challenge: solved.as_ref().map(|solved| solved.challenge.bytes.to_vec()).unwrap_or_default(),
            work_nonce: solved.map_or(0, |solved| solved.nonce),
        };
        let step = RelayStep::Attempt { number: attempt.number };
        self.call_own_relay(cx, relay, request(Method::OpaqueRegisterFinish, &finish), step);
        Ok(())
    }

    fn finish_login(
        &mut self,
        cx: &mut Context<'_>,
        relay: RelayKey,
        proven: LoggedIn,
    ) -> Result<(), EngineError> {
        let exporter = self.relays.line(relay).exporter;
        let (Some(attempt), Some(me)) = (self.relays.attempts.get_mut(&relay), &self.me) else {
            return Ok(());
        };
        attempt.step = Step::LoginFinish;
        let finish = OpaqueLoginFinishRequest {
            username: attempt.username.clone(),
            finalization: proven.finalization,
            identity_key: me.id(),
            device_id: me.device.public().to_vec(),
            device_signature: sign_login(&me.device, &proven.session_key, &exporter).to_vec(),
            device_list: me.device_list.clone(),
        };
        let step = RelayStep::Attempt { number: attempt.number };
        self.call_own_relay(cx, relay, request(Method::OpaqueLoginFinish, &finish), step);
        Ok(())
    }

    /// There is a session: keeps it, and goes on with the mailbox.
    fn logged_in(
        &mut self,
        cx: &mut Context<'_>,
        relay: RelayKey,
        answer: OpaqueLoginFinishResponse,
    ) -> Result<(), EngineError> {
        let keys = answer.transparency;
        let log_key = keys.as_ref().map(|keys| keys.log_key.clone()).unwrap_or_default();
        let Some(attempt) = self.relays.attempts.get(&relay) else { return Ok(()) };
        if answer.session_token.len() != 32 || log_key != attempt.link.log_key {
            let message = "the relay is not the one of the link: its log of names is signed by another key";
            return self.attempt_failed(cx, relay, Failure::forbidden(message));
        }
        let (places, username) = (place_texts(&attempt.link), attempt.username.clone());
        let mut record = match self.relay_record(cx, relay)? {
            Some(record) => record,
            None => self.new_relay(cx, relay)?,
        };
        record.places = places;
        record.username = username;
        record.log_key = log_key;
        record.session_token = answer.session_token;
        record.session_ends_at_ms = answer.expires_at_ms;
        // The account may be another than before.
        record.hybrid_sequence = 0;
        self.save_relay(cx, &record)?;
        self.relays.attempts.remove(&relay);
        self.bundles_may_change(cx.now);
        self.note_log_keys(cx, relay, keys.as_ref())?;
        self.open_mailbox(cx, relay, &record);
        Ok(())
    }

    fn new_relay(&self, cx: &mut Context<'_>, relay: RelayKey) -> Result<RelayRecord, EngineError> {
        let last = self.relay_records(cx)?.last().map_or(0, |record| record.preference);
        let mut record = RelayRecord::default();
        record.pin = relay.0.to_vec();
        record.mailbox = cx.random::<32>().to_vec();
        record.token_secret = cx.random::<32>().to_vec();
        record.preference = last.saturating_add(1);
        Ok(record)
    }

    /// An attempt has ended in vain. The relay is let go of if nothing else needs it.
    pub(super) fn attempt_failed(
        &mut self,
        cx: &mut Context<'_>,
        relay: RelayKey,
        failure: Failure,
    ) -> Result<(), EngineError> {
        self.relays.is_touched = true;
        if let Some(attempt) = self.relays.attempts.get_mut(&relay) {
            attempt.password = Zeroizing::default();
            attempt.failure = Some(failure);
        }
        let record = self.relay_record(cx, relay)?;
        match record.filter(|record| !record.session_token.is_empty()) {
            None => self.let_relay_go(cx, relay),
            Some(record) => {
                self.want_relay(cx, relay, record.places.clone());
                self.relay_later(cx.now, relay, 0);
            }
        }
        self.log_relay(cx, relay)
    }
}
