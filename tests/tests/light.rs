//! People without a daemon: what they do with a relay alone.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::Child;

use qpq_tests::{LightPerson, Node, relay_by_invitation, relay_link};
use rustix::process::{Pid, Signal, kill_process};

const PASSWORD: &str = "correct horse battery staple";

/// What `register` or `login` answers.
fn account(person: &LightPerson, verb: &str, password: &str) -> qpq_tests::Output {
    let file = person.folder().join("password");
    std::fs::write(&file, password).unwrap();
    person.qpq(&[verb, "--username", person.name(), "--password-file", file.to_str().unwrap()])
}

/// Somebody who has made an account, and goes on with the link that everybody may have.
fn person(name: &str, relay: &Node) -> LightPerson {
    let invitation = relay.ok(&["relay", "invite"])["link"].as_str().unwrap().to_owned();
    let mut person = LightPerson::new(name, &invitation);
    let registered = account(&person, "register", PASSWORD).expect_status(0);
    assert!(registered.stderr.contains(&format!("You are {name} from now on")), "{}", registered.stderr);
    assert_eq!(registered.json()["state"], "ready");
    person.relink(&relay_link(relay));
    person
}

/// Makes two people contacts, whose nodes never run at the same time.
fn befriend(inviter: &LightPerson, invited: &LightPerson) {
    let link = inviter.ok(&["invite"])["link"].as_str().unwrap().to_owned();
    invited.ok(&["contact", "add", &link]);
    assert_eq!(state_of(inviter, invited.name()), "accepted");
    assert_eq!(state_of(invited, inviter.name()), "accepted");
}

fn state_of(person: &LightPerson, name: &str) -> String {
    let listed = person.ok(&["contact", "list"]);
    let contacts = listed["contacts"].as_array().unwrap();
    let found = contacts.iter().find(|contact| contact["name"] == name);
    found.map(|contact| contact["state"].as_str().unwrap().to_owned()).unwrap_or_default()
}

fn send(person: &LightPerson, to: &str, words: &str) {
    assert_eq!(person.ok(&["send", to, words])["state"], "relayed", "{words}");
}

/// The nodes that run over a directory.
fn nodes_over(directory: &Path) -> Vec<Pid> {
    let directory = directory.to_str().unwrap();
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let id: i32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let command = std::fs::read(format!("/proc/{id}/cmdline")).ok()?;
        let is_node = String::from_utf8_lossy(&command).split('\0').any(|word| word == "__daemon");
        (is_node && String::from_utf8_lossy(&command).contains(directory)).then_some(id)
    });
    processes.filter_map(Pid::from_raw).collect()
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// A command that goes on until it is ended, and has met its node.
fn following(person: &LightPerson) -> Child {
    let mut child = person.start(&["events", "--since", "0"]);
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("schema"), "{line}");
    child
}

#[test]
fn two_without_a_daemon_become_contacts_and_talk_alone_and_in_a_group() {
    let relay = relay_by_invitation("relay");
    let (alice, bob) = (person("alice", &relay), person("bob", &relay));
    befriend(&alice, &bob);
    send(&alice, "@bob", "hello bob");
    assert_eq!(bob.texts("@alice"), ["hello bob"]);
    send(&bob, "@alice", "hello alice");
    assert_eq!(alice.texts("@bob"), ["hello bob", "hello alice"]);
    bob.qpq(&["read", "@alice"]).expect_status(0);
    let own = alice.qpq(&["read", "@bob", "--since", "0"]).expect_status(0).json_lines();
    assert_eq!(own[0]["state"], "delivered", "{own:?}");

    alice.ok(&["group", "create", "village", "@bob"]);
    assert_eq!(bob.ok(&["group", "members", "village"])["state"], "open");
    send(&alice, "#village", "to all");
    assert_eq!(bob.texts("#village"), ["to all"]);
    send(&bob, "#village", "from all");
    assert_eq!(alice.texts("#village"), ["to all", "from all"]);
    assert!(nodes_over(&alice.data_dir()).is_empty() && nodes_over(&bob.data_dir()).is_empty());
}

#[test]
fn people_without_a_daemon_find_each_other_by_name() {
    let relay = relay_by_invitation("relay");
    let (alice, bob) = (person("alice", &relay), person("bob", &relay));
    assert_eq!(alice.ok(&["contact", "add", "bob@127.0.0.1"])["state"], "requested");
    assert_eq!(state_of(&bob, "alice"), "pending");
    bob.ok(&["contact", "accept", "alice"]);
    assert_eq!(state_of(&alice, "bob"), "accepted");
    send(&alice, "@bob", "hello bob");
    assert_eq!(bob.texts("@alice"), ["hello bob"]);
}

