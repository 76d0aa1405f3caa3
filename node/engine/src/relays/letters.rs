//! What is about to be left in mailboxes: what the present input has made ready goes out when it is done.
//!
//! A message for a group is one payload for many mailboxes, several of which may be at one relay. Those go there with one
//! `BatchEnqueue`, the payload once; the relay takes all or none. If it takes none, each goes by a call of its own with the
//! token that was chosen for it, so that one that is refused does not hold up the others. A relay learns nothing by it that
//! the delivery's id, the same in each call, would not say.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message as _;
use qpq_proto::{
    Method, Status,
    limits::BATCH_RECIPIENTS_MAX,
    v1::{BatchEnqueueRequest, BatchEnqueueResponse, BatchRecipient, EnqueueRequest},
};

use super::{decoded, leave::Mailed};
use crate::{
    context::Context,
    engine::Engine,
    input::{CallFailure, EngineError, RelayKey, RelayLine},
    outbox::Stream,
    peers::Purpose,
    tables::{self, PAYLOADS},
};

/// An entry of the outbox, for a mailbox of its recipient's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Letter {
    pub stream: Stream,
    pub recipient: Vec<u8>,
    pub ordinal: u64,
    pub relay: RelayKey,
    pub line: RelayLine,
    pub mailbox: Vec<u8>,
    /// Empty over this person's own session.
    pub token: Vec<u8>,
    /// The delivery's id.
    pub delivery: Vec<u8>,
    pub ttl_secs: u32,
}

impl Letter {
    /// What letters have in common that go by one call; `None` for one that goes alone.
    fn batch(&self) -> Option<(RelayKey, Vec<String>, Stream, u64)> {
        match &self.line {
            RelayLine::Session => None,
            RelayLine::Anonymous { places } => {
                Some((self.relay, places.clone(), self.stream.clone(), self.ordinal))
            }
        }
    }

    fn mailed(&self) -> Mailed<'_> {
        Mailed {
            stream: &self.stream,
            recipient: &self.recipient,
            ordinal: self.ordinal,
            mailbox: &self.mailbox,
            token: &self.token,
        }
    }

    fn purpose(self) -> Purpose {
        let Self { stream, recipient, ordinal, mailbox, token, .. } = self;
        Purpose::Mail { stream, recipient, ordinal, mailbox, token }
    }
}

impl Engine {
    /// Whether something of a stream is about to go to a mailbox of somebody's.
    pub(super) fn is_letter_ready(&self, recipient: &[u8], stream: &Stream) -> bool {
        self.relays.letters.iter().any(|letter| letter.recipient == recipient && letter.stream == *stream)
    }

    /// Sends what is ready.
    pub(crate) fn send_letters(&mut self, cx: &mut Context<'_>) -> Result<(), EngineError> {
        let mut batches: BTreeMap<_, Vec<Letter>> = BTreeMap::new();
        for letter in std::mem::take(&mut self.relays.letters) {
            match letter.batch() {
                Some(batch) => batches.entry(batch).or_default().push(letter),
                None => self.send_letter(cx, letter)?,
            }
        }
        for letters in batches.into_values() {
            for letters in letters.chunks(BATCH_RECIPIENTS_MAX) {
                match letters {
                    [letter] => self.send_letter(cx, letter.clone())?,
                    letters => self.send_batch(cx, letters)?,
                }
            }
        }
        Ok(())
    }

    fn send_letter(&mut self, cx: &mut Context<'_>, letter: Letter) -> Result<(), EngineError> {
        let enqueue = EnqueueRequest {
            mailbox: letter.mailbox.clone(),
            payload: payload(cx, &letter)?,
            ttl_secs: letter.ttl_secs,
            delivery_id: letter.delivery.clone(),
            token: letter.token.clone(),
            ..EnqueueRequest::default()
        };
        let to = (letter.relay, letter.line.clone());
        let request = enqueue.encode_to_vec().into();
        cx.effects.push(self.peers.call_relay(to, Method::Enqueue, request, letter.purpose()));
        Ok(())
    }

    /// Sends letters with the same payload to the same relay.
    fn send_batch(&mut self, cx: &mut Context<'_>, letters: &[Letter]) -> Result<(), EngineError> {
        let Some(first) = letters.first() else { return Ok(()) };
        let recipient =
            |letter: &Letter| BatchRecipient { mailbox: letter.mailbox.clone(), token: letter.token.clone() };
        let batch = BatchEnqueueRequest {
            recipients: letters.iter().map(recipient).collect(),
            payload: payload(cx, first)?,
            ttl_secs: first.ttl_secs,
            delivery_id: first.delivery.clone(),
            ..BatchEnqueueRequest::default()
        };
        let (to, request) = ((first.relay, first.line.clone()), batch.encode_to_vec().into());
        let purpose = Purpose::MailBatch { letters: letters.to_vec() };
        cx.effects.push(self.peers.call_relay(to, Method::BatchEnqueue, request, purpose));
        Ok(())
    }

    /// A relay has answered whether it took a batch.
    pub(crate) fn batch_answered(
        &mut self,
        cx: &mut Context<'_>,
        letters: Vec<Letter>,
        result: Result<Bytes, CallFailure>,
    ) -> Result<(), EngineError> {
        let answered = result.and_then(decoded::<BatchEnqueueResponse>);
        if matches!(&answered, Err(failure) if is_for_one(failure)) {
            return letters.into_iter().try_for_each(|letter| self.send_letter_again(cx, letter));
        }
        for letter in &letters {
            let taken = answered.as_ref().map(|_| Bytes::new()).map_err(Clone::clone);
            self.mail_answered(cx, &letter.mailed(), taken)?;
        }
        Ok(())
    }

    /// Sends a letter of a batch that was refused, if its recipient still waits for it.
    fn send_letter_again(&mut self, cx: &mut Context<'_>, letter: Letter) -> Result<(), EngineError> {
        if self.mailed_entry(cx, &letter.mailed())?.is_none() {
            self.pump_later(&letter.recipient);
            return Ok(());
        }
        self.send_letter(cx, letter)
    }
}

/// Whether a batch was refused for what may be one mailbox's fault, or for being one.
fn is_for_one(failure: &CallFailure) -> bool {
    match failure {
        CallFailure::Unreachable => false,
        CallFailure::Refused(failure) => !matches!(
            failure.status,
            Status::RateLimited | Status::Unavailable | Status::DeadlineExceeded | Status::Internal
        ),
    }
}

fn payload(cx: &Context<'_>, letter: &Letter) -> Result<Bytes, EngineError> {
    Ok(cx.tx.get(PAYLOADS, tables::at(letter.stream.key(), letter.ordinal))?.unwrap_or_default())
}
