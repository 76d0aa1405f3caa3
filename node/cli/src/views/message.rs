//! Messages of conversations.

use qpq_proto::v1;
use serde::Serialize;

use super::{hex, uuid};
use crate::output::{Show, Style};
use crate::printable::{printable, printable_block};

/// One message, as `read` prints it.
#[derive(Debug, Serialize)]
pub(crate) struct MessageView {
    /// UUIDv7 with hyphens.
    pub(crate) id: String,
    /// `@name` or `#name`.
    pub(crate) conversation: String,
    /// The sender's name as known here.
    pub(crate) from: String,
    from_identity: String,
    /// The text.
    pub(crate) text: String,
    sent_at_ms: u64,
    stored_at_ms: u64,
    /// `received` for the messages of others, else how far it got.
    pub(crate) state: String,
    cursor: u64,
    own: bool,
    handed: u32,
    /// How many of those nodes keep it in memory only.
    handed_volatile: u32,
    /// Recipients for whom it lies at a relay of theirs.
    relayed: u32,
    sent: u32,
    delivered: u32,
    recipients: u32,
}

impl From<v1::Message> for MessageView {
    fn from(message: v1::Message) -> Self {
        Self {
            id: uuid(&message.id),
            from_identity: hex(&message.from_identity),
            conversation: message.conversation,
            from: message.from,
            text: message.text,
            sent_at_ms: message.sent_at_ms,
            stored_at_ms: message.stored_at_ms,
            state: message.state,
            cursor: message.cursor,
            own: message.own,
            handed: message.handed,
            handed_volatile: message.handed_volatile,
            relayed: message.relayed,
            sent: message.sent,
            delivered: message.delivered,
            recipients: message.recipients,
        }
    }
}

impl MessageView {
    /// Conversation, sender and text, for where the time stands already.
    pub(crate) fn without_time(&self, style: &Style) -> String {
        let conversation = printable(&self.conversation);
        let from = style.bold(&printable(&self.from));
        format!("{conversation}  {from}: {}{}", printable_block(&self.text, 4), style.faint(&self.progress()))
    }

    /// How far an own message got: empty for what is settled, and for the messages of others.
    fn progress(&self) -> String {
        let place = match self.handed_volatile {
            0 => String::new(),
            volatile if volatile == self.handed => ", in memory only".to_owned(),
            volatile => format!(", {volatile} in memory only"),
        };
        let state = match (self.state.as_str(), self.handed) {
            ("handed", 1) => format!("handed to 1 node{place}"),
            ("handed", nodes) => format!("handed to {nodes} nodes{place}"),
            ("relayed", _) => "at relay".to_owned(),
            (state, _) => printable(state).into_owned(),
        };
        match (self.own, self.state.as_str()) {
            (false, _) | (true, "delivered") => String::new(),
            (true, "sent" | "queued" | "handed" | "relayed") if self.recipients > 1 => {
                format!("  [{state}, delivered to {} of {}]", self.delivered, self.recipients)
            }
            (true, _) => format!("  [{state}]"),
        }
    }
}

impl Show for MessageView {
    const SCHEMA: &'static str = "qpq.message/1";

    fn human(&self, style: &Style) -> String {
        format!("{}  {}", style.faint(&style.zone.date_time(self.sent_at_ms)), self.without_time(style))
    }
}

/// What `send` did.
#[derive(Debug, Serialize)]
pub(crate) struct SendView {
    /// UUIDv7 with hyphens.
    pub(crate) id: String,
    /// `@name` or `#name`.
    pub(crate) conversation: String,
    /// `queued`, `sent`, `delivered`, `expired` or `failed`.
    pub(crate) state: String,
    /// Unix milliseconds.
    pub(crate) sent_at_ms: u64,
    /// Whether the state that was waited for was reached; absent without `--wait`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reached: Option<bool>,
    /// Names of recipients for whom it still waits.
    pub(crate) waiting_for: Vec<String>,
}

impl SendView {
    /// The message just put into the outbox.
    pub(crate) fn queued(message: v1::Message) -> Self {
        Self {
            id: uuid(&message.id),
            conversation: message.conversation,
            state: message.state,
            sent_at_ms: message.sent_at_ms,
            reached: None,
            waiting_for: Vec::new(),
        }
    }
}

