//! One connection with a peer: calls over it, serving it, and its end.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use iroh::TransportAddr;
use iroh::endpoint::Connection;
use qpq_proto::ids::NodeKey;
use qpq_proto::limits::Limits;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};

use super::table::{Admission, Departure, Dialler};
use super::{PathKind, PeerEvent, Shared, doubt, relays};
use crate::admission::Slot;
use crate::caller::{Caller, ConnectionId, Exporter, Peer};
use crate::calls::{Calls, check_versions};
use crate::push::Events;
use crate::serve::{Activity, ServeError, Serving};
use crate::streams::{Ended, Streams, code};

/// How long no call must be under way on a retiring connection: the other side may not know yet.
const QUIET_BEFORE_CLOSE: Duration = Duration::from_secs(1);

/// How long calls under way may go on when the node stops.
const DRAIN: Duration = Duration::from_secs(5);

/// One connection with a peer.
pub(super) struct Link {
    pub(super) node: NodeKey,
    pub(super) connection: Connection,
    /// Our own calls over it.
    pub(super) calls: Calls<Connection>,
    /// What both ends sign over to log in.
    pub(super) exporter: Exporter,
    dialler: Dialler,
    activity: Activity,
    retiring: watch::Sender<bool>,
    /// Somebody takes the peer's events.
    has_events: AtomicBool,
    /// The place among all connections; free again when the link is gone.
    _slot: Slot,
}

/// How a connection reaches the peer at the moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Path {
    pub(super) kind: PathKind,
    pub(super) address: Option<SocketAddr>,
    /// Host and port.
    pub(super) relay: Option<String>,
    pub(super) rtt: Option<Duration>,
}

impl PartialEq for Link {
    fn eq(&self, other: &Self) -> bool {
        self.connection.stable_id() == other.connection.stable_id()
    }
}

impl Link {
    /// A connection whose handshake is complete.
    pub(super) fn new(
        shared: &Shared,
        connection: Connection,
        dialler: Dialler,
        slot: Slot,
    ) -> Result<Self, Ended> {
        let activity = Activity::new();
        let budget = shared.responses.clone();
        Ok(Self {
            exporter: Streams::exporter(&connection)?,
            node: NodeKey::from_bytes(*connection.remote_id().as_bytes()),
            calls: Calls::new(connection.clone(), &shared.limits, activity.clone(), budget),
            connection,
            dialler,
            activity,
            retiring: watch::Sender::new(false),
            has_events: AtomicBool::new(false),
            _slot: slot,
        })
    }

    /// Ends the connection as soon as no call is under way on it.
    pub(super) fn retire(&self) {
        self.retiring.send_replace(true);
    }

    /// The events that the peer pushes, for whoever asks first.
    pub(super) fn events(&self, limits: &Limits) -> Option<Events> {
        let is_first = !self.has_events.swap(true, Ordering::Relaxed);
        is_first.then(|| Events::read(self.connection.clone(), limits))
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
            return Path::default();
        };
        let known = Path { rtt: Some(path.rtt()), ..Path::default() };
        match path.remote_addr() {
            TransportAddr::Ip(address) => Path { kind: PathKind::Direct, address: Some(*address), ..known },
            TransportAddr::Relay(url) => {
                Path { kind: PathKind::Relayed, relay: Some(relays::shown(url)), ..known }
            }
            _ => Path { kind: PathKind::Relayed, ..known },
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
    let caller = Caller {
        connection: ConnectionId::next(),
        peer: Peer::Node(link.node),
        address: link.address().map(|address| address.ip().to_canonical()),
        exporter: link.exporter,
    };
    Serving {
        streams: link.connection.clone(),
        server: shared.server.for_connection(caller),
        subscription: shared.pushes.enter(caller.connection),
        calls_at_first: shared.limits.streams_per_connection_max,
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

/// Serves the connection until it ends, and sees to what follows.
async fn carry(shared: Arc<Shared>, link: Arc<Link>, serving: Serving<Connection>) {
    let reason = serve(&shared, &link, &serving).await;
    // The service learns of the end now, and does not wait for whoever takes the events.
    drop(serving);
    depart(&shared, &link, &reason).await;
}

/// Serves the connection until it ends, retires, or the node stops, and says why it ended.
async fn serve(shared: &Shared, link: &Link, serving: &Serving<Connection>) -> String {
    let call_timeout = Duration::from_millis(shared.limits.call_timeout_ms);
    let mut served = pin!(serving.run());
    // Calls under way go on only while `served` is polled.
    tokio::select! {
        error = &mut served => end(shared, link, error),
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
    }
}

/// Enters the connection into the table; closes it and returns false if the peer has too many.
async fn enter(shared: &Arc<Shared>, link: &Arc<Link>) -> bool {
    let room = shared.two_events().await;
    let admission = shared.table().admit(link.node, link, link.dialler);
    match admission {
        Admission::First => send(room, [connected(link)]),
        Admission::Renews(old) => {
            old.retire();
            send(room, [disconnected(link, "it was dialled again"), connected(link)]);
        }
        Admission::Replaces(old) => old.retire(),
        Admission::Challenges(current) => shared.spawn(doubt::verify(Arc::clone(shared), current)),
        Admission::TooMany => {
            link.close(code::REFUSED, "too many connections with this node");
            return false;
        }
    }
    true
}

/// Closes the connection as its end demands, and says why it ended.
fn end(shared: &Shared, link: &Link, error: ServeError) -> String {
    if matches!(error, ServeError::Ended(_)) {
        return error.to_string();
    }
    if let ServeError::Unwanted(reason) = &error {
        link.close(code::ENDED, reason);
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
    let room = shared.two_events().await;
    let departure = shared.table().departed(link.node, link, reason);
    match departure {
        Departure::Disconnected => send(room, [disconnected(link, reason)]),
        Departure::TakenOver(next) => send(room, [disconnected(link, reason), connected(&next)]),
        Departure::Unnoticed => {}
    }
}

fn connected(link: &Link) -> PeerEvent {
    PeerEvent::Connected { node: link.node, address: link.address() }
}

fn disconnected(link: &Link, reason: &str) -> PeerEvent {
    PeerEvent::Disconnected { node: link.node, reason: reason.to_owned() }
}

fn send<const N: usize>(room: Option<mpsc::PermitIterator<'_, PeerEvent>>, events: [PeerEvent; N]) {
    for (permit, event) in room.into_iter().flatten().zip(events) {
        permit.send(event);
    }
}
