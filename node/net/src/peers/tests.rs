//! Whole nodes on 127.0.0.1 that know each other's addresses from their settings.

use std::net::Ipv4Addr;
use std::sync::Arc;

use bytes::Bytes;
use iroh::Endpoint;
use qpq_proto::limits::Limits;
use qpq_proto::v1::PushEvent;
use qpq_proto::{Status, TransportErrorKind};
use zeroize::Zeroizing;

use super::*;
use crate::caller::Peer;
use crate::push::Pushed;
use crate::testing::{Echo, EchoControl, impatient, soon};

mod hostile;
mod lifecycle;
#[cfg(feature = "packets")]
mod relayed;

struct Node {
    peers: Peers,
    events: mpsc::Receiver<PeerEvent>,
    control: EchoControl,
}

fn config(secret: u8) -> PeerConfig {
    PeerConfig {
        listen: vec![(Ipv4Addr::LOCALHOST, 0).into()],
        ..PeerConfig::new(Zeroizing::new([secret; 32]), Limits { dial_backoff_min_ms: 10, ..Limits::ROUTER })
    }
}

async fn start(config: PeerConfig) -> Node {
    let (mut echo, control) = Echo::new();
    echo.wire_versions = config.wire_versions;
    let (peers, events) = Peers::start(config, Arc::new(echo)).await.unwrap();
    Node { peers, events, control }
}

async fn node(secret: u8) -> Node {
    start(config(secret)).await
}

/// Two nodes of which the first dials the second.
async fn connected() -> (Node, Node) {
    let (mut a, mut b) = (node(1).await, node(2).await);
    a.want(&b);
    a.connected(&b).await;
    b.connected(&a).await;
    (a, b)
}

impl Node {
    fn key(&self) -> NodeKey {
        self.peers.node_key()
    }

    /// Where the node really listens.
    fn sockets(&self) -> Vec<SocketAddr> {
        self.peers.shared.bound_addresses()
    }

    fn want(&self, other: &Node) {
        self.peers.want(other.key(), other.sockets());
    }

    async fn event(&mut self) -> PeerEvent {
        soon(self.events.recv()).await.unwrap()
    }

    /// The next event about connections, with address changes left out.
    async fn connection_event(&mut self) -> PeerEvent {
        loop {
            match self.event().await {
                PeerEvent::AddressesChanged(_) => {}
                event => return event,
            }
        }
    }

    async fn connected(&mut self, other: &Node) {
        match self.connection_event().await {
            PeerEvent::Connected { node, .. } => assert_eq!(node, other.key()),
            event => panic!("{event:?}"),
        }
    }

    async fn disconnected(&mut self, other: NodeKey) -> String {
        match self.connection_event().await {
            PeerEvent::Disconnected { node, reason } if node == other => reason,
            event => panic!("{event:?}"),
        }
    }

    async fn call(&self, other: &Node, method: Method, payload: &'static str) -> Result<Bytes, CallError> {
        soon(self.peers.call(other.key(), method, payload.into())).await
    }

    async fn echo(&self, other: &Node) {
        assert_eq!(self.call(other, Method::Enqueue, "hello").await.unwrap(), "hello");
    }

    /// Has the other node call, and pushes an event over that connection.
    async fn pushes_to(&mut self, other: &Node) {
        let mut events = other.peers.events(self.key()).unwrap();
        assert!(other.peers.events(self.key()).is_none() && other.peers.events(other.key()).is_none());
        other.echo(self).await;
        let caller = std::iter::from_fn(|| self.control.calls.try_recv().ok()).last().unwrap().0;
        assert_eq!(caller.peer, Peer::Node(other.key()));
        let payload = Bytes::from_static(b"news");
        assert!(self.peers.shared.pushes.push(caller.connection, PushEvent::Presence, payload.clone()));
        assert_eq!(soon(events.next()).await, Some(Pushed { event: PushEvent::Presence, payload }));
    }

    fn state(&self, other: NodeKey) -> PeerState {
        self.peers.states().into_iter().find(|state| state.node == other).unwrap()
    }

    /// Waits until the state of a peer is as expected.
    async fn state_becomes(&self, other: NodeKey, expected: impl Fn(&PeerState) -> bool) -> PeerState {
        soon(async {
            loop {
                let states = self.peers.states();
                if let Some(state) = states.into_iter().find(|state| state.node == other && expected(state)) {
                    return state;
                }
                tokio::task::yield_now().await;
            }
        })
        .await
    }

    fn links(&self, other: NodeKey) -> usize {
        self.peers.shared.table().links(other)
    }
}

