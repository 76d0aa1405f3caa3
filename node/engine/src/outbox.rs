//! The outbox: what waits for other people's nodes, and how it gets there.
//!
//! A sealed payload lies in storage once. It belongs to a *stream*: that of a conversation, which every member
//! reads from its own cursor, or that of one person. A message to a thousand members is therefore one entry, and
//! what a member has not got yet is a number. An entry goes when the last of its recipients is done with it.
//!
//! One delivery of a stream to a recipient is under way at a time, so that what one person says arrives in the order
//! in which it was said; what is for one person goes before conversations, and introductions, such as welcomes, before
//! all else.
//!
//! ```text
//!             pump              DELIVERED
//!   queued ─────────► under way ─────────────────────────► done
//!     ▲                │  │  ▲
//!     │   unreachable, │  │  └──────── offered again, until it is opened or expires
//!     └── retry later ◄┘  │ STORED        │
//!                         └──────────► stored
//! ```
//!
//! *Stored* means that the recipient's node holds what it cannot open yet. That is no end: the node may never come to
//! open it, as when it is welcomed into a later epoch. So it is offered again until the answer is another; the
//! recipient recognises it, and says what has become of it. What it can no longer open is sealed again.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use prost::Message as _;
use qpq_proto::{Method, ids::NodeKey, v1::EnqueueRequest};

use crate::{
    context::Context,
    engine::Engine,
    input::EngineError,
    peers::Purpose,
    tables::{self, PAYLOADS},
};

pub(crate) use entries::Entry;
use pauses::Pauses;
pub(crate) use streams::Stream;
use streams::Streams;
pub(crate) use tasks::Task;

mod answers;
mod entries;
mod joining;
mod pauses;
mod rounds;
mod ship;
mod streams;
mod tasks;

/// How long an unanswered gap is watched before the missing contents are asked for, ms.
pub(crate) const GAP_PATIENCE_MS: u64 = 20_000;
/// How often the outbox is searched for what has expired, ms.
const SWEEP_EVERY_MS: u64 = 3_600_000;

/// Pauses, planned tasks and an index of this run; all of it can be made anew.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    tasks: BTreeSet<(u64, Task)>,
    /// What the present input has taken of them.
    taken: Vec<Task>,
    pauses: BTreeMap<Vec<u8>, Pauses>,
    rounds: rounds::Rounds,
    /// `None` until it is needed, and after a transaction that changed it was dropped.
    streams: Option<Streams>,
    /// Smallest ordinal that was never used, and the end of those that are reserved on disk.
    ordinals: std::ops::Range<u64>,
    /// The present input has changed the index or the ordinals.
    is_changed: bool,
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
    /// Token of a request; empty for everything else.
    pub request: &'a [u8],
    /// When its lifetime ends, in the node's own time, if that began when it was sealed for the first time.
    pub expires_node_ms: Option<u64>,
}

