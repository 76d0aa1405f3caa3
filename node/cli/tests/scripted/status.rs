//! `qpq status` and `qpq doctor`.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use qpq_proto::{Failure, Method, v1};

use crate::node::{Scripted, both, json};
use crate::people::{AT_MS, hex};
use crate::script::Script;

fn peer(contact: &str, path: &str) -> v1::PeerStatus {
    v1::PeerStatus {
        node: vec![0xb0; 32],
        contact: contact.into(),
        path: path.into(),
        address: "192.0.2.7:4433".into(),
        ..Default::default()
    }
}

fn status() -> v1::NodeStatusResponse {
    v1::NodeStatusResponse {
        version: "9.9.9".into(),
        node: vec![0xa0; 32],
        uptime_ms: 93_784_000,
        addresses: vec!["192.0.2.1:4433".into(), "[2001:db8::1]:4433".into()],
        identities: vec![v1::IdentitySummary { identity: vec![0xaa; 32], name: "alice".into() }],
        peers: vec![
            v1::PeerStatus { rtt_us: 12_345, since_ms: AT_MS, discovered: true, ..peer("bob", "direct") },
            v1::PeerStatus { since_ms: AT_MS, waiting: 2, ..peer("carol", "offline") },
            v1::PeerStatus { discovered: true, ..peer("", "offline") },
            peer("dave", "relayed"),
        ],
        outbox_waiting: 2,
        outbox_oldest_ms: 61_000,
        health: Vec::new(),
        discovery: "open".into(),
        roles: Vec::new(),
        storage_bytes: 3 << 20,
        contacts: 1,
        conversations: 2,
        unread: 0,
        ..v1::NodeStatusResponse::default()
    }
}

fn node_with(status: &v1::NodeStatusResponse) -> Script {
    Script { check: "ok", ..Script::default() }.answering(Method::NodeStatus, status)
}

#[test]
fn the_status_tells_how_each_peer_is_reached_and_what_waits() {
    let (for_people, for_programs) = both(&node_with(&status()), &["status"]);
    assert_eq!(
        for_people,
        format!(
            "\
alice, qpqd 9.9.9, running for 1 d 2 h
  identity    {}
  node        {}
  reached at  192.0.2.1:4433, [2001:db8::1]:4433
  discovery   open
  roles       none for others
peers
  @bob         direct 192.0.2.7:4433, 12.3 ms  since 2026-11-21 10:31:05
  @carol       offline                         since 2026-11-21 10:31:05  2 waiting
  b0b0b0b0b0…  seen nearby, not connected
  @dave        relayed 192.0.2.7:4433
outbox   2 waiting, the oldest for 1 min 1 s
storage  3.0 MiB: 1 contact, 2 conversations, 0 unread messages
health   ok",
            hex("aa", 32),
            hex("a0", 32)
        )
    );
    let status = json(&for_programs);
    assert_eq!((&status["schema"], &status["uptime_ms"]), (&"qpq.status/1".into(), &93_784_000.into()));
    assert_eq!(status["peers"][1]["waiting"], 2);
    assert_eq!(status["outbox"], serde_json::json!({"waiting": 2, "oldest_ms": 61_000}));
    assert_eq!(status["peers"][0].as_object().map(serde_json::Map::len), Some(8));
}

#[test]
fn a_fresh_node_serves_nobody_and_has_no_peers() {
    let fresh = v1::NodeStatusResponse {
        identities: Vec::new(),
        peers: Vec::new(),
        outbox_waiting: 0,
        storage_bytes: 900,
        ..status()
    };
    let (for_people, _) = both(&node_with(&fresh), &["status"]);
    for line in [
        "nobody yet (qpq init --name NAME), qpqd 9.9.9, running for 1 d 2 h",
        "  none",
        "outbox   nothing waits",
        "storage  900 bytes: 1 contact, 2 conversations, 0 unread messages",
    ] {
        assert!(for_people.lines().any(|shown| shown == line), "{line} in {for_people}");
    }
}

fn item(code: &str, severity: &str) -> v1::HealthItem {
    v1::HealthItem {
        code: code.into(),
        title: format!("{code} is bad"),
        text: "this is what it means".into(),
        severity: severity.into(),
        fix: "do this".into(),
    }
}

#[test]
fn what_is_wrong_comes_last_with_what_helps() {
    let bare = v1::HealthItem { text: String::new(), fix: String::new(), ..item("disk", "warning") };
    let ill = v1::NodeStatusResponse { health: vec![item("clock", "error"), bare], ..status() };
    let (for_people, for_programs) = both(&node_with(&ill), &["status"]);
    let wanted =
        "health\n  error  clock is bad\n    this is what it means\n    try: do this\n  warning  disk is bad";
    assert!(for_people.ends_with(wanted), "{for_people}");
    let wanted = serde_json::json!({"code": "clock", "title": "clock is bad", "text": "this is what it means",
        "severity": "error", "fix": "do this"});
    assert_eq!(json(&for_programs)["health"][0], wanted);
}

