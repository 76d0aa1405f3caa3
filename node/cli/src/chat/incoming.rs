//! Events of the daemon, as they are shown above the prompt.

use qpq_proto::v1;
use qpq_proto::v1::event::Kind;

use crate::commands::relay::account::RelayView;
use crate::output::Style;
use crate::printable::{printable, printable_block};
use crate::views::{event::missing, post};

/// Whether the person wants to see it here: not their own words again, and of the states of their messages only
/// the last ones.
pub(super) fn is_worth_showing(event: &v1::Event) -> bool {
    match &event.kind {
        Some(Kind::Message(message)) => !message.own,
        Some(Kind::State(message)) => matches!(message.state.as_str(), "delivered" | "expired" | "failed"),
        Some(Kind::Contact(contact)) => matches!(contact.state.as_str(), "pending" | "accepted"),
        Some(Kind::Group(_) | Kind::Gap(_) | Kind::Alarm(_) | Kind::Post(_)) => true,
        Some(Kind::Relay(_)) | None => false,
    }
}

/// An event in a line, or a message in several. A delivery may stand for so many before it.
pub(super) fn describe(event: &v1::Event, before: usize, style: &Style) -> String {
    let time = style.faint(&style.zone.time_of_day(event.at_ms));
    let text = match &event.kind {
        Some(Kind::Message(message)) => return describe_message(message, style),
        Some(Kind::State(message)) => return format!("{time} {}", describe_end(message, before, style)),
        Some(Kind::Contact(contact)) => {
            let name = printable(&contact.name);
            match contact.state.as_str() {
                "pending" => format!("@{name} wants to be a contact: /accept {name}"),
                _ => format!("@{name} is a contact, {}", printable(&contact.verification)),
            }
        }
        Some(Kind::Group(group)) => format!("{}: {}", printable(&group.group), printable(&group.text)),
        Some(Kind::Gap(gap)) => {
            format!("{}: {}", printable(&gap.conversation), missing(gap.missing, &gap.from))
        }
        Some(Kind::Alarm(alarm)) => {
            style.severity("error").replace("error", &format!("ALARM: {}", printable(&alarm.text)))
        }
        Some(Kind::Post(post)) => post::describe(post, style),
        Some(Kind::Relay(relay)) => RelayView::from(relay.clone()).line(),
        None => String::new(),
    };
    format!("{time} {} {text}", style.faint("*"))
}

/// How an own message ended, after a sign that tells a good end from a bad one.
fn describe_end(message: &v1::Message, before: usize, style: &Style) -> String {
    let (conversation, text) = (printable(&message.conversation), excerpt(&message.text));
    if message.state != "delivered" {
        let sign = style.sign(false, "✗", "*");
        return format!("{sign} your message to {conversation} {}: {text}", printable(&message.state));
    }
    let sign = style.sign(true, "✓", "* delivered to");
    let share = match message.delivered < message.recipients {
        true => format!("  [{} of {}]", message.delivered, message.recipients),
        false => String::new(),
    };
    let earlier = match before {
        0 => String::new(),
        before => format!("  (and {before} before it)"),
    };
    format!("{sign} {}", style.faint(&format!("{conversation}: {text}{share}{earlier}")))
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
    let text = text.trim_end();
    let beginning: String = text.chars().take(EXCERPT_CHARS).collect();
    let ellipsis = if beginning.len() < text.len() { "…" } else { "" };
    format!("{}{ellipsis}", printable(&beginning))
}

const EXCERPT_CHARS: usize = 40;

#[cfg(test)]
mod tests;
