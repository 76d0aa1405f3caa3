use std::net::{Ipv4Addr, Ipv6Addr};

use super::*;

mod chance;

fn node(byte: u8) -> NodeKey {
    NodeKey::from_bytes([byte; 32])
}

fn heard(announcement: &Announcement) -> Option<Heard> {
    Heard::of_service(&announcement.service().unwrap().as_resolved_service())
}

fn announcement(sockets: &[&str]) -> Announcement {
    let sockets: Vec<_> = sockets.iter().map(|socket| socket.parse().unwrap()).collect();
    Announcement::of(node(7), &sockets)
}

#[test]
fn what_is_announced_is_heard() {
    let fixed = announcement(&["192.0.2.1:4000", "[2001:db8::1]:5000"]);
    let expected = ["192.0.2.1:4000", "[2001:db8::1]:5000"].map(|socket| socket.parse().unwrap());
    assert_eq!(heard(&fixed), Some(Heard { node: node(7), addresses: expected.to_vec() }));
}

#[test]
fn listening_everywhere_announces_the_addresses_of_all_interfaces() {
    let everywhere = announcement(&["0.0.0.0:4000", "[::]:5000"]);
    let service = everywhere.service().unwrap();
    assert!(service.is_addr_auto() && !service.requires_probe());
    assert_eq!((everywhere.port_v4, everywhere.port_v6), (Some(4000), Some(5000)));
    assert!(!announcement(&["127.0.0.1:1"]).service().unwrap().is_addr_auto());
}

#[test]
fn nothing_but_the_key_and_ports_is_announced() {
    let service = announcement(&["0.0.0.0:4000"]).service().unwrap();
    let properties: Vec<_> =
        service.get_properties().iter().map(|property| property.key().to_owned()).collect();
    assert_eq!(properties, ["k", "p4"]);
    assert_eq!(service.get_hostname(), format!("{}.local.", "07".repeat(16)));
}

#[test]
fn several_nodes_on_one_machine_have_names_of_their_own() {
    assert_ne!(instance_name(node(1)), instance_name(node(2)));
    assert_eq!(instance_name(node(1)).len(), 32);
}

#[test]
fn an_announcement_under_another_nodes_name_is_not_heard() {
    let mut service = announcement(&["192.0.2.1:4000"]).service().unwrap().as_resolved_service();
    service.fullname = format!("{}.{SERVICE_TYPE}", instance_name(node(8)));
    assert_eq!(Heard::of_service(&service), None);
}

#[test]
fn an_announcement_without_key_port_or_address_is_not_heard() {
    let properties: [&[(&str, &str)]; 4] = [
        &[("p4", "4000")],
        &[("k", "0707"), ("p4", "4000")],
        &[("k", &"07".repeat(32)), ("p4", "0")],
        &[("k", &"07".repeat(32)), ("p4", "70000")],
    ];
    for properties in properties {
        let name = instance_name(node(7));
        let service =
            ServiceInfo::new(SERVICE_TYPE, &name, &format!("{name}.local."), "192.0.2.1", 1, properties)
                .unwrap();
        assert_eq!(Heard::of_service(&service.as_resolved_service()), None, "{properties:?}");
    }
    assert_eq!(heard(&announcement(&["0.0.0.0:4000"])), None);
}

#[test]
fn implausible_addresses_are_left_out_and_the_rest_is_bounded_and_ordered() {
    let scoped = |ip: IpAddr| (ip, 0);
    let nonsense: Vec<_> = [
        IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V4(Ipv4Addr::BROADCAST),
        IpAddr::V4(Ipv4Addr::new(224, 0, 0, 251)),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        IpAddr::V6("ff02::fb".parse().unwrap()),
        // Link-local, and nobody said on which interface.
        IpAddr::V6("fe80::1".parse().unwrap()),
    ]
    .map(scoped)
    .to_vec();
    assert!(useful(nonsense, Some(1), Some(1)).is_empty());

    let many: Vec<_> = (0..100).map(|last| scoped(Ipv4Addr::new(192, 0, 2, last).into())).collect();
    let forwards = useful(many.clone(), Some(1), None);
    assert_eq!(forwards.len(), ENDPOINT_ADDRESSES_MAX);
    assert_eq!(forwards, useful(many.into_iter().rev(), Some(1), None));

    let mixed = [scoped(Ipv4Addr::new(169, 254, 1, 1).into()), scoped(Ipv4Addr::new(192, 0, 2, 1).into())];
    assert_eq!(useful(mixed, Some(1), None)[0].ip(), Ipv4Addr::new(192, 0, 2, 1));
    assert!(useful(mixed, None, Some(1)).is_empty());
}

#[test]
fn link_local_addresses_of_ipv6_keep_their_interface_and_others_have_none() {
    let read = |ip: &str, scope_id| useful([(ip.parse().unwrap(), scope_id)], None, Some(1))[0].to_string();
    assert_eq!(read("fe80::1", 3), "[fe80::1%3]:1");
    assert_eq!(read("2001:db8::1", 3), "[2001:db8::1]:1");
}
