//! A message is reported, and the administrators of the relay read the report wherever they are.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use qpq_tests::{LightPerson, Node, Output, Person, relay_link, relay_with};
use serde_json::Value;

const PASSWORD: &str = "correct horse battery staple";

/// A relay at which everybody may register, on a node on which a person is at home.
fn relay() -> Node {
    let relay = relay_with("relay", &[("QPQ_RELAY_REGISTRATION", "open")]);
    relay.ok(&["init", "--name", "root"]);
    relay
}

/// Somebody without a daemon who has an account.
fn light(name: &str, relay: &Node) -> LightPerson {
    let person = LightPerson::new(name, &relay_link(relay));
    let file = person.folder().join("password");
    std::fs::write(&file, PASSWORD).unwrap();
    person.ok(&["register", "--username", name, "--password-file", file.to_str().unwrap()]);
    person
}

/// Somebody with a daemon who has an account.
fn with_daemon(name: &str, relay: &Node) -> Person {
    let person = Person::new(name);
    let file = person.folder().join("password");
    std::fs::write(&file, PASSWORD).unwrap();
    let (link, file) = (relay_link(relay), file.to_str().unwrap());
    let registered = person.ok(&["relay", "register", &link, "--username", name, "--password-file", file]);
    assert_eq!(registered["state"], "ready");
    person
}

/// Two who became contacts, and what the second wrote to the first: the ids.
fn spammed(alice: &LightPerson, bob: &LightPerson, texts: &[&str]) -> Vec<String> {
    let link = alice.ok(&["invite"])["link"].as_str().unwrap().to_owned();
    bob.ok(&["contact", "add", &link]);
    alice.ok(&["contact", "list"]);
    bob.ok(&["contact", "list"]);
    texts.iter().for_each(|text| assert_eq!(bob.ok(&["send", "@alice", text])["state"], "relayed"));
    let read = alice.qpq(&["read", "@bob"]).expect_status(0).json_lines();
    read.iter().map(|message| message["id"].as_str().unwrap().to_owned()).collect()
}

/// The reports that a command shows, one each.
fn reports(shown: &Value) -> Vec<Value> {
    shown["reports"].as_array().unwrap().clone()
}

fn texts(report: &Value) -> Vec<&str> {
    report["messages"].as_array().unwrap().iter().map(|message| message["text"].as_str().unwrap()).collect()
}

fn refused(output: &Output, status: i32, words: &str) {
    assert_eq!(output.status, status, "{}", output.stderr);
    assert!(output.stderr.contains(words), "{}", output.stderr);
}

#[test]
fn administrators_open_reports_on_the_relay_and_from_other_machines() {
    let relay = relay();
    let (alice, bob) = (light("alice", &relay), light("bob", &relay));
    let (carol, dave) = (light("carol", &relay), with_daemon("dave", &relay));
    for name in ["carol", "dave"] {
        relay.ok(&["relay", "administrator", "add", name]);
    }
    let ids = spammed(&alice, &bob, &["hello", "buy this", "buy that"]);
    let handed_in = alice.ok(&["relay", "report", &ids[2], "--reason", "spam", "--before", "1"]);
    assert_eq!(handed_in["administrators"], 3);

    let own = relay.ok(&["relay", "reports"]);
    for shown in [&own, &carol.ok(&["relay", "reports"]), &dave.ok(&["relay", "reports"])] {
        let report = &reports(shown)[0];
        assert_eq!(report["fault"], "");
        assert_eq!((&report["id"], &report["reason"]), (&handed_in["id"], &"spam".into()));
        assert_eq!(texts(report), ["buy this", "buy that"]);
        assert_eq!(report["signed_by"], alice.ok(&["id"])["identity"]);
        assert_eq!(report["messages"][1]["from"], bob.ok(&["id"])["identity"]);
    }
    let plain = relay.qpq_plain(&["relay", "reports"], b"").stdout;
    assert!(plain.contains("reason: spam") && plain.contains("buy that"), "{plain}");
    let accused = own["reports"][0]["messages"][1]["from"].as_str().unwrap();
    relay.ok(&["relay", "ban", accused, "--reason", "spam"]);
}

#[test]
fn who_is_no_administrator_reads_no_report_and_who_becomes_one_reads_the_next() {
    let relay = relay();
    let (alice, bob) = (light("alice", &relay), light("bob", &relay));
    let dave = with_daemon("dave", &relay);
    let ids = spammed(&alice, &bob, &["buy this"]);
    alice.ok(&["relay", "report", &ids[0]]);
    refused(&dave.qpq(&["relay", "reports"]), 6, "not for this caller");
    refused(&alice.qpq(&["relay", "report", "00010203-0405-7607-8809-0a0b0c0d0e0f"]), 1, "no message");

    relay.ok(&["relay", "administrator", "add", "dave"]);
    assert_eq!(alice.ok(&["relay", "report", &ids[0]])["administrators"], 2);
    let host = relay_link(&relay);
    let shown = dave.until("dave is logged in again", || {
        let listed = dave.qpq(&["relay", "reports", "--relay", &host]);
        (listed.status == 0).then(|| listed.json())
    });
    let faults: Vec<bool> = reports(&shown).iter().map(|report| report["fault"] == "").collect();
    assert_eq!(faults, [false, true], "the first was sealed before dave was one");
}
