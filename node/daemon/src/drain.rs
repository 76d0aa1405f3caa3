//! Counting the calls under way, so that the node can stop without cutting one off.

use std::sync::Arc;
use std::time::Duration;

use qpq_proto::Failure;
use tokio::sync::watch;
use tokio::time::timeout;

/// Counts calls, and refuses new ones once the node drains.
#[derive(Debug, Clone)]
pub(crate) struct Drain {
    draining: Arc<watch::Sender<bool>>,
    under_way: Arc<watch::Sender<usize>>,
}

/// A call under way, counted until it is dropped.
#[derive(Debug)]
pub(crate) struct Entered(Arc<watch::Sender<usize>>);

impl Drain {
    /// Nothing is under way, and calls are taken.
    pub(crate) fn new() -> Self {
        Self { draining: Arc::new(watch::Sender::new(false)), under_way: Arc::new(watch::Sender::new(0)) }
    }

    /// Counts a call in, unless the node drains.
    pub(crate) fn enter(&self) -> Result<Entered, Failure> {
        // Counted first: whoever drains either sees the call or is seen by it.
        self.under_way.send_modify(|calls| *calls += 1);
        let entered = Entered(Arc::clone(&self.under_way));
        if self.is_draining() {
            return Err(Failure::unavailable("the node is stopping", RETRY_AFTER_MS));
        }
        Ok(entered)
    }

    /// Whether new calls are refused.
    pub(crate) fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }

    /// Tells when the node drains.
    pub(crate) fn draining(&self) -> watch::Receiver<bool> {
        self.draining.subscribe()
    }

    /// Refuses new calls from now on.
    pub(crate) fn begin(&self) {
        self.draining.send_replace(true);
    }

    /// Refuses new calls and waits until those under way are done, but not for ever. Returns how many are
    /// left.
    pub(crate) async fn drain(&self, patience: Duration) -> usize {
        self.begin();
        let mut under_way = self.under_way.subscribe();
        let is_idle = under_way.wait_for(|calls| *calls == 0);
        // The sender lives as long as `self`.
        let _ = timeout(patience, is_idle).await;
        *self.under_way.borrow()
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.send_modify(|calls| *calls -= 1);
    }
}

const RETRY_AFTER_MS: u64 = 1_000;

#[cfg(test)]
mod tests {
    use qpq_proto::Status;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn calls_under_way_are_waited_for_and_new_ones_refused() {
        let drain = Drain::new();
        let call = drain.enter().unwrap();
        let (left, ()) = tokio::join!(drain.drain(Duration::from_secs(5)), async {
            drain.draining().wait_for(|draining| *draining).await.unwrap();
            assert_eq!(drain.enter().unwrap_err().status, Status::Unavailable);
            drop(call);
        });
        assert_eq!(left, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn patience_ends() {
        let drain = Drain::new();
        let _call = drain.enter().unwrap();
        assert_eq!(drain.drain(Duration::from_secs(5)).await, 1);
        assert!(drain.is_draining());
    }

    #[tokio::test]
    async fn an_idle_node_drains_at_once() {
        assert_eq!(Drain::new().drain(Duration::ZERO).await, 0);
    }
}
