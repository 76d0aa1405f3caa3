//! What becomes of entries: taken, stored, refused, dropped, expired.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use prost::Message as _;
use qpq_proto::{
    Failure, Status,
    v1::{Disposition, EnqueueResponse},
};

use super::{Entry, SWEEP_EVERY_MS, Stream, Task};
use crate::{
    context::Context,
    engine::Engine,
    inbox::REVOKED_FIELD,
    input::{CallFailure, EngineError},
    records::Progress,
    sealing::TOO_LONG,
};

impl Engine {
    /// A delivery's call has ended.
    pub(crate) fn delivery_answered(
        &mut self,
        cx: &mut Context<'_>,
        stream: &Stream,
        recipient: &[u8],
        ordinal: u64,
        result: Result<Bytes, CallFailure>,
    ) -> Result<(), EngineError> {
        self.pump_later(recipient);
        // Whoever was removed while the delivery was under way is done with the stream; the others are not.
        if !self.recipients(cx, stream)?.is_some_and(|readers| readers.contains(recipient)) {
            return Ok(());
        }
        let Some(entry) = self.pending_entry(cx, stream, recipient, ordinal)? else { return Ok(()) };
        match result {
            Ok(response) => {
                if let Some(pauses) = self.outbox.pauses.get_mut(recipient) {
                    pauses.end(stream);
                }
                let response = EnqueueResponse::decode(response).map(|response| response.disposition());
                if matches!(response, Ok(Disposition::Delivered)) {
                    return self.finish(cx, &entry, Progress::Delivered, "");
                }
                self.note_stored(cx, &entry)?;
                self.plan_round(cx.now, stream, recipient);
                self.report(cx, &entry, Progress::Sent, "")
            }
            Err(CallFailure::Unreachable) => {
                self.outbox.pause(recipient, None, cx.now.monotonic_ms, 0);
                self.delivery_tried(cx, &entry, "the node was not reached")
            }
            Err(CallFailure::Refused(failure)) => self.refused(cx, &entry, &failure),
        }
    }

    fn refused(&mut self, cx: &mut Context<'_>, entry: &Entry, failure: &Failure) -> Result<(), EngineError> {
        let has_content = !entry.parcel.message.is_empty() || !entry.parcel.content.is_empty();
        match failure.status {
            Status::Conflict if has_content => self.seal_later(cx, entry),
            Status::Forbidden if failure.field == REVOKED_FIELD => self.device_refused(cx, entry, failure),
            Status::Conflict
            | Status::NotFound
            | Status::Forbidden
            | Status::BadRequest
            | Status::UnknownMethod => self.finish(cx, entry, Progress::Failed, &failure.message),
            _ => {
                let (now_ms, after_ms) = (cx.now.monotonic_ms, failure.retry_after_ms);
                self.outbox.pause(&entry.recipient, Some(&entry.stream), now_ms, after_ms);
                self.delivery_tried(cx, entry, &failure.message)
            }
        }
    }

    /// Seals everything again that waits for a person in one conversation.
    pub(crate) fn seal_all_again(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &[u8],
        recipient: &[u8],
    ) -> Result<(), EngineError> {
        let mut entries = Vec::new();
        for stream in [Stream::Conversation(conversation.to_vec()), Stream::Person(recipient.to_vec())] {
            entries.extend(self.pending_entries(cx, &stream, recipient)?);
        }
        for entry in entries.iter().filter(|entry| entry.parcel.conversation == conversation) {
            self.settle(cx, entry)?;
            self.seal_again(cx, entry)?;
        }
        Ok(())
    }

    fn seal_later(&mut self, cx: &mut Context<'_>, entry: &Entry) -> Result<(), EngineError> {
        // If it is this node that is behind, sealing again changes nothing until the commit has come.
        self.outbox.pause(&entry.recipient, None, cx.now.monotonic_ms, 0);
        self.settle(cx, entry)?;
        self.seal_again(cx, entry)
    }

    /// The recipient knows that the device which sealed an entry was revoked: an earlier one of this node, or this one.
    fn device_refused(
        &mut self,
        cx: &mut Context<'_>,
        entry: &Entry,
        failure: &Failure,
    ) -> Result<(), EngineError> {
        let present = self.me.as_ref().map_or(0, |me| me.device_list_sequence);
        if entry.parcel.device_list_sequence < present {
            return self.seal_later(cx, entry);
        }
        let text =
            "this device was revoked, by restoring a backup elsewhere: nobody takes its messages any more";
        self.log_alarm(cx, "device-revoked", text.into())?;
        self.finish(cx, entry, Progress::Failed, &failure.message)
    }

    /// The recipient is done with an entry, one way or another.
    pub(crate) fn finish(
        &mut self,
        cx: &mut Context<'_>,
        entry: &Entry,
        progress: Progress,
        reason: &str,
    ) -> Result<(), EngineError> {
        self.settle(cx, entry)?;
        self.report(cx, entry, progress, reason)
    }

    fn report(
        &mut self,
        cx: &mut Context<'_>,
        entry: &Entry,
        progress: Progress,
        reason: &str,
    ) -> Result<(), EngineError> {
        if entry.parcel.message.is_empty() {
            return self.introduction_finished(cx, entry, progress, reason);
        }
        self.delivery_progressed(cx, &entry.parcel.message, &entry.recipient, progress, reason)
    }

    /// Tells the owner if somebody who was asked will never get the request.
    fn introduction_finished(
        &mut self,
        cx: &mut Context<'_>,
        entry: &Entry,
        progress: Progress,
        reason: &str,
    ) -> Result<(), EngineError> {
        let is_lost = matches!(progress, Progress::Failed | Progress::Expired);
        let is_request = is_lost && !entry.parcel.request.is_empty();
        // Another request may have been made since.
        let asked = self.person(cx, &entry.recipient)?.filter(|person| person.token == entry.parcel.request);
        match asked.filter(|_| is_request) {
            Some(person) => self.request_failed(cx, person, reason),
            None => Ok(()),
        }
    }

