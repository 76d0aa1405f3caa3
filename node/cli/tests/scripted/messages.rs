//! `qpq send`, `qpq read`, `qpq trace` and `qpq events`.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use qpq_proto::v1::event::Kind;
use qpq_proto::{Method, v1};

use crate::node::{Scripted, both, json};
use crate::people::{AT_MS, bob, hex};
use crate::script::{Script, message};

const ID: &str = "01010101-0101-0101-0101-010101010101";

/// An own message to a group of three.
fn own(state: &str, delivered: u32) -> v1::Message {
    v1::Message {
        conversation: "#picnic".into(),
        from: "alice".into(),
        state: state.into(),
        own: true,
        sent: delivered,
        delivered,
        recipients: 3,
        ..message(9, "who brings cake?")
    }
}

fn sent(state: &str) -> Script {
    let answer = v1::SendMessageResponse { message: Some(own(state, 0)) };
    Script::default().answering(Method::SendMessage, &answer)
}

#[test]
fn what_is_sent_is_queued_and_has_an_id() {
    let (for_people, for_programs) = both(&sent("queued"), &["send", "#picnic", "who", "brings", "cake?"]);
    assert_eq!(for_people, format!("queued  {ID}"));
    let wanted =
        format!(r##"{{"schema":"qpq.send/1","id":"{ID}","conversation":"#picnic","state":"queued","##)
            + r#""sent_at_ms":1795257065120,"waiting_for":[]}"#;
    assert_eq!(for_programs, wanted);
}

#[test]
fn words_are_joined_and_options_may_stand_behind_them() {
    for (words, text) in [
        (&["send", "@bob", "who", "brings", "cake?"][..], "who brings cake?"),
        (&["send", "@bob", "  kept  as it is "], "  kept  as it is "),
        (&["--json", "send", "@bob", "--", "--wait", "sent"], "--wait sent"),
        (&["send", "@bob", "one\ntwo"], "one\ntwo"),
        (&["send", "@bob", "a", "-"], "a -"),
    ] {
        let node = Scripted::start(sent("queued"));
        assert_eq!(node.qpq(words, "").code, 0, "{words:?}");
        let asked: v1::SendMessageRequest = node.request(Method::SendMessage);
        assert_eq!((asked.to.as_str(), asked.text.as_str(), asked.id.len()), ("@bob", text, 0));
    }
}

#[test]
fn waiting_goes_on_until_the_state_is_reached() {
    let waited = |state: &str, reached, waiting_for: &[&str]| v1::WaitMessageResponse {
        message: Some(own(state, 0)),
        reached,
        waiting_for: waiting_for.iter().map(|name| name.to_string()).collect(),
    };
    let script = sent("queued")
        .answering(Method::WaitMessage, &waited("queued", false, &["bob", "carol"]))
        .answering(Method::WaitMessage, &waited("sent", false, &["carol"]))
        .answering(Method::WaitMessage, &waited("delivered", true, &[]));
    let words = ["send", "#picnic", "hi", "--wait", "delivered", "--timeout", "5m"];
    let (for_people, for_programs) = both(&script, &words);
    assert_eq!(for_people, format!("delivered  {ID}"));
    assert_eq!(json(&for_programs)["reached"], true);
    let node = Scripted::start(script);
    node.qpq(&words, "");
    let asked: Vec<v1::WaitMessageRequest> = node.requests(Method::WaitMessage);
    assert_eq!(asked.len(), 3);
    assert!(asked.iter().all(|asked| asked.state == "delivered" && asked.timeout_ms == 60_000), "{asked:?}");
}

#[test]
fn who_waits_in_vain_is_told_for_whom_and_what_becomes_of_it() {
    for (state, code, said) in [
        (
            "sent",
            5,
            "qpq: not delivered within 0 ms, only sent; it stays in the outbox and goes on\n".to_owned(),
        ),
        ("failed", 1, format!("qpq: the message is failed: qpq trace {ID} says why\n")),
        ("expired", 1, format!("qpq: the message is expired: qpq trace {ID} says why\n")),
    ] {
        let waited = v1::WaitMessageResponse {
            message: Some(own(state, 0)),
            reached: false,
            waiting_for: vec!["bob".into(), "carol\u{202e}".into()],
        };
        let node = Scripted::start(sent("queued").answering(Method::WaitMessage, &waited));
        let ended = node.qpq(&["send", "#picnic", "hi", "--wait", "delivered", "--timeout", "0s"], "");
        assert_eq!((ended.code, ended.stderr), (code, said));
        assert_eq!(ended.stdout, format!("{state}  {ID}  waits for bob, carol\\u{{202e}}\n"));
    }
}

fn kept(messages: Vec<v1::Message>) -> Script {
    Script { messages, ..Script::default() }
}

#[test]
fn messages_are_read_with_time_place_and_sender() {
    let messages = vec![message(1, "hello\nthere"), own("sent", 1), own("queued", 0), own("delivered", 3)];
    let messages = messages.into_iter().zip(1..).map(|(message, cursor)| v1::Message { cursor, ..message });
    let (for_people, for_programs) = both(&kept(messages.collect()), &["read", "--peek"]);
    let at = "2026-11-21 10:31:05";
    assert_eq!(
        for_people,
        format!(
            "\
{at}  @bob  bob: hello
    there
{at}  #picnic  alice: who brings cake?  [sent, delivered to 1 of 3]
{at}  #picnic  alice: who brings cake?  [queued, delivered to 0 of 3]
{at}  #picnic  alice: who brings cake?"
        )
    );
    let first = for_programs.lines().next().unwrap();
    let wanted = format!(r#"{{"schema":"qpq.message/1","id":"{ID}","conversation":"@bob","from":"bob","#)
        + &format!(
            r#""from_identity":"{}","text":"hello\nthere","sent_at_ms":1795257065120,"#,
            hex("02", 32)
        )
        + r#""stored_at_ms":1795257065320,"state":"received","cursor":1,"own":false,"handed":0,"handed_volatile":0,"relayed":0,"sent":0,"delivered":0,"#
        + r#""recipients":0}"#;
    assert_eq!(first, wanted);
}

#[test]
fn what_is_read_is_what_was_asked_for() {
    for (flags, since, limit, newest) in
        [(&[][..], 0, 1_024, false), (&["--since", "7"], 7, 1_024, false), (&["--last", "20"], 0, 20, true)]
    {
        let node = Scripted::start(kept(Vec::new()));
        assert_eq!(node.qpq(&[&["read", "#picnic"], flags].concat(), "").code, 0);
        let asked: v1::ReadMessagesRequest = node.request(Method::ReadMessages);
        assert_eq!((asked.conversation.as_str(), asked.since), ("#picnic", since), "{flags:?}");
        assert_eq!((asked.limit, asked.newest), (limit, newest), "{flags:?}");
    }
}

#[test]
fn a_message_s_way_is_told() {
    let step =
        |at_ms, what: &str, detail: &str| v1::TraceStep { at_ms, what: what.into(), detail: detail.into() };
    let recipient = |name: &str, state: &str, reason: &str, attempts| v1::TraceRecipient {
        name: name.into(),
        state: state.into(),
        at_ms: AT_MS,
        reason: reason.into(),
        attempts,
    };
    let traced = v1::TraceMessageResponse {
        message: Some(own("sent", 1)),
        steps: vec![
            step(AT_MS, "queued", "stored on this node"),
            step(AT_MS + 3, "sent", "stored on the node of bob"),
        ],
        recipients: vec![
            recipient("bob", "delivered", "", 1),
            recipient("carol", "sent", "", 2),
            recipient("dave", "queued", "the recipient's node is not connected", 0),
        ],
    };
    let script = Script::default().answering(Method::TraceMessage, &traced);
    let (for_people, for_programs) = both(&script, &["trace", ID]);
    assert_eq!(
        for_people,
        "\
2026-11-21 10:31:05  #picnic  alice: who brings cake?  [sent, delivered to 1 of 3]
  10:31:05.120  queued  stored on this node
  10:31:05.123  sent    stored on the node of bob
recipients
  @bob    delivered 10:31:05  tried once
  @carol  sent 10:31:05       tried 2 times  stored on the recipient's node, not opened there yet
  @dave   queued 10:31:05     not tried yet  the recipient's node is not connected"
    );
    let trace = json(&for_programs);
    assert_eq!((&trace["schema"], &trace["message"]["id"]), (&"qpq.trace/1".into(), &ID.into()));
    assert_eq!(
        trace["steps"][1],
        serde_json::json!({"at_ms": AT_MS + 3, "what": "sent", "detail": "stored on the node of bob"})
    );
    assert_eq!(trace["recipients"][2]["attempts"], 0);
    let node = Scripted::start(script);
    node.qpq(&["trace", &hex("01", 16)], "");
    assert_eq!(node.request::<v1::TraceMessageRequest>(Method::TraceMessage).id, [1; 16]);
}

fn event(cursor: u64, kind: Option<Kind>) -> v1::Event {
    v1::Event { cursor, at_ms: AT_MS, kind }
}

#[test]
fn every_kind_of_event_has_its_line_and_its_object() {
    let group = v1::GroupEvent {
        group: "#picnic".into(),
        text: "bob joined".into(),
        what: "joined".into(),
        members: 3,
    };
    let gap = v1::GapEvent { conversation: "#picnic".into(), from: "bob".into(), missing: 1 };
    let alarm = v1::AlarmEvent { code: "device-list-fork".into(), text: "look".into() };
    let events = vec![
        event(1, Some(Kind::Message(message(1, "hello")))),
        event(2, Some(Kind::State(own("sent", 1)))),
        event(3, Some(Kind::Contact(bob()))),
        event(4, Some(Kind::Group(group))),
        event(5, Some(Kind::Gap(gap))),
        event(6, Some(Kind::Alarm(alarm))),
        event(7, None),
    ];
    let script = Script { events, ..Script::default() };
    let (for_people, for_programs) = both(&script, &["events", "--no-follow"]);
    let at = "2026-11-21 10:31:05";
    assert_eq!(
        for_people,
        format!(
            "     1  {at}  message  @bob  bob: hello
     2  {at}  state    {ID} in #picnic is sent
     3  {at}  contact  @bob is accepted
     4  {at}  group    #picnic: bob joined
     5  {at}  gap      #picnic: 1 message of bob is missing
     6  {at}  alarm    device-list-fork: look
     7  {at}  unknown  from a newer daemon"
        )
    );
    let lines: Vec<_> = for_programs.lines().collect();
    let beginning = |cursor, kind: &str| {
        format!(r#"{{"schema":"qpq.event/1","cursor":{cursor},"at_ms":1795257065120,"kind":"{kind}""#)
    };
    for (cursor, kind, rest) in [
        (4, "group", r##","group":"#picnic","what":"joined","text":"bob joined","members":3}"##),
        (5, "gap", r##","conversation":"#picnic","from":"bob","missing":1}"##),
        (6, "alarm", r#","code":"device-list-fork","text":"look"}"#),
        (7, "unknown", "}"),
    ] {
        assert_eq!(lines[cursor - 1], beginning(cursor, kind) + rest);
    }
    for (cursor, kind, key) in [(1, "message", "message"), (2, "state", "message"), (3, "contact", "contact")]
    {
        assert!(lines[cursor - 1].starts_with(&beginning(cursor, kind)));
        assert!(json(lines[cursor - 1])[key].is_object());
    }
}

#[test]
fn events_that_are_no_longer_kept_are_counted() {
    let lagged = v1::ReadEventsResponse { events: Vec::new(), next: 9, lagged: 3 };
    let script = Script::default().answering(Method::ReadEvents, &lagged);
    let (for_people, for_programs) = both(&script, &["events", "--since", "5", "--no-follow"]);
    assert_eq!(for_people, "warn: 3 older events are no longer kept");
    assert_eq!(for_programs, r#"{"schema":"qpq.lagged/1","lagged":3}"#);
}

#[test]
fn who_follows_a_conversation_is_shown_what_comes() {
    let mut node = Scripted::start(kept(vec![message(1, "one")]));
    let mut child = node
        .command(&["read", "@bob", "--follow", "--json"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || json(&lines.next().unwrap().unwrap())["text"].clone();
    assert_eq!(next(), "one");
    let more = vec![message(1, "one"), message(2, "two")];
    node.restart(kept(more.clone()));
    assert_eq!(next(), "two", "what came while the daemon was away, and nothing twice");
    node.happens(event(5, Some(Kind::Message(message(3, "three")))), |script| {
        script.messages.push(message(3, "three"));
    });
    assert_eq!(next(), "three");
    child.kill().unwrap();
    child.wait().unwrap();
}
