//! Calling the other end of a QUIC connection.

use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use qpq_proto::frame::{Frame, Header, RESPONSE_HEADER_BYTES, RequestHeader, ResponseHeader};
use qpq_proto::limits::Limits;
use qpq_proto::v1::{HealthRequest, HealthResponse};
use qpq_proto::{CallError, Method, TransportErrorKind};
use tokio::io::AsyncRead;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::budget::Budget;
use crate::rpc::{self, NO_REQUEST_ID, ReadError, Violation};
use crate::serve::Activity;
use crate::streams::{Ended, RecvHalf, SendHalf, Streams, code};

/// The lowest and the highest wire version that somebody speaks.
pub(crate) type WireVersions = (u32, u32);

/// Our own calls on one connection.
pub(crate) struct Calls<S> {
    streams: S,
    places: Semaphore,
    activity: Activity,
    budget: Budget,
}

impl<S: Streams> Calls<S> {
    /// `budget` pays for the responses while they are read; `activity` counts the calls.
    pub(crate) fn new(streams: S, limits: &Limits, activity: Activity, budget: Budget) -> Self {
        Self { streams, places: Semaphore::new(limits.in_flight_calls_per_peer_max), activity, budget }
    }

    /// Makes one call. One that is late is given up; a long request has more time.
    pub(crate) async fn call(
        &self,
        method: Method,
        payload: Bytes,
        deadline: Duration,
    ) -> Result<Bytes, CallError> {
        let busy = |_| CallError::transport(TransportErrorKind::Busy, "too many calls are under way");
        let _place = self.places.try_acquire().map_err(busy)?;
        let _active = self.activity.enter();
        let late = |_| CallError::transport(TransportErrorKind::TimedOut, "no answer in time");
        let time = deadline + rpc::transfer_time(payload.len());
        timeout(time, self.call_now(method, payload, deadline)).await.map_err(late)?
    }

    async fn call_now(&self, method: Method, payload: Bytes, patience: Duration) -> Result<Bytes, CallError> {
        let (send, recv) = self
            .streams
            .open()
            .await
            .map_err(|Ended(reason)| CallError::transport(TransportErrorKind::ConnectionLost, reason))?;
        let mut stream = CallStream { send, recv, done: false };
        let result =
            call_on(&mut stream.send, &mut stream.recv, method, payload, &self.budget, patience).await;
        stream.done = matches!(result, Ok(_) | Err(CallError::Failure(_)));
        result
    }

    /// Asks for the other end's health, and says which wire versions we speak. Fails if there is none in common.
    pub(crate) async fn health(&self, own: WireVersions, deadline: Duration) -> Result<(), CallError> {
        let request = HealthRequest { wire_version_min: own.0, wire_version_max: own.1 };
        let response = self.call(Method::Health, request.encode_to_vec().into(), deadline).await?;
        let health = HealthResponse::decode(response).map_err(|error| CallError::MalformedResponse {
            method: Method::Health,
            reason: error.to_string(),
        })?;
        check_versions(own, (health.wire_version_min, health.wire_version_max))
    }
}

/// Makes one call on a fresh stream pair. `budget` holds the response's length while it is read; `patience` is how long
/// nothing of it may arrive.
///
/// The caller sets the time limit, and resets the stream if this does not come to its end.
async fn call_on<W, R>(
    send: &mut W,
    recv: &mut R,
    method: Method,
    payload: Bytes,
    budget: &Budget,
    patience: Duration,
) -> Result<Bytes, CallError>
where
    W: SendHalf,
    R: AsyncRead + Unpin,
{
    // A stream carries one call, so that the number tells nothing.
    const REQUEST_ID: u32 = 1;
    let bytes = payload.len();
    let header = RequestHeader::new(method, REQUEST_ID, &payload);
    let header = header.map_err(|_| CallError::RequestTooLarge { bytes })?;
    // A peer that refuses the request midway has answered it: the answer says why, the write error does not.
    let write_error = rpc::write_frame(send, Frame { header, payload }).await.err();
    send.finish();
    let mut encoded = [0; RESPONSE_HEADER_BYTES];
    if let Err(error) = rpc::read_exact(recv, &mut encoded).await {
        return Err(lost(write_error.map_or(error, ReadError::from)));
    }
    let header = ResponseHeader::decode(&encoded).map_err(protocol_violation)?;
    if ![REQUEST_ID, NO_REQUEST_ID].contains(&header.request_id) {
        return Err(protocol_violation("the response is to another request"));
    }
    let _reservation = budget.reserve(header.payload_bytes).await;
    let payload = rpc::read_payload(recv, header.payload_bytes, patience).await.map_err(lost)?;
    if !rpc::is_at_end(recv).await.map_err(lost)? {
        return Err(protocol_violation(Violation::Trailing));
    }
    header.into_result(payload).map_err(CallError::from)
}

fn lost(error: ReadError) -> CallError {
    match error {
        ReadError::Violation(violation) => protocol_violation(violation),
        error => CallError::transport(TransportErrorKind::ConnectionLost, error.to_string()),
    }
}

fn protocol_violation(what: impl std::fmt::Display) -> CallError {
    CallError::transport(TransportErrorKind::ProtocolViolation, what.to_string())
}

/// The wire versions of both sides must overlap.
pub(crate) fn check_versions(own: WireVersions, other: WireVersions) -> Result<(), CallError> {
    if own.0.max(other.0) <= own.1.min(other.1) {
        return Ok(());
    }
    let message =
        format!("we speak wire versions {} to {}, the peer speaks {} to {}", own.0, own.1, other.0, other.1);
    Err(CallError::transport(TransportErrorKind::VersionMismatch, message))
}

/// The stream of a call. What is given up is reset, so that the other end neither goes on answering nor takes the half
/// that was sent for a broken frame.
struct CallStream<W: SendHalf, R: RecvHalf> {
    send: W,
    recv: R,
    done: bool,
}

impl<W: SendHalf, R: RecvHalf> Drop for CallStream<W, R> {
    fn drop(&mut self) {
        if !self.done {
            self.send.reset(code::TIMED_OUT);
            self.recv.stop(code::TIMED_OUT);
        }
    }
}

#[cfg(test)]
mod tests;
