//! Asking a relay who is behind a name, and holding it to its log.
//!
//! ```text
//!  asked ─► ResolveUser ─► verified ─► CheckRevocation ─► verified ─► found
//!                │                            │
//!                └── the log says something else than it said before: nothing of it is believed from then on
//! ```
//!
//! One question to a relay is under way at a time: its answer is held against what the last one showed. What was seen of a log
//! is written down with each answer, so that no restart makes it be forgotten.

use std::collections::BTreeMap;

use bytes::Bytes;
use qpq_crypto::transparency::LogView;
use qpq_proto::{
    Failure, Method,
    ids::Identity,
    v1::{CheckRevocationRequest, CheckRevocationResponse, ResolveUserRequest, ResolveUserResponse},
};

use super::{RelayStep, Stage, decoded, not_reached, request, watch::Caught};
use crate::{
    context::Context,
    engine::Engine,
    input::{CallFailure, EngineError, RelayKey},
    records::RelayLogRecord,
};

/// Answers kept for the owner, of all relays; the oldest go.
const ANSWERS_MAX: usize = 64;
/// Questions that wait for one relay.
const QUESTIONS_MAX: usize = 16;

/// What a relay is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Question {
    /// Who is behind this person's own name.
    Own { username: String },
    /// Who is behind a name.
    Name { username: String },
    /// Whether the identity behind a name has ended.
    Ended { username: String, identity: Identity, version: u64 },
}

/// What came of a question of the owner's.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    Asking,
    Nobody,
    Found(Found),
    Failed(Failure),
}

/// Somebody who was found.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub identity: Identity,
    pub version: u64,
    /// Why and when the identity has ended.
    pub ended: Option<(String, u64)>,
}

/// Answers to the owner's questions, of this run.
#[derive(Debug, Default)]
pub(super) struct Answers {
    by_name: BTreeMap<(RelayKey, String), (u64, Answer)>,
    next: u64,
}

impl Answers {
    pub(super) fn of(&self, relay: RelayKey, username: &str) -> Option<&Answer> {
        self.by_name.get(&(relay, username.to_owned())).map(|(_, answer)| answer)
    }

    pub(super) fn note(&mut self, relay: RelayKey, username: &str, answer: Answer) {
        self.next += 1;
        self.by_name.insert((relay, username.to_owned()), (self.next, answer));
        let oldest = self.by_name.iter().min_by_key(|(_, (age, _))| *age).map(|(name, _)| name.clone());
        if let Some(oldest) = oldest.filter(|_| self.by_name.len() > ANSWERS_MAX) {
            self.by_name.remove(&oldest);
        }
    }

    /// Nobody is behind these names as far as is known from now on: what was said is not believed any more.
    pub(super) fn forget(&mut self, of: RelayKey) {
        self.by_name.retain(|(relay, _), _| *relay != of);
    }
}

impl Question {
    pub(super) fn username(&self) -> &str {
        let (Self::Own { username } | Self::Name { username } | Self::Ended { username, .. }) = self;
        username
    }

    pub(super) const fn is_the_owners(&self) -> bool {
        !matches!(self, Self::Own { .. })
    }
}

impl Engine {
    /// Asks for the owner, as soon as the relay can be asked.
    pub(super) fn ask_name(
        &mut self,
        cx: &mut Context<'_>,
        relay: RelayKey,
        username: &str,
    ) -> Result<(), Failure> {
        // Looked at before anything is changed: a failure gives up what was changed.
        let line = self.relays.lines.get(&relay).filter(|line| line.stage != Stage::Offline);
        let line = line.ok_or_else(|| not_reached("the relay is not reached: `qpq relay list` says why"))?;
        if line.questions.len() >= QUESTIONS_MAX {
            return Err(Failure::unavailable("the relay is being asked for many names: try again", 1_000));
        }
        let line = self.relays.line(relay);
        let question = Question::Name { username: username.to_owned() };
        if line.asked.as_ref() != Some(&question) && !line.questions.contains(&question) {
            line.questions.push_back(question);
        }
        self.relays.answers.note(relay, username, Answer::Asking);
        Ok(self.ask_next(cx, relay)?)
    }

    /// Asks for this person's own name, before all else.
    pub(super) fn ask_own_name(&mut self, cx: &mut Context<'_>, relay: RelayKey) -> Result<(), EngineError> {
        let Some(record) = self.relay_record(cx, relay)? else { return Ok(()) };
        let line = self.relays.line(relay);
        let question = Question::Own { username: record.username.clone() };
        if line.asked.as_ref() != Some(&question) && !line.questions.contains(&question) {
            line.questions.push_front(question);
        }
        self.ask_next(cx, relay)
    }

