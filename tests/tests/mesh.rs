//! What an owner does with the mesh: files of bundles, neighbours, roles and pairs, and a drawing of it all.

use qpq_tests::{Person, befriend};
use serde_json::Value;

/// The one bundle of bob's that he carries for alice, in a file.
fn export(carrier: &Person, file: &str) -> Value {
    carrier.until("it carries something", || {
        let store = carrier.ok(&["mesh", "store"]);
        (store["bundles"].as_u64() > Some(0)).then_some(())
    });
    carrier.ok(&["mesh", "export", file])
}

#[test]
fn a_message_goes_by_stick() {
    let (mut alice, bob, mut carol) = (Person::new("alice"), Person::new("bob"), Person::new("carol"));
    befriend(&alice, &bob);
    befriend(&alice, &carol);
    assert!(carol.terminate().success());
    alice.queue("@carol", "by stick");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("bundles");
    let file = file.to_str().unwrap();
    assert_eq!(export(&bob, file)["bundles"], 1);
    bob.qpq(&["mesh", "export", file]).expect_status(1);
    alice.kill9();

    carol.run_again();
    assert_eq!(carol.ok(&["mesh", "import", file])["taken"], 1);
    carol.await_text("@alice", "by stick");
    assert_eq!(carol.ok(&["mesh", "import", file])["taken"], 0);
    let bytes = std::fs::read(file).unwrap();
    std::fs::write(file, &bytes[..bytes.len() / 2]).unwrap();
    let cut = carol.qpq(&["mesh", "import", file]).expect_status(1);
    assert!(cut.stderr.contains("cut off"), "{cut:?}");
    assert_eq!(carol.texts("@alice").len(), 1);
}

#[test]
fn a_carrier_is_seen_as_one_and_pairs() {
    let [alice, mut bob] = ["alice", "bob"].map(Person::new);
    befriend(&alice, &bob);
    assert_eq!(bob.ok(&["role", "carrier", "on"])["roles"][0], "carrier");
    let neighbour = |of: &Person| of.ok(&["mesh", "peers"])["neighbours"][0].clone();
    alice.until("bob is a carrier", || (neighbour(&alice)["kind"] == "carrier").then_some(()));
    assert_eq!(neighbour(&alice)["standing"], "contact");
    alice.ok(&["mesh", "pair", bob.node_key()]);
    assert_eq!(neighbour(&alice)["standing"], "paired");
    bob.kill9();
    bob.run_again();
    assert_eq!(bob.ok(&["role"])["roles"][0], "carrier", "it is one for good");
    alice.until("bob is back", || (neighbour(&alice)["kind"] == "carrier").then_some(()));
    assert_eq!(alice.ok(&["mesh", "route", "@bob"])["routes"][0]["way"], "direct");
    let map = alice.qpq(&["mesh", "map", "--svg", "-"]).stdout;
    assert!(map.contains("<svg") && map.contains(">bob</text>"), "{map}");
    alice.ok(&["mesh", "unpair", bob.node_key()]);
    assert_eq!(neighbour(&alice)["standing"], "contact");
    alice.qpq(&["mesh", "unpair", bob.node_key()]).expect_status(1);
    alice.qpq(&["role", "federation", "on"]).expect_status(2);
}