impl Show for SendView {
    const SCHEMA: &'static str = "qpq.send/1";

    fn human(&self, style: &Style) -> String {
        let mut text = format!("{}  {}", printable(&self.state), style.faint(&self.id));
        if !self.waiting_for.is_empty() {
            let names: Vec<_> = self.waiting_for.iter().map(|name| printable(name)).collect();
            text.push_str(&format!("  waits for {}", names.join(", ")));
        }
        text
    }
}

#[cfg(test)]
pub(crate) fn sample_message() -> v1::Message {
    v1::Message {
        id: vec![0x01; 16],
        conversation: "@bob".into(),
        from: "bob".into(),
        from_identity: vec![0xab; 32],
        text: "hello".into(),
        sent_at_ms: 1_795_257_065_120,
        stored_at_ms: 1_795_257_065_320,
        state: "received".into(),
        cursor: 7,
        own: false,
        delivered: 0,
        recipients: 1,
        sent: 0,
        handed: 2,
        handed_volatile: 1,
        relayed: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{PLAIN, to_json};

    #[test]
    fn json_of_a_message() {
        let identity = "ab".repeat(32);
        assert_eq!(
            to_json(&MessageView::from(sample_message())).unwrap(),
            r#"{"schema":"qpq.message/1","id":"01010101-0101-0101-0101-010101010101","conversation":"@bob","#
                .to_owned()
                + &format!(
                    r#""from":"bob","from_identity":"{identity}","text":"hello","sent_at_ms":1795257065120,"#
                )
                + r#""stored_at_ms":1795257065320,"state":"received","cursor":7,"own":false,"#
                + r#""handed":2,"handed_volatile":1,"relayed":0,"sent":0,"delivered":0,"recipients":1}"#
        );
    }

    #[test]
    fn a_received_message_on_a_line() {
        let view = MessageView::from(sample_message());
        assert_eq!(view.human(&PLAIN), "2026-11-21 10:31:05  @bob  bob: hello");
    }

    #[test]
    fn own_messages_say_how_far_they_got() {
        for (state, recipients, delivered, ending) in [
            ("delivered", 1, 1, "hello"),
            ("queued", 1, 0, "hello  [queued]"),
            ("handed", 1, 0, "hello  [handed to 2 nodes, 1 in memory only]"),
            ("handed", 3, 1, "hello  [handed to 2 nodes, 1 in memory only, delivered to 1 of 3]"),
            ("relayed", 1, 0, "hello  [at relay]"),
            ("relayed", 3, 1, "hello  [at relay, delivered to 1 of 3]"),
            ("sent", 3, 1, "hello  [sent, delivered to 1 of 3]"),
            ("failed", 3, 0, "hello  [failed]"),
        ] {
            let message =
                v1::Message { own: true, state: state.into(), recipients, delivered, ..sample_message() };
            let line = MessageView::from(message).human(&PLAIN);
            assert!(line.ends_with(ending), "{line}");
        }
    }

    #[test]
    fn hostile_texts_stay_inside_their_message() {
        let message = v1::Message {
            from: "bob\x1b[1A".into(),
            text: "one\n2026-11-21 10:31:05  @bob  alice: forged\x1b[2J".into(),
            ..sample_message()
        };
        let shown = MessageView::from(message).human(&PLAIN);
        assert_eq!(
            shown,
            "2026-11-21 10:31:05  @bob  bob\\u{1b}[1A: one\n    2026-11-21 10:31:05  @bob  alice: forged\\u{1b}[2J"
        );
    }

    #[test]
    fn what_send_says() {
        let message = v1::Message { own: true, state: "queued".into(), ..sample_message() };
        let mut view = SendView::queued(message);
        let json = to_json(&view).unwrap();
        let wanted =
            r#"{"schema":"qpq.send/1","id":"01010101-0101-0101-0101-010101010101","conversation":"@bob","#;
        assert_eq!(
            json,
            wanted.to_owned() + r#""state":"queued","sent_at_ms":1795257065120,"waiting_for":[]}"#
        );
        view.waiting_for = vec!["bob".into(), "carol".into()];
        assert_eq!(view.human(&PLAIN), "queued  01010101-0101-0101-0101-010101010101  waits for bob, carol");
    }
}