/// For whom a payload is.
pub(crate) enum To<'a> {
    /// One person, who need not share a group with this one.
    Introduction(&'a [u8]),
    /// One person.
    Person(&'a [u8]),
    /// These members of the shipment's conversation. The others are passed over: `except` names those of them who
    /// read the stream.
    Members { recipients: &'a [Vec<u8>], except: Vec<Vec<u8>> },
}

impl Outbox {
    pub(crate) fn wake_at(&self) -> Option<u64> {
        self.tasks.first().map(|(at, _)| *at)
    }

    pub(crate) fn plan(&mut self, at_monotonic_ms: u64, task: Task) {
        self.tasks.insert((at_monotonic_ms, task));
    }

    /// Plans again what the present input has taken, and more besides.
    pub(crate) fn try_later(&mut self, at_monotonic_ms: u64, others: impl Iterator<Item = Task>) {
        self.tasks.extend(self.taken.drain(..).chain(others).map(|task| (at_monotonic_ms, task)));
    }

    /// Removes and returns what is due.
    pub(crate) fn take_due(&mut self, monotonic_ms: u64) -> Vec<Task> {
        let later = self.tasks.split_off(&(monotonic_ms + 1, Task::Retry(Vec::new())));
        let due = std::mem::replace(&mut self.tasks, later);
        self.taken = due.into_iter().map(|(_, task)| task).collect();
        self.taken.clone()
    }

    /// The present input's changes are kept.
    pub(crate) fn keep(&mut self) {
        self.is_changed = false;
        self.taken.clear();
    }

    /// The present input's transaction is dropped.
    pub(crate) fn discard(&mut self) {
        if std::mem::take(&mut self.is_changed) {
            self.streams = None;
            self.ordinals = 0..0;
        }
    }

    /// The members of a conversation have changed.
    pub(crate) fn members_changed(&mut self, conversation: &[u8]) {
        if let Some(streams) = &mut self.streams {
            streams.forget_members(&Stream::Conversation(conversation.to_vec()));
        }
    }

    /// Leaves a recipient alone for a while, or only its place in one stream.
    fn pause(&mut self, recipient: &[u8], stream: Option<&Stream>, monotonic_ms: u64, at_least_ms: u64) {
        let pauses = self.pauses.entry(recipient.to_vec()).or_default();
        let until = pauses.extend(stream, monotonic_ms, at_least_ms);
        self.plan(until, Task::Retry(recipient.to_vec()));
    }

    fn is_paused(&self, recipient: &[u8], stream: Option<&Stream>, monotonic_ms: u64) -> bool {
        self.pauses.get(recipient).is_some_and(|pauses| pauses.is_on(stream, monotonic_ms))
    }
}

impl Engine {
    /// How long the outbox keeps what it cannot deliver, ms.
    pub(crate) fn delivery_lifetime_ms(&self) -> u64 {
        self.limits.delivery_lifetime_s.saturating_mul(1_000)
    }

    /// Looks at what waits for a recipient when the present input is done.
    pub(crate) fn pump_later(&mut self, recipient: &[u8]) {
        self.to_pump.insert(recipient.to_vec());
    }

    pub(crate) fn pump_all(&mut self, cx: &mut Context<'_>) -> Result<(), EngineError> {
        while let Some(recipient) = self.to_pump.first().cloned() {
            self.pump(cx, &recipient)?;
            self.to_pump.remove(&recipient);
        }
        self.send_letters(cx)
    }

    /// A recipient's node is connected: pauses are over, and what it has stored is offered again.
    pub(crate) fn recipient_reachable(
        &mut self,
        cx: &mut Context<'_>,
        recipient: &[u8],
    ) -> Result<(), EngineError> {
        self.outbox.pauses.remove(recipient);
        self.offer_all(cx, recipient)?;
        self.pump_later(recipient);
        Ok(())
    }

    /// Starts the next delivery of each stream to a recipient, where none is under way.
    fn pump(&mut self, cx: &mut Context<'_>, recipient: &[u8]) -> Result<(), EngineError> {
        let streams = self.streams_of(cx, recipient)?;
        if streams.is_empty() {
            return Ok(());
        }
        let Some(person) = self.person(cx, recipient)? else { return Ok(()) };
        self.want(cx, &person);
        let now_ms = cx.now.monotonic_ms;
        let node = person.node_keys().into_iter().find(|node| self.peers.is_connected(node));
        let Some(node) = node else { return self.pump_mail(cx, recipient, &streams) };
        if self.outbox.is_paused(recipient, None, now_ms) {
            return Ok(());
        }
        for stream in streams {
            if self.outbox.is_paused(recipient, Some(&stream), now_ms) {
                continue;
            }
            let is_under_way = self.peers.is_delivering(recipient, &stream)
                || self.start_next(cx, node, &stream, recipient)?;
            if is_under_way && !matches!(stream, Stream::Conversation(_)) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Starts the next delivery of one stream to a recipient; false if there is none.
    fn start_next(
        &mut self,
        cx: &mut Context<'_>,
        node: NodeKey,
        stream: &Stream,
        recipient: &[u8],
    ) -> Result<bool, EngineError> {
        let next = match self.next_entry(cx, stream, recipient)? {
            Some(entry) => Some(entry),
            None => self.next_offer(cx, stream, recipient)?,
        };
        let Some(entry) = next else { return Ok(false) };
        let payload = cx.tx.get(PAYLOADS, tables::at(stream.key(), entry.ordinal))?.unwrap_or_default();
        let request = EnqueueRequest {
            mailbox: recipient.to_vec(),
            payload,
            delivery_id: entry.parcel.delivery,
            ..EnqueueRequest::default()
        };
        let purpose = Purpose::Delivery {
            stream: stream.clone(),
            recipient: recipient.to_vec(),
            ordinal: entry.ordinal,
        };
        cx.effects.push(self.peers.call(node, Method::Enqueue, request.encode_to_vec().into(), purpose));
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
