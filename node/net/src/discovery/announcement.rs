//! What a node announces, and what it makes of the announcements of others.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6};

use mdns_sd::{ResolvedService, ScopedIp, ServiceInfo};
use qpq_proto::ids::NodeKey;
use qpq_proto::limits::ENDPOINT_ADDRESSES_MAX;

/// What nodes announce themselves as.
pub(super) const SERVICE_TYPE: &str = "_quicproquo._udp.local.";

const KEY_PROPERTY: &str = "k";
const PORT_V4_PROPERTY: &str = "p4";
const PORT_V6_PROPERTY: &str = "p6";

/// What a node announces.
pub(super) struct Announcement {
    node: NodeKey,
    /// Fixed addresses; empty if those of all interfaces are meant.
    addresses: Vec<IpAddr>,
    pub(super) port_v4: Option<u16>,
    pub(super) port_v6: Option<u16>,
}

impl Announcement {
    pub(super) fn of(node: NodeKey, sockets: &[SocketAddr]) -> Self {
        let port =
            |is_v4: bool| sockets.iter().find(|socket| socket.is_ipv4() == is_v4).map(SocketAddr::port);
        let everywhere = sockets.iter().any(|socket| socket.ip().is_unspecified());
        let fixed = sockets.iter().map(SocketAddr::ip).filter(|_| !everywhere);
        Self { node, addresses: fixed.collect(), port_v4: port(true), port_v6: port(false) }
    }

    pub(super) fn service(&self) -> Result<ServiceInfo, mdns_sd::Error> {
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

/// A node that was heard of: where it says it can be reached, the most useful address first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) node: NodeKey,
    pub(super) addresses: Vec<SocketAddr>,
}

/// An IP address, and for a link-local one of IPv6 the index of the interface on which it means anything.
pub(super) type ScopedAddress = (IpAddr, u32);

impl Heard {
    /// Reads an announcement that mDNS put together; `None` if it is not one of a node's.
    pub(super) fn of_service(service: &ResolvedService) -> Option<Self> {
        let addresses = service.get_addresses().iter().filter_map(|address| match address {
            ScopedIp::V4(address) => Some(((*address.addr()).into(), 0)),
            ScopedIp::V6(address) => Some(((*address.addr()).into(), address.scope_id().index)),
            _ => None,
        });
        Self::new(service.get_fullname(), |name| service.get_property_val_str(name), addresses)
    }

    /// Reads an announcement; `None` if it is not one of a node's, or not of the node that its name belongs to.
    pub(super) fn new<'a>(
        full_name: &str,
        property: impl Fn(&str) -> Option<&'a str>,
        addresses: impl IntoIterator<Item = ScopedAddress>,
    ) -> Option<Self> {
        let node: NodeKey = property(KEY_PROPERTY)?.parse().ok()?;
        if full_name != self::full_name(node) {
            return None;
        }
        let port = |name| property(name)?.parse::<u16>().ok().filter(|port| *port != 0);
        let addresses = useful(addresses, port(PORT_V4_PROPERTY), port(PORT_V6_PROPERTY));
        (!addresses.is_empty()).then_some(Self { node, addresses })
    }
}

/// The name of a node's instance and host: the first half of its key, 128 bits.
pub(super) fn instance_name(node: NodeKey) -> String {
    let mut name = node.to_string();
    name.truncate(32);
    name
}

/// The name of a node's instance with its service type.
pub(super) fn full_name(node: NodeKey) -> String {
    format!("{}.{SERVICE_TYPE}", instance_name(node))
}

/// The plausible addresses in a fixed order, so that the same announcement always reads the same; the most useful first.
fn useful(
    heard: impl IntoIterator<Item = ScopedAddress>,
    port_v4: Option<u16>,
    port_v6: Option<u16>,
) -> Vec<SocketAddr> {
    let sockets = heard.into_iter().filter_map(|(address, scope_id)| match address {
        IpAddr::V4(address) => Some(SocketAddrV4::new(address, port_v4?).into()),
        IpAddr::V6(address) => {
            let scope_id = if address.is_unicast_link_local() { scope_id } else { 0 };
            Some(SocketAddrV6::new(address, port_v6?, 0, scope_id).into())
        }
    });
    best(sockets.filter(is_plausible))
}

/// The best of plausible addresses, in a fixed order.
pub(super) fn best(sockets: impl IntoIterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let (link_local, routable): (BTreeSet<_>, BTreeSet<_>) = sockets.into_iter().partition(is_link_local);
    // Whoever is dialled at a link-local address answers without its interface, and the handshake hangs: only
    // where there is nothing better.
    let best = if routable.is_empty() { link_local } else { routable };
    best.into_iter().take(ENDPOINT_ADDRESSES_MAX).collect()
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
