//! One call on one stream pair: request frame, end of stream; response frame, end of stream (RPC.md, "Frames").
//!
//! Whoever serves goes through three steps, each with its own time limit:
//!
//! ```text
//! read      header ─ reserve the announced length ─ payload ─ end of stream
//! answer    method known? ─ caller permitted? ─ the service
//! write     reserve ─ header ─ payload ─ end of stream
//! ```
//!
//! What breaks the protocol is answered with `BadRequest`, so that an honest peer's author learns what is wrong, and
//! counts against the peer. The functions take any byte stream; only [`Ended`](crate::streams::Ended) connections and
//! resets are the concern of the caller.

mod pieces;

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::{Buf, Bytes};
use qpq_proto::frame::{self, FrameError, Header, REQUEST_HEADER_BYTES, RequestHeader};
use qpq_proto::limits::{FETCH_WAIT_MS_MAX, FRAME_PAYLOAD_BYTES_MAX, Limits, PUSH_PAYLOAD_BYTES_MAX};
use qpq_proto::{Failure, Method};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use crate::budget::{Budget, Reservation, Turns};
use crate::caller::{Caller, Service};
use pieces::frame_bytes;
pub(crate) use pieces::{is_at_end, read_exact, read_payload, transfer_time, write_frame};

/// What the connections of one listener share: the service, and what its callers may use.
#[derive(Clone)]
pub(crate) struct Server {
    service: Arc<dyn Service>,
    budget: Budget,
    transfer_timeout: Duration,
    /// How long the service may take; `None` for the owner, who waits for events.
    answer_timeout: Option<Duration>,
}

/// Serves the calls of one connection. Cheap to clone; when the last clone is gone, the connection has ended as far as
/// the service is concerned.
#[derive(Clone)]
pub(crate) struct ConnectionServer(Arc<Attended>);

/// What the calls of one connection share.
struct Attended {
    server: Server,
    caller: Caller,
    /// One long frame is read at a time.
    long_frames: Turns,
    /// Whether the service has heard of the connection.
    has_called: AtomicBool,
}

impl Drop for Attended {
    fn drop(&mut self) {
        if *self.has_called.get_mut() {
            self.server.service.disconnected(self.caller.connection);
        }
    }
}

/// A request that was read to its end.
pub(crate) struct Request {
    /// The caller's number of the call, echoed in the response.
    pub(crate) id: u32,
    /// The method, or the id that is none.
    pub(crate) method: Result<Method, u16>,
    /// The payload, unexamined.
    pub(crate) payload: Bytes,
    /// The payload's place in memory; held until the service has answered.
    pub(crate) reservation: Reservation,
}

/// Why a request was not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// The other side broke the protocol.
    #[error(transparent)]
    Violation(#[from] Violation),
    /// The other side sent nothing for too long.
    #[error("the request stalled")]
    Stalled,
    /// The memory for payloads is used up by other calls.
    #[error("no memory for the request")]
    Exhausted,
    /// The stream is gone.
    #[error("stream lost: {0}")]
    Lost(#[from] std::io::Error),
}

/// How a peer can break the protocol on a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Violation {
    /// What came is no frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The stream ended before a frame began.
    #[error("the stream carries no frame")]
    Empty,
    /// Something follows the one frame that a stream carries.
    #[error("data after the frame")]
    Trailing,
    /// The first call on the connection was another than `Health`.
    #[error("the first call on a connection must be Health")]
    NotHealth,
    /// A call other than `Health` came as 0-RTT data, which can be replayed.
    #[error("only Health may arrive as 0-RTT data")]
    Replayable,
    /// An event is longer than any may be.
    #[error("an event of more than {PUSH_PAYLOAD_BYTES_MAX} bytes")]
    EventTooLong,
}

impl Server {
    /// A server for peers and strangers. The service bounds the time of each method; what exceeds every such bound is
    /// cut off here.
    pub(crate) fn new(service: Arc<dyn Service>, limits: &Limits) -> Self {
        let answer_timeout = Duration::from_millis(limits.call_timeout_ms + FETCH_WAIT_MS_MAX);
        Self { answer_timeout: Some(answer_timeout), ..Self::for_owner(service, limits) }
    }

    /// A server for the owner's programs, whose calls may wait as long as they like.
    pub(crate) fn for_owner(service: Arc<dyn Service>, limits: &Limits) -> Self {
        Self {
            service,
            budget: Budget::new(limits.call_bytes_in_memory_max, FRAME_PAYLOAD_BYTES_MAX),
            transfer_timeout: Duration::from_millis(limits.call_timeout_ms),
            answer_timeout: None,
        }
    }

    /// Serves one connection, over which this caller calls.
    pub(crate) fn for_connection(&self, caller: Caller) -> ConnectionServer {
        ConnectionServer(Arc::new(Attended {
            server: self.clone(),
            caller,
            long_frames: Turns::default(),
            has_called: AtomicBool::new(false),
        }))
    }
}

impl ConnectionServer {
    /// Who calls.
    pub(crate) fn caller(&self) -> &Caller {
        &self.0.caller
    }

