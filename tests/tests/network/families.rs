//! The two families of addresses, one at a time.

use qpq_tests::lab::{Air, Host, Lab, Segment, has_ipv6};
use qpq_tests::{Options, Person, befriend};

use crate::{discovers, path};

/// Connects a host with the address of a number, and says how its daemon is to run.
pub(crate) type Plug = fn(&Segment, &Host, u32) -> Options;

pub(crate) const IPV4: Plug = |segment, host, number| {
    segment.plug(host, "eth0", &format!("10.0.0.{number}/24"));
    host.discovering()
};

/// Nothing but a link-local address and one of the local network's own (RFC 4193).
pub(crate) const IPV6: Plug = |segment, host, number| {
    host.with_ipv6();
    segment.plug(host, "eth0", &format!("fd00:17::{number}/64"));
    host.discovering_over_ipv6()
};

#[test]
fn two_nodes_without_ipv4_find_each_other_and_talk() {
    let test = "families::two_nodes_without_ipv4_find_each_other_and_talk";
    let Some(lab) = Lab::enter(test).filter(|_| has_ipv6(test)) else { return };
    let (lan, hosts) = (lab.segment(Air::CLEAR), ["alice", "bob"].map(|name| lab.host(name)));
    let [alice, bob] = [(&hosts[0], 1), (&hosts[1], 2)]
        .map(|(host, number)| Person::with(host.name(), IPV6(&lan, host, number)));
    for (one, other) in [(&alice, &bob), (&bob, &alice)] {
        one.until(&format!("{} is found", other.name()), || discovers(one, other).then_some(()));
    }
    befriend(&alice, &bob);
    alice.deliver("@bob", "without a single dot");
    bob.deliver("@alice", "nothing but colons");
    for (one, other, address) in [(&alice, &bob, "[fd00:17::2]"), (&bob, &alice, "[fd00:17::1]")] {
        let path = path(one, other).unwrap();
        assert!(path.starts_with(address), "{} is reached at {path}", other.name());
    }
    let over_ipv4 = lan.heard().into_iter().filter(|frame| frame.bytes[12..14] != [0x86, 0xdd]);
    assert_eq!(over_ipv4.count(), 0, "not a frame is any other than IPv6");
}
