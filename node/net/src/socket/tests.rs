use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use qpq_proto::frame::{Frame, Header, RequestHeader, ResponseHeader};
use qpq_proto::limits::{FRAME_PAYLOAD_BYTES_MAX, Limits};
use qpq_proto::v1::HealthRequest;
use qpq_proto::{CallError, Client, Method, Status, TransportErrorKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::*;
use crate::caller::Peer;
use crate::testing::{Echo, EchoControl, impatient, soon};

mod endings;
mod framing;

struct Node {
    server: SocketServer,
    control: EchoControl,
    path: PathBuf,
    directory: tempfile::TempDir,
}

async fn node(limits: Limits) -> Node {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("qpqd.sock");
    let (echo, control) = Echo::new();
    let server = serve(&path, Arc::new(echo), limits).await.unwrap();
    Node { server, control, path, directory }
}

impl Node {
    async fn client(&self) -> SocketClient {
        SocketClient::connect(&self.path).await.unwrap()
    }

    async fn raw(&self) -> UnixStream {
        UnixStream::connect(&self.path).await.unwrap()
    }
}

fn frame(method: Method, id: u32, payload: &[u8]) -> Vec<u8> {
    let header = RequestHeader::new(method, id, payload).unwrap();
    [header.encode().as_slice(), payload].concat()
}

async fn read_response(stream: &mut UnixStream) -> Frame<ResponseHeader> {
    let mut header = [0; 9];
    soon(stream.read_exact(&mut header)).await.unwrap();
    let header = ResponseHeader::decode(&header).unwrap();
    let mut payload = vec![0; header.payload_bytes];
    soon(stream.read_exact(&mut payload)).await.unwrap();
    Frame { header, payload: payload.into() }
}

async fn is_ended(stream: &mut UnixStream) -> bool {
    matches!(soon(stream.read(&mut [0; 1])).await, Ok(0) | Err(_))
}

fn kind(error: CallError) -> TransportErrorKind {
    match error {
        CallError::Transport { kind, .. } => kind,
        error => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn the_owner_calls_and_is_answered() {
    let mut node = node(Limits::ROUTER).await;
    let client = node.client().await;
    let payload = Bytes::from_static(b"hello");
    assert_eq!(soon(client.call(Method::SendMessage, payload.clone())).await.unwrap(), payload);
    let (caller, method) = node.control.calls.recv().await.unwrap();
    assert_eq!((caller.peer, caller.address, method), (Peer::Owner, None, Method::SendMessage));
    let health = soon(Client::new(client).health(&HealthRequest::default())).await.unwrap();
    assert_eq!(health.wire_version_max, 1);
    assert_eq!(soon(node.control.ended.recv()).await, Some(caller.connection));
}

#[tokio::test]
async fn the_largest_payload_passes_and_a_larger_one_is_not_sent() {
    let node = node(Limits::ROUTER).await;
    let client = node.client().await;
    let payload = Bytes::from(vec![7; FRAME_PAYLOAD_BYTES_MAX]);
    assert_eq!(soon(client.call(Method::SendMessage, payload.clone())).await.unwrap(), payload);
    let error =
        client.call(Method::SendMessage, vec![7; FRAME_PAYLOAD_BYTES_MAX + 1].into()).await.unwrap_err();
    assert_eq!(error, CallError::RequestTooLarge { bytes: FRAME_PAYLOAD_BYTES_MAX + 1 });
}

#[tokio::test]
async fn a_call_that_waits_does_not_hold_up_another() {
    let node = node(Limits::ROUTER).await;
    let client = node.client().await;
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.call(Method::ReadEvents, Bytes::from_static(b"later")).await }
    });
    for _ in 0..100 {
        soon(client.call(Method::SendMessage, Bytes::new())).await.unwrap();
    }
    assert!(!waiting.is_finished());
    node.control.gate.send_replace(true);
    assert_eq!(soon(waiting).await.unwrap().unwrap(), "later");
}

#[tokio::test]
async fn failures_come_back_as_they_are() {
    let node = node(Limits::ROUTER).await;
    let client = node.client().await;
    for (method, status) in [
        (Method::NodeStatus, Status::Forbidden),
        (Method::Fetch, Status::Forbidden),
        (Method::RelayEnqueue, Status::Forbidden),
    ] {
        let error = soon(client.call(method, Bytes::new())).await.unwrap_err();
        assert_eq!(error.failure().unwrap().status, status, "{method:?}");
    }
}

#[tokio::test]
async fn a_call_given_up_leaves_the_connection_usable() {
    let node = node(Limits::ROUTER).await;
    let client = node.client().await;
    for _ in 0..10 {
        let call = client.call(Method::ReadEvents, Bytes::new());
        assert!(tokio::time::timeout(std::time::Duration::ZERO, call).await.is_err());
    }
    node.control.gate.send_replace(true);
    assert_eq!(soon(client.call(Method::SendMessage, Bytes::from_static(b"x"))).await.unwrap(), "x");
}

#[tokio::test]
async fn frames_may_come_in_pieces_and_together() {
    let node = node(Limits::ROUTER).await;
    let mut stream = node.raw().await;
    let both = [frame(Method::SendMessage, 7, b"seven"), frame(Method::SendMessage, 8, b"eight")].concat();
    for byte in &both[..12] {
        stream.write_all(&[*byte]).await.unwrap();
    }
    stream.write_all(&both[12..]).await.unwrap();
    let mut answers = [read_response(&mut stream).await, read_response(&mut stream).await];
    answers.sort_by_key(|answer| answer.header.request_id);
    assert_eq!(answers[0].payload, "seven");
    assert_eq!(answers[1].payload, "eight");
}