#[test]
fn nothing_foreign_reaches_the_terminal_as_it_is() {
    let nasty = "x\u{1b}[2J\u{202e}\ny";
    let hostile = v1::NodeStatusResponse {
        version: nasty.into(),
        addresses: vec![nasty.into()],
        identities: vec![v1::IdentitySummary { name: nasty.into(), ..Default::default() }],
        peers: vec![v1::PeerStatus { address: nasty.into(), ..peer(nasty, nasty) }],
        health: vec![v1::HealthItem {
            title: nasty.into(),
            text: nasty.into(),
            fix: nasty.into(),
            ..item("x", nasty)
        }],
        discovery: nasty.into(),
        roles: vec![nasty.into()],
        ..status()
    };
    let script =
        Script { check: "fail", ..Script::default() }.answering(Method::NodeStatus, &hostile).answering(
            Method::Diagnose,
            &v1::DiagnoseResponse {
                checks: vec![v1::Check {
                    name: nasty.into(),
                    outcome: "fail".into(),
                    text: nasty.into(),
                    fix: nasty.into(),
                }],
            },
        );
    let node = Scripted::start(script);
    for words in [&["status"][..], &["status", "--json"], &["doctor"], &["doctor", "--json"]] {
        let shown = node.qpq(words, "").stdout;
        let obeyed =
            |character: char| character != '\n' && (character.is_control() || character == '\u{202e}');
        assert!(!shown.contains(obeyed), "{words:?}: {shown:?}");
        assert!(shown.contains("u{202e}") || shown.contains("\\u202e"), "{words:?}: {shown}");
    }
}

#[test]
fn a_status_that_is_watched_is_shown_anew_when_something_happens() {
    let node = Scripted::start(
        node_with(&status()).answering(Method::NodeStatus, &v1::NodeStatusResponse { unread: 1, ..status() }),
    );
    let mut command = node.command(&["status", "--watch", "--json"]);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut unread = || json(&lines.next().unwrap().unwrap())["unread"].clone();
    assert_eq!(unread(), 0);
    node.happens(v1::Event { cursor: 1, at_ms: AT_MS, kind: None }, |_| ());
    assert_eq!(unread(), 1);
    child.kill().unwrap();
    child.wait().unwrap();
}

/// The checks of the doctor: name, outcome and what helps.
fn checks(node: &Scripted) -> (i32, Vec<(String, String, String)>) {
    let ended = node.qpq(&["--json", "doctor"], "");
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let found = json(&ended.stdout)["checks"].as_array().unwrap().clone();
    let found =
        found.iter().map(|check| (text(&check["name"]), text(&check["outcome"]), text(&check["fix"])));
    (ended.code, found.collect())
}

fn outcome<'a>(checks: &'a [(String, String, String)], name: &str) -> (&'a str, &'a str) {
    let (_, outcome, fix) = checks.iter().find(|check| check.0 == name).unwrap_or_else(|| panic!("{name}"));
    (outcome, fix)
}

#[test]
fn the_doctor_tells_another_version_and_what_the_status_shows() {
    let ill = v1::NodeStatusResponse {
        health: vec![item("mismatch", "error"), item("clock", "warning"), item("no-identity", "warning")],
        ..status()
    };
    let (code, found) = checks(&Scripted::start(node_with(&ill)));
    assert_eq!(code, 1, "an error of the health fails");
    assert_eq!(outcome(&found, "daemon"), ("warn", "systemctl --user restart qpqd"));
    assert_eq!(outcome(&found, "mismatch"), ("fail", "do this"));
    assert_eq!(outcome(&found, "clock"), ("ok", ""), "the check knows better than the status");
    assert_eq!(outcome(&found, "no-identity").0, "warn");
    assert_eq!(outcome(&found, "socket").0, "ok");
}

#[test]
fn a_daemon_that_answers_half_is_diagnosed_as_far_as_it_goes() {
    let failure = Failure::internal();
    for (method, name) in [(Method::NodeStatus, "daemon"), (Method::Diagnose, "diagnosis")] {
        let script = node_with(&status());
        let script = Script { answers: Default::default(), ..script };
        let (code, found) = checks(&Scripted::start(script.failing(method, failure.clone())));
        assert_eq!(code, 1);
        assert_eq!(outcome(&found, name).0, "fail", "{found:?}");
        assert!(found.len() >= 5, "the other checks are there: {found:?}");
    }
}
