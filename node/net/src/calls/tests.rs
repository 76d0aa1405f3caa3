use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use qpq_proto::limits::FRAME_PAYLOAD_BYTES_MAX;
use qpq_proto::{Failure, Status};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::testing::{MemoryRecv, MemorySend, Wire, impatient, soon, wire};

#[test]
fn wire_versions_must_overlap() {
    for (own, other) in [((1, 1), (1, 1)), ((1, 3), (2, 5)), ((2, 5), (1, 2)), ((1, 9), (4, 4))] {
        assert_eq!(check_versions(own, other), Ok(()), "{own:?} {other:?}");
    }
    for (own, other) in [((1, 1), (2, 2)), ((3, 4), (1, 2)), ((1, 1), (0, 0)), ((1, 1), (1, 0))] {
        assert!(check_versions(own, other).is_err(), "{own:?} {other:?}");
    }
}

/// Somebody who calls, and the other end, which the test plays.
struct Stage {
    calls: Arc<Calls<Wire>>,
    activity: Activity,
    budget: Budget,
    peer: Wire,
}

/// Long, next to what a test takes.
const DEADLINE: Duration = Duration::from_secs(10);

impl Stage {
    fn new() -> Self {
        let (ours, peer) = wire();
        let (activity, budget) = (Activity::new(), Budget::new(1 << 20, FRAME_PAYLOAD_BYTES_MAX));
        let limits = Limits { in_flight_calls_per_peer_max: 2, ..impatient() };
        let calls = Arc::new(Calls::new(ours, &limits, activity.clone(), budget.clone()));
        Self { calls, activity, budget, peer }
    }

    /// Calls while the other end answers with these bytes and marks the end.
    async fn answered(&self, answer: &[u8]) -> Result<Bytes, CallError> {
        let (called, _stream) = tokio::join!(
            self.calls.call(Method::Enqueue, Bytes::from_static(b"hello"), DEADLINE),
            self.answer(answer)
        );
        called
    }

    async fn answer(&self, answer: &[u8]) -> (MemorySend, MemoryRecv) {
        let (mut send, mut recv) = soon(self.peer.accept()).await.unwrap();
        let mut request = Vec::new();
        soon(recv.read_to_end(&mut request)).await.unwrap();
        assert_eq!(&request[10..], b"hello");
        // The caller may have had enough.
        let _ = soon(send.write_all(answer)).await;
        SendHalf::finish(&mut send);
        (send, recv)
    }

    /// Nothing of a call is left.
    fn assert_idle(&self) {
        assert!(self.activity.is_idle());
        assert_eq!(self.calls.places.available_permits(), 2);
        let fresh = Budget::new(1 << 20, FRAME_PAYLOAD_BYTES_MAX);
        assert_eq!(self.budget.available_bytes(), fresh.available_bytes());
    }
}

fn response(status: u8, id: u32, payload: &[u8]) -> Vec<u8> {
    let header = ResponseHeader { status: Err(status), request_id: id, payload_bytes: payload.len() };
    [header.encode().as_slice(), payload].concat()
}

fn kind(called: &Result<Bytes, CallError>) -> Option<TransportErrorKind> {
    match called {
        Err(CallError::Transport { kind, .. }) => Some(*kind),
        _ => None,
    }
}

#[tokio::test]
async fn a_call_is_answered() {
    let stage = Stage::new();
    assert_eq!(stage.answered(&response(0, 1, b"world")).await.unwrap(), "world");
    let failure = Failure::forbidden("not you");
    for id in [1, NO_REQUEST_ID] {
        let called = stage.answered(&response(Status::Forbidden as u8, id, &failure.to_detail())).await;
        assert_eq!(called.unwrap_err().failure(), Some(&failure));
    }
    stage.assert_idle();
}

#[tokio::test]
async fn whatever_else_comes_breaks_the_protocol() {
    let long = [&[0][..], &1_u32.to_be_bytes(), &u32::MAX.to_be_bytes()].concat();
    for answer in [
        Vec::new(),
        vec![0; 4],
        response(0, 7, b""),
        response(0, 1, b"cut off")[..12].to_vec(),
        [response(0, 1, b""), vec![1]].concat(),
        long,
    ] {
        let stage = Stage::new();
        let called = stage.answered(&answer).await;
        assert_eq!(kind(&called), Some(TransportErrorKind::ProtocolViolation), "{answer:?}: {called:?}");
        stage.assert_idle();
    }
}

