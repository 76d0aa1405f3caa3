//! What is done to the relay.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, ensure};
use qpq_net::direct::DirectClient;
use qpq_proto::Client;
use qpq_proto::ids::Identity;
use qpq_proto::v1::{AckRequest, FetchRequest, FetchWaitRequest};
use qpq_tests::{RelayUser, delivery};
use tokio::task::JoinSet;

use crate::arguments::Arguments;
use crate::figures::{Figures, percentile};
use crate::relay::LoadedRelay;

pub(crate) type Connection = Arc<Client<DirectClient>>;

/// Does everything, one after the other.
pub(crate) async fn measure(arguments: &Arguments, relay: &LoadedRelay) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    let owners = arrivals(relay, 0, arguments.mailboxes).await?;
    let senders = arrivals(relay, arguments.mailboxes, arguments.clients).await?;
    enqueue(arguments, relay, &owners, &senders, &mut figures).await?;
    fetch(arguments, &owners, &mut figures).await?;
    online(arguments, &owners, &senders, &mut figures).await?;
    idle(arguments, relay, &mut figures).await?;
    Ok(figures)
}

/// So many users, registered and logged in.
pub(crate) async fn arrivals(
    relay: &LoadedRelay,
    first: usize,
    count: usize,
) -> anyhow::Result<Vec<(Identity, Connection)>> {
    let mut users = Vec::with_capacity(count);
    for number in first..first + count {
        let user = RelayUser::new(u32::try_from(number)?);
        let connection = user.arrive(&relay.address).await.with_context(|| format!("user {number}"))?;
        users.push((user.identity(), Arc::new(connection)));
    }
    Ok(users)
}

/// Clients that put deliveries into mailboxes, each with one call under way.
async fn enqueue(
    arguments: &Arguments,
    relay: &LoadedRelay,
    owners: &[(Identity, Connection)],
    senders: &[(Identity, Connection)],
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let mailboxes: Arc<Vec<Identity>> = Arc::new(owners.iter().map(|(identity, _)| *identity).collect());
    let next = Arc::new(AtomicUsize::new(0));
    let before = relay.usage()?;
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for (_, connection) in senders {
        let (connection, mailboxes, next) =
            (Arc::clone(connection), Arc::clone(&mailboxes), Arc::clone(&next));
        let (messages, bytes) = (arguments.messages, arguments.bytes);
        tasks.spawn(async move {
            let mut times_us = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= messages {
                    return anyhow::Ok(times_us);
                }
                let request = delivery(mailboxes[number % mailboxes.len()], payload(number, bytes));
                let called = Instant::now();
                let answer = connection.enqueue(&request).await?;
                ensure!(
                    !answer.duplicate && answer.delivery_proof.is_some(),
                    "delivery {number} is not proved"
                );
                times_us.push(micros(called));
            }
        });
    }
    let mut times_us = Vec::with_capacity(arguments.messages);
    while let Some(done) = tasks.join_next().await {
        times_us.extend(done??);
    }
    let took = start.elapsed();
    figures.enqueue_per_s = arguments.messages as f64 / took.as_secs_f64();
    figures.enqueue_p50_us = percentile(&mut times_us, 0.5);
    figures.enqueue_p99_us = percentile(&mut times_us, 0.99);
    if let (Some(before), Some(after)) = (before, relay.usage()?) {
        let written = after.written_bytes.saturating_sub(before.written_bytes);
        figures.written_bytes_per_message = Some(written / arguments.messages.max(1) as u64);
        let syncs = after.syncs.saturating_sub(before.syncs);
        figures.fsync_per_s = Some(syncs as f64 / took.as_secs_f64());
    }
    Ok(())
}

/// The owners fetch and acknowledge everything.
async fn fetch(
    arguments: &Arguments,
    owners: &[(Identity, Connection)],
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for (_, connection) in owners {
        let connection = Arc::clone(connection);
        tasks.spawn(async move {
            let mut count = 0;
            loop {
                let request = FetchRequest { limit: FETCHED_AT_ONCE, ..FetchRequest::default() };
                let envelopes = connection.fetch(&request).await?.envelopes;
                let Some(last) = envelopes.last() else { return anyhow::Ok(count) };
                let request = AckRequest { seq_up_to: last.seq, ..AckRequest::default() };
                let removed = connection.ack(&request).await?.removed;
                ensure!(removed == envelopes.len() as u64, "{removed} removed of {}", envelopes.len());
                count += envelopes.len();
            }
        });
    }
    let mut fetched = 0;
    while let Some(done) = tasks.join_next().await {
        fetched += done??;
    }
    ensure!(fetched == arguments.messages, "{fetched} of {} deliveries came out", arguments.messages);
    figures.fetch_ack_per_s = fetched as f64 / start.elapsed().as_secs_f64();
    Ok(())
}

/// One sends to one who waits.
async fn online(
    arguments: &Arguments,
    owners: &[(Identity, Connection)],
    senders: &[(Identity, Connection)],
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let (Some((to, waiting)), Some((_, sending))) = (owners.first(), senders.first()) else { return Ok(()) };
    let mut times_us = Vec::with_capacity(arguments.online);
    for number in 0..arguments.online {
        let wait = tokio::spawn({
            let waiting = Arc::clone(waiting);
            async move {
                let request = FetchWaitRequest { timeout_ms: 10_000, ..FetchWaitRequest::default() };
                let answer = waiting.fetch_wait(&request).await?;
                anyhow::Ok((Instant::now(), answer.envelopes))
            }
        });
        let request = delivery(*to, payload(arguments.messages + number, arguments.bytes));
        let called = Instant::now();
        let (sent, waited) = tokio::join!(sending.enqueue(&request), wait);
        sent?;
        let (arrived, envelopes) = waited??;
        let seq_up_to = envelopes.last().context("nothing came")?.seq;
        times_us.push(u64::try_from(arrived.duration_since(called).as_micros())?);
        waiting.ack(&AckRequest { seq_up_to, ..AckRequest::default() }).await?;
    }
    figures.online_p50_us = percentile(&mut times_us, 0.5);
    figures.online_p99_us = percentile(&mut times_us, 0.99);
    Ok(())
}

/// Connections on which nothing happens after the login. Everybody registers before, one after the other: what is kept of
/// an account is none of its connection's.
async fn idle(arguments: &Arguments, relay: &LoadedRelay, figures: &mut Figures) -> anyhow::Result<()> {
    let first = arguments.mailboxes + arguments.clients;
    let mut users = Vec::with_capacity(arguments.idle);
    for number in first..first + arguments.idle {
        let user = RelayUser::new(u32::try_from(number)?);
        user.register(&relay.address.connect().await?).await.with_context(|| format!("user {number}"))?;
        users.push(user);
    }
    let Some(before) = relay.usage()? else { return Ok(()) };
    let mut connections = Vec::with_capacity(users.len());
    for user in &users {
        let connection = relay.address.connect().await?;
        user.log_in(&connection).await?;
        connections.push(connection);
    }
    if let (Some(after), Some(count)) = (relay.usage()?, std::num::NonZeroU64::new(connections.len() as u64))
    {
        let grown = after.resident_bytes.saturating_sub(before.resident_bytes);
        figures.bytes_per_idle_connection = Some(grown / count);
    }
    Ok(())
}

/// A payload like no other.
pub(crate) fn payload(number: usize, bytes: usize) -> Vec<u8> {
    let mut payload = vec![0; bytes];
    payload[..8].copy_from_slice(&(number as u64).to_be_bytes());
    payload
}

pub(crate) fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

const FETCHED_AT_ONCE: u32 = 64;
