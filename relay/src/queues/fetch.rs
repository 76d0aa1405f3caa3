//! Reading from queues.

use bytes::Bytes;
use prost::Message;
use qpq_proto::Failure;
use qpq_proto::ids::DeviceKey;
use qpq_proto::limits::{FETCH_ENVELOPES_MAX, FETCH_WAIT_MS_MAX, FRAME_PAYLOAD_BYTES_MAX};
use qpq_proto::v1::{
    Envelope, FetchRequest, FetchResponse, FetchWaitRequest, FetchWaitResponse, NewMessage, PeekRequest,
    PeekResponse, PushEvent,
};

use crate::context::{Context, Later};
use crate::input::{Effect, RelayError};
use crate::queues::key::{Contents, QueueKey};
use crate::queues::open::own_queue;
use crate::queues::waits::Wait;
use crate::records::{DeliveryRecord, QueueRecord};
use crate::relay::Relay;
use crate::storage::Transaction;
use crate::tables::{self, DELIVERIES, QUEUES, key};
use crate::time::Moment;

impl Relay {
    pub(crate) fn fetch(
        &self,
        cx: &mut Context<'_>,
        request: &FetchRequest,
    ) -> Result<FetchResponse, Failure> {
        let envelopes = self.read(cx, &request.mailbox, &request.channel_id, request.limit)?;
        Ok(FetchResponse { envelopes })
    }

    pub(crate) fn peek(&self, cx: &mut Context<'_>, request: &PeekRequest) -> Result<PeekResponse, Failure> {
        let envelopes = self.read(cx, &request.mailbox, &request.channel_id, request.limit)?;
        Ok(PeekResponse { envelopes })
    }

    pub(crate) fn fetch_wait(
        &self,
        cx: &mut Context<'_>,
        request: &FetchWaitRequest,
    ) -> Result<FetchWaitResponse, Failure> {
        let FetchWaitRequest { mailbox, channel_id, limit, timeout_ms } = request;
        let timeout_ms = u64::from(*timeout_ms);
        if timeout_ms > FETCH_WAIT_MS_MAX {
            let message = format!("the longest wait is {FETCH_WAIT_MS_MAX} ms");
            return Err(Failure::bad_request("timeout_ms", message));
        }
        let limit = self.limit_of(*limit)?;
        let (queue, record) = own_queue(cx, mailbox, channel_id)?;
        let device = cx.device()?;
        let envelopes = self.waiting(cx, &queue, record.as_ref(), device, limit)?.ok_or_else(much_ended)?;
        if envelopes.is_empty() && timeout_ms > 0 {
            let call = cx.call()?;
            self.waits.check_room(&self.limits, call.caller.connection)?;
            cx.later = Some(Later::Wait(Wait {
                call: call.id,
                connection: call.caller.connection,
                device: cx.device()?,
                queue,
                limit,
                ends_ms: cx.now.monotonic_ms + timeout_ms,
            }));
        }
        Ok(FetchWaitResponse { envelopes })
    }

    fn read(
        &self,
        cx: &mut Context<'_>,
        mailbox: &[u8],
        channel: &[u8],
        limit: u32,
    ) -> Result<Vec<Envelope>, Failure> {
        let limit = self.limit_of(limit)?;
        let (queue, record) = own_queue(cx, mailbox, channel)?;
        let device = cx.device()?;
        self.waiting(cx, &queue, record.as_ref(), device, limit)?.ok_or_else(much_ended)
    }

    /// What waits for a device, from its cursor on: as many as asked for and as fit a frame. None if so much has ended in
    /// front of it that it is to be removed first: no call looks at all of a queue.
    fn waiting(
        &self,
        cx: &mut Context<'_>,
        queue: &QueueKey,
        record: Option<&QueueRecord>,
        device: DeviceKey,
        limit: usize,
    ) -> Result<Option<Vec<Envelope>>, RelayError> {
        let Some(record) = record else { return Ok(Some(Vec::new())) };
        let contents = queue.contents(record);
        let mut next = cursor_of(record, device).saturating_add(1).max(record.first_seq);
        let (mut envelopes, mut bytes, mut ended) = (Vec::new(), 0, 0);
        while envelopes.len() < limit && next < record.next_seq {
            if ended > self.limits.removals_per_step_max {
                cx.to_look_at.push(queue.clone());
                return Ok((!envelopes.is_empty()).then_some(envelopes));
            }
            let wanted = limit - envelopes.len();
            let found = deliveries(cx.tx, &contents, next, record.next_seq, wanted)?;
            let Some((last, _)) = found.last() else { break };
            next = last + 1;
            for (seq, delivery) in found {
                if delivery.payload.is_empty() || cx.now.is_past(delivery.expires_at_ms) {
                    ended += 1;
                    continue;
                }
                bytes += delivery.payload.len() + ENVELOPE_BYTES_MAX;
                if bytes > FRAME_PAYLOAD_BYTES_MAX {
                    return Ok(Some(envelopes));
                }
                envelopes.push(envelope(cx.now, seq, delivery));
            }
        }
        Ok(Some(envelopes))
    }