fn transport_kind(result: Result<Bytes, CallError>) -> TransportErrorKind {
    match result.unwrap_err() {
        CallError::Transport { kind, .. } => kind,
        error => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn nodes_call_each_other_over_one_connection() {
    let (mut a, mut b) = connected().await;
    a.echo(&b).await;
    b.echo(&a).await;
    let (a_key, b_key) = (a.key(), b.key());
    for (caller, served) in [(a_key, &mut b), (b_key, &mut a)] {
        let exporter = served.peers.exporter(caller);
        let calls: Vec<_> = std::iter::from_fn(|| served.control.calls.try_recv().ok()).collect();
        assert!(calls.iter().all(|(who, _)| who.peer == Peer::Node(caller)), "{calls:?}");
        let (last, method) = calls.last().unwrap();
        assert_eq!((last.address, *method), (Some(Ipv4Addr::LOCALHOST.into()), Method::Enqueue));
        assert_eq!(Some(last.exporter), exporter);
    }
    assert!(a.peers.exporter(a_key).is_none());
    assert_eq!((a.links(b_key), b.links(a_key)), (1, 1));
}

#[tokio::test]
async fn either_node_pushes_events_to_the_other() {
    let (mut a, mut b) = connected().await;
    a.pushes_to(&b).await;
    b.pushes_to(&a).await;
}

#[tokio::test]
async fn states_tell_how_a_peer_is_reached() {
    let (a, b) = connected().await;
    a.echo(&b).await;
    let state = a.state(b.key());
    assert_eq!((state.path, state.wanted, state.discovered), (PathKind::Direct, true, false));
    assert_eq!(state.address, Some(b.sockets()[0]));
    assert!(state.rtt.is_some() && state.last_error.is_none() && state.since_ms > 1_600_000_000_000);
    assert!(!b.state(a.key()).wanted);
    assert_eq!(a.peers.discovery_state(), DiscoveryState::Off);
}

#[tokio::test]
async fn large_payloads_pass_in_both_directions() {
    let (a, b) = connected().await;
    let payload = Bytes::from(vec![7; FRAME_PAYLOAD_BYTES_MAX]);
    let (there, back) = soon(async {
        tokio::join!(
            a.peers.call(b.key(), Method::Enqueue, payload.clone()),
            b.peers.call(a.key(), Method::Enqueue, payload.clone()),
        )
    })
    .await;
    assert!(there.unwrap() == payload && back.unwrap() == payload);
    let too_large = vec![7; FRAME_PAYLOAD_BYTES_MAX + 1].into();
    let error = soon(a.peers.call(b.key(), Method::Enqueue, too_large)).await.unwrap_err();
    assert_eq!(error, CallError::RequestTooLarge { bytes: FRAME_PAYLOAD_BYTES_MAX + 1 });
    a.echo(&b).await;
}

#[tokio::test]
async fn the_method_table_decides_what_a_peer_may_call() {
    let (a, mut b) = connected().await;
    while b.control.calls.try_recv().is_ok() {}
    for method in [Method::SendMessage, Method::NodeStatus, Method::RelayEnqueue] {
        let error = a.call(&b, method, "").await.unwrap_err();
        assert_eq!(error.failure().unwrap().status, Status::Forbidden, "{method:?}");
    }
    assert!(b.control.calls.try_recv().is_err(), "the service must not have seen the calls");
    // A node, too, may be logged in.
    assert!(a.call(&b, Method::Fetch, "").await.is_err());
    assert_eq!(b.control.calls.try_recv().unwrap().1, Method::Fetch);
}

#[tokio::test]
async fn a_panic_in_the_service_costs_one_call() {
    let (a, b) = connected().await;
    let error = a.call(&b, Method::ResolveEndpoint, "").await.unwrap_err();
    assert_eq!(error.failure().unwrap().status, Status::Internal);
    a.echo(&b).await;
}

#[tokio::test]
async fn calls_to_nobody_fail_at_once() {
    let (a, b) = (node(1).await, node(2).await);
    assert_eq!(transport_kind(a.call(&b, Method::Enqueue, "").await), TransportErrorKind::Unreachable);
}

#[tokio::test]
async fn calls_under_way_are_bounded() {
    let (a, mut b) = connected().await;
    let a = Arc::new(a);
    let limit = a.peers.shared.limits.in_flight_calls_per_peer_max;
    let (to, mut waiting) = (b.key(), JoinSet::new());
    for _ in 0..limit {
        let a = Arc::clone(&a);
        waiting.spawn(async move { a.peers.call(to, Method::PublishEndpoint, Bytes::new()).await });
    }
    let mut seen = 0;
    while seen < limit {
        let (_, method) = soon(b.control.calls.recv()).await.unwrap();
        seen += usize::from(method == Method::PublishEndpoint);
    }
    assert_eq!(transport_kind(a.call(&b, Method::Enqueue, "").await), TransportErrorKind::Busy);
    b.control.gate.send_replace(true);
    while let Some(result) = soon(waiting.join_next()).await {
        result.unwrap().unwrap();
    }
    a.echo(&b).await;
}

#[tokio::test]
async fn a_call_that_is_not_answered_times_out_and_harms_no_other() {
    let (mut a, b) = (start(PeerConfig { limits: impatient(), ..config(1) }).await, node(2).await);
    a.want(&b);
    a.connected(&b).await;
    for _ in 0..5 {
        let result = a.call(&b, Method::PublishEndpoint, "").await;
        assert_eq!(transport_kind(result), TransportErrorKind::TimedOut);
    }
    a.echo(&b).await;
}
