//! The history, the states of own messages, and what the owner asks about them.
//!
//! ```text
//!   queued ──► sent k of n ──► delivered n of n
//!      │            │
//!      └────────────┴──► expired, failed
//! ```
//!
//! *Sent* means that another node, or the recipient's, has stored it; *delivered* that the recipient's device has
//! decrypted and committed it.

use qpq_proto::{
    Failure,
    limits::TEXT_BYTES_MAX,
    v1::{Content, Message, SendMessageRequest, SendMessageResponse, Text, content},
};

use crate::{
    context::Context,
    engine::Engine,
    input::EngineError,
    people::Named,
    records::{
        ConversationRecord, EventRecord, MessageRecord, PersonRecord, PlaceRecord, Stage, Standing,
        Verification,
    },
    tables::{self, MESSAGE_IDS, MESSAGES},
};

use progress::state_word;

mod disclosing;
mod handing;
mod progress;
mod reading;

/// Senders who may use one message id before it is ignored; honest ones never share any.
const SAME_ID_MAX: usize = 16;

impl Engine {
    pub(crate) fn send_message(
        &mut self,
        cx: &mut Context<'_>,
        request: &SendMessageRequest,
    ) -> Result<SendMessageResponse, Failure> {
        let id = match request.id.len() {
            0 => cx.message_id().to_vec(),
            16 => request.id.clone(),
            _ => return Err(Failure::bad_request("id", "a message id is 16 bytes long")),
        };
        if let Some((place, record)) = self.own_message(cx, &id)? {
            let conversation = self.conversation_of(cx, &place.conversation)?;
            let message = self.message_view(cx, &conversation, place.cursor, &record)?;
            return Ok(SendMessageResponse { message: Some(message) });
        }
        Self::check_text(&request.text)?;
        let from = self.me()?.id();
        if self.place_by(cx, &id, &from)?.is_some() {
            return Err(Failure::conflict("too many messages have this id"));
        }
        let mut conversation = self.writable_conversation(cx, &request.to)?;
        conversation.own_sequence += 1;
        let record = MessageRecord {
            id,
            from,
            text: request.text.clone(),
            sent_at_ms: cx.now.wall_ms,
            stored_at_ms: cx.now.wall_ms,
            own: true,
            recipients: conversation.members.saturating_sub(1),
            is_unsealed: conversation.stage() == Stage::Waiting,
            sequence: conversation.own_sequence,
            ..MessageRecord::default()
        };
        self.save_conversation(cx, &conversation)?;
        let cursor = self.store_message(cx, &conversation.id, &record)?;
        let content = Content {
            id: record.id.clone(),
            sequence: record.sequence,
            sent_at_ms: record.sent_at_ms,
            received: Vec::new(),
            kind: Some(content::Kind::Text(Text { text: record.text.clone() })),
        };
        self.seal_or_keep(cx, &conversation, &content)?;
        if request.carried && !record.is_unsealed {
            self.carry_newest(cx, &conversation.id)?;
        }
        Ok(SendMessageResponse { message: Some(self.message_view(cx, &conversation, cursor, &record)?) })
    }

    pub(crate) fn check_text(text: &str) -> Result<(), Failure> {
        if text.is_empty() {
            return Err(Failure::bad_request("text", "the text is empty"));
        }
        if text.len() > TEXT_BYTES_MAX {
            let message =
                format!("the text is {} bytes long, at most {TEXT_BYTES_MAX} are possible", text.len());
            return Err(Failure::bad_request("text", message));
        }
        Ok(())
    }

    /// The conversation of a name, if one may write to it now.
    pub(crate) fn writable_conversation(
        &mut self,
        cx: &Context<'_>,
        name: &str,
    ) -> Result<ConversationRecord, Failure> {
        self.me()?;
        let conversation = match self.find_named(cx, name)? {
            Named::Group(id) => self.conversation_of(cx, &id)?,
            Named::Person(person) => {
                check_writable(&person)?;
                self.conversation_of(cx, &person.conversation)?
            }
        };
        self.check_room(cx, &conversation)?;
        if conversation.stage() == Stage::Ended {
            return Err(Failure::forbidden(format!("you are no longer a member of {name}")));
        }
        Ok(conversation)
    }

