//! Sending and delivering, and what it costs in memory.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use qpq_net::socket::SocketClient;
use qpq_proto::{Client, v1};
use qpq_tests::{Person, befriend};
use tokio::runtime::Runtime;
use tokio::task::{JoinSet, LocalSet};

use crate::Effort;
use crate::figures::{Figures, percentile};
use crate::nodes::{connect, resident_bytes, until_peer};

/// Messages under way at one time when the rate is measured.
const IN_FLIGHT: usize = 32;
/// Length of the texts.
const TEXT_BYTES: usize = 1_024;
/// Round trips before the first that counts.
const WARM_UP: usize = 20;

/// Round trips, the rate, and memory with many contacts and messages.
pub(crate) fn measure(effort: Effort, runtime: &Runtime, figures: &mut Figures) -> anyhow::Result<()> {
    let (mut alice, bob) = (Person::new("alice"), Person::new("bob"));
    befriend(&alice, &bob);
    let client = Arc::new(runtime.block_on(connect(&alice))?);

    runtime.block_on(round_trips(&client, WARM_UP))?;
    let times = runtime.block_on(round_trips(&client, effort.round_trips))?;
    figures.time("delivered_p50", "1 KiB sent to delivered, p50", percentile(&times, 50));
    figures.time("delivered_p99", "1 KiB sent to delivered, p99", percentile(&times, 99));

    let time = runtime.block_on(many(&client, effort.messages))?;
    figures.rate("delivered", "1 KiB delivered, many at a time", effort.messages, time);

    for number in 0..effort.contacts.saturating_sub(1) {
        befriend(&alice, &Person::new(&format!("guest{number}")));
    }
    figures.bytes("memory_loaded", "memory, with all contacts and messages, sender", resident_bytes(&alice)?);
    figures.bytes("memory_loaded_recipient", "memory, with all messages, recipient", resident_bytes(&bob)?);
    drop(client);
    alice.terminate();
    alice.run_again();
    runtime.block_on(until_peer(&alice, &bob, |peer| peer.path == "direct"))?;
    figures.bytes("memory_restarted", "the same after a restart, sender", resident_bytes(&alice)?);
    let database = std::fs::metadata(alice.data_dir().join("node.redb"))?.len();
    figures.bytes("database", "database of the sender", database);
    Ok(())
}

/// Sends one message after the other, and waits for each to be delivered.
async fn round_trips(client: &Client<SocketClient>, count: usize) -> anyhow::Result<Vec<Duration>> {
    let mut times = Vec::with_capacity(count);
    for number in 0..count {
        let started = Instant::now();
        deliver(client, number).await?;
        times.push(started.elapsed());
    }
    Ok(times)
}

/// Sends many at a time, and waits until all are delivered.
async fn many(client: &Arc<Client<SocketClient>>, count: usize) -> anyhow::Result<Duration> {
    let started = Instant::now();
    let senders = LocalSet::new();
    senders
        .run_until(async {
            let mut tasks = JoinSet::new();
            for sender in 0..IN_FLIGHT {
                let client = Arc::clone(client);
                tasks.spawn_local(async move {
                    for number in (sender..count).step_by(IN_FLIGHT) {
                        deliver(&client, number).await?;
                    }
                    anyhow::Ok(())
                });
            }
            while let Some(ended) = tasks.join_next().await {
                ended??;
            }
            anyhow::Ok(started.elapsed())
        })
        .await
}

async fn deliver(client: &Client<SocketClient>, number: usize) -> anyhow::Result<()> {
    let text = format!("{number:0>TEXT_BYTES$}");
    let request = v1::SendMessageRequest { to: "@bob".to_owned(), text, ..Default::default() };
    let sent =
        client.send_message(&request).await?.message.context("the daemon's answer lacks the message")?;
    let wait = v1::WaitMessageRequest { id: sent.id, state: "delivered".to_owned(), timeout_ms: 60_000 };
    ensure!(client.wait_message(&wait).await?.reached, "message {number} was not delivered within a minute");
    Ok(())
}
