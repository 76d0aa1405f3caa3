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

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use qpq_proto::frame::{self, Frame, FrameError, Header, REQUEST_HEADER_BYTES, RequestHeader};
use qpq_proto::limits::{FETCH_WAIT_MS_MAX, FRAME_PAYLOAD_BYTES_MAX, Limits};
use qpq_proto::{Failure, Method};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use crate::budget::{Budget, Reservation, Turns};
use crate::caller::{Caller, Service};

/// Serves calls for one listener: the service, and what its callers may use.
#[derive(Clone)]
pub(crate) struct Server {
    service: Arc<dyn Service>,
    budget: Budget,
    long_frames: Turns,
    transfer_timeout: Duration,
    /// How long the service may take; `None` for the owner, who waits for events.
    answer_timeout: Option<Duration>,
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
            long_frames: Turns::default(),
            transfer_timeout: Duration::from_millis(limits.call_timeout_ms),
            answer_timeout: None,
        }
    }

    /// The same server for one connection of its own, on which one long frame is read at a time.
    pub(crate) fn for_connection(&self) -> Self {
        Self { long_frames: Turns::default(), ..self.clone() }
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
        let header = RequestHeader::decode(&encoded).map_err(Violation::from)?;
        let bytes = header.payload_bytes;
        // Those before it on this connection each have their own time.
        let _turn = self.long_frames.turn(bytes).await;
        let reserved = timeout(self.transfer_timeout, self.budget.reserve(bytes)).await;
        let reservation = reserved.map_err(|_| ReadError::Exhausted)?;
        let payload = read_payload(stream, bytes, self.transfer_timeout);
        let payload = timeout(self.transfer_timeout + transfer_time(bytes), payload).await;
        let payload = payload.map_err(|_| ReadError::Stalled)??;
        Ok(Some(Request { id: header.request_id, method: header.method, payload, reservation }))
    }

    /// Has the service answer, if the method table lets the caller call the method.
    pub(crate) async fn answer(
        &self,
        caller: Caller,
        method: Result<Method, u16>,
        payload: Bytes,
    ) -> Result<Bytes, Failure> {
        let method = method.map_err(Failure::unknown_method)?;
        caller.check(method)?;
        let answer = catch_panic(self.service.call(caller, method, payload));
        let answered = match self.answer_timeout {
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
        let Frame { header, payload } = frame::response(request_id, result);
        let patience = self.transfer_timeout;
        let written = timeout(patience + transfer_time(payload.len()), async {
            let _reservation = self.budget.reserve(payload.len()).await;
            let header = header.encode();
            let mut rest = Buf::chain(header.as_slice(), payload);
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
        timeout(self.transfer_timeout, read).await.map_err(|_| ReadError::Stalled)?
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

/// Writes header and payload, together where the stream can, without copying the payload.
pub(crate) async fn write_frame<W, H>(stream: &mut W, frame: Frame<H>) -> std::io::Result<()>
where
    W: AsyncWrite + Unpin,
    H: Header,
{
    let header = frame.header.encode();
    stream.write_all_buf(&mut Buf::chain(header.as_ref(), frame.payload)).await
}

/// Fills the buffer; a stream that ends before is a broken frame.
pub(crate) async fn read_exact<R: AsyncRead + Unpin>(
    stream: &mut R,
    buffer: &mut [u8],
) -> Result<(), ReadError> {
    match stream.read_exact(buffer).await {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Err(truncated(1)),
        Err(error) => Err(error.into()),
    }
}

/// The additional time for a payload of this length, on the slowest link that is worth waiting for.
pub(crate) fn transfer_time(bytes: usize) -> Duration {
    const BYTES_PER_SECOND_MIN: u32 = 16 * 1024;
    Duration::from_secs(bytes as u64) / BYTES_PER_SECOND_MIN
}

/// Reads a payload whose length has been checked and reserved. The buffer grows with what arrives; `patience` is how
/// long nothing may arrive.
pub(crate) async fn read_payload<R: AsyncRead + Unpin>(
    stream: &mut R,
    bytes: usize,
    patience: Duration,
) -> Result<Bytes, ReadError> {
    const FIRST_BYTES_MAX: usize = 64 * 1024;
    let mut payload = BytesMut::with_capacity(bytes.min(FIRST_BYTES_MAX));
    let mut rest = stream.take(bytes as u64);
    while payload.len() < bytes {
        let read = timeout(patience, rest.read_buf(&mut payload)).await;
        if read.map_err(|_| ReadError::Stalled)?? == 0 {
            return Err(truncated(bytes - payload.len()));
        }
    }
    Ok(payload.freeze())
}

fn truncated(missing_bytes: usize) -> ReadError {
    Violation::from(FrameError::Truncated { missing_bytes }).into()
}

/// Whether nothing more comes.
pub(crate) async fn is_at_end<R: AsyncRead + Unpin>(stream: &mut R) -> Result<bool, ReadError> {
    Ok(stream.read(&mut [0; 1]).await? == 0)
}

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