#[test]
fn whoever_is_killed_while_sending_nothing_is_lost_and_nothing_comes_twice() {
    let relay = relay_by_invitation("relay");
    let (alice, bob) = (person("alice", &relay), person("bob", &relay));
    befriend(&alice, &bob);
    let mut queued = Vec::new();
    for number in 0..6 {
        let words = format!("number {number}");
        // It waits for bob, who is not there: killed before the message is in the outbox, or after.
        let mut child = alice.start(&["send", "@bob", &words, "--wait", "delivered", "--timeout", "5m"]);
        if number % 2 == 0 {
            await_node(&alice, &mut child);
        }
        signal(&child, Signal::KILL);
        child.wait().unwrap();
        // The next command waits until the node that was left has ended.
        let said = alice.texts("@bob");
        if said.last() != Some(&words) {
            send(&alice, "@bob", &words);
        }
        queued.push(words);
    }
    send(&alice, "@bob", "the end");
    queued.push("the end".to_owned());
    assert_eq!(bob.texts("@alice"), queued);
    assert_eq!(alice.texts("@bob"), queued);
    assert!(nodes_over(&alice.data_dir()).is_empty());
}

/// Waits until a command's node runs, or the command has ended.
fn await_node(person: &LightPerson, child: &mut Child) {
    let socket = person.data_dir().join("qpqd.sock");
    while !socket.exists() && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
}

#[test]
fn what_a_relay_that_is_gone_does_not_take_goes_out_with_the_next_command() {
    let mut relay = relay_by_invitation("relay");
    let (alice, bob) = (person("alice", &relay), person("bob", &relay));
    befriend(&alice, &bob);
    relay.kill9();
    let sent = alice.qpq(&["send", "@bob", "later"]).expect_status(5);
    assert!(sent.stderr.contains("what you send stays queued"), "{}", sent.stderr);
    assert!(sent.stderr.contains("goes out with the next command"), "{}", sent.stderr);
    assert_eq!(sent.json()["state"], "queued");
    relay.run_again();
    let listed = alice.qpq(&["relay", "list"]).expect_status(0);
    assert!(!listed.stderr.contains("queued"), "{}", listed.stderr);
    assert_eq!(bob.texts("@alice"), ["later"]);
}

#[test]
fn one_command_at_a_time_and_a_signal_ends_it_in_order() {
    let relay = relay_by_invitation("relay");
    let alice = person("alice", &relay);
    let mut first = following(&alice);
    let mut second = alice.start(&["id"]);
    let mut said = BufReader::new(second.stderr.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert!(line.contains("another command with --relay is at work"), "{line}");
    assert_eq!(nodes_over(&alice.data_dir()).len(), 1);
    signal(&first, Signal::INT);
    let mut words = String::new();
    first.stderr.take().unwrap().read_to_string(&mut words).unwrap();
    assert_eq!(first.wait().unwrap().code(), Some(1), "{words}");
    assert!(words.contains("interrupted"), "{words}");
    assert!(second.wait().unwrap().success());
    assert!(nodes_over(&alice.data_dir()).is_empty());
    assert!(!alice.data_dir().join("qpqd.sock").exists(), "the node tidied up");

    let mut killed = following(&alice);
    signal(&killed, Signal::KILL);
    killed.wait().unwrap();
    alice.ok(&["id"]);
    assert!(nodes_over(&alice.data_dir()).is_empty());
}

#[test]
fn what_goes_wrong_is_said_in_words() {
    let relay = relay_by_invitation("relay");
    let good = relay_link(&relay);
    let (start, rest) = good.split_at("qpq://relay/".len());
    let other_pin = format!("{start}{}{}", "ab".repeat(32), &rest[64..]);
    let mut alice = LightPerson::new("alice", &other_pin);
    for (link, verb, password, status, words) in [
        (other_pin.as_str(), "register", PASSWORD, 1, "its certificate is another"),
        (&good, "register", PASSWORD, 6, "whom it has invited"),
        (&good, "register", "short", 2, "too short"),
        ("qpq:ABC", "register", PASSWORD, 2, "--relay wants a link to a relay"),
    ] {
        alice.relink(link);
        let answer = account(&alice, verb, password);
        assert!(answer.stderr.contains(words), "{link} {verb}: {}", answer.stderr);
        assert_eq!(answer.status, status, "{link} {verb}: {}", answer.stderr);
    }
    let bob = person("bob", &relay);
    let wrong = account(&bob, "login", "wrong horse").expect_status(6);
    assert!(wrong.stderr.contains("password is wrong"), "{}", wrong.stderr);
    assert_eq!(account(&bob, "login", PASSWORD).expect_status(0).json()["state"], "ready");
    let mut carol = person("carol", &relay);
    carol.relink(&other_pin);
    for words in [&["send", "@bob", "hello"][..], &["invite"], &["contact", "list"]] {
        let refused = carol.qpq(words).expect_status(1);
        assert!(refused.stderr.contains("register --username"), "{}", refused.stderr);
    }
}
