//! Finding other nodes on the local network, by mDNS (RFC 6762, RFC 6763).
//!
//! A node announces itself as an instance of `_quicproquo._udp` with its node key and the addresses of every interface
//! it listens on, and nothing else: a node key is never a person's identity. Instance and host are named after the
//! node key, so that several nodes on one machine do not get in each other's way; the names are as good as unique,
//! which is why the three probes (750 ms) that mDNS sends to find out are left out.
//!
//! ```text
//! TXT   k = node key, 64 hexadecimal digits     p4, p6 = UDP port for IPv4 and for IPv6, where it listens
//! ```
//!
//! Whatever is heard is a hint from anybody: it is bounded, checked for plausibility, and proved by the handshake.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::sync::Arc;
use std::time::Duration;

use mdns_sd::{DaemonEvent, Receiver, ResolvedService, ScopedIp, ServiceDaemon, ServiceEvent, ServiceInfo};
use qpq_proto::ids::NodeKey;
use qpq_proto::limits::ENDPOINT_ADDRESSES_MAX;
use tokio::time::timeout;

use crate::peers::Shared;

/// What nodes announce themselves as.
const SERVICE_TYPE: &str = "_quicproquo._udp.local.";

const KEY_PROPERTY: &str = "k";
const PORT_V4_PROPERTY: &str = "p4";
const PORT_V6_PROPERTY: &str = "p6";

/// How long the first announcement may take before discovery counts as not possible; and the goodbye at the end.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether a node takes part in discovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Discovery {
    /// Announces the node key and addresses, nothing else, and listens for others.
    #[default]
    Open,
    /// Neither announces nor listens.
    Off,
}

/// How discovery is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DiscoveryState {
    /// Switched off.
    Off,
    /// Listening; the first announcement is not out yet.
    Starting,
    /// Announcing and listening.
    Running,
    /// Not possible here, for want of permission or of a network; the text says what happened, for a person. Should
    /// it become possible, the state changes by itself.
    Unavailable(String),
}

/// Announces and listens until the node stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    let started = Announcement::of(shared.own_key(), &shared.bound_addresses()).start();
    let session = match started {
        Ok(session) => session,
        Err(error) => {
            tracing::warn!(%error, "discovery is not possible");
            shared.set_discovery_state(DiscoveryState::Unavailable(error.to_string()));
            return;
        }
    };
    tokio::select! {
        () = listen(&shared, &session) => {}
        () = watch(&shared, &session) => {}
        () = shared.stopped() => {}
    }
    session.say_goodbye().await;
}

/// What a node announces.
struct Announcement {
    node: NodeKey,
    /// Fixed addresses; empty if those of all interfaces are meant.
    addresses: Vec<IpAddr>,
    port_v4: Option<u16>,
    port_v6: Option<u16>,
}

/// A running announcement and search.
struct Session {
    daemon: ServiceDaemon,
    monitor: Receiver<DaemonEvent>,
    full_name: String,
}

impl Announcement {
    fn of(node: NodeKey, sockets: &[SocketAddr]) -> Self {
        let port =
            |is_v4: bool| sockets.iter().find(|socket| socket.is_ipv4() == is_v4).map(SocketAddr::port);
        let everywhere = sockets.iter().any(|socket| socket.ip().is_unspecified());
        let fixed = sockets.iter().map(SocketAddr::ip).filter(|_| !everywhere);
        Self { node, addresses: fixed.collect(), port_v4: port(true), port_v6: port(false) }
    }

    fn start(&self) -> Result<Session, mdns_sd::Error> {
        let service = self.service()?;
        let daemon = ServiceDaemon::new()?;
        let session =
            Session { monitor: daemon.monitor()?, full_name: service.get_fullname().to_owned(), daemon };
        session.daemon.register(service)?;
        Ok(session)
    }

    fn service(&self) -> Result<ServiceInfo, mdns_sd::Error> {
        let instance = instance_name(self.node);
        let mut properties = vec![(KEY_PROPERTY, self.node.to_string())];
        properties.extend(self.port_v4.map(|port| (PORT_V4_PROPERTY, port.to_string())));
        properties.extend(self.port_v6.map(|port| (PORT_V6_PROPERTY, port.to_string())));
        let port = self.port_v4.or(self.port_v6).unwrap_or_default();
        let host = format!("{instance}.local.");
        let addresses = self.addresses.as_slice();
        let service =
            ServiceInfo::new(SERVICE_TYPE, &instance, &host, addresses, port, properties.as_slice())?;
        let mut service = if addresses.is_empty() { service.enable_addr_auto() } else { service };
        service.set_requires_probe(false);
        Ok(service)
    }
}

