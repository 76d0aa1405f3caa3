//! Groups: who commits, who waits, who can read on.

use qpq_tests::{Person, befriend, group_of};

/// Alice, who knows the other two, and a group of the three that alice made.
fn three_in_a_group(name: &str) -> [Person; 3] {
    let people = ["alice", "bob", "carol"].map(Person::new);
    let [alice, bob, carol] = &people;
    befriend(alice, bob);
    befriend(alice, carol);
    group_of(name, alice, &[bob, carol]);
    people
}

#[test]
fn everybody_hears_everybody() {
    let people = three_in_a_group("picnic");
    let words = ["I bring bread", "I bring cheese", "I bring a guitar"];
    for (person, text) in people.iter().zip(words) {
        person.deliver("#picnic", text);
    }
    for person in &people {
        let mut texts = person.texts("#picnic");
        texts.sort();
        assert_eq!(texts, ["I bring a guitar", "I bring bread", "I bring cheese"], "{}", person.name());
    }
}

#[test]
fn who_was_away_hears_it_later() {
    let [alice, bob, mut carol] = three_in_a_group("picnic");
    carol.kill9();
    let sent = alice.qpq(&["send", "#picnic", "rain", "--wait", "delivered", "--timeout", "2s"]);
    assert_eq!(sent.expect_status(5).json()["waiting_for"][0], "carol");
    bob.await_text("#picnic", "rain");

    carol.run_again();
    carol.await_text("#picnic", "rain");
    carol.deliver("#picnic", "then we stay at home");
}

#[test]
fn a_member_invites_and_the_committer_commits() {
    let [alice, bob, carol] = three_in_a_group("picnic");
    let dave = Person::new("dave");
    befriend(&bob, &dave);
    let words = ["group", "invite", "picnic", "@dave", "--wait", "--timeout", "60s"];
    assert_eq!(bob.ok(&words)["committed"], true);

    dave.until("dave is in", || dave.group_state("#picnic").filter(|state| state == "open"));
    dave.deliver("#picnic", "hello from dave");
    for person in [&alice, &bob, &carol] {
        assert!(person.texts("#picnic").contains(&"hello from dave".to_owned()), "{}", person.name());
        assert_eq!(person.members("#picnic").len(), 4);
    }
}

#[test]
fn a_change_waits_for_a_committer_that_is_away() {
    let [mut alice, bob, carol] = three_in_a_group("picnic");
    let dave = Person::new("dave");
    befriend(&bob, &dave);
    assert_eq!(bob.ok(&["group", "members", "#picnic"])["committer"], "alice");
    alice.kill9();

    let words = ["group", "invite", "picnic", "@dave", "--wait", "--timeout", "1s"];
    let waiting = bob.qpq(&words).expect_status(5).json();
    assert_eq!(
        (waiting["committed"].as_bool(), waiting["waiting_for"].as_str()),
        (Some(false), Some("alice"))
    );
    bob.queue("#picnic", "we are still talking");
    carol.await_text("#picnic", "we are still talking");

    alice.run_again();
    dave.until("dave is in", || dave.group_state("#picnic").filter(|state| state == "open"));
    bob.deliver("#picnic", "welcome, dave");
    assert_eq!(dave.texts("#picnic"), ["welcome, dave"]);
}

#[test]
fn a_removed_member_cannot_read_on() {
    let [alice, bob, carol] = three_in_a_group("picnic");
    alice.deliver("#picnic", "all three");
    alice.ok(&["group", "remove", "picnic", "@carol", "--yes", "--wait", "--timeout", "60s"]);
    bob.await_members("#picnic", &["alice", "bob"]);
    alice.deliver("#picnic", "only us two");
    bob.deliver("#picnic", "indeed");

    carol.until("carol knows", || carol.group_state("#picnic").filter(|state| state == "ended"));
    assert_eq!(carol.texts("#picnic"), ["all three"]);
    carol.qpq(&["send", "#picnic", "may I?"]).expect_status(6);
    assert_eq!(bob.texts("#picnic"), ["all three", "only us two", "indeed"]);
}

#[test]
fn only_an_administrator_removes() {
    let [_alice, bob, carol] = three_in_a_group("picnic");
    // Bob has no contact with carol, who is a mere member to him: "~carol-1f2e".
    let members = bob.members("#picnic");
    let stranger = members.iter().find(|name| name.starts_with("~carol-")).expect("carol is a member");
    bob.qpq(&["group", "remove", "picnic", stranger, "--yes"]).expect_status(6);
    assert_eq!(carol.members("#picnic").len(), 3);
}

#[test]
fn who_leaves_is_gone_for_all() {
    let [alice, bob, carol] = three_in_a_group("picnic");
    carol.ok(&["group", "leave", "picnic", "--yes", "--wait", "--timeout", "60s"]);
    alice.await_members("#picnic", &["alice", "bob"]);
    bob.await_members("#picnic", &["alice", "bob"]);
    alice.deliver("#picnic", "quiet here");
    assert_eq!(carol.texts("#picnic"), [] as [&str; 0]);
    assert_eq!(carol.group_state("#picnic").as_deref(), Some("ended"));
}

#[test]
fn a_link_leads_into_a_group() {
    let (alice, bob) = (Person::new("alice"), Person::new("bob"));
    alice.ok(&["group", "create", "picnic"]);
    let made = alice.ok(&["group", "invite", "picnic", "--link"]);
    bob.ok(&["group", "join", made["link"].as_str().expect("a link")]);
    bob.until("bob is in", || bob.group_state("#picnic").filter(|state| state == "open"));
    bob.deliver("#picnic", "found it");
    assert_eq!(alice.texts("#picnic"), ["found it"]);
}

#[test]
fn fresh_keys_are_a_new_epoch() {
    let [alice, bob, carol] = three_in_a_group("picnic");
    let epoch = |person: &Person| person.ok(&["group", "members", "#picnic"])["epoch_id"].clone();
    let before = epoch(&carol);
    for person in [&alice, &bob] {
        person.ok(&["group", "rotate", "picnic", "--wait", "--timeout", "60s"]);
    }
    carol.until("carol has new keys", || {
        (epoch(&carol) == epoch(&alice) && epoch(&carol) != before).then_some(())
    });
    bob.deliver("#picnic", "still understood");
}

#[test]
fn a_group_outlives_restarts() {
    let [mut alice, mut bob, mut carol] = three_in_a_group("picnic");
    for person in [&mut alice, &mut bob, &mut carol] {
        person.restart();
    }
    carol.deliver("#picnic", "everybody back?");
    assert_eq!(alice.texts("#picnic"), bob.texts("#picnic"));
}
