//! Putting deliveries into queues.

use std::collections::BTreeSet;

use bytes::Bytes;
use qpq_crypto::digest::{DELIVERY_ID_BYTES, delivery_id, sha256};
use qpq_proto::Failure;
use qpq_proto::limits::{BATCH_RECIPIENTS_MAX, DELIVERY_PAYLOAD_BYTES_MAX};
use qpq_proto::v1::{
    BatchEnqueueRequest, BatchEnqueueResponse, Disposition, EnqueueRequest, EnqueueResponse,
};

use crate::context::{Context, Later};
use crate::due;
use crate::input::RelayError;
use crate::proofs::{Proved, ToProve};
use crate::queues::expiry::look_at;
use crate::queues::key::{MAILBOX_BYTES, QueueKey, mailbox_field};
use crate::queues::taken::Taken;
use crate::records::{DeliveryRecord, QueueRecord};
use crate::relay::Relay;
use crate::tables::{self, DELIVERIES, QUEUES, at, key};

/// What is put into one or many mailboxes, checked.
struct Delivery {
    payload: Bytes,
    payload_hash: [u8; 32],
    id: Vec<u8>,
    channel: Vec<u8>,
    ttl_s: u32,
}

impl Relay {
    pub(crate) fn enqueue(
        &self,
        cx: &mut Context<'_>,
        request: EnqueueRequest,
    ) -> Result<EnqueueResponse, Failure> {
        let EnqueueRequest { mailbox, payload, channel_id, ttl_secs, delivery_id, token } = request;
        let mailbox = mailbox_field(&mailbox)?;
        let delivery = Delivery::new(payload, delivery_id, channel_id, ttl_secs)?;
        let deliveries = vec![self.put(cx, &mailbox, &token, &delivery)?];
        cx.later = Some(Later::Proof(Proved { deliveries, is_batch: false }));
        Ok(EnqueueResponse::default())
    }

    pub(crate) fn batch_enqueue(
        &mut self,
        cx: &mut Context<'_>,
        request: BatchEnqueueRequest,
    ) -> Result<BatchEnqueueResponse, Failure> {
        let BatchEnqueueRequest { recipients, payload, channel_id, ttl_secs, delivery_id } = request;
        if !(1..=BATCH_RECIPIENTS_MAX).contains(&recipients.len()) {
            let message = format!("a batch is for 1 to {BATCH_RECIPIENTS_MAX} mailboxes");
            return Err(Failure::bad_request("recipients", message));
        }
        let more = u32::try_from(recipients.len() - 1).unwrap_or(u32::MAX);
        self.call_rates.charge_more(&cx.call()?, more, cx.now.monotonic_ms)?;
        let delivery = Delivery::new(payload, delivery_id, channel_id, ttl_secs)?;
        let distinct: BTreeSet<&[u8]> = recipients.iter().map(|to| to.mailbox.as_slice()).collect();
        if distinct.len() < recipients.len() {
            return Err(Failure::bad_request("recipients", "a mailbox is named twice"));
        }
        let mut deliveries = Vec::with_capacity(recipients.len());
        for recipient in &recipients {
            let mailbox = mailbox_field(&recipient.mailbox)?;
            deliveries.push(self.put(cx, &mailbox, &recipient.token, &delivery)?);
        }
        cx.later = Some(Later::Proof(Proved { deliveries, is_batch: true }));
        Ok(BatchEnqueueResponse::default())
    }

    /// Puts a delivery into one mailbox.
    fn put(
        &self,
        cx: &mut Context<'_>,
        mailbox: &[u8; MAILBOX_BYTES],
        token: &[u8],
        delivery: &Delivery,
    ) -> Result<ToProve, Failure> {
        let queue = QueueKey::new(mailbox, &delivery.channel)?;
        let mut record = self.queue_to_fill(cx, &queue, token)?;
        let contents = queue.contents(&record);
        let taken = Taken::look_up(cx.tx, &contents, &delivery.id)?;
        let prove = |seq, duplicate, at_ms| {
            let disposition = Disposition::Stored.into();
            let response = EnqueueResponse { seq, duplicate, disposition, delivery_proof: None };
            ToProve::new(response, mailbox, &delivery.payload_hash, at_ms)
        };
        if let Some(seq) = taken.seq_of(&delivery.id) {
            let first: Option<DeliveryRecord> = tables::load(cx.tx, DELIVERIES, at(&contents.0, seq))?;
            return Ok(prove(seq, true, first.map_or(cx.now.wall_ms, |first| first.enqueued_at_ms)));
        }
        self.make_room(cx, &queue, &mut record, delivery.payload.len() as u64)?;
        let seq = record.next_seq;
        self.store(cx, &queue, &mut record, delivery)?;
        taken.note(cx.tx, &contents, &delivery.id, seq)?;
        cx.arrived.push(queue);
        Ok(prove(seq, false, cx.now.wall_ms))
    }

