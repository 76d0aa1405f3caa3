//! One mailbox with very much in it, and what others notice of that.

mod figures;
mod talk;

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use qpq_proto::ids::Identity;
use qpq_proto::v1::{AckRequest, FetchRequest};
use qpq_proto::{CallError, Status};
use qpq_tests::delivery;
use tokio::task::JoinSet;

use self::figures::{QueuedFigures, Stretch};
use self::talk::Talk;
use crate::arguments::Arguments;
use crate::phases::{Connection, arrivals, micros, payload};
use crate::relay::LoadedRelay;

/// Fills a mailbox and empties it, while sixteen others talk.
pub(crate) async fn measure(arguments: &Arguments, relay: &LoadedRelay) -> anyhow::Result<QueuedFigures> {
    let mut figures = QueuedFigures::default();
    let owner = arrivals(relay, 0, 1).await?.pop().context("one arrives")?;
    let senders = arrivals(relay, 1, arguments.clients).await?;
    let mut talk = Talk::new(arrivals(relay, 1 + arguments.clients, TALKERS).await?);
    talk.go_on_for(ROUNDS_ALONE).await?;
    figures.before = talk.times();
    figures.resident_before = resident_mib(relay)?;

    let start = Instant::now();
    let tenth = arguments.queued / 10;
    for stretch in [0..tenth, tenth..9 * tenth, 9 * tenth..arguments.queued] {
        let before = relay.usage()?;
        let filling = fill(stretch, arguments.bytes, owner.0, &senders);
        let (stored, refusal) = talk.go_on_during(filling).await?;
        figures.queued += stored;
        let messages = stored + talk.messages();
        figures.stretches.push(Stretch::new(messages, before, relay.usage()?));
        figures.filling.add(talk.times());
        if refusal.is_some() {
            figures.refusal = refusal;
            break;
        }
    }
    figures.fill_s = start.elapsed().as_secs_f64();
    figures.resident_full = resident_mib(relay)?;

    talk.go_on_for(ROUNDS_ALONE).await?;
    figures.full = talk.times();
    figures.fetch_front_us = fetch_front(&owner.1).await?;

    let start = Instant::now();
    let emptied = talk.go_on_during(empty(Arc::clone(&owner.1))).await?;
    ensure!(emptied == figures.queued, "{emptied} came out of {}", figures.queued);
    figures.empty_s = start.elapsed().as_secs_f64();
    figures.emptying = talk.times();
    talk.go_on_for(ROUNDS_ALONE).await?;
    figures.after = talk.times();
    figures.resident_after = resident_mib(relay)?;
    Ok(figures)
}

/// Puts deliveries of these numbers into one mailbox, until all are in it or one is refused. Returns how many were taken,
/// and how one was refused.
fn fill(
    numbers: Range<usize>,
    bytes: usize,
    to: Identity,
    senders: &[(Identity, Connection)],
) -> impl Future<Output = anyhow::Result<(usize, Option<String>)>> + Send + 'static {
    let end = numbers.end;
    let (next, stored) = (Arc::new(AtomicUsize::new(numbers.start)), Arc::new(AtomicUsize::new(0)));
    let mut tasks = JoinSet::new();
    for (_, connection) in senders {
        let (connection, next, stored) = (Arc::clone(connection), Arc::clone(&next), Arc::clone(&stored));
        tasks.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= end {
                    return anyhow::Ok(None);
                }
                match connection.enqueue(&delivery(to, payload(number, bytes))).await {
                    Ok(_) => stored.fetch_add(1, Ordering::Relaxed),
                    Err(refused) => return Ok(Some(refusal(&refused)?)),
                };
            }
        });
    }
    async move {
        let mut refusal = None;
        while let Some(done) = tasks.join_next().await {
            refusal = done??.or(refusal);
        }
        Ok((stored.load(Ordering::Relaxed), refusal))
    }
}

/// How it was said that the mailbox is full.
fn refusal(error: &CallError) -> anyhow::Result<String> {
    match error.failure() {
        Some(failure) if failure.status == Status::QuotaExceeded => Ok(error.to_string()),
        _ => bail!("a delivery was not taken: {error}"),
    }
}

/// The time of a fetch of what lies first, microseconds: the longest of several.
async fn fetch_front(owner: &Connection) -> anyhow::Result<u64> {
    let mut longest_us = 0;
    for _ in 0..FETCHES {
        let called = Instant::now();
        let found = owner.fetch(&FetchRequest { limit: FETCHED_AT_FRONT, ..FetchRequest::default() }).await?;
        longest_us = longest_us.max(micros(called));
        ensure!(!found.envelopes.is_empty(), "nothing lies in front");
    }
    Ok(longest_us)
}

/// Fetches and acknowledges everything, in order. Returns how many there were.
async fn empty(owner: Connection) -> anyhow::Result<usize> {
    let (mut count, mut before) = (0, 0);
    loop {
        let request = FetchRequest { limit: FETCHED_AT_ONCE, ..FetchRequest::default() };
        let envelopes = owner.fetch(&request).await?.envelopes;
        let Some(last) = envelopes.last() else { return Ok(count) };
        ensure!(envelopes.iter().map(|envelope| envelope.seq).eq(before + 1..=last.seq), "in order");
        before = last.seq;
        owner.ack(&AckRequest { seq_up_to: last.seq, ..AckRequest::default() }).await?;
        count += envelopes.len();
    }
}

fn resident_mib(relay: &LoadedRelay) -> anyhow::Result<Option<u64>> {
    Ok(relay.usage()?.map(|usage| usage.resident_bytes / 1_048_576))
}

/// Others who talk with each other.
const TALKERS: usize = 16;
/// Messages of each two when nothing else is measured.
const ROUNDS_ALONE: usize = 300;
const FETCHES: usize = 50;
const FETCHED_AT_FRONT: u32 = 64;
const FETCHED_AT_ONCE: u32 = 1_024;
