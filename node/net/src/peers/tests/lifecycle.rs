//! How connections begin, end and begin again.

use super::*;
use crate::tls::KeyExchange;

#[tokio::test]
async fn two_that_dial_at_once_keep_one_connection() {
    for _ in 0..5 {
        let (mut a, mut b) = (node(1).await, node(2).await);
        a.want(&b);
        b.want(&a);
        a.connected(&b).await;
        b.connected(&a).await;
        for _ in 0..20 {
            a.echo(&b).await;
            b.echo(&a).await;
        }
        soon(async {
            while a.links(b.key()) > 1 || b.links(a.key()) > 1 {
                a.echo(&b).await;
                b.echo(&a).await;
            }
        })
        .await;
        a.echo(&b).await;
        b.echo(&a).await;
        let quiet = |node: &mut Node| match node.events.try_recv() {
            Ok(PeerEvent::AddressesChanged(_)) | Err(_) => {}
            Ok(event) => panic!("{event:?}"),
        };
        quiet(&mut a);
        quiet(&mut b);
    }
}

#[tokio::test]
async fn a_peer_that_comes_later_is_reached() {
    let mut a = node(1).await;
    let port = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = port.local_addr().unwrap();
    drop(port);
    let b_key = node(2).await.key();
    a.peers.want(b_key, vec![address]);
    a.state_becomes(b_key, |state| state.wanted).await;
    let mut b = start(PeerConfig { listen: vec![address], ..config(2) }).await;
    a.connected(&b).await;
    b.connected(&a).await;
    a.echo(&b).await;
}

#[tokio::test]
async fn a_peer_that_restarts_elsewhere_is_reached_again() {
    let (mut a, mut b) = connected().await;
    let key = b.key();
    soon(b.peers.shutdown()).await;
    assert!(!a.disconnected(key).await.is_empty());
    assert_eq!(a.state(key).path, PathKind::Offline);
    assert!(a.state(key).last_error.is_some());
    b = node(2).await;
    a.want(&b);
    a.connected(&b).await;
    a.echo(&b).await;
}

/// Starts a node on a thread of its own that freezes when it is told to, as if it had been killed: what it has sent
/// stays, but nothing comes any more, not even a goodbye. Returns its key, its addresses and the switch.
async fn mortal(secret: u8) -> (NodeKey, Vec<SocketAddr>, std::sync::mpsc::Sender<()>) {
    let (ready, started) = tokio::sync::oneshot::channel();
    let (freeze, frozen) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let node = node(secret).await;
            ready.send((node.key(), node.sockets())).unwrap();
            while frozen.try_recv().is_err() {
                tokio::task::yield_now().await;
            }
            loop {
                std::thread::park();
            }
        });
    });
    let (key, sockets) = started.await.unwrap();
    (key, sockets, freeze)
}

/// Whichever of the two keys is the smaller, and with it whichever connection is the favoured one. A newcomer that is
/// the favoured one may as well have been dialled at the same moment as the one it replaces; any other tells that the
/// peer has lost what was agreed.
#[tokio::test]
async fn a_peer_that_died_without_a_word_and_restarts_gets_through() {
    for (own, other) in [(1, 2), (2, 1)] {
        let mut a = node(own).await;
        let (key, sockets, freeze) = mortal(other).await;
        a.peers.want(key, sockets.clone());
        a.state_becomes(key, |state| state.address == Some(sockets[0])).await;
        while a.events.try_recv().is_ok() {}
        freeze.send(()).unwrap();

        let mut again = node(other).await;
        again.want(&a);
        again.connected(&a).await;
        again.echo(&a).await;
        a.state_becomes(key, |state| state.address == Some(again.sockets()[0])).await;
        a.echo(&again).await;
        if a.key() < key {
            a.disconnected(key).await;
            a.connected(&again).await;
        }
        assert!(a.events.try_recv().is_err(), "otherwise the peer was connected all the time");
    }
}

#[tokio::test]
async fn static_peers_are_wanted_from_the_start() {
    let b = node(2).await;
    let mut a = start(PeerConfig { static_peers: vec![(b.key(), b.sockets())], ..config(1) }).await;
    a.connected(&b).await;
    a.echo(&b).await;
}

#[tokio::test]
async fn one_good_address_among_bad_ones_is_enough() {
    let (mut a, b) = (node(1).await, node(2).await);
    let mut addresses: Vec<SocketAddr> = (1..8).map(|port| (Ipv4Addr::LOCALHOST, port).into()).collect();
    addresses.extend(b.sockets());
    a.peers.want(b.key(), addresses);
    a.connected(&b).await;
    a.echo(&b).await;
}

#[tokio::test]
async fn release_ends_a_connection_that_we_dialled() {
    let (mut a, mut b) = connected().await;
    a.peers.release(b.key());
    b.disconnected(a.key()).await;
    a.disconnected(b.key()).await;
    assert!(a.peers.states().is_empty());
}

