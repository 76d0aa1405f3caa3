//! How far own messages got: the states, waiting for one, and the trace.

use qpq_crypto::digest;
use qpq_proto::{
    Failure,
    v1::{
        TraceMessageRequest, TraceMessageResponse, TraceRecipient, TraceStep, WaitMessageRequest,
        WaitMessageResponse,
    },
};

use super::handing::carriers;
use crate::{
    context::Context,
    engine::Engine,
    input::EngineError,
    outbox::Entry,
    records::{ConversationRecord, DeliveryRecord, Kind, MessageRecord, Progress, Stage},
    storage::Key,
    tables::{self, DELIVERIES},
};

impl Engine {
    /// An own text that waited for a group is sealed now, for so many recipients.
    pub(crate) fn text_sealed(
        &self,
        cx: &mut Context<'_>,
        message_id: &[u8],
        recipients: u32,
    ) -> Result<(), EngineError> {
        let Some((place, mut record)) = self.own_message(cx, message_id)? else { return Ok(()) };
        record.is_unsealed = false;
        record.is_kept_again = false;
        record.recipients = recipients;
        self.save_message(cx, &place, &record)
    }

    /// A delivery of an own message got further, or as far as it ever will.
    pub(crate) fn delivery_progressed(
        &mut self,
        cx: &mut Context<'_>,
        message_id: &[u8],
        recipient: &[u8],
        progress: Progress,
        reason: &str,
    ) -> Result<(), EngineError> {
        let Some((place, mut record)) = self.own_message(cx, message_id)? else { return Ok(()) };
        let key = delivery_key(message_id, recipient);
        let mut delivery: DeliveryRecord = tables::load(cx.tx, DELIVERIES, key)?.unwrap_or_default();
        let before = delivery.progress();
        let is_behind = progress == Progress::Relayed && before == Progress::Sent;
        if before == Progress::Delivered || progress == before || is_behind {
            return Ok(());
        }
        delivery.progress = progress.into();
        reason.clone_into(&mut delivery.reason);
        if delivery.sent_at_ms == 0 && matches!(progress, Progress::Sent | Progress::Delivered) {
            delivery.sent_at_ms = cx.now.wall_ms;
        }
        if delivery.relayed_at_ms == 0 && progress == Progress::Relayed {
            delivery.relayed_at_ms = cx.now.wall_ms;
        }
        let is_under_way = matches!(progress, Progress::Sent | Progress::Relayed);
        delivery.ended_at_ms = if is_under_way { 0 } else { cx.now.wall_ms };
        tables::save(cx.tx, DELIVERIES, key, &delivery)?;
        let state_before = state_word(&record);
        count(&mut record, before, progress);
        self.save_message(cx, &place, &record)?;
        if state_word(&record) != state_before || progress == Progress::Delivered {
            let conversation = self.conversation_of(cx, &place.conversation)?.conversation_id()?;
            self.log_message_state(cx, conversation, place.cursor)?;
        }
        Ok(())
    }

    /// Whether anything is noted of the delivery of an own message to somebody.
    pub(crate) fn has_delivery(
        &self,
        cx: &Context<'_>,
        message_id: &[u8],
        recipient: &[u8],
    ) -> Result<bool, EngineError> {
        Ok(cx.tx.get(DELIVERIES, delivery_key(message_id, recipient))?.is_some())
    }

    /// A delivery was tried in vain.
    pub(crate) fn delivery_tried(
        &self,
        cx: &mut Context<'_>,
        entry: &Entry,
        reason: &str,
    ) -> Result<(), EngineError> {
        if entry.parcel.message.is_empty() {
            return Ok(());
        }
        let key = delivery_key(&entry.parcel.message, &entry.recipient);
        let mut delivery: DeliveryRecord = tables::load(cx.tx, DELIVERIES, key)?.unwrap_or_default();
        delivery.attempts = delivery.attempts.saturating_add(1);
        reason.clone_into(&mut delivery.reason);
        tables::save(cx.tx, DELIVERIES, key, &delivery)
    }