    /// Sees that there is room. What every device has takes none, even if it could not all be removed yet: somebody may
    /// have acknowledged very much at once, or been the last device that had not.
    fn make_room(
        &self,
        cx: &mut Context<'_>,
        queue: &QueueKey,
        record: &mut QueueRecord,
        bytes: u64,
    ) -> Result<(), Failure> {
        if self.check_room(record, bytes).is_ok() {
            return Ok(());
        }
        self.clear(cx, queue, record)?;
        self.check_room(record, bytes)
    }

    fn check_room(&self, record: &QueueRecord, bytes: u64) -> Result<(), Failure> {
        let bytes_max = match record.policy.quota_bytes {
            0 => self.limits.queue_bytes_max,
            quota_bytes => quota_bytes.min(self.limits.queue_bytes_max),
        };
        let is_full = record.bytes.saturating_add(bytes) > bytes_max
            || record.deliveries >= self.limits.queue_deliveries_max;
        if is_full { Err(Failure::quota("the mailbox is full")) } else { Ok(()) }
    }

    /// Writes a delivery at the end of its queue.
    fn store(
        &self,
        cx: &mut Context<'_>,
        queue: &QueueKey,
        record: &mut QueueRecord,
        delivery: &Delivery,
    ) -> Result<(), RelayError> {
        let enqueued_at_ms = cx.now.wall_ms;
        let expires_at_ms = cx.now.after_ms(self.lifetime_ms(record, delivery.ttl_s));
        let stored = DeliveryRecord {
            enqueued_at_ms,
            expires_at_ms,
            delivery_id: delivery.id.clone(),
            payload: delivery.payload.clone(),
        };
        tables::save(cx.tx, DELIVERIES, at(&queue.contents(record).0, record.next_seq), &stored)?;
        record.next_seq += 1;
        record.bytes += delivery.payload.len() as u64;
        record.deliveries += 1;
        record.has_early_ends |= expires_at_ms < record.latest_end_ms;
        record.latest_end_ms = record.latest_end_ms.max(expires_at_ms);
        cx.figures.store(delivery.payload.len());
        cx.totals.store(delivery.payload.len());
        let due_hour = due::hour_after(expires_at_ms);
        if record.due_hour == 0 || due_hour < record.due_hour {
            look_at(cx.tx, queue, record, due_hour)?;
        }
        tables::save(cx.tx, QUEUES, key(queue.as_bytes()), record)
    }

    fn lifetime_ms(&self, record: &QueueRecord, ttl_s: u32) -> u64 {
        let asked_s = match ttl_s {
            0 => self.limits.delivery_ttl_default_s,
            ttl_s => ttl_s.into(),
        };
        let policy_s = match record.policy.ttl_max_s {
            0 => self.limits.delivery_ttl_max_s,
            max_s => max_s.min(self.limits.delivery_ttl_max_s),
        };
        asked_s.min(policy_s) * 1_000
    }
}

impl Delivery {
    fn new(payload: Bytes, id: Vec<u8>, channel: Vec<u8>, ttl_s: u32) -> Result<Self, Failure> {
        if !(1..=DELIVERY_PAYLOAD_BYTES_MAX).contains(&payload.len()) {
            let message = format!("a payload has 1 to {DELIVERY_PAYLOAD_BYTES_MAX} bytes");
            return Err(Failure::bad_request("payload", message));
        }
        if id != delivery_id(&payload) {
            let message =
                format!("the first {DELIVERY_ID_BYTES} bytes of the payload's BLAKE3 hash are meant");
            return Err(Failure::bad_request("delivery_id", message));
        }
        let payload_hash = sha256(&[&payload]);
        Ok(Self { payload, payload_hash, id, channel, ttl_s })
    }
}
