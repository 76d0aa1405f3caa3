use if_addrs::{IfAddr, IfOperStatus, Ifv4Addr, Ifv6Addr};

use super::*;
use crate::testing::soon;

fn interface(index: Option<u32>, ip: &str) -> Interface {
    let addr = match ip.parse().unwrap() {
        IpAddr::V4(ip) => {
            IfAddr::V4(Ifv4Addr { ip, netmask: Ipv4Addr::BROADCAST, prefixlen: 32, broadcast: None })
        }
        IpAddr::V6(ip) => IfAddr::V6(Ifv6Addr {
            ip,
            netmask: Ipv6Addr::from_bits(u128::MAX),
            prefixlen: 128,
            broadcast: None,
        }),
    };
    Interface { name: "test".to_owned(), addr, index, oper_status: IfOperStatus::Up, is_p2p: false }
}

#[test]
fn every_working_interface_is_asked_on_once() {
    let down = Interface { oper_status: IfOperStatus::Down, ..interface(Some(4), "192.0.2.4") };
    let tunnel = Interface { is_p2p: true, ..interface(Some(5), "192.0.2.5") };
    let interfaces = [
        interface(Some(1), "127.0.0.1"),
        interface(Some(1), "::1"),
        interface(Some(2), "192.0.2.1"),
        interface(Some(2), "192.0.2.2"),
        interface(Some(3), "fe80::1"),
        interface(None, "192.0.2.3"),
        down,
        tunnel,
    ];
    let asked: Vec<_> = by_index(&interfaces, v4).into_iter().collect();
    assert_eq!(asked, [(1, Ipv4Addr::LOCALHOST), (2, Ipv4Addr::new(192, 0, 2, 1))]);
    assert_eq!(by_index(&interfaces, v6).into_keys().collect::<Vec<_>>(), [1, 3]);
}

#[test]
fn the_number_of_interfaces_is_bounded() {
    let many: Vec<_> = (0..200).map(|index| interface(Some(index), "192.0.2.1")).collect();
    assert_eq!(by_index(&many, v4).len(), INTERFACES_MAX);
}

#[tokio::test]
async fn garbage_does_not_keep_answers_from_being_heard_and_both_end_in_time() {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let asker = socket.local_addr().unwrap();
    let stranger = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    for garbage in [&b""[..], b"garbage", &[0xff; 9_000], &message::question(7)] {
        stranger.send_to(garbage, asker).await.unwrap();
    }
    stranger.send_to(&message::tests::answer_to(7), asker).await.unwrap();
    let (answers, mut answered) = mpsc::channel(1);
    soon(hear(Ok(socket), 7, &answers)).await;
    drop(answers);
    assert!(answered.recv().await.is_some());
    assert_eq!(answered.recv().await, None);
}
