//! Waking devices: an empty message to the UnifiedPush endpoint of each.
//!
//! An endpoint is an https address that a device gave its relay, on a push server of the device's choice. To it goes one
//! POST as of Web Push (RFC 8030) without content, which tells the push server that there is something and nothing else:
//!
//! ```text
//! POST /…   TTL: how long the message is kept for a device that is off     Urgency: high
//!           Topic: wake, so that one that waits there takes the place of the one before
//! ```
//!
//! Whoever may name an endpoint has the relay connect to it. Therefore the addresses that its host resolves to are
//! checked, and the connection is made to those and no others; redirections are not followed; what comes back is not
//! read but for its status; and the posts under way, those of each host, and those that wait are bounded.
//!
//! ```text
//! wake ─► waiting ─► under way ─► delivered, refused: done
//!            ▲           ├──────► gone (404, 410): done, and reported
//!            └───────────┘ no answer, 408, 429, 5xx: later, three times
//! ```

mod post;
mod resolve;
mod schedule;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use qpq_proto::limits::RelayLimits;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::seldom::Seldom;
use post::{Outcome, Poster};
use schedule::{Schedule, Wake};

/// Which addresses may be connected to.
pub type Permits = Arc<dyn Fn(IpAddr) -> bool + Send + Sync>;

/// What is told of an endpoint that there is no more: for whom it was, and the endpoint.
pub type ReportGone<K> = Box<dyn Fn(K, String) + Send>;

/// Wakes devices, each named by a key. Dropping it ends that.
pub struct Wakes<K> {
    queue: mpsc::Sender<(K, String)>,
    is_full: Seldom,
}

impl<K> fmt::Debug for Wakes<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Wakes").field("room", &self.queue.capacity()).finish_non_exhaustive()
    }
}

impl<K: Ord + Clone + Send + 'static> Wakes<K> {
    /// Begins. Certification authorities are those that the system trusts, read when the first device is woken. Must be
    /// called within a tokio runtime.
    pub fn start(permits: Permits, limits: &RelayLimits, report: ReportGone<K>) -> Self {
        let ttl_s = limits.delivery_ttl_default_s;
        Self::start_with(limits, report, move || Poster::of_system(permits, ttl_s))
    }

    fn start_with(
        limits: &RelayLimits,
        report: ReportGone<K>,
        poster: impl FnOnce() -> Result<Poster, String> + Send + 'static,
    ) -> Self {
        let (queue, wanted) = mpsc::channel(QUEUED_MAX);
        let schedule = Schedule::new(limits);
        tokio::spawn(async move {
            let mut work = Work { wanted, schedule, report, failed: Seldom::default() };
            // Nothing is read before it is needed.
            let Some(first) = work.wanted.recv().await else { return };
            match tokio::task::spawn_blocking(poster).await {
                Ok(Ok(poster)) => work.run(first, Arc::new(poster)).await,
                Ok(Err(reason)) => tracing::error!(reason, "no device can be woken"),
                Err(error) => tracing::error!(%error, "no device can be woken"),
            }
        });
        Self { queue, is_full: Seldom::default() }
    }

    /// Has a device woken, soon and if it can be. One that waits to be woken already is not woken twice.
    pub fn wake(&self, key: K, endpoint: String) {
        if self.queue.try_send((key, endpoint)).is_err()
            && let Some(times) = self.is_full.happened()
        {
            tracing::warn!(times, "a device is not woken: too many wait for it");
        }
    }
}

/// What the task has.
struct Work<K> {
    wanted: mpsc::Receiver<(K, String)>,
    schedule: Schedule<K>,
    report: ReportGone<K>,
    failed: Seldom,
}

impl<K: Ord + Clone + Send + 'static> Work<K> {
    async fn run(mut self, first: (K, String), poster: Arc<Poster>) {
        let mut posts = JoinSet::new();
        self.add(first);
        loop {
            while let Some(wake) = self.schedule.take(Instant::now()) {
                let poster = Arc::clone(&poster);
                posts.spawn(async move {
                    let outcome = poster.post(&wake.endpoint).await;
                    (wake, outcome)
                });
            }
            let due = self.schedule.next_due();
            let again = async {
                match due {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                wanted = self.wanted.recv() => match wanted {
                    Some(wanted) => self.add(wanted),
                    None => return,
                },
                Some(posted) = posts.join_next() => {
                    let (wake, outcome) = posted.expect("a post neither panics nor is broken off");
                    self.posted(wake, outcome);
                }
                () = again => {}
            }
        }
    }

    fn add(&mut self, (key, endpoint): (K, String)) {
        if let Err(reason) = self.schedule.add(key, &endpoint, Instant::now()) {
            self.say(reason);
        }
    }

    fn posted(&mut self, wake: Wake<K>, outcome: Outcome) {
        let retry = match outcome {
            Outcome::Delivered => None,
            Outcome::Gone => {
                (self.report)(wake.key.clone(), wake.named.clone());
                None
            }
            Outcome::Refused(reason) => {
                self.say(&reason);
                None
            }
            Outcome::Later { after, reason } => {
                tracing::debug!(reason, "a device could not be woken yet");
                Some(after)
            }
        };
        if !self.schedule.done(wake, retry, Instant::now()) {
            self.say("its push server does not answer, or not as it should");
        }
    }

    /// Endpoints are other people's: they are not named.
    fn say(&self, reason: &str) {
        if let Some(times) = self.failed.happened() {
            tracing::warn!(reason, times, "a device could not be woken");
        }
    }
}

/// Devices whose turn to wait has not come yet.
const QUEUED_MAX: usize = 64;

#[cfg(test)]
mod tests;