#[tokio::test]
async fn an_unknown_method_is_answered_and_the_connection_goes_on() {
    let node = node(Limits::ROUTER).await;
    let mut stream = node.raw().await;
    let unknown = RequestHeader { method: Err(65_000), request_id: 3, payload_bytes: 2 };
    stream.write_all(&unknown.encode()).await.unwrap();
    stream.write_all(b"??").await.unwrap();
    let answer = read_response(&mut stream).await;
    assert_eq!((answer.header.request_id, answer.header.status), (3, Ok(Status::UnknownMethod)));
    stream.write_all(&frame(Method::SendMessage, 4, b"")).await.unwrap();
    assert_eq!(read_response(&mut stream).await.header.status, Ok(Status::Ok));
}

#[tokio::test]
async fn a_broken_frame_is_answered_and_ends_the_connection() {
    let node = node(Limits::ROUTER).await;
    let mut stream = node.raw().await;
    let header = [&500_u16.to_be_bytes()[..], &1_u32.to_be_bytes(), &u32::MAX.to_be_bytes()].concat();
    stream.write_all(&header).await.unwrap();
    let answer = read_response(&mut stream).await;
    assert_eq!((answer.header.request_id, answer.header.status), (0, Ok(Status::BadRequest)));
    assert!(is_ended(&mut stream).await);
}

#[tokio::test]
async fn a_program_that_stalls_inside_a_frame_is_cut_off() {
    let node = node(impatient()).await;
    for started in [&b"\x00"[..], &frame(Method::SendMessage, 1, b"half a frame")[..15]] {
        let mut stream = node.raw().await;
        stream.write_all(started).await.unwrap();
        assert!(is_ended(&mut stream).await);
    }
}

#[tokio::test]
async fn a_program_that_takes_no_answers_is_cut_off() {
    let node = node(impatient()).await;
    let mut stream = node.raw().await;
    let request = frame(Method::SendMessage, 1, &vec![1; 1 << 20]);
    let written = soon(async {
        loop {
            if let Err(error) = stream.write_all(&request).await {
                return error;
            }
        }
    })
    .await;
    assert!(matches!(written.kind(), std::io::ErrorKind::BrokenPipe | std::io::ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn connections_that_are_left_idle_do_not_lock_the_owner_out() {
    let mut node = node(Limits { socket_connections_max: 2, ..Limits::ROUTER }).await;
    let mut idle = node.raw().await;
    let busy = node.client().await;
    let waiting =
        tokio::spawn(async move { busy.call(Method::ReadEvents, Bytes::from_static(b"end")).await });
    soon(node.control.calls.recv()).await.unwrap();
    let mut left_behind = Vec::new();
    for _ in 0..10 {
        let newcomer = node.client().await;
        soon(newcomer.call(Method::SendMessage, Bytes::new())).await.unwrap();
        left_behind.push(newcomer);
    }
    assert!(is_ended(&mut idle).await);
    node.control.gate.send_replace(true);
    assert_eq!(soon(waiting).await.unwrap().unwrap(), "end");
}

#[tokio::test]
async fn the_socket_is_the_owners_alone_and_goes_with_the_server() {
    let node = node(Limits::ROUTER).await;
    let mode = std::fs::metadata(&node.path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    node.server.shutdown().await;
    assert_eq!(std::fs::read_dir(node.directory.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_live_socket_is_not_stolen_and_a_stale_one_is_replaced() {
    let node = node(Limits::ROUTER).await;
    let again = serve(&node.path, Arc::new(Echo::new().0), Limits::ROUTER).await;
    assert!(matches!(again, Err(ListenError::InUse { .. })), "{again:?}");
    soon(node.client().await.call(Method::SendMessage, Bytes::new())).await.unwrap();

    let stale = node.directory.path().join("stale.sock");
    drop(std::os::unix::net::UnixListener::bind(&stale).unwrap());
    let server = serve(&stale, Arc::new(Echo::new().0), Limits::ROUTER).await.unwrap();
    SocketClient::connect(&stale).await.unwrap();
    server.shutdown().await;
}

#[tokio::test]
async fn what_is_no_socket_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notes.txt");
    std::fs::write(&path, "precious").unwrap();
    let served = serve(&path, Arc::new(Echo::new().0), Limits::ROUTER).await;
    assert!(matches!(served, Err(ListenError::NotASocket { .. })), "{served:?}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
}

#[tokio::test]
async fn a_path_too_long_is_said_to_be() {
    let path = PathBuf::from(format!("/tmp/{}", "x".repeat(120)));
    let served = serve(&path, Arc::new(Echo::new().0), Limits::ROUTER).await;
    assert!(matches!(served, Err(ListenError::PathTooLong { .. })), "{served:?}");
}

#[tokio::test]
async fn an_absent_node_is_told_from_one_that_does_not_run() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("qpqd.sock");
    let absent = SocketClient::connect(&path).await;
    assert!(matches!(absent, Err(ConnectError::NoSocket { .. })), "{absent:?}");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let stopped = SocketClient::connect(&path).await;
    assert!(matches!(stopped, Err(ConnectError::NotRunning { .. })), "{stopped:?}");
}