#[tokio::test]
async fn shutdown_lets_calls_in_flight_finish() {
    let (a, mut b) = connected().await;
    let to = b.key();
    let call = tokio::spawn(async move { a.peers.call(to, Method::PublishEndpoint, "bye".into()).await });
    while soon(b.control.calls.recv()).await.unwrap().1 != Method::PublishEndpoint {}
    let shutdown = tokio::spawn(async move { b.peers.shutdown().await });
    tokio::task::yield_now().await;
    b.control.gate.send_replace(true);
    assert_eq!(soon(call).await.unwrap().unwrap(), "bye");
    soon(shutdown).await.unwrap();
}

#[tokio::test]
async fn no_common_wire_version_is_said_on_both_sides() {
    let a = start(PeerConfig { wire_versions: (1, 3), ..config(1) }).await;
    let b = start(PeerConfig { wire_versions: (4, 5), ..config(2) }).await;
    b.peers.want(a.key(), Vec::new());
    a.want(&b);
    let state = a.state_becomes(b.key(), |state| state.last_error.is_some()).await;
    assert!(state.last_error.unwrap().contains("we speak wire versions 1 to 3, the peer speaks 4 to 5"));
    let state = b.state_becomes(a.key(), |state| state.last_error.is_some()).await;
    assert!(state.last_error.unwrap().contains("we speak wire versions 4 to 5, the peer speaks 1 to 3"));
}

#[tokio::test]
async fn hybrid_and_classical_nodes_understand_each_other_and_only_insisting_fails() {
    use KeyExchange::{ClassicalOnly, HybridOnly, HybridPreferred};
    let b = start(PeerConfig { key_exchange: ClassicalOnly, ..config(2) }).await;
    let mut a = start(PeerConfig { key_exchange: HybridPreferred, ..config(1) }).await;
    a.want(&b);
    a.connected(&b).await;
    a.echo(&b).await;

    let mut hybrid = start(PeerConfig { key_exchange: HybridOnly, ..config(4) }).await;
    hybrid.want(&a);
    hybrid.connected(&a).await;
    hybrid.echo(&a).await;
}

/// A handshake takes as long as it likes here: only an answer, and no silence, can be what tells.
#[tokio::test]
async fn who_insists_on_the_hybrid_group_and_who_lacks_it_is_told_at_once() {
    use KeyExchange::{ClassicalOnly, HybridOnly};
    for (own, other, expected) in [
        (HybridOnly, ClassicalOnly, "the peer does not offer the key exchange X25519MLKEM768"),
        (ClassicalOnly, HybridOnly, "the peer insists on the key exchange X25519MLKEM768"),
    ] {
        let limits = Limits { handshake_timeout_ms: 3_600_000, ..impatient() };
        let a = start(PeerConfig { key_exchange: own, limits, ..config(1) }).await;
        let b = start(PeerConfig { key_exchange: other, ..config(2) }).await;
        a.want(&b);
        let state = a.state_becomes(b.key(), |state| state.last_error.is_some()).await;
        let error = state.last_error.unwrap();
        assert!(error.contains(expected), "{own:?} {other:?}: {error}");
    }
}

#[tokio::test]
async fn a_node_does_not_dial_itself() {
    let a = node(1).await;
    a.want(&a);
    assert!(a.peers.states().is_empty());
}

#[tokio::test]
async fn addresses_are_those_that_others_can_dial() {
    let (a, mut b) = (node(1).await, node(2).await);
    b.peers.want(a.key(), a.peers.addresses());
    b.connected(&a).await;
}

#[tokio::test]
async fn listening_twice_on_one_port_fails_with_a_reason() {
    let a = node(1).await;
    let taken = PeerConfig { listen: a.sockets(), ..config(2) };
    let started = Peers::start(taken, Arc::new(Echo::new().0)).await;
    assert!(matches!(started, Err(StartError::Bind(_))), "{started:?}");
    let nothing = PeerConfig { listen: Vec::new(), ..config(2) };
    let started = Peers::start(nothing, Arc::new(Echo::new().0)).await;
    assert!(matches!(started, Err(StartError::NoAddress)), "{started:?}");
}

/// What the endpoint could ask without being told to: relays, name servers, look-up services. There are none.
#[tokio::test]
async fn nobody_is_contacted_who_was_not_named() {
    let a = node(1).await;
    let endpoint = &a.peers.shared.endpoint;
    assert!(endpoint.address_lookup().unwrap().is_empty());
    assert_eq!(endpoint.addr().relay_urls().count(), 0);
    assert!(endpoint.home_relay_status().get().is_empty());
}

#[test]
fn a_configuration_that_is_printed_keeps_its_secret() {
    let printed = format!("{:?}", config(0xab));
    assert!(!printed.contains("171") && !printed.to_lowercase().contains("abab"), "{printed}");
}
