//! The log of what happened, from which the owner's programs read with a cursor.
//!
//! An event names what it is about; the words are made when it is read. Messages share their numbering with
//! events: a message's cursor is the cursor of the event that announced it.

use qpq_proto::{
    Failure,
    v1::{AlarmEvent, Event, GapEvent, GroupEvent, ReadEventsRequest, ReadEventsResponse, event},
};

use crate::{
    context::Context,
    conversations::ConversationId,
    engine::Engine,
    input::EngineError,
    records::{EventRecord, MessageRecord},
    storage::Direction,
    tables::{self, EVENTS, MESSAGES, SINGLE},
};

const LIMIT_DEFAULT: usize = 256;
const LIMIT_MAX: usize = 1_024;

impl Engine {
    /// Writes an event and returns its cursor.
    pub(crate) fn log_event(
        &mut self,
        cx: &mut Context<'_>,
        mut event: EventRecord,
    ) -> Result<u64, EngineError> {
        let cursor = self.next_event;
        self.next_event += 1;
        event.at_ms = cx.now.wall_ms;
        if event.what == "message" {
            event.cursor = cursor;
        }
        tables::save(cx.tx, EVENTS, tables::at(SINGLE, cursor), &event)?;
        if let Some(old) = cursor.checked_sub(self.limits.events_kept_max as u64) {
            cx.tx.delete(EVENTS, tables::at(SINGLE, old))?;
        }
        cx.newest_event = Some(cursor);
        Ok(cursor)
    }

    pub(crate) fn log_contact(&mut self, cx: &mut Context<'_>, person: &[u8]) -> Result<(), EngineError> {
        let event = EventRecord { what: "contact".into(), person: person.to_vec(), ..EventRecord::default() };
        self.bundles_may_change(cx.now);
        self.log_event(cx, event).map(drop)
    }

    pub(crate) fn log_group(
        &mut self,
        cx: &mut Context<'_>,
        conversation: ConversationId,
        what: &str,
        text: String,
        members: u32,
    ) -> Result<(), EngineError> {
        let event = EventRecord {
            what: "group".into(),
            conversation: conversation.to_vec(),
            code: what.into(),
            text,
            number: members.into(),
            ..EventRecord::default()
        };
        self.log_event(cx, event).map(drop)
    }

    pub(crate) fn log_alarm(
        &mut self,
        cx: &mut Context<'_>,
        code: &str,
        text: String,
    ) -> Result<(), EngineError> {
        tracing::warn!(code, "alarm");
        let event = EventRecord { what: "alarm".into(), code: code.into(), text, ..EventRecord::default() };
        self.log_event(cx, event).map(drop)
    }

    pub(crate) fn log_message_state(
        &mut self,
        cx: &mut Context<'_>,
        conversation: ConversationId,
        cursor: u64,
    ) -> Result<(), EngineError> {
        let event = EventRecord {
            what: "state".into(),
            conversation: conversation.to_vec(),
            cursor,
            ..EventRecord::default()
        };
        self.log_event(cx, event).map(drop)
    }

    /// `ReadEvents` without the waiting, which is the driver's.
    pub(crate) fn read_events(
        &self,
        cx: &Context<'_>,
        request: &ReadEventsRequest,
    ) -> Result<ReadEventsResponse, Failure> {
        let limit = match request.limit as usize {
            0 => LIMIT_DEFAULT,
            limit => limit.min(LIMIT_MAX),
        };
        let from = request.since.saturating_add(1);
        let records: Vec<(u64, EventRecord)> =
            tables::scan(cx.tx, EVENTS, SINGLE, from..u64::MAX, Direction::Forward, limit)?;
        let oldest = records.first().map_or(from, |(cursor, _)| *cursor);
        let lagged = if request.since == 0 { 0 } else { oldest - from };
        let next = records.last().map_or(request.since, |(cursor, _)| *cursor);
        let mut events = Vec::with_capacity(records.len());
        for (cursor, record) in records {
            if let Some(kind) = self.describe(cx, &record)? {
                events.push(Event { cursor, at_ms: record.at_ms, kind: Some(kind) });
            }
        }
        Ok(ReadEventsResponse { events, next, lagged })
    }

    /// The event in words; `None` if what it names is gone.
    fn describe(&self, cx: &Context<'_>, record: &EventRecord) -> Result<Option<event::Kind>, EngineError> {
        Ok(match record.what.as_str() {
            "message" => self.describe_message(cx, record)?.map(event::Kind::Message),
            "state" => self.describe_message(cx, record)?.map(event::Kind::State),
            "contact" => self
                .person(cx, &record.person)?
                .map(|person| self.contact_view(cx, &person).map(event::Kind::Contact))
                .transpose()?,
            "group" => self.conversation_name(cx, &record.conversation)?.map(|group| {
                event::Kind::Group(GroupEvent {
                    group,
                    text: record.text.clone(),
                    what: record.code.clone(),
                    members: u32::try_from(record.number).unwrap_or(u32::MAX),
                })
            }),
            "gap" => match self.conversation_name(cx, &record.conversation)? {
                Some(conversation) => Some(event::Kind::Gap(GapEvent {
                    conversation,
                    from: self.display_name(cx, &record.person)?,
                    missing: record.number,
                })),
                None => None,
            },
            "relay" => self.relay_view_of(cx, &record.person)?.map(event::Kind::Relay),
            // For those who wait alone: `ShowRecovery` and `WaitRecoveryUse` say what is new.
            "recovery" => None,
            "post" => self.describe_post(cx, &record.conversation, record.cursor)?.map(event::Kind::Post),
            _ => {
                Some(event::Kind::Alarm(AlarmEvent { code: record.code.clone(), text: record.text.clone() }))
            }
        })
    }

    fn describe_message(
        &self,
        cx: &Context<'_>,
        record: &EventRecord,
    ) -> Result<Option<qpq_proto::v1::Message>, EngineError> {
        let Some(conversation) = self.conversation(cx, &record.conversation)? else { return Ok(None) };
        let message: Option<MessageRecord> =
            tables::load(cx.tx, MESSAGES, tables::at(&record.conversation, record.cursor))?;
        message.map(|message| self.message_view(cx, &conversation, record.cursor, &message)).transpose()
    }
}

#[cfg(test)]
mod tests;
