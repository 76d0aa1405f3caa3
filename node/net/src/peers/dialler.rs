//! Dialling the peers that are wanted: one task for each.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use iroh::endpoint::{ConnectError, ConnectingError, ConnectionError, TransportErrorCode};
use iroh::{EndpointAddr, EndpointId, TransportAddr};
use qpq_proto::ids::NodeKey;
use qpq_proto::limits::Limits;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::link::{self, Link};
use super::table::{Dialler, Task};
use super::{ALPN, Shared, describe};
use crate::streams::{Ended, code};
use crate::tls::{self, KeyExchange};

/// A connection that lasted this long was a success: the next dial after it is not put off.
const LASTING: Duration = Duration::from_secs(10);

/// Dials of one peer at the same time, each with other addresses.
const DIALS_PER_PEER_MAX: usize = 2;

/// Why a dial failed; for a person.
#[derive(Debug, thiserror::Error)]
enum DialError {
    #[error("the node key is not a valid public key")]
    InvalidKey,
    #[error("too many connections")]
    TooMany,
    #[error("no answer in time")]
    NoAnswer,
    #[error(
        "the peer does not offer the key exchange X25519MLKEM768, on which this node insists: \
         the peer's program has to be brought up to date"
    )]
    PeerLacksHybrid,
    #[error(
        "the peer insists on the key exchange X25519MLKEM768, which this node does not offer: \
         this node has to prefer it, as it does unless told otherwise"
    )]
    PeerInsistsOnHybrid,
    #[error("the peer has no key exchange in common with this node, which offers X25519MLKEM768 and X25519")]
    NoKeyExchange,
    #[error("{0}")]
    Connect(String),
    #[error("the peer accepted the connection and then failed: {0}")]
    Health(#[from] qpq_proto::CallError),
}

/// Keeps a peer connected until nobody wants it any more, or the node stops.
pub(super) async fn run(shared: Arc<Shared>, node: NodeKey) {
    tokio::select! {
        () = keep_connected(&shared, node) => {}
        () = shared.stopped() => {}
    }
}

async fn keep_connected(shared: &Arc<Shared>, node: NodeKey) {
    let mut pause = Pause::new(&shared.limits);
    loop {
        let (task, wake) = shared.table().task(node);
        match task {
            Task::End => return,
            Task::Dial(_) => pause.wait(&wake).await,
            Task::Wait => {
                let since = Instant::now();
                wake.notified().await;
                if since.elapsed() >= LASTING {
                    pause.reset();
                }
                continue;
            }
        }
        // Much may have changed during the pause.
        let Task::Dial(addresses) = shared.table().task(node).0 else { continue };
        if let Err(error) = dial_all(shared, node, addresses, &wake).await {
            tracing::debug!(%node, %error, "cannot reach a peer");
            shared.table().failed(node, error.to_string());
        }
    }
}

/// Dials the addresses, and others that become known meanwhile, until one dial succeeds or all have failed.
///
/// A dial of an address where nobody is left takes its whole time. It is not broken off for a new address either, since
/// that may come from a stranger and be wrong.
async fn dial_all(
    shared: &Arc<Shared>,
    node: NodeKey,
    mut addresses: Vec<SocketAddr>,
    wake: &Notify,
) -> Result<(), DialError> {
    // The semaphore is never closed.
    let _turn = shared.dials.acquire().await;
    let mut dials = JoinSet::new();
    dials.spawn(dial(Arc::clone(shared), node, addresses.clone()));
    loop {
        tokio::select! {
            Some(dialled) = dials.join_next() => match dialled {
                Ok(Err(error)) if dials.is_empty() => return Err(error),
                Ok(Err(_)) => {}
                Ok(Ok(())) | Err(_) => return Ok(()),
            },
            () = wake.notified(), if dials.len() < DIALS_PER_PEER_MAX => match shared.table().task(node).0 {
                Task::Dial(known) if known != addresses => {
                    addresses.clone_from(&known);
                    dials.spawn(dial(Arc::clone(shared), node, known));
                }
                Task::Dial(_) => {}
                Task::Wait | Task::End => return Ok(()),
            },
        }
    }
}

