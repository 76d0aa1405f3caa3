//! From when on somebody reads a conversation: nothing that was said before is for a newcomer.

use qpq_proto::ids::Identity;

use super::Stream;
use crate::{
    content::sender_key,
    context::Context,
    engine::Engine,
    input::EngineError,
    records::{CursorRecord, SenderRecord},
    tables::{self, SENDERS},
};

impl Engine {
    /// Somebody becomes a member of a conversation: what lies in its stream already is not for it.
    pub(crate) fn read_from_now_on(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &[u8],
        recipient: &[u8],
    ) -> Result<(), EngineError> {
        self.note_joined(cx, conversation, recipient)?;
        let stream = Stream::Conversation(conversation.to_vec());
        if self.streams(cx)?.waiting(&stream) == 0 {
            return Ok(());
        }
        let cursor = CursorRecord { through: self.newest_parcel(cx)?, ..CursorRecord::default() };
        self.save_cursor(cx, &stream, recipient, &cursor)
    }

    /// Somebody becomes a member: what this person has said so far is not for it, not even if it asks.
    pub(crate) fn note_joined(
        &self,
        cx: &mut Context<'_>,
        conversation: &[u8],
        identity: &[u8],
    ) -> Result<(), EngineError> {
        let Some(own) = self.conversation(cx, conversation)? else { return Ok(()) };
        self.note_joined_after(cx, conversation, identity, own.own_sequence)
    }

    /// The same, when this person had said so much.
    pub(crate) fn note_joined_after(
        &self,
        cx: &mut Context<'_>,
        conversation: &[u8],
        identity: &[u8],
        own_sequence: u64,
    ) -> Result<(), EngineError> {
        let key = sender_key(conversation, identity);
        let known: Option<SenderRecord> = tables::load(cx.tx, SENDERS, tables::key(&key))?;
        let sender = SenderRecord {
            conversation: conversation.to_vec(),
            identity: identity.to_vec(),
            joined_after: own_sequence,
            ..known.unwrap_or_default()
        };
        tables::save(cx.tx, SENDERS, tables::key(&key), &sender)
    }

    /// Sequence of the own content after which somebody became a member of a conversation.
    pub(crate) fn joined_after(
        &self,
        cx: &Context<'_>,
        conversation: &[u8],
        identity: Identity,
    ) -> Result<u64, EngineError> {
        let key = sender_key(conversation, identity.as_bytes());
        let sender: Option<SenderRecord> = tables::load(cx.tx, SENDERS, tables::key(&key))?;
        Ok(sender.map_or(0, |sender| sender.joined_after))
    }
}
