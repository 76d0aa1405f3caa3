//! By whom a node is reached: other nodes, and the owner's and others' programs.

use std::path::Path;
use std::sync::Arc;

use qpq_engine::Input;
use qpq_net::socket::{self, SocketServer};
use qpq_net::{PeerConfig, Peers, Service};
use qpq_proto::limits::Limits;
use tokio::task::JoinHandle;

use super::StartError;
use crate::metrics::MetricsServer;
use crate::service::{NodeState, Writer};
use crate::settings::Settings;
use crate::wiring::forward;

/// Connects with other nodes, and tells the engine what happens to the connections.
pub(super) async fn start_peers(
    config: PeerConfig,
    service: &Arc<dyn Service>,
    state: &NodeState,
    writer: &Writer,
) -> Result<(Option<Arc<Peers>>, Option<JoinHandle<()>>), StartError> {
    let (peers, events) = Peers::start(config, Arc::clone(service)).await?;
    let peers = Arc::new(peers);
    // Set once, here.
    let _ = state.peers.set(Arc::downgrade(&peers));
    writer.give(Input::AddressesChanged(peers.addresses())).await;
    let forwarding = tokio::spawn(forward(events, writer.clone()));
    Ok((Some(peers), Some(forwarding)))
}

pub(super) async fn shut_down(peers: Option<&Peers>) {
    if let Some(peers) = peers {
        peers.shutdown().await;
    }
}

/// Opens what programs reach the node by.
pub(super) async fn listen(
    settings: &Settings,
    socket_path: &Path,
    writer: &Writer,
    state: &Arc<NodeState>,
    service: Arc<dyn Service>,
    limits: Limits,
) -> Result<(SocketServer, Option<MetricsServer>, String), StartError> {
    let pushes = state.relay.pushes();
    let socket = socket::serve(socket_path, Arc::clone(&service), limits).await?;
    state.relay.listen(settings, writer, service).await.map_err(Box::new)?;
    let mut ready = state.relay.listening().await.map(|listening| listening.ready()).unwrap_or_default();
    let metrics = match settings.metrics_listen {
        Some(listen) => Some(MetricsServer::start(listen, Arc::clone(state), pushes).await?),
        None => None,
    };
    ready.extend(metrics.as_ref().map(MetricsServer::ready));
    Ok((socket, metrics, ready))
}
