//! Two people on two nodes: invitations, messages both ways, being away.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::thread;

use qpq_tests::{Person, befriend};

#[test]
fn messages_go_both_ways() {
    let (alice, bob) = (Person::new("alice"), Person::new("bob"));
    befriend(&alice, &bob);
    alice.deliver("@bob", "hello");
    bob.deliver("@alice", "hello yourself");
    alice.deliver("@bob", "grüße, 你好, 👋");

    let expected = ["hello", "hello yourself", "grüße, 你好, 👋"];
    assert_eq!(alice.texts("@bob"), expected);
    assert_eq!(bob.texts("@alice"), expected);
    let states: Vec<_> = alice.ok_lines(&["read", "@bob"]).iter().map(|m| m["state"].clone()).collect();
    assert_eq!(states, ["delivered", "received", "delivered"]);
}

#[test]
fn what_is_sent_to_somebody_away_arrives_later() {
    let (alice, mut bob) = (Person::new("alice"), Person::new("bob"));
    befriend(&alice, &bob);
    assert!(bob.terminate().success());

    let id = alice.queue("@bob", "first");
    let waited = ["send", "@bob", "second", "--wait", "delivered", "--timeout", "1s"];
    assert_eq!(alice.qpq(&waited).expect_status(5).json()["state"], "queued");
    assert!(!alice.ok(&["trace", &id])["steps"].as_array().unwrap().is_empty());

    bob.run_again();
    bob.await_text("@alice", "second");
    assert_eq!(bob.texts("@alice"), ["first", "second"]);
    alice.until("both are delivered", || {
        alice.ok_lines(&["read", "@bob"]).iter().all(|message| message["state"] == "delivered").then_some(())
    });
}

#[test]
fn the_outbox_survives_the_sender() {
    let (mut alice, mut bob) = (Person::new("alice"), Person::new("bob"));
    befriend(&alice, &bob);
    bob.kill9();
    alice.queue("@bob", "written before the power cut");
    alice.kill9();

    alice.run_again();
    bob.run_again();
    bob.await_text("@alice", "written before the power cut");
}

#[test]
fn inviting_each_other_at_once_ends_in_one_conversation() {
    let (alice, bob) = (Person::new("alice"), Person::new("bob"));
    let (to_alice, to_bob) = (alice.invitation(), bob.invitation());
    thread::scope(|scope| {
        scope.spawn(|| alice.ok(&["contact", "add", &to_bob]));
        scope.spawn(|| bob.ok(&["contact", "add", &to_alice]));
    });
    alice.await_contact("bob", "accepted");
    bob.await_contact("alice", "accepted");

    alice.deliver("@bob", "one");
    bob.deliver("@alice", "two");
    assert_eq!(alice.texts("@bob"), ["one", "two"]);
    assert_eq!(bob.texts("@alice"), ["one", "two"]);
    for person in [&alice, &bob] {
        assert_eq!(person.ok(&["contact", "list"])["contacts"].as_array().unwrap().len(), 1);
    }
}

#[test]
fn a_one_time_invitation_serves_one_person() {
    let (alice, bob, carol) = (Person::new("alice"), Person::new("bob"), Person::new("carol"));
    let link = alice.invitation();
    bob.ok(&["contact", "add", &link]);
    alice.await_contact("bob", "accepted");

    carol.ok(&["contact", "add", &link]);
    befriend(&bob, &carol);
    assert_eq!(alice.state_of("carol"), "");
    carol.await_contact("alice", "refused");
}

#[test]
fn a_reusable_invitation_must_be_accepted() {
    let (alice, bob) = (Person::new("alice"), Person::new("bob"));
    let link = alice.ok(&["invite", "--reusable"])["link"].as_str().unwrap().to_owned();
    bob.ok(&["contact", "add", &link]);
    alice.await_contact("bob", "pending");
    assert_eq!(bob.state_of("alice"), "requested");

    alice.ok(&["contact", "accept", "@bob"]);
    bob.await_contact("alice", "accepted");
    bob.deliver("@alice", "thank you");
}

#[test]
fn a_revoked_invitation_is_void() {
    let (alice, bob) = (Person::new("alice"), Person::new("bob"));
    let invitation = alice.ok(&["invite"]);
    alice.ok(&["invite", "revoke", invitation["id"].as_str().unwrap()]);
    bob.ok(&["contact", "add", invitation["link"].as_str().unwrap()]);

    befriend(&alice, &bob);
    alice.deliver("@bob", "now");
}

#[test]
fn links_are_read_as_people_type_them() {
    let (alice, bob) = (Person::new("alice"), Person::new("bob"));
    let link = alice.invitation();
    let typed = format!(" {} \n", link.to_lowercase().replace('-', " "));
    bob.ok(&["contact", "add", &typed]);
    alice.await_contact("bob", "accepted");

    let mistyped = mistype(&link);
    let refused = bob.qpq(&["contact", "add", &mistyped]).expect_status(2);
    assert!(refused.stderr.contains("group"), "says which group is wrong: {}", refused.stderr);
}

/// Exchanges one character near the end for another of the alphabet.
fn mistype(link: &str) -> String {
    let at = link.len() - 10;
    let at = (at..link.len()).find(|at| link.as_bytes()[*at].is_ascii_alphabetic()).unwrap();
    let other = if link[at..].starts_with('X') { "Y" } else { "X" };
    format!("{}{other}{}", &link[..at], &link[at + 1..])
}

#[test]
fn a_blocked_contact_is_not_heard() {
    let (alice, bob) = (Person::new("alice"), Person::new("bob"));
    befriend(&alice, &bob);
    alice.deliver("@bob", "before");
    alice.ok(&["contact", "block", "@bob"]);
    bob.queue("@alice", "while blocked");
    alice.qpq(&["send", "@bob", "refused"]).expect_status(6);

    alice.ok(&["contact", "block", "@bob", "--undo"]);
    bob.deliver("@alice", "after");
    assert!(alice.texts("@bob").contains(&"after".to_owned()));
}

#[test]
fn texts_have_a_limit_that_is_said() {
    let (alice, bob) = (Person::new("alice"), Person::new("bob"));
    befriend(&alice, &bob);
    let longest = "x".repeat(16_384);
    alice.deliver("@bob", &longest);
    assert_eq!(bob.texts("@alice"), [longest.as_str()]);

    let refused = alice.qpq(&["send", "@bob", &format!("{longest}x")]).expect_status(2);
    assert!(refused.stderr.contains("16384") || refused.stderr.contains("16,384"), "{}", refused.stderr);
    alice.qpq(&["send", "@bob", ""]).expect_status(2);
    alice.qpq(&["send", "@nobody", "hello"]).expect_status(1);
}

#[test]
fn a_text_comes_from_standard_input() {
    let (alice, bob) = (Person::new("alice"), Person::new("bob"));
    befriend(&alice, &bob);
    let sent = alice.qpq_plain(&["send", "@bob", "-", "--wait", "delivered"], "two\nlines".as_bytes());
    assert_eq!(sent.expect_status(0).stderr, "");
    assert_eq!(bob.texts("@alice"), ["two\nlines"]);
}

#[test]
fn an_identity_is_made_once() {
    let alice = Person::new("alice");
    let first = alice.ok(&["id"]);
    alice.qpq(&["init", "--name", "mallory"]).expect_status(1);
    assert_eq!(alice.ok(&["id"]), first);
}
