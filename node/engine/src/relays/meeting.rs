//! People who find each other by name at a relay of both, and share nothing yet.
//!
//! ```text
//!  alice                          relay                          bob
//!    "bob" ─► verified identity
//!    FetchHybridKey ────────────►  (published by bob)
//!    request ── Enqueue, session ─► mailbox of bob's identity ──► pending, until bob accepts
//!             mailbox of alice's identity ◄── Enqueue, session ── acceptance
//!    token mailboxes of both are told in the conversation, and used from then on
//! ```
//!
//! The identity's own mailbox takes deliveries without tokens, from whoever has a session: the relay learns who writes to
//! whom, for as long as it takes until the two have told each other of mailboxes that hide it. Of what a stranger says nothing
//! is believed but the identity that signed it; its nodes are not called before it is accepted.

use bytes::Bytes;
use qpq_proto::{
    Failure, Method, Status,
    v1::{ContactRequest, FetchHybridKeyRequest, FetchHybridKeyResponse},
};

use super::{RelayStep, decoded, key_of, known::Chosen, leave::Mailed, request};
use crate::{
    context::Context,
    engine::Engine,
    input::{CallFailure, EngineError, RelayKey, RelayLine},
    introductions::is_hybrid_key_of,
    outbox::Stream,
    records::{
        InvitationRecord, MailboxRecord, MailboxesRecord, ParcelRecord, PersonRecord, Progress, Standing,
    },
    tables::{self, MAILBOXES, PEOPLE},
};

/// Bytes of a stranger's request, before they are sealed to this person.
const REQUEST_BYTES_MAX: usize = 65_536;
/// Of all requests that may wait for an answer, strangers who came by name have one in so many.
const SHARE_OF_REQUESTS: usize = 2;

impl Engine {
    /// Somebody is logged in at a relay: takes up what waits for it.
    pub(super) fn meet_at(&mut self, cx: &mut Context<'_>, relay: RelayKey) -> Result<(), EngineError> {
        let people: Vec<PersonRecord> = tables::all(cx.tx, PEOPLE)?;
        for person in people.iter().filter(|person| person.met_at == relay.0) {
            self.ask_key_at_relay(cx, person);
        }
        let met: Vec<MailboxesRecord> = tables::all(cx.tx, MAILBOXES)?;
        for record in met.iter().filter(|record| record.meeting == relay.0) {
            self.pump_later(&record.identity);
        }
        Ok(())
    }

    /// Asks the relay at which a person was found for its hybrid key, if a request waits for it.
    pub(crate) fn ask_key_at_relay(&mut self, cx: &mut Context<'_>, person: &PersonRecord) {
        let relay = key_of(&person.met_at)
            .filter(|relay| person.lacks_key_to_ask() && self.ready_round(*relay).is_some());
        let Some(relay) = relay else { return };
        let identity_key = person.identity.clone();
        let fetch = FetchHybridKeyRequest { identity_key, ..FetchHybridKeyRequest::default() };
        let step = RelayStep::KeyOf { person: person.identity.clone() };
        self.call_own_relay(cx, relay, request(Method::FetchHybridKey, &fetch), step);
    }

    pub(super) fn key_at_relay_answered(
        &mut self,
        cx: &mut Context<'_>,
        identity: &[u8],
        result: Result<Bytes, CallFailure>,
    ) -> Result<(), EngineError> {
        let person = self.person(cx, identity)?.filter(PersonRecord::lacks_key_to_ask);
        let Some(person) = person else { return Ok(()) };
        match result.and_then(decoded::<FetchHybridKeyResponse>) {
            Ok(response) if is_hybrid_key_of(identity, &response) => {
                let person = self.keep_hybrid_key(cx, person, response)?;
                self.seal_request(cx, person, Vec::new())
            }
            Ok(_) => {
                self.request_failed(cx, person, "the key that the relay has for that person is another's")
            }
            Err(CallFailure::Refused(failure)) if failure.status == Status::NotFound => {
                let reason = "that person's node has not published a key at the relay yet: try again later";
                self.request_failed(cx, person, reason)
            }
            // Asked again after the next login.
            Err(_) => Ok(()),
        }
    }

