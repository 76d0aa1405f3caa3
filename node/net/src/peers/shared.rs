//! What the tasks of the peers' side share.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use iroh::Endpoint;
use qpq_proto::ids::NodeKey;
use qpq_proto::limits::Limits;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;

use super::PeerEvent;
use super::doubt;
use super::link::Link;
use super::relays::PacketRelays;
use super::table::Table;
use crate::admission::Admissions;
use crate::budget::Budget;
use crate::calls::WireVersions;
use crate::discovery::{Discovery, DiscoveryState};
use crate::lock;
use crate::push::Pushes;
use crate::rpc::Server;
use crate::tls::KeyExchange;

/// What every task of the peers' side holds.
pub(crate) struct Shared {
    pub(super) endpoint: Endpoint,
    pub(super) own_key: NodeKey,
    pub(super) limits: Limits,
    pub(super) wire_versions: WireVersions,
    pub(super) key_exchange: KeyExchange,
    pub(super) server: Server,
    pub(super) pushes: Pushes,
    /// Pays for the responses to our own calls; apart from the requests' budget, so that neither waits for the other.
    pub(super) responses: Budget,
    pub(super) table: Mutex<Table<Arc<Link>>>,
    pub(super) packet_relays: PacketRelays,
    pub(super) admissions: Admissions,
    pub(super) dials: Semaphore,
    pub(super) events: mpsc::Sender<PeerEvent>,
    pub(super) discovery: watch::Sender<Discovery>,
    pub(super) discovery_state: watch::Sender<DiscoveryState>,
    pub(super) stop: watch::Sender<bool>,
    pub(super) tasks: Mutex<JoinSet<()>>,
}

impl Shared {
    pub(crate) fn own_key(&self) -> NodeKey {
        self.own_key
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The addresses of the sockets, as the system gave them.
    pub(crate) fn bound_addresses(&self) -> Vec<SocketAddr> {
        self.endpoint.bound_sockets()
    }

    pub(crate) fn set_discovery_state(&self, state: DiscoveryState) {
        self.discovery_state.send_replace(state);
    }

    /// Waits until discovery is wanted; false if the node is about to stop first.
    pub(crate) async fn discovery_is_wanted(&self) -> bool {
        tokio::select! {
            () = self.discovery_becomes(Discovery::Open) => true,
            () = self.stopped() => false,
        }
    }

    /// Waits until discovery is not wanted, or the node is about to stop.
    pub(crate) async fn discovery_is_unwanted(&self) {
        tokio::select! {
            () = self.discovery_becomes(Discovery::Off) => {}
            () = self.stopped() => {}
        }
    }

    async fn discovery_becomes(&self, expected: Discovery) {
        // The sender is alive as long as `self`, so that the wait cannot fail.
        let _ = self.discovery.subscribe().wait_for(|wanted| *wanted == expected).await;
    }

    /// Waits until the node is about to stop.
    pub(crate) async fn stopped(&self) {
        // The sender is alive as long as `self`, so that the wait cannot fail.
        let _ = self.stop.subscribe().wait_for(|stop| *stop).await;
    }

    /// Discovery saw a node.
    pub(crate) async fn discovered(self: &Arc<Self>, node: NodeKey, addresses: Vec<SocketAddr>) {
        let Some(permit) = self.event().await else { return };
        let is_news = self.table().discovered(node, &addresses);
        if is_news {
            permit.send(PeerEvent::Discovered { node, addresses: addresses.clone() });
            self.doubt(node, &addresses);
        }
    }

    /// Discovery sees a node no longer.
    pub(crate) async fn lost(&self, node: NodeKey) {
        let Some(permit) = self.event().await else { return };
        if self.table().lost(node) {
            permit.send(PeerEvent::Lost { node });
        }
    }

    /// Room for one event. Taken before the table is changed, so that events come in the order of the changes.
    pub(super) async fn event(&self) -> Option<mpsc::Permit<'_, PeerEvent>> {
        self.events.reserve().await.ok()
    }

    /// Room for the end of a connection and the beginning of the next, as [`event`](Self::event).
    pub(super) async fn two_events(&self) -> Option<mpsc::PermitIterator<'_, PeerEvent>> {
        self.events.reserve_many(2).await.ok()
    }

    /// A peer that announces other addresses than the one it is connected from has probably restarted: its connection
    /// has to show a sign of life, or make room for a new one.
    fn doubt(self: &Arc<Self>, node: NodeKey, addresses: &[SocketAddr]) {
        let Some(current) = self.table().current(node) else { return };
        if current.address().is_some_and(|address| !addresses.contains(&address)) {
            self.spawn(doubt::verify(Arc::clone(self), current));
        }
    }

    pub(super) fn table(&self) -> MutexGuard<'_, Table<Arc<Link>>> {
        lock(&self.table)
    }

    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        self.endpoint.addr().ip_addrs().copied().collect()
    }

    /// Runs a task that the shutdown waits for.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = lock(&self.tasks);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Peers").field("own_key", &self.own_key).finish_non_exhaustive()
    }
}
