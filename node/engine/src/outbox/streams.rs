//! Which streams have entries, and who reads them: an index in memory over what is in storage.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    context::Context,
    engine::Engine,
    input::EngineError,
    records::{Kind, OutboxRecord, ParcelRecord, Stage},
    tables::{self, OUTBOX, OUTGOING, SINGLE},
};

/// Makes the key of a person's introductions another than that of what else is for the person.
const INTRODUCTIONS_PREFIX: &[u8] = b"i";
/// Ordinals reserved by one write.
const ORDINALS_RESERVED: u64 = 1_024;

/// A sequence of entries. A person's own come first in order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stream {
    /// Introductions to one person: a byte and the identity key. Apart from what is said in groups, which may have
    /// to wait for just what an introduction brings.
    Introductions(Vec<u8>),
    /// For one person, by identity key, 32 bytes.
    Person(Vec<u8>),
    /// For the members of a conversation, by its local id, 16 bytes.
    Conversation(Vec<u8>),
}

impl Stream {
    /// Where the stream's records lie.
    pub(crate) fn key(&self) -> &[u8] {
        match self {
            Self::Introductions(key) | Self::Person(key) | Self::Conversation(key) => key,
        }
    }

    pub(crate) fn introductions(identity: &[u8]) -> Self {
        Self::Introductions([INTRODUCTIONS_PREFIX, identity].concat())
    }

    /// As a record names it.
    pub(crate) fn to_record(&self) -> (u32, Vec<u8>) {
        let number = match self {
            Self::Introductions(_) => 0,
            Self::Person(_) => 1,
            Self::Conversation(_) => 2,
        };
        (number, self.key().to_vec())
    }

    /// As a record named it.
    pub(crate) fn from_record(number: u32, key: Vec<u8>) -> Option<Self> {
        match number {
            0 => Some(Self::Introductions(key)),
            1 => Some(Self::Person(key)),
            2 => Some(Self::Conversation(key)),
            _ => None,
        }
    }

    /// The stream in which a parcel lies.
    pub(crate) fn of(parcel: &ParcelRecord) -> Self {
        match parcel.recipient.as_slice() {
            [] => Self::Conversation(parcel.conversation.clone()),
            recipient if parcel.is_introduction => Self::introductions(recipient),
            recipient => Self::Person(recipient.to_vec()),
        }
    }

    /// The one recipient of a person's stream; empty for a conversation's.
    pub(super) fn recipient(&self) -> &[u8] {
        match self {
            Self::Introductions(key) => key.get(INTRODUCTIONS_PREFIX.len()..).unwrap_or_default(),
            Self::Person(identity) => identity,
            Self::Conversation(_) => &[],
        }
    }
}

/// The index.
#[derive(Debug, Default)]
pub(super) struct Streams {
    streams: BTreeMap<Stream, State>,
    /// Of all payloads.
    bytes: u64,
}

#[derive(Debug, Default)]
struct State {
    entries: usize,
    /// Who reads the stream; `None` until it is needed.
    recipients: Option<BTreeSet<Vec<u8>>>,
}

impl Streams {
    pub(super) fn added(&mut self, stream: &Stream, parcel: &ParcelRecord) {
        self.streams.entry(stream.clone()).or_default().entries += 1;
        self.bytes = self.bytes.saturating_add(parcel.payload_bytes);
    }

    pub(super) fn removed(&mut self, stream: &Stream, parcel: &ParcelRecord) {
        let Some(state) = self.streams.get_mut(stream) else { return };
        self.bytes = self.bytes.saturating_sub(parcel.payload_bytes);
        state.entries = state.entries.saturating_sub(1);
        if state.entries == 0 {
            self.streams.remove(stream);
        }
    }

    /// Bytes of payloads.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Entries of a stream.
    pub(super) fn waiting(&self, stream: &Stream) -> usize {
        self.streams.get(stream).map_or(0, |state| state.entries)
    }

    pub(super) fn forget_members(&mut self, stream: &Stream) {
        if let Some(state) = self.streams.get_mut(stream) {
            state.recipients = None;
        }
    }

    fn names(&self) -> Vec<Stream> {
        self.streams.keys().cloned().collect()
    }
}

