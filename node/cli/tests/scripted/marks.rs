//! `qpq chat` without a terminal: what it says of the messages sent, and of what happens meanwhile.

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use qpq_proto::v1::event::Kind;
use qpq_proto::{Method, v1};

use crate::node::{Scripted, json};
use crate::people::{AT_MS, bob_is};
use crate::script::{Script, message};

/// A chat over pipes.
struct Chat {
    node: Scripted,
    child: Child,
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Chat {
    fn start(script: Script, flags: &[&str]) -> Self {
        let node = Scripted::start(script);
        let mut command = node.command(&[flags, &["chat"]].concat());
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let input = child.stdin.take().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut chat = Self { node, child, input, lines };
        assert!(chat.next().contains("You are alice."));
        chat
    }

    fn next(&mut self) -> String {
        self.lines.next().unwrap().unwrap()
    }

    fn type_in(&mut self, line: &str) {
        writeln!(self.input, "{line}").unwrap();
    }

    fn happens(&self, cursor: u64, kind: Kind) {
        self.node.happens(v1::Event { cursor, at_ms: AT_MS, kind: Some(kind) }, |_| ());
    }

    /// Ends it; what it still had to say, and its exit code.
    fn quit(mut self) -> (Vec<String>, i32) {
        self.type_in("/quit");
        let rest = self.lines.map(Result::unwrap).collect();
        (rest, self.child.wait().unwrap().code().unwrap())
    }
}

/// An own message with this id, in this state.
fn own(id: u8, state: &str, text: &str) -> v1::Message {
    v1::Message {
        id: vec![id; 16],
        own: true,
        state: state.into(),
        recipients: 1,
        delivered: u32::from(state == "delivered"),
        ..message(u64::from(id), text)
    }
}

fn state(id: u8, word: &str, text: &str) -> Kind {
    Kind::State(own(id, word, text))
}

#[test]
fn a_message_is_marked_when_it_is_delivered_and_once() {
    let sent = v1::SendMessageResponse { message: Some(own(1, "queued", "hello")) };
    let script = Script::default()
        .answering(Method::SendMessage, &sent)
        .happening(Method::SendMessage, Kind::Message(own(1, "queued", "hello")));
    let mut chat = Chat::start(script, &[]);
    chat.type_in("@bob hello");
    chat.happens(2, state(1, "sent", "hello"));
    chat.happens(3, state(1, "delivered", "hello"));
    assert_eq!(chat.next(), "10:31:05 * delivered to @bob: hello");
    chat.happens(4, state(1, "delivered", "hello"));
    chat.happens(5, Kind::Message(message(9, "hi")));
    assert_eq!(chat.next(), "10:31:05 bob: hi", "and nothing in between");
    assert_eq!(chat.quit(), (Vec::new(), 0));
}

#[test]
fn what_never_arrives_is_said_with_its_beginning() {
    let mut chat = Chat::start(Script::default(), &[]);
    let long = "a text of which only the beginning is needed to know which one it was";
    for (cursor, word) in [(1, "failed"), (2, "expired")] {
        chat.happens(u64::from(cursor), state(cursor, word, long));
        let wanted = format!("10:31:05 * your message to @bob {word}: {}…", &long[..40]);
        assert_eq!(chat.next(), wanted);
    }
    assert_eq!(chat.quit().1, 0);
}

#[test]
fn many_deliveries_at_once_are_one_line() {
    let events: Vec<_> = (1..=50)
        .map(|id| v1::Event {
            cursor: id.into(),
            at_ms: AT_MS,
            kind: Some(state(id, "delivered", &format!("text {id}"))),
        })
        .collect();
    let mut chat = Chat::start(Script::default(), &[]);
    let last = events.last().cloned().unwrap();
    chat.node.happens(last, |script| script.events.extend(events[..49].iter().cloned()));
    assert_eq!(chat.next(), "10:31:05 * delivered to @bob: text 50  (and 49 before it)");
    assert_eq!(chat.quit(), (Vec::new(), 0));
}

#[test]
fn programs_are_given_each_end_as_an_event() {
    let mut chat = Chat::start(Script::default(), &["--json"]);
    chat.happens(1, state(1, "sent", "one"));
    let both = [state(1, "delivered", "one"), state(2, "delivered", "two")];
    for (cursor, kind) in [2, 3].into_iter().zip(both) {
        chat.happens(cursor, kind);
    }
    for cursor in [2, 3] {
        let event = json(&chat.next());
        assert_eq!((&event["schema"], &event["kind"]), (&"qpq.event/1".into(), &"state".into()));
        assert_eq!((&event["cursor"], &event["message"]["state"]), (&cursor.into(), &"delivered".into()));
    }
    assert_eq!(chat.quit(), (Vec::new(), 0));
}

#[test]
fn what_happens_is_said_between_the_lines_and_what_came_is_marked_as_read() {
    let group = v1::GroupEvent { group: "#picnic".into(), text: "carol joined".into(), ..Default::default() };
    let in_group = v1::Message { conversation: "#picnic".into(), ..message(4, "who brings cake?\nand tea?") };
    let gap = v1::GapEvent { conversation: "@bob".into(), from: "bob".into(), missing: 2 };
    let alarm = v1::AlarmEvent { code: "device-list-fork".into(), text: "look\u{1b}[2J".into() };
    let mut chat = Chat::start(Script::default(), &[]);
    for (cursor, kind, lines) in [
        (1, Kind::Contact(bob_is("pending")), &["10:31:05 * @bob wants to be a contact: /accept bob"][..]),
        (2, Kind::Contact(bob_is("accepted")), &["10:31:05 * @bob is a contact, unverified"]),
        (3, Kind::Group(group), &["10:31:05 * #picnic: carol joined"]),
        (4, Kind::Message(in_group), &["10:31:05 #picnic bob: who brings cake?", "    and tea?"]),
        (5, Kind::Gap(gap), &["10:31:05 * @bob: 2 messages of bob are missing"]),
        (6, Kind::Alarm(alarm), &["10:31:05 * ALARM: look\\u{1b}[2J"]),
    ] {
        chat.happens(cursor, kind);
        for line in lines {
            assert_eq!(chat.next(), *line);
        }
    }
    chat.happens(7, Kind::Message(message(7, "bye")));
    assert_eq!(chat.next(), "10:31:05 bob: bye");
    chat.happens(8, Kind::Contact(bob_is("accepted")));
    chat.next();
    assert_eq!(chat.node.asked(), ["MarkRead #picnic 4", "MarkRead @bob 7"]);
    assert_eq!(chat.quit().1, 0);
}
