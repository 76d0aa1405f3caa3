//! A program's end of the owner's socket.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use qpq_proto::frame::{Frame, Header, RESPONSE_HEADER_BYTES, RequestHeader, ResponseHeader};
use qpq_proto::{CallError, Failure, Method, Transport, TransportErrorKind};
use tokio::io::{AsyncReadExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot};

use crate::lock;
use crate::rpc::{self, NO_REQUEST_ID};

/// Requests that wait for the socket to take them; more make their callers wait.
const REQUESTS_QUEUED_MAX: usize = 64;

/// How long nothing of an answer that has begun may arrive. The node is on the same machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why there is no connection to the node.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The socket is there, and nobody listens on it: the node was started once and does not run now.
    #[error("the node is not running (nobody listens on {})", .path.display())]
    NotRunning {
        /// The socket's path.
        path: PathBuf,
    },
    /// There is no socket: the node was never started, or keeps its data elsewhere.
    #[error("there is no socket at {}", .path.display())]
    NoSocket {
        /// The socket's path.
        path: PathBuf,
    },
    /// The node belongs to another user.
    #[error("no permission to use {}", .path.display())]
    PermissionDenied {
        /// The socket's path.
        path: PathBuf,
    },
    /// The system refused.
    #[error("cannot connect to {}: {source}", .path.display())]
    Io {
        /// The socket's path.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// A connection to the node of this machine. Cheap to clone; calls run side by side over one connection.
///
/// A call has no time limit of its own, because some wait for events: whoever wants one wraps the future.
/// Dropping the future gives the call up.
#[derive(Debug, Clone)]
pub struct SocketClient {
    requests: mpsc::Sender<Outgoing>,
    pending: Arc<Mutex<Pending>>,
}

/// A request on its way to the task that writes.
type Outgoing = Frame<RequestHeader>;

/// Where the answer to a call goes.
type Waiting = oneshot::Sender<Result<Bytes, CallError>>;

/// Calls whose answers are still to come.
#[derive(Debug, Default)]
struct Pending {
    last_id: u32,
    /// By number; `None` for a call that was given up after it was sent, whose answer comes all the same. A node that
    /// answers none of its calls soon reads no more of them, which bounds their number.
    unanswered: BTreeMap<u32, Option<Waiting>>,
    /// Why the connection ended, once it has.
    ended: Option<CallError>,
}

impl SocketClient {
    /// Connects to the node that listens on `path`.
    ///
    /// # Errors
    /// Says what a person can do something about: not running, no socket, no permission.
    pub async fn connect(path: &Path) -> Result<Self, ConnectError> {
        let stream = UnixStream::connect(path).await.map_err(|error| connect_error(path, error))?;
        let (recv, send) = stream.into_split();
        let (requests, queue) = mpsc::channel(REQUESTS_QUEUED_MAX);
        let pending = Arc::new(Mutex::new(Pending::default()));
        tokio::spawn(run(recv, send, queue, Arc::clone(&pending)));
        Ok(Self { requests, pending })
    }

    /// Makes one call.
    ///
    /// # Errors
    /// As [`Transport::call`].
    pub async fn call(&self, method: Method, payload: Bytes) -> Result<Bytes, CallError> {
        let (id, answer) = lock(&self.pending).enter()?;
        let mut leave = Leave { pending: &self.pending, id, is_sent: false };
        let header = RequestHeader::new(method, id, &payload);
        let header = header.map_err(|_| CallError::RequestTooLarge { bytes: payload.len() })?;
        let sent = self.requests.send(Frame { header, payload }).await;
        leave.is_sent = sent.is_ok();
        match answer.await {
            Ok(result) => result,
            // The tasks of the connection are gone, with the runtime that they ran on.
            Err(_) if sent.is_err() => Err(connection_lost("the connection has ended")),
            Err(_) => Err(connection_lost("the program is shutting down")),
        }
    }
}

impl Transport for SocketClient {
    async fn call(&self, method: Method, payload: Bytes) -> Result<Bytes, CallError> {
        Self::call(self, method, payload).await
    }
}

impl Pending {
    /// Gives a call its number, none that is in use.
    fn enter(&mut self) -> Result<(u32, oneshot::Receiver<Result<Bytes, CallError>>), CallError> {
        if let Some(error) = &self.ended {
            return Err(error.clone());
        }
        let mut id = self.last_id.wrapping_add(1);
        while id == NO_REQUEST_ID || self.unanswered.contains_key(&id) {
            id = id.wrapping_add(1);
        }
        self.last_id = id;
        let (sender, receiver) = oneshot::channel();
        self.unanswered.insert(id, Some(sender));
        Ok((id, receiver))
    }

    /// Whether an answer with this number can come.
    fn expects(&self, id: u32) -> bool {
        self.unanswered.contains_key(&id)
    }

    /// The answer to a call has come; nobody may wait for it any more.
    fn answered(&mut self, id: u32, result: Result<Bytes, Failure>) {
        if let Some(waiting) = self.unanswered.remove(&id).flatten() {
            let _ = waiting.send(result.map_err(CallError::from));
        }
    }

    /// Nobody waits for the answer to a call, which comes only if the call was sent.
    fn leave(&mut self, id: u32, is_sent: bool) {
        match self.unanswered.get_mut(&id) {
            Some(waiting) if is_sent => *waiting = None,
            Some(_) => drop(self.unanswered.remove(&id)),
            None => {}
        }
    }

    /// Fails every call, those that wait and those to come.
    fn end(&mut self, error: CallError) {
        for waiting in std::mem::take(&mut self.unanswered).into_values().flatten() {
            let _ = waiting.send(Err(error.clone()));
        }
        self.ended.get_or_insert(error);
    }
}

/// Leaves a call when its future goes, finished or not. An answer that comes later is thrown away.
struct Leave<'a> {
    pending: &'a Mutex<Pending>,
    id: u32,
    is_sent: bool,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        lock(self.pending).leave(self.id, self.is_sent);
    }
}

