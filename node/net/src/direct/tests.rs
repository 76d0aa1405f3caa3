use std::net::Ipv4Addr;
use std::sync::Arc;

use bytes::Bytes;
use qpq_proto::v1::PushEvent;
use qpq_proto::{CallError, Client, Method, Status, Transport, TransportErrorKind};
use rustls::RootCertStore;

use super::*;
use crate::caller::{ConnectionId, Exporter, Peer};
use crate::push::{Pushed, Pushes};
use crate::testing::{Echo, EchoControl, soon};

struct Node {
    server: DirectServer,
    control: EchoControl,
    pushes: Pushes,
    pin: Pin,
    certificate: Vec<u8>,
}

fn node_with(limits: Limits, wire_versions: (u32, u32)) -> Node {
    let (certificate, _) = Certificate::self_signed(vec!["node.test".to_owned()]).unwrap();
    let (pin, der) = (certificate.pin(), certificate.chain[0].to_vec());
    let (mut echo, control) = Echo::new();
    echo.wire_versions = wire_versions;
    let pushes = Pushes::new(&limits);
    let listen = (Ipv4Addr::LOCALHOST, 0).into();
    let config = DirectConfig { listen, certificate, limits, pushes: pushes.clone() };
    Node { server: serve(config, Arc::new(echo)).unwrap(), control, pushes, pin, certificate: der }
}

fn node() -> Node {
    node_with(Limits::ROUTER, (1, 1))
}

impl Node {
    async fn connect(&self, trust: Trust) -> Result<DirectClient, ConnectError> {
        soon(DirectClient::connect(self.server.address().unwrap(), &trust, &Limits::ROUTER)).await
    }

    async fn client(&self) -> DirectClient {
        self.connect(Trust::Pin(self.pin)).await.unwrap()
    }
}

async fn echo(client: &DirectClient) {
    assert_eq!(soon(client.call(Method::Enqueue, Bytes::from_static(b"hello"))).await.unwrap(), "hello");
}

#[tokio::test]
async fn a_stranger_connects_and_calls_as_the_public() {
    let mut node = node();
    let client = node.client().await;
    echo(&client).await;
    let (caller, method) = node.control.calls.recv().await.unwrap();
    assert_eq!((caller.peer, caller.address), (Peer::Anyone, Some(Ipv4Addr::LOCALHOST.into())));
    assert_eq!(method, Method::Health);
    for (method, status) in [
        (Method::NodeStatus, Status::Forbidden),
        (Method::Fetch, Status::Unauthorized),
        (Method::RelayEnqueue, Status::Forbidden),
    ] {
        let error = soon(client.call(method, Bytes::new())).await.unwrap_err();
        assert_eq!(error.failure().unwrap().status, status, "{method:?}");
    }
}

#[tokio::test]
async fn both_ends_export_one_value_from_the_connection_and_each_connection_another() {
    let mut node = node();
    let clients = [node.client().await, node.client().await];
    let mut callers = Vec::new();
    for client in &clients {
        let (caller, _) = soon(node.control.calls.recv()).await.unwrap();
        assert_eq!(caller.exporter, client.exporter());
        callers.push(caller);
    }
    assert_ne!(callers[0].exporter, callers[1].exporter);
    assert_ne!(callers[0].connection, callers[1].connection);
    assert!(callers.iter().all(|caller| caller.exporter != Exporter::NONE));
    echo(&clients[0]).await;
    assert_eq!(soon(node.control.calls.recv()).await.unwrap().0, callers[0]);
    drop(clients);
    let ended =
        [soon(node.control.ended.recv()).await.unwrap(), soon(node.control.ended.recv()).await.unwrap()];
    assert!(callers.iter().all(|caller| ended.contains(&caller.connection)), "{ended:?}");
}

#[tokio::test]
async fn events_reach_whoever_asked_for_them_until_the_connection_is_ended() {
    let mut node = node();
    let client = node.client().await;
    let connection = soon(node.control.calls.recv()).await.unwrap().0.connection;
    let mut events = client.events().unwrap();
    assert!(client.events().is_none(), "there is one stream of them");
    let long = Bytes::from(vec![7; 16_384]);
    // Once this is answered, the server knows that it may open a stream.
    echo(&client).await;
    for payload in [Bytes::from_static(b"first"), long.clone(), Bytes::new()] {
        assert!(node.pushes.push(connection, PushEvent::Typing, payload.clone()));
        assert_eq!(soon(events.next()).await, Some(Pushed { event: PushEvent::Typing, payload }));
    }
    assert!(!node.pushes.push(ConnectionId(u64::MAX), PushEvent::Typing, long));
    assert!(node.pushes.end(connection, "the device is revoked"));
    assert_eq!(soon(events.next()).await, None);
    assert_eq!(soon(node.control.ended.recv()).await, Some(connection));
    let error = soon(client.call(Method::Enqueue, Bytes::new())).await.unwrap_err();
    assert!(error.to_string().contains("the device is revoked"), "{error}");
    assert!(
        !node.pushes.push(connection, PushEvent::Typing, Bytes::new()) && !node.pushes.end(connection, "")
    );
}

