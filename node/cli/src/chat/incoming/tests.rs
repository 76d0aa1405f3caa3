use super::*;
use crate::output::{PLAIN, Style};
use crate::printable::is_obeyed;
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
    for (state, is_shown) in
        [("queued", false), ("sent", false), ("delivered", true), ("expired", true), ("failed", true)]
    {
        let changed = v1::Message { state: state.into(), ..own.clone() };
        assert_eq!(is_worth_showing(&event(Kind::State(changed))), is_shown, "{state}");
    }
    for (state, is_shown) in [("requested", false), ("pending", true), ("accepted", true), ("blocked", false)]
    {
        let contact = v1::Contact { state: state.into(), ..sample_contact() };
        assert_eq!(is_worth_showing(&event(Kind::Contact(contact))), is_shown, "{state}");
    }
    assert!(
        !is_worth_showing(&v1::Event::default()),
        "a newer daemon may tell what this program does not know"
    );
}

/// An own message that ended in this state, with so many of three recipients.
fn ended(state: &str, delivered: u32, text: &str) -> v1::Message {
    v1::Message {
        own: true,
        state: state.into(),
        delivered,
        recipients: 3,
        text: text.into(),
        ..sample_message()
    }
}

#[test]
fn own_messages_are_marked_when_they_end() {
    let signs = Style { signs: true, ..PLAIN };
    let coloured = Style { colour: true, ..signs };
    let bare = Style { colour: true, ..PLAIN };
    for (style, message, before, line) in [
        (PLAIN, ended("delivered", 3, "hello"), 0, "10:31:05 * delivered to @bob: hello"),
        (signs, ended("delivered", 3, "hello"), 0, "10:31:05 ✓ @bob: hello"),
        (signs, ended("delivered", 2, "hello"), 0, "10:31:05 ✓ @bob: hello  [2 of 3]"),
        (signs, ended("delivered", 3, "hello"), 2, "10:31:05 ✓ @bob: hello  (and 2 before it)"),
        (signs, ended("failed", 0, "hello"), 0, "10:31:05 ✗ your message to @bob failed: hello"),
        (signs, ended("expired", 0, "hello"), 0, "10:31:05 ✗ your message to @bob expired: hello"),
        (
            coloured,
            ended("delivered", 3, "hello"),
            0,
            "\x1b[2m10:31:05\x1b[0m \x1b[32m✓\x1b[0m \x1b[2m@bob: hello\x1b[0m",
        ),
        (
            coloured,
            ended("failed", 0, "hello"),
            0,
            "\x1b[2m10:31:05\x1b[0m \x1b[31m✗\x1b[0m your message to @bob failed: hello",
        ),
        (
            bare,
            ended("delivered", 3, "hello"),
            0,
            "\x1b[2m10:31:05\x1b[0m * delivered to \x1b[2m@bob: hello\x1b[0m",
        ),
    ] {
        assert_eq!(describe(&event(Kind::State(message)), before, &style), line);
    }
}

#[test]
fn a_mark_is_one_line_whatever_was_sent() {
    for (text, shown) in [
        ("one\ntwo", "one\\ntwo".to_owned()),
        ("trailing\n\n", "trailing".to_owned()),
        ("\u{1b}[2J\u{202e}", "\\u{1b}[2J\\u{202e}".to_owned()),
        (&"ü".repeat(41), format!("{}…", "ü".repeat(40))),
        (&"ü".repeat(40), "ü".repeat(40)),
    ] {
        let line = describe(&event(Kind::State(ended("delivered", 3, text))), 0, &PLAIN);
        assert_eq!(line, format!("10:31:05 * delivered to @bob: {shown}"));
    }
}

#[test]
fn what_others_wrote_cannot_leave_its_line() {
    let nasty = "x\u{1b}[1A\r\u{202e}y";
    let gap = v1::GapEvent { conversation: nasty.into(), from: nasty.into(), missing: 1 };
    let group = v1::GroupEvent { group: nasty.into(), text: nasty.into(), ..Default::default() };
    let alarm = v1::AlarmEvent { code: nasty.into(), text: nasty.into() };
    let contact = v1::Contact { name: nasty.into(), state: "pending".into(), ..sample_contact() };
    let message = v1::Message { from: nasty.into(), text: nasty.into(), ..sample_message() };
    let lost = v1::Message { conversation: nasty.into(), ..ended("failed", 0, nasty) };
    for kind in [
        Kind::Gap(gap),
        Kind::Group(group),
        Kind::Alarm(alarm),
        Kind::Contact(contact),
        Kind::Message(message),
        Kind::State(lost),
    ] {
        let line = describe(&event(kind), 0, &PLAIN);
        assert!(!line.contains(is_obeyed), "{line:?}");
    }
}

#[test]
fn one_missing_message_is_not_several() {
    for (missing, text) in [(1, "1 message of bob is missing"), (2, "2 messages of bob are missing")] {
        let gap = v1::GapEvent { conversation: "#picnic".into(), from: "bob".into(), missing };
        assert_eq!(describe(&event(Kind::Gap(gap)), 0, &PLAIN), format!("10:31:05 * #picnic: {text}"));
    }
}

#[test]
fn events_above_the_prompt() {
    let in_group = v1::Message { conversation: "#picnic".into(), text: "a\nb".into(), ..sample_message() };
    let failed = v1::Message { state: "failed".into(), text: "x".repeat(50), own: true, ..sample_message() };
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
        assert_eq!(describe(&event(kind), 0, &PLAIN), line);
    }
}
