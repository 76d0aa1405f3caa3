//! Entries of streams, and how far each recipient is.

use std::collections::BTreeSet;

use super::{To, streams::Stream};
use crate::{
    content::sender_key,
    context::Context,
    engine::Engine,
    input::EngineError,
    records::{CursorRecord, ParcelRecord},
    storage::Direction,
    tables::{self, CURSORS, OUTGOING, PAYLOADS},
};

/// Entries that a recipient's node may hold unopened in one stream; then it is not sent more of it.
const STORED_MAX: usize = 1_024;
/// Entries read at once while looking for one that is for a recipient.
const READ_AHEAD: usize = 4;

/// An entry as one recipient sees it.
pub(crate) struct Entry {
    pub stream: Stream,
    pub recipient: Vec<u8>,
    pub ordinal: u64,
    pub parcel: ParcelRecord,
}

impl CursorRecord {
    /// Whether the recipient is not done with an entry.
    pub(crate) fn is_pending(&self, ordinal: u64) -> bool {
        let is_untouched = ordinal > self.through && self.done.binary_search(&ordinal).is_err();
        is_untouched || self.stored.binary_search(&ordinal).is_ok()
    }

    /// Whether an entry lies at a relay of the recipient's.
    pub(crate) fn is_relayed(&self, ordinal: u64) -> bool {
        self.relayed.binary_search(&ordinal).is_ok()
    }

    /// The recipient's node, or a relay, holds an entry.
    fn store(&mut self, ordinal: u64) {
        if let Err(position) = self.stored.binary_search(&ordinal) {
            self.stored.insert(position, ordinal);
            self.pass(ordinal);
        }
    }

    /// Moves past an entry that the recipient was given.
    fn pass(&mut self, ordinal: u64) {
        self.through = self.through.max(ordinal);
        let through = self.through;
        self.done.retain(|done| *done > through);
    }
}

impl ParcelRecord {
    pub(crate) fn is_for(&self, recipient: &[u8]) -> bool {
        !self.except.iter().any(|other| other == recipient)
    }
}

impl Engine {
    pub(crate) fn cursor(
        &self,
        cx: &Context<'_>,
        stream: &Stream,
        recipient: &[u8],
    ) -> Result<CursorRecord, EngineError> {
        let key = sender_key(stream.key(), recipient);
        Ok(tables::load(cx.tx, CURSORS, tables::key(&key))?.unwrap_or_default())
    }

    pub(super) fn save_cursor(
        &self,
        cx: &mut Context<'_>,
        stream: &Stream,
        recipient: &[u8],
        cursor: &CursorRecord,
    ) -> Result<(), EngineError> {
        let key = sender_key(stream.key(), recipient);
        tables::save(cx.tx, CURSORS, tables::key(&key), cursor)
    }

    /// The first entry of a stream that a recipient has not been given.
    pub(crate) fn next_entry(
        &self,
        cx: &Context<'_>,
        stream: &Stream,
        recipient: &[u8],
    ) -> Result<Option<Entry>, EngineError> {
        let cursor = self.cursor(cx, stream, recipient)?;
        if cursor.stored.len() >= STORED_MAX {
            return Ok(None);
        }
        let mut after = cursor.through;
        loop {
            let some = self.entries_after(cx, stream, after, READ_AHEAD)?;
            let Some((last, _)) = some.last() else { return Ok(None) };
            after = *last;
            let found = some
                .into_iter()
                .find(|(ordinal, parcel)| parcel.is_for(recipient) && cursor.is_pending(*ordinal));
            if let Some((ordinal, parcel)) = found {
                let (stream, recipient) = (stream.clone(), recipient.to_vec());
                return Ok(Some(Entry { stream, recipient, ordinal, parcel }));
            }
        }
    }

    /// An entry with which a recipient is not done yet.
    pub(crate) fn pending_entry(
        &self,
        cx: &Context<'_>,
        stream: &Stream,
        recipient: &[u8],
        ordinal: u64,
    ) -> Result<Option<Entry>, EngineError> {
        if !self.cursor(cx, stream, recipient)?.is_pending(ordinal) {
            return Ok(None);
        }
        let parcel: Option<ParcelRecord> = tables::load(cx.tx, OUTGOING, tables::at(stream.key(), ordinal))?;
        let (stream, recipient) = (stream.clone(), recipient.to_vec());
        Ok(parcel.map(|parcel| Entry { stream, recipient, ordinal, parcel }))
    }

    pub(crate) fn entries_after(
        &self,
        cx: &Context<'_>,
        stream: &Stream,
        after: u64,
        limit: usize,
    ) -> Result<Vec<(u64, ParcelRecord)>, EngineError> {
        let ordinals = after.saturating_add(1)..u64::MAX;
        tables::scan(cx.tx, OUTGOING, stream.key(), ordinals, Direction::Forward, limit)
    }

    /// Every entry of a stream with which a recipient is not done.
    pub(super) fn pending_entries(
        &self,
        cx: &Context<'_>,
        stream: &Stream,
        recipient: &[u8],
    ) -> Result<Vec<Entry>, EngineError> {
        let cursor = self.cursor(cx, stream, recipient)?;
        let all = self.entries_after(cx, stream, 0, usize::MAX)?;
        let pending = all
            .into_iter()
            .filter(|(ordinal, parcel)| cursor.is_pending(*ordinal) && parcel.is_for(recipient));
        let (stream, recipient) = (stream.clone(), recipient.to_vec());
        let entry = |(ordinal, parcel)| Entry {
            stream: stream.clone(),
            recipient: recipient.clone(),
            ordinal,
            parcel,
        };
        Ok(pending.map(entry).collect())
    }