#[tokio::test]
async fn only_the_pinned_certificate_is_trusted() {
    let (node, other) = (node(), node());
    let connected = node.connect(Trust::Pin(other.pin)).await;
    assert!(matches!(connected, Err(ConnectError::Untrusted(_))), "{connected:?}");
    node.client().await;
}

#[tokio::test]
async fn a_certificate_is_trusted_by_its_authority_and_name() {
    let node = node();
    let mut roots = RootCertStore::empty();
    roots.add(node.certificate.clone().into()).unwrap();
    let roots = Arc::new(roots);
    let trust = |name: &str| Trust::Roots { roots: Arc::clone(&roots), server_name: name.to_owned() };
    echo(&node.connect(trust("node.test")).await.unwrap()).await;
    for (name, roots) in [("other.test", Arc::clone(&roots)), ("node.test", Arc::new(RootCertStore::empty()))]
    {
        let connected = node.connect(Trust::Roots { roots, server_name: name.to_owned() }).await;
        assert!(matches!(connected, Err(ConnectError::Untrusted(_))), "{name}: {connected:?}");
    }
    let nonsense = node.connect(trust("not a name")).await;
    assert!(matches!(nonsense, Err(ConnectError::ServerName(_))), "{nonsense:?}");
}

#[tokio::test]
async fn a_certificate_kept_as_text_is_the_same_certificate() {
    let (certificate, pem) = Certificate::self_signed(vec!["node.test".to_owned()]).unwrap();
    assert_eq!(Certificate::from_pem(pem.as_bytes()).unwrap().pin(), certificate.pin());
    assert_eq!(certificate.pin().to_string().len(), 64);
    for broken in ["", "nonsense", &pem[..40]] {
        assert!(Certificate::from_pem(broken.as_bytes()).is_err(), "{broken:?}");
    }
    let without_key = &pem[..pem.find("-----BEGIN PRIVATE").unwrap()];
    assert!(matches!(Certificate::from_pem(without_key.as_bytes()), Err(CertificateError::Malformed(_))));
}

#[tokio::test]
async fn another_wire_version_is_said_to_be() {
    let node = node_with(Limits::ROUTER, (7, 9));
    match node.connect(Trust::Pin(node.pin)).await {
        Err(ConnectError::Health(CallError::Transport { kind, .. })) => {
            assert_eq!(kind, TransportErrorKind::VersionMismatch);
        }
        connected => panic!("{connected:?}"),
    }
}

#[tokio::test]
async fn nobody_at_the_address_is_said_to_be() {
    let port = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let limits = crate::testing::impatient();
    let trust = Trust::Pin(Pin([0; 32]));
    let connected = soon(DirectClient::connect(port.local_addr().unwrap(), &trust, &limits)).await;
    assert!(matches!(connected, Err(ConnectError::TimedOut { .. })), "{connected:?}");
}

#[tokio::test]
async fn connections_from_one_address_are_bounded() {
    let node = node_with(Limits { connections_per_address_max: 2, ..Limits::ROUTER }, (1, 1));
    let clients = [node.client().await, node.client().await];
    let third = node.connect(Trust::Pin(node.pin)).await;
    assert!(matches!(third, Err(ConnectError::Handshake { .. })), "{third:?}");
    for client in &clients {
        echo(client).await;
    }
}

#[tokio::test]
async fn shutdown_lets_calls_in_flight_finish() {
    let mut node = node();
    let client = Client::new(node.client().await);
    let waiting = tokio::spawn(async move {
        client.transport().call(Method::Health, Bytes::new()).await.unwrap();
        client.transport().call(Method::Enqueue, Bytes::from_static(b"bye")).await
    });
    for expected in [Method::Health, Method::Health, Method::Enqueue] {
        assert_eq!(soon(node.control.calls.recv()).await.unwrap().1, expected);
    }
    soon(node.server.shutdown()).await;
    assert_eq!(soon(waiting).await.unwrap().unwrap(), "bye");
}
