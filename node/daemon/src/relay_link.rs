//! The link by which people find this relay: where it listens, as others reach it.

use std::net::SocketAddr;

use qpq_crypto::relay_link::{RELAY_PLACES_MAX, RelayLink, RelayPlace};

use crate::relaying::Listening;

/// Makes it; none where nobody could connect. `own` are the addresses at which peers reach the node, whose ports are
/// others.
pub(crate) fn make(
    listening: &Listening,
    log_key: &[u8],
    own: &[SocketAddr],
    invitation: Option<[u8; 32]>,
) -> Option<RelayLink> {
    let (listener, pin) = (listening.address, listening.pin);
    let mut places: Vec<SocketAddr> = match listener.ip().is_unspecified() {
        false => vec![listener],
        true => {
            let reached = own.iter().filter(|address| listener.is_ipv6() || address.is_ipv4());
            reached.map(|address| SocketAddr::new(address.ip(), listener.port())).collect()
        }
    };
    // Whoever is elsewhere cannot use what leads to itself, unless there is nothing else.
    if places.iter().any(|place| !place.ip().is_loopback()) {
        places.retain(|place| !place.ip().is_loopback());
    }
    places.sort();
    places.dedup();
    places.truncate(RELAY_PLACES_MAX);
    if places.is_empty() {
        return None;
    }
    let places = places.into_iter().map(RelayPlace::from).collect();
    Some(RelayLink { pin, log_key: log_key.try_into().ok()?, places, invitation })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(listener: &str, own: &[&str]) -> Vec<String> {
        let listening = Listening { address: listener.parse().unwrap(), pin: [0xab; 32] };
        let own: Vec<SocketAddr> = own.iter().map(|address| address.parse().unwrap()).collect();
        let link = make(&listening, &[7; 32], &own, None);
        link.map(|link| link.places.iter().map(ToString::to_string).collect()).unwrap_or_default()
    }

    #[test]
    fn a_link_leads_to_where_others_reach_the_listener() {
        for (listener, own, expected) in [
            ("192.0.2.1:5001", &["198.51.100.7:4000"][..], &["192.0.2.1:5001"][..]),
            ("[::]:5001", &["198.51.100.7:4000", "127.0.0.1:4000"], &["198.51.100.7:5001"]),
            (
                "[::]:5001",
                &["[2001:db8::1]:4000", "198.51.100.7:4"],
                &["198.51.100.7:5001", "[2001:db8::1]:5001"],
            ),
            ("0.0.0.0:5001", &["[2001:db8::1]:4000", "198.51.100.7:4"], &["198.51.100.7:5001"]),
            ("[::]:5001", &["127.0.0.1:4000", "127.0.0.1:4001"], &["127.0.0.1:5001"]),
            ("127.0.0.1:9", &[], &["127.0.0.1:9"]),
            ("[::]:5001", &[], &[]),
        ] {
            assert_eq!(places(listener, own), expected, "{listener} {own:?}");
        }
    }

    #[test]
    fn an_invitation_goes_along() {
        let listening = Listening { address: ([192, 0, 2, 1], 5001).into(), pin: [0xab; 32] };
        let link = make(&listening, &[7; 32], &[], Some([9; 32])).unwrap();
        assert_eq!((link.pin, link.log_key, link.invitation), ([0xab; 32], [7; 32], Some([9; 32])));
        assert_eq!(make(&listening, b"short", &[], None), None);
    }
}
