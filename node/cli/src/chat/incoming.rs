//! Events of the daemon, as they are shown above the prompt.

use qpq_proto::v1;
use qpq_proto::v1::event::Kind;

use crate::output::Style;
use crate::printable::{printable, printable_block};

/// Whether the person wants to see it here: not their own words again, and of the states of their messages only
/// the bad ones.
pub(super) fn is_worth_showing(event: &v1::Event) -> bool {
    match &event.kind {
        Some(Kind::Message(message)) => !message.own,
        Some(Kind::State(message)) => matches!(message.state.as_str(), "expired" | "failed"),
        Some(Kind::Contact(contact)) => matches!(contact.state.as_str(), "pending" | "accepted"),
        Some(Kind::Group(_) | Kind::Gap(_) | Kind::Alarm(_)) => true,
        None => false,
    }
}

/// An event in a line, or a message in several.
pub(super) fn describe(event: &v1::Event, style: &Style) -> String {
    let time = style.faint(&style.zone.time_of_day(event.at_ms));
    let text = match &event.kind {
        Some(Kind::Message(message)) => return describe_message(message, style),
        Some(Kind::State(message)) => {
            format!(
                "your message to {} {}: {}",
                printable(&message.conversation),
                printable(&message.state),
                excerpt(&message.text)
            )
        }
        Some(Kind::Contact(contact)) => {
            let name = printable(&contact.name);
            match contact.state.as_str() {
                "pending" => format!("@{name} wants to be a contact: /accept {name}"),
                _ => format!("@{name} is a contact, {}", printable(&contact.verification)),
            }
        }
        Some(Kind::Group(group)) => format!("{}: {}", printable(&group.group), printable(&group.text)),
        Some(Kind::Gap(gap)) => {
            format!(
                "{}: {} messages of {} are missing",
                printable(&gap.conversation),
                gap.missing,
                printable(&gap.from)
            )
        }
        Some(Kind::Alarm(alarm)) => {
            style.severity("error").replace("error", &format!("ALARM: {}", printable(&alarm.text)))
        }
        None => String::new(),
    };
    format!("{time} {} {text}", style.faint("*"))
}

/// A message as a line of the conversation; further lines are indented.
pub(super) fn describe_message(message: &v1::Message, style: &Style) -> String {
    let time = style.faint(&style.zone.time_of_day(message.sent_at_ms));
    let from = style.bold(&printable(&message.from));
    let text = printable_block(&message.text, 4);
    if message.conversation.starts_with('#') {
        format!("{time} {} {from}: {text}", printable(&message.conversation))
    } else {
        format!("{time} {from}: {text}")
    }
}

/// The beginning of a text, enough to know which one it was.
fn excerpt(text: &str) -> String {
    let beginning: String = text.chars().take(EXCERPT_CHARS).collect();
    let ellipsis = if beginning.len() < text.len() { "…" } else { "" };
    format!("{}{ellipsis}", printable(&beginning))
}

const EXCERPT_CHARS: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::PLAIN;
    use crate::views::contact::sample_contact;
    use crate::views::message::sample_message;

    fn event(kind: Kind) -> v1::Event {
        v1::Event { cursor: 1, at_ms: 1_795_257_065_120, kind: Some(kind) }
    }

    #[test]
    fn own_words_are_not_repeated() {
        assert!(is_worth_showing(&event(Kind::Message(sample_message()))));
        let own = v1::Message { own: true, state: "queued".into(), ..sample_message() };
        assert!(!is_worth_showing(&event(Kind::Message(own.clone()))));
        assert!(!is_worth_showing(&event(Kind::State(own.clone()))));
        assert!(is_worth_showing(&event(Kind::State(v1::Message { state: "failed".into(), ..own }))));
    }

    #[test]
    fn events_above_the_prompt() {
        let in_group =
            v1::Message { conversation: "#picnic".into(), text: "a\nb".into(), ..sample_message() };
        let failed =
            v1::Message { state: "failed".into(), text: "x".repeat(50), own: true, ..sample_message() };
        let pending = v1::Contact { state: "pending".into(), ..sample_contact() };
        let alarm = v1::AlarmEvent { code: "device-list-fork".into(), text: "look".into() };
        for (kind, line) in [
            (Kind::Message(sample_message()), "10:31:05 bob: hello".to_owned()),
            (Kind::Message(in_group), "10:31:05 #picnic bob: a\n    b".to_owned()),
            (Kind::State(failed), format!("10:31:05 * your message to @bob failed: {}…", "x".repeat(40))),
            (Kind::Contact(pending), "10:31:05 * @bob wants to be a contact: /accept bob".to_owned()),
            (Kind::Contact(sample_contact()), "10:31:05 * @bob is a contact, unverified".to_owned()),
            (Kind::Alarm(alarm), "10:31:05 * ALARM: look".to_owned()),
        ] {
            assert_eq!(describe(&event(kind), &PLAIN), line);
        }
    }
}
