//! What devices have, and what can go because all of them have it.

use bytes::Bytes;
use qpq_proto::Failure;
use qpq_proto::v1::{AckRequest, AckResponse};

use crate::context::Context;
use crate::due::HOUR_MS;
use crate::input::RelayError;
use crate::queues::expiry::look_at;
use crate::queues::fetch::deliveries;
use crate::queues::key::QueueKey;
use crate::queues::open::{add_cursors, own_queue};
use crate::records::{DeliveryRecord, QueueRecord};
use crate::relay::Relay;
use crate::tables::{self, DELIVERIES, QUEUES, at, key};

impl Relay {
    pub(crate) fn ack(&self, cx: &mut Context<'_>, request: &AckRequest) -> Result<AckResponse, Failure> {
        let AckRequest { mailbox, channel_id, seq_up_to } = request;
        let (queue, record) = own_queue(cx, mailbox, channel_id)?;
        let last = record.as_ref().map_or(0, |record| record.next_seq - 1);
        if *seq_up_to > last {
            let message = format!("the newest delivery of this queue is {last}");
            return Err(Failure::bad_request("seq_up_to", message));
        }
        let Some(mut record) = record else { return Ok(AckResponse { removed: 0 }) };
        let device = cx.device()?;
        add_cursors(cx.tx, &mut record)?;
        let before = move_cursor(&mut record, device.as_bytes(), *seq_up_to);
        if *seq_up_to <= before {
            return Ok(AckResponse { removed: 0 });
        }
        self.clear(cx, &queue, &mut record)?;
        tables::save(cx.tx, QUEUES, key(queue.as_bytes()), &record)?;
        Ok(AckResponse { removed: seq_up_to - before })
    }

    /// Removes what every device has, a bounded number at a time. The caller writes the queue's record.
    pub(super) fn clear(
        &self,
        cx: &mut Context<'_>,
        queue: &QueueKey,
        record: &mut QueueRecord,
    ) -> Result<(), RelayError> {
        let all_have = record.cursors.iter().map(|cursor| cursor.acknowledged_seq).min().unwrap_or_default();
        let from = record.cleared_seq + 1;
        if all_have < from {
            return Ok(());
        }
        let contents = queue.contents(record);
        let found = deliveries(cx.tx, &contents, from, all_have + 1, self.limits.removals_per_step_max)?;
        let is_whole = found.len() < self.limits.removals_per_step_max;
        record.cleared_seq = match found.last() {
            Some((last, _)) if !is_whole => *last,
            _ => all_have,
        };
        for (seq, delivery) in found {
            release(cx, record, &delivery);
            // Only what is needed to know the same delivery again.
            let remains = DeliveryRecord { payload: Bytes::new(), ..delivery };
            tables::save(cx.tx, DELIVERIES, at(&contents.0, seq), &remains)?;
        }
        if !is_whole {
            cx.to_clear.push(queue.clone());
            // The list of what is to be looked at is there after a restart as well.
            let this_hour = cx.now.steady_ms / HOUR_MS;
            if record.due_hour == 0 || record.due_hour > this_hour {
                look_at(cx.tx, queue, record, this_hour)?;
            }
        }
        Ok(())
    }
}

/// The payload of a delivery is no longer held.
pub(super) fn release(cx: &mut Context<'_>, record: &mut QueueRecord, delivery: &DeliveryRecord) {
    if !delivery.payload.is_empty() {
        cx.figures.release(delivery.payload.len());
        cx.totals.release(&delivery.payload);
        record.bytes = record.bytes.saturating_sub(delivery.payload.len() as u64);
        record.deliveries = record.deliveries.saturating_sub(1);
    }
}

/// Moves a device's cursor forward, and returns where it was.
fn move_cursor(record: &mut QueueRecord, device: &[u8], to_seq: u64) -> u64 {
    let Some(cursor) = record.cursors.iter_mut().find(|cursor| cursor.device == device) else {
        // No device of the account any more: its session ends with it.
        return to_seq;
    };
    let before = cursor.acknowledged_seq;
    cursor.acknowledged_seq = before.max(to_seq);
    before
}
