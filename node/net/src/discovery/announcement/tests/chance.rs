//! Announcements of all kinds, from nodes and from anybody: what is heard is plausible, bounded and of the node it names.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn ip() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<[u8; 4]>().prop_map(IpAddr::from),
        any::<[u8; 16]>().prop_map(IpAddr::from),
        // Those that mean something special.
        proptest::sample::select(vec![
            "0.0.0.0",
            "255.255.255.255",
            "127.0.0.1",
            "169.254.0.1",
            "224.0.0.251",
            "::",
            "::1",
            "fe80::1",
            "ff02::fb",
            "fe80::ffff",
            "192.0.2.1",
            "2001:db8::1",
        ])
        .prop_map(|ip| ip.parse().unwrap()),
    ]
}

fn property() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("07".repeat(32)),
        Just("4000".to_owned()),
        Just("0".to_owned()),
        Just("65536".to_owned()),
        "[0-9a-fA-F]{60,68}",
        ".{0,20}",
    ]
}

fn check(heard: &Heard) {
    assert!(!heard.addresses.is_empty() && heard.addresses.len() <= ENDPOINT_ADDRESSES_MAX);
    assert!(heard.addresses.iter().all(is_plausible), "{heard:?}");
    assert!(heard.addresses.iter().all(|address| address.port() != 0), "{heard:?}");
    let distinct: BTreeSet<_> = heard.addresses.iter().collect();
    assert_eq!(distinct.len(), heard.addresses.len());
    let link_local = heard.addresses.iter().filter(|address| is_link_local(address)).count();
    assert!(link_local == 0 || link_local == heard.addresses.len(), "{heard:?}");
}

proptest! {
    /// Whatever the properties and the addresses are.
    #[test]
    fn garbage_is_no_node_and_what_is_one_is_plausible(
        properties in vec((proptest::sample::select(vec!["k", "p4", "p6", "x"]), property()), 0..6),
        addresses in vec((ip(), 0_u32..3), 0..40),
        named in any::<bool>(),
    ) {
        let property = |name: &str| {
            properties.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str())
        };
        let name = if named { full_name(node(7)) } else { "somebody._quicproquo._udp.local.".to_owned() };
        let heard = Heard::new(&name, property, addresses);
        prop_assert!(named || heard.is_none(), "the name belongs to nobody");
        if let Some(heard) = heard {
            prop_assert_eq!(heard.node, node(7));
            check(&heard);
        }
    }

    /// Whoever listens where others can reach it is heard as it announces itself, whatever the order of its addresses.
    #[test]
    fn what_a_node_announces_is_heard(sockets in vec((ip(), 1_u16..), 1..4), reversed in any::<bool>()) {
        let mut sockets: Vec<_> = sockets.into_iter().map(|(ip, port)| SocketAddr::new(ip, port)).collect();
        if reversed {
            sockets.reverse();
        }
        let announcement = Announcement::of(node(7), &sockets);
        let service = announcement.service().unwrap();
        prop_assert_eq!(service.is_addr_auto(), sockets.iter().any(|socket| socket.ip().is_unspecified()));
        if let Some(heard) = heard(&announcement) {
            check(&heard);
            let known: BTreeSet<_> = sockets.iter().map(SocketAddr::ip).collect();
            prop_assert!(heard.addresses.iter().all(|address| known.contains(&address.ip())));
        }
    }
}
