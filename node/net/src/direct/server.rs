//! The node's end of direct connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use qpq_proto::limits::Limits;
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{Endpoint, Incoming, ServerConfig};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::certificate::Certificate;
use super::{ALPN, socket, transport};
use crate::admission::{Admissions, Handshake, Verdict};
use crate::caller::{Caller, ConnectionId, Peer, Service};
use crate::push::Pushes;
use crate::rpc::Server;
use crate::serve::{Activity, ServeError, Serving};
use crate::streams::{Streams, code};
use crate::tls;

/// How long calls under way may go on when the listener stops, and the goodbye may take.
const DRAIN: Duration = Duration::from_secs(5);

/// Calls that a connection may have open before it has had so many; more are permitted as they are used. QUIC keeps a place
/// in memory for each.
const STREAMS_AT_FIRST: usize = 4;

/// How to listen.
#[derive(Debug)]
pub struct DirectConfig {
    /// Where.
    pub listen: SocketAddr,
    /// What to show.
    pub certificate: Certificate,
    /// What the node decides for itself; connections are counted apart from those with peers.
    pub limits: Limits,
    /// Reaches those who are connected.
    pub pushes: Pushes,
}

/// Why the node could not begin to listen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// The certificate does not fit its key, or is of an unknown kind.
    #[error("the certificate cannot be used: {0}")]
    Certificate(String),
    /// The system refused, most likely because the port is taken.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
}

/// A listener that is being served. Dropping it ends its connections; [`shutdown`](Self::shutdown) does so in order.
#[derive(Debug)]
pub struct DirectServer {
    endpoint: Endpoint,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

/// Listens, and brings the calls of whoever connects to the service.
///
/// # Errors
/// When the certificate cannot be used or the address is taken. Must be called within a tokio runtime.
pub fn serve(config: DirectConfig, service: Arc<dyn Service>) -> Result<DirectServer, ListenError> {
    let DirectConfig { listen, certificate, limits, pushes } = config;
    let server_config = server_config(certificate, &limits)?;
    let endpoint = socket::listen(server_config, listen)
        .map_err(|source| ListenError::Bind { address: listen, source })?;
    let stop = watch::Sender::new(false);
    let listener = Listener {
        server: Server::new(service, &limits),
        admissions: Admissions::new(&limits),
        pushes,
        limits,
        stop: stop.clone(),
    };
    let task = tokio::spawn(accept(endpoint.clone(), Arc::new(listener)));
    Ok(DirectServer { endpoint, stop, task })
}

impl DirectServer {
    /// Where the node listens, with the port that the system chose.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.endpoint.local_addr()
    }

    /// Takes no more calls, lets those under way finish for a while, and says goodbye.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        // The task ends by itself; that it panicked would be logged by the panic hook.
        let _ = (&mut self.task).await;
        let _ = timeout(DRAIN, self.endpoint.wait_idle()).await;
    }
}

impl Drop for DirectServer {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

/// What the connections of a listener share.
struct Listener {
    server: Server,
    admissions: Admissions,
    pushes: Pushes,
    limits: Limits,
    stop: watch::Sender<bool>,
}

fn server_config(certificate: Certificate, limits: &Limits) -> Result<ServerConfig, ListenError> {
    let unusable = |error: &dyn std::error::Error| ListenError::Certificate(error.to_string());
    let mut tls = rustls::ServerConfig::builder_with_provider(tls::provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .and_then(|builder| {
            builder.with_no_client_auth().with_single_cert(certificate.chain, certificate.key)
        })
        .map_err(|error| unusable(&error))?;
    tls.alpn_protocols = vec![ALPN.to_vec()];
    let quic = QuicServerConfig::try_from(tls).map_err(|error| unusable(&error))?;
    let mut config = ServerConfig::with_crypto(Arc::new(quic));
    let streams = STREAMS_AT_FIRST.min(limits.streams_per_connection_max);
    config.transport_config(Arc::new(transport(limits, streams)));
    config.max_incoming(limits.handshakes_max);
    Ok(config)
}

async fn accept(endpoint: Endpoint, listener: Arc<Listener>) {
    let mut connections = JoinSet::new();
    loop {
        let incoming = tokio::select! {
            incoming = endpoint.accept() => incoming,
            () = listener.stopped() => break,
            Some(_) = connections.join_next() => continue,
        };
        let Some(incoming) = incoming else { break };
        let (address, is_validated) = (incoming.remote_address().ip(), incoming.remote_address_validated());
        match listener.admissions.incoming(address, is_validated, Instant::now()) {
            Verdict::Accept(handshake) => {
                let listener = Arc::clone(&listener);
                connections.spawn(async move { listener.carry(incoming, handshake).await });
            }
            // Fails only for a validated address, which is never asked to prove itself again.
            Verdict::Retry => drop(incoming.retry()),
            Verdict::Refuse(refusal) => {
                tracing::debug!(%address, %refusal, "refused a direct connection");
                incoming.refuse();
            }
        }
    }
    while connections.join_next().await.is_some() {}
    endpoint.close(code::DONE.into(), b"the node stops");
}

impl Listener {
    async fn stopped(&self) {
        // The sender is alive as long as `self`, so that the wait cannot fail.
        let _ = self.stop.subscribe().wait_for(|stop| *stop).await;
    }

    async fn carry(&self, incoming: Incoming, handshake: Handshake) {
        let time = Duration::from_millis(self.limits.handshake_timeout_ms);
        let shaken = tokio::select! {
            shaken = Box::pin(timeout(time, incoming.into_future())) => shaken,
            () = self.stopped() => return,
        };
        let connection = match shaken {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => return tracing::debug!(%error, "a direct handshake failed"),
            Err(_) => return tracing::debug!("a direct handshake took too long"),
        };
        let _slot = Admissions::anonymous(handshake);
        let exporter = match Streams::exporter(&connection) {
            Ok(exporter) => exporter,
            Err(error) => return tracing::debug!(%error, "a direct handshake failed"),
        };
        let caller = Caller {
            connection: ConnectionId::next(),
            peer: Peer::Anyone,
            address: Some(connection.remote_address().ip().to_canonical()),
            exporter,
        };
        let serving = Serving {
            streams: connection.clone(),
            server: self.server.for_connection(caller),
            subscription: self.pushes.enter(caller.connection),
            calls_at_first: STREAMS_AT_FIRST,
            calls_max: self.limits.streams_per_connection_max,
            activity: Activity::new(),
        };
        let error = self.serve(&serving, time).await;
        tracing::debug!(address = %connection.remote_address(), %error, "a direct connection ended");
        match &error {
            ServeError::Ended(_) => {}
            ServeError::Misbehaved(_) => Streams::close(&connection, code::VIOLATION, &error.to_string()),
            ServeError::Unwanted(reason) => Streams::close(&connection, code::ENDED, reason),
            ServeError::Silent => Streams::close(&connection, code::TIMED_OUT, &error.to_string()),
        }
    }

    /// Serves a connection until it ends; when the listener stops, until its calls are done.
    async fn serve(&self, serving: &Serving<quinn::Connection>, time: Duration) -> ServeError {
        let mut served = std::pin::pin!(async {
            // In memory for as long as it lasts, which is not long.
            match Box::pin(serving.greet(time)).await {
                Ok(_) => serving.run().await,
                Err(error) => error,
            }
        });
        tokio::select! {
            error = &mut served => return error,
            () = self.stopped() => {}
        }
        tokio::select! {
            error = &mut served => return error,
            _ = timeout(DRAIN, serving.activity.idle()) => {}
        }
        Streams::close(&serving.streams, code::DONE, "the node stops");
        served.await
    }
}
