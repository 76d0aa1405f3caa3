//! The link by which people find this relay: where it listens, as others reach it.
//!
//! The settings say where that is; without them, it is taken for this machine's own addresses.

use std::net::SocketAddr;

use qpq_crypto::relay_link::{RELAY_PLACES_MAX, RelayLink, RelayPlace};

use crate::relaying::Listening;

/// Makes it; none where nobody could connect.
pub(crate) fn make(
    listening: &Listening,
    log_key: &[u8],
    places: Vec<RelayPlace>,
    invitation: Option<[u8; 32]>,
) -> Option<RelayLink> {
    let is_usable = (1..=RELAY_PLACES_MAX).contains(&places.len());
    let log_key = log_key.try_into().ok()?;
    is_usable.then_some(RelayLink { pin: listening.pin, log_key, places, invitation })
}

/// Where a listener is reached that the settings name no place for. `own` are the addresses at which peers reach the
/// node, whose ports are others.
pub(crate) fn places(listener: SocketAddr, own: &[SocketAddr]) -> Vec<RelayPlace> {
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
    places.into_iter().map(RelayPlace::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(listener: &str, own: &[&str]) -> Vec<String> {
        let own: Vec<SocketAddr> = own.iter().map(|address| address.parse().unwrap()).collect();
        places(listener.parse().unwrap(), &own).iter().map(ToString::to_string).collect()
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
            assert_eq!(found(listener, own), expected, "{listener} {own:?}");
        }
    }

    #[test]
    fn an_invitation_goes_along() {
        let listening = Listening { address: ([192, 0, 2, 1], 5001).into(), pin: [0xab; 32] };
        let place: RelayPlace = "relay.example.org:5001".parse().unwrap();
        let link = make(&listening, &[7; 32], vec![place.clone()], Some([9; 32])).unwrap();
        assert_eq!((link.pin, link.log_key, link.invitation), ([0xab; 32], [7; 32], Some([9; 32])));
        assert_eq!(link.places, std::slice::from_ref(&place));
        assert_eq!(make(&listening, b"short", vec![place], None), None);
        assert_eq!(make(&listening, &[7; 32], Vec::new(), None), None, "nobody could connect");
    }
}
