//! People are found by name at a relay, and a relay that shows different people different logs is caught.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::Command;

use qpq_tests::{Node, Output, Person, relay_link, relay_with};

const PASSWORD: &str = "correct horse battery staple";

fn open_relay() -> Node {
    relay_with("relay", &[("QPQ_RELAY_REGISTRATION", "open")])
}

fn register_as(person: &Person, link: &str, username: &str) -> Output {
    let path = person.folder().join("password");
    std::fs::write(&path, PASSWORD).unwrap();
    let words =
        ["relay", "register", link, "--username", username, "--password-file", path.to_str().unwrap()];
    person.qpq(&words)
}

/// A person with an account of the own name.
fn registered(name: &str, relay: &Node) -> Person {
    let person = Person::new(name);
    assert_eq!(register_as(&person, &relay_link(relay), name).expect_status(0).json()["state"], "ready");
    person
}

/// Copies what is in a folder over what is in another.
fn copy_folder(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from.join(".")).arg(to).status();
    assert!(copied.unwrap().success());
}

fn alarms(person: &Person, code: &str) -> usize {
    let events = person.ok_lines(&["events", "--no-follow"]);
    events.iter().filter(|event| event.to_string().contains(&format!("\"{code}\""))).count()
}

#[test]
fn strangers_become_contacts_by_name() {
    let relay = open_relay();
    let (alice, bob) = (registered("alice", &relay), registered("bob", &relay));
    let found = alice.ok(&["relay", "find", "bob"]);
    assert_eq!((&found["found"], &found["version"]), (&true.into(), &1.into()), "{found}");
    assert_eq!(found["identity"], bob.ok(&["id"])["identity"]);
    alice.qpq(&["relay", "find", "carol"]).expect_status(1);
    assert_eq!(bob.ok(&["relay", "find", "Bob@127.0.0.1"])["own"], true);

    let asked = alice.ok(&["contact", "add", "bob@127.0.0.1"]);
    assert_eq!((asked["state"].as_str(), &asked["identity"]), (Some("requested"), &found["identity"]));
    bob.await_contact("alice", "pending");
    assert!(bob.qpq_plain(&["contact", "list"], b"").stdout.contains("a stranger by name"));
    bob.ok(&["contact", "accept", "alice"]);
    alice.await_contact("bob", "accepted");
    alice.deliver("@bob", "hello");
    assert_eq!(bob.texts("@alice"), ["hello"]);
    let verified = alice.ok(&["contact", "verify", "bob"]);
    assert_eq!(verified["safety_number"], found["safety_number"]);
}

#[test]
fn strangers_become_contacts_though_they_are_never_there_at_the_same_time() {
    let relay = open_relay();
    let (mut alice, mut bob) = (registered("alice", &relay), registered("bob", &relay));
    assert!(bob.terminate().success());
    alice.ok(&["contact", "add", "bob@127.0.0.1"]);
    alice.until("the request lies at the relay", || {
        let status = alice.ok(&["relay", "list"]);
        (status["relays"][0]["state"] == "ready" && alice.state_of("bob") == "requested").then_some(())
    });
    alice.queue("@bob", "hello");
    bob.run_again();
    bob.await_contact("alice", "pending");
    assert!(alice.terminate().success());
    bob.ok(&["contact", "accept", "alice"]);
    alice.run_again();
    alice.await_contact("bob", "accepted");
    bob.await_text("@alice", "hello");
}

#[test]
fn a_relay_that_is_replaced_by_a_forked_copy_is_caught_with_a_proof() {
    let mut relay = open_relay();
    let (mut alice, bob) = (registered("alice", &relay), registered("bob", &relay));
    assert_eq!(alice.ok(&["relay", "find", "bob"])["found"], true);
    assert!(relay.terminate().success());
    let copy = tempfile::tempdir().unwrap();
    copy_folder(relay.folder(), copy.path());

    relay.run_again();
    let here = relay_link(&relay);
    drop(registered("carol", &relay));
    alice.until("carol is found", || (alice.qpq(&["relay", "find", "carol"]).status == 0).then_some(()));
    assert!(alice.terminate().success());
    assert!(relay.terminate().success());

    std::fs::remove_dir_all(relay.data_dir()).unwrap();
    copy_folder(copy.path(), relay.folder());
    relay.run_again();
    assert_eq!(relay_link(&relay), here, "the same keys");
    drop(registered("dave", &relay));
    alice.run_again();
    alice.until("the relay is caught", || {
        let listed = alice.ok(&["relay", "list"]);
        let refusal = listed["relays"][0]["log"]["refusal"].as_str().unwrap();
        (!refusal.is_empty()).then_some(())
    });
    let refused = alice.qpq(&["relay", "find", "bob"]).expect_status(4);
    assert!(refused.stderr.contains("contradicts itself"), "{}", refused.stderr);
    assert_eq!(alarms(&alice, "relay-log"), 1);
    let checks = alice.qpq(&["doctor"]);
    assert!(checks.stdout.contains("contradicts itself"), "{}", checks.stdout);

    let file = alice.folder().join("proof.txt");
    let file = file.to_str().unwrap();
    assert_eq!(alice.ok(&["relay", "proof", "127.0.0.1", "--output", file])["convicts"], true);
    let elsewhere = bob.ok(&["relay", "check-proof", file]);
    assert_eq!(elsewhere["convicts"], true, "{elsewhere}");
    assert!(here.contains(elsewhere["log_key"].as_str().unwrap()), "the key of the link");
    let text = std::fs::read_to_string(file).unwrap();
    std::fs::write(file, text.replacen('A', "B", 1)).unwrap();
    bob.qpq(&["relay", "check-proof", file]).expect_status(1);
}

#[test]
fn whoever_works_for_it_registers() {
    let work = [("QPQ_RELAY_REGISTRATION", "work"), ("QPQ_RELAY_WORK_BITS", "12")];
    let relay = relay_with("relay", &work);
    let (alice, bob) = (registered("alice", &relay), Person::new("bob"));
    assert_eq!(alice.ok(&["relay", "find", "alice"])["own"], true);
    let taken = register_as(&bob, &relay_link(&relay), "alice").expect_status(1);
    assert!(taken.stderr.contains("taken"), "{}", taken.stderr);
    let invitation = relay.ok(&["relay", "invite"])["link"].as_str().unwrap().to_owned();
    assert_eq!(register_as(&bob, &invitation, "bob").expect_status(0).json()["state"], "ready");
}
