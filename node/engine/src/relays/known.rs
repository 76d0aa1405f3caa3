//! Mailboxes of contacts: what they have said of them, and which token is next.

use std::collections::BTreeSet;

use qpq_crypto::{
    delivery_token::DELIVERY_TOKEN_BYTES,
    relay_link::{RELAY_PLACE_BYTES_MAX, RELAY_PLACES_MAX, RelayPlace},
};
use qpq_proto::{
    Failure,
    ids::Identity,
    v1::{Mailbox, Mailboxes},
};

use super::MAILBOXES_TOLD_MAX;
use crate::{
    context::Context,
    engine::Engine,
    input::{EngineError, RelayLine},
    records::{ConversationRecord, Kind, MailboxRecord, MailboxesRecord, SpendingRecord, Standing},
    tables::{self, MAILBOXES},
};

/// Tokens in one message.
const TOKENS_TOLD_MAX: usize = 64;
/// Tokens kept of one mailbox; the oldest go.
const TOKENS_KEPT_MAX: usize = 128;
/// Mailboxes in one message that are gone.
const GONE_MAX: usize = 8;
/// Deliveries under way for which tokens are kept apart.
const SPENDING_MAX: usize = 16;
/// A mailbox that refuses so many tokens in a row is not used until its owner gives others.
const REFUSALS_MAX: u32 = 3;

/// A mailbox to be used, and the token for it.
pub(super) struct Chosen {
    pub mailbox: MailboxRecord,
    /// Empty for the mailbox of an identity.
    pub token: Vec<u8>,
    pub line: RelayLine,
}

impl Engine {
    /// A contact says where its deliveries may be left.
    pub(crate) fn take_mailboxes(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
        from: Identity,
        said: &Mailboxes,
    ) -> Result<(), Failure> {
        let person = self.person(cx, from.as_bytes())?.unwrap_or_default();
        // The tokens are for one person.
        if conversation.kind() != Kind::Direct || person.standing() != Standing::Accepted {
            return Ok(());
        }
        let gone: Vec<&Vec<u8>> = said.gone.iter().take(GONE_MAX).collect();
        let mut record = self.mailboxes(cx, from.as_bytes())?;
        record.mailboxes.retain(|known| !gone.contains(&&known.mailbox));
        self.save_mailboxes(cx, &record)?;
        Ok(self.learn_mailboxes(cx, from.as_bytes(), &said.mailboxes)?)
    }

    /// Somebody says, or a link says, where its deliveries may be left.
    pub(crate) fn learn_mailboxes(
        &mut self,
        cx: &mut Context<'_>,
        person: &[u8],
        mailboxes: &[Mailbox],
    ) -> Result<(), EngineError> {
        if mailboxes.is_empty() {
            return Ok(());
        }
        let mut record = self.mailboxes(cx, person)?;
        for mailbox in mailboxes.iter().take(MAILBOXES_TOLD_MAX).filter(|mailbox| is_fit(mailbox)) {
            record.learn(mailbox);
        }
        record.mailboxes.sort_by_key(|mailbox| mailbox.preference);
        record.mailboxes.truncate(MAILBOXES_TOLD_MAX);
        if !record.mailboxes.is_empty() {
            record.meeting.clear();
        }
        self.save_mailboxes(cx, &record)?;
        self.pump_later(person);
        Ok(())
    }

    /// Whose mailboxes have tokens left.
    pub(super) fn reachable_by_mail(&mut self, cx: &Context<'_>) -> Result<&BTreeSet<Vec<u8>>, EngineError> {
        if self.relays.reachable.is_none() {
            let all: Vec<MailboxesRecord> = tables::all(cx.tx, MAILBOXES)?;
            let usable = all.into_iter().filter(MailboxesRecord::is_usable);
            self.relays.reachable = Some(usable.map(|record| record.identity).collect());
        }
        Ok(self.relays.reachable.get_or_insert_default())
    }

    pub(crate) fn mailboxes(&self, cx: &Context<'_>, person: &[u8]) -> Result<MailboxesRecord, EngineError> {
        let record = tables::load(cx.tx, MAILBOXES, tables::key(person))?;
        let new = || MailboxesRecord { identity: person.to_vec(), ..MailboxesRecord::default() };
        Ok(record.unwrap_or_else(new))
    }

    pub(crate) fn save_mailboxes(
        &mut self,
        cx: &mut Context<'_>,
        record: &MailboxesRecord,
    ) -> Result<(), EngineError> {
        self.relays.is_reachable_changed = true;
        if let Some(reachable) = &mut self.relays.reachable {
            match record.is_usable() {
                true => drop(reachable.insert(record.identity.clone())),
                false => drop(reachable.remove(&record.identity)),
            }
        }
        match record.mailboxes.is_empty() && record.meeting.is_empty() {
            true => Ok(cx.tx.delete(MAILBOXES, tables::key(&record.identity))?),
            false => tables::save(cx.tx, MAILBOXES, tables::key(&record.identity), record),
        }
    }

