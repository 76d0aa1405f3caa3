//! What the settings mean for the parts of a node.

use qpq_crypto::passphrase::PassphraseCost;
use qpq_net::{Discovery as NetDiscovery, PeerConfig};
use qpq_proto::limits::Limits;

use crate::effects::StaticPeers;
use crate::open::Found;
use crate::settings::{Discovery, Profile, Settings};

/// The limits of the profile, as far as no setting says otherwise.
pub(super) fn limits_of(settings: &Settings) -> Limits {
    let mut limits = match settings.profile {
        Profile::Server => Limits::SERVER,
        Profile::Router => Limits::ROUTER,
    };
    if let Some(connections) = settings.connections_per_address {
        let connections = connections.get();
        let calls = &mut limits.relay.calls_per_address;
        *calls = calls.shared_by(connections, limits.connections_per_address_max);
        limits.connections_per_address_max = connections;
        limits.connections_per_address_per_minute_max = connections.saturating_mul(15);
        limits.connections_max = limits.connections_max.max(connections);
    }
    if let Some(mib) = settings.relay_mailbox_mib {
        let relay = &mut limits.relay;
        let bytes = (mib.get() as u64).saturating_mul(MIB_BYTES);
        let deliveries = relay.queue_deliveries_max.saturating_mul(bytes) / relay.queue_bytes_max;
        (relay.queue_bytes_max, relay.queue_deliveries_max) = (bytes, deliveries.max(1));
    }
    limits
}

/// What a guess at a passphrase costs: as much as the machine can well afford.
pub(crate) fn passphrase_cost_of(profile: Profile) -> PassphraseCost {
    match profile {
        Profile::Server => PassphraseCost::STANDARD,
        Profile::Router => PassphraseCost::ROUTER,
    }
}

/// The peers that are always kept connected.
pub(super) fn static_peers_of(settings: &Settings) -> StaticPeers {
    let mut peers = StaticPeers::new();
    for peer in &settings.static_peers {
        peers.entry(peer.node).or_default().push(peer.address);
    }
    peers
}

/// How others on the local network are found.
pub(super) fn discovery_of(settings: &Settings) -> NetDiscovery {
    match settings.discovery {
        Discovery::Open => NetDiscovery::Open,
        Discovery::Off => NetDiscovery::Off,
    }
}

/// How the node connects with peers.
pub(super) fn peer_config(settings: &Settings, found: &Found, limits: &Limits) -> PeerConfig {
    // The interpreter of effects wants the static peers, so that a reload can change them.
    PeerConfig {
        listen: settings.listen.clone(),
        discovery: discovery_of(settings),
        packet_relays: settings.packet_relays.clone(),
        ..PeerConfig::new(found.node_secret.0.clone(), limits.clone())
    }
}

const MIB_BYTES: u64 = 1_048_576;

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;

    #[test]
    fn a_mailbox_holds_as_many_times_more_deliveries_as_bytes() {
        let of = |profile, mib| {
            let settings =
                Settings { profile, relay_mailbox_mib: NonZeroUsize::new(mib), ..Settings::default() };
            let relay = limits_of(&settings).relay;
            (relay.queue_bytes_max, relay.queue_deliveries_max)
        };
        assert_eq!(of(Profile::Router, 0), (1_048_576, 1_024));
        assert_eq!(of(Profile::Router, 8), (8_388_608, 8_192));
        assert_eq!(of(Profile::Server, 256), (268_435_456, 4_194_304));
        assert_eq!(of(Profile::Server, usize::MAX).0, u64::MAX);
    }
}
