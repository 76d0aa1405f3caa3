//! Safety numbers: the same on both sides, and a mismatch stops the sending.

use qpq_tests::{Person, befriend};

#[test]
fn both_see_one_number_and_record_the_outcome() {
    let (alice, bob) = (Person::new("alice"), Person::new("bob"));
    befriend(&alice, &bob);
    let seen = alice.ok(&["contact", "verify", "@bob"]);
    let number = seen["safety_number"].as_str().unwrap();
    assert_eq!(bob.ok(&["contact", "verify", "@alice"])["safety_number"], number);
    assert_eq!(number.chars().filter(char::is_ascii_digit).count(), 60);
    assert_eq!(seen["verification"], "unverified");

    let read_out = format!("  {}  ", number.replace(' ', "  "));
    assert_eq!(alice.ok(&["contact", "verify", "@bob", "--number", &read_out])["verification"], "verified");
    assert_eq!(bob.ok(&["contact", "verify", "@alice", "--match"])["verification"], "verified");
}

#[test]
fn a_mismatch_stops_the_sending() {
    let (alice, bob) = (Person::new("alice"), Person::new("bob"));
    befriend(&alice, &bob);
    let wrong = "1".repeat(60);
    alice.qpq(&["contact", "verify", "@bob", "--number", &wrong]).expect_status(4);
    alice.qpq(&["send", "@bob", "secret"]).expect_status(4);

    alice.ok(&["contact", "verify", "@bob", "--match"]);
    alice.deliver("@bob", "it was a typing error");
    assert_eq!(bob.texts("@alice"), ["it was a typing error"]);
}

#[test]
fn numbers_differ_between_pairs() {
    let (alice, bob, carol) = (Person::new("alice"), Person::new("bob"), Person::new("carol"));
    befriend(&alice, &bob);
    befriend(&alice, &carol);
    let number = |name: &str| alice.ok(&["contact", "verify", name])["safety_number"].clone();
    assert_ne!(number("@bob"), number("@carol"));
}
