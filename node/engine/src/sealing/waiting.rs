//! Contents that wait for their conversation to get a group, in the order in which they were said.

use prost::Message as _;
use qpq_proto::v1::{Content, content};

use crate::{
    context::Context,
    engine::Engine,
    input::EngineError,
    records::{ConversationRecord, Kind, Progress, Stage, UnsealedRecord},
    storage::Direction,
    tables::{self, CONVERSATIONS, UNSEALED},
};

use super::{Audience, decode_content};

/// Among how many contents that waited last it is looked whether one that is no text is there already.
const LOOKED_BACK: usize = 64;

impl Engine {
    /// Puts a new content into the conversation: sealed now, or when there is a group.
    pub(crate) fn seal_or_keep(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
        content: &Content,
    ) -> Result<(), EngineError> {
        if conversation.stage() == Stage::Open {
            return self.seal_content(cx, conversation, content, Audience::Everybody);
        }
        let expires_node_ms = cx.node_ms.saturating_add(self.delivery_lifetime_ms());
        keep(cx, conversation, UnsealedRecord { content: content.encode_to_vec(), expires_node_ms })
    }

    /// Keeps a content that was sealed before in vain, unless it waits already, for another recipient.
    pub(super) fn keep_again(
        &self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
        content: &Content,
        expires_node_ms: u64,
    ) -> Result<(), EngineError> {
        let record = UnsealedRecord { content: content.encode_to_vec(), expires_node_ms };
        let is_waiting = match self.own_message(cx, &content.id)? {
            // What the text itself says need not be looked for among the others.
            Some((place, mut message)) => {
                let is_waiting = message.is_unsealed || message.is_kept_again;
                message.is_kept_again = true;
                self.save_message(cx, &place, &message)?;
                is_waiting
            }
            None => {
                let (id, direction) = (&conversation.id, Direction::Backward);
                let last: Vec<(u64, UnsealedRecord)> =
                    tables::scan(cx.tx, UNSEALED, id, 0..u64::MAX, direction, LOOKED_BACK)?;
                last.iter().any(|(_, other)| other.content == record.content)
            }
        };
        if is_waiting { Ok(()) } else { keep(cx, conversation, record) }
    }

    /// Seals what waited for the conversation to get a group.
    pub(crate) fn seal_waiting(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
    ) -> Result<(), EngineError> {
        let waiting: Vec<(u64, UnsealedRecord)> =
            tables::first(cx.tx, UNSEALED, &conversation.id, usize::MAX)?;
        for (ordinal, record) in waiting {
            cx.tx.delete(UNSEALED, tables::at(&conversation.id, ordinal))?;
            let content = decode_content(&record.content)?;
            if is_text(&content) {
                self.text_sealed(cx, &content.id, conversation.members.saturating_sub(1))?;
            }
            let expires = Some(record.expires_node_ms).filter(|expires| *expires > 0);
            self.seal_until(cx, conversation, &content, Audience::Everybody, expires)?;
        }
        Ok(())
    }

    /// Ends what has waited for a group longer than its lifetime.
    pub(crate) fn expire_unsealed(&mut self, cx: &mut Context<'_>) -> Result<(), EngineError> {
        let conversations: Vec<ConversationRecord> = tables::all(cx.tx, CONVERSATIONS)?;
        for conversation in conversations.iter().filter(|it| it.stage() == Stage::Waiting) {
            let waiting: Vec<(u64, UnsealedRecord)> =
                tables::first(cx.tx, UNSEALED, &conversation.id, usize::MAX)?;
            let is_over = |record: &UnsealedRecord| (1..=cx.node_ms).contains(&record.expires_node_ms);
            for (ordinal, record) in
                waiting.into_iter().filter(|(_, record)| is_over(record)).collect::<Vec<_>>()
            {
                cx.tx.delete(UNSEALED, tables::at(&conversation.id, ordinal))?;
                let content = decode_content(&record.content)?;
                if is_text(&content) {
                    self.text_expired(cx, conversation, &content.id)?;
                }
            }
        }
        Ok(())
    }

    /// A text has waited too long for its conversation to get a group.
    fn text_expired(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &ConversationRecord,
        id: &[u8],
    ) -> Result<(), EngineError> {
        let Some((place, mut message)) = self.own_message(cx, id)? else { return Ok(()) };
        let was_unsealed = std::mem::take(&mut message.is_unsealed);
        message.is_kept_again = false;
        if was_unsealed && conversation.kind() == Kind::Group {
            // Nobody knows for how many it would have been.
            message.recipients = message.recipients.max(1);
            (message.lost, message.expired) = (message.recipients, true);
        }
        self.save_message(cx, &place, &message)?;
        match conversation.kind() {
            Kind::Direct => {
                self.delivery_progressed(cx, id, &conversation.contact, Progress::Expired, TOO_LONG)
            }
            Kind::Group => self.log_message_state(cx, conversation.conversation_id()?, place.cursor),
        }
    }
}

/// Why what has expired did not arrive.
pub(crate) const TOO_LONG: &str = "it waited too long";

fn keep(
    cx: &mut Context<'_>,
    conversation: &ConversationRecord,
    record: UnsealedRecord,
) -> Result<(), EngineError> {
    let ordinal = tables::next_ordinal(cx.tx, UNSEALED, &conversation.id)?;
    tables::save(cx.tx, UNSEALED, tables::at(&conversation.id, ordinal), &record)
}

fn is_text(content: &Content) -> bool {
    matches!(content.kind, Some(content::Kind::Text(_)))
}

#[cfg(test)]
mod tests;
