//! Who calls, and who answers.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;

use bytes::Bytes;
use qpq_proto::ids::NodeKey;
use qpq_proto::{CallerClass, Failure, Method};

/// Answers calls. The node implements it once; the peers' connections, the owner's socket and the direct listener
/// all bring their calls to it.
///
/// By then the frame has been checked, the method is known, and the method table permits the caller's class to call
/// it. The payload has not been looked at.
pub trait Service: Send + Sync + 'static {
    /// Carries one call out and returns the response's payload.
    ///
    /// The future is dropped when the caller goes away or its time is up: what must be finished regardless belongs
    /// into a task of the service's own. A panic is answered with `Internal` and hurts no other call.
    fn call(&self, caller: Caller, method: Method, payload: Bytes) -> Answer<'_>;
}

/// What [`Service::call`] returns.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Result<Bytes, Failure>> + Send + 'a>>;

/// What a connection has shown about who is at its other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Caller {
    /// A program of the owner's, on the local socket.
    Owner,
    /// A peer that proved that it holds this node key.
    Node(NodeKey),
    /// Somebody on the direct listener who has shown nothing.
    Public {
        /// Where the packets come from; validated by the handshake, and no more than a hint about who it is.
        address: SocketAddr,
    },
}

impl Caller {
    /// The class in which the caller calls this method.
    pub fn class(&self, method: Method) -> CallerClass {
        match self {
            Self::Owner => CallerClass::Owner,
            Self::Node(_) => CallerClass::Node,
            Self::Public { .. } => method.access().unauthenticated(),
        }
    }

    /// Whether the method table lets this caller call the method.
    ///
    /// # Errors
    /// `Unauthorized` for a caller who has shown nothing and might by logging in, `Forbidden` for every other.
    pub fn check(&self, method: Method) -> Result<(), Failure> {
        if method.access().permits(self.class(method)) {
            return Ok(());
        }
        Err(match self {
            Self::Public { .. } if method.access().permits(CallerClass::Session) => {
                Failure::unauthorized(format!("{} needs a session", method.name()))
            }
            _ => Failure::forbidden(format!("{} is not for a {self}", method.name())),
        })
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Owner => "program of the owner's",
            Self::Node(_) => "peer node",
            Self::Public { .. } => "caller without a session",
        })
    }
}

#[cfg(test)]
mod tests {
    use qpq_proto::Status;

    use super::*;

    const PUBLIC: Caller =
        Caller::Public { address: SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1) };

    fn node() -> Caller {
        Caller::Node(NodeKey::from_bytes([7; 32]))
    }

    #[test]
    fn everybody_may_ask_for_health() {
        for caller in [Caller::Owner, node(), PUBLIC] {
            assert_eq!(caller.check(Method::Health), Ok(()), "{caller:?}");
        }
    }

    #[test]
    fn the_owners_methods_are_the_owners_alone() {
        assert_eq!(Caller::Owner.check(Method::NodeStatus), Ok(()));
        for caller in [node(), PUBLIC] {
            assert_eq!(caller.check(Method::NodeStatus).unwrap_err().status, Status::Forbidden, "{caller:?}");
        }
    }

    #[test]
    fn a_call_that_needs_a_session_says_so() {
        assert_eq!(PUBLIC.check(Method::Fetch).unwrap_err().status, Status::Unauthorized);
        assert_eq!(node().check(Method::Fetch).unwrap_err().status, Status::Forbidden);
    }

    #[test]
    fn a_peer_may_deliver_and_a_stranger_may_with_a_token() {
        for caller in [node(), PUBLIC] {
            assert_eq!(caller.check(Method::Enqueue), Ok(()), "{caller:?}");
        }
        assert_eq!(PUBLIC.class(Method::Enqueue), CallerClass::Token);
    }
}
