//! Messages carried over a poor radio, by a node that meets sender and recipient at different times.

use qpq_tests::lab::{Air, Host, Lab, Segment, has_ipv6};
use qpq_tests::{Person, befriend};

use crate::families::{IPV4, IPV6, Plug};
use crate::listener::{Secret, assert_keys_only_announced, assert_nothing_else, assert_silent, identity};

/// A tenth is lost, and what is sent within 30 ms arrives in any order.
const POOR: Air = Air { lost_per_mille: 100, delay_ms: 5, jitter_ms: 30 };

const TEXT: &str = "the ford is safe until Thursday";

#[test]
fn a_message_finds_its_way_and_its_sender_learns_it() {
    let test = "carried::a_message_finds_its_way_and_its_sender_learns_it";
    if let Some(lab) = Lab::enter(test) {
        is_carried(&lab, IPV4);
    }
}

#[test]
fn a_message_finds_its_way_over_ipv6() {
    let test = "carried::a_message_finds_its_way_over_ipv6";
    if let Some(lab) = Lab::enter(test).filter(|_| has_ipv6(test)) {
        is_carried(&lab, IPV6);
    }
}

fn is_carried(lab: &Lab, plug: Plug) {
    let (air, hosts) =
        (lab.segment(POOR), ["alice-miller", "bob-potter", "carol-weaver"].map(|name| lab.host(name)));
    let [alice, bob, carol] = people(&air, &hosts, plug);
    let [at_alice, _, at_carol] = &hosts;
    befriend(&alice, &bob);
    befriend(&alice, &carol);
    befriend(&bob, &carol);

    // From here on, Alice and Carol are never in range at the same time.
    air.cut(at_carol);
    alice.queue("@carol-weaver", TEXT);
    await_state(&alice, "@carol-weaver", "handed");
    air.cut(at_alice);
    air.join(at_carol);
    carol.await_text("@alice-miller", TEXT);
    // Out of range any sooner, Carol would keep her receipt to herself.
    bob.await_settled();
    air.cut(at_carol);
    air.join(at_alice);
    await_state(&alice, "@carol-weaver", "delivered");
    assert_eq!(bob.ok_lines(&["read"]).len(), 0, "who carries reads nothing");

    assert_private(&air, &[&alice, &bob, &carol]);
}

/// Whoever listened all the time knows which nodes there are, and nothing about people.
fn assert_private(air: &Segment, people: &[&Person; 3]) {
    let heard = air.heard();
    let identities = people.map(identity);
    let keys = identities.iter().map(|bytes| Secret { what: "an identity key", bytes });
    let names = people.iter().map(|person| Secret { what: "a name", bytes: person.name().as_bytes() });
    let secrets: Vec<Secret<'_>> =
        keys.chain(names).chain([Secret { what: "a text", bytes: TEXT.as_bytes() }]).collect();
    assert_silent(&heard, &secrets);
    assert_keys_only_announced(&heard, &people.map(|person| &**person));
    assert_nothing_else(&heard);
}

fn people(air: &Segment, hosts: &[Host; 3], plug: Plug) -> [Person; 3] {
    let mut numbers = 1..;
    hosts
        .each_ref()
        .map(|host| Person::with(host.name(), plug(air, host, numbers.next().unwrap_or_default())))
}

/// Waits until everything said in a conversation has a state.
fn await_state(person: &Person, conversation: &str, state: &str) {
    person.until(state, || {
        let messages = person.ok_lines(&["read", conversation]);
        messages.iter().all(|message| message["state"] == state).then_some(())
    });
}