#[tokio::test]
async fn calls_at_the_same_time_are_bounded() {
    let stage = Stage::new();
    let mut waiting = Vec::new();
    for _ in 0..2 {
        let calls = Arc::clone(&stage.calls);
        waiting
            .push(tokio::spawn(async move { calls.call(Method::Enqueue, "hello".into(), DEADLINE).await }));
        tokio::task::yield_now().await;
    }
    let refused = stage.calls.call(Method::Enqueue, "hello".into(), DEADLINE).await;
    assert_eq!(kind(&refused), Some(TransportErrorKind::Busy));
    let answer = response(0, 1, b"");
    let _streams = [stage.answer(&answer).await, stage.answer(&answer).await];
    for call in waiting {
        soon(call).await.unwrap().unwrap();
    }
    stage.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_late_or_given_up_resets_its_stream() {
    let stage = Stage::new();
    let opened = async {
        let (send, recv) = stage.peer.accept().await.unwrap();
        (send.is_unwanted(), recv, send)
    };
    let (called, (mut is_unwanted, _recv, _send)) =
        tokio::join!(stage.calls.call(Method::Enqueue, "hello".into(), DEADLINE), opened);
    assert_eq!(kind(&called), Some(TransportErrorKind::TimedOut));
    assert!(
        is_unwanted.wait_for(|unwanted| *unwanted).await.is_ok(),
        "the other end need not answer any more"
    );
    stage.assert_idle();

    let given_up = timeout(Duration::ZERO, stage.calls.call(Method::Enqueue, "hello".into(), DEADLINE));
    assert!(given_up.await.is_err());
    let (send, _recv) = stage.peer.accept().await.unwrap();
    assert!(*send.is_unwanted().borrow());
    stage.assert_idle();
}

#[tokio::test]
async fn a_connection_that_is_gone_is_told() {
    let Stage { calls, activity, peer, .. } = Stage::new();
    drop(peer);
    let called = calls.call(Method::Enqueue, "hello".into(), DEADLINE).await;
    assert_eq!(kind(&called), Some(TransportErrorKind::ConnectionLost));
    assert!(activity.is_idle());
}

#[tokio::test]
async fn health_tells_whether_there_is_a_common_version() {
    for (versions, expected) in [((1, 3), None), ((4, 9), Some(TransportErrorKind::VersionMismatch))] {
        let stage = Stage::new();
        let health = HealthResponse {
            wire_version_min: versions.0,
            wire_version_max: versions.1,
            ..HealthResponse::default()
        };
        let answering = async {
            let (mut send, mut recv) = stage.peer.accept().await.unwrap();
            let mut request = Vec::new();
            recv.read_to_end(&mut request).await.unwrap();
            assert_eq!(HealthRequest::decode(&request[10..]).unwrap().wire_version_max, 2);
            send.write_all(&response(0, 1, &health.encode_to_vec())).await.unwrap();
            SendHalf::finish(&mut send);
            (send, recv)
        };
        let (checked, _stream) = tokio::join!(stage.calls.health((1, 2), DEADLINE), answering);
        assert_eq!(kind(&checked.map(|()| Bytes::new())), expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is answered, cut wherever: the call ends, and nothing of it is left.
    #[test]
    fn garbage_in_an_answer_fails_the_call(
        answer in prop_oneof![
            vec(any::<u8>(), 0..40),
            (0_u8..14, 0_u32..3, vec(any::<u8>(), 0..40)).prop_map(|(status, id, payload)| response(status, id, &payload)),
        ],
        end in any::<prop::sample::Index>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let stage = Stage::new();
            let _ = soon(stage.answered(&answer[..end.index(answer.len() + 1)])).await;
            stage.assert_idle();
            assert_eq!(soon(stage.answered(&response(0, 1, b"x"))).await.unwrap(), "x", "the next one is not harmed");
        });
    }
}