    /// A contact is removed: forgets its mailboxes, and which tokens it has.
    pub(crate) fn forget_mailboxes(
        &mut self,
        cx: &mut Context<'_>,
        person: &[u8],
    ) -> Result<(), EngineError> {
        self.forget_grants(cx, person)?;
        let none = MailboxesRecord { identity: person.to_vec(), ..MailboxesRecord::default() };
        self.save_mailboxes(cx, &none)
    }

    /// The first of somebody's mailboxes that may be used now.
    pub(super) fn mailbox_now<'a>(
        &self,
        cx: &Context<'_>,
        record: &'a MailboxesRecord,
    ) -> Option<&'a MailboxRecord> {
        let now_ms = cx.now.monotonic_ms;
        let is_paused = |id: &[u8]| self.relays.pauses.get(id).is_some_and(|pauses| pauses.until_ms > now_ms);
        record.mailboxes.iter().find(|mailbox| mailbox.is_usable() && !is_paused(&mailbox.mailbox))
    }

    /// Chooses a mailbox and a token for a delivery, and writes down that the token is used for it.
    pub(super) fn choose_mailbox(
        &mut self,
        cx: &mut Context<'_>,
        person: &[u8],
        delivery: &[u8],
    ) -> Result<Option<Chosen>, EngineError> {
        let mut record = self.mailboxes(cx, person)?;
        let now_ms = cx.now.monotonic_ms;
        let is_paused = |id: &[u8]| self.relays.pauses.get(id).is_some_and(|pauses| pauses.until_ms > now_ms);
        let mut usable = record.mailboxes.iter_mut().filter(|mailbox| !is_paused(&mailbox.mailbox));
        let Some((mailbox, token)) =
            usable.find_map(|mailbox| mailbox.token_for(delivery).map(|token| (mailbox, token)))
        else {
            return Ok(self.meeting_mailbox(cx, &record));
        };
        let mailbox = mailbox.clone();
        self.save_mailboxes(cx, &record)?;
        let line = RelayLine::Anonymous { places: mailbox.places.clone() };
        Ok(Some(Chosen { mailbox, token, line }))
    }
}

impl MailboxRecord {
    fn is_usable(&self) -> bool {
        self.refusals < REFUSALS_MAX && !(self.tokens.is_empty() && self.spending.is_empty())
    }

    /// The token for a delivery: the one that was chosen before, or else the next.
    fn token_for(&mut self, delivery: &[u8]) -> Option<Vec<u8>> {
        if self.refusals >= REFUSALS_MAX {
            return None;
        }
        if let Some(spending) = self.spending.iter().find(|spending| spending.delivery == delivery) {
            return Some(spending.token.clone());
        }
        if self.tokens.is_empty() {
            return None;
        }
        let token = self.tokens.remove(0);
        let surplus = (self.spending.len() + 1).saturating_sub(SPENDING_MAX);
        self.spending.drain(..surplus);
        self.spending.push(SpendingRecord { token: token.clone(), delivery: delivery.to_vec() });
        Some(token)
    }

    /// A token is used up, or good for nothing.
    pub(super) fn forget_token(&mut self, token: &[u8]) {
        self.spending.retain(|spending| spending.token != token);
    }
}

impl MailboxesRecord {
    fn is_usable(&self) -> bool {
        !self.meeting.is_empty() || self.mailboxes.iter().any(MailboxRecord::is_usable)
    }

    fn learn(&mut self, said: &Mailbox) {
        let position = self.mailboxes.iter().position(|known| known.mailbox == said.mailbox);
        let mut known = position.map(|position| self.mailboxes.remove(position)).unwrap_or_default();
        known.places.clone_from(&said.places);
        known.pin.clone_from(&said.pin);
        known.mailbox.clone_from(&said.mailbox);
        known.preference = said.preference;
        known.refusals = 0;
        for token in &said.tokens {
            let is_known =
                known.tokens.contains(token) || known.spending.iter().any(|spent| spent.token == *token);
            if !is_known {
                known.tokens.push(token.clone());
            }
        }
        let surplus = known.tokens.len().saturating_sub(TOKENS_KEPT_MAX);
        known.tokens.drain(..surplus);
        self.mailboxes.push(known);
    }
}

/// Whether a mailbox that somebody names can be one.
fn is_fit(mailbox: &Mailbox) -> bool {
    let is_place =
        |place: &String| place.len() <= RELAY_PLACE_BYTES_MAX && place.parse::<RelayPlace>().is_ok();
    (1..=RELAY_PLACES_MAX).contains(&mailbox.places.len())
        && mailbox.places.iter().all(is_place)
        && mailbox.pin.len() == 32
        && mailbox.mailbox.len() == 32
        && mailbox.tokens.len() <= TOKENS_TOLD_MAX
        && mailbox.tokens.iter().all(|token| token.len() == DELIVERY_TOKEN_BYTES)
}

#[cfg(test)]
mod tests;
