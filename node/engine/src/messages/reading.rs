//! Reading the history, page by page, and what is unread of it.

use qpq_proto::{
    Failure,
    v1::{MarkReadRequest, MarkReadResponse, ReadMessagesRequest, ReadMessagesResponse},
};

use crate::{
    context::Context,
    engine::Engine,
    input::EngineError,
    people::Named,
    records::{ConversationRecord, MessageRecord},
    storage::Direction,
    tables::{self, CONVERSATIONS, MESSAGES},
};

/// Messages on a page where none is asked for, and at most.
const LIMIT_DEFAULT: usize = 256;
const LIMIT_MAX: usize = 1_024;

impl Engine {
    pub(crate) fn read_messages(
        &self,
        cx: &Context<'_>,
        request: &ReadMessagesRequest,
    ) -> Result<ReadMessagesResponse, Failure> {
        let limit = match request.limit as usize {
            0 => LIMIT_DEFAULT,
            limit => limit.min(LIMIT_MAX),
        };
        let conversations: Vec<ConversationRecord> = match request.conversation.as_str() {
            "" => tables::all(cx.tx, CONVERSATIONS)?,
            name => vec![self.named_conversation(cx, name)?],
        };
        let range = request.since.saturating_add(1)..u64::MAX;
        let direction = if request.newest { Direction::Backward } else { Direction::Forward };
        let mut found: Vec<(u64, usize, MessageRecord)> = Vec::new();
        for (index, conversation) in conversations.iter().enumerate() {
            let records = tables::scan(cx.tx, MESSAGES, &conversation.id, range.clone(), direction, limit)?;
            found.extend(records.into_iter().map(|(cursor, record)| (cursor, index, record)));
        }
        found.sort_by_key(|(cursor, ..)| *cursor);
        let surplus = found.len().saturating_sub(limit);
        match direction {
            Direction::Forward => found.truncate(limit),
            Direction::Backward => drop(found.drain(..surplus)),
        }
        let next = found.last().map_or(request.since, |(cursor, ..)| *cursor);
        let views = found
            .iter()
            .map(|(cursor, index, record)| self.message_view(cx, &conversations[*index], *cursor, record));
        Ok(ReadMessagesResponse { messages: views.collect::<Result<_, EngineError>>()?, next })
    }

    pub(crate) fn mark_read(
        &self,
        cx: &mut Context<'_>,
        request: &MarkReadRequest,
    ) -> Result<MarkReadResponse, Failure> {
        let mut conversation = self.named_conversation(cx, &request.conversation)?;
        if request.cursor > conversation.read_cursor {
            conversation.read_cursor = request.cursor;
            conversation.unread = self.received_after(cx, &conversation.id, request.cursor)?;
            self.save_conversation(cx, &conversation)?;
        }
        Ok(MarkReadResponse {})
    }

    /// How many messages of others a conversation holds after a cursor.
    pub(super) fn received_after(
        &self,
        cx: &Context<'_>,
        conversation: &[u8],
        cursor: u64,
    ) -> Result<u64, EngineError> {
        let (mut received, mut last) = (0, cursor);
        loop {
            let after = last.saturating_add(1)..u64::MAX;
            let newer: Vec<(u64, MessageRecord)> =
                tables::scan(cx.tx, MESSAGES, conversation, after, Direction::Forward, LIMIT_MAX)?;
            received += newer.iter().filter(|(_, record)| !record.own).count() as u64;
            match newer.last() {
                Some((newest, _)) if newer.len() == LIMIT_MAX => last = *newest,
                _ => return Ok(received),
            }
        }
    }

    pub(super) fn named_conversation(
        &self,
        cx: &Context<'_>,
        name: &str,
    ) -> Result<ConversationRecord, Failure> {
        Ok(match self.find_named(cx, name)? {
            Named::Group(id) => self.conversation_of(cx, &id)?,
            Named::Person(person) => self
                .conversation(cx, &person.conversation)?
                .ok_or_else(|| Failure::not_found(format!("there is no conversation with {name} yet")))?,
        })
    }
}

#[cfg(test)]
mod tests;
