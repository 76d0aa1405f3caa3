//! What foreign people write cannot take over a terminal or deceive its reader.

use qpq_tests::{Person, befriend};

/// Clears the screen, sets a title, moves the cursor, turns the writing direction, writes over the line.
const NASTY: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}1A\rbob: forged \u{202e}txt.exe\u{2066}\u{0}\u{7f}";

#[test]
fn escape_sequences_are_shown_and_not_obeyed() {
    let (alice, bob) = (Person::new("alice"), Person::new("bob"));
    befriend(&alice, &bob);
    let text = NASTY.replace('\0', "");
    alice.deliver("@bob", &text);

    for words in [["read", "@alice"].as_slice(), &["read"], &["events", "--since", "0", "--no-follow"]] {
        let shown = bob.qpq_plain(words, b"").expect_status(0).stdout;
        assert!(shown.contains("forged"), "{words:?}: {shown}");
        assert_harmless(&shown);
    }
    let json = bob.qpq(&["read", "@alice"]);
    assert_harmless(&json.stdout);
    assert_eq!(json.json()["text"], text.as_str());
}

#[test]
fn names_that_deceive_are_refused() {
    let alice = Person::new("alice");
    let node = qpq_tests::Node::start("nameless");
    for name in ["", "\u{1b}[2J", "bob\u{202e}", "a b", "b@b", "b#b", "a/b", &"x".repeat(65)] {
        node.qpq(&["init", "--name", name]).expect_status(2);
        alice.qpq(&["group", "create", name]).expect_status(2);
    }
    node.ok(&["init", "--name", "Zoë-2"]);
}

#[test]
fn a_chat_is_scriptable() {
    let (alice, bob) = (Person::new("alice"), Person::new("bob"));
    befriend(&alice, &bob);
    let script = "@bob hello from a script\nand another line\n/list\n/quit\n";
    alice.qpq_plain(&["chat"], script.as_bytes()).expect_status(0);
    bob.await_text("@alice", "and another line");
    assert_eq!(bob.texts("@alice"), ["hello from a script", "and another line"]);
}

#[test]
fn without_a_terminal_nothing_is_destroyed_unasked() {
    let (alice, bob) = (Person::new("alice"), Person::new("bob"));
    befriend(&alice, &bob);
    alice.qpq(&["contact", "remove", "@bob"]).expect_status(2);
    assert_eq!(alice.state_of("bob"), "accepted");
    alice.qpq(&["contact", "remove", "@bob", "--yes"]).expect_status(0);
    assert_eq!(alice.state_of("bob"), "");
}

#[track_caller]
fn assert_harmless(shown: &str) {
    let obeyed = |c: &char| {
        (c.is_control() && *c != '\n') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert_eq!(shown.chars().find(obeyed), None, "{shown:?}");
}
