//! Putting something into the outbox.

use std::collections::BTreeSet;

use qpq_crypto::digest;
use qpq_proto::Failure;

use crate::{
    context::Context,
    engine::Engine,
    input::EngineError,
    records::{ConversationRecord, ParcelRecord},
    storage::Direction,
    tables::{self, OUTGOING, PAYLOADS, UNSEALED},
};

use super::{Shipment, Stream, To};

impl Engine {
    /// Stores a payload, and sends it to those who are connected.
    pub(crate) fn ship(
        &mut self,
        cx: &mut Context<'_>,
        shipment: Shipment<'_>,
        to: To<'_>,
    ) -> Result<(), EngineError> {
        let (stream, recipients, except) = match to {
            To::Introduction(recipient) => {
                (Stream::introductions(recipient), &[recipient.to_vec()][..], Vec::new())
            }
            To::Person(recipient) => {
                (Stream::Person(recipient.to_vec()), &[recipient.to_vec()][..], Vec::new())
            }
            To::Members { recipients, except } => {
                (Stream::Conversation(shipment.conversation.to_vec()), recipients, except)
            }
        };
        if recipients.is_empty() {
            return Ok(());
        }
        let ordinal = self.next_parcel(cx)?;
        let parcel = ParcelRecord {
            remaining: u32::try_from(recipients.len()).unwrap_or(u32::MAX),
            recipient: stream.recipient().to_vec(),
            message: shipment.message.to_vec(),
            conversation: shipment.conversation.to_vec(),
            expires_node_ms: shipment
                .expires_node_ms
                .unwrap_or_else(|| cx.node_ms.saturating_add(self.delivery_lifetime_ms())),
            delivery: digest::delivery_id(&shipment.payload).to_vec(),
            content: shipment.content.to_vec(),
            request: shipment.request.to_vec(),
            device_list_sequence: self.me.as_ref().map_or(0, |me| me.device_list_sequence),
            is_introduction: matches!(stream, Stream::Introductions(_)),
            except,
            bundles: Vec::new(),
            is_refused: false,
            payload_bytes: shipment.payload.len() as u64,
        };
        self.streams(cx)?.added(&stream, &parcel);
        tables::save(cx.tx, OUTGOING, tables::at(stream.key(), ordinal), &parcel)?;
        cx.tx.put(PAYLOADS, tables::at(stream.key(), ordinal), shipment.payload)?;
        self.carry_soon(cx.now);
        self.reach(cx, recipients)
    }

    /// Looks after the queues of recipients who are connected, and asks for connections to the others.
    pub(super) fn reach(&mut self, cx: &mut Context<'_>, recipients: &[Vec<u8>]) -> Result<(), EngineError> {
        if let [recipient] = recipients {
            self.pump_later(recipient);
            return Ok(());
        }
        for recipient in recipients {
            if !self.peers.is_wanted(recipient)
                && let Some(person) = self.person(cx, recipient)?
            {
                self.want(cx, &person);
            }
        }
        let recipients: BTreeSet<&Vec<u8>> = recipients.iter().collect();
        self.reach_by_mail(cx, &recipients)?;
        for node in self.peers.connected() {
            for person in self.owners_of_node(cx, node)? {
                if recipients.contains(&person) {
                    self.pump_later(&person);
                }
            }
        }
        Ok(())
    }

    /// Refuses when as much waits in a conversation already, sealed or not, as may wait there, or in the whole outbox.
    pub(crate) fn check_room(
        &mut self,
        cx: &Context<'_>,
        conversation: &ConversationRecord,
    ) -> Result<(), Failure> {
        let own = Stream::Person(conversation.contact.clone());
        let index = self.streams(cx)?;
        let sealed = index.waiting(&Stream::Conversation(conversation.id.clone())) + index.waiting(&own);
        let waiting = sealed.saturating_add(unsealed(cx, &conversation.id)?);
        if waiting >= self.limits.outbox_deliveries_max {
            return Err(Failure::quota(format!(
                "{waiting} deliveries wait in this conversation already: wait until some of them are there; \
                 `qpq status` shows whose nodes are not reached"
            )));
        }
        if self.is_outbox_full(cx)? {
            return Err(Failure::quota(format!(
                "the outbox is full with {} bytes: wait until some of them are there; `qpq status` shows whose nodes \
                 are not reached, and `qpq contact remove` drops what waits for somebody",
                self.streams(cx)?.bytes()
            )));
        }
        Ok(())
    }

    /// Whether the payloads that wait take as many bytes as they may.
    pub(crate) fn is_outbox_full(&mut self, cx: &Context<'_>) -> Result<bool, EngineError> {
        let bytes = self.streams(cx)?.bytes();
        Ok(bytes >= self.limits.outbox_bytes_max)
    }
}

/// How many contents wait in a conversation for a group, by the first and the last of them: they are added at the end
/// and go all at once, or from the front. Reading each would cost more with every one.
fn unsealed(cx: &Context<'_>, conversation: &[u8]) -> Result<usize, EngineError> {
    let end = |direction| cx.tx.scan(UNSEALED, conversation, 0..u64::MAX, direction, 1);
    let (first, last) = (end(Direction::Forward)?, end(Direction::Backward)?);
    let (Some((first, _)), Some((last, _))) = (first.first(), last.first()) else { return Ok(0) };
    Ok(usize::try_from(last - first).unwrap_or(usize::MAX).saturating_add(1))
}

#[cfg(test)]
mod tests;
