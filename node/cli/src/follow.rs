//! Waiting for something to happen on the node: events by long poll, and conditions checked after each of them.

use std::time::Duration;

use qpq_proto::v1;
use tokio::time::{Instant, sleep};

use crate::connect::Daemon;
use crate::context::Context;
use crate::durations::wire_ms;
use crate::exit::Error;
use crate::patience::POLL_MAX;

/// What is printed up to its end, and on as it grows.
pub(crate) trait Feed {
    /// Whether an event says that there is more of it.
    fn grows_by(event: &v1::event::Kind) -> bool;

    /// Prints what is there and was not printed. May be called again after an error: nothing is printed twice.
    async fn print(&mut self, context: &Context, daemon: &Daemon) -> Result<(), Error>;
}

/// Prints a feed up to its end, or for ever.
pub(crate) async fn print<F: Feed>(context: &Context, mut feed: F, is_followed: bool) -> Result<(), Error> {
    let mut daemon = context.daemon().await?;
    if !is_followed {
        return feed.print(context, &daemon).await;
    }
    // Taken before the first look, so that nothing comes between the two unseen.
    let mut cursor = Cursor::newest(&daemon).await?;
    let mut has_news = true;
    loop {
        if let Err(error) = print_next(context, &daemon, &mut feed, &mut cursor, &mut has_news).await {
            daemon = await_return(context, error).await?;
            // What came in between may be no event any more.
            has_news = true;
        }
    }
}

/// Waits for more of a feed, unless there is some, and prints it.
async fn print_next<F: Feed>(
    context: &Context,
    daemon: &Daemon,
    feed: &mut F,
    cursor: &mut Cursor,
    has_news: &mut bool,
) -> Result<(), Error> {
    if !*has_news {
        let answer = cursor.poll(daemon, POLL_MAX).await?;
        let kinds = answer.events.iter().filter_map(|event| event.kind.as_ref());
        *has_news = answer.lagged > 0 || kinds.into_iter().any(F::grows_by);
    }
    if *has_news {
        feed.print(context, daemon).await?;
        *has_news = false;
    }
    Ok(())
}

/// A place in the stream of events.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor(u64);

impl Cursor {
    /// After the event with this number; 0 for the oldest kept.
    pub(crate) fn after(event: u64) -> Self {
        Self(event)
    }

    /// After the newest event there is now.
    pub(crate) async fn newest(daemon: &Daemon) -> Result<Self, Error> {
        let mut cursor = Self(0);
        while !cursor.poll(daemon, Duration::ZERO).await?.events.is_empty() {}
        Ok(cursor)
    }

    /// The next events, waiting at most `timeout`, and at most a minute, for the first of them.
    pub(crate) async fn poll(
        &mut self,
        daemon: &Daemon,
        timeout: Duration,
    ) -> Result<v1::ReadEventsResponse, Error> {
        let timeout_ms = wire_ms(timeout.min(POLL_MAX));
        let request = v1::ReadEventsRequest { since: self.0, limit: EVENTS_PER_POLL, timeout_ms };
        let answer = daemon.read_events(&request).await?;
        self.0 = answer.next.max(self.0);
        Ok(answer)
    }
}

/// A point in time after which waiting ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    /// So long from now.
    pub(crate) fn after(timeout: Duration) -> Self {
        // Longer than a year is as good as a year.
        Self(Instant::now() + timeout.min(Duration::from_secs(366 * 86_400)))
    }

    /// What is left; zero when it is over.
    pub(crate) fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}

/// Asks until the answer is there or the deadline is over, again after every event.
pub(crate) async fn until<T>(
    daemon: &Daemon,
    deadline: Deadline,
    mut ask: impl AsyncFnMut(&Daemon) -> Result<Option<T>, Error>,
) -> Result<Option<T>, Error> {
    let mut cursor = Cursor::newest(daemon).await?;
    loop {
        if let Some(answer) = ask(daemon).await? {
            return Ok(Some(answer));
        }
        let left = deadline.left();
        if left.is_zero() {
            return Ok(None);
        }
        // Not everything worth waiting for is an event, so ask now and then without one.
        cursor.poll(daemon, left.min(ASK_AGAIN)).await?;
    }
}

/// Connects again and again, with growing pauses, until a daemon answers. What is no absence of it ends that.
pub(crate) async fn reconnect(context: &Context) -> Result<Daemon, Error> {
    let mut pause = PAUSE_MIN;
    loop {
        sleep(pause).await;
        match context.daemon().await {
            Err(error) if error.is_absence() => pause = (pause * 2).min(PAUSE_MAX),
            connected => return connected,
        }
    }
}

/// What has become of an absent daemon, in words.
pub(crate) fn absence(error: &Error) -> &'static str {
    match error {
        Error::Silent(_) => "the daemon does not answer",
        _ => "the daemon is gone",
    }
}

/// What is followed goes on where it was once the daemon is back: says so, and connects again if the daemon is merely
/// absent; gives back any other error.
pub(crate) async fn await_return(context: &Context, error: Error) -> Result<Daemon, Error> {
    if !error.is_absence() {
        return Err(error);
    }
    context.output.note(&format!("qpq: {}; waiting for it to come back", absence(&error)));
    let daemon = reconnect(context).await?;
    context.output.note("qpq: the daemon is back");
    Ok(daemon)
}

const PAUSE_MIN: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(10);
const ASK_AGAIN: Duration = Duration::from_secs(1);
const EVENTS_PER_POLL: u32 = 1_024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Output;

    #[tokio::test(start_paused = true)]
    async fn deadlines_end() {
        let deadline = Deadline::after(Duration::from_secs(30));
        assert_eq!(deadline.left(), Duration::from_secs(30));
        tokio::time::advance(Duration::from_secs(29)).await;
        assert_eq!(deadline.left(), Duration::from_secs(1));
        tokio::time::advance(Duration::from_secs(5)).await;
        assert!(deadline.left().is_zero());
        assert!(Deadline::after(Duration::MAX).left() > Duration::from_secs(86_400));
    }

    #[tokio::test]
    async fn only_an_absent_daemon_is_waited_for() {
        let context = Context { data_dir: None, socket: None, output: Output::new(false), assume_yes: false };
        let refused = await_return(&context, Error::Negative("no".into())).await.unwrap_err();
        assert_eq!(refused.to_string(), "no");
    }

    /// Whoever follows goes on trying, however long it takes, at most so often.
    #[tokio::test(start_paused = true)]
    async fn an_absent_daemon_is_looked_for_without_end() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("absent.sock");
        let context =
            Context { data_dir: None, socket: Some(socket), output: Output::new(true), assume_yes: false };
        let hour = Duration::from_secs(3_600);
        assert!(tokio::time::timeout(hour, reconnect(&context)).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_no_absence_ends_the_looking() {
        let long = std::path::PathBuf::from(format!("/{}", "x".repeat(200)));
        let context =
            Context { data_dir: None, socket: Some(long), output: Output::new(true), assume_yes: false };
        let begun = Instant::now();
        let error = reconnect(&context).await.unwrap_err();
        assert_eq!(error.exit(), crate::exit::Exit::Usage);
        assert_eq!(begun.elapsed(), PAUSE_MIN);
    }

    #[test]
    fn what_has_become_of_the_daemon_is_said() {
        assert_eq!(absence(&Error::Silent("5 seconds".into())), "the daemon does not answer");
        assert_eq!(absence(&Error::Lost("gone".into())), "the daemon is gone");
    }
}
