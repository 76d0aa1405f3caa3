//! What a program makes of a node that answers otherwise than it should.

use proptest::collection::vec;
use proptest::prelude::*;
use qpq_proto::Status;
use qpq_proto::frame::{FrameError, REQUEST_HEADER_BYTES};
use tokio::io::AsyncWriteExt;
use tokio::net::UnixListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;
use crate::testing::soon;

type Called = Result<Bytes, CallError>;

/// A connection whose other end is in the hands of the test.
struct Line {
    client: SocketClient,
    node: UnixStream,
    _directory: tempfile::TempDir,
}

impl Line {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("qpqd.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let client = SocketClient::connect(&path).await.unwrap();
        Self { client, node: listener.accept().await.unwrap().0, _directory: directory }
    }

    /// Makes a call with this payload and has the node read it; its number.
    async fn call(&mut self, payload: &'static [u8]) -> (u32, JoinHandle<Called>) {
        let client = self.client.clone();
        let call = tokio::spawn(async move { client.call(Method::ReadEvents, payload.into()).await });
        (self.read_request().await, call)
    }

    /// Makes a call and gives it up when the node has read it; its number.
    async fn give_up(&mut self) -> u32 {
        let call = self.client.call(Method::ReadEvents, Bytes::new());
        assert!(timeout(Duration::ZERO, call).await.is_err());
        self.read_request().await
    }

    async fn read_request(&mut self) -> u32 {
        let mut header = [0; REQUEST_HEADER_BYTES];
        soon(self.node.read_exact(&mut header)).await.unwrap();
        let header = RequestHeader::decode(&header).unwrap();
        soon(self.node.read_exact(&mut vec![0; header.payload_bytes])).await.unwrap();
        header.request_id
    }

    async fn send(&mut self, bytes: &[u8]) {
        // The program may have ended the connection.
        let _ = soon(self.node.write_all(bytes)).await;
    }

    fn unanswered(&self) -> usize {
        lock(&self.client.pending).unanswered.len()
    }
}

fn answer(status: u8, id: u32, payload: &[u8]) -> Vec<u8> {
    let header = ResponseHeader { status: Err(status), request_id: id, payload_bytes: payload.len() };
    [header.encode().as_slice(), payload].concat()
}

fn ok(id: u32, payload: &[u8]) -> Vec<u8> {
    answer(0, id, payload)
}

