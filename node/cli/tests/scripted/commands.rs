//! How `qpq` takes a node's answers: exit codes, JSON, streams, and what happens without a terminal.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;

use qpq_proto::{Failure, Status, v1};
use serde_json::Value;

use crate::node::{Scripted, json};
use crate::script::{Script, message};

#[test]
fn an_answer_in_json_has_its_schema() {
    let node = Scripted::start(Script::default());
    let ended = node.qpq(&["id", "--json"], "");
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    let id = json(&ended.stdout);
    assert_eq!((&id["schema"], &id["name"]), (&"qpq.id/1".into(), &"alice".into()));
}

#[test]
fn every_failure_has_its_exit_code() {
    for (status, field, code) in [
        (Status::BadRequest, "to", 2),
        (Status::Forbidden, "", 6),
        (Status::NotFound, "", 1),
        (Status::Conflict, "", 1),
        (Status::Conflict, "verification", 4),
        (Status::QuotaExceeded, "", 6),
        (Status::DeadlineExceeded, "", 5),
        (Status::Unavailable, "", 3),
        (Status::Internal, "", 70),
    ] {
        let failure = Failure { status, field: field.into(), ..Failure::conflict("so it is") };
        let node = Scripted::start(Script { failure: Some(failure), ..Script::default() });
        let ended = node.qpq(&["--json", "send", "@bob", "hello"], "");
        assert_eq!((ended.code, ended.stdout.as_str()), (code, ""), "{status:?} {field}");
        let error = json(&ended.stderr);
        assert_eq!(error["schema"], "qpq.error/1");
        assert_eq!((&error["message"], &error["exit"]), (&"so it is".into(), &code.into()));
    }
}

#[test]
fn another_version_is_told_apart() {
    let node = Scripted::start(Script { wire_version: Some(99), ..Script::default() });
    let ended = node.qpq(&["id"], "");
    assert_eq!(ended.code, 3);
    assert!(ended.stderr.contains("qpqd 9.9.9") && ended.stderr.contains("try: "), "{}", ended.stderr);
}

#[test]
fn a_message_is_one_line_of_json() {
    let messages = vec![message(1, "one\nwith a second line"), message(2, "\u{1b}[2J\u{202e}")];
    let node = Scripted::start(Script { messages, ..Script::default() });
    let ended = node.qpq(&["read", "@bob", "--json"], "");
    let lines: Vec<Value> = ended.stdout.lines().map(json).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["text"], "one\nwith a second line");
    assert_eq!(lines[1]["text"], "\u{1b}[2J\u{202e}");
    assert!(!ended.stdout.contains(['\u{1b}', '\u{202e}']), "{}", ended.stdout);
    assert_eq!(node.asked(), ["MarkRead @bob 2"]);
}

#[test]
fn peeking_marks_nothing() {
    let node = Scripted::start(Script { messages: vec![message(1, "one")], ..Script::default() });
    assert_eq!(node.qpq(&["read", "--peek"], "").code, 0);
    assert!(node.asked().is_empty());
}

#[test]
fn many_messages_come_page_by_page() {
    let messages = (1..=2_500).map(|cursor| message(cursor, "again")).collect();
    let node = Scripted::start(Script { messages, ..Script::default() });
    let ended = node.qpq(&["read", "--json"], "");
    let cursors: Vec<u64> = ended.stdout.lines().filter_map(|line| json(line)["cursor"].as_u64()).collect();
    assert_eq!(cursors, (1..=2_500).collect::<Vec<_>>());
}

