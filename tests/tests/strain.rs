//! A relay under strain: what one of its users suffers, or its disk, the others do not notice.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use qpq_net::direct::DirectClient;
use qpq_proto::ids::Identity;
use qpq_proto::v1::{AckRequest, FetchRequest, FetchWaitRequest};
use qpq_proto::{CallError, Client, Status};
use qpq_tests::lab::Lab;
use qpq_tests::{RelayAddress, RelayUser, delivery, relay_for_all};
use tokio::runtime::Runtime;

type Connection = Client<DirectClient>;

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// A payload of so many bytes that is like no other.
fn payload(number: u64, bytes: usize) -> Vec<u8> {
    let mut payload = vec![0x5a; bytes];
    payload[..8].copy_from_slice(&number.to_be_bytes());
    payload
}

/// Takes everything out of one's mailbox, in order, and gives the numbers of the payloads.
async fn take_all(connection: &Connection) -> Vec<u64> {
    let mut numbers = Vec::new();
    loop {
        let envelopes = connection.fetch(&FetchRequest::default()).await.unwrap().envelopes;
        let Some(last) = envelopes.last() else { return numbers };
        numbers.extend(
            envelopes.iter().map(|envelope| u64::from_be_bytes(*envelope.data.first_chunk().unwrap())),
        );
        let up_to = AckRequest { seq_up_to: last.seq, ..AckRequest::default() };
        assert_eq!(connection.ack(&up_to).await.unwrap().removed, envelopes.len() as u64);
    }
}

/// Sends payloads to one person after the other until one is refused. Returns how many each was sent, and how the last
/// one was refused.
async fn fill(sender: &Connection, to: &[Identity], bytes: usize) -> (Vec<Vec<u64>>, CallError) {
    let mut sent = vec![Vec::new(); to.len()];
    for number in 0.. {
        let turn = usize::try_from(number).unwrap() % to.len();
        match sender.enqueue(&delivery(to[turn], payload(number, bytes))).await {
            Ok(_) => sent[turn].push(number),
            Err(error) => return (sent, error),
        }
    }
    unreachable!("numbers do not end")
}

/// The disk is 176 MiB large, of which the journal takes 32, and 128 stay free.
#[test]
fn a_full_disk_refuses_more_and_has_room_again_by_itself() {
    const PEOPLE: u32 = 4;
    let Some(_lab) = Lab::enter("a_full_disk_refuses_more_and_has_room_again_by_itself") else { return };
    for command in ["ip link set lo up", "mount -t tmpfs -o size=176m tmpfs"] {
        let mut words = command.split(' ');
        let mut command = Command::new(words.next().unwrap());
        let is_mount = command.get_program() == "mount";
        command.args(words).args(is_mount.then(std::env::temp_dir));
        assert!(command.status().unwrap().success(), "{command:?}");
    }
    let mut node = relay_for_all("relay");
    let people: Vec<_> = (1..=PEOPLE).map(RelayUser::new).collect();
    let mailboxes: Vec<_> = people.iter().map(RelayUser::identity).collect();
    let sent = runtime().block_on(async {
        let relay = RelayAddress::of(&node).unwrap();
        let sender = RelayUser::new(0).arrive(&relay).await.unwrap();
        for person in &people {
            person.arrive(&relay).await.unwrap();
        }
        let (sent, refusal) = fill(&sender, &mailboxes, 60_000).await;
        let failure = refusal.failure().unwrap();
        assert_eq!(
            (failure.status, &*failure.message),
            (Status::Unavailable, "the disk of this relay is full")
        );
        assert!(sent[0].len() > 20, "{} were taken", sent[0].len());
        sent
    });
    node.kill9();
    node.run_again();
    runtime().block_on(async {
        let relay = RelayAddress::of(&node).unwrap();
        for (person, sent) in people.iter().zip(&sent) {
            let connection = relay.connect().await.unwrap();
            person.log_in(&connection).await.unwrap();
            assert_eq!(&take_all(&connection).await, sent);
        }
        let sender = relay.connect().await.unwrap();
        RelayUser::new(0).log_in(&sender).await.unwrap();
        let again = delivery(mailboxes[0], payload(u64::MAX, 60_000));
        tokio::time::timeout(Duration::from_secs(60), async {
            while let Err(error) = sender.enqueue(&again).await {
                assert_eq!(error.failure().unwrap().status, Status::Unavailable, "{error}");
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap();
    });
}

/// One person takes no events and no answers, with thousands of deliveries for it on their way.
#[test]
fn who_takes_nothing_is_in_nobodys_way() {
    const DELIVERIES: u64 = 3_000;
    let node = relay_for_all("relay");
    let (stuck, bob) = (RelayUser::new(1), RelayUser::new(2));
    runtime().block_on(async {
        let relay = RelayAddress::of(&node).unwrap();
        let sender = Arc::new(RelayUser::new(0).arrive(&relay).await.unwrap());
        let idle = stuck.arrive(&relay).await.unwrap();
        // Their stream is open from now on, and nothing is ever read from it.
        let events = idle.transport().events().unwrap();
        let reading = bob.arrive(&relay).await.unwrap();
        let flood = tokio::spawn({
            let (sender, to) = (Arc::clone(&sender), stuck.identity());
            async move {
                for number in 0..DELIVERIES {
                    sender.enqueue(&delivery(to, payload(number, 1_024))).await.unwrap();
                }
            }
        });
        let mut arrived = 0;
        while !flood.is_finished() {
            let request = FetchWaitRequest { timeout_ms: 60_000, ..FetchWaitRequest::default() };
            let hello = delivery(bob.identity(), payload(arrived, 100));
            let (waited, sent) = tokio::join!(reading.fetch_wait(&request), sender.enqueue(&hello));
            let seq_up_to = sent.unwrap().seq;
            assert_eq!(waited.unwrap().envelopes.len(), 1);
            reading.ack(&AckRequest { seq_up_to, ..AckRequest::default() }).await.unwrap();
            arrived += 1;
        }
        flood.await.unwrap();
        assert!(arrived > 10, "{arrived} came through meanwhile");
        drop(events);
        assert_eq!(take_all(&idle).await, (0..DELIVERIES).collect::<Vec<_>>());
    });
}
