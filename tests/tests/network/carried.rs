//! Messages carried over a poor radio, by a node that meets sender and recipient at different times.

use qpq_tests::lab::{Air, Host, Lab, Segment};
use qpq_tests::{Person, befriend};

/// A tenth is lost, and what is sent within 30 ms arrives in any order.
const POOR: Air = Air { lost_per_mille: 100, delay_ms: 5, jitter_ms: 30 };

#[test]
fn a_message_finds_its_way_and_its_sender_learns_it() {
    let Some(lab) = Lab::enter("carried::a_message_finds_its_way_and_its_sender_learns_it") else { return };
    let (air, hosts) = (lab.segment(POOR), ["alice", "bob", "carol"].map(|name| lab.host(name)));
    let [alice, bob, carol] = people(&air, &hosts);
    let [at_alice, _, at_carol] = &hosts;
    befriend(&alice, &bob);
    befriend(&alice, &carol);
    befriend(&bob, &carol);

    // From here on, Alice and Carol are never in range at the same time.
    air.cut(at_carol);
    alice.queue("@carol", "by bob");
    await_state(&alice, "@carol", "handed");
    air.cut(at_alice);
    air.join(at_carol);
    carol.await_text("@alice", "by bob");
    air.cut(at_carol);
    air.join(at_alice);
    await_state(&alice, "@carol", "delivered");
    assert_eq!(bob.ok_lines(&["read"]).len(), 0, "who carries reads nothing");
}

fn people(air: &Segment, hosts: &[Host; 3]) -> [Person; 3] {
    for (host, number) in hosts.iter().zip(1..) {
        air.plug(host, "eth0", &format!("10.0.0.{number}/24"));
    }
    hosts.each_ref().map(|host| Person::with(host.name(), host.discovering()))
}

/// Waits until everything said in a conversation has a state.
fn await_state(person: &Person, conversation: &str, state: &str) {
    person.until(state, || {
        let messages = person.ok_lines(&["read", conversation]);
        messages.iter().all(|message| message["state"] == state).then_some(())
    });
}