    /// Reads one request, and nothing after it. A payload is not read before its length is reserved.
    pub(crate) async fn read_one<R: AsyncRead + Unpin>(&self, stream: &mut R) -> Result<Request, ReadError> {
        let request = self.read_next(stream).await?.ok_or(Violation::Empty)?;
        if !self.in_time(is_at_end(stream)).await? {
            return Err(Violation::Trailing.into());
        }
        Ok(request)
    }

    /// Reads the next request of a stream that carries many; `None` at its end. Waits for the first byte as long as
    /// it takes.
    pub(crate) async fn read_next<R: AsyncRead + Unpin>(
        &self,
        stream: &mut R,
    ) -> Result<Option<Request>, ReadError> {
        let mut encoded = [0; REQUEST_HEADER_BYTES];
        if stream.read(&mut encoded[..1]).await? == 0 {
            return Ok(None);
        }
        self.in_time(read_exact(stream, &mut encoded[1..])).await?;
        let Attended { server, long_frames, .. } = &*self.0;
        let header = RequestHeader::decode(&encoded).map_err(Violation::from)?;
        let bytes = header.payload_bytes;
        // Those before it on this connection each have their own time.
        let _turn = long_frames.turn(bytes).await;
        let reserved = timeout(server.transfer_timeout, server.budget.reserve(bytes)).await;
        let reservation = reserved.map_err(|_| ReadError::Exhausted)?;
        let payload = read_payload(stream, bytes, server.transfer_timeout);
        let payload = timeout(server.transfer_timeout + transfer_time(bytes), payload).await;
        let payload = payload.map_err(|_| ReadError::Stalled)??;
        Ok(Some(Request { id: header.request_id, method: header.method, payload, reservation }))
    }

    /// Has the service answer, if the method table lets the caller call the method.
    pub(crate) async fn answer(&self, method: Result<Method, u16>, payload: Bytes) -> Result<Bytes, Failure> {
        let Attended { server, caller, has_called, .. } = &*self.0;
        let method = method.map_err(Failure::unknown_method)?;
        caller.check(method)?;
        has_called.store(true, Ordering::Relaxed);
        let answer = catch_panic(server.service.call(*caller, method, payload));
        let answered = match server.answer_timeout {
            Some(limit) => timeout(limit, answer).await.map_err(|_| Failure::deadline_exceeded())?,
            None => answer.await,
        };
        answered.unwrap_or_else(|Panicked| {
            tracing::error!(method = method.name(), "a call panicked");
            Err(Failure::internal())
        })
    }

    /// Writes a response; the caller marks the end of the stream. An answer that the peer does not take in time is
    /// an error of the kind `TimedOut`.
    pub(crate) async fn write<W: AsyncWrite + Unpin>(
        &self,
        stream: &mut W,
        request_id: u32,
        result: Result<Bytes, Failure>,
    ) -> std::io::Result<()> {
        let frame = frame::response(request_id, result);
        let Server { transfer_timeout: patience, budget, .. } = &self.0.server;
        let (patience, bytes) = (*patience, frame.payload.len());
        let written = timeout(patience + transfer_time(bytes), async {
            let _reservation = budget.reserve(bytes).await;
            let mut rest = frame_bytes(frame);
            while rest.has_remaining() {
                let written = timeout(patience, stream.write_buf(&mut rest)).await??;
                if written == 0 {
                    return Err(std::io::ErrorKind::WriteZero.into());
                }
            }
            timeout(patience, stream.flush()).await?
        });
        written.await?
    }

    async fn in_time<T>(&self, read: impl Future<Output = Result<T, ReadError>>) -> Result<T, ReadError> {
        timeout(self.0.server.transfer_timeout, read).await.map_err(|_| ReadError::Stalled)?
    }
}

impl ReadError {
    /// What the caller is told; `None` if there is nobody to tell.
    pub(crate) fn failure(&self) -> Option<Failure> {
        match self {
            Self::Violation(violation) => Some(Failure::bad_request("", violation.to_string())),
            Self::Exhausted => Some(Failure::unavailable("too many calls at the moment", RETRY_AFTER_MS)),
            Self::Stalled | Self::Lost(_) => None,
        }
    }
}

/// The number in a response to something whose own number could not be read.
pub(crate) const NO_REQUEST_ID: u32 = 0;

/// When a caller that found no memory for its request should try again, milliseconds.
const RETRY_AFTER_MS: u64 = 1_000;

/// A call of the service panicked.
#[derive(Debug)]
struct Panicked;

/// Turns a panic of the future into an error, so that it ends one call and not the connection's task.
async fn catch_panic<T>(future: impl Future<Output = T>) -> Result<T, Panicked> {
    let mut future = pin!(future);
    std::future::poll_fn(move |context| {
        // The future is dropped after a panic and never polled again: no broken invariant can be seen.
        match std::panic::catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(poll) => poll.map(Ok),
            Err(_) => Poll::Ready(Err(Panicked)),
        }
    })
    .await
}

#[cfg(test)]
mod tests;
