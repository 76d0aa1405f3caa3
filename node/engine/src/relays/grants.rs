//! Who may leave deliveries in this person's mailboxes: contacts, with tokens made for each of them.
//!
//! ```text
//!  made, written down ─► told to the relay ─► told to the contact ─► used ─► (half of them) made ...
//! ```
//!
//! A contact is told once the relay knows: a token that the relay does not know would be lost. Cut short between the
//! two, the relay is told once more.

use std::collections::BTreeSet;

use bytes::Bytes;
use qpq_crypto::delivery_token::DeliveryTokens;
use qpq_proto::{
    Method, Status,
    v1::{Mailbox, Mailboxes, SetDeliveryTokensRequest, content},
};
use zeroize::Zeroizing;

use super::{MAILBOXES_TOLD_MAX, Opened, RelayStep, Stage, key_of, request};
use crate::{
    content::sender_key,
    context::Context,
    engine::Engine,
    input::{CallFailure, EngineError, Now, RelayKey},
    outbox::Task,
    records::{GrantRecord, PersonRecord, RelayRecord, Stage as ConversationStage, Standing},
    sealing::Audience,
    tables::{self, GRANTS, PEOPLE},
};

/// Tokens that a contact has at most.
const TOKENS_FULL: u32 = 32;
/// With so many left, or fewer, it is given more.
const TOKENS_LOW: u32 = TOKENS_FULL / 2;
/// Contacts served by one call: their tokens are fewer than one call may set.
const CONTACTS_PER_CALL_MAX: usize = 24;
/// How long it takes until contacts who need tokens are looked for, so that several are served together, ms.
const GRANT_AFTER_MS: u64 = 500;
/// When a relay is told again of tokens that it did not take, ms.
const GRANT_AGAIN_MS: u64 = 60_000;

impl Engine {
    /// Looks, soon, for contacts who need tokens.
    pub(crate) fn grant_soon(&mut self, now: Now) {
        if !std::mem::replace(&mut self.relays.is_grant_planned, true) {
            let after_ms = if self.config.has_peers { GRANT_AFTER_MS } else { 0 };
            self.outbox.plan(now.monotonic_ms + after_ms, Task::Grants);
        }
    }

    /// Forgets which tokens a contact has.
    pub(super) fn forget_grants(&self, cx: &mut Context<'_>, contact: &[u8]) -> Result<(), EngineError> {
        for record in self.relay_records(cx)? {
            cx.tx.delete(GRANTS, tables::key(&sender_key(&record.pin, contact)))?;
        }
        Ok(())
    }

    /// There is a conversation with a contact, by which it can be told. One that starts anew has lost what it had.
    pub(crate) fn contact_ready(
        &mut self,
        cx: &mut Context<'_>,
        contact: &[u8],
        is_renewal: bool,
    ) -> Result<(), EngineError> {
        if is_renewal {
            self.forget_grants(cx, contact)?;
        }
        self.grant_soon(cx.now);
        Ok(())
    }

    /// Tells the relays at which this person is logged in of tokens for contacts who need some.
    pub(crate) fn grant_tokens(&mut self, cx: &mut Context<'_>) -> Result<(), EngineError> {
        self.relays.is_grant_planned = false;
        for record in self.relay_records(cx)?.into_iter().take(MAILBOXES_TOLD_MAX) {
            let Some(relay) = key_of(&record.pin) else { continue };
            let line = self.relays.lines.get(&relay);
            let is_ready = |line: &&super::line::Line| {
                line.stage == Stage::Ready && !line.is_granting && !line.has_enough_tokens
            };
            if line.filter(is_ready).is_some() {
                self.tell_tokens(cx, relay, record)?;
            }
        }
        Ok(())
    }