/// Dials once; the connection then has a task of its own.
async fn dial(shared: Arc<Shared>, node: NodeKey, addresses: Vec<SocketAddr>) -> Result<(), DialError> {
    let shared = &shared;
    let slot = shared.admissions.outgoing().map_err(|_| DialError::TooMany)?;
    let id = EndpointId::from_bytes(node.as_bytes()).map_err(|_| DialError::InvalidKey)?;
    // Of relays our own are passed on alone: iroh would dial whatever relay a peer names.
    let direct = addresses.into_iter().map(TransportAddr::Ip);
    let address = EndpointAddr::from_parts(id, direct.chain(shared.packet_relays.addresses()));
    let time = Duration::from_millis(shared.limits.handshake_timeout_ms);
    let connecting = timeout(time, shared.endpoint.connect(address, ALPN)).await;
    let connected = connecting.map_err(|_| DialError::NoAnswer)?;
    let connection = connected.map_err(|error| connect_error(&error, shared.key_exchange))?;
    let link = Link::new(shared, connection, Dialler::Us, slot);
    let link = Arc::new(link.map_err(|Ended(reason)| DialError::Connect(reason))?);
    if let Err(error) = link.calls.health(shared.wire_versions, time).await {
        link.close(code::VERSION, "no use of the connection");
        return Err(error.into());
    }
    link::dialled(shared, link).await;
    Ok(())
}

fn connect_error(error: &ConnectError, own: KeyExchange) -> DialError {
    let source = match error {
        ConnectError::Connection { source, .. } => Some(source),
        ConnectError::Connecting { source: ConnectingError::ConnectionError { source, .. }, .. } => {
            Some(source)
        }
        _ => None,
    };
    match source {
        Some(ConnectionError::TimedOut) => DialError::NoAnswer,
        Some(error) if is_without_group(error) => match own {
            KeyExchange::HybridOnly => DialError::PeerLacksHybrid,
            KeyExchange::ClassicalOnly => DialError::PeerInsistsOnHybrid,
            KeyExchange::HybridPreferred => DialError::NoKeyExchange,
        },
        _ => DialError::Connect(describe(error)),
    }
}

/// Whether the handshake failed because there is no group in common, as one side or the other found out.
fn is_without_group(error: &ConnectionError) -> bool {
    match error {
        ConnectionError::TransportError(error) => {
            let cause = error.crypto.as_deref().and_then(|cause| cause.downcast_ref());
            cause.is_some_and(tls::is_without_group)
        }
        // The alert says it (RFC 8446, alert 40), or the text that goes with it.
        ConnectionError::ConnectionClosed(close) => {
            close.error_code == TransportErrorCode::crypto(40)
                || close.reason.as_ref() == tls::without_group().to_string().as_bytes()
        }
        _ => false,
    }
}

/// The pauses between dials: none before the first, then from the shortest doubling to the longest, each cut by up to
/// half at random so that nodes that lost each other do not meet in step.
struct Pause {
    min: Duration,
    max: Duration,
    next: Option<Duration>,
}

impl Pause {
    fn new(limits: &Limits) -> Self {
        let min = Duration::from_millis(limits.dial_backoff_min_ms);
        Self { min, max: Duration::from_millis(limits.dial_backoff_max_ms), next: None }
    }

    fn reset(&mut self) {
        self.next = None;
    }

    /// Waits before the next dial. What wakes it up, such as a new address, shortens the wait to the shortest pause,
    /// below which nothing makes it go: addresses come from strangers.
    async fn wait(&mut self, wake: &Notify) {
        let Some(pause) = self.next else {
            self.next = Some(self.min);
            return;
        };
        self.next = Some((2 * pause).min(self.max));
        sleep(self.min).await;
        tokio::select! {
            () = sleep(jittered(pause).saturating_sub(self.min)) => {}
            () = wake.notified() => self.next = Some(self.min),
        }
    }
}

/// Between half of the pause and all of it.
fn jittered(pause: Duration) -> Duration {
    // Without randomness there is no jitter, which costs little.
    let part = getrandom::u32().unwrap_or(u32::MAX);
    pause / 2 + pause.mul_f64(f64::from(part) / f64::from(u32::MAX) / 2.0)
}

#[cfg(test)]
mod tests;