    /// `WaitMessage` without the waiting, which is the driver's.
    pub(crate) fn wait_message(
        &mut self,
        cx: &mut Context<'_>,
        request: &WaitMessageRequest,
    ) -> Result<WaitMessageResponse, Failure> {
        let wanted = match request.state.as_str() {
            "sent" => Progress::Sent,
            "delivered" => Progress::Delivered,
            _ => return Err(Failure::bad_request("state", "one can wait for \"sent\" or \"delivered\"")),
        };
        let (place, record) = self.any_message(cx, &request.id)?;
        let conversation = self.conversation_of(cx, &place.conversation)?;
        let reached = match wanted {
            _ if record.is_unsealed => false,
            Progress::Delivered => record.delivered >= record.recipients,
            _ => record.sent + record.relayed >= record.recipients || record.handed > record.handed_volatile,
        };
        let mut waiting_for = Vec::new();
        if !reached {
            for (identity, delivery) in self.deliveries(cx, &conversation, &record)? {
                let is_short = match delivery.progress() {
                    Progress::Delivered => false,
                    Progress::Sent | Progress::Relayed => wanted == Progress::Delivered,
                    _ => true,
                };
                if is_short {
                    waiting_for.push(self.display_name(cx, &identity)?);
                }
            }
        }
        let message = self.message_view(cx, &conversation, place.cursor, &record)?;
        Ok(WaitMessageResponse { message: Some(message), reached: reached || !record.own, waiting_for })
    }

    pub(crate) fn trace_message(
        &mut self,
        cx: &mut Context<'_>,
        request: &TraceMessageRequest,
    ) -> Result<TraceMessageResponse, Failure> {
        let (place, record) = self.any_message(cx, &request.id)?;
        let conversation = self.conversation_of(cx, &place.conversation)?;
        let first = if record.own { "queued" } else { "received" };
        let mut steps = vec![step(record.stored_at_ms, first, "stored on this node".into())];
        if record.handed > 0 {
            steps.push(step(record.handed_at_ms, "handed", carriers(&record)));
        }
        let mut recipients = Vec::new();
        if record.own {
            for (identity, delivery) in self.deliveries(cx, &conversation, &record)? {
                let name = self.display_name(cx, &identity)?;
                steps.extend(delivery_steps(&name, &delivery));
                let reason = self.why_not_further(cx, &conversation, &identity, &delivery)?;
                recipients.push(TraceRecipient {
                    name,
                    state: progress_word(delivery.progress()).into(),
                    at_ms: delivery.ended_at_ms.max(delivery.sent_at_ms).max(delivery.relayed_at_ms),
                    reason,
                    attempts: delivery.attempts,
                });
            }
        }
        steps.sort_by_key(|step| step.at_ms);
        let message = self.message_view(cx, &conversation, place.cursor, &record)?;
        Ok(TraceMessageResponse { message: Some(message), steps, recipients })
    }

    /// Each recipient of an own message, as far as it is still a member, with how far the message got.
    pub(super) fn deliveries(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
        record: &MessageRecord,
    ) -> Result<Vec<(Vec<u8>, DeliveryRecord)>, EngineError> {
        let recipients = match (conversation.kind(), conversation.stage()) {
            (Kind::Direct, _) => vec![conversation.contact.clone()],
            (Kind::Group, Stage::Open) => self.other_members(cx, &conversation.group_id)?,
            (Kind::Group, Stage::Waiting | Stage::Ended) => Vec::new(),
        };
        let with_delivery = recipients.into_iter().map(|identity| {
            let key = delivery_key(&record.id, &identity);
            let delivery = tables::load(cx.tx, DELIVERIES, key)?.unwrap_or_default();
            Ok((identity, delivery))
        });
        with_delivery.collect()
    }

