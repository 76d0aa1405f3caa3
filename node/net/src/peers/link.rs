//! One connection with a peer: calls over it, serving it, and its end.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use iroh::TransportAddr;
use iroh::endpoint::Connection;
use prost::Message;
use qpq_proto::ids::NodeKey;
use qpq_proto::v1::{HealthRequest, HealthResponse};
use qpq_proto::{CallError, Method, TransportErrorKind};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, timeout};

use super::admission::Slot;
use super::table::{Admission, Departure, Dialler};
use super::{PathKind, PeerEvent, Shared};
use crate::budget::Budget;
use crate::caller::Caller;
use crate::rpc;
use crate::serve::{Activity, ServeError, Serving};
use crate::streams::{RecvHalf, SendHalf, Streams, code};

/// How long a connection may take to show a sign of life when there is reason to doubt it.
const SIGN_OF_LIFE: Duration = Duration::from_secs(2);

/// How long no call must be under way on a retiring connection: the other side may not know yet.
const QUIET_BEFORE_CLOSE: Duration = Duration::from_secs(1);

/// How long calls under way may go on when the node stops.
const DRAIN: Duration = Duration::from_secs(5);

/// One connection with a peer.
pub(super) struct Link {
    pub(super) node: NodeKey,
    pub(super) connection: Connection,
    dialler: Dialler,
    calls: Semaphore,
    activity: Activity,
    budget: Budget,
    retiring: watch::Sender<bool>,
    /// The place among all connections; free again when the link is gone.
    _slot: Slot,
}

/// How a connection reaches the peer at the moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Path {
    pub(super) kind: PathKind,
    pub(super) address: Option<SocketAddr>,
    pub(super) rtt: Option<Duration>,
}

impl PartialEq for Link {
    fn eq(&self, other: &Self) -> bool {
        self.connection.stable_id() == other.connection.stable_id()
    }
}

impl Link {
    pub(super) fn new(shared: &Shared, connection: Connection, dialler: Dialler, slot: Slot) -> Self {
        Self {
            node: NodeKey::from_bytes(*connection.remote_id().as_bytes()),
            connection,
            dialler,
            calls: Semaphore::new(shared.limits.in_flight_calls_per_peer_max),
            activity: Activity::new(),
            budget: shared.responses.clone(),
            retiring: watch::Sender::new(false),
            _slot: slot,
        }
    }

    /// Makes one call.
    pub(super) async fn call(
        &self,
        method: Method,
        payload: Bytes,
        deadline: Duration,
    ) -> Result<Bytes, CallError> {
        let busy =
            |_| CallError::transport(TransportErrorKind::Busy, "too many calls to the peer are under way");
        let _place = self.calls.try_acquire().map_err(busy)?;
        let _active = self.activity.enter();
        let called = timeout(deadline, async {
            let opened = self.connection.open().await;
            let (send, recv) = opened.map_err(|ended| {
                CallError::transport(TransportErrorKind::ConnectionLost, ended.to_string())
            })?;
            let mut stream = CallStream { send, recv, done: false };
            let result = rpc::call(&mut stream.send, &mut stream.recv, method, payload, &self.budget).await;
            stream.done = matches!(result, Ok(_) | Err(CallError::Failure(_)));
            result
        });
        let late = |_| CallError::transport(TransportErrorKind::TimedOut, "the peer did not answer in time");
        called.await.map_err(late)?
    }

    /// Asks for the peer's health, and says which wire versions we speak. Fails if there is none in common.
    pub(super) async fn health(&self, own: (u32, u32), deadline: Duration) -> Result<(), CallError> {
        let request = HealthRequest { wire_version_min: own.0, wire_version_max: own.1 };
        let response = self.call(Method::Health, request.encode_to_vec().into(), deadline).await?;
        let health = HealthResponse::decode(response).map_err(|error| CallError::MalformedResponse {
            method: Method::Health,
            reason: error.to_string(),
        })?;
        check_versions(own, (health.wire_version_min, health.wire_version_max))
    }

    /// Ends the connection as soon as no call is under way on it.
    pub(super) fn retire(&self) {
        self.retiring.send_replace(true);
    }

    pub(super) fn close(&self, code: u32, reason: &str) {
        Streams::close(&self.connection, code, reason);
    }

    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.path().address
    }

    pub(super) fn path(&self) -> Path {
        let paths = self.connection.paths();
        let Some(path) = paths.iter().find(|path| path.is_selected()).or_else(|| paths.iter().next()) else {
            return Path { kind: PathKind::Offline, address: None, rtt: None };
        };
        let rtt = Some(path.rtt());
        match path.remote_addr() {
            TransportAddr::Ip(address) => Path { kind: PathKind::Direct, address: Some(*address), rtt },
            _ => Path { kind: PathKind::Relayed, address: None, rtt },
        }
    }

    /// Waits until nothing keeps the retiring connection open, or for as long as a call may take.
    async fn may_close(&self, call_timeout: Duration) {
        let mut retiring = self.retiring.subscribe();
        if retiring.wait_for(|retiring| *retiring).await.is_err() {
            return;
        }
        let quiet = async {
            loop {
                self.activity.idle().await;
                tokio::time::sleep(QUIET_BEFORE_CLOSE).await;
                if self.activity.is_idle() {
                    return;
                }
            }
        };
        // Late or not, the connection is closed.
        let _ = timeout(2 * call_timeout, quiet).await;
    }
}

