//! The outbox: sealed parcels, and for each recipient a queue of what it has not got yet.
//!
//! A parcel lies in storage once, however many recipients it has. One delivery of a recipient is under way at a
//! time, so that what one person says arrives in the order in which it was said, and a message never overtakes the
//! commit or welcome before it.
//!
//! ```text
//!             pump             Ok(STORED / DELIVERED)
//!   queued ─────────► under way ─────────────────────► done
//!     ▲                  │
//!     │   unreachable,   │ refused for good
//!     └── retry later ◄──┴──────────────────► failed, or sealed again (stale epoch)
//! ```

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use prost::Message as _;
use qpq_crypto::digest;
use qpq_proto::{
    Failure, Method, Status,
    v1::{Disposition, EnqueueRequest, EnqueueResponse},
};

use crate::{
    context::Context,
    conversations::ConversationId,
    engine::Engine,
    input::{CallFailure, EngineError},
    peers::Purpose,
    records::{ParcelRecord, Progress, QueueRecord},
    tables::{self, PARCELS, PAYLOADS, QUEUE},
};

/// First pause after a refusal that may pass, ms; doubled up to [`RETRY_MAX_MS`].
const RETRY_MIN_MS: u64 = 1_000;
/// Longest pause between two tries, ms.
const RETRY_MAX_MS: u64 = 300_000;
/// How long an unanswered gap is watched before the missing contents are asked for, ms.
pub(crate) const GAP_PATIENCE_MS: u64 = 20_000;
/// How long the outbox keeps what it cannot deliver: longer than any carrier may, 35 days, ms.
const OUTBOX_LIFETIME_MS: u64 = 35 * 86_400_000;
/// How often the outbox is searched for what has expired, ms.
const SWEEP_EVERY_MS: u64 = 3_600_000;

/// Something to do at a moment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Task {
    /// Try a recipient again.
    Retry(Vec<u8>),
    /// Look whether contents of a sender are still missing.
    Gap { conversation: ConversationId, sender: Vec<u8> },
    /// Look for what has expired.
    Sweep,
}

/// Pauses and planned tasks of this run; nothing of it is kept.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    tasks: BTreeSet<(u64, Task)>,
    /// Failures in a row, and until when a recipient is left alone, monotonic ms.
    pauses: BTreeMap<Vec<u8>, (u32, u64)>,
}

/// A payload to be delivered.
pub(crate) struct Shipment<'a> {
    pub payload: Bytes,
    /// Message id; empty for what is no message.
    pub message: &'a [u8],
    /// Empty for introductions.
    pub conversation: &'a [u8],
    /// A content that is no text; empty for everything else.
    pub content: &'a [u8],
}

/// An entry of a recipient's queue with what it shares with the other recipients.
pub(crate) struct Entry {
    pub recipient: Vec<u8>,
    pub ordinal: u64,
    pub queue: QueueRecord,
    pub parcel: ParcelRecord,
}

impl Outbox {
    pub(crate) fn wake_at(&self) -> Option<u64> {
        self.tasks.first().map(|(at, _)| *at)
    }

    pub(crate) fn plan(&mut self, at_monotonic_ms: u64, task: Task) {
        self.tasks.insert((at_monotonic_ms, task));
    }

    /// Removes and returns what is due.
    pub(crate) fn take_due(&mut self, monotonic_ms: u64) -> Vec<Task> {
        let later = self.tasks.split_off(&(monotonic_ms + 1, Task::Retry(Vec::new())));
        let due = std::mem::replace(&mut self.tasks, later);
        due.into_iter().map(|(_, task)| task).collect()
    }

    /// The recipient is connected: pauses are over.
    pub(crate) fn reachable_again(&mut self, recipient: &[u8]) {
        self.pauses.remove(recipient);
    }

    fn is_paused(&self, recipient: &[u8], monotonic_ms: u64) -> bool {
        self.pauses.get(recipient).is_some_and(|(_, until)| *until > monotonic_ms)
    }

    fn pause(&mut self, recipient: &[u8], monotonic_ms: u64, at_least_ms: u64) {
        let (failures, until) = self.pauses.entry(recipient.to_vec()).or_default();
        let pause = RETRY_MIN_MS
            .saturating_mul(1 << (*failures).min(10))
            .clamp(at_least_ms.min(RETRY_MAX_MS), RETRY_MAX_MS);
        *failures += 1;
        *until = monotonic_ms + pause;
        let at = *until;
        self.plan(at, Task::Retry(recipient.to_vec()));
    }
}