    fn tell_tokens(
        &mut self,
        cx: &mut Context<'_>,
        relay: RelayKey,
        mut record: RelayRecord,
    ) -> Result<(), EngineError> {
        let Some(tokens) = tokens_of(&record) else { return Ok(()) };
        let (mut add_hashes, mut contacts) = (Vec::new(), Vec::new());
        for contact in self.contacts_to_tell(cx)? {
            let mut grant = self.grant(cx, &record.pin, &contact.identity)?;
            if grant.next == grant.next_end && grant.unused <= TOKENS_LOW {
                grant.next = record.next_token;
                grant.next_end = grant.next + u64::from(TOKENS_FULL - grant.unused);
                record.next_token = grant.next_end;
                self.save_grant(cx, &grant)?;
            }
            if grant.next == grant.next_end {
                continue;
            }
            add_hashes.extend((grant.next..grant.next_end).map(|number| tokens.hash(number).to_vec()));
            contacts.push(contact.identity);
            if contacts.len() == CONTACTS_PER_CALL_MAX {
                break;
            }
        }
        let invitations = self.untold_invitations(cx, &record, &mut add_hashes)?;
        if contacts.is_empty() && invitations.is_empty() {
            return Ok(());
        }
        self.save_relay(cx, &record)?;
        let set = SetDeliveryTokensRequest {
            mailbox: record.mailbox.clone(),
            add_hashes,
            revoke_hashes: Vec::new(),
        };
        self.relays.line(relay).is_granting = true;
        let step = RelayStep::Tokens { contacts, invitations };
        self.call_own_relay(cx, relay, request(Method::SetDeliveryTokens, &set), step);
        Ok(())
    }

    /// The relay has answered whether it takes tokens: tells the contacts.
    pub(super) fn tokens_told(
        &mut self,
        cx: &mut Context<'_>,
        relay: RelayKey,
        (contacts, invitations): (&[Vec<u8>], &[Vec<u8>]),
        result: Result<Bytes, CallFailure>,
    ) -> Result<(), EngineError> {
        let line = self.relays.line(relay);
        line.is_granting = false;
        match result {
            Ok(_) => {
                for contact in contacts {
                    self.tell_contact(cx, relay, contact)?;
                }
                self.invitations_told(cx, invitations)?;
                self.grant_soon(cx.now);
                Ok(())
            }
            Err(CallFailure::Refused(failure)) if failure.status == Status::QuotaExceeded => {
                line.has_enough_tokens = true;
                // Whoever of them is to be asked is asked without.
                for contact in contacts {
                    self.outbox.plan(cx.now.monotonic_ms, Task::Retry(contact.clone()));
                }
                Ok(())
            }
            Err(failure) => {
                self.outbox.plan(cx.now.monotonic_ms + GRANT_AGAIN_MS, Task::Grants);
                self.step_failed(cx, relay, &failure)
            }
        }
    }

    fn tell_contact(
        &mut self,
        cx: &mut Context<'_>,
        relay: RelayKey,
        contact: &[u8],
    ) -> Result<(), EngineError> {
        let Some(record) = self.relay_record(cx, relay)? else { return Ok(()) };
        let Some(tokens) = tokens_of(&record) else { return Ok(()) };
        let mut grant = self.grant(cx, &record.pin, contact)?;
        let numbers = std::mem::replace(&mut grant.next, grant.next_end)..grant.next_end;
        if numbers.is_empty() {
            return Ok(());
        }
        let given = u32::try_from(numbers.end - numbers.start).unwrap_or(TOKENS_FULL);
        grant.unused = grant.unused.saturating_add(given);
        self.save_grant(cx, &grant)?;
        let mailbox = Mailbox {
            places: record.places.clone(),
            pin: record.pin.clone(),
            mailbox: record.mailbox.clone(),
            tokens: numbers.map(|number| tokens.token(number).to_vec()).collect(),
            preference: record.preference,
        };
        match self.person(cx, contact)?.filter(PersonRecord::is_asked_by_mail) {
            Some(person) => self.seal_request(cx, person, vec![mailbox]),
            None => self.say_mailboxes(cx, contact, Mailboxes { mailboxes: vec![mailbox], gone: Vec::new() }),
        }
    }