impl Session {
    /// Withdraws the announcement, and stops. What does not happen soon does not happen: records expire.
    async fn say_goodbye(self) {
        if let Ok(withdrawn) = self.daemon.unregister(&self.full_name) {
            let _ = timeout(PATIENCE, withdrawn.recv_async()).await;
        }
        if let Ok(stopped) = self.daemon.shutdown() {
            let _ = timeout(PATIENCE, stopped.recv_async()).await;
        }
    }
}

/// Hears what others announce. Returns when the daemon is gone.
async fn listen(shared: &Arc<Shared>, session: &Session) {
    let mut heard = BTreeMap::new();
    // A listener that lags behind is dropped by the daemon, and comes back.
    while let Ok(events) = session.daemon.browse(SERVICE_TYPE) {
        while let Ok(event) = events.recv_async().await {
            match event {
                ServiceEvent::ServiceResolved(service) => {
                    let Some((node, addresses)) = read(&service) else { continue };
                    if heard.len() < shared.limits().discovered_peers_max
                        || heard.contains_key(&service.fullname)
                    {
                        heard.insert(service.fullname.clone(), node);
                        shared.discovered(node, addresses).await;
                    }
                }
                ServiceEvent::ServiceRemoved(_, full_name) => {
                    if let Some(node) = heard.remove(&full_name) {
                        shared.lost(node).await;
                    }
                }
                _ => {}
            }
        }
    }
}

/// Keeps the state of discovery up to date. Returns when the daemon is gone.
async fn watch(shared: &Shared, session: &Session) {
    // Sockets that cannot be opened and groups that cannot be joined are only noticed by the absence of announcements.
    if timeout(PATIENCE, announced(shared, session)).await.is_err() {
        let reason = "no interface allows multicast".to_owned();
        tracing::warn!(reason, "discovery is not possible");
        shared.set_discovery_state(DiscoveryState::Unavailable(reason));
        announced(shared, session).await;
    }
    while session.monitor.recv_async().await.is_ok() {}
}

async fn announced(shared: &Shared, session: &Session) {
    while let Ok(event) = session.monitor.recv_async().await {
        match event {
            DaemonEvent::Announce(..) => return shared.set_discovery_state(DiscoveryState::Running),
            DaemonEvent::Error(error) => tracing::debug!(%error, "mDNS"),
            _ => {}
        }
    }
}

/// The name of a node's instance and host: the first half of its key, 128 bits.
fn instance_name(node: NodeKey) -> String {
    let mut name = node.to_string();
    name.truncate(32);
    name
}

/// Reads an announcement; `None` if it is not one of a node's, or not of the node that its name belongs to.
fn read(service: &ResolvedService) -> Option<(NodeKey, Vec<SocketAddr>)> {
    let node: NodeKey = service.get_property_val_str(KEY_PROPERTY)?.parse().ok()?;
    if service.get_fullname() != format!("{}.{SERVICE_TYPE}", instance_name(node)) {
        return None;
    }
    let port =
        |property| service.get_property_val_str(property)?.parse::<u16>().ok().filter(|port| *port != 0);
    let addresses = addresses(service.get_addresses(), port(PORT_V4_PROPERTY), port(PORT_V6_PROPERTY));
    (!addresses.is_empty()).then_some((node, addresses))
}

/// The plausible addresses in a fixed order, so that the same announcement always reads the same; the most useful first.
fn addresses<'a>(
    heard: impl IntoIterator<Item = &'a ScopedIp>,
    port_v4: Option<u16>,
    port_v6: Option<u16>,
) -> Vec<SocketAddr> {
    let sockets = heard.into_iter().filter_map(|address| match address {
        ScopedIp::V4(address) => Some(SocketAddrV4::new(*address.addr(), port_v4?).into()),
        ScopedIp::V6(address) => {
            let is_link_local = address.addr().is_unicast_link_local();
            let scope_id = if is_link_local { address.scope_id().index } else { 0 };
            Some(SocketAddrV6::new(*address.addr(), port_v6?, 0, scope_id).into())
        }
        _ => None,
    });
    let (link_local, routable): (BTreeSet<_>, BTreeSet<_>) =
        sockets.filter(is_plausible).partition(is_link_local);
    // Whoever is dialled at a link-local address answers without its interface, and the handshake hangs: only
    // where there is nothing better.
    let useful = if routable.is_empty() { link_local } else { routable };
    useful.into_iter().take(ENDPOINT_ADDRESSES_MAX).collect()
}

/// Whether a node can be dialled there at all. A link-local address of IPv6 is of no use without its interface.
fn is_plausible(socket: &SocketAddr) -> bool {
    let ip = socket.ip();
    let is_broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    let is_scoped =
        !matches!(socket, SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() && v6.scope_id() == 0);
    !ip.is_unspecified() && !ip.is_multicast() && !is_broadcast && is_scoped
}

fn is_link_local(socket: &SocketAddr) -> bool {
    match socket.ip() {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests;