/// What the transport says went wrong.
fn trouble(called: Called) -> (TransportErrorKind, String) {
    match called {
        Err(CallError::Transport { kind, message }) => (kind, message),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_answer_to_no_request_fails_every_call_at_once() {
    let announced = FRAME_PAYLOAD_ANNOUNCED.to_be_bytes();
    let without_payload = [&[0][..], &77_u32.to_be_bytes(), &announced].concat();
    for (sent, expected) in [
        (ok(77, b"x"), "the node answers request 77, which was not made"),
        (answer(3, 77, b""), "the node answers request 77, which was not made"),
        (ok(u32::MAX, b""), "the node answers request 4294967295, which was not made"),
        (without_payload, "the node answers request 77, which was not made"),
        (ok(NO_REQUEST_ID, b"x"), "the node answers no request"),
    ] {
        let mut line = Line::new().await;
        let calls = [line.call(b"one").await.1, line.call(b"two").await.1];
        line.send(&sent).await;
        for call in calls {
            let (kind, message) = trouble(soon(call).await.unwrap());
            assert_eq!((kind, message.as_str()), (TransportErrorKind::ProtocolViolation, expected));
        }
        let later = soon(line.client.call(Method::NodeStatus, Bytes::new())).await;
        assert_eq!(trouble(later).0, TransportErrorKind::ProtocolViolation);
        assert_eq!(line.unanswered(), 0);
    }
}

#[tokio::test]
async fn the_answer_to_a_call_that_was_given_up_is_thrown_away_and_comes_once() {
    let mut line = Line::new().await;
    let given_up = line.give_up().await;
    let (id, call) = line.call(b"").await;
    assert_eq!(line.unanswered(), 2);
    line.send(&[ok(given_up, b"too late"), ok(id, b"in time")].concat()).await;
    assert_eq!(soon(call).await.unwrap().unwrap(), "in time");
    assert_eq!(line.unanswered(), 0);

    let (_, call) = line.call(b"").await;
    line.send(&ok(given_up, b"again")).await;
    assert_eq!(trouble(soon(call).await.unwrap()).0, TransportErrorKind::ProtocolViolation);
}

#[tokio::test]
async fn a_call_is_answered_once() {
    let mut line = Line::new().await;
    let (id, first) = line.call(b"").await;
    let (_, second) = line.call(b"").await;
    line.send(&[ok(id, b"one"), ok(id, b"two")].concat()).await;
    assert_eq!(soon(first).await.unwrap().unwrap(), "one");
    assert_eq!(trouble(soon(second).await.unwrap()).0, TransportErrorKind::ProtocolViolation);
}

#[tokio::test]
async fn a_call_that_was_never_sent_is_not_waited_for() {
    let line = Line::new().await;
    // Nobody reads: the first requests fill the socket, the next the queue, and the last one does not get that far.
    let long = Bytes::from(vec![1; 1 << 20]);
    let mut sent = 0;
    while line.client.requests.capacity() > 0 {
        let call = line.client.call(Method::ReadEvents, long.clone());
        assert!(timeout(Duration::ZERO, call).await.is_err());
        tokio::task::yield_now().await;
        sent += 1;
    }
    assert_eq!(line.unanswered(), sent);
    let unsent = line.client.call(Method::ReadEvents, long);
    assert!(timeout(Duration::ZERO, unsent).await.is_err());
    let too_long = vec![0; 5 << 20].into();
    assert!(matches!(
        line.client.call(Method::SendMessage, too_long).await,
        Err(CallError::RequestTooLarge { .. })
    ));
    assert_eq!(line.unanswered(), sent);
}

#[tokio::test]
async fn numbers_in_use_and_the_number_of_no_request_are_left_out() {
    let mut line = Line::new().await;
    lock(&line.client.pending).last_id = u32::MAX - 1;
    let given_up = line.give_up().await;
    let (next, _call) = line.call(b"").await;
    lock(&line.client.pending).last_id = u32::MAX - 1;
    let (after, _call) = line.call(b"").await;
    assert_eq!((given_up, next, after), (u32::MAX, 1, 2));
}

#[tokio::test]
async fn what_the_node_says_before_it_ends_the_connection_is_passed_on() {
    let mut line = Line::new().await;
    let (_, call) = line.call(b"").await;
    let failure = Failure::bad_request("", "data after the frame");
    line.send(&answer(Status::BadRequest as u8, NO_REQUEST_ID, &failure.to_detail())).await;
    let (kind, message) = trouble(soon(call).await.unwrap());
    assert_eq!(kind, TransportErrorKind::ProtocolViolation);
    assert!(message.ends_with("data after the frame"), "{message}");
}

#[tokio::test]
async fn broken_answers_are_told_apart() {
    let too_long = [&[0][..], &1_u32.to_be_bytes(), &u32::MAX.to_be_bytes()].concat();
    let refused = FrameError::PayloadTooLong { actual_bytes: u32::MAX as usize }.to_string();
    let cases: [(&[u8], TransportErrorKind, &str); 5] = [
        (b"", TransportErrorKind::ConnectionLost, "the node ended the connection"),
        (&[0, 0, 0], TransportErrorKind::ConnectionLost, "the node ended the connection"),
        (
            &ok(1, b"half")[..11],
            TransportErrorKind::ConnectionLost,
            "the node ended the connection inside an answer",
        ),
        (&too_long, TransportErrorKind::ProtocolViolation, &refused),
        (b"HTTP/1.1 400 Bad Request\r\n", TransportErrorKind::ProtocolViolation, "payload of"),
    ];
    for (sent, kind, beginning) in cases {
        let mut line = Line::new().await;
        let (id, call) = line.call(b"").await;
        assert_eq!(id, 1);
        line.send(sent).await;
        line.node.shutdown().await.unwrap();
        let (found, message) = trouble(soon(call).await.unwrap());
        assert_eq!(found, kind, "{sent:?}");
        assert!(message.starts_with(beginning), "{message}");
    }
}

#[tokio::test]
async fn a_status_of_a_later_version_fails_one_call() {
    let mut line = Line::new().await;
    let (id, call) = line.call(b"").await;
    line.send(&answer(200, id, b"")).await;
    let failure = soon(call).await.unwrap().unwrap_err().failure().cloned().unwrap();
    assert_eq!(failure.status, Status::Internal);
    assert!(failure.message.starts_with("unknown status 200"), "{failure}");
    let (id, call) = line.call(b"").await;
    line.send(&ok(id, b"fine")).await;
    assert_eq!(soon(call).await.unwrap().unwrap(), "fine");
}

/// Cuts bytes at these places.
fn pieces(bytes: &[u8], cuts: &[prop::sample::Index]) -> Vec<Vec<u8>> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    places.windows(2).map(|pair| bytes[pair[0]..pair[1]].to_vec()).collect()
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// However answers are ordered, joined and cut: each call gets its own.
    #[test]
    fn answers_find_their_calls(
        order in Just((0..6_usize).collect::<Vec<_>>()).prop_shuffle(),
        lengths in vec(0_usize..3_000, 6),
        cuts in vec(any::<prop::sample::Index>(), 0..8),
    ) {
        run(async {
            let mut line = Line::new().await;
            let mut calls = Vec::new();
            for _ in 0..6 {
                calls.push(line.call(b"").await);
            }
            let payload = |index: usize| vec![u8::try_from(index).unwrap(); lengths[index]];
            let answers: Vec<u8> =
                order.iter().flat_map(|index| ok(calls[*index].0, &payload(*index))).collect();
            for piece in pieces(&answers, &cuts) {
                line.send(&piece).await;
                tokio::task::yield_now().await;
            }
            for (index, (_, call)) in calls.into_iter().enumerate() {
                assert_eq!(soon(call).await.unwrap().unwrap(), payload(index));
            }
            assert_eq!(line.unanswered(), 0);
        });
    }

    /// Whatever comes: every call ends, and nobody waits for what cannot come any more.
    #[test]
    fn garbage_ends_every_call(
        garbage in vec(prop_oneof![Just(0_u8), 0_u8..4, any::<u8>()], 0..80),
        cuts in vec(any::<prop::sample::Index>(), 0..4),
    ) {
        run(async {
            let mut line = Line::new().await;
            let calls = [line.call(b"").await.1, line.call(b"").await.1, line.call(b"").await.1];
            for piece in pieces(&garbage, &cuts) {
                line.send(&piece).await;
            }
            line.node.shutdown().await.unwrap();
            for call in calls {
                let _ = soon(call).await.unwrap();
            }
            assert_eq!(line.unanswered(), 0);
        });
    }
}

/// Announced, and not sent.
const FRAME_PAYLOAD_ANNOUNCED: u32 = 1 << 20;