    fn limit_of(&self, asked: u32) -> Result<usize, Failure> {
        match usize::try_from(asked).unwrap_or(usize::MAX) {
            0 => Ok(self.limits.fetch_envelopes_default),
            limit if limit <= FETCH_ENVELOPES_MAX => Ok(limit),
            _ => {
                let message = format!("at most {FETCH_ENVELOPES_MAX} are given at once");
                Err(Failure::bad_request("limit", message))
            }
        }
    }

    /// Tells whoever waits for the queues into which something was put, and whoever is connected.
    pub(crate) fn announce(&mut self, cx: &mut Context<'_>) -> Result<(), RelayError> {
        for queue in std::mem::take(&mut cx.arrived) {
            let Some(record) = tables::load::<QueueRecord>(cx.tx, QUEUES, key(queue.as_bytes()))? else {
                continue;
            };
            for wait in self.waits.take(&queue) {
                let found = self.waiting(cx, &queue, Some(&record), wait.device, wait.limit)?;
                let response = |envelopes| FetchWaitResponse { envelopes }.encode_to_vec().into();
                let result = found.map(response).ok_or_else(much_ended);
                cx.effects.push(Effect::Answer { call: wait.call, result });
            }
            self.push_arrival(cx, &queue, &record);
            self.wake_absent(cx, &record)?;
        }
        Ok(())
    }

    /// Wakes the owner's devices that are not connected.
    fn wake_absent(&mut self, cx: &mut Context<'_>, record: &QueueRecord) -> Result<(), RelayError> {
        let Ok(owner) = record.owner.as_slice().try_into() else { return Ok(()) };
        let devices = record.cursors.iter().filter_map(|cursor| cursor.device.as_slice().try_into().ok());
        let devices: Vec<DeviceKey> = devices.collect();
        self.wake(cx, owner, &devices)
    }

    /// Tells the owner's devices that are connected of the newest delivery.
    fn push_arrival(&self, cx: &mut Context<'_>, queue: &QueueKey, record: &QueueRecord) {
        let Ok(owner) = record.owner.as_slice().try_into() else { return };
        let event = NewMessage {
            channel_id: queue.channel().to_vec(),
            seq: record.next_seq - 1,
            mailbox: queue.mailbox().to_vec(),
            envelope: None,
        };
        let payload = Bytes::from(event.encode_to_vec());
        for (connection, _) in self.sessions.connections(owner) {
            let payload = payload.clone();
            cx.effects.push(Effect::Push { connection, event: PushEvent::NewMessage, payload });
        }
    }
}

/// Nothing is told of a queue before what has ended in front of it is removed.
fn much_ended() -> Failure {
    Failure::unavailable("much has ended in this queue, and is being removed", REMOVAL_RETRY_MS)
}

fn envelope(now: Moment, seq: u64, delivery: DeliveryRecord) -> Envelope {
    let DeliveryRecord { enqueued_at_ms, expires_at_ms, payload, .. } = delivery;
    Envelope { seq, data: payload, enqueued_at_ms, expires_at_ms: now.on_the_wall(expires_at_ms) }
}

/// The sequence up to which a device has acknowledged. One that has no cursor was registered after the queue's newest
/// delivery, and begins behind it.
fn cursor_of(record: &QueueRecord, device: DeviceKey) -> u64 {
    let cursor = record.cursors.iter().find(|cursor| cursor.device == device.as_bytes());
    cursor.map_or(record.next_seq - 1, |cursor| cursor.acknowledged_seq)
}

/// Some of the deliveries of a stretch of a queue, in order.
pub(super) fn deliveries(
    tx: &dyn Transaction,
    contents: &Contents,
    from_seq: u64,
    to_seq: u64,
    limit: usize,
) -> Result<Vec<(u64, DeliveryRecord)>, RelayError> {
    tables::scan(tx, DELIVERIES, &contents.0, from_seq..to_seq, limit)
}

/// What an envelope takes besides its payload: tag and length of itself and the payload, and three integers.
const ENVELOPE_BYTES_MAX: usize = 3 * 11 + 2 * 6;

/// When to ask again for a queue in which much has ended.
const REMOVAL_RETRY_MS: u64 = 1_000;
