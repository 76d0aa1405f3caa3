//! The HTTP endpoint of metrics and health.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use qpq_tests::{LightPerson, Node, Options, RelayAddress, RelayUser, delivery, relay_link};

fn node(listen: &str) -> Node {
    let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let environment = vec![
        set("QPQ_RPC_LISTEN", "127.0.0.1:0"),
        set("QPQ_RELAY_REGISTRATION", "open"),
        set("QPQ_METRICS_LISTEN", listen),
    ];
    Node::start_with("relay", Options { environment, ..Options::default() })
}

fn address(node: &Node) -> SocketAddr {
    let log = node.log();
    let word = log.split_whitespace().rev().find_map(|word| word.strip_prefix("metrics="));
    word.expect("the line of readiness names it").parse().unwrap()
}

/// Status and body of an answer.
fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: here\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

fn value(text: &str, name: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(name)).and_then(|rest| rest.trim().parse().ok())
}

#[test]
fn a_relay_counts_what_it_does_and_names_nobody() {
    let node = node("127.0.0.1:0");
    node.ok(&["role", "relay", "on"]);
    let (relay, metrics) = (RelayAddress::of(&node).unwrap(), address(&node));
    let (alice, bob) = (RelayUser::new(1), RelayUser::new(2));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let sending = alice.arrive(&relay).await.unwrap();
        let _reading = bob.arrive(&relay).await.unwrap();
        for text in ["one", "two"] {
            sending.enqueue(&delivery(bob.identity(), text.into())).await.unwrap();
        }
        let (status, text) = get(metrics, "/metrics");
        assert_eq!(status, 200);
        for (name, expected) in [
            ("qpq_calls_total{method=\"Enqueue\",status=\"Ok\"}", 2.0),
            ("qpq_relay_stored_total", 2.0),
            ("qpq_relay_stored_bytes_total", 6.0),
            ("qpq_relay_sessions", 2.0),
            ("qpq_relay_users", 2.0),
            ("qpq_relay_queued", 2.0),
            ("qpq_relay_queued_bytes", 6.0),
        ] {
            assert_eq!(value(&text, name), Some(expected), "{name} in\n{text}");
        }
        assert!(value(&text, "qpq_connections").unwrap() >= 2.0);
        assert!(value(&text, "qpq_store_syncs_total").unwrap() >= 2.0, "each answer was durable");
        for secret in [alice.identity().to_string(), bob.identity().to_string(), "user1".to_owned()] {
            assert!(!text.contains(&secret));
        }
        assert_eq!(get(metrics, "/health"), (200, "serving\n".to_owned()));
        assert_eq!(get(metrics, "/").0, 404);
    });
}

#[test]
fn what_a_relay_holds_is_known_after_a_crash() {
    let mut node = node("127.0.0.1:0");
    node.ok(&["role", "relay", "on"]);
    let relay = RelayAddress::of(&node).unwrap();
    let (alice, bob) = (RelayUser::new(1), RelayUser::new(2));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let sending = alice.arrive(&relay).await.unwrap();
        bob.arrive(&relay).await.unwrap();
        sending.enqueue(&delivery(bob.identity(), "three".into())).await.unwrap();
    });
    node.kill9();
    node.run_again();
    // The first answer follows the first commit, which hands the totals over.
    node.ok(&["role", "relay", "on"]);
    let (_, text) = get(address(&node), "/metrics");
    for (name, expected) in
        [("qpq_relay_users", 2.0), ("qpq_relay_queued", 1.0), ("qpq_relay_queued_bytes", 5.0)]
    {
        assert_eq!(value(&text, name), Some(expected), "{name} in\n{text}");
    }
}

/// Somebody without a daemon who has an account.
fn light(name: &str, relay: &Node) -> LightPerson {
    let person = LightPerson::new(name, &relay_link(relay));
    let file = person.folder().join("password");
    std::fs::write(&file, "correct horse battery staple").unwrap();
    person.ok(&["register", "--username", name, "--password-file", file.to_str().unwrap()]);
    person
}

#[test]
fn a_message_for_several_at_one_relay_comes_by_one_call() {
    let node = node("127.0.0.1:0");
    node.ok(&["role", "relay", "on"]);
    let (alice, bob, carol) = (light("alice", &node), light("bob", &node), light("carol", &node));
    for other in [&bob, &carol] {
        let link = alice.ok(&["invite"])["link"].as_str().unwrap().to_owned();
        other.ok(&["contact", "add", &link]);
        alice.ok(&["contact", "list"]);
        other.ok(&["contact", "list"]);
    }
    alice.ok(&["group", "create", "village", "@bob", "@carol"]);
    let batches = || {
        let (_, text) = get(address(&node), "/metrics");
        let name = "qpq_calls_total{method=\"BatchEnqueue\",status=\"Ok\"}";
        value(&text, name).unwrap_or_default()
    };
    let before = batches();
    assert_eq!(alice.ok(&["send", "#village", "to all"])["state"], "relayed");
    assert_eq!(batches() - before, 1.0);
    for other in [&bob, &carol] {
        assert_eq!(other.texts("#village"), ["to all"]);
    }
}

#[test]
fn an_address_that_is_taken_is_said_at_the_start() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let options = Options { environment: vec![set("QPQ_METRICS_LISTEN", &listen)], ..Options::default() };
    let refused = Node::new("taken", options).daemon_output(&[]);
    assert_ne!(refused.status, 0);
    assert!(refused.stderr.contains("metrics_listen"), "{}", refused.stderr);
}
