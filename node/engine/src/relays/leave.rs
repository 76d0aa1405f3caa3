//! Leaving what is for others in mailboxes of theirs, where their own nodes are not connected.
//!
//! A token is written down, with the delivery for which it is used, before the call leaves. If no answer comes, the same
//! token and the same delivery are sent again. A relay that had taken them the first time refuses the token; with the
//! next one it says that it has the delivery already.

use std::collections::BTreeSet;

use bytes::Bytes;
use prost::Message as _;
use qpq_proto::{
    Failure, Status,
    limits::DELIVERY_PAYLOAD_BYTES_MAX,
    v1::{Content, EnqueueResponse, content},
};

use super::{decoded, key_of, known::Chosen, letters::Letter};
use crate::{
    context::Context,
    engine::Engine,
    input::{CallFailure, EngineError},
    outbox::{Entry, Stream, Task},
    records::{ParcelRecord, Progress},
    tables::{self, PAYLOADS},
};

/// How long a mailbox is left alone that is full, ms.
const FULL_PAUSE_MS: u64 = 300_000;

/// Which entry was left in which mailbox, and with which token.
pub(crate) struct Mailed<'a> {
    pub stream: &'a Stream,
    pub recipient: &'a [u8],
    pub ordinal: u64,
    pub mailbox: &'a [u8],
    pub token: &'a [u8],
}

impl Engine {
    /// Looks after somebody who can be reached by a relay, unless its node is connected until then.
    pub(crate) fn mail_soon(&mut self, cx: &Context<'_>, person: &[u8]) -> Result<(), EngineError> {
        if self.reachable_by_mail(cx)?.contains(person) {
            self.outbox.plan(cx.now.monotonic_ms + self.direct_first_ms(), Task::Retry(person.to_vec()));
        }
        Ok(())
    }

    /// Looks after those recipients of a conversation who can be reached by a relay.
    pub(crate) fn reach_by_mail(
        &mut self,
        cx: &Context<'_>,
        recipients: &BTreeSet<&Vec<u8>>,
    ) -> Result<(), EngineError> {
        let reachable = self.reachable_by_mail(cx)?.iter().filter(|person| recipients.contains(person));
        let reachable: Vec<Vec<u8>> = reachable.cloned().collect();
        self.to_pump.extend(reachable);
        Ok(())
    }