    /// A recipient says in the conversation that it has opened a message: nothing of it need be offered again.
    pub(crate) fn opened_elsewhere(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &[u8],
        recipient: &[u8],
        message: &[u8],
    ) -> Result<(), EngineError> {
        for stream in [Stream::Person(recipient.to_vec()), Stream::Conversation(conversation.to_vec())] {
            for entry in self.pending_entries(cx, &stream, recipient)? {
                if entry.parcel.message == message {
                    self.settle(cx, &entry)?;
                }
            }
        }
        Ok(())
    }

    /// A recipient says which deliveries came through a relay of theirs.
    pub(crate) fn deliveries_taken<'a>(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &[u8],
        recipient: &[u8],
        deliveries: impl Iterator<Item = &'a Vec<u8>>,
    ) -> Result<(), EngineError> {
        let deliveries: BTreeSet<&Vec<u8>> = deliveries.collect();
        if deliveries.is_empty() {
            return Ok(());
        }
        let own = [Stream::introductions(recipient), Stream::Person(recipient.to_vec())];
        for stream in own.into_iter().chain([Stream::Conversation(conversation.to_vec())]) {
            for entry in self.pending_entries(cx, &stream, recipient)? {
                if deliveries.contains(&entry.parcel.delivery) {
                    self.finish(cx, &entry, Progress::Delivered, "")?;
                }
            }
        }
        Ok(())
    }

    /// Drops what waits for a person in one conversation.
    pub(crate) fn drop_queue(
        &mut self,
        cx: &mut Context<'_>,
        recipient: &[u8],
        conversation: &[u8],
        reason: &str,
    ) -> Result<(), EngineError> {
        let stream = Stream::Conversation(conversation.to_vec());
        let mut entries = self.pending_entries(cx, &Stream::introductions(recipient), recipient)?;
        entries.extend(self.pending_entries(cx, &Stream::Person(recipient.to_vec()), recipient)?);
        entries.retain(|entry| entry.parcel.conversation == conversation);
        if self.streams(cx)?.waiting(&stream) > 0 {
            entries.extend(self.pending_entries(cx, &stream, recipient)?);
        }
        for entry in entries {
            self.finish(cx, &entry, Progress::Failed, reason)?;
        }
        self.forget_cursor(cx, &stream, recipient)
    }

    /// Ends what has waited longer than its lifetime, and plans the next look.
    pub(crate) fn sweep(&mut self, cx: &mut Context<'_>) -> Result<(), EngineError> {
        self.outbox.plan(cx.now.monotonic_ms + SWEEP_EVERY_MS, Task::Sweep);
        for stream in self.stream_names(cx)? {
            self.expire(cx, &stream)?;
        }
        self.expire_unsealed(cx)?;
        self.deposit_posts(cx)?;
        self.retire(cx)
    }

    fn expire(&mut self, cx: &mut Context<'_>, stream: &Stream) -> Result<(), EngineError> {
        let node_ms = cx.node_ms;
        let entries = self.entries_after(cx, stream, 0, usize::MAX)?;
        let expired: Vec<u64> = entries
            .into_iter()
            .filter(|(_, parcel)| parcel.expires_node_ms <= node_ms)
            .map(|(ordinal, _)| ordinal)
            .collect();
        if expired.is_empty() {
            return Ok(());
        }
        let recipients = self.recipients(cx, stream)?.cloned().unwrap_or_default();
        for recipient in recipients {
            let pending = self.pending_entries(cx, stream, &recipient)?;
            for entry in pending.iter().filter(|entry| expired.contains(&entry.ordinal)) {
                self.finish(cx, entry, Progress::Expired, TOO_LONG)?;
            }
        }
        // Nobody else could be done with them.
        for (ordinal, _) in self.entries_after(cx, stream, 0, usize::MAX)? {
            if expired.contains(&ordinal) {
                self.remove_entry(cx, stream, ordinal)?;
            }
        }
        Ok(())
    }

    /// For how long the oldest delivery has waited, ms; 0 if none waits.
    pub(crate) fn oldest_delivery_ms(&mut self, cx: &Context<'_>) -> Result<u64, EngineError> {
        let (mut oldest, lifetime_ms) = (0, self.delivery_lifetime_ms());
        for stream in self.stream_names(cx)? {
            for (_, parcel) in self.entries_after(cx, &stream, 0, 1)? {
                let since = parcel.expires_node_ms.saturating_sub(lifetime_ms);
                oldest = oldest.max(cx.node_ms.saturating_sub(since));
            }
        }
        Ok(oldest)
    }

    /// Deliveries that wait for each recipient.
    pub(crate) fn waiting_deliveries(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Result<BTreeMap<Vec<u8>, u64>, EngineError> {
        let mut waiting = BTreeMap::new();
        for stream in self.stream_names(cx)? {
            let entries = self.entries_after(cx, &stream, 0, usize::MAX)?;
            for recipient in self.recipients(cx, &stream)?.cloned().unwrap_or_default() {
                let cursor = self.cursor(cx, &stream, &recipient)?;
                let pending = entries
                    .iter()
                    .filter(|(ordinal, parcel)| cursor.is_pending(*ordinal) && parcel.is_for(&recipient));
                *waiting.entry(recipient.clone()).or_default() += pending.count() as u64;
            }
        }
        Ok(waiting)
    }
}

#[cfg(test)]
mod tests;
