//! Messages that a third node carries between two who never run at the same time.

use qpq_tests::{Options, Person, befriend};

#[test]
fn a_node_between_carries_for_two_who_never_meet() {
    let (mut alice, mut bob, mut carol) = (Person::new("alice"), Person::new("bob"), Person::new("carol"));
    befriend(&alice, &bob);
    befriend(&alice, &carol);
    befriend(&bob, &carol);
    assert!(carol.terminate().success());
    alice.queue("@carol", "by bob");
    until_state(&alice, "@carol", "handed");
    let waited = ["send", "@carol", "this too", "--wait", "sent", "--timeout", "30s"];
    assert_eq!(alice.ok(&waited)["state"], "handed");
    alice.kill9();

    // What it has taken it keeps.
    bob.kill9();
    bob.run_again();
    carol.run_again();
    carol.await_text("@alice", "by bob");
    carol.await_text("@alice", "this too");
    // Gone any sooner, Carol would keep her receipts to herself.
    bob.await_settled();
    assert!(carol.terminate().success());

    alice.run_again();
    until_state(&alice, "@carol", "delivered");
    assert_eq!(bob.ok_lines(&["read"]).len(), 0, "who carries reads nothing");
}

#[test]
fn what_is_carried_in_memory_is_lost_with_the_carrier_and_not_with_the_sender() {
    let in_memory = Options { environment: vec![("QPQ_CUSTODY".into(), "ram".into())], ..Options::default() };
    let (alice, mut bob, mut carol) =
        (Person::new("alice"), Person::with("bob", in_memory), Person::new("carol"));
    befriend(&alice, &bob);
    befriend(&alice, &carol);
    befriend(&bob, &carol);
    assert!(carol.terminate().success());
    alice.queue("@carol", "by bob's memory");
    until_state(&alice, "@carol", "handed");
    let store = bob.ok(&["mesh", "store"]);
    assert_eq!((&store["volatile"], &store["bundles"]), (&true.into(), &1.into()));
    bob.kill9();
    bob.run_again();
    carol.run_again();
    carol.await_text("@alice", "by bob's memory");
    until_state(&alice, "@carol", "delivered");
    assert_eq!(carol.texts("@alice"), ["by bob's memory"]);
}

/// Waits until everything said in a conversation has a state.
fn until_state(person: &Person, conversation: &str, state: &str) {
    person.until(state, || {
        let messages = person.ok_lines(&["read", conversation]);
        messages.iter().all(|message| message["state"] == state).then_some(())
    });
}