    /// Writes a message into the history and announces it.
    pub(crate) fn store_message(
        &mut self,
        cx: &mut Context<'_>,
        conversation_id: &[u8],
        record: &MessageRecord,
    ) -> Result<u64, EngineError> {
        let event = EventRecord {
            what: "message".into(),
            conversation: conversation_id.to_vec(),
            ..EventRecord::default()
        };
        let cursor = self.log_event(cx, event)?;
        tables::save(cx.tx, MESSAGES, tables::at(conversation_id, cursor), record)?;
        let place =
            PlaceRecord { conversation: conversation_id.to_vec(), cursor, sender: record.from.clone() };
        let ordinal = tables::next_ordinal(cx.tx, MESSAGE_IDS, &record.id)?;
        tables::save(cx.tx, MESSAGE_IDS, tables::at(&record.id, ordinal), &place)?;
        let mut conversation = self.conversation_of(cx, conversation_id)?;
        conversation.last_at_ms = cx.now.wall_ms;
        if !record.own {
            conversation.unread += 1;
        }
        self.save_conversation(cx, &conversation)?;
        Ok(cursor)
    }

    /// Where the message of an id by a sender lies.
    pub(crate) fn place_by(
        &self,
        cx: &Context<'_>,
        id: &[u8],
        sender: &[u8],
    ) -> Result<Option<PlaceRecord>, EngineError> {
        let places: Vec<(u64, PlaceRecord)> = tables::first(cx.tx, MESSAGE_IDS, id, SAME_ID_MAX)?;
        if places.len() == SAME_ID_MAX {
            return Ok(places.into_iter().next().map(|(_, place)| place));
        }
        Ok(places.into_iter().map(|(_, place)| place).find(|place| place.sender == sender))
    }

    /// An own message and where it lies.
    pub(crate) fn own_message(
        &self,
        cx: &Context<'_>,
        id: &[u8],
    ) -> Result<Option<(PlaceRecord, MessageRecord)>, EngineError> {
        let Some(me) = &self.me else { return Ok(None) };
        let Some(place) = self.place_by(cx, id, &me.id())? else { return Ok(None) };
        Ok(self.message_at(cx, place)?.filter(|(_, record)| record.own))
    }

    /// Writes a message again where it lies.
    pub(crate) fn save_message(
        &self,
        cx: &mut Context<'_>,
        place: &PlaceRecord,
        record: &MessageRecord,
    ) -> Result<(), EngineError> {
        tables::save(cx.tx, MESSAGES, tables::at(&place.conversation, place.cursor), record)
    }

    fn message_at(
        &self,
        cx: &Context<'_>,
        place: PlaceRecord,
    ) -> Result<Option<(PlaceRecord, MessageRecord)>, EngineError> {
        let record = tables::load(cx.tx, MESSAGES, tables::at(&place.conversation, place.cursor))?;
        Ok(record.map(|record| (place, record)))
    }

    /// A message by its id: an own one, or else the first with that id.
    fn any_message(&self, cx: &Context<'_>, id: &[u8]) -> Result<(PlaceRecord, MessageRecord), Failure> {
        if let Some(found) = self.own_message(cx, id)? {
            return Ok(found);
        }
        let places: Vec<(u64, PlaceRecord)> = tables::first(cx.tx, MESSAGE_IDS, id, 1)?;
        let found = match places.into_iter().next() {
            Some((_, place)) => self.message_at(cx, place)?,
            None => None,
        };
        found.ok_or_else(|| Failure::not_found("no message has this id: `qpq read --json` shows the ids"))
    }

    pub(crate) fn message_view(
        &self,
        cx: &Context<'_>,
        conversation: &ConversationRecord,
        cursor: u64,
        record: &MessageRecord,
    ) -> Result<Message, EngineError> {
        Ok(Message {
            id: record.id.clone(),
            conversation: self.name_of(cx, conversation)?,
            from: self.display_name(cx, &record.from)?,
            from_identity: record.from.clone(),
            text: record.text.clone(),
            sent_at_ms: record.sent_at_ms,
            stored_at_ms: record.stored_at_ms,
            state: state_word(record).into(),
            cursor,
            own: record.own,
            delivered: record.delivered,
            recipients: record.recipients,
            sent: record.sent,
            handed: record.handed,
            handed_volatile: record.handed_volatile,
            relayed: record.relayed,
        })
    }
}

fn check_writable(person: &PersonRecord) -> Result<(), Failure> {
    let name = &person.name;
    match person.standing() {
        Standing::Blocked => Err(Failure::forbidden(format!(
            "@{name} is blocked: `qpq contact block --undo @{name}` lifts that"
        ))),
        Standing::Pending => Err(Failure::conflict(format!(
            "@{name} asks to become a contact: `qpq contact accept @{name}` first"
        ))),
        Standing::Member => Err(Failure::not_found(format!("@{name} is not a contact"))),
        Standing::Requested | Standing::Accepted => match person.verification() {
            Verification::Mismatched => {
                let message = format!(
                    "the safety number of @{name} did not match: compare it again with `qpq contact verify @{name}`"
                );
                Err(Failure { field: "verification".into(), ..Failure::conflict(message) })
            }
            Verification::Unverified | Verification::Verified => Ok(()),
        },
    }
}

#[cfg(test)]
mod tests;
