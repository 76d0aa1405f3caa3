//! What the tests of this crate share.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use qpq_proto::ids::NodeKey;
use qpq_proto::limits::{Limits, WIRE_VERSION};
use qpq_proto::v1::HealthResponse;
use qpq_proto::{Failure, Method};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, ReadHalf, WriteHalf};
use tokio::sync::{Semaphore, mpsc, watch};

use crate::caller::{Answer, Caller, ConnectionId, EXPORTER_BYTES, Exporter, Peer, Service};
use crate::streams::{Ended, RecvHalf, SendHalf, Streams};

/// A node that calls, over a connection of its own.
pub(crate) fn node_caller(byte: u8) -> Caller {
    Caller {
        connection: ConnectionId::next(),
        peer: Peer::Node(NodeKey::from_bytes([byte; 32])),
        address: None,
        exporter: Exporter([byte; EXPORTER_BYTES]),
    }
}

/// Answers `Health` as a node does, `Enqueue` and `SendMessage` with their own payload, `Fetch` and `ReadEvents` when
/// the gate is opened, and panics on `ResolveEndpoint`. Tells the test who calls what.
pub(crate) struct Echo {
    pub(crate) wire_versions: (u32, u32),
    gate: watch::Receiver<bool>,
    calls: mpsc::UnboundedSender<(Caller, Method)>,
    ended: mpsc::UnboundedSender<ConnectionId>,
}

/// The test's end of an [`Echo`].
pub(crate) struct EchoControl {
    pub(crate) gate: watch::Sender<bool>,
    pub(crate) calls: mpsc::UnboundedReceiver<(Caller, Method)>,
    /// Connections that have ended.
    pub(crate) ended: mpsc::UnboundedReceiver<ConnectionId>,
}

impl Echo {
    pub(crate) fn new() -> (Self, EchoControl) {
        let (gate, gate_receiver) = watch::channel(false);
        let (sender, calls) = mpsc::unbounded_channel();
        let (ended_sender, ended) = mpsc::unbounded_channel();
        let wire_versions = (WIRE_VERSION, WIRE_VERSION);
        let echo = Self { wire_versions, gate: gate_receiver, calls: sender, ended: ended_sender };
        (echo, EchoControl { gate, calls, ended })
    }
}

impl Service for Echo {
    fn call(&self, caller: Caller, method: Method, payload: Bytes) -> Answer<'_> {
        let _ = self.calls.send((caller, method));
        Box::pin(async move {
            match method {
                Method::Health => Ok(self.health()),
                Method::Enqueue | Method::SendMessage => Ok(payload),
                Method::PublishEndpoint | Method::ReadEvents => {
                    let _ = self.gate.clone().wait_for(|open| *open).await;
                    Ok(payload)
                }
                Method::ResolveEndpoint => panic!("the test asks for it"),
                // Nobody ever logs in.
                _ => caller.check_without_session(method).and(Err(Failure::not_offered(method))),
            }
        })
    }

    fn disconnected(&self, connection: ConnectionId) {
        let _ = self.ended.send(connection);
    }
}

impl Echo {
    fn health(&self) -> Bytes {
        let (wire_version_min, wire_version_max) = self.wire_versions;
        HealthResponse { wire_version_min, wire_version_max, ..HealthResponse::default() }
            .encode_to_vec()
            .into()
    }
}

/// A connection in memory, of which the test holds the other end.
#[derive(Clone)]
pub(crate) struct Wire {
    opened: mpsc::UnboundedSender<(MemorySend, MemoryRecv)>,
    accepted: Arc<tokio::sync::Mutex<mpsc::UnboundedReceiver<(MemorySend, MemoryRecv)>>>,
    opened_uni: mpsc::UnboundedSender<MemoryRecv>,
    accepted_uni: Arc<tokio::sync::Mutex<mpsc::UnboundedReceiver<MemoryRecv>>>,
    /// How many streams this end permits the other one.
    pub(crate) allowed_bi: watch::Sender<usize>,
    /// How many more streams each side lets the other one open that only it writes: ours, theirs.
    uni: (Arc<Semaphore>, Arc<Semaphore>),
    closed: watch::Sender<Option<u32>>,
}

/// The half of a stream in memory that is written.
pub(crate) struct MemorySend {
    bytes: WriteHalf<DuplexStream>,
    is_stopped: watch::Receiver<bool>,
    /// The code with which it was given up.
    pub(crate) reset: Arc<watch::Sender<Option<u32>>>,
}

/// The half of a stream in memory that is read.
pub(crate) struct MemoryRecv {
    bytes: ReadHalf<DuplexStream>,
    stop: watch::Sender<bool>,
    /// The stream began in 0-RTT data.
    pub(crate) is_replayable: bool,
}

