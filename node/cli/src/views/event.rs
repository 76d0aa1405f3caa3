//! Events: what happened on the node, in the order in which it was committed.

use qpq_proto::v1;
use qpq_proto::v1::event::Kind;
use serde::Serialize;

use super::contact::ContactView;
use super::count;
use super::message::MessageView;
use super::post::PostView;
use crate::commands::relay::account::RelayView;
use crate::output::{Show, Style};
use crate::printable::printable;

/// One event, as `events` prints it.
#[derive(Debug, Serialize)]
pub(crate) struct EventView {
    /// Position; `events --since` goes on after it.
    pub(crate) cursor: u64,
    at_ms: u64,
    #[serde(flatten)]
    what: What,
}

/// What happened; the JSON object has the key named by `kind`.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum What {
    Message { message: MessageView },
    State { message: MessageView },
    Contact { contact: ContactView },
    Group { group: String, what: String, text: String, members: u32 },
    Gap { conversation: String, from: String, missing: u64 },
    Alarm { code: String, text: String },
    Post { post: PostView },
    Relay { relay: RelayView },
    Unknown {},
}

impl From<v1::Event> for EventView {
    fn from(event: v1::Event) -> Self {
        let what = match event.kind {
            Some(Kind::Message(message)) => What::Message { message: message.into() },
            Some(Kind::State(message)) => What::State { message: message.into() },
            Some(Kind::Contact(contact)) => What::Contact { contact: contact.into() },
            Some(Kind::Group(group)) => {
                What::Group { group: group.group, what: group.what, text: group.text, members: group.members }
            }
            Some(Kind::Gap(gap)) => {
                What::Gap { conversation: gap.conversation, from: gap.from, missing: gap.missing }
            }
            Some(Kind::Alarm(alarm)) => What::Alarm { code: alarm.code, text: alarm.text },
            Some(Kind::Post(post)) => What::Post { post: post.into() },
            Some(Kind::Relay(relay)) => What::Relay { relay: relay.into() },
            None => What::Unknown {},
        };
        Self { cursor: event.cursor, at_ms: event.at_ms, what }
    }
}

impl What {
    fn human(&self, style: &Style) -> String {
        match self {
            Self::Message { message } => format!("message  {}", message.without_time(style)),
            Self::State { message } => {
                let (id, state) = (&message.id, printable(&message.state));
                format!("state    {id} in {} is {state}", printable(&message.conversation))
            }
            Self::Contact { contact } => {
                format!("contact  @{} is {}", printable(&contact.name), printable(&contact.state))
            }
            Self::Group { group, text, .. } => format!("group    {}: {}", printable(group), printable(text)),
            Self::Gap { conversation, from, missing } => {
                format!("gap      {}: {}", printable(conversation), self::missing(*missing, from))
            }
            Self::Alarm { code, text } => {
                format!(
                    "{}    {}: {}",
                    style.severity("error").replace("error", "alarm"),
                    printable(code),
                    printable(text)
                )
            }
            Self::Post { post } => format!("post     {}", post.without_time(style)),
            Self::Relay { relay } => format!("relay    {}", relay.line()),
            Self::Unknown {} => "unknown  from a newer daemon".to_owned(),
        }
    }
}

impl Show for EventView {
    const SCHEMA: &'static str = "qpq.event/1";

    fn human(&self, style: &Style) -> String {
        let when = style.faint(&format!("{:>6}  {}", self.cursor, style.zone.date_time(self.at_ms)));
        format!("{when}  {}", self.what.human(style))
    }
}

/// So many messages of somebody's are missing, in words.
pub(crate) fn missing(messages: u64, from: &str) -> String {
    let verb = if messages == 1 { "is" } else { "are" };
    format!("{} of {} {verb} missing", count(messages, "message"), printable(from))
}

/// Events that are no longer kept and were never shown.
#[derive(Debug, Serialize)]
pub(crate) struct LaggedView {
    /// How many.
    pub(crate) lagged: u64,
}

impl Show for LaggedView {
    const SCHEMA: &'static str = "qpq.lagged/1";

    fn human(&self, style: &Style) -> String {
        format!("{}: {} older events are no longer kept", style.severity("warn"), self.lagged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{PLAIN, to_json};
    use crate::views::contact::sample_contact;
    use crate::views::message::sample_message;

    fn event(kind: Option<Kind>) -> EventView {
        EventView::from(v1::Event { cursor: 12, at_ms: 1_795_257_065_120, kind })
    }

    #[test]
    fn json_has_the_kind_and_its_object() {
        let group = v1::GroupEvent {
            group: "#picnic".into(),
            text: "bob joined".into(),
            what: "joined".into(),
            members: 3,
        };
        let json = to_json(&event(Some(Kind::Group(group)))).unwrap();
        assert_eq!(
            json,
            r#"{"schema":"qpq.event/1","cursor":12,"at_ms":1795257065120,"kind":"group","#.to_owned()
                + r##""group":"#picnic","what":"joined","text":"bob joined","members":3}"##
        );
        for (kind, name, key) in [
            (Kind::Message(sample_message()), "message", "message"),
            (Kind::State(sample_message()), "state", "message"),
            (Kind::Contact(sample_contact()), "contact", "contact"),
        ] {
            let json = to_json(&event(Some(kind))).unwrap();
            let json: serde_json::Value = serde_json::from_str(&json).unwrap();
            assert_eq!(json["kind"], name);
            assert!(json[key].is_object(), "{json}");
        }
    }

    #[test]
    fn a_line_for_each_kind() {
        let gap = v1::GapEvent { conversation: "#picnic".into(), from: "bob".into(), missing: 2 };
        let alarm = v1::AlarmEvent { code: "device-list-fork".into(), text: "look\x07".into() };
        for (kind, ending) in [
            (Some(Kind::Message(sample_message())), "message  @bob  bob: hello"),
            (Some(Kind::Contact(sample_contact())), "contact  @bob is accepted"),
            (Some(Kind::Gap(gap)), "gap      #picnic: 2 messages of bob are missing"),
            (Some(Kind::Alarm(alarm)), "alarm    device-list-fork: look\\u{7}"),
            (None, "unknown  from a newer daemon"),
        ] {
            assert_eq!(event(kind).human(&PLAIN), format!("    12  2026-11-21 10:31:05  {ending}"));
        }
    }
}
