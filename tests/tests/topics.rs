//! Broadcast topics: posts that a node carries which does not read them, to one who never runs with their author.

use qpq_tests::{Person, befriend};
use serde_json::Value;

#[test]
fn a_post_reaches_who_has_the_link_by_a_node_that_has_it_not() {
    let [mut alice, mut bob, mut carol, dave] = ["alice", "bob", "carol", "dave"].map(Person::new);
    for (one, other) in [(&alice, &bob), (&bob, &carol), (&bob, &dave)] {
        befriend(one, other);
    }
    let made = alice.ok(&["mesh", "subscribe", "news"]);
    assert_eq!((&made["schema"], &made["created"]), (&"qpq.topic/1".into(), &true.into()));
    let link = made["link"].as_str().unwrap().to_owned();
    let followed = carol.ok(&["mesh", "subscribe", &link.to_lowercase()]);
    assert_eq!((&followed["name"], &followed["created"]), (&"news".into(), &false.into()));
    follow_another(&dave, &link);
    assert!(carol.terminate().success());

    alice.ok(&["mesh", "broadcast", "news", "the", "well", "is", "repaired"]);
    bob.until("bob carries the post", || carries_post(&bob).then_some(()));
    alice.kill9();
    // What it has taken it keeps, and cannot read.
    bob.kill9();
    bob.run_again();
    assert_eq!(bob.ok(&["mesh", "topics"])["topics"], Value::Array(Vec::new()));

    carol.run_again();
    let post = carol.until("carol reads the post", || posts(&carol).pop());
    assert_eq!((&post["text"], &post["claimed_name"]), (&"the well is repaired".into(), &"alice".into()));
    assert_eq!(post["author_name"], "", "carol and alice are no contacts");
    dave.until("dave carries the post", || carries_post(&dave).then_some(()));
    assert_eq!(posts(&dave).len(), 0, "another key opens nothing");
    // Carol reads and posts, and what she says comes back the same way.
    carol.ok(&["mesh", "broadcast", "news", "thank you"]);
    bob.until("bob carries both", || (topic_bundles(&bob) == 2).then_some(()));
    assert!(carol.terminate().success());
    alice.run_again();
    alice.until("alice reads the answer", || (posts(&alice).len() == 2).then_some(()));
}

/// A link with a mistyped character is refused; another topic of the same name is another topic.
fn follow_another(dave: &Person, link: &str) {
    let last = if link.ends_with('A') { "B" } else { "A" };
    let mistyped = format!("{}{last}", &link[..link.len() - 1]);
    let refused = dave.qpq(&["mesh", "subscribe", &mistyped]);
    assert_eq!(refused.status, 2, "{refused:?}");
    let as_contact = dave.qpq(&["contact", "add", link]);
    assert!(as_contact.stderr.contains("qpq mesh subscribe LINK"), "{as_contact:?}");
    let own = dave.ok(&["mesh", "subscribe", "news"]);
    assert_ne!(own["link"], link);
}

fn posts(person: &Person) -> Vec<Value> {
    person.ok_lines(&["mesh", "posts", "news"])
}

fn carries_post(person: &Person) -> bool {
    topic_bundles(person) > 0
}

fn topic_bundles(person: &Person) -> usize {
    let listed = person.ok_lines(&["mesh", "store", "--bundles"]);
    listed.iter().filter(|bundle| bundle["class"] == "topic").count()
}
