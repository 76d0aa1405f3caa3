//! Relays that keep what comes while a person's node is away: the two who talk never run at the same time.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use qpq_tests::{Node, Person, befriend, relay_by_invitation, relay_link};

const PASSWORD: &str = "correct horse battery staple";

fn invitation(relay: &Node) -> String {
    relay.ok(&["relay", "invite"])["link"].as_str().unwrap().to_owned()
}

/// Writes a password into a file, and gives the words that name it.
fn password_file(person: &Person, password: &str) -> [String; 2] {
    let path = person.folder().join("password");
    std::fs::write(&path, password).unwrap();
    ["--password-file".to_owned(), path.to_str().unwrap().to_owned()]
}

/// What `qpq relay register` or `login` answers.
fn account(person: &Person, verb: &str, link: &str, password: &str) -> qpq_tests::Output {
    let [option, file] = password_file(person, password);
    person.qpq(&["relay", verb, link, "--username", person.name(), &option, &file])
}

fn register(person: &Person, relay: &Node) {
    let registered = account(person, "register", &invitation(relay), PASSWORD).expect_status(0).json();
    assert_eq!(registered["state"], "ready", "{registered}");
}

/// Waits until so many contacts know each of a person's mailboxes.
fn await_known(person: &Person, mailboxes: usize, contacts: u64) {
    person.until("contacts know the mailbox", || {
        let listed = person.ok(&["relay", "list"]);
        let relays = listed["relays"].as_array().unwrap();
        let are_known = relays.len() == mailboxes && relays.iter().all(|relay| relay["contacts"] == contacts);
        let has_told = person.ok(&["status"])["outbox"]["waiting"] == 0;
        (are_known && has_told).then_some(())
    });
}

/// Waits until everything that a person said in a conversation has a state.
fn await_state(person: &Person, conversation: &str, state: &str) {
    person.until(state, || {
        let messages = person.ok_lines(&["read", conversation, "--since", "0"]);
        let mut own = messages.iter().filter(|message| message["own"] == true);
        own.all(|message| message["state"] == state).then_some(())
    });
}

/// Alice and bob are contacts, and alice knows bob's mailbox at each of these relays.
fn people(relays: &[&Node]) -> (Person, Person) {
    let (alice, bob) = (Person::new("alice"), Person::new("bob"));
    for relay in relays {
        register(&bob, relay);
    }
    befriend(&alice, &bob);
    await_known(&bob, relays.len(), 1);
    (alice, bob)
}

#[test]
fn two_who_are_never_there_at_the_same_time_talk() {
    let relay = relay_by_invitation("relay");
    let (mut alice, mut bob) = people(&[&relay]);
    assert!(bob.terminate().success());
    let waited = ["send", "@bob", "hello", "--wait", "sent", "--timeout", "60s"];
    assert_eq!(alice.ok(&waited)["state"], "relayed");
    let id = alice.queue("@bob", "and this");
    await_state(&alice, "@bob", "relayed");
    let shown = alice.qpq_plain(&["read", "@bob", "--since", "0"], b"");
    assert!(shown.stdout.contains("[at relay]"), "{}", shown.stdout);
    let trace = alice.qpq_plain(&["trace", &id], b"");
    assert!(trace.stdout.contains("stored at a relay of bob"), "{}", trace.stdout);
    alice.kill9();

    bob.run_again();
    bob.await_text("@alice", "and this");
    assert_eq!(bob.texts("@alice"), ["hello", "and this"]);
    assert!(bob.terminate().success());

    alice.run_again();
    bob.run_again();
    await_state(&alice, "@bob", "delivered");
    assert_eq!(bob.texts("@alice"), ["hello", "and this"]);
}