impl Engine {
    /// Stores a payload and queues it for recipients.
    pub(crate) fn ship<'a>(
        &mut self,
        cx: &mut Context<'_>,
        shipment: Shipment<'_>,
        recipients: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<(), EngineError> {
        let delivery = digest::delivery_id(&shipment.payload).to_vec();
        let mut deliveries = 0;
        for recipient in recipients {
            let ordinal = tables::next_ordinal(cx.tx, QUEUE, recipient)?;
            let record = QueueRecord { delivery: delivery.clone(), attempts: 0 };
            tables::save(cx.tx, QUEUE, tables::at(recipient, ordinal), &record)?;
            deliveries += 1;
            self.pump_later(recipient);
        }
        if deliveries == 0 {
            return Ok(());
        }
        let parcel = ParcelRecord {
            deliveries,
            message: shipment.message.to_vec(),
            conversation: shipment.conversation.to_vec(),
            expires_node_ms: cx.node_ms + OUTBOX_LIFETIME_MS,
            delivery: delivery.clone(),
            content: shipment.content.to_vec(),
        };
        tables::save(cx.tx, PARCELS, tables::key(&delivery), &parcel)?;
        Ok(cx.tx.put(PAYLOADS, tables::key(&delivery), shipment.payload)?)
    }

    /// The first entries of a recipient's queue.
    fn entries(&self, cx: &Context<'_>, recipient: &[u8], limit: usize) -> Result<Vec<Entry>, EngineError> {
        let waiting: Vec<(u64, QueueRecord)> = tables::first(cx.tx, QUEUE, recipient, limit)?;
        waiting.into_iter().map(|(ordinal, queue)| self.entry(cx, recipient, ordinal, queue)).collect()
    }

    fn entry(
        &self,
        cx: &Context<'_>,
        recipient: &[u8],
        ordinal: u64,
        queue: QueueRecord,
    ) -> Result<Entry, EngineError> {
        let parcel = tables::load(cx.tx, PARCELS, tables::key(&queue.delivery))?.unwrap_or_default();
        Ok(Entry { recipient: recipient.to_vec(), ordinal, queue, parcel })
    }

    /// Refuses when so much waits for a recipient already that more would only grow the outbox.
    pub(crate) fn check_room(&self, cx: &Context<'_>, recipient: &[u8]) -> Result<(), Failure> {
        let oldest = tables::first::<QueueRecord>(cx.tx, QUEUE, recipient, 1)?;
        let Some((oldest, _)) = oldest.first() else { return Ok(()) };
        let waiting = tables::next_ordinal(cx.tx, QUEUE, recipient)? - oldest;
        if waiting > self.limits.outbox_deliveries_max as u64 {
            return Err(Failure::quota(format!("{waiting} deliveries wait for this recipient already")));
        }
        Ok(())
    }

    /// Looks at a recipient's queue when the present input is done.
    pub(crate) fn pump_later(&mut self, recipient: &[u8]) {
        self.to_pump.insert(recipient.to_vec());
    }

    pub(crate) fn has_waiting(&self, cx: &Context<'_>, recipient: &[u8]) -> Result<bool, EngineError> {
        Ok(!tables::first::<QueueRecord>(cx.tx, QUEUE, recipient, 1)?.is_empty())
    }

    pub(crate) fn pump_all(&mut self, cx: &mut Context<'_>) -> Result<(), EngineError> {
        for recipient in std::mem::take(&mut self.to_pump) {
            self.pump(cx, &recipient)?;
        }
        Ok(())
    }

    /// Starts the next delivery to a recipient, if none is under way.
    fn pump(&mut self, cx: &mut Context<'_>, recipient: &[u8]) -> Result<(), EngineError> {
        if !self.peers.deliveries_under_way(recipient).is_empty() {
            return Ok(());
        }
        let Some(entry) = self.entries(cx, recipient, 1)?.into_iter().next() else { return Ok(()) };
        let Some(person) = self.person(cx, recipient)? else { return Ok(()) };
        self.want(cx, &person);
        let node = person.node_keys().into_iter().find(|node| self.peers.is_connected(node));
        let Some(node) = node.filter(|_| !self.outbox.is_paused(recipient, cx.now.monotonic_ms)) else {
            return Ok(());
        };
        let request = self.delivery_request(cx, &entry)?;
        let purpose = Purpose::Delivery { recipient: recipient.to_vec(), ordinal: entry.ordinal };
        cx.effects.push(self.peers.call(node, Method::Enqueue, request, purpose));
        Ok(())
    }

