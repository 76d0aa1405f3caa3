//! The direct listener, off unless the settings name an address or the node is a relay: its certificate and its life.
//!
//! Without a configured certificate the node makes one and keeps it sealed in its database, for ever: clients
//! pin it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use qpq_engine::storage::{StorageError, Transaction};
use qpq_net::direct::{Certificate, CertificateError, DirectConfig, DirectServer, ListenError, serve};
use qpq_net::{Pushes, Service};
use qpq_proto::Failure;
use qpq_proto::limits::Limits;
use qpq_store::{CommitError, Storage};
use zeroize::Zeroizing;

use crate::open::{CERTIFICATE, NODE_TABLE};
use crate::packets::PacketRelaying;
use crate::private_file::{self, Guard, PrivateFileError};
use crate::relaying::Listening;
use crate::service::Writer;
use crate::settings::Settings;

/// The direct listener does not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DirectError {
    /// A certificate without its key, or the other way round.
    #[error("rpc_certificate_file and rpc_certificate_key_file belong together: set both or none")]
    HalfConfigured,
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] PrivateFileError),
    /// The certificate cannot be used.
    #[error("the certificate of the direct listener: {0}")]
    Certificate(#[from] CertificateError),
    /// The database cannot be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The database cannot be written.
    #[error("the database cannot be written: {0}")]
    Commit(#[from] CommitError),
    /// The node stops already.
    #[error(transparent)]
    Stopping(#[from] Failure),
    /// The address cannot be listened on.
    #[error(transparent)]
    Listen(#[from] ListenError),
}

impl DirectError {
    /// What a caller is told instead, if it is the node that stops.
    pub(crate) fn stopping(&self) -> Option<&Failure> {
        match self {
            Self::Stopping(failure) => Some(failure),
            _ => None,
        }
    }
}

/// What a listener may spend, and how those who are connected are reached.
#[derive(Debug, Clone)]
pub(crate) struct Bounds {
    /// The limits.
    pub(crate) limits: Limits,
    /// Reaches those who are connected.
    pub(crate) pushes: Pushes,
}

/// A direct listener that serves.
#[derive(Debug)]
pub(crate) struct Direct {
    server: DirectServer,
    listening: Listening,
    /// Where it listens, and what it shows.
    address: SocketAddr,
    certificate: Certificate,
    limits: Limits,
    packets: Option<PacketRelaying>,
}

impl Direct {
    /// Starts to listen.
    pub(crate) async fn start(
        settings: &Settings,
        listen: SocketAddr,
        writer: &Writer,
        service: Arc<dyn Service>,
        bounds: Bounds,
    ) -> Result<Self, DirectError> {
        let certificate = match configured_by(settings)? {
            Some(certificate) => certificate,
            None => writer.work(|core| kept(&mut core.storage)).await??,
        };
        let pin = certificate.pin();
        let Bounds { limits, pushes } = bounds;
        let for_users = Limits { connections_max: limits.relay.connections_max, ..limits.clone() };
        let config = DirectConfig { listen, certificate: certificate.clone(), limits: for_users, pushes };
        let server = serve(config, service)?;
        let address = server.address().unwrap_or(listen);
        let listening = Listening { address, pin: pin.0 };
        Ok(Self { server, listening, address, certificate, limits, packets: None })
    }

    /// Begins to pass packets on between nodes, if the settings say so and it is possible.
    pub(crate) async fn pass_packets(&mut self, settings: &Settings, writer: &Writer) {
        if self.packets.is_none() {
            let (packets, certificate) = (settings.relay_packets, self.certificate.clone());
            self.packets =
                PacketRelaying::start(packets, self.address, certificate, writer, &self.limits).await;
        }
    }

    /// Passes no more packets on.
    pub(crate) async fn stop_packets(&mut self) {
        if let Some(packets) = self.packets.take() {
            packets.stop().await;
        }
    }

    /// For how many nodes packets are passed on at present; nothing if for none ever.
    pub(crate) fn packet_nodes(&self) -> Option<usize> {
        self.packets.as_ref().map(PacketRelaying::nodes)
    }

    /// Where it is.
    pub(crate) fn listening(&self) -> Listening {
        self.listening
    }

    /// Stops, letting calls under way finish for a while.
    pub(crate) async fn shutdown(mut self) {
        self.stop_packets().await;
        self.server.shutdown().await;
    }
}

/// Whether the certificate that the settings name, if they name one, can be used.
pub(crate) fn check(settings: &Settings) -> Result<(), DirectError> {
    configured_by(settings).map(|_| ())
}

/// The certificate that the settings name, if they name one.
fn configured_by(settings: &Settings) -> Result<Option<Certificate>, DirectError> {
    match (&settings.rpc_certificate_file, &settings.rpc_certificate_key_file) {
        (Some(chain), Some(key)) => configured(chain, key).map(Some),
        (None, None) => Ok(None),
        _ => Err(DirectError::HalfConfigured),
    }
}

fn configured(chain: &Path, key: &Path) -> Result<Certificate, DirectError> {
    // The chain is public; only the key must be closed to others.
    let mut pem = private_file::read(chain, PEM_BYTES_MAX, Guard::Directory)?;
    pem.push(b'\n');
    pem.extend_from_slice(&private_file::read(key, PEM_BYTES_MAX, Guard::Mode)?);
    Ok(Certificate::from_pem(&pem)?)
}

/// The node's own certificate, made when it is first needed.
fn kept(storage: &mut impl Storage) -> Result<Certificate, DirectError> {
    let mut batch = storage.begin();
    let mut tx = batch.transaction();
    if let Some(pem) = tx.get(NODE_TABLE, CERTIFICATE)? {
        return Ok(Certificate::from_pem(&pem)?);
    }
    let (certificate, pem): (_, Zeroizing<String>) = Certificate::self_signed(vec!["localhost".to_owned()])?;
    tx.put(NODE_TABLE, CERTIFICATE, Bytes::copy_from_slice(pem.as_bytes()))?;
    tx.accept();
    batch.commit()?;
    Ok(certificate)
}

const PEM_BYTES_MAX: u64 = 65_536;

#[cfg(test)]
mod tests {
    use qpq_store::MemoryStore;

    use super::*;

    #[test]
    fn the_nodes_own_certificate_stays_the_same() {
        let mut storage = MemoryStore::new();
        let first = kept(&mut storage).unwrap().pin();
        assert_eq!(kept(&mut storage).unwrap().pin(), first);
        assert_ne!(kept(&mut MemoryStore::new()).unwrap().pin(), first);
    }

    #[test]
    fn a_configured_certificate_needs_a_private_key_that_is_private() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let (chain, key) = (directory.path().join("chain.pem"), directory.path().join("key.pem"));
        let (made, pem) = Certificate::self_signed(vec!["example.org".to_owned()]).unwrap();
        let start_of_key = pem.find("-----BEGIN PRIVATE").unwrap();
        std::fs::write(&chain, &pem[..start_of_key]).unwrap();
        private_file::write(&key, pem[start_of_key..].as_bytes()).unwrap();
        assert_eq!(configured(&chain, &key).unwrap().pin(), made.pin());
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(configured(&chain, &key), Err(DirectError::File(PrivateFileError::Exposed { .. }))));
    }
}
