//! The end of lifetimes: queues are looked at when something in them ends, a bounded number of deliveries at a time.
//!
//! A queue stands on the [list](crate::due) of one hour: the earliest that any of its deliveries asks for. Whoever reads
//! never sees what has ended; this gives its room back.
//!
//! As a rule deliveries end in the order in which they came, and a look ends at the first that has not. In a queue where
//! one ends before another that came before it, a look goes on to the queue's end, in as many steps as it takes.

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
    /// Queues in which very much has ended that was not removed.
    to_look_at: BTreeSet<QueueKey>,
    /// Monotonic ms at which the list of this hour is looked at.
    next_look_ms: u64,
}

impl Expiry {
    /// When there is something to do, in monotonic ms.
    pub(crate) fn wake_at(&self) -> Option<u64> {
        let is_idle = self.to_clear.is_empty() && self.to_look_at.is_empty();
        Some(if is_idle { self.next_look_ms } else { 0 })
    }

    /// There may be something to do already.
    pub(crate) fn look_soon(&mut self) {
        self.next_look_ms = 0;
    }

    /// Takes over from which queues an input has seen that more is to be removed.
    pub(crate) fn go_on_soon(&mut self, cx: &mut Context<'_>) {
        self.to_clear.extend(cx.to_clear.drain(..));
        self.to_look_at.extend(cx.to_look_at.drain(..));
    }
}

impl Relay {
    /// Does one step of what is to be removed.
    pub(crate) fn expire(&mut self, cx: &mut Context<'_>) -> Result<(), RelayError> {
        if let Some(queue) = self.expiry.to_clear.pop_first() {
            self.clear_more(cx, &queue)?;
        } else if let Some(queue) = self.expiry.to_look_at.pop_first() {
            self.look_now(cx, &queue)?;
        } else if cx.now.monotonic_ms >= self.expiry.next_look_ms {
            let is_more = self.look(cx)? | self.empty_grave(cx)? | self.expire_others(cx)?;
            self.expiry.next_look_ms = cx.now.monotonic_ms + if is_more { 0 } else { LOOK_INTERVAL_MS };
        }
        self.expiry.go_on_soon(cx);
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

    /// Looks at a queue though its hour has not come.
    fn look_now(&mut self, cx: &mut Context<'_>, queue: &QueueKey) -> Result<(), RelayError> {
        let Some(record) = tables::load(cx.tx, QUEUES, key(queue.as_bytes()))? else { return Ok(()) };
        forget(cx.tx, queue, &record)?;
        self.expire_queue(cx, queue)?;
        self.expiry.look_soon();
        Ok(())
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
        let next_hour = match self.expire_some(cx, queue, &mut record)? {
            false => Some(cx.now.steady_ms / HOUR_MS),
            true => end_of_look(&mut record),
        };
        if let Some(hour) = next_hour.filter(|hour| record.due_hour == 0 || *hour < record.due_hour) {
            look_at(cx.tx, queue, &mut record, hour)?;
        }
        tables::save(cx.tx, QUEUES, key(queue.as_bytes()), &record)
    }

    /// Removes what has ended of the deliveries that are to be looked at next. Returns whether none of those behind them
    /// can have ended.
    fn expire_some(
        &self,
        cx: &mut Context<'_>,
        queue: &QueueKey,
        record: &mut QueueRecord,
    ) -> Result<bool, RelayError> {
        let (contents, limit) = (queue.contents(record), self.limits.removals_per_step_max);
        let from = record.first_seq.max(record.looked_at_seq + 1);
        let found = deliveries(cx.tx, &contents, from, record.next_seq, limit)?;
        let is_whole = found.len() < limit;
        for (seq, delivery) in found {
            record.looked_at_seq = seq;
            if cx.now.is_past(delivery.expires_at_ms) {
                release(cx, record, &delivery);
                remove(cx.tx, &contents, seq, &delivery)?;
                if record.next_end_ms == 0 {
                    record.first_seq = seq + 1;
                }
                continue;
            }
            let known_ms = if record.next_end_ms == 0 { u64::MAX } else { record.next_end_ms };
            record.next_end_ms = known_ms.min(delivery.expires_at_ms);
            if !record.has_early_ends {
                return Ok(true);
            }
        }
        Ok(is_whole)
    }
}

/// A look is over. Gives the hour of the next; none if nothing is left in the queue.
fn end_of_look(record: &mut QueueRecord) -> Option<u64> {
    record.looked_at_seq = 0;
    match std::mem::take(&mut record.next_end_ms) {
        0 => {
            record.first_seq = record.next_seq;
            (record.latest_end_ms, record.has_early_ends) = (0, false);
            None
        }
        end_ms => Some(due::hour_after(end_ms)),
    }
}

/// Removes the first deliveries of a queue that has no record any more. Returns how many there were.
pub(crate) fn empty(cx: &mut Context<'_>, contents: &Contents, limit: usize) -> Result<usize, RelayError> {
    let found = deliveries(cx.tx, contents, 0, u64::MAX, limit)?;
    for (seq, delivery) in &found {
        cx.totals.release(&delivery.payload);
        remove(cx.tx, contents, *seq, delivery)?;
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