/// Both ends of a connection in memory.
pub(crate) fn wire() -> (Wire, Wire) {
    let (to_one, from_other) = mpsc::unbounded_channel();
    let (to_other, from_one) = mpsc::unbounded_channel();
    let (uni_to_one, uni_from_other) = mpsc::unbounded_channel();
    let (uni_to_other, uni_from_one) = mpsc::unbounded_channel();
    let closed = watch::Sender::new(None);
    let allowed = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let end = |opened, accepted, opened_uni, accepted_uni, uni| Wire {
        opened,
        accepted: Arc::new(tokio::sync::Mutex::new(accepted)),
        opened_uni,
        accepted_uni: Arc::new(tokio::sync::Mutex::new(accepted_uni)),
        allowed_bi: watch::Sender::new(0),
        uni,
        closed: closed.clone(),
    };
    let (one, other) = allowed;
    (
        end(to_other, from_other, uni_to_other, uni_from_other, (Arc::clone(&one), Arc::clone(&other))),
        end(to_one, from_one, uni_to_one, uni_from_one, (other, one)),
    )
}

/// Both halves of one end of a stream, which know when the other end wants no more.
fn halves(
    stream: DuplexStream,
    stop: watch::Sender<bool>,
    stopped: watch::Receiver<bool>,
) -> (MemorySend, MemoryRecv) {
    let (recv, send) = tokio::io::split(stream);
    let send = MemorySend { bytes: send, is_stopped: stopped, reset: Arc::new(watch::Sender::new(None)) };
    (send, MemoryRecv { bytes: recv, stop, is_replayable: false })
}

impl MemorySend {
    /// Whether the other end wants no more.
    pub(crate) fn is_unwanted(&self) -> watch::Receiver<bool> {
        self.is_stopped.clone()
    }
}

impl Wire {
    /// Whether one end has ended the connection.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.borrow().is_some()
    }
}

impl Streams for Wire {
    type Send = MemorySend;
    type Recv = MemoryRecv;

    async fn open(&self) -> Result<(MemorySend, MemoryRecv), Ended> {
        let (ours, theirs) = tokio::io::duplex(STREAM_BYTES);
        let (our_stop, their_stopped) = watch::channel(false);
        let (their_stop, our_stopped) = watch::channel(false);
        let ended = || Ended("the other end is gone".to_owned());
        let other = halves(theirs, their_stop, their_stopped);
        self.opened.send(other).map_err(|_| ended())?;
        Ok(halves(ours, our_stop, our_stopped))
    }

    async fn accept(&self) -> Result<(MemorySend, MemoryRecv), Ended> {
        let mut closed = self.closed.subscribe();
        let mut accepted = self.accepted.lock().await;
        tokio::select! {
            stream = accepted.recv() => stream.ok_or_else(|| Ended("the other end is gone".to_owned())),
            _ = closed.wait_for(Option::is_some) => Err(Ended("closed".to_owned())),
        }
    }

    fn allow_bi(&self, count: usize) {
        self.allowed_bi.send_replace(count);
    }

    async fn open_uni(&self) -> Result<MemorySend, Ended> {
        self.uni.1.acquire().await.unwrap().forget();
        let (ours, theirs) = tokio::io::duplex(STREAM_BYTES);
        let (stop, stopped) = watch::channel(false);
        let (_, theirs) = halves(theirs, stop, watch::channel(false).1);
        self.opened_uni.send(theirs).map_err(|_| Ended("the other end is gone".to_owned()))?;
        Ok(halves(ours, watch::channel(false).0, stopped).0)
    }

    async fn accept_uni(&self) -> Result<MemoryRecv, Ended> {
        let mut closed = self.closed.subscribe();
        let mut accepted = self.accepted_uni.lock().await;
        tokio::select! {
            stream = accepted.recv() => stream.ok_or_else(|| Ended("the other end is gone".to_owned())),
            _ = closed.wait_for(Option::is_some) => Err(Ended("closed".to_owned())),
        }
    }

    fn allow_uni(&self, count: u32) {
        self.uni.0.add_permits(count as usize);
    }

    fn exporter(&self) -> Result<Exporter, Ended> {
        Ok(Exporter::NONE)
    }

    fn close(&self, code: u32, _: &str) {
        self.closed.send_replace(Some(code));
    }
}

impl SendHalf for MemorySend {
    fn finish(&mut self) {
        // The end of the stream is what the duplex makes of a shutdown, which is done at once.
        let mut shutdown = std::pin::pin!(self.bytes.shutdown());
        let _ = shutdown.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    }

    fn reset(&mut self, code: u32) {
        self.reset.send_replace(Some(code));
    }

    async fn stopped(&self) {
        // A reader that is gone wants no more either.
        let _ = self.is_stopped.clone().wait_for(|stopped| *stopped).await;
    }
}

impl RecvHalf for MemoryRecv {
    fn stop(&mut self, _: u32) {
        self.stop.send_replace(true);
    }

    fn is_replayable(&self) -> bool {
        self.is_replayable
    }
}

impl AsyncWrite for MemorySend {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.bytes).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.bytes).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.bytes).poll_shutdown(context)
    }
}

impl AsyncRead for MemoryRecv {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.bytes).poll_read(context, buffer)
    }
}

/// What a stream in memory takes before its writer waits.
const STREAM_BYTES: usize = 4_096;

/// The router's limits with short times, for tests that wait for them.
pub(crate) fn impatient() -> Limits {
    Limits { call_timeout_ms: 300, handshake_timeout_ms: 1_000, dial_backoff_min_ms: 10, ..Limits::ROUTER }
}

/// Fails a test that would hang.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("should have happened long ago")
}
