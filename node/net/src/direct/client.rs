//! A program's end of a direct connection.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use qpq_proto::limits::{FRAME_PAYLOAD_BYTES_MAX, Limits, WIRE_VERSION};
use qpq_proto::{CallError, Method, Transport};
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Connection, Endpoint};
use rustls::RootCertStore;
use rustls::pki_types::ServerName;
use tokio::time::timeout;

use super::{ALPN, transport};
use crate::Pin;
use crate::budget::Budget;
use crate::caller::Exporter;
use crate::calls::Calls;
use crate::push::Events;
use crate::serve::Activity;
use crate::streams::{Streams, code};
use crate::tls::{self, Pinned};

/// By what the server's certificate is recognised.
#[derive(Debug, Clone)]
pub enum Trust {
    /// It is this very certificate, whatever name and date it carries.
    Pin(Pin),
    /// It leads to one of these authorities and names the server so.
    Roots {
        /// The authorities.
        roots: Arc<RootCertStore>,
        /// The name that must stand in the certificate.
        server_name: String,
    },
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The name cannot be a server's.
    #[error("{0} is not a server name")]
    ServerName(String),
    /// The system or the TLS library refused before anything was sent.
    #[error("cannot connect: {0}")]
    Local(String),
    /// The server is not the one that is trusted.
    #[error("the server shows a certificate that is not trusted: {0}")]
    Untrusted(String),
    /// There is nobody, or not somebody who speaks the protocol.
    #[error("no connection with {address}: {reason}")]
    Handshake {
        /// Where.
        address: SocketAddr,
        /// Why, for a person.
        reason: String,
    },
    /// The server does not answer in time.
    #[error("no answer from {address}")]
    TimedOut {
        /// Where.
        address: SocketAddr,
    },
    /// The server did not answer `Health`, or speaks another wire version.
    #[error("the server accepted the connection and then failed: {0}")]
    Health(#[from] CallError),
}

/// A connection to a node's direct listener. Ends when it is dropped.
pub struct DirectClient {
    calls: Calls<Connection>,
    connection: Connection,
    call_timeout: Duration,
    exporter: Exporter,
    limits: Limits,
    has_events: AtomicBool,
    /// Keeps the socket.
    _endpoint: Endpoint,
}

impl DirectClient {
    /// Connects, checks the server's certificate, and asks for its health.
    ///
    /// # Errors
    /// Says whether the server is not there, not trusted, or of another version.
    pub async fn connect(address: SocketAddr, trust: &Trust, limits: &Limits) -> Result<Self, ConnectError> {
        let unspecified: SocketAddr = match address {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        Self::connect_from(unspecified, address, trust, limits).await
    }

    /// Connects from an address of this machine's, of the same family; port 0 lets the system choose one.
    ///
    /// # Errors
    /// As [`connect`](Self::connect), and if the address is none of this machine's.
    pub async fn connect_from(
        own: SocketAddr,
        address: SocketAddr,
        trust: &Trust,
        limits: &Limits,
    ) -> Result<Self, ConnectError> {
        let local = |error: &dyn std::error::Error| ConnectError::Local(error.to_string());
        let endpoint = Endpoint::client(own).map_err(|error| local(&error))?;
        let (config, server_name) = client_config(trust, limits)?;
        let connecting =
            endpoint.connect_with(config, address, &server_name).map_err(|error| local(&error))?;
        let time = Duration::from_millis(limits.handshake_timeout_ms);
        let connected = timeout(time, connecting).await.map_err(|_| ConnectError::TimedOut { address })?;
        let connection = connected.map_err(|error| handshake_error(address, &error))?;
        let exporter = Streams::exporter(&connection).map_err(|error| local(&error))?;
        let budget = Budget::new(limits.call_bytes_in_memory_max, FRAME_PAYLOAD_BYTES_MAX);
        let calls = Calls::new(connection.clone(), limits, Activity::new(), budget);
        calls.health((WIRE_VERSION, WIRE_VERSION), time).await?;
        let call_timeout = Duration::from_millis(limits.call_timeout_ms);
        let (limits, has_events) = (limits.clone(), AtomicBool::new(false));
        Ok(Self { calls, connection, call_timeout, exporter, limits, has_events, _endpoint: endpoint })
    }

    /// What to sign over to log in: the server knows the same value for this connection, and nobody else does.
    pub fn exporter(&self) -> Exporter {
        self.exporter
    }

    /// Waits until the connection has ended, and says why.
    pub async fn closed(&self) -> String {
        self.connection.closed().await.to_string()
    }

    /// Whether the connection has ended.
    pub fn is_closed(&self) -> bool {
        self.connection.close_reason().is_some()
    }

    /// The events that the server pushes. It may push none before this is called; a second call returns `None`. Must be
    /// called within a tokio runtime.
    pub fn events(&self) -> Option<Events> {
        let is_first = !self.has_events.swap(true, Ordering::Relaxed);
        is_first.then(|| Events::read(self.connection.clone(), &self.limits))
    }
}

impl Transport for DirectClient {
    async fn call(&self, method: Method, payload: Bytes) -> Result<Bytes, CallError> {
        self.calls.call(method, payload, self.call_timeout).await
    }
}

impl Drop for DirectClient {
    fn drop(&mut self) {
        Streams::close(&self.connection, code::DONE, "");
    }
}

impl std::fmt::Debug for DirectClient {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("DirectClient").field(&self.connection.remote_address()).finish()
    }
}

fn handshake_error(address: SocketAddr, error: &quinn::ConnectionError) -> ConnectError {
    /// TLS alerts about certificates, from bad_certificate to access_denied (RFC 8446, section 6).
    const CERTIFICATE_ALERTS: std::ops::RangeInclusive<u8> = 42..=49;
    let is_untrusted = |code: quinn::TransportErrorCode| {
        CERTIFICATE_ALERTS.map(quinn::TransportErrorCode::crypto).any(|alert| alert == code)
    };
    match error {
        quinn::ConnectionError::TransportError(error) if is_untrusted(error.code) => {
            ConnectError::Untrusted(error.reason.clone())
        }
        error => ConnectError::Handshake { address, reason: error.to_string() },
    }
}

fn client_config(trust: &Trust, limits: &Limits) -> Result<(ClientConfig, String), ConnectError> {
    /// A pinned server is asked for by no name of its own.
    const PINNED_NAME: &str = "qpq.invalid";
    let local = |error: &dyn std::error::Error| ConnectError::Local(error.to_string());
    let provider = tls::provider();
    let builder = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| local(&error))?;
    let (mut tls, name) = match trust {
        Trust::Pin(pin) => {
            let expected = *pin;
            let verifier = Arc::new(Pinned::new(provider, move |_, shown| shown == expected));
            let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
            (builder.with_no_client_auth(), PINNED_NAME.to_owned())
        }
        Trust::Roots { roots, server_name } => {
            ServerName::try_from(server_name.as_str())
                .map_err(|_| ConnectError::ServerName(server_name.clone()))?;
            (builder.with_root_certificates(Arc::clone(roots)).with_no_client_auth(), server_name.clone())
        }
    };
    tls.enable_sni = matches!(trust, Trust::Roots { .. });
    tls.alpn_protocols = vec![ALPN.to_vec()];
    let quic = QuicClientConfig::try_from(tls).map_err(|error| local(&error))?;
    let mut config = ClientConfig::new(Arc::new(quic));
    let mut transport = transport(limits, 0);
    transport.keep_alive_interval(Some(Duration::from_millis(limits.keep_alive_interval_ms)));
    config.transport_config(Arc::new(transport));
    Ok((config, name))
}
