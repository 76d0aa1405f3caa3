//! Peers that stall, flood or send garbage, each played with a bare iroh endpoint: they are cut off, others are served.

use iroh::endpoint::{Connection, RecvStream, SendStream};
use iroh::{EndpointAddr, TransportAddr};
use qpq_proto::frame::{Header, REQUEST_HEADER_BYTES, RESPONSE_HEADER_BYTES, RequestHeader, ResponseHeader};

use super::*;

/// A node of which only the handshake is honest.
struct Attacker {
    endpoint: Endpoint,
}

impl Attacker {
    async fn new(secret: u8) -> Self {
        Self { endpoint: bind(&config(secret), &PacketRelays::default()).await.unwrap() }
    }

    async fn connect(&self, victim: &Node) -> Connection {
        let addresses = victim.sockets().into_iter().map(TransportAddr::Ip);
        let address = EndpointAddr::from_parts(victim.peers.shared.endpoint.id(), addresses);
        soon(self.endpoint.connect(address, ALPN)).await.unwrap()
    }

    /// A connection on which `Health` was said.
    async fn greeted(&self, victim: &Node) -> Connection {
        let connection = self.connect(victim).await;
        let status = exchange(&connection, &request(Method::Health, &[8, 1, 16, 1])).await;
        assert_eq!(status, Some(Status::Ok));
        connection
    }

    fn key(&self) -> NodeKey {
        NodeKey::from_bytes(*self.endpoint.id().as_bytes())
    }
}

fn request(method: Method, payload: &[u8]) -> Vec<u8> {
    [RequestHeader::new(method, 1, payload).unwrap().encode().as_slice(), payload].concat()
}

/// A header that announces more than will come.
fn announce(payload_bytes: usize) -> [u8; REQUEST_HEADER_BYTES] {
    RequestHeader { method: Ok(Method::Enqueue), request_id: 1, payload_bytes }.encode()
}

async fn open(connection: &Connection, sent: &[u8]) -> (SendStream, RecvStream) {
    let (mut send, recv) = soon(connection.open_bi()).await.unwrap();
    let _ = soon(send.write_all(sent)).await; // Fails if the victim refuses before all of it is sent.
    (send, recv)
}

async fn status(recv: &mut RecvStream) -> Option<Status> {
    let mut header = [0; RESPONSE_HEADER_BYTES];
    soon(recv.read_exact(&mut header)).await.ok()?;
    ResponseHeader::decode(&header).unwrap().status.ok()
}

/// Sends these bytes on a stream of their own; the status of the answer, if there is one.
async fn exchange(connection: &Connection, sent: &[u8]) -> Option<Status> {
    let (mut send, mut recv) = open(connection, sent).await;
    let _ = send.finish();
    status(&mut recv).await
}

async fn is_closed(connection: &Connection) {
    soon(connection.closed()).await;
}

/// The node still does its work.
async fn assert_serves(victim: &Node) {
    let mut friend = node(200).await;
    friend.want(victim);
    friend.connected(victim).await;
    friend.echo(victim).await;
}

#[tokio::test]
async fn the_first_call_must_be_health() {
    let (victim, attacker) = (node(1).await, Attacker::new(66).await);
    let connection = attacker.connect(&victim).await;
    assert_eq!(exchange(&connection, &request(Method::Enqueue, b"")).await, Some(Status::BadRequest));
    is_closed(&connection).await;
    assert_serves(&victim).await;
}

#[tokio::test]
async fn a_peer_that_says_nothing_is_cut_off() {
    let (victim, attacker) =
        (start(PeerConfig { limits: impatient(), ..config(1) }).await, Attacker::new(66).await);
    let connection = attacker.connect(&victim).await;
    is_closed(&connection).await;
    assert!(victim.peers.states().is_empty());
    assert_serves(&victim).await;
}

#[tokio::test]
async fn broken_frames_are_answered_and_repeated_ones_end_in_a_ban() {
    let (mut victim, attacker) = (node(1).await, Attacker::new(66).await);
    let whole = request(Method::Enqueue, b"hello");
    let too_long = [&500_u16.to_be_bytes()[..], &[0; 4], &u32::MAX.to_be_bytes()].concat();
    let garbage = [whole[..7].to_vec(), [&whole[..], &whole[..]].concat(), too_long];
    let connection = attacker.greeted(&victim).await;
    for sent in &garbage {
        assert_eq!(exchange(&connection, sent).await, Some(Status::BadRequest), "{sent:?}");
    }
    is_closed(&connection).await;
    while !matches!(victim.connection_event().await, PeerEvent::Disconnected { .. }) {}

    // After the next handshake the door is shut.
    let connection = attacker.connect(&victim).await;
    is_closed(&connection).await;
    assert!(
        !victim
            .peers
            .states()
            .iter()
            .any(|state| state.node == attacker.key() && state.path != PathKind::Offline)
    );
    assert_serves(&victim).await;
}

