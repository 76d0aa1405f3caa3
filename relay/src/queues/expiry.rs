//! The end of lifetimes: queues are looked at when something in them ends, a bounded number of deliveries at a time.
//!
//! A queue stands on the [list](crate::due) of one hour: the earliest that any of its deliveries asks for. Whoever reads
//! never sees what has ended; this gives its room back.

use std::collections::BTreeSet;

use crate::context::Context;
use crate::due::{self, HOUR_MS, Kind};
use crate::input::RelayError;
use crate::queues::acknowledge::release;
use crate::queues::fetch::deliveries;
use crate::queues::key::{Contents, QueueKey};
use crate::queues::open::add_cursors;
use crate::queues::taken::Taken;
use crate::records::{DeliveryRecord, QueueRecord};
use crate::relay::Relay;
use crate::storage::Transaction;
use crate::tables::{self, DELIVERIES, QUEUES, at, key};

/// What is to be removed, and when.
#[derive(Debug, Default)]
pub(crate) struct Expiry {
    /// Queues from which devices have acknowledged more than was removed in one step.
    to_clear: BTreeSet<QueueKey>,
    /// Monotonic ms at which the list of this hour is looked at.
    next_look_ms: u64,
}

impl Expiry {
    /// When there is something to do, in monotonic ms.
    pub(crate) fn wake_at(&self) -> Option<u64> {
        Some(if self.to_clear.is_empty() { self.next_look_ms } else { 0 })
    }

    /// There may be something to do already.
    pub(crate) fn look_soon(&mut self) {
        self.next_look_ms = 0;
    }

    /// More is to be removed from these queues.
    pub(crate) fn clear_soon(&mut self, queues: &[QueueKey]) {
        self.to_clear.extend(queues.iter().cloned());
    }
}

impl Relay {
    /// Does one step of what is to be removed.
    pub(crate) fn expire(&mut self, cx: &mut Context<'_>) -> Result<(), RelayError> {
        if let Some(queue) = self.expiry.to_clear.pop_first() {
            self.clear_more(cx, &queue)?;
            self.expiry.clear_soon(&cx.to_clear);
        } else if cx.now.monotonic_ms >= self.expiry.next_look_ms {
            let is_more = self.look(cx)? | self.empty_grave(cx)? | self.expire_others(cx)?;
            self.expiry.next_look_ms = cx.now.monotonic_ms + if is_more { 0 } else { LOOK_INTERVAL_MS };
        }
        Ok(())
    }

    /// Removes some of what has ended besides deliveries. Returns whether there may be more.
    fn expire_others(&self, cx: &mut Context<'_>) -> Result<bool, RelayError> {
        self.sweep(cx)?;
        Ok(self.expire_endpoints(cx)?
            | self.expire_reports(cx)?
            | self.expire_bans(cx)?
            | self.expire_blobs(cx)?)
    }

    fn clear_more(&self, cx: &mut Context<'_>, queue: &QueueKey) -> Result<(), RelayError> {
        let Some(mut record) = tables::load(cx.tx, QUEUES, key(queue.as_bytes()))? else { return Ok(()) };
        add_cursors(cx.tx, &mut record)?;
        self.clear(cx, queue, &mut record)?;
        tables::save(cx.tx, QUEUES, key(queue.as_bytes()), &record)
    }

    /// Looks at the first queues that are due. Returns whether there may be more.
    fn look(&self, cx: &mut Context<'_>) -> Result<bool, RelayError> {
        let due = due::take(cx.tx, Kind::Queues, cx.now.steady_ms)?;
        let is_more = !due.is_empty();
        for queue in due.into_iter().filter_map(QueueKey::from_record) {
            self.expire_queue(cx, &queue)?;
        }
        Ok(is_more)
    }

    /// Removes from the front of a queue what every device has and what has ended, and has it looked at again when the next
    /// ends.
    fn expire_queue(&self, cx: &mut Context<'_>, queue: &QueueKey) -> Result<(), RelayError> {
        let Some(mut record) = tables::load::<QueueRecord>(cx.tx, QUEUES, key(queue.as_bytes()))? else {
            return Ok(());
        };
        // It was taken off the list.
        record.due_hour = 0;
        add_cursors(cx.tx, &mut record)?;
        self.clear(cx, queue, &mut record)?;
        let limit = self.limits.removals_per_step_max;
        let contents = queue.contents(&record);
        let found = deliveries(cx.tx, &contents, record.first_seq, record.next_seq, limit)?;
        let is_whole = found.len() < limit;
        let mut next_end_ms = None;
        for (seq, delivery) in found {
            if !cx.now.is_past(delivery.expires_at_ms) {
                next_end_ms = Some(next_end_ms.unwrap_or(u64::MAX).min(delivery.expires_at_ms));
                continue;
            }
            release(&mut cx.figures, &mut record, &delivery);
            remove(cx.tx, &contents, seq, &delivery)?;
            if next_end_ms.is_none() {
                record.first_seq = seq + 1;
            }
        }
        let next_hour = match next_end_ms {
            Some(end_ms) => Some(due::hour_after(end_ms)),
            None if is_whole => {
                record.first_seq = record.next_seq;
                None
            }
            None => Some(cx.now.steady_ms / HOUR_MS),
        };
        if let Some(hour) = next_hour.filter(|hour| record.due_hour == 0 || *hour < record.due_hour) {
            look_at(cx.tx, queue, &mut record, hour)?;
        }
        tables::save(cx.tx, QUEUES, key(queue.as_bytes()), &record)
    }
}

/// Removes the first deliveries of a queue that has no record any more. Returns how many there were.
pub(crate) fn empty(
    tx: &mut dyn Transaction,
    contents: &Contents,
    limit: usize,
) -> Result<usize, RelayError> {
    let found = deliveries(tx, contents, 0, u64::MAX, limit)?;
    for (seq, delivery) in &found {
        remove(tx, contents, *seq, delivery)?;
    }
    Ok(found.len())
}

/// Removes a delivery and the memory of it.
fn remove(
    tx: &mut dyn Transaction,
    contents: &Contents,
    seq: u64,
    delivery: &DeliveryRecord,
) -> Result<(), RelayError> {
    tx.delete(DELIVERIES, at(&contents.0, seq))?;
    Taken::look_up(tx, contents, &delivery.delivery_id)?.forget(tx, contents, &delivery.delivery_id)
}

/// Has a queue looked at in an hour, and not at the one that was set before. The caller writes the queue's record.
pub(super) fn look_at(
    tx: &mut dyn Transaction,
    queue: &QueueKey,
    record: &mut QueueRecord,
    hour: u64,
) -> Result<(), RelayError> {
    forget(tx, queue, record)?;
    due::put_on(tx, Kind::Queues, queue.as_bytes(), hour)?;
    record.due_hour = hour;
    Ok(())
}

/// Takes a queue off the list on which it stands.
pub(super) fn forget(
    tx: &mut dyn Transaction,
    queue: &QueueKey,
    record: &QueueRecord,
) -> Result<(), RelayError> {
    match record.due_hour {
        0 => Ok(()),
        hour => due::take_off(tx, Kind::Queues, queue.as_bytes(), hour),
    }
}

/// How often the list is looked at when nothing was due.
const LOOK_INTERVAL_MS: u64 = 60_000;