#[test]
fn whoever_is_killed_nothing_is_lost_and_nothing_comes_twice() {
    let mut relay = relay_by_invitation("relay");
    let (mut alice, mut bob) = people(&[&relay]);
    let said: Vec<String> = (0..8).map(|number| format!("number {number}")).collect();
    bob.kill9();
    for (number, words) in said.iter().enumerate() {
        alice.queue("@bob", words);
        if number % 3 == 0 {
            alice.kill9();
            alice.run_again();
        }
        if number == 4 {
            relay.kill9();
            relay.run_again();
        }
    }
    await_state(&alice, "@bob", "relayed");
    alice.kill9();
    for _ in 0..2 {
        bob.run_again();
        bob.await_text("@alice", &said[0]);
        bob.kill9();
    }
    bob.run_again();
    bob.await_text("@alice", &said[7]);
    assert_eq!(bob.texts("@alice"), said);
}

#[test]
fn a_relay_that_is_gone_is_replaced_by_the_next() {
    let (mut first, second) = (relay_by_invitation("first"), relay_by_invitation("second"));
    let (mut alice, mut bob) = people(&[&first, &second]);
    assert!(bob.terminate().success());
    first.kill9();
    alice.queue("@bob", "by the second");
    await_state(&alice, "@bob", "relayed");
    assert!(alice.terminate().success());
    bob.run_again();
    bob.await_text("@alice", "by the second");
    let state = |link: &str| {
        let listed = bob.ok(&["relay", "list"]);
        let relays = listed["relays"].as_array().unwrap();
        let found = relays.iter().find(|relay| link.contains(relay["pin"].as_str().unwrap()));
        found.unwrap()["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(state(&relay_link(&second)), "ready");
    first.run_again();
    bob.until("the first relay is back", || (state(&relay_link(&first)) == "ready").then_some(()));
}

#[test]
fn a_mailbox_that_was_given_up_is_not_used() {
    let relay = relay_by_invitation("relay");
    let (alice, mut bob) = people(&[&relay]);
    let pin = bob.ok(&["relay", "list"])["relays"][0]["pin"].as_str().unwrap().to_owned();
    assert_eq!(bob.ok(&["relay", "leave", &pin[..8], "--yes"])["reached"], true);
    assert_eq!(bob.ok(&["relay", "list"])["relays"].as_array().unwrap().len(), 0);
    bob.until("alice was told", || (bob.ok(&["status"])["outbox"]["waiting"] == 0).then_some(()));
    assert!(bob.terminate().success());
    let waited = ["send", "@bob", "hello", "--wait", "sent", "--timeout", "5s"];
    alice.qpq(&waited).expect_status(5);
}

#[test]
fn what_goes_wrong_is_said_in_words() {
    let relay = relay_by_invitation("relay");
    let bob = Person::new("bob");
    let used = invitation(&relay);
    account(&bob, "register", &used, PASSWORD).expect_status(0);
    let good = relay_link(&relay);
    let (start, rest) = good.split_at("qpq://relay/".len());
    let other_pin = format!("{start}{}{}", "ab".repeat(32), &rest[64..]);
    let other_log = format!("{start}{}/{}{}", &rest[..64], "ab".repeat(32), &rest[129..]);
    let nobody = format!("{start}{}127.0.0.1:1", &rest[..130]);
    for (verb, link, password, status, words) in [
        ("login", good.as_str(), "wrong horse", 6, "password is wrong"),
        ("login", &other_pin, PASSWORD, 1, "its certificate is another"),
        ("login", &other_log, PASSWORD, 6, "signed by another key"),
        ("login", "qpq:ABC", PASSWORD, 2, "not a link to a relay"),
        ("login", &nobody, PASSWORD, 1, "was not reached at 127.0.0.1:1"),
        ("register", &used, PASSWORD, 6, "whom it has invited"),
        ("register", &good, PASSWORD, 6, "whom it has invited"),
        ("register", &good, "short", 2, "too short"),
    ] {
        let answer = account(&bob, verb, link, password);
        assert!(answer.stderr.contains(words), "{verb} {link}: {}", answer.stderr);
        assert_eq!(answer.status, status, "{verb} {link}: {}", answer.stderr);
    }
    let again = account(&bob, "login", &good, PASSWORD).expect_status(0).json();
    assert_eq!(again["state"], "ready");
    for (words, status) in
        [(&["relay", "leave", "ffff", "--yes"][..], 1), (&["contact", "add", &good][..], 2)]
    {
        bob.qpq(words).expect_status(status);
    }
}