impl Engine {
    /// The index, made from storage if need be.
    pub(super) fn streams(&mut self, cx: &Context<'_>) -> Result<&mut Streams, EngineError> {
        self.outbox.is_changed = true;
        if self.outbox.streams.is_none() {
            let mut streams = Streams::default();
            for parcel in tables::all::<ParcelRecord>(cx.tx, OUTGOING)? {
                streams.added(&Stream::of(&parcel), &parcel);
            }
            self.outbox.streams = Some(streams);
        }
        Ok(self.outbox.streams.get_or_insert_default())
    }

    /// Every stream that has entries.
    pub(crate) fn stream_names(&mut self, cx: &Context<'_>) -> Result<Vec<Stream>, EngineError> {
        Ok(self.streams(cx)?.names())
    }

    /// Streams with entries that a person reads, the person's own first.
    pub(crate) fn streams_of(
        &mut self,
        cx: &mut Context<'_>,
        recipient: &[u8],
    ) -> Result<Vec<Stream>, EngineError> {
        let mut read = Vec::new();
        for stream in self.stream_names(cx)? {
            if self.recipients(cx, &stream)?.is_some_and(|recipients| recipients.contains(recipient)) {
                read.push(stream);
            }
        }
        Ok(read)
    }

    /// Who reads a stream; `None` if nothing lies in it.
    pub(crate) fn recipients(
        &mut self,
        cx: &mut Context<'_>,
        stream: &Stream,
    ) -> Result<Option<&BTreeSet<Vec<u8>>>, EngineError> {
        let is_unknown =
            self.streams(cx)?.streams.get(stream).is_some_and(|state| state.recipients.is_none());
        let found = if is_unknown { Some(self.find_recipients(cx, stream)?) } else { None };
        let Some(state) = self.streams(cx)?.streams.get_mut(stream) else { return Ok(None) };
        if found.is_some() {
            state.recipients = found;
        }
        Ok(state.recipients.as_ref())
    }

    fn find_recipients(
        &mut self,
        cx: &mut Context<'_>,
        stream: &Stream,
    ) -> Result<BTreeSet<Vec<u8>>, EngineError> {
        let conversation = match stream {
            Stream::Introductions(_) | Stream::Person(_) => {
                return Ok(BTreeSet::from([stream.recipient().to_vec()]));
            }
            Stream::Conversation(id) => self.conversation(cx, id)?,
        };
        let Some(conversation) = conversation else { return Ok(BTreeSet::new()) };
        Ok(match (conversation.kind(), conversation.stage()) {
            (Kind::Direct, _) => BTreeSet::from([conversation.contact.clone()]),
            (Kind::Group, Stage::Open) => {
                let others = self.other_members(cx, &conversation.group_id);
                let others = self.unless_broken(cx, &conversation.id, others)?;
                others.unwrap_or_default().into_iter().collect()
            }
            (Kind::Group, Stage::Waiting | Stage::Ended) => BTreeSet::new(),
        })
    }

    /// An ordinal greater than any before, whatever has been removed since and however often the node has started.
    pub(super) fn next_parcel(&mut self, cx: &mut Context<'_>) -> Result<u64, EngineError> {
        self.outbox.is_changed = true;
        if self.outbox.ordinals.is_empty() {
            let record: OutboxRecord = tables::load(cx.tx, OUTBOX, tables::key(SINGLE))?.unwrap_or_default();
            let start = record.reserved.max(1);
            self.outbox.ordinals = start..start + ORDINALS_RESERVED;
            let record = OutboxRecord { reserved: self.outbox.ordinals.end };
            tables::save(cx.tx, OUTBOX, tables::key(SINGLE), &record)?;
        }
        let next = self.outbox.ordinals.start;
        self.outbox.ordinals.start += 1;
        Ok(next)
    }

    /// The greatest ordinal that an entry may have so far.
    pub(super) fn newest_parcel(&self, cx: &Context<'_>) -> Result<u64, EngineError> {
        let next = if self.outbox.ordinals.is_empty() {
            let record: Option<OutboxRecord> = tables::load(cx.tx, OUTBOX, tables::key(SINGLE))?;
            record.unwrap_or_default().reserved
        } else {
            self.outbox.ordinals.start
        };
        Ok(next.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests;
