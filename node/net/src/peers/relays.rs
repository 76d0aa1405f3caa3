//! Relays that pass packets on between nodes that cannot reach each other.
//!
//! A node uses those that it is told of, and no others: what a peer says about relays is not listened to. Its packets
//! reach the relay over TLS, and the relay is known by the pin of its certificate; what is in the packets is between the
//! two nodes, as on any other path.
//!
//! ```text
//! TCP  port p         the relay's protocol over HTTPS (iroh-relay): packets by node key
//! UDP  port p + 1     QUIC address discovery: the relay tells a node from where its packets come
//! ```
//!
//! Two nodes that use one relay reach each other through it, tell each other where their packets come from, and go on
//! directly as soon as a packet gets through.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, RwLock};

use iroh::endpoint::RelayMode;
use iroh::tls::CaTlsConfig;
use iroh::{Endpoint, RelayConfig, RelayMap, RelayUrl, TransportAddr, Watcher};
use iroh_relay::RelayQuicConfig;
use rustls::pki_types::ServerName;

use crate::Pin;
use crate::tls::Pinned;

/// A relay for packets, as a node is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PacketRelay {
    pin: Pin,
    /// An https address.
    url: RelayUrl,
}

/// Text names no relay for packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a relay for packets is written as the pin of its certificate, an @, a name or IPv4 address, a colon and a port"
)]
pub struct PacketRelayError;

impl PacketRelay {
    /// The relay with this certificate on a host, which is a domain name or an IPv4 address, and TCP port. The UDP port
    /// for address discovery is the next one.
    ///
    /// # Errors
    /// [`PacketRelayError`] if the host or the port can be none.
    pub fn new(pin: Pin, host: &str, port: u16) -> Result<Self, PacketRelayError> {
        // iroh's client cannot check the certificate of an IPv6 address.
        let is_host = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        if host.is_empty() || !host.bytes().all(is_host) || port == 0 || port == u16::MAX {
            return Err(PacketRelayError);
        }
        let url: RelayUrl = format!("https://{host}:{port}/").parse().map_err(|_| PacketRelayError)?;
        ServerName::try_from(url.host_str().unwrap_or_default()).map_err(|_| PacketRelayError)?;
        Ok(Self { pin, url })
    }

    /// Host and port.
    pub fn address(&self) -> String {
        shown(&self.url)
    }

    fn port(&self) -> u16 {
        self.url.port_or_known_default().unwrap_or_default()
    }

    fn config(&self) -> RelayConfig {
        RelayConfig::new(self.url.clone(), Some(RelayQuicConfig::new(self.port() + 1)))
    }
}

impl FromStr for PacketRelay {
    type Err = PacketRelayError;

    fn from_str(text: &str) -> Result<Self, PacketRelayError> {
        let (pin, address) = text.split_once('@').ok_or(PacketRelayError)?;
        let (host, port) = address.rsplit_once(':').ok_or(PacketRelayError)?;
        let pin = pin.parse().map_err(|_| PacketRelayError)?;
        Self::new(pin, host, port.parse().map_err(|_| PacketRelayError)?)
    }
}

impl fmt::Display for PacketRelay {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}@{}", self.pin, self.address())
    }
}

/// How a node stands with a relay for packets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PacketRelayState {
    /// Host and port.
    pub address: String,
    /// Whether others can reach the node through it.
    pub is_connected: bool,
    /// Why not, if that is known; for a person.
    pub problem: Option<String>,
}

/// Host and port of a relay.
pub(super) fn shown(url: &RelayUrl) -> String {
    let host = url.host_str().unwrap_or_default();
    format!("{host}:{}", url.port_or_known_default().unwrap_or_default())
}

/// The relays in use. All clones are the same list.
#[derive(Debug, Clone, Default)]
pub(super) struct PacketRelays(Arc<RwLock<Vec<PacketRelay>>>);

impl PacketRelays {
    pub(super) fn new(relays: &[PacketRelay]) -> Self {
        let relays = relays.iter().take(PACKET_RELAYS_MAX).cloned().collect();
        Self(Arc::new(RwLock::new(relays)))
    }

    fn list(&self) -> Vec<PacketRelay> {
        // Each change is one assignment: after a panic elsewhere the list is whole.
        self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list().is_empty()
    }

    /// What to try besides a peer's own addresses.
    pub(super) fn addresses(&self) -> impl Iterator<Item = TransportAddr> {
        self.list().into_iter().map(|relay| TransportAddr::Relay(relay.url))
    }

    /// For iroh's endpoint: these relays and no others.
    pub(super) fn mode(&self) -> RelayMode {
        RelayMode::Custom(RelayMap::from_iter(self.list().iter().map(PacketRelay::config)))
    }

