//! Coming back with a code on paper: every device is gone, and what is left is the code and a relay.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use qpq_tests::{DEADLINE, Node, Output, Person, befriend, group_of, relay_by_invitation, relay_link};

const PASSWORD: &str = "correct horse battery staple";

/// Writes a secret into a file of a node's, and gives the path.
fn secret(node: &Node, name: &str, text: &str) -> String {
    let path = node.folder().join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn register(person: &Person, relay: &Node) {
    let invitation = relay.ok(&["relay", "invite"])["link"].as_str().unwrap().to_owned();
    let password = secret(person, "password", PASSWORD);
    let name = person.name();
    person.ok(&["relay", "register", &invitation, "--username", name, "--password-file", &password]);
}

/// Logs in where a person is told to who came back.
fn log_in(node: &Node, recovered: &serde_json::Value) {
    let password = secret(node, "password", PASSWORD);
    for relay in recovered["relays"].as_array().unwrap() {
        let (link, name) = (relay["link"].as_str().unwrap(), relay["username"].as_str().unwrap());
        node.ok(&["relay", "login", link, "--username", name, "--password-file", &password]);
    }
}

fn set_up(person: &Person) -> Vec<String> {
    let made = person.ok(&["recovery", "setup", "--yes"]);
    made["codes"].as_array().unwrap().iter().map(|code| code.as_str().unwrap().to_owned()).collect()
}

fn use_code(node: &Node, link: &str, code: &str) -> Output {
    node.qpq(&["recovery", "use", link, "--code-file", &secret(node, "code", code)])
}

/// Waits until the only relay keeps so many codes' bundles and has nothing to delete.
fn await_kept(node: &Node, codes: usize) {
    node.until("the relay keeps what belongs to the codes", || {
        let listed = node.ok(&["recovery", "list"]);
        let all = listed["codes"].as_array().unwrap();
        let are_kept = all.len() == codes && all.iter().all(|code| code["relays"] == 1);
        (are_kept && listed["relays"][0]["state"] == "stored").then_some(())
    });
}

fn safety_number(node: &Node, contact: &str) -> String {
    node.ok(&["contact", "verify", contact])["safety_number"].as_str().unwrap().to_owned()
}

#[test]
fn whoever_has_lost_every_device_comes_back_with_a_code() {
    let relay = relay_by_invitation("relay");
    let (alice, bob) = (Person::new("alice"), Person::new("bob"));
    register(&alice, &relay);
    befriend(&alice, &bob);
    group_of("picnic", &bob, &[&alice]);
    alice.deliver("@bob", "history");
    bob.deliver("#picnic", "cake");
    let codes = set_up(&alice);
    await_kept(&alice, 8);
    let (identity, number) = (alice.ok(&["id"])["identity"].clone(), safety_number(&alice, "@bob"));
    let log = alice.log();
    assert!(codes.iter().all(|code| !log.contains(code.as_str())), "{log}");
    drop(alice);

    let link = relay_link(&relay);
    let again = Node::start("alice again");
    let recovered = use_code(&again, &link, &codes[2]).expect_status(0).json();
    assert_eq!((&recovered["identity"], &recovered["name"]), (&identity, &"alice".into()));
    assert_eq!((&recovered["number"], &recovered["contacts"]), (&3.into(), &1.into()));
    again.ok(&["send", "@bob", "I am back", "--wait", "delivered", "--timeout", "60s"]);
    bob.deliver("@alice", "welcome");
    assert_eq!(bob.texts("@alice"), ["history", "I am back", "welcome"]);
    assert_eq!(safety_number(&again, "@bob"), number);
    assert_eq!(safety_number(&bob, "@alice"), number);
    assert_eq!(again.ok(&["id"])["device_list_sequence"], 2);
    again.until("the group is back", || {
        let shown = again.qpq(&["group", "members", "#picnic"]);
        (shown.status == 0 && shown.json()["state"] == "open").then_some(())
    });
    again.ok(&["send", "#picnic", "any left?", "--wait", "delivered", "--timeout", "60s"]);
    assert_eq!(bob.texts("#picnic"), ["cake", "any left?"]);

    log_in(&again, &recovered);
    await_kept(&again, 7);
    let other = Node::start("somebody else");
    let refused = use_code(&other, &link, &codes[2]).expect_status(1);
    assert!(refused.stderr.contains("it was used, taken back or replaced"), "{}", refused.stderr);
    drop(again);
    let third = use_code(&other, &link, &codes[3]).expect_status(0).json();
    assert_eq!((&third["identity"], &third["number"]), (&identity, &4.into()));
    other.ok(&["send", "@bob", "once more", "--wait", "delivered", "--timeout", "60s"]);
}

#[test]
fn whoever_is_killed_while_setting_up_has_codes_that_work_or_those_before() {
    let relay = relay_by_invitation("relay");
    let mut alice = Person::new("alice");
    register(&alice, &relay);
    let before = set_up(&alice);
    // A relay lets one address try four codes.
    for _ in 0..2 {
        let setup = alice.follow(&["recovery", "setup", "--yes"]);
        let after = setup.next_within(DEADLINE).unwrap();
        alice.kill9();
        drop(setup);
        alice.run_again();
        await_kept(&alice, 8);
        let new = after["codes"][0].as_str().unwrap();
        let works = |code: &str| {
            let node = Node::start("fresh");
            use_code(&node, &relay_link(&relay), code).status
        };
        let outcome = (works(new), works(&before[0]));
        assert!(outcome == (0, 1) || outcome == (1, 0), "{outcome:?}");
        if outcome == (0, 1) {
            return;
        }
    }
}

#[test]
fn whoever_is_killed_while_coming_back_is_back_or_uses_the_code_again() {
    let relay = relay_by_invitation("relay");
    let alice = Person::new("alice");
    register(&alice, &relay);
    let codes = set_up(&alice);
    await_kept(&alice, 8);
    drop(alice);
    let mut again = Node::start("alice again");
    let link = relay_link(&relay);
    let file = secret(&again, "code", &codes[0]);
    let using = again.follow(&["recovery", "use", &link, "--code-file", &file]);
    again.strike();
    drop(using);
    again.kill9();
    again.run_again();
    let shown = again.qpq(&["id"]);
    if shown.status != 0 {
        use_code(&again, &link, &codes[0]).expect_status(0);
    }
    assert_eq!(again.ok(&["id"])["name"], "alice");
    assert_eq!(again.ok(&["id"])["device_list_sequence"], 2);
}

#[test]
fn what_goes_wrong_is_said_in_words() {
    let mut relay = relay_by_invitation("relay");
    let alice = Person::new("alice");
    let none = alice.qpq(&["recovery", "setup"]).expect_status(1);
    assert!(none.stderr.contains("qpq relay register"), "{}", none.stderr);
    register(&alice, &relay);
    let codes = set_up(&alice);
    let good = relay_link(&relay);
    let (start, rest) = good.split_at("qpq://relay/".len());
    let other_pin = format!("{start}{}{}", "ab".repeat(32), &rest[64..]);
    let fresh = Node::start("fresh");
    let unknown = "LJNFUWS2LJNFU5-WS2LJNFUWS2LIV";
    let mistyped = unknown.replacen('L', "M", 1);
    for (node, link, code, status, words) in [
        (&fresh, good.as_str(), mistyped.as_str(), 2, "group 1 of the recovery code is mistyped"),
        (&fresh, &good, "LJNFUWS2LJNFU5", 2, "incomplete"),
        (&fresh, &good, unknown, 1, "no bundle for this code"),
        (&fresh, "qpq:ABC", &codes[0], 2, "not a link to a relay"),
        (&fresh, &other_pin, &codes[0], 1, "what listens there is another"),
        (&*alice, &good, &codes[0], 1, "already has an identity, named alice"),
    ] {
        let refused = use_code(node, link, code).expect_status(status);
        assert!(refused.stderr.contains(words), "{link} {code}: {}", refused.stderr);
        assert!(!refused.stderr.contains(code), "{}", refused.stderr);
    }
    relay.kill9();
    let refused = use_code(&fresh, &good, &codes[0]).expect_status(1);
    assert!(refused.stderr.contains("the relay was not reached"), "{}", refused.stderr);
    fresh.qpq(&["id"]).expect_status(1);
    relay.run_again();
    // An address may try only so often.
    let limited = (0..64).find_map(|_| {
        let refused = use_code(&fresh, &good, unknown);
        (refused.status == 6).then_some(refused)
    });
    let limited = limited.unwrap();
    assert!(limited.stderr.contains("try again in"), "{}", limited.stderr);
}
