//! Asking somebody whose node is not reached, by the mailbox that its link names.
//!
//! ```text
//!  bob (holds alice's link)         alice's relay          bob's relay            alice
//!   FetchHybridKey {token} ────────►   key
//!   SetDeliveryTokens ────────────────────────────────────► knows tokens
//!   request {mailbox, tokens} ─────►   ················ fetched when alice is there ···►
//!                        ◄──────────────────────────────── answer, with those tokens ───
//! ```
//!
//! The token of the link with which the key is fetched is not used up by it. The request goes out when this person's own
//! relay, if it has one, knows the tokens that are in it: without them nobody could answer by it.

use bytes::Bytes;
use prost::Message as _;
use qpq_crypto::{
    delivery_token::DeliveryTokens,
    link::{LINK_DELIVERY_TOKENS, LinkMailbox},
};
use qpq_proto::{
    Method,
    v1::{FetchHybridKeyRequest, FetchHybridKeyResponse, Mailbox},
};
use zeroize::Zeroizing;

use super::{MAILBOXES_TOLD_MAX, decoded, key_of};
use crate::{
    context::Context,
    engine::Engine,
    input::{CallFailure, EngineError, RelayLine},
    introductions::is_hybrid_key_of,
    peers::Purpose,
    records::{PersonRecord, Standing},
};

/// How long a relay is left alone that gave another key than the person's, ms.
const FORGED_PAUSE_MS: u64 = 300_000;

impl Engine {
    /// Notes the mailbox that a person's link names; what it was told of an earlier request may be lost.
    pub(crate) fn note_link_mailbox(
        &mut self,
        cx: &mut Context<'_>,
        person: &PersonRecord,
        named: &LinkMailbox,
    ) -> Result<(), EngineError> {
        if person.standing() == Standing::Requested {
            self.forget_grants(cx, &person.identity)?;
        }
        let tokens = DeliveryTokens::new(Zeroizing::new(named.secret));
        let mailbox = Mailbox {
            places: named.places.iter().map(ToString::to_string).collect(),
            pin: named.pin.to_vec(),
            mailbox: named.mailbox.to_vec(),
            tokens: (0..LINK_DELIVERY_TOKENS).map(|number| tokens.token(number).to_vec()).collect(),
            preference: 0,
        };
        self.learn_mailboxes(cx, &person.identity, &[mailbox])
    }

    /// Goes on asking a person, if that is to go by a relay.
    pub(crate) fn ask_by_mail(&mut self, cx: &mut Context<'_>, identity: &[u8]) -> Result<(), EngineError> {
        if !self.reachable_by_mail(cx)?.contains(identity) || cx.now.monotonic_ms < self.relays.quiet_until_ms
        {
            return Ok(());
        }
        let person = self.person(cx, identity)?.filter(PersonRecord::is_unasked);
        match person.filter(|person| !person.is_asked_by_name() && !self.is_node_connected(person)) {
            Some(person) if person.hybrid_key.is_empty() => self.fetch_key_by_mail(cx, &person),
            Some(person) if self.is_told_first(cx, &person)? => {
                self.grant_soon(cx.now);
                Ok(())
            }
            Some(person) => self.seal_request(cx, person, Vec::new()),
            None => Ok(()),
        }
    }

    /// Whether a person is asked by a relay as soon as this person's own one knows the tokens for the answer.
    pub(super) fn asks_by_mail(
        &mut self,
        cx: &Context<'_>,
        person: &PersonRecord,
    ) -> Result<bool, EngineError> {
        Ok(person.is_asked_by_mail()
            && !self.is_node_connected(person)
            && self.reachable_by_mail(cx)?.contains(&person.identity))
    }

    /// Whether a node of a person's is connected.
    pub(crate) fn is_node_connected(&self, person: &PersonRecord) -> bool {
        person.node_keys().iter().any(|node| self.peers.is_connected(node))
    }

    /// Whether a relay is to be told of tokens before the request goes out.
    fn is_told_first(&self, cx: &Context<'_>, person: &PersonRecord) -> Result<bool, EngineError> {
        let takes_tokens = |pin: &[u8]| {
            let line = key_of(pin).and_then(|relay| self.relays.lines.get(&relay));
            line.is_some_and(|line| !line.has_enough_tokens)
        };
        let own = self.relay_records(cx)?;
        let mut own = own.iter().take(MAILBOXES_TOLD_MAX);
        Ok(person.is_asked_by_mail()
            && own.any(|record| !record.session_token.is_empty() && takes_tokens(&record.pin)))
    }

    fn fetch_key_by_mail(&mut self, cx: &mut Context<'_>, person: &PersonRecord) -> Result<(), EngineError> {
        let record = self.mailboxes(cx, &person.identity)?;
        let Some(mailbox) = self.mailbox_now(cx, &record).cloned() else {
            return self.mail_when_pauses_end(cx, &person.identity);
        };
        let purpose =
            Purpose::MailedHybridKey { person: person.identity.clone(), mailbox: mailbox.mailbox.clone() };
        let Some(relay) = key_of(&mailbox.pin).filter(|_| !self.peers.is_under_way(&purpose)) else {
            return Ok(());
        };
        let request = FetchHybridKeyRequest {
            identity_key: person.identity.clone(),
            mailbox: mailbox.mailbox,
            token: mailbox.tokens.first().cloned().unwrap_or_default(),
        };
        let payload = Bytes::from(request.encode_to_vec());
        let line = RelayLine::Anonymous { places: mailbox.places };
        cx.effects.push(self.peers.call_relay((relay, line), Method::FetchHybridKey, payload, purpose));
        Ok(())
    }

    /// A relay has answered what a person's hybrid key is.
    pub(crate) fn hybrid_key_fetched(
        &mut self,
        cx: &mut Context<'_>,
        identity: &[u8],
        mailbox: &[u8],
        result: Result<Bytes, CallFailure>,
    ) -> Result<(), EngineError> {
        let Some(person) = self.person(cx, identity)?.filter(PersonRecord::is_unasked) else {
            return Ok(());
        };
        let at_least_ms = match result.and_then(decoded::<FetchHybridKeyResponse>) {
            Ok(response) if is_hybrid_key_of(identity, &response) => {
                self.relays.pauses.remove(mailbox);
                self.keep_hybrid_key(cx, person, response)?;
                return self.ask_by_mail(cx, identity);
            }
            // The relay cannot know better, and another way may be found.
            Ok(_) => FORGED_PAUSE_MS,
            Err(CallFailure::Unreachable) => 0,
            Err(CallFailure::Refused(failure)) => failure.retry_after_ms,
        };
        self.pause_mailbox(cx, mailbox, at_least_ms);
        self.mail_when_pauses_end(cx, identity)
    }
}

impl PersonRecord {
    /// There is a request to become contacts that has not been sealed.
    pub(crate) fn is_unasked(&self) -> bool {
        !self.token.is_empty() && !self.request_sealed && self.joining.is_empty()
    }

    /// There is one to somebody who knows nothing of this person yet, and whose key is known.
    pub(crate) fn is_asked_by_mail(&self) -> bool {
        self.is_unasked()
            && self.standing() == Standing::Requested
            && !self.is_asked_by_name()
            && !self.hybrid_key.is_empty()
    }
}
