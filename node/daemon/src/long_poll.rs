//! Calls that wait: the engine answers at once, here we ask again whenever something has happened.
//!
//! Everything such a call waits for comes with an event, and the cursor of the newest event is announced after
//! its commit. The announcement is looked at before the engine is asked, so that nothing slips in between.

use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use qpq_proto::limits::{EVENTS_WAIT_MS_MAX, OWNER_WAIT_MS_MAX};
use qpq_proto::{Failure, Method, v1};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

/// A request of a call that waits.
pub(crate) trait LongPoll: Message + Default {
    /// The method.
    const METHOD: Method;
    /// Longest time it may ask for, ms.
    const TIMEOUT_MS_MAX: u64;
    /// Its response.
    type Response: Message + Default;

    /// The field with the time.
    fn timeout_ms(&mut self) -> &mut u32;
    /// Whether the response is what was waited for.
    fn is_final(response: &Self::Response) -> bool;
}

impl LongPoll for v1::ReadEventsRequest {
    const METHOD: Method = Method::ReadEvents;
    const TIMEOUT_MS_MAX: u64 = EVENTS_WAIT_MS_MAX;
    type Response = v1::ReadEventsResponse;

    fn timeout_ms(&mut self) -> &mut u32 {
        &mut self.timeout_ms
    }
    fn is_final(response: &Self::Response) -> bool {
        !response.events.is_empty() || response.lagged > 0
    }
}

impl LongPoll for v1::WaitMessageRequest {
    const METHOD: Method = Method::WaitMessage;
    const TIMEOUT_MS_MAX: u64 = OWNER_WAIT_MS_MAX;
    type Response = v1::WaitMessageResponse;

    fn timeout_ms(&mut self) -> &mut u32 {
        &mut self.timeout_ms
    }
    fn is_final(response: &Self::Response) -> bool {
        let is_lost = |message: &v1::Message| matches!(message.state.as_str(), "expired" | "failed");
        response.reached || response.message.as_ref().is_some_and(is_lost)
    }
}

impl LongPoll for v1::WaitChangeRequest {
    const METHOD: Method = Method::WaitChange;
    const TIMEOUT_MS_MAX: u64 = OWNER_WAIT_MS_MAX;
    type Response = v1::WaitChangeResponse;

    fn timeout_ms(&mut self) -> &mut u32 {
        &mut self.timeout_ms
    }
    fn is_final(response: &Self::Response) -> bool {
        response.change.as_ref().is_some_and(|change| change.committed || !change.failed.is_empty())
    }
}

impl LongPoll for v1::WaitMailboxRelayRequest {
    const METHOD: Method = Method::WaitMailboxRelay;
    const TIMEOUT_MS_MAX: u64 = OWNER_WAIT_MS_MAX;
    type Response = v1::WaitMailboxRelayResponse;

    fn timeout_ms(&mut self) -> &mut u32 {
        &mut self.timeout_ms
    }
    fn is_final(response: &Self::Response) -> bool {
        let is_under_way = |relay: &v1::MailboxRelay| {
            matches!(relay.state.as_str(), "registering" | "logging-in" | "connecting")
        };
        !response.relay.as_ref().is_some_and(is_under_way)
    }
}

impl LongPoll for v1::ShowRecoveryRequest {
    const METHOD: Method = Method::ShowRecovery;
    const TIMEOUT_MS_MAX: u64 = OWNER_WAIT_MS_MAX;
    type Response = v1::ShowRecoveryResponse;

    fn timeout_ms(&mut self) -> &mut u32 {
        &mut self.timeout_ms
    }
    fn is_final(response: &Self::Response) -> bool {
        response.settled
    }
}

impl LongPoll for v1::WaitRecoveryUseRequest {
    const METHOD: Method = Method::WaitRecoveryUse;
    const TIMEOUT_MS_MAX: u64 = OWNER_WAIT_MS_MAX;
    type Response = v1::WaitRecoveryUseResponse;

    fn timeout_ms(&mut self) -> &mut u32 {
        &mut self.timeout_ms
    }
    fn is_final(response: &Self::Response) -> bool {
        response.restored
    }
}

impl LongPoll for v1::WaitUserRequest {
    const METHOD: Method = Method::WaitUser;
    const TIMEOUT_MS_MAX: u64 = OWNER_WAIT_MS_MAX;
    type Response = v1::WaitUserResponse;

    fn timeout_ms(&mut self) -> &mut u32 {
        &mut self.timeout_ms
    }
    fn is_final(response: &Self::Response) -> bool {
        response.found.as_ref().is_none_or(|found| found.state != "asking")
    }
}

impl LongPoll for v1::WaitRelayErrandRequest {
    const METHOD: Method = Method::WaitRelayErrand;
    const TIMEOUT_MS_MAX: u64 = OWNER_WAIT_MS_MAX;
    type Response = v1::WaitRelayErrandResponse;

    fn timeout_ms(&mut self) -> &mut u32 {
        &mut self.timeout_ms
    }
    fn is_final(response: &Self::Response) -> bool {
        response.done
    }
}

/// What ends the waiting.
#[derive(Debug, Clone)]
pub(crate) struct Wakeups {
    /// Cursor of the newest event.
    pub(crate) events: watch::Receiver<u64>,
    /// Whether the node is draining.
    pub(crate) draining: watch::Receiver<bool>,
}

/// Asks, and asks again after each event, until the answer is final, the time is up or the node drains. The
/// last answer is given in any case.
pub(crate) async fn poll<P: LongPoll, F: Future<Output = Result<Bytes, Failure>>>(
    payload: Bytes,
    mut wakeups: Wakeups,
    ask: impl Fn(Bytes) -> F,
) -> Result<Bytes, Failure> {
    let mut request = P::decode(payload).map_err(|error| Failure::bad_request("", error.to_string()))?;
    let timeout_ms = u64::from(std::mem::take(request.timeout_ms()));
    if timeout_ms > P::TIMEOUT_MS_MAX {
        return Err(Failure::bad_request("timeout_ms", format!("at most {}", P::TIMEOUT_MS_MAX)));
    }
    let deadline = Instant::now() + Duration::from_millis(timeout_ms);
    let at_once = Bytes::from(request.encode_to_vec());
    loop {
        wakeups.events.mark_unchanged();
        let answer = ask(at_once.clone()).await?;
        let response = P::Response::decode(answer.clone()).map_err(|_| Failure::internal())?;
        if P::is_final(&response) || *wakeups.draining.borrow() {
            return Ok(answer);
        }
        let woken = async {
            tokio::select! {
                // Without a sender the node is stopping.
                event = wakeups.events.changed() => event.is_ok(),
                _ = wakeups.draining.wait_for(|draining| *draining) => false,
            }
        };
        if !timeout_at(deadline, woken).await.unwrap_or(false) {
            return Ok(answer);
        }
    }
}

#[cfg(test)]
mod tests;