    /// Makes the next delivery of each stream ready for a recipient whose node is not connected.
    pub(crate) fn pump_mail(
        &mut self,
        cx: &mut Context<'_>,
        recipient: &[u8],
        streams: &[Stream],
    ) -> Result<(), EngineError> {
        if !self.reachable_by_mail(cx)?.contains(recipient) {
            return Ok(());
        }
        if cx.now.monotonic_ms < self.relays.quiet_until_ms {
            self.outbox.plan(self.relays.quiet_until_ms, Task::Retry(recipient.to_vec()));
            return Ok(());
        }
        for stream in streams {
            let is_under_way =
                self.is_under_way_to(recipient, stream) || self.leave_next(cx, stream, recipient)?;
            if is_under_way && !matches!(stream, Stream::Conversation(_)) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Makes the next delivery of one stream ready; false if there is none, or no mailbox that takes it now.
    fn leave_next(
        &mut self,
        cx: &mut Context<'_>,
        stream: &Stream,
        recipient: &[u8],
    ) -> Result<bool, EngineError> {
        let Some(entry) = self.next_entry(cx, stream, recipient)? else { return Ok(false) };
        let payload = cx.tx.get(PAYLOADS, tables::at(stream.key(), entry.ordinal))?;
        if payload.is_some_and(|payload| payload.len() > DELIVERY_PAYLOAD_BYTES_MAX) {
            return Ok(false);
        }
        let delivery = &entry.parcel.delivery;
        let Some(Chosen { mailbox, token, line }) = self.choose_mailbox(cx, recipient, delivery)? else {
            self.mail_when_pauses_end(cx, recipient)?;
            return Ok(false);
        };
        let Some(relay) = key_of(&mailbox.pin) else { return Ok(false) };
        let lifetime_s = entry.parcel.expires_node_ms.saturating_sub(cx.node_ms) / 1_000;
        self.relays.letters.push(Letter {
            stream: stream.clone(),
            recipient: recipient.to_vec(),
            ordinal: entry.ordinal,
            relay,
            line,
            mailbox: mailbox.mailbox,
            token,
            delivery: delivery.clone(),
            ttl_secs: u32::try_from(lifetime_s).unwrap_or(u32::MAX).max(1),
        });
        Ok(true)
    }

    fn is_under_way_to(&self, recipient: &[u8], stream: &Stream) -> bool {
        self.peers.is_delivering(recipient, stream) || self.is_letter_ready(recipient, stream)
    }

    /// Tries again when the first of somebody's mailboxes may be used again.
    pub(super) fn mail_when_pauses_end(
        &mut self,
        cx: &Context<'_>,
        recipient: &[u8],
    ) -> Result<(), EngineError> {
        let record = self.mailboxes(cx, recipient)?;
        let pauses = record.mailboxes.iter().filter_map(|mailbox| self.relays.pauses.get(&mailbox.mailbox));
        let met = self.relays.pauses.get(recipient).filter(|_| !record.meeting.is_empty());
        let ends = pauses
            .chain(met)
            .map(|pauses| pauses.until_ms)
            .filter(|until_ms| *until_ms > cx.now.monotonic_ms);
        if let Some(until_ms) = ends.min() {
            self.outbox.plan(until_ms, Task::Retry(recipient.to_vec()));
        }
        Ok(())
    }

    /// A relay has answered whether it took an entry.
    pub(crate) fn mail_answered(
        &mut self,
        cx: &mut Context<'_>,
        mailed: &Mailed<'_>,
        result: Result<Bytes, CallFailure>,
    ) -> Result<(), EngineError> {
        self.pump_later(mailed.recipient);
        match result.and_then(decoded::<EnqueueResponse>) {
            Ok(_) => self.mail_taken(cx, mailed),
            Err(CallFailure::Unreachable) => {
                self.pause_mailbox(cx, mailed.mailbox, 0);
                self.mail_failed(cx, mailed, "no relay of the recipient's was reached")
            }
            Err(CallFailure::Refused(failure)) => self.mail_not_taken(cx, mailed, &failure),
        }
    }

    fn mail_taken(&mut self, cx: &mut Context<'_>, mailed: &Mailed<'_>) -> Result<(), EngineError> {
        self.relays.pauses.remove(mailed.mailbox);
        let mut record = self.mailboxes(cx, mailed.recipient)?;
        if let Some(mailbox) = record.mailboxes.iter_mut().find(|known| known.mailbox == mailed.mailbox) {
            mailbox.forget_token(mailed.token);
            mailbox.refusals = 0;
        }
        self.save_mailboxes(cx, &record)?;
        match self.mailed_entry(cx, mailed)? {
            // Nobody acknowledges an acknowledgement.
            Some(entry) if is_receipt(&entry.parcel) => self.settle(cx, &entry),
            Some(entry) => {
                self.note_relayed(cx, &entry)?;
                if entry.parcel.message.is_empty() {
                    return Ok(());
                }
                let Entry { parcel, recipient, .. } = entry;
                self.delivery_progressed(cx, &parcel.message, &recipient, Progress::Relayed, "")
            }
            None => Ok(()),
        }
    }

    /// The entry, if its recipient still waits for it.
    pub(super) fn mailed_entry(
        &mut self,
        cx: &mut Context<'_>,
        mailed: &Mailed<'_>,
    ) -> Result<Option<Entry>, EngineError> {
        let Mailed { stream, recipient, ordinal, .. } = *mailed;
        if !self.recipients(cx, stream)?.is_some_and(|readers| readers.contains(recipient)) {
            return Ok(None);
        }
        self.pending_entry(cx, stream, recipient, ordinal)
    }

    fn mail_not_taken(
        &mut self,
        cx: &mut Context<'_>,
        mailed: &Mailed<'_>,
        failure: &Failure,
    ) -> Result<(), EngineError> {
        if mailed.mailbox == mailed.recipient {
            return self.meeting_failed(cx, mailed, failure);
        }
        let mut record = self.mailboxes(cx, mailed.recipient)?;
        let Some(position) = record.mailboxes.iter().position(|known| known.mailbox == mailed.mailbox) else {
            return Ok(());
        };
        match failure.status {
            // The node is no relay at present: the token is as good as before.
            Status::Forbidden if failure.field != "token" => {
                self.pause_mailbox(cx, mailed.mailbox, failure.retry_after_ms);
            }
            Status::Forbidden | Status::Unauthorized | Status::BadRequest | Status::UnknownMethod => {
                record.mailboxes[position].forget_token(mailed.token);
                record.mailboxes[position].refusals += 1;
            }
            Status::NotFound => drop(record.mailboxes.remove(position)),
            Status::QuotaExceeded => self.pause_mailbox(cx, mailed.mailbox, FULL_PAUSE_MS),
            _ => self.pause_mailbox(cx, mailed.mailbox, failure.retry_after_ms),
        }
        self.save_mailboxes(cx, &record)?;
        let reason = format!("a relay of the recipient's did not take it: {}", failure.message);
        self.mail_failed(cx, mailed, &reason)
    }

    pub(super) fn mail_failed(
        &mut self,
        cx: &mut Context<'_>,
        mailed: &Mailed<'_>,
        reason: &str,
    ) -> Result<(), EngineError> {
        match self.mailed_entry(cx, mailed)? {
            Some(entry) => self.delivery_tried(cx, &entry, reason),
            None => Ok(()),
        }
    }

    pub(super) fn pause_mailbox(&mut self, cx: &Context<'_>, mailbox: &[u8], at_least_ms: u64) {
        let pauses = self.relays.pauses.entry(mailbox.to_vec()).or_default();
        pauses.extend(cx.now.monotonic_ms, at_least_ms);
    }
}

/// Whether an entry says only what was received.
fn is_receipt(parcel: &ParcelRecord) -> bool {
    let content = Content::decode(parcel.content.as_slice()).ok().and_then(|content| content.kind);
    matches!(content, Some(content::Kind::Receipt(_)))
}
