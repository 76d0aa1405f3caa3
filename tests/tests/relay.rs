//! A node that serves others: what its users send through it arrives, in order, whatever happens to the node.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chacha20::ChaCha20Rng;
use qpq_net::direct::DirectClient;
use qpq_proto::v1::{AckRequest, FetchRequest, FetchWaitRequest};
use qpq_proto::{CallError, Client, Status};
use qpq_tests::{Node, Options, RelayAddress, RelayUser, delivery};
use rand_core::{Rng, SeedableRng};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

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

/// How often the relay is killed; `QPQ_RELAY_CUTS` takes another number.
const CUTS: u32 = 25;
/// The longest time between the start of a burst and the cut.
const LATEST_CUT: Duration = Duration::from_millis(120);
/// Who sends at the same time.
const SENDERS: usize = 4;

/// What senders and the reader know.
#[derive(Default)]
struct Known {
    /// Deliveries that the relay promised to keep, with their sequences.
    promised: BTreeMap<u64, String>,
    /// What was read, by sequence.
    read: BTreeMap<u64, String>,
    /// Up to where an acknowledgement was answered.
    acknowledged: u64,
}

#[test]
fn power_cuts_lose_nothing_that_was_promised_and_repeat_nothing() {
    let cuts = std::env::var("QPQ_RELAY_CUTS").map_or(CUTS, |cuts| cuts.parse().unwrap());
    let mut random = ChaCha20Rng::seed_from_u64(7);
    let mut node = relay();
    let users: Vec<_> = (0..=SENDERS).map(|number| RelayUser::new(u32::try_from(number).unwrap())).collect();
    let runtime = runtime();
    runtime.block_on(async {
        let relay = RelayAddress::of(&node).unwrap();
        for user in &users {
            user.arrive(&relay).await.unwrap();
        }
    });
    let mut known = Known::default();
    for cut in 0..cuts {
        let after = LATEST_CUT * (random.next_u32() % 1_000) / 1_000;
        runtime.block_on(burst(&node, &users, cut, after, &mut known));
        node.kill9();
        node.run_again();
    }
    runtime.block_on(async {
        let relay = RelayAddress::of(&node).unwrap();
        let reading = relay.connect().await.unwrap();
        users[0].log_in(&reading).await.unwrap();
        known.read(&reading, 0).await;
    });
    known.check();
    eprintln!("{} promised, {} read, {cuts} cuts", known.promised.len(), known.read.len());
}

/// Everybody sends and the reader reads, until the relay is gone.
async fn burst(node: &Node, users: &[RelayUser], cut: u32, after: Duration, known: &mut Known) {
    let relay = RelayAddress::of(node).unwrap();
    let reading = relay.connect().await.unwrap();
    users[0].log_in(&reading).await.unwrap();
    let to = users[0].identity();
    let promised = Arc::new(Mutex::new(Vec::new()));
    let mut senders = JoinSet::new();
    for (sender, user) in users[1..].iter().enumerate() {
        let connection = relay.connect().await.unwrap();
        user.log_in(&connection).await.unwrap();
        let promised = Arc::clone(&promised);
        senders.spawn(async move {
            for number in 0.. {
                let text = format!("{cut} {sender} {number}");
                let sent = connection.enqueue(&delivery(to, text.clone().into())).await;
                promised.lock().unwrap().push((sent.unwrap().seq, text));
            }
        });
    }
    let strike = async {
        // What is chosen is the moment of the cut, not a time to wait for something.
        tokio::time::sleep(after).await;
        node.strike();
    };
    tokio::select! {
        () = strike => {}
        () = known.read(&reading, 60_000) => panic!("nothing came"),
    }
    // Nobody waits for a relay that is gone.
    senders.shutdown().await;
    for (seq, text) in promised.lock().unwrap().drain(..) {
        let other = known.promised.insert(seq, text);
        assert_eq!(other, None, "sequence {seq} was promised twice");
    }
}

impl Known {
    /// Reads and acknowledges, until there is nothing for so long, or the relay is gone.
    async fn read(&mut self, reading: &Client<DirectClient>, timeout_ms: u32) {
        let request = FetchWaitRequest { timeout_ms, limit: 8, ..FetchWaitRequest::default() };
        loop {
            let Ok(found) = reading.fetch_wait(&request).await else { return };
            let Some(last) = found.envelopes.last().map(|envelope| envelope.seq) else { return };
            for envelope in &found.envelopes {
                assert!(envelope.seq > self.acknowledged, "{} was acknowledged", envelope.seq);
                let text = String::from_utf8(envelope.data.to_vec()).unwrap();
                if let Some(before) = self.read.insert(envelope.seq, text.clone()) {
                    assert_eq!(before, text, "{} was something else before", envelope.seq);
                }
            }
            let Ok(_) = reading.ack(&AckRequest { seq_up_to: last, ..AckRequest::default() }).await else {
                return;
            };
            self.acknowledged = last;
        }
    }

    /// Everything that was promised was read, under its sequence, and nothing twice.
    fn check(&self) {
        for (seq, text) in &self.promised {
            assert_eq!(self.read.get(seq), Some(text), "{seq} was promised");
        }
        let texts: BTreeSet<_> = self.read.values().collect();
        assert_eq!(texts.len(), self.read.len(), "nothing is read under two sequences");
        let sequences: Vec<_> = self.read.keys().copied().collect();
        assert_eq!(sequences, (1..=self.read.len() as u64).collect::<Vec<_>>(), "no sequence is left out");
        // Each sender's in the order in which they were sent.
        let mut newest: BTreeMap<(u32, u32), u32> = BTreeMap::new();
        for text in self.read.values() {
            let numbers: Vec<u32> = text.split(' ').map(|number| number.parse().unwrap()).collect();
            let before = newest.insert((numbers[0], numbers[1]), numbers[2]);
            assert!(before.is_none_or(|before| before < numbers[2]), "{text} after {before:?}");
        }
    }
}