#[test]
fn who_stops_reading_is_no_failure() {
    let messages = (1..=2_500).map(|cursor| message(cursor, &"x".repeat(100))).collect();
    let node = Scripted::start(Script { messages, ..Script::default() });
    let mut command = node.command(&["read", "--json"]);
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert_eq!(json(&first)["cursor"], 1);
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!((child.wait().unwrap().code(), stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_text_comes_from_standard_input() {
    for words in [&["send", "@bob", "-"][..], &["send", "@bob"]] {
        let node = Scripted::start(Script::default());
        let ended = node.qpq(words, "two\nlines\n");
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
        assert_eq!(node.asked(), ["SendMessage @bob two\nlines"]);
    }
    let node = Scripted::start(Script::default());
    assert_eq!(node.qpq(&["send", "@bob", "-"], "").code, 2);
    assert!(node.asked().is_empty());
}

#[test]
fn waiting_ends_with_how_far_it_got() {
    for (state, wait, code) in [
        ("sent", "sent", 0),
        ("delivered", "delivered", 0),
        ("queued", "sent", 5),
        ("sent", "delivered", 5),
        ("failed", "delivered", 1),
    ] {
        let node = Scripted::start(Script { message_state: state, ..Script::default() });
        let ended = node.qpq(&["send", "@bob", "hi", "--wait", wait, "--timeout", "0s", "--json"], "");
        assert_eq!(ended.code, code, "{state} {wait}");
        let sent = json(&ended.stdout);
        assert_eq!((&sent["state"], &sent["reached"]), (&state.into(), &(code == 0).into()));
        assert_eq!(sent["waiting_for"][0], "bob");
    }
}

#[test]
fn a_change_that_waits_says_for_whom() {
    let open = v1::GroupChange { change: vec![5; 16], waiting_for: "carol".into(), ..Default::default() };
    let done = v1::GroupChange { committed: true, waiting_for: String::new(), ..open.clone() };
    let refused = v1::GroupChange { failed: "overtaken".into(), ..open.clone() };
    for (change, code) in [(open.clone(), 5), (done, 0), (refused, 1)] {
        let node = Scripted::start(Script { change: change.clone(), ..Script::default() });
        let ended = node.qpq(&["group", "remove", "#picnic", "@dave", "--json"], "");
        assert_eq!(ended.code, code, "{change:?}");
        let shown = json(&ended.stdout);
        assert_eq!(shown["schema"], "qpq.change/1");
        assert_eq!(
            (&shown["committed"], &shown["waiting_for"]),
            (&change.committed.into(), &change.waiting_for.into())
        );
    }
    let node = Scripted::start(Script { change: open, ..Script::default() });
    let words = ["group", "remove", "#picnic", "@dave", "--wait", "--timeout", "10ms"];
    let ended = node.qpq(&words, "");
    assert_eq!(ended.code, 5);
    assert!(ended.stderr.contains("@carol's node"), "{}", ended.stderr);
    assert_eq!(node.asked().first().map(String::as_str), Some("WaitChange"));
}

#[test]
fn a_number_that_differs_is_not_trusted() {
    let node = Scripted::start(Script::default());
    let ended = node.qpq(&["contact", "verify", "@bob", "--number", &"1".repeat(60), "--json"], "");
    assert_eq!((ended.code, json(&ended.stdout)["verification"].as_str()), (4, Some("mismatched")));
    assert_eq!(node.qpq(&["contact", "verify", "@bob", "--number", "123"], "").code, 2);
    assert_eq!(node.qpq(&["contact", "verify", "@bob"], "").code, 0);
}

#[test]
fn nothing_is_destroyed_where_nobody_can_be_asked() {
    let node = Scripted::start(Script::default());
    for words in
        [&["contact", "remove", "@bob"][..], &["group", "leave", "#picnic"], &["group", "delete", "#picnic"]]
    {
        let ended = node.qpq(words, "y\n");
        assert_eq!(ended.code, 2, "{words:?}");
        assert!(ended.stderr.contains("--yes"), "{}", ended.stderr);
    }
}

#[test]
fn a_passphrase_is_never_asked_of_a_pipe() {
    let node = Scripted::start(Script::default());
    let ended = node.qpq(&["backup", "create", "/tmp/backup"], "correct horse\n");
    assert_eq!(ended.code, 2);
    assert!(ended.stderr.contains("QPQ_PASSPHRASE"), "{}", ended.stderr);
}

#[test]
fn the_doctor_s_verdict_is_the_exit_code() {
    for (check, code) in [("ok", 0), ("warn", 0), ("fail", 1)] {
        let node = Scripted::start(Script { check, ..Script::default() });
        let ended = node.qpq(&["doctor", "--json"], "");
        assert_eq!(ended.code, code, "{}", ended.stdout);
        let checks = json(&ended.stdout)["checks"].clone();
        assert_eq!(checks.as_array().unwrap().last().unwrap()["outcome"], check);
    }
}

#[test]
fn events_end_or_go_on() {
    let event = |cursor| v1::Event {
        cursor,
        at_ms: 1,
        kind: Some(v1::event::Kind::Message(message(cursor, "news"))),
    };
    let node = Scripted::start(Script { events: vec![event(1), event(2)], ..Script::default() });
    let ended = node.qpq(&["events", "--json", "--since", "1", "--no-follow"], "");
    assert_eq!(ended.code, 0);
    let shown = json(&ended.stdout);
    assert_eq!((&shown["cursor"], &shown["message"]["text"]), (&2.into(), &"news".into()));

    let mut command = node.command(&["events", "--json", "--since", "0"]);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for cursor in 1..=2 {
        assert_eq!(json(&lines.next().unwrap().unwrap())["cursor"], cursor);
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn who_follows_waits_for_a_daemon_that_went_away() {
    let event = |cursor| v1::Event {
        cursor,
        at_ms: 1,
        kind: Some(v1::event::Kind::Message(message(cursor, "news"))),
    };
    let mut node = Scripted::start(Script { events: vec![event(1)], ..Script::default() });
    let mut command = node.command(&["events", "--json", "--since", "0"]);
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut notes = BufReader::new(child.stderr.take().unwrap()).lines();
    assert_eq!(json(&lines.next().unwrap().unwrap())["cursor"], 1);
    node.restart(Script { events: vec![event(1), event(2)], ..Script::default() });
    assert!(notes.next().unwrap().unwrap().contains("waiting for it to come back"));
    assert_eq!(notes.next().unwrap().unwrap(), "qpq: the daemon is back");
    assert_eq!(json(&lines.next().unwrap().unwrap())["cursor"], 2, "neither lost nor repeated");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_chat_outlives_its_daemon() {
    let mut node = Scripted::start(Script::default());
    let mut command = node.command(&["chat"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().starts_with("You are alice."));
    node.restart(Script::default());
    assert!(lines.next().unwrap().unwrap().contains("waiting for it to come back"));
    input.write_all(b"@bob hello\n/quit\n").unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), "* the daemon is back");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(node.asked().contains(&"SendMessage @bob hello".to_owned()), "{:?}", node.asked());
}

#[test]
fn a_daemon_that_never_answers_is_given_up() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("silent.sock");
    let _silent = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_qpq"));
    let output = command.arg("--socket").arg(&socket).arg("status").output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("the daemon does not answer") && stderr.contains("try: "), "{stderr}");
}

#[test]
fn a_chat_is_scriptable() {
    let node = Scripted::start(Script::default());
    let script =
        "@bob hello\nand more\n/contacts\n/dm bob  directly\n/nonsense\n/search x\n/quit\nnot sent\n";
    let ended = node.qpq(&["chat"], script);
    assert_eq!(
        node.asked().into_iter().filter(|asked| asked.starts_with("Send")).collect::<Vec<_>>(),
        ["SendMessage @bob hello", "SendMessage @bob and more", "SendMessage @bob directly",]
    );
    assert!(ended.stdout.starts_with("You are alice."), "{}", ended.stdout);
    assert!(ended.stdout.contains("@bob  offline"), "{}", ended.stdout);
    assert!(
        ended.stderr.contains("no command /nonsense") && ended.stderr.contains("not there yet"),
        "{}",
        ended.stderr
    );
    assert_eq!(ended.code, 1, "a script learns that something was refused");
}

#[test]
fn a_chat_shows_what_comes_in() {
    let incoming =
        v1::Event { cursor: 1, at_ms: 1, kind: Some(v1::event::Kind::Message(message(1, "psst"))) };
    let node = Scripted::start(Script { messages: vec![message(1, "psst")], ..Script::default() });
    let ended = node.qpq(&["chat", "--json"], "/switch bob\n/history\n/whoami\n");
    let schemas: Vec<String> =
        ended.stdout.lines().map(|line| json(line)["schema"].as_str().unwrap().to_owned()).collect();
    assert_eq!(schemas, ["qpq.chat/1", "qpq.message/1", "qpq.id/1"]);
    assert_eq!((ended.code, incoming.cursor), (0, 1));
}