    /// For iroh's endpoint: a relay is who has the certificate that its pin names.
    pub(super) fn trust(&self) -> CaTlsConfig {
        let relays = self.clone();
        CaTlsConfig::custom_server_cert_verifier(Arc::new(move |provider| {
            let relays = relays.clone();
            Ok(Arc::new(Pinned::new(provider, move |name, shown| relays.is_right(name, shown))))
        }))
    }

    fn is_right(&self, name: &ServerName<'_>, shown: Pin) -> bool {
        let is_it = |relay: &PacketRelay| relay.url.host_str() == Some(name.to_str().as_ref());
        self.list().iter().any(|relay| is_it(relay) && relay.pin == shown)
    }

    /// Takes another list in place of the present one.
    pub(super) async fn replace(&self, endpoint: &Endpoint, relays: &[PacketRelay]) {
        let (before, after) = (self.list(), Self::new(relays).list());
        match self.0.write() {
            Ok(mut list) => list.clone_from(&after),
            Err(poisoned) => poisoned.into_inner().clone_from(&after),
        }
        for gone in before.iter().filter(|relay| !after.contains(relay)) {
            endpoint.remove_relay(&gone.url).await;
        }
        for new in after.iter().filter(|relay| !before.contains(relay)) {
            endpoint.insert_relay(new.url.clone(), Arc::new(new.config())).await;
        }
    }

    /// How the node stands with them, the one over which it is reached first.
    pub(super) fn states(&self, endpoint: &Endpoint) -> Vec<PacketRelayState> {
        let homes = endpoint.home_relay_status().get();
        let state = |relay: PacketRelay| {
            let home = homes.iter().find(|home| *home.url() == relay.url);
            let problem = home.filter(|home| !home.is_connected()).and_then(|home| {
                let denied = home.auth_denied_reason().map(|reason| format!("it refuses: {reason}"));
                denied.or_else(|| home.last_error().map(|error| format!("{error:#}")))
            });
            let is_connected = home.is_some_and(|home| home.is_connected());
            PacketRelayState { address: relay.address(), is_connected, problem }
        };
        let mut states: Vec<_> = self.list().into_iter().map(state).collect();
        states.sort_by_key(|state| !state.is_connected);
        states
    }
}

/// Relays for packets that one node uses.
const PACKET_RELAYS_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    const PIN: &str = "2c8f0e4d91b7a35f6c1d8e20b94a7f3365d0c2e1f8a97b4410e3d5c6a7b8f901";

    #[test]
    fn a_relay_is_read_as_it_is_written_and_nothing_else_is() {
        for address in ["relay.example.org:5001", "192.0.2.1:5001", "relay:1", "relay.example.org:65534"] {
            let text = format!("{PIN}@{address}");
            let relay: PacketRelay = text.parse().unwrap();
            assert_eq!((relay.to_string(), relay.address()), (text, address.to_owned()));
            assert_eq!(relay.config().quic.map(|quic| quic.port), Some(relay.port() + 1));
        }
        for wrong in [
            "",
            "relay.example.org:5001",
            "@relay.example.org:5001",
            "abc@relay.example.org:5001",
            "PIN@",
            "PIN@relay.example.org",
            "PIN@relay.example.org:",
            "PIN@relay.example.org:0",
            "PIN@relay.example.org:65535",
            "PIN@relay.example.org:65536",
            "PIN@:5001",
            "PIN@me@relay.example.org:5001",
            "PIN@relay.example.org/x:5001",
            "PIN@[::1]:5001",
            "PIN@a b:5001",
            "PIN@http://relay.example.org:5001",
        ] {
            let text = wrong.replace("PIN", PIN);
            assert_eq!(text.parse::<PacketRelay>(), Err(PacketRelayError), "{wrong}");
        }
    }

    #[test]
    fn a_pin_is_good_for_its_own_host_alone() {
        let relay = |text: &str| text.replace("PIN", PIN).parse::<PacketRelay>().unwrap();
        let relays = PacketRelays::new(&[relay("PIN@Relay.example.org:5001"), relay("PIN@192.0.2.1:443")]);
        let pin = PIN.parse().unwrap();
        let is_right = |name: &str, pin| relays.is_right(&ServerName::try_from(name).unwrap(), pin);
        assert!(is_right("relay.example.org", pin) && is_right("192.0.2.1", pin));
        assert!(!is_right("other.example.org", pin) && !is_right("192.0.2.2", pin));
        assert!(!is_right("relay.example.org", Pin([0; 32])));
    }
}