#[tokio::test]
async fn a_single_fault_costs_one_call() {
    let (victim, attacker) = (node(1).await, Attacker::new(66).await);
    let connection = attacker.greeted(&victim).await;
    assert_eq!(exchange(&connection, b"garbage").await, Some(Status::BadRequest));
    assert_eq!(exchange(&connection, &request(Method::Enqueue, b"hello")).await, Some(Status::Ok));
}

#[tokio::test]
async fn unknown_methods_are_no_fault() {
    let (victim, attacker) = (node(1).await, Attacker::new(66).await);
    let connection = attacker.greeted(&victim).await;
    for _ in 0..10 {
        let unknown = RequestHeader { method: Err(65_000), request_id: 1, payload_bytes: 0 }.encode();
        assert_eq!(exchange(&connection, &unknown).await, Some(Status::UnknownMethod));
    }
    assert_eq!(exchange(&connection, &request(Method::Enqueue, b"hello")).await, Some(Status::Ok));
}

#[tokio::test]
async fn stalled_requests_hold_little_memory_and_are_cut_off() {
    let limits = Limits { call_timeout_ms: 1_000, ..impatient() };
    let (victim, attacker) = (start(PeerConfig { limits, ..config(1) }).await, Attacker::new(66).await);
    let connection = attacker.greeted(&victim).await;
    let mut stalled = Vec::new();
    for _ in 0..8 {
        stalled.push(open(&connection, &announce(FRAME_PAYLOAD_BYTES_MAX)).await);
    }
    // Eight announcements of 4 MiB, and one peer holds no more than one of them: others send theirs meanwhile.
    let mut friend = node(200).await;
    friend.want(&victim);
    friend.connected(&victim).await;
    let long = Bytes::from(vec![1; FRAME_PAYLOAD_BYTES_MAX]);
    let called = soon(friend.peers.call(victim.key(), Method::Enqueue, long.clone())).await;
    assert!(called.unwrap() == long);
    assert!(connection.close_reason().is_none(), "the stall must not be over yet");
    is_closed(&connection).await;
}

#[tokio::test]
async fn a_flood_of_streams_is_held_back_by_flow_control() {
    let (mut victim, attacker) = (node(1).await, Attacker::new(66).await);
    let connection = attacker.greeted(&victim).await;
    let streams_max = victim.peers.shared.limits.streams_per_connection_max;
    let mut waiting = Vec::new();
    // `Health` had a stream, and the room it left may not have been given back yet.
    for _ in 0..streams_max - 1 {
        let (mut send, recv) = open(&connection, &request(Method::PublishEndpoint, b"")).await;
        send.finish().unwrap();
        waiting.push((send, recv));
    }
    let mut one_more = Box::pin(connection.open_bi());
    let is_held_back =
        std::future::poll_fn(|context| std::task::Poll::Ready(one_more.as_mut().poll(context).is_pending()));
    assert!(is_held_back.await);
    assert_serves(&victim).await;
    victim.control.gate.send_replace(true);
    for (_, recv) in &mut waiting {
        assert_eq!(status(recv).await, Some(Status::Ok));
    }
    soon(one_more).await.unwrap();
    while victim.control.calls.try_recv().is_ok() {}
}

#[tokio::test]
async fn a_peer_that_takes_no_answers_is_cut_off() {
    let victim = start(PeerConfig { limits: impatient(), ..config(1) }).await;
    let attacker = Attacker::new(66).await;
    let connection = attacker.greeted(&victim).await;
    let long = request(Method::Enqueue, &vec![1; FRAME_PAYLOAD_BYTES_MAX]);
    let mut unread = Vec::new();
    soon(async {
        while connection.close_reason().is_none() {
            let Ok((mut send, recv)) = connection.open_bi().await else { break };
            let _ = send.write_all(&long).await;
            let _ = send.finish();
            unread.push(recv);
        }
    })
    .await;
    is_closed(&connection).await;
    assert_serves(&victim).await;
}