/// The wire versions of both sides must overlap.
pub(super) fn check_versions(own: (u32, u32), peer: (u32, u32)) -> Result<(), CallError> {
    if own.0.max(peer.0) <= own.1.min(peer.1) {
        return Ok(());
    }
    let message =
        format!("we speak wire versions {} to {}, the peer speaks {} to {}", own.0, own.1, peer.0, peer.1);
    Err(CallError::transport(TransportErrorKind::VersionMismatch, message))
}

/// The stream of a call. What is given up is reset, so that the peer neither goes on answering nor takes the half
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

/// Enters a connection that we dialled, whose other end has answered `Health`, and has it carried to its end.
pub(super) async fn dialled(shared: &Arc<Shared>, link: Arc<Link>) {
    if enter(shared, &link).await {
        let serving = serving(shared, &link);
        shared.spawn(carry(Arc::clone(shared), link, serving));
    }
}

/// Waits for `Health` on a connection that the peer dialled, enters the connection and carries it to its end.
pub(super) async fn accepted(shared: Arc<Shared>, link: Arc<Link>) {
    let serving = serving(&shared, &link);
    let greeted = tokio::select! {
        greeted = greet(&shared, &link, &serving) => greeted,
        () = shared.stopped() => return,
    };
    match greeted {
        Ok(true) if enter(&shared, &link).await => carry(shared, link, serving).await,
        Ok(_) => {}
        Err(error) => {
            end(&shared, &link, error);
        }
    }
}

fn serving(shared: &Shared, link: &Link) -> Serving<Connection> {
    Serving {
        streams: link.connection.clone(),
        server: shared.server.for_connection(),
        caller: Caller::Node(link.node),
        calls_max: shared.limits.streams_per_connection_max,
        activity: link.activity.clone(),
    }
}

/// Hears and answers the peer's `Health`; false if it speaks no wire version that we do.
async fn greet(shared: &Shared, link: &Link, serving: &Serving<Connection>) -> Result<bool, ServeError> {
    let time = Duration::from_millis(shared.limits.handshake_timeout_ms);
    let hello = serving.greet(time).await?;
    let versions = (hello.wire_version_min, hello.wire_version_max);
    let Err(error) = check_versions(shared.wire_versions, versions) else { return Ok(true) };
    tracing::warn!(node = %link.node, %error, "a peer speaks another protocol");
    shared.table().failed(link.node, error.to_string());
    // The peer learns the same from our answer, and closes.
    let _ = timeout(time, link.connection.closed()).await;
    link.close(code::VERSION, "no common wire version");
    Ok(false)
}

/// Serves the connection until it ends, retires, or the node stops.
async fn carry(shared: Arc<Shared>, link: Arc<Link>, serving: Serving<Connection>) {
    let call_timeout = Duration::from_millis(shared.limits.call_timeout_ms);
    let mut served = pin!(serving.run());
    // Calls under way go on only while `served` is polled.
    let reason = tokio::select! {
        error = &mut served => end(&shared, &link, error),
        () = link.may_close(call_timeout) => {
            link.close(code::DUPLICATE, "no longer used");
            "no longer used".to_owned()
        }
        () = shared.stopped() => {
            tokio::select! {
                _ = &mut served => {}
                _ = timeout(DRAIN, link.activity.idle()) => {}
            }
            link.close(code::DONE, "the node stops");
            "the node stops".to_owned()
        }
    };
    depart(&shared, &link, &reason).await;
}

/// Enters the connection into the table; closes it and returns false if the peer has too many.
async fn enter(shared: &Arc<Shared>, link: &Arc<Link>) -> bool {
    let permit = shared.event().await;
    let admission = shared.table().admit(link.node, link, link.dialler);
    match admission {
        Admission::First => {
            if let Some(permit) = permit {
                permit.send(PeerEvent::Connected { node: link.node, address: link.address() });
            }
        }
        Admission::Replaces(old) => old.retire(),
        Admission::Challenges(current) => shared.spawn(verify(Arc::clone(shared), current)),
        Admission::TooMany => {
            link.close(code::REFUSED, "too many connections with this node");
            return false;
        }
    }
    true
}

/// Has a connection show a sign of life, and ends it if there is none. Its challengers retire or take over.
pub(super) async fn verify(shared: Arc<Shared>, link: Arc<Link>) {
    match link.health(shared.wire_versions, SIGN_OF_LIFE).await {
        // A peer that is too busy to answer is alive.
        Ok(()) | Err(CallError::Failure(_)) => {
            let challengers = shared.table().confirmed(link.node, &link);
            for challenger in challengers {
                challenger.retire();
            }
        }
        Err(error) => {
            tracing::debug!(node = %link.node, %error, "a connection shows no sign of life");
            link.close(code::TIMED_OUT, "no sign of life");
        }
    }
}

/// Closes the connection as its end demands, and says why it ended.
fn end(shared: &Shared, link: &Link, error: ServeError) -> String {
    if matches!(error, ServeError::Ended(_)) {
        return error.to_string();
    }
    tracing::warn!(node = %link.node, %error, "ending a connection");
    link.close(code::VIOLATION, &error.to_string());
    if matches!(error, ServeError::Misbehaved(_)) {
        shared.admissions.ban(link.node, Instant::now());
    }
    error.to_string()
}

async fn depart(shared: &Shared, link: &Arc<Link>, reason: &str) {
    let permit = shared.event().await;
    let departure = shared.table().departed(link.node, link, reason);
    if let (Departure::Disconnected, Some(permit)) = (departure, permit) {
        permit.send(PeerEvent::Disconnected { node: link.node, reason: reason.to_owned() });
    }
}