    /// Asks the next question, unless one is under way.
    pub(super) fn ask_next(&mut self, cx: &mut Context<'_>, relay: RelayKey) -> Result<(), EngineError> {
        let log = self.relay_log(cx, relay)?;
        let line = self.relays.line(relay);
        if line.stage != Stage::Ready || line.asked.is_some() {
            return Ok(());
        }
        let Some(question) = line.questions.pop_front() else { return Ok(()) };
        let view = log.as_ref().and_then(|log| LogView::decode(&log.view).ok());
        let (Some(log), Some(view)) = (log, view) else {
            let failure = Failure::not_found("the relay keeps no log of names, or none that can be read");
            return self.question_failed(cx, relay, &question, failure);
        };
        if !log.is_asked(&question) {
            return self.question_failed(cx, relay, &question, log.refused());
        }
        let last_tree_size = view.size();
        let username = question.username().to_owned();
        let call = match &question {
            Question::Own { .. } | Question::Name { .. } => {
                request(Method::ResolveUser, &ResolveUserRequest { username, last_tree_size })
            }
            Question::Ended { identity, .. } => {
                let identity_key = identity.to_vec();
                request(Method::CheckRevocation, &CheckRevocationRequest { identity_key, last_tree_size })
            }
        };
        self.relays.line(relay).asked = Some(question);
        self.call_own_relay(cx, relay, call, RelayStep::Ask);
        Ok(())
    }

    /// The relay has answered a question.
    pub(super) fn question_answered(
        &mut self,
        cx: &mut Context<'_>,
        relay: RelayKey,
        result: Result<Bytes, CallFailure>,
    ) -> Result<(), EngineError> {
        let Some(question) = self.relays.line(relay).asked.take() else { return Ok(()) };
        let log = self.relay_log(cx, relay)?;
        let view = log.as_ref().and_then(|log| LogView::decode(&log.view).ok());
        if let (Some(log), Some(view)) = (log, view) {
            let done = match &question {
                Question::Ended { username, identity, version } => result.and_then(decoded).map(|answer| {
                    let found = Found { identity: *identity, version: *version, ended: None };
                    self.ended_answered(cx, relay, (log, view), (username, found), &answer)
                }),
                question => result
                    .and_then(decoded)
                    .map(|answer| self.name_answered(cx, relay, (log, view), question, &answer)),
            };
            match done {
                Ok(done) => done?,
                Err(failure) => self.question_failed(cx, relay, &question, in_words(failure))?,
            }
        }
        self.ask_next(cx, relay)
    }

    fn name_answered(
        &mut self,
        cx: &mut Context<'_>,
        relay: RelayKey,
        (mut log, mut view): (RelayLogRecord, LogView),
        question: &Question,
        answer: &ResolveUserResponse,
    ) -> Result<(), EngineError> {
        let inclusion = answer.proof.as_ref().and_then(|proof| proof.inclusion.as_ref());
        let named = match view.check_name(question.username(), answer) {
            Ok(named) => named,
            Err(violation) => {
                let evidence =
                    view.evidence(answer.tree_head.as_ref(), answer.consistency.as_ref(), inclusion);
                return self.caught(cx, relay, log, Caught { violation, evidence });
            }
        };
        if !log.refusal.is_empty() {
            // Asked for more evidence, of which this is none.
            return Ok(());
        }
        log.view = view.encode();
        self.save_relay_log(cx, &log)?;
        let username = question.username().to_owned();
        match (question, named) {
            (Question::Own { .. }, named) => self.own_name_seen(cx, relay, log, &username, named),
            (_, Some(named)) => {
                let (identity, version) = (named.identity, named.version);
                let next = Question::Ended { username, identity, version };
                self.relays.line(relay).questions.push_front(next);
                Ok(())
            }
            (_, None) => self.settle_question(cx, relay, &username, Answer::Nobody),
        }
    }

    fn ended_answered(
        &mut self,
        cx: &mut Context<'_>,
        relay: RelayKey,
        (mut log, mut view): (RelayLogRecord, LogView),
        (username, mut found): (&str, Found),
        answer: &CheckRevocationResponse,
    ) -> Result<(), EngineError> {
        let revocation = match view.check_revocation(&found.identity, answer) {
            Ok(revocation) => revocation,
            Err(violation) => {
                let proof = answer.proof.as_ref();
                let evidence = view.evidence(
                    proof.and_then(|proof| proof.tree_head.as_ref()),
                    proof.and_then(|proof| proof.consistency.as_ref()),
                    proof.and_then(|proof| proof.inclusion.as_ref()),
                );
                return self.caught(cx, relay, log, Caught { violation, evidence });
            }
        };
        log.view = view.encode();
        self.save_relay_log(cx, &log)?;
        found.ended = revocation.map(|revocation| (revocation.reason, revocation.at_ms));
        self.settle_question(cx, relay, username, Answer::Found(found))
    }

    /// There is no answer.
    fn question_failed(
        &mut self,
        cx: &mut Context<'_>,
        relay: RelayKey,
        question: &Question,
        failure: Failure,
    ) -> Result<(), EngineError> {
        match question {
            Question::Own { .. } => {
                self.own_name_later(cx, relay);
                Ok(())
            }
            Question::Name { username } | Question::Ended { username, .. } => {
                self.settle_question(cx, relay, username, Answer::Failed(failure))
            }
        }
    }

    /// The owner's programs wait for events.
    fn settle_question(
        &mut self,
        cx: &mut Context<'_>,
        relay: RelayKey,
        username: &str,
        answer: Answer,
    ) -> Result<(), EngineError> {
        self.relays.answers.note(relay, username, answer);
        self.log_relay(cx, relay)
    }
}

fn in_words(failure: CallFailure) -> Failure {
    match failure {
        CallFailure::Unreachable => not_reached("the relay was not reached: try again"),
        CallFailure::Refused(failure) => not_reached(format!("the relay does not say: {}", failure.message)),
    }
}