#[tokio::test]
async fn a_call_is_dropped_when_its_caller_goes_away() {
    let (mut victim, attacker) = (node(1).await, Attacker::new(66).await);
    let connection = attacker.greeted(&victim).await;
    let (mut send, mut recv) = open(&connection, &request(Method::PublishEndpoint, b"")).await;
    send.finish().unwrap();
    while soon(victim.control.calls.recv()).await.unwrap().1 != Method::PublishEndpoint {}
    recv.stop(0_u32.into()).unwrap();
    drop((send, recv));
    // The gate is never opened; that the call is over shows in that the connection is idle and retires at once.
    victim.peers.shared.table().current(attacker.key()).unwrap().retire();
    is_closed(&connection).await;
}

#[tokio::test]
async fn many_connections_of_one_node_are_refused_but_the_newest_is_served() {
    let (victim, attacker) = (node(1).await, Attacker::new(66).await);
    let mut connections = Vec::new();
    for _ in 0..5 {
        connections.push(attacker.connect(&victim).await);
    }
    for connection in &connections {
        exchange(connection, &request(Method::Health, b"")).await;
    }
    assert!(victim.links(attacker.key()) <= victim.peers.shared.limits.connections_per_node_max);
    assert_serves(&victim).await;
}

#[tokio::test]
async fn connections_from_one_address_are_bounded() {
    let limits = Limits { connections_per_address_max: 2, ..impatient() };
    let victim = start(PeerConfig { limits, ..config(1) }).await;
    let mut attackers = Vec::new();
    for secret in 60..62 {
        let attacker = Attacker::new(secret).await;
        let connection = attacker.greeted(&victim).await;
        attackers.push((attacker, connection));
    }
    let third = Attacker::new(62).await;
    let addresses = victim.sockets().into_iter().map(TransportAddr::Ip);
    let address = EndpointAddr::from_parts(victim.peers.shared.endpoint.id(), addresses);
    assert!(soon(third.endpoint.connect(address, ALPN)).await.is_err());
}

#[tokio::test]
async fn another_protocol_is_not_spoken() {
    let (victim, attacker) = (node(1).await, Attacker::new(66).await);
    let addresses = victim.sockets().into_iter().map(TransportAddr::Ip);
    let address = EndpointAddr::from_parts(victim.peers.shared.endpoint.id(), addresses);
    // Whether it is told or left without an answer is iroh's affair.
    let connected =
        timeout(Duration::from_millis(500), attacker.endpoint.connect(address, b"qpq/p2p/0")).await;
    assert!(!matches!(connected, Ok(Ok(_))));
    assert_serves(&victim).await;
}

/// A victim that dials an attacker: garbage in an answer fails the call and nothing else.
#[tokio::test]
async fn garbage_in_answers_fails_the_call() {
    let victim = node(1).await;
    let attacker = Attacker::new(66).await;
    let addresses = attacker.endpoint.bound_sockets();
    victim.peers.want(attacker.key(), addresses);
    let incoming = soon(attacker.endpoint.accept()).await.unwrap();
    let connection = soon(incoming.into_future()).await.unwrap();
    let answers: [&[u8]; 5] = [
        b"",
        &[0, 0, 0],
        &[0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff],
        &[0, 0, 0, 0, 7, 0, 0, 0, 0],
        &[0, 0, 0, 0, 1, 0, 0, 0, 0, 1],
    ];
    // The first answer is to Health and in order.
    let health = [8, 1, 48, 1, 56, 1];
    let header = ResponseHeader::new(Status::Ok, 1, &health).unwrap().encode();
    answer(&connection, &[header.as_slice(), &health].concat()).await;
    victim.state_becomes(attacker.key(), |state| state.path == PathKind::Direct).await;
    for sent in answers {
        let (called, ()) = tokio::join!(
            victim.peers.call(attacker.key(), Method::Enqueue, Bytes::new()),
            answer(&connection, sent)
        );
        assert_eq!(transport_kind(called), TransportErrorKind::ProtocolViolation, "{sent:?}");
    }
    assert_serves(&victim).await;
}

async fn answer(connection: &Connection, sent: &[u8]) {
    let (mut send, mut recv) = soon(connection.accept_bi()).await.unwrap();
    let _ = soon(recv.read_to_end(1 << 20)).await;
    let _ = soon(send.write_all(sent)).await;
    let _ = send.finish();
    let _ = soon(send.stopped()).await;
}