    /// Ids of the texts in a person's own stream that were not given to the person's node yet.
    pub(crate) fn texts_on_their_way(
        &self,
        cx: &Context<'_>,
        recipient: &[u8],
    ) -> Result<BTreeSet<Vec<u8>>, EngineError> {
        let stream = Stream::Person(recipient.to_vec());
        let stored = self.cursor(cx, &stream, recipient)?.stored;
        let mut entries = self.pending_entries(cx, &stream, recipient)?;
        entries.retain(|entry| stored.binary_search(&entry.ordinal).is_err());
        Ok(entries.into_iter().map(|entry| entry.parcel.message).collect())
    }

    /// The recipient's node holds an entry that it cannot open yet.
    pub(super) fn note_stored(&self, cx: &mut Context<'_>, entry: &Entry) -> Result<(), EngineError> {
        let before = self.cursor(cx, &entry.stream, &entry.recipient)?;
        let mut cursor = before.clone();
        cursor.relayed.retain(|relayed| *relayed != entry.ordinal);
        cursor.store(entry.ordinal);
        if cursor != before {
            self.save_cursor(cx, &entry.stream, &entry.recipient, &cursor)?;
        }
        Ok(())
    }

    /// A relay of the recipient's holds an entry.
    pub(crate) fn note_relayed(&self, cx: &mut Context<'_>, entry: &Entry) -> Result<(), EngineError> {
        let mut cursor = self.cursor(cx, &entry.stream, &entry.recipient)?;
        if let Err(position) = cursor.relayed.binary_search(&entry.ordinal) {
            cursor.relayed.insert(position, entry.ordinal);
        }
        cursor.store(entry.ordinal);
        self.save_cursor(cx, &entry.stream, &entry.recipient, &cursor)
    }

    /// Whether an entry comes before all others with which a recipient is not done.
    fn is_next(&self, cx: &Context<'_>, cursor: &CursorRecord, entry: &Entry) -> Result<bool, EngineError> {
        let mut after = cursor.through;
        loop {
            let some = self.entries_after(cx, &entry.stream, after, READ_AHEAD)?;
            for (ordinal, parcel) in &some {
                if *ordinal >= entry.ordinal {
                    return Ok(true);
                }
                if parcel.is_for(&entry.recipient) && cursor.is_pending(*ordinal) {
                    return Ok(false);
                }
            }
            let Some((last, _)) = some.last() else { return Ok(true) };
            after = *last;
        }
    }

    /// The recipient is done with an entry: removes it, with its payload, if it was the last.
    pub(crate) fn settle(&mut self, cx: &mut Context<'_>, entry: &Entry) -> Result<(), EngineError> {
        let key = tables::at(entry.stream.key(), entry.ordinal);
        let mut cursor = self.cursor(cx, &entry.stream, &entry.recipient)?;
        let was_stored = cursor.stored.binary_search(&entry.ordinal).ok();
        if let Some(position) = was_stored {
            cursor.stored.remove(position);
            cursor.relayed.retain(|relayed| *relayed != entry.ordinal);
        }
        // Read again: another recipient may have been done with it since.
        let parcel: Option<ParcelRecord> = tables::load(cx.tx, OUTGOING, key)?;
        let remaining = parcel.as_ref().map_or(0, |parcel| parcel.remaining.saturating_sub(1));
        match parcel {
            Some(parcel) if remaining > 0 => {
                if entry.ordinal <= cursor.through || self.is_next(cx, &cursor, entry)? {
                    cursor.pass(entry.ordinal);
                } else if let Err(position) = cursor.done.binary_search(&entry.ordinal) {
                    // It came another way, before others that were given up earlier.
                    cursor.done.insert(position, entry.ordinal);
                }
                tables::save(cx.tx, OUTGOING, key, &ParcelRecord { remaining, ..parcel })?;
                self.save_cursor(cx, &entry.stream, &entry.recipient, &cursor)
            }
            Some(_) => {
                self.remove_entry(cx, &entry.stream, entry.ordinal)?;
                // Where nothing lies any more a cursor has nothing to pass over.
                if was_stored.is_some() {
                    self.save_cursor(cx, &entry.stream, &entry.recipient, &cursor)
                } else {
                    Ok(())
                }
            }
            None => Ok(()),
        }
    }

    pub(super) fn remove_entry(
        &mut self,
        cx: &mut Context<'_>,
        stream: &Stream,
        ordinal: u64,
    ) -> Result<(), EngineError> {
        self.withdraw(cx, stream, ordinal)?;
        let key = tables::at(stream.key(), ordinal);
        if let Some(parcel) = tables::load::<ParcelRecord>(cx.tx, OUTGOING, key)? {
            self.streams(cx)?.removed(stream, &parcel);
        }
        cx.tx.delete(PAYLOADS, key)?;
        Ok(cx.tx.delete(OUTGOING, key)?)
    }

    /// A conversation is deleted: whatever still lies in its stream goes with it.
    pub(crate) fn drop_stream(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &[u8],
    ) -> Result<(), EngineError> {
        let stream = Stream::Conversation(conversation.to_vec());
        for (ordinal, _) in self.entries_after(cx, &stream, 0, usize::MAX)? {
            self.remove_entry(cx, &stream, ordinal)?;
        }
        Ok(())
    }

    pub(super) fn forget_cursor(
        &self,
        cx: &mut Context<'_>,
        stream: &Stream,
        recipient: &[u8],
    ) -> Result<(), EngineError> {
        Ok(cx.tx.delete(CURSORS, tables::key(&sender_key(stream.key(), recipient)))?)
    }
}

impl To<'_> {
    /// Everybody of a list, none of whom is passed over.
    pub(crate) fn members(recipients: &[Vec<u8>]) -> To<'_> {
        To::Members { recipients, except: Vec::new() }
    }
}

#[cfg(test)]
mod tests;
