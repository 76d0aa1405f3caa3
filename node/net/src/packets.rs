//! Passing packets on between nodes that cannot reach each other: iroh's relay server, as a part of a node.
//!
//! It knows nodes by their keys, which they prove, and sees between whom packets go, when and how large they are; what is
//! in them is encrypted between the two. It keeps nothing.
//!
//! ```text
//! TCP, at the address of the direct listener     HTTPS: the protocol of iroh-relay
//! UDP, at the port after it                      QUIC address discovery: tells nodes from where their packets come
//! ```
//!
//! Both show the direct listener's certificate. Whom packets are passed on for is asked of an [`Admits`], at the
//! beginning of each connection and from time to time after it.

mod access;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Empty;
use hyper::{HeaderMap, Method, StatusCode};
use iroh_relay::KeyCache;
use iroh_relay::http::RELAY_PROBE_PATH;
use iroh_relay::server::http_server::{BytesBody, TlsConfig};
use iroh_relay::server::{
    ClientRateLimit, Handlers, Metrics, QuicConfig, RelayService, Server, ServerConfig,
};
use qpq_proto::limits::Limits;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, interval, sleep, timeout};

use crate::admission::{Admissions, Verdict};
use crate::direct::Certificate;
use crate::tls;
use access::Access;

pub use access::{Admits, Decision};

/// How to pass packets on.
#[derive(Debug)]
pub struct PacketConfig {
    /// TCP address; the UDP port is the next one.
    pub listen: SocketAddr,
    /// What to show.
    pub certificate: Certificate,
    /// For whom.
    pub admits: Arc<dyn Admits>,
    /// What the node decides for itself; connections are counted apart from all others.
    pub limits: Limits,
}

/// Why packets are not passed on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PacketError {
    /// The certificate does not fit its key, or is of an unknown kind.
    #[error("the certificate cannot be used: {0}")]
    Certificate(#[from] rustls::Error),
    /// There is no port after the one that is named.
    #[error("there is no port after {0}, which address discovery would need")]
    NoPort(SocketAddr),
    /// The system refused, most likely because the port is taken.
    #[error("cannot listen on TCP {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// Likewise, for address discovery.
    #[error("cannot listen on UDP {address}: {reason}")]
    Discovery {
        /// The address.
        address: SocketAddr,
        /// What was said.
        reason: String,
    },
}

/// Passes packets on. Dropping it ends that; [`shutdown`](Self::shutdown) does so in order.
#[derive(Debug)]
pub struct PacketServer {
    address: SocketAddr,
    service: RelayService,
    discovery: Server,
    access: Arc<Access>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl PacketServer {
    /// Begins to listen. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When the certificate cannot be used or an address is taken.
    pub async fn start(config: PacketConfig) -> Result<Self, PacketError> {
        let PacketConfig { listen, certificate, admits, limits } = config;
        let tls = rustls::ServerConfig::builder_with_provider(tls::provider())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_no_client_auth()
            .with_single_cert(certificate.chain, certificate.key)?;
        let bind = |source| PacketError::Bind { address: listen, source };
        let listener = TcpListener::bind(listen).await.map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        let discovery = discover(address, tls.clone()).await?;
        let access = Arc::new(Access::new(admits, limits.connections_max));
        let service = service(Arc::clone(&access), &limits);
        let stop = watch::Sender::new(false);
        let accepting = Accepting {
            listener,
            tls: TlsConfig::new(Arc::new(tls)),
            service: service.clone(),
            access: Arc::clone(&access),
            admissions: Admissions::new(&limits),
            patience: Duration::from_millis(limits.handshake_timeout_ms),
        };
        let task = tokio::spawn(accepting.run(stop.subscribe()));
        Ok(Self { address, service, discovery, access, stop, task })
    }

    /// Where it listens, with the port that the system chose.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Nodes that are connected, and can be reached through it.
    pub fn nodes(&self) -> usize {
        self.access.nodes()
    }

    /// Ends all connections.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        // The task ends by itself; that it panicked would be logged by the panic hook.
        let _ = (&mut self.task).await;
        let goodbye = async {
            self.service.shutdown().await;
            let _ = self.discovery.shutdown().await;
        };
        let _ = timeout(GOODBYE, goodbye).await;
    }
}

/// Address discovery, at the port after that of an address.
async fn discover(of: SocketAddr, tls: rustls::ServerConfig) -> Result<Server, PacketError> {
    let port = of.port().checked_add(1).ok_or(PacketError::NoPort(of))?;
    let address = SocketAddr::new(of.ip(), port);
    let mut quic = QuicConfig::new(address);
    quic.server_config = Some(tls);
    let mut config = ServerConfig::default();
    config.quic = Some(quic);
    let failed =
        |error: &dyn std::fmt::Display| PacketError::Discovery { address, reason: format!("{error:#}") };
    Server::spawn(config).await.map_err(|error| failed(&error))
}

fn service(access: Arc<Access>, limits: &Limits) -> RelayService {
    let mut handlers = Handlers::default();
    // By it nodes measure how far the relay is, where QUIC does not get through.
    handlers.insert(
        (Method::GET, RELAY_PROBE_PATH),
        Box::new(|_, response| {
            let nothing: BytesBody = Box::new(Empty::new());
            Ok(response.status(StatusCode::OK).body(nothing)?)
        }),
    );
    let rate = NonZeroU32::new(limits.relay.packet_bytes_per_s_max).map(ClientRateLimit::new);
    let keys = KeyCache::new(limits.connections_max);
    RelayService::new(handlers, HeaderMap::new(), rate, keys, access, Arc::new(Metrics::default()))
}

/// What takes connections.
struct Accepting {
    listener: TcpListener,
    tls: TlsConfig,
    service: RelayService,
    access: Arc<Access>,
    admissions: Admissions,
    /// How long a connection may take to become one of the relay's.
    patience: Duration,
}

impl Accepting {
    async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut handshakes = JoinSet::new();
        let mut reviews = interval(REVIEW);
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, address)) => self.admit(stream, address, &mut handshakes),
                    Err(error) => {
                        tracing::debug!(%error, "cannot take a connection");
                        sleep(PAUSE).await;
                    }
                },
                Some(_) = handshakes.join_next() => {}
                _ = reviews.tick() => self.access.review(self.service.clients()).await,
                () = stopped(&mut stop) => return,
            }
        }
    }

    fn admit(&self, stream: TcpStream, address: SocketAddr, handshakes: &mut JoinSet<()>) {
        // Whoever has set up a TCP connection has the address.
        let verdict = self.admissions.incoming(address.ip(), true, Instant::now());
        let Verdict::Accept(handshake) = verdict else {
            return tracing::debug!(%address, "refused a connection for packets");
        };
        let (service, tls, patience) = (self.service.clone(), self.tls.clone(), self.patience);
        handshakes.spawn(async move {
            service.handle_connection(stream, Some(tls), patience).await;
            drop(handshake);
        });
    }
}

/// Waits until it is told to stop, or nobody is left to tell.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// How often it is looked whether those who are connected may still be.
const REVIEW: Duration = Duration::from_secs(300);
/// After a connection could not be taken, most likely because there are too many open files.
const PAUSE: Duration = Duration::from_millis(100);
/// How long the goodbye may take.
const GOODBYE: Duration = Duration::from_secs(3);
