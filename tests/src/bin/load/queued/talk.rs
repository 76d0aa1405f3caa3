//! Those who talk with each other, two and two.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::Context;
use qpq_proto::ids::Identity;
use qpq_proto::v1::{AckRequest, FetchWaitRequest};
use qpq_tests::delivery;
use tokio::task::JoinSet;

use super::figures::Times;
use crate::phases::{Connection, payload};

/// People who talk, and how long their messages took since somebody asked.
pub(super) struct Talk {
    pairs: Vec<Pair>,
    times_us: Vec<u64>,
}

/// One who sends, and one who waits for it.
struct Pair {
    sending: Connection,
    to: Identity,
    waiting: Connection,
    /// Messages so far; begins where no other's are.
    number: usize,
}

impl Talk {
    pub(super) fn new(people: Vec<(Identity, Connection)>) -> Self {
        let mut people = people.into_iter();
        let mut pairs = Vec::new();
        while let (Some((_, sending)), Some((to, waiting))) = (people.next(), people.next()) {
            let number = (pairs.len() + 1) << 32;
            pairs.push(Pair { sending, to, waiting, number });
        }
        Self { pairs, times_us: Vec::new() }
    }

    /// Each two exchange so many messages.
    pub(super) async fn go_on_for(&mut self, messages: usize) -> anyhow::Result<()> {
        self.go_on(move |done| done < messages).await
    }

    /// They go on while something is done.
    pub(super) async fn go_on_during<T: Send + 'static>(
        &mut self,
        work: impl Future<Output = anyhow::Result<T>> + Send + 'static,
    ) -> anyhow::Result<T> {
        let is_over = Arc::new(AtomicBool::new(false));
        let worker = tokio::spawn({
            let is_over = Arc::clone(&is_over);
            async move {
                let result = work.await;
                is_over.store(true, Ordering::Relaxed);
                result
            }
        });
        self.go_on(move |_| !is_over.load(Ordering::Relaxed)).await?;
        worker.await?
    }

    async fn go_on(
        &mut self,
        is_to_go_on: impl Fn(usize) -> bool + Clone + Send + 'static,
    ) -> anyhow::Result<()> {
        let mut tasks = JoinSet::new();
        for mut pair in self.pairs.drain(..) {
            let is_to_go_on = is_to_go_on.clone();
            tasks.spawn(async move {
                let mut times_us = Vec::new();
                while is_to_go_on(times_us.len()) {
                    times_us.push(pair.exchange().await?);
                }
                anyhow::Ok((pair, times_us))
            });
        }
        while let Some(done) = tasks.join_next().await {
            let (pair, times_us) = done??;
            self.pairs.push(pair);
            self.times_us.extend(times_us);
        }
        Ok(())
    }

    /// How many messages there were since the last time.
    pub(super) fn messages(&self) -> usize {
        self.times_us.len()
    }

    /// How long messages took since the last time.
    pub(super) fn times(&mut self) -> Times {
        Times(std::mem::take(&mut self.times_us))
    }
}

impl Pair {
    /// One sends to the other, who waits. Returns the time from the call that sends to the answer of the one who waits,
    /// microseconds.
    async fn exchange(&mut self) -> anyhow::Result<u64> {
        self.number += 1;
        let wait = tokio::spawn({
            let waiting = Arc::clone(&self.waiting);
            async move {
                let request = FetchWaitRequest { timeout_ms: 60_000, ..FetchWaitRequest::default() };
                let answer = waiting.fetch_wait(&request).await?;
                anyhow::Ok((Instant::now(), answer.envelopes))
            }
        });
        let request = delivery(self.to, payload(self.number, MESSAGE_BYTES));
        let called = Instant::now();
        let (sent, waited) = tokio::join!(self.sending.enqueue(&request), wait);
        sent?;
        let (arrived, envelopes) = waited??;
        let seq_up_to = envelopes.last().context("nothing came")?.seq;
        self.waiting.ack(&AckRequest { seq_up_to, ..AckRequest::default() }).await?;
        Ok(u64::try_from(arrived.duration_since(called).as_micros())?)
    }
}

const MESSAGE_BYTES: usize = 200;
