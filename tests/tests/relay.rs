//! A node that serves others: what its users send through it arrives, in order, whatever happens to the node.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use qpq_net::direct::DirectClient;
use qpq_proto::v1::{AckRequest, FetchRequest, FetchWaitRequest};
use qpq_proto::{CallError, Client, Status};
use qpq_tests::{Node, Options, RelayAddress, RelayUser, delivery};
use tokio::runtime::Runtime;

/// A relay at which everybody may register.
fn relay() -> Node {
    let node = Node::start_with("relay", open_relay());
    node.ok(&["role", "relay", "on"]);
    node
}

fn open_relay() -> Options {
    let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let environment = vec![
        set("QPQ_RPC_LISTEN", "127.0.0.1:0"),
        set("QPQ_RELAY_REGISTRATION", "open"),
        set("QPQ_CONNECTIONS_PER_ADDRESS", "4096"),
    ];
    Options { environment, ..Options::default() }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// What waits for whoever is logged in, as texts.
async fn fetch(connection: &Client<DirectClient>) -> Vec<(u64, String)> {
    let envelopes = connection.fetch(&FetchRequest::default()).await.unwrap().envelopes;
    let text = |data: &[u8]| String::from_utf8(data.to_vec()).unwrap();
    envelopes.iter().map(|envelope| (envelope.seq, text(&envelope.data))).collect()
}

fn status(error: &CallError) -> Status {
    error.failure().unwrap_or_else(|| panic!("{error}")).status
}

#[test]
fn what_one_sends_another_finds_and_a_restart_changes_nothing() {
    let mut node = relay();
    let (alice, bob) = (RelayUser::new(1), RelayUser::new(2));
    let token = runtime().block_on(async {
        let relay = RelayAddress::of(&node).unwrap();
        let sending = alice.arrive(&relay).await.unwrap();
        let reading = bob.arrive(&relay).await.unwrap();
        for text in ["one", "two", "three"] {
            sending.enqueue(&delivery(bob.identity(), text.into())).await.unwrap();
        }
        let waiting = FetchWaitRequest { timeout_ms: 60_000, limit: 1, ..FetchWaitRequest::default() };
        assert_eq!(reading.fetch_wait(&waiting).await.unwrap().envelopes.len(), 1);
        reading.ack(&AckRequest { seq_up_to: 1, ..AckRequest::default() }).await.unwrap();
        bob.log_in(&reading).await.unwrap()
    });
    node.kill9();
    node.run_again();
    runtime().block_on(async {
        let relay = RelayAddress::of(&node).unwrap();
        let reading = relay.connect().await.unwrap();
        let refused = reading.fetch(&FetchRequest::default()).await.unwrap_err();
        assert_eq!(status(&refused), Status::Unauthorized);
        bob.resume(&reading, &token).await.unwrap();
        assert_eq!(fetch(&reading).await, [(2, "two".to_owned()), (3, "three".to_owned())]);
    });
}

#[test]
fn whoever_waits_is_told_at_once_and_is_sent_away_when_the_node_stops() {
    let mut node = relay();
    let (alice, bob) = (RelayUser::new(1), RelayUser::new(2));
    let runtime = runtime();
    let relay = RelayAddress::of(&node).unwrap();
    let (sending, reading) =
        runtime.block_on(async { (alice.arrive(&relay).await.unwrap(), bob.arrive(&relay).await.unwrap()) });
    let patient = FetchWaitRequest { timeout_ms: 60_000, ..FetchWaitRequest::default() };
    runtime.block_on(async {
        let hello = delivery(bob.identity(), b"hello".to_vec());
        let (waited, sent) = tokio::join!(reading.fetch_wait(&patient), sending.enqueue(&hello));
        assert_eq!((waited.unwrap().envelopes.len(), sent.unwrap().seq), (1, 1));
        reading.ack(&AckRequest { seq_up_to: 1, ..AckRequest::default() }).await.unwrap();
    });
    let waiting = std::thread::spawn(move || runtime.block_on(reading.fetch_wait(&patient)));
    assert!(node.terminate().success());
    let sent_away = waiting.join().unwrap().unwrap_err();
    assert!(matches!(&sent_away, CallError::Transport { .. }) || status(&sent_away) == Status::Unavailable);
}