/// Carries the connection until it ends or nobody holds the client any more.
async fn run(
    recv: OwnedReadHalf,
    send: OwnedWriteHalf,
    queue: mpsc::Receiver<Outgoing>,
    pending: Arc<Mutex<Pending>>,
) {
    let error = tokio::select! {
        error = read_responses(recv, &pending) => error,
        error = write_requests(send, queue) => error,
    };
    lock(&pending).end(error);
}

async fn write_requests(mut send: OwnedWriteHalf, mut queue: mpsc::Receiver<Outgoing>) -> CallError {
    while let Some(frame) = queue.recv().await {
        if rpc::write_frame(&mut send, frame).await.is_err() {
            // The reading side learns why, unless the node says nothing more.
            return std::future::pending().await;
        }
    }
    connection_lost("nobody uses the connection any more")
}

async fn read_responses(recv: OwnedReadHalf, pending: &Mutex<Pending>) -> CallError {
    let mut recv = BufReader::new(recv);
    loop {
        let mut header = [0; RESPONSE_HEADER_BYTES];
        if recv.read_exact(&mut header).await.is_err() {
            return connection_lost("the node ended the connection");
        }
        let header = match ResponseHeader::decode(&header) {
            Ok(header) => header,
            Err(error) => return protocol_violation(error.to_string()),
        };
        let id = header.request_id;
        // Whose the answer is nobody knows, and whoever waits for it would wait in vain.
        if id != NO_REQUEST_ID && !lock(pending).expects(id) {
            return protocol_violation(format!("the node answers request {id}, which was not made"));
        }
        let Ok(payload) = rpc::read_payload(&mut recv, header.payload_bytes, PATIENCE).await else {
            return connection_lost("the node ended the connection inside an answer");
        };
        match (id, header.into_result(payload)) {
            (NO_REQUEST_ID, Err(failure)) => return refused(&failure),
            (NO_REQUEST_ID, Ok(_)) => return protocol_violation("the node answers no request".to_owned()),
            (id, result) => lock(pending).answered(id, result),
        }
    }
}

/// The node says that it ends the connection, and why.
fn refused(failure: &Failure) -> CallError {
    protocol_violation(format!("the node ended the connection: {failure}"))
}

fn connection_lost(message: &str) -> CallError {
    CallError::transport(TransportErrorKind::ConnectionLost, message)
}

fn protocol_violation(message: String) -> CallError {
    CallError::transport(TransportErrorKind::ProtocolViolation, message)
}

fn connect_error(path: &Path, source: std::io::Error) -> ConnectError {
    let path = path.to_owned();
    match source.kind() {
        ErrorKind::ConnectionRefused => ConnectError::NotRunning { path },
        ErrorKind::NotFound => ConnectError::NoSocket { path },
        ErrorKind::PermissionDenied => ConnectError::PermissionDenied { path },
        _ => ConnectError::Io { path, source },
    }
}

#[cfg(test)]
mod tests;