    fn delivery_request(&self, cx: &Context<'_>, entry: &Entry) -> Result<Bytes, EngineError> {
        let request = EnqueueRequest {
            mailbox: entry.recipient.clone(),
            payload: cx.tx.get(PAYLOADS, tables::key(&entry.queue.delivery))?.unwrap_or_default(),
            delivery_id: entry.queue.delivery.clone(),
            ..EnqueueRequest::default()
        };
        Ok(request.encode_to_vec().into())
    }

    /// A delivery's call has ended.
    pub(crate) fn delivery_answered(
        &mut self,
        cx: &mut Context<'_>,
        recipient: &[u8],
        ordinal: u64,
        result: Result<Bytes, CallFailure>,
    ) -> Result<(), EngineError> {
        let Some(queue) = tables::load::<QueueRecord>(cx.tx, QUEUE, tables::at(recipient, ordinal))? else {
            return Ok(());
        };
        let entry = self.entry(cx, recipient, ordinal, queue)?;
        self.pump_later(recipient);
        match result {
            Ok(response) => {
                self.outbox.reachable_again(recipient);
                let disposition = EnqueueResponse::decode(response).map(|response| response.disposition());
                let progress = match disposition {
                    Ok(Disposition::Delivered) => Progress::Delivered,
                    _ => Progress::Sent,
                };
                self.finish(cx, &entry, progress, "")
            }
            Err(CallFailure::Unreachable) => self.try_again(cx, entry, 0, "the node was not reached"),
            Err(CallFailure::Refused(failure)) => self.refused(cx, entry, &failure),
        }
    }

    fn refused(&mut self, cx: &mut Context<'_>, entry: Entry, failure: &Failure) -> Result<(), EngineError> {
        match failure.status {
            Status::Conflict if !entry.parcel.message.is_empty() || !entry.parcel.content.is_empty() => {
                // If it is this node that is behind, sealing again changes nothing until the commit has come.
                self.outbox.pause(&entry.recipient, cx.now.monotonic_ms, 0);
                self.remove_entry(cx, &entry)?;
                self.seal_again(cx, &entry)
            }
            Status::Conflict
            | Status::NotFound
            | Status::Forbidden
            | Status::BadRequest
            | Status::UnknownMethod => self.finish(cx, &entry, Progress::Failed, &failure.message),
            _ => self.try_again(cx, entry, failure.retry_after_ms, &failure.message),
        }
    }

    fn try_again(
        &mut self,
        cx: &mut Context<'_>,
        mut entry: Entry,
        after_ms: u64,
        reason: &str,
    ) -> Result<(), EngineError> {
        self.outbox.pause(&entry.recipient, cx.now.monotonic_ms, after_ms);
        entry.queue.attempts += 1;
        tables::save(cx.tx, QUEUE, tables::at(&entry.recipient, entry.ordinal), &entry.queue)?;
        self.delivery_tried(cx, &entry, reason)
    }

    /// An entry is done with: removes it, and the payload with the last one.
    pub(crate) fn finish(
        &mut self,
        cx: &mut Context<'_>,
        entry: &Entry,
        progress: Progress,
        reason: &str,
    ) -> Result<(), EngineError> {
        self.remove_entry(cx, entry)?;
        if entry.parcel.message.is_empty() {
            return self.introduction_finished(cx, &entry.recipient, progress, reason);
        }
        self.delivery_progressed(cx, &entry.parcel.message, &entry.recipient, progress, reason)
    }

    /// Tells the owner if somebody who was asked will never get the request.
    fn introduction_finished(
        &mut self,
        cx: &mut Context<'_>,
        recipient: &[u8],
        progress: Progress,
        reason: &str,
    ) -> Result<(), EngineError> {
        let is_lost = matches!(progress, Progress::Failed | Progress::Expired);
        let asked = self.person(cx, recipient)?.filter(|person| is_lost && person.request_sealed);
        let Some(person) = asked.filter(|person| !person.token.is_empty()) else { return Ok(()) };
        let text = format!("the request to {} failed: {reason}", person.name);
        self.log_alarm(cx, "contact-request-failed", text)
    }