    /// Tells a contact of mailboxes, in the conversation of the two.
    pub(super) fn say_mailboxes(
        &mut self,
        cx: &mut Context<'_>,
        contact: &[u8],
        mailboxes: Mailboxes,
    ) -> Result<(), EngineError> {
        let Some(person) = self.person(cx, contact)?.filter(is_told) else { return Ok(()) };
        let Some(conversation) = self.conversation(cx, &person.conversation)? else { return Ok(()) };
        if conversation.stage() != ConversationStage::Open || self.broken.contains(&conversation.id) {
            return Ok(());
        }
        let content = self.unnumbered(cx, content::Kind::Mailboxes(mailboxes));
        self.seal_content(cx, &conversation, &content, Audience::Only(contact))
    }

    /// Something of a contact's came by a relay.
    pub(super) fn note_token_used(
        &mut self,
        cx: &mut Context<'_>,
        relay: RelayKey,
        contact: &[u8],
    ) -> Result<(), EngineError> {
        let key = sender_key(&relay.0, contact);
        let Some(mut grant) = tables::load::<GrantRecord>(cx.tx, GRANTS, tables::key(&key))? else {
            return Ok(());
        };
        grant.unused = grant.unused.saturating_sub(1);
        self.save_grant(cx, &grant)?;
        self.relays.line(relay).has_enough_tokens = false;
        if grant.unused <= TOKENS_LOW {
            self.grant_soon(cx.now);
        }
        Ok(())
    }

    /// Contacts with whom there is a conversation, and those who are asked by mail to become some.
    fn contacts_to_tell(&mut self, cx: &Context<'_>) -> Result<Vec<PersonRecord>, EngineError> {
        let mut people: Vec<PersonRecord> = tables::all(cx.tx, PEOPLE)?;
        people.retain(|person| is_told(person) || person.is_asked_by_mail());
        people.sort_by_key(|person| person.added_at_ms);
        let mut told = Vec::new();
        for person in people {
            if person.is_asked_by_mail() {
                if self.asks_by_mail(cx, &person)? {
                    told.push(person);
                }
                continue;
            }
            let conversation = self.conversation(cx, &person.conversation)?;
            if conversation.is_some_and(|conversation| conversation.stage() == ConversationStage::Open) {
                told.push(person);
            }
        }
        Ok(told)
    }

    fn grant(&self, cx: &Context<'_>, pin: &[u8], contact: &[u8]) -> Result<GrantRecord, EngineError> {
        let grant = tables::load(cx.tx, GRANTS, tables::key(&sender_key(pin, contact)))?;
        let new = || GrantRecord { pin: pin.to_vec(), identity: contact.to_vec(), ..GrantRecord::default() };
        Ok(grant.unwrap_or_else(new))
    }

    fn save_grant(&self, cx: &mut Context<'_>, grant: &GrantRecord) -> Result<(), EngineError> {
        tables::save(cx.tx, GRANTS, tables::key(&sender_key(&grant.pin, &grant.identity)), grant)
    }

    /// Contacts who have tokens of a relay's mailbox.
    pub(super) fn contacts_of_relay(
        &self,
        cx: &Context<'_>,
        pin: &[u8],
    ) -> Result<BTreeSet<Vec<u8>>, EngineError> {
        let grants: Vec<GrantRecord> = tables::all(cx.tx, GRANTS)?;
        let told = grants.into_iter().filter(|grant| grant.pin == pin && grant.unused > 0);
        Ok(told.map(|grant| grant.identity).collect())
    }

    /// Something came by a relay whose sender learns of it by the delivery's id alone.
    pub(super) fn note_delivery(
        &mut self,
        cx: &mut Context<'_>,
        opened: &Opened,
        delivery: Vec<u8>,
    ) -> Result<(), EngineError> {
        let conversation = self.conversation(cx, &opened.conversation)?;
        let open = conversation.filter(|conversation| conversation.stage() == ConversationStage::Open);
        match (open, opened.identity.as_slice().try_into()) {
            (Some(conversation), Ok(identity)) => {
                self.note_delivery_receipt(cx, &conversation, identity, delivery)
            }
            _ => Ok(()),
        }
    }
}

fn is_told(person: &PersonRecord) -> bool {
    person.standing() == Standing::Accepted
}

fn tokens_of(record: &RelayRecord) -> Option<DeliveryTokens> {
    let secret = record.token_secret.as_slice().try_into().ok();
    secret.map(|secret| DeliveryTokens::new(Zeroizing::new(secret)))
}
