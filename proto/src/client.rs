//! Calling a node: a client over any transport that carries frames.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use prost::Message;

use crate::failure::Failure;
use crate::generated::methods::Method;

/// Carries one call to one node: a QUIC stream, or the local socket.
pub trait Transport {
    /// Sends the request's payload and waits for the response's.
    ///
    /// # Errors
    /// [`CallError::Failure`] if the node answered with a status other than `Ok`, [`CallError::Transport`] if no
    /// answer came.
    fn call(&self, method: Method, payload: Bytes) -> impl Future<Output = Result<Bytes, CallError>> + Send;
}

impl<T: Transport + ?Sized> Transport for &T {
    fn call(&self, method: Method, payload: Bytes) -> impl Future<Output = Result<Bytes, CallError>> + Send {
        (**self).call(method, payload)
    }
}

impl<T: Transport + ?Sized> Transport for Arc<T> {
    fn call(&self, method: Method, payload: Bytes) -> impl Future<Output = Result<Bytes, CallError>> + Send {
        (**self).call(method, payload)
    }
}

/// Has one asynchronous method for each method of the table.
#[derive(Clone, Debug)]
pub struct Client<T> {
    transport: T,
}

impl<T> Client<T> {
    /// A client that calls over this transport.
    pub const fn new(transport: T) -> Self {
        Self { transport }
    }

    /// The transport, for calls by number.
    pub const fn transport(&self) -> &T {
        &self.transport
    }

    /// The transport back.
    pub fn into_transport(self) -> T {
        self.transport
    }
}

impl<T: Transport> Client<T> {
    pub(crate) async fn call<Q, R>(&self, method: Method, request: &Q) -> Result<R, CallError>
    where
        Q: Message,
        R: Message + Default,
    {
        let bytes = request.encoded_len();
        if bytes > method.request_bytes_max() {
            return Err(CallError::RequestTooLarge { bytes });
        }
        let payload = self.transport.call(method, request.encode_to_vec().into()).await?;
        if payload.len() > method.response_bytes_max() {
            let reason = format!("{} bytes are too many", payload.len());
            return Err(CallError::MalformedResponse { method, reason });
        }
        R::decode(payload).map_err(|error| CallError::MalformedResponse { method, reason: error.to_string() })
    }
}

/// Why a call brought no response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The node answered with a status other than `Ok`.
    #[error(transparent)]
    Failure(#[from] Failure),
    /// No answer came; whether the node carried the call out is unknown unless the kind says so.
    #[error("{kind}: {message}")]
    Transport {
        /// What kind of trouble, for programs.
        kind: TransportErrorKind,
        /// What happened, for a person.
        message: String,
    },
    /// The request is longer than the method allows; nothing was sent.
    #[error("request of {bytes} bytes is longer than the method allows")]
    RequestTooLarge {
        /// Length of the encoded request.
        bytes: usize,
    },
    /// The response is no message of the method's response type.
    #[error("malformed response to {}: {reason}", .method.name())]
    MalformedResponse {
        /// What was called.
        method: Method,
        /// What the decoder said.
        reason: String,
    },
}

impl CallError {
    /// No answer came.
    #[must_use]
    pub fn transport(kind: TransportErrorKind, message: impl Into<String>) -> Self {
        Self::Transport { kind, message: message.into() }
    }

    /// The failure, if the node answered with one.
    #[must_use]
    pub const fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failure(failure) => Some(failure),
            _ => None,
        }
    }
}

/// What kind of trouble a transport had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum TransportErrorKind {
    /// There is no connection to the node; nothing was sent.
    #[error("unreachable")]
    Unreachable,
    /// Too many calls to the node are in flight; nothing was sent.
    #[error("busy")]
    Busy,
    /// The connection ended before the answer came.
    #[error("connection lost")]
    ConnectionLost,
    /// The answer did not come in time.
    #[error("timed out")]
    TimedOut,
    /// The node broke the protocol, such as by a malformed frame.
    #[error("protocol violation")]
    ProtocolViolation,
    /// The two ends have no wire version in common.
    #[error("no common wire version")]
    VersionMismatch,
}
