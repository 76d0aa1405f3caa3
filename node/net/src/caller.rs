//! Who calls, and who answers.

use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;

use bytes::Bytes;
use portable_atomic::{AtomicU64, Ordering};
use qpq_proto::ids::NodeKey;
use qpq_proto::{CallerClass, Failure, Method};

/// Answers calls. The node implements it once; the peers' connections, the owner's socket and the direct listener
/// all bring their calls to it.
///
/// By then the frame has been checked, the method is known, and the method table permits the caller to call it, by
/// itself or once it is logged in ([`Caller::check`]). The payload has not been looked at.
pub trait Service: Send + Sync + 'static {
    /// Carries one call out and returns the response's payload.
    ///
    /// The future is dropped when the caller goes away or its time is up: what must be finished regardless belongs
    /// into a task of the service's own. A panic is answered with `Internal` and hurts no other call.
    fn call(&self, caller: Caller, method: Method, payload: Bytes) -> Answer<'_>;

    /// A connection over which calls came has ended, and none comes over it any more. Said once, for each such
    /// connection, when the futures of its calls are gone; must not wait, and may be outside of any runtime.
    fn disconnected(&self, _connection: ConnectionId) {}
}

/// What [`Service::call`] returns.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Result<Bytes, Failure>> + Send + 'a>>;

/// Names a connection for as long as it lasts, whatever it goes over. Never used again within one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

impl ConnectionId {
    /// The next one.
    pub(crate) fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// At the other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// A program of the owner's, on the local socket.
    Owner,
    /// A node that proved that it holds this key.
    Node(NodeKey),
    /// Somebody on the direct listener who has shown nothing.
    Anyone,
}

/// A value that both ends of a connection export from its TLS session (RFC 8446, section 7.5) and nobody else knows, the
/// same whenever they ask. What is signed over it is worth nothing on another connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Exporter(pub [u8; EXPORTER_BYTES]);

/// Bytes of an exporter's value.
pub const EXPORTER_BYTES: usize = 32;

/// The label under which the value is exported, with an empty context.
pub const EXPORTER_LABEL: &[u8] = b"EXPORTER-qpq-session";

impl Exporter {
    /// Of a connection without TLS, over which nobody can log in: what is signed over it proves nothing.
    pub const NONE: Self = Self([0; EXPORTER_BYTES]);
}

impl fmt::Debug for Exporter {
    /// Leaves the value out.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Exporter")
    }
}

/// Who calls, as the connection has shown it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// Over which connection.
    pub connection: ConnectionId,
    /// Who is at its other end.
    pub peer: Peer,
    /// Where its packets came from when it began; nothing over the local socket. Validated by the handshake, and no more
    /// than a hint about who it is.
    pub address: Option<IpAddr>,
    /// What to sign over to log in on this connection; [`Exporter::NONE`] over the local socket.
    pub exporter: Exporter,
}

impl Caller {
    /// A program of the owner's, on a new connection to the local socket.
    pub(crate) fn owner() -> Self {
        Self { connection: ConnectionId::next(), peer: Peer::Owner, address: None, exporter: Exporter::NONE }
    }

    /// The class in which the caller calls this method without being logged in.
    pub fn class(&self, method: Method) -> CallerClass {
        match self.peer {
            Peer::Owner => CallerClass::Owner,
            Peer::Node(_) => CallerClass::Node,
            Peer::Anyone => method.access().unauthenticated(),
        }
    }

    /// Whether the method table lets this caller call the method, by itself or logged in. Who is logged in over which
    /// connection is the service's to know, which refuses everybody else.
    ///
    /// # Errors
    /// `Forbidden`.
    pub fn check(&self, method: Method) -> Result<(), Failure> {
        // An administrator may call whatever a session may.
        if method.access().permits(CallerClass::Administrator) {
            return Ok(());
        }
        self.check_without_session(method)
    }

    /// Whether the method table lets this caller call the method without being logged in.
    ///
    /// # Errors
    /// `Unauthorized` for a caller who has shown nothing and might by logging in, `Forbidden` for every other.
    pub fn check_without_session(&self, method: Method) -> Result<(), Failure> {
        if method.access().permits(self.class(method)) {
            return Ok(());
        }
        Err(match self.peer {
            Peer::Anyone if method.access().permits(CallerClass::Session) => {
                Failure::unauthorized(format!("{} needs a session", method.name()))
            }
            peer => Failure::forbidden(format!("{} is not for a {peer}", method.name())),
        })
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Owner => "program of the owner's",
            Self::Node(_) => "peer node",
            Self::Anyone => "caller without a session",
        })
    }
}

#[cfg(test)]
mod tests;