    pub(super) fn why_not_further(
        &self,
        cx: &Context<'_>,
        conversation: &ConversationRecord,
        identity: &[u8],
        delivery: &DeliveryRecord,
    ) -> Result<String, EngineError> {
        if delivery.progress() == Progress::Delivered {
            return Ok(String::new());
        }
        if !delivery.reason.is_empty() {
            return Ok(delivery.reason.clone());
        }
        if conversation.stage() == Stage::Waiting {
            return Ok("the contact has not answered the request yet".into());
        }
        let person = self.person(cx, identity)?.unwrap_or_default();
        let is_online = person.node_keys().iter().any(|node| self.peers.is_connected(node));
        Ok(match (delivery.progress(), is_online) {
            (Progress::Relayed, _) => {
                "at a relay of the recipient's, from which the recipient has not fetched it".into()
            }
            (Progress::Sent, _) => "stored on the recipient's node, which cannot open it yet".into(),
            (_, true) => "being delivered".into(),
            (_, false) => "the recipient's node is not connected".into(),
        })
    }
}

/// A recipient's part in a message's counts changes. What was given up may arrive all the same, when it is asked for
/// again.
pub(super) fn count(record: &mut MessageRecord, before: Progress, after: Progress) {
    let is_sent = |progress| matches!(progress, Progress::Sent | Progress::Delivered);
    let is_lost = |progress| matches!(progress, Progress::Expired | Progress::Failed);
    for (count, is_counted) in [
        (&mut record.sent, &is_sent as &dyn Fn(Progress) -> bool),
        (&mut record.delivered, &|progress| progress == Progress::Delivered),
        (&mut record.lost, &is_lost),
        (&mut record.relayed, &|progress| progress == Progress::Relayed),
    ] {
        *count = (*count + u32::from(is_counted(after))).saturating_sub(is_counted(before).into());
    }
    record.expired |= after == Progress::Expired;
}

/// The state of a message in one word.
pub(super) fn state_word(record: &MessageRecord) -> &'static str {
    if !record.own {
        return "received";
    }
    if record.is_unsealed {
        return "queued";
    }
    if record.recipients > 0 && record.lost >= record.recipients {
        return if record.expired { "expired" } else { "failed" };
    }
    if record.delivered + record.lost >= record.recipients {
        "delivered"
    } else if record.sent + record.lost >= record.recipients {
        "sent"
    } else if record.sent + record.relayed + record.lost >= record.recipients {
        "relayed"
    } else if record.handed > 0 {
        "handed"
    } else {
        "queued"
    }
}

pub(super) fn progress_word(progress: Progress) -> &'static str {
    match progress {
        Progress::Queued => "queued",
        Progress::Sent => "sent",
        Progress::Relayed => "relayed",
        Progress::Delivered => "delivered",
        Progress::Expired => "expired",
        Progress::Failed => "failed",
    }
}

pub(super) fn delivery_steps(name: &str, delivery: &DeliveryRecord) -> Vec<TraceStep> {
    let mut steps = Vec::new();
    if delivery.relayed_at_ms > 0 {
        steps.push(step(delivery.relayed_at_ms, "relayed", format!("stored at a relay of {name}")));
    }
    if delivery.sent_at_ms > 0 {
        steps.push(step(delivery.sent_at_ms, "sent", format!("stored on the node of {name}")));
    }
    if delivery.ended_at_ms > 0 {
        let detail = match delivery.progress() {
            Progress::Delivered => format!("opened and stored by {name}"),
            _ => format!("to {name}: {}", delivery.reason),
        };
        steps.push(step(delivery.ended_at_ms, progress_word(delivery.progress()), detail));
    }
    steps
}

pub(super) fn step(at_ms: u64, what: &str, detail: String) -> TraceStep {
    TraceStep { at_ms, what: what.into(), detail }
}

/// A delivery's record lies behind its message's id, and goes with it. The ordinal, which is visible on disk, is a
/// hash that nobody can compute who does not know that id.
fn delivery_key<'a>(message_id: &'a [u8], recipient: &[u8]) -> Key<'a> {
    let [a, b, c, d, e, f, g, h, ..] = digest::delivery_id(&[message_id, recipient].concat());
    tables::at(message_id, u64::from_be_bytes([a & 0x7f, b, c, d, e, f, g, h]))
}

#[cfg(test)]
mod tests;