    /// Whether somebody who has no invitation may ask; an invitation as if he had one whose requests must be accepted.
    pub(crate) fn stranger_may_ask(
        &self,
        cx: &Context<'_>,
        met_at: Option<RelayKey>,
        known: Option<&PersonRecord>,
        request: &ContactRequest,
    ) -> Result<InvitationRecord, Failure> {
        // Whoever shares a group with this person, or is a contact, is no stranger, whatever way the request came.
        if met_at.is_none() && known.is_none() {
            return Err(Failure::forbidden("who has no invitation asks at a relay"));
        }
        if request.token.len() != TOKEN_BYTES || prost::Message::encoded_len(request) > REQUEST_BYTES_MAX {
            return Err(Failure::bad_request("payload", "the request is malformed, or too long"));
        }
        let people: Vec<PersonRecord> = tables::all(cx.tx, PEOPLE)?;
        let known = known.map(|known| known.identity.as_slice()).unwrap_or_default();
        let by_name = people.iter().filter(|person| {
            person.standing() == Standing::Pending && !person.met_at.is_empty() && person.identity != known
        });
        if by_name.count() >= self.limits.pending_requests_max / SHARE_OF_REQUESTS {
            return Err(Failure::quota("too many strangers' requests wait for an answer here"));
        }
        Ok(InvitationRecord { reusable: true, ..InvitationRecord::default() })
    }

    /// Notes that somebody is met at a relay: there its deliveries are left until it names mailboxes.
    pub(crate) fn meet(
        &mut self,
        cx: &mut Context<'_>,
        person: &[u8],
        relay: RelayKey,
    ) -> Result<(), EngineError> {
        let mut record = self.mailboxes(cx, person)?;
        if record.mailboxes.is_empty() {
            record.meeting = relay.0.to_vec();
            self.save_mailboxes(cx, &record)?;
        }
        Ok(())
    }

    /// The mailbox of somebody's identity, while the two are met at a relay and it is reached.
    pub(super) fn meeting_mailbox(&self, cx: &Context<'_>, record: &MailboxesRecord) -> Option<Chosen> {
        let relay = key_of(&record.meeting).filter(|relay| self.ready_round(*relay).is_some())?;
        let pauses = self.relays.pauses.get(&record.identity);
        if pauses.is_some_and(|pauses| pauses.until_ms > cx.now.monotonic_ms) {
            return None;
        }
        let mailbox = MailboxRecord {
            pin: relay.0.to_vec(),
            mailbox: record.identity.clone(),
            ..MailboxRecord::default()
        };
        Some(Chosen { mailbox, token: Vec::new(), line: RelayLine::Session })
    }

    /// A relay did not take something for the mailbox of an identity.
    pub(super) fn meeting_failed(
        &mut self,
        cx: &mut Context<'_>,
        mailed: &Mailed<'_>,
        failure: &Failure,
    ) -> Result<(), EngineError> {
        let is_over = matches!(
            failure.status,
            Status::NotFound | Status::Forbidden | Status::BadRequest | Status::UnknownMethod
        );
        if is_over {
            let mut record = self.mailboxes(cx, mailed.recipient)?;
            record.meeting.clear();
            self.save_mailboxes(cx, &record)?;
            let entry = self.mailed_entry(cx, mailed)?;
            if let Some(entry) = entry.filter(|entry| !entry.parcel.request.is_empty()) {
                let reason = format!("the relay does not take it: {}", failure.message);
                return self.finish(cx, &entry, Progress::Failed, &reason);
            }
        } else {
            self.pause_mailbox(cx, mailed.mailbox, failure.retry_after_ms);
        }
        let reason = format!("the relay at which you met did not take it: {}", failure.message);
        self.mail_failed(cx, mailed, &reason)
    }

    /// Whether an entry is for nobody to bring but a relay: its recipient would refuse it from anybody else.
    pub(crate) fn goes_by_relay_alone(
        &self,
        cx: &Context<'_>,
        stream: &Stream,
        recipient: &[u8],
        parcel: &ParcelRecord,
    ) -> Result<bool, EngineError> {
        if !matches!(stream, Stream::Introductions(_)) || parcel.request.is_empty() {
            return Ok(false);
        }
        let person = self.person(cx, recipient)?;
        Ok(person.is_some_and(|person| person.is_asked_by_name() && person.token == parcel.request))
    }
}

impl PersonRecord {
    /// This person asked without an invitation, and waits for the answer.
    pub(crate) fn is_asked_by_name(&self) -> bool {
        self.standing() == Standing::Requested
            && !self.met_at.is_empty()
            && !self.token.is_empty()
            && self.joining.is_empty()
    }

    /// The request by name waits for the key to which it is to be sealed.
    fn lacks_key_to_ask(&self) -> bool {
        self.is_asked_by_name() && !self.request_sealed && self.hybrid_key.is_empty()
    }
}

const TOKEN_BYTES: usize = 16;