    fn remove_entry(&self, cx: &mut Context<'_>, entry: &Entry) -> Result<(), EngineError> {
        cx.tx.delete(QUEUE, tables::at(&entry.recipient, entry.ordinal))?;
        let delivery = &entry.queue.delivery;
        // Read again: finishing another entry of the same payload has changed the count since.
        let parcel: Option<ParcelRecord> = tables::load(cx.tx, PARCELS, tables::key(delivery))?;
        let Some(mut parcel) = parcel else { return Ok(()) };
        parcel.deliveries = parcel.deliveries.saturating_sub(1);
        if parcel.deliveries == 0 {
            cx.tx.delete(PAYLOADS, tables::key(delivery))?;
            return Ok(cx.tx.delete(PARCELS, tables::key(delivery))?);
        }
        tables::save(cx.tx, PARCELS, tables::key(delivery), &parcel)
    }

    /// Drops everything that waits for a person, or only what belongs to one conversation.
    pub(crate) fn drop_queue(
        &mut self,
        cx: &mut Context<'_>,
        recipient: &[u8],
        conversation: Option<&[u8]>,
        reason: &str,
    ) -> Result<(), EngineError> {
        for entry in self.entries(cx, recipient, usize::MAX)? {
            if conversation.is_none_or(|id| id == entry.parcel.conversation) {
                self.finish(cx, &entry, Progress::Failed, reason)?;
            }
        }
        Ok(())
    }

    pub(crate) fn run_task(&mut self, cx: &mut Context<'_>, task: Task) -> Result<(), EngineError> {
        match task {
            Task::Retry(recipient) => {
                self.pump_later(&recipient);
                Ok(())
            }
            Task::Gap { conversation, sender } => self.check_gap(cx, &conversation, &sender),
            Task::Sweep => self.sweep(cx),
        }
    }

    /// Ends what has waited longer than its lifetime, and plans the next look.
    pub(crate) fn sweep(&mut self, cx: &mut Context<'_>) -> Result<(), EngineError> {
        self.outbox.plan(cx.now.monotonic_ms + SWEEP_EVERY_MS, Task::Sweep);
        let people: Vec<crate::records::PersonRecord> = tables::all(cx.tx, tables::PEOPLE)?;
        for person in people {
            for entry in self.entries(cx, &person.identity, usize::MAX)? {
                if entry.parcel.expires_node_ms <= cx.node_ms {
                    self.finish(cx, &entry, Progress::Expired, "it waited too long")?;
                }
            }
        }
        self.retire(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_is_taken_in_order_and_once() {
        let mut outbox = Outbox::default();
        outbox.plan(30, Task::Sweep);
        outbox.plan(10, Task::Retry(vec![1]));
        outbox.plan(20, Task::Retry(vec![2]));
        assert_eq!(outbox.wake_at(), Some(10));
        assert_eq!(outbox.take_due(20), [Task::Retry(vec![1]), Task::Retry(vec![2])]);
        assert_eq!(outbox.take_due(20), []);
        assert_eq!(outbox.wake_at(), Some(30));
    }

    #[test]
    fn pauses_grow_to_a_limit_and_end_when_reachable() {
        let mut outbox = Outbox::default();
        let mut last = 0;
        for _ in 0..20 {
            outbox.pause(&[7], 0, 0);
            let until = outbox.pauses[&vec![7]].1;
            assert!(until >= last && until <= RETRY_MAX_MS);
            last = until;
        }
        assert_eq!(last, RETRY_MAX_MS);
        assert!(outbox.is_paused(&[7], 1));
        outbox.reachable_again(&[7]);
        assert!(!outbox.is_paused(&[7], 1));
    }

    #[test]
    fn the_peers_own_wish_is_kept_within_bounds() {
        let mut outbox = Outbox::default();
        outbox.pause(&[7], 0, 60_000);
        assert_eq!(outbox.pauses[&vec![7]].1, 60_000);
        outbox.pause(&[8], 0, u64::MAX);
        assert_eq!(outbox.pauses[&vec![8]].1, RETRY_MAX_MS);
    }
}
