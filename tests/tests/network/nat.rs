//! A node behind a router that translates addresses.

use qpq_tests::lab::{Air, Lab, has_program};
use qpq_tests::{Person, befriend};

use crate::{await_path, path};

const TRANSLATION: &str = "table ip nat {
    chain postrouting {
        type nat hook postrouting priority srcnat;
        oifname eth1 masquerade random
    }
}";

/// What a home router lets in: answers.
const ANSWERS_ONLY: &str = "table ip filter {
    chain forward {
        type filter hook forward priority filter; policy drop;
        iifname eth0 accept
        ct state established,related accept
    }
}";

#[test]
fn from_behind_a_translating_router_messages_flow_both_ways() {
    let test = "nat::from_behind_a_translating_router_messages_flow_both_ways";
    if !has_program(test, "nft") {
        return;
    }
    let Some(lab) = Lab::enter(test) else { return };
    let (lan, wan) = (lab.segment(Air::CLEAR), lab.segment(Air::CLEAR));
    let [at_alice, router, at_carol] = ["alice", "router", "carol"].map(|name| lab.host(name));
    lan.plug(&at_alice, "eth0", "10.0.0.2/24");
    lan.plug(&router, "eth0", "10.0.0.1/24");
    wan.plug(&router, "eth1", "192.0.2.1/24");
    wan.plug(&at_carol, "eth0", "192.0.2.2/24");
    at_alice.ip("route add default via 10.0.0.1");
    router.forwards();
    router.nft(TRANSLATION);
    router.nft(ANSWERS_ONLY);

    let [mut alice, carol] = [&at_alice, &at_carol].map(|host| Person::with(host.name(), host.quiet()));
    // Carol has no way to Alice until Alice makes one: the link holds Carol's address.
    befriend(&carol, &alice);
    alice.deliver("@carol", "from inside");
    carol.deliver("@alice", "from outside");
    assert_eq!(path(&alice, &carol).as_deref(), Some("192.0.2.2:4433"));
    let seen = path(&carol, &alice).expect("they are connected");
    assert!(seen.starts_with("192.0.2.1:"), "Carol sees the router's address, not {seen}");

    // When Alice is back, she makes the connection again, and what waits for her comes in over it.
    assert!(alice.terminate().success());
    await_path(&carol, &alice, false);
    carol.queue("@alice", "while you were away");
    alice.run_again();
    alice.await_text("@carol", "while you were away");
}
