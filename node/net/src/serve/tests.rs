use proptest::collection::vec;
use proptest::prelude::*;
use qpq_proto::Status;
use qpq_proto::frame::{Header, RESPONSE_HEADER_BYTES, RequestHeader, ResponseHeader};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;

use super::*;
use crate::push::Pushes;
use crate::rpc::Server;
use crate::testing::{Echo, EchoControl, MemoryRecv, MemorySend, Wire, impatient, node_caller, soon, wire};

mod endings;

const CALLS_MAX: usize = 3;

/// A connection that is served, and its other end.
struct Stage {
    peer: Wire,
    control: EchoControl,
    pushes: Pushes,
    serving: Arc<Serving<Wire>>,
}

impl Stage {
    fn new() -> Self {
        let (ours, peer) = wire();
        let (echo, control) = Echo::new();
        let (pushes, caller) = (Pushes::new(&impatient()), node_caller(7));
        let serving = Serving {
            streams: ours,
            server: Server::new(Arc::new(echo), &impatient()).for_connection(caller),
            subscription: pushes.enter(caller.connection),
            calls_at_first: 1,
            calls_max: CALLS_MAX,
            activity: Activity::new(),
        };
        Self { peer, control, pushes, serving: Arc::new(serving) }
    }

    /// Serves what comes, until the connection has to end.
    fn run(&self) -> JoinHandle<ServeError> {
        let serving = Arc::clone(&self.serving);
        tokio::spawn(async move { serving.run().await })
    }

    async fn greet(&self) -> Result<HealthRequest, ServeError> {
        self.serving.greet(Duration::from_secs(1)).await
    }

    /// Opens a stream with these bytes on it, and marks its end.
    async fn open(&self, sent: &[u8]) -> (MemorySend, MemoryRecv) {
        let (mut send, recv) = self.peer.open().await.unwrap();
        let _ = soon(send.write_all(sent)).await;
        SendHalf::finish(&mut send);
        (send, recv)
    }

    /// The status with which these bytes are answered.
    async fn exchange(&self, sent: &[u8]) -> Status {
        let (_send, mut recv) = self.open(sent).await;
        status(&mut recv).await
    }

    /// Waits until so many calls of the method have come to the service.
    async fn called(&mut self, method: Method, times: usize) {
        let mut seen = 0;
        while seen < times {
            seen += usize::from(soon(self.control.calls.recv()).await.unwrap().1 == method);
        }
    }
}

async fn status(recv: &mut MemoryRecv) -> Status {
    let mut header = [0; RESPONSE_HEADER_BYTES];
    soon(recv.read_exact(&mut header)).await.unwrap();
    ResponseHeader::decode(&header).unwrap().status.unwrap()
}

fn request(method: Method, payload: &[u8]) -> Vec<u8> {
    [RequestHeader::new(method, 5, payload).unwrap().encode().as_slice(), payload].concat()
}

fn health() -> Vec<u8> {
    let hello = HealthRequest { wire_version_min: 2, wire_version_max: 4 };
    request(Method::Health, &hello.encode_to_vec())
}

#[tokio::test]
async fn the_first_call_tells_the_wire_versions() {
    let stage = Stage::new();
    let hello = health();
    let (greeted, answered) = tokio::join!(stage.greet(), stage.exchange(&hello));
    let hello = greeted.unwrap();
    assert_eq!((hello.wire_version_min, hello.wire_version_max, answered), (2, 4, Status::Ok));
}

#[tokio::test]
async fn anything_else_at_first_is_answered_and_ends_the_connection() {
    for (sent, reason) in [
        (request(Method::Enqueue, b""), "the first call on a connection must be Health"),
        ([health(), vec![1]].concat(), "data after the frame"),
        (health()[..7].to_vec(), "the stream ended"),
        (Vec::new(), "the stream carries no frame"),
    ] {
        let stage = Stage::new();
        let (greeted, answered) = tokio::join!(stage.greet(), stage.exchange(&sent));
        let Err(ServeError::Misbehaved(found)) = greeted else { panic!("{greeted:?}") };
        assert!(found.starts_with(reason), "{found}");
        assert_eq!(answered, Status::BadRequest);
    }
    let stage = Stage::new();
    let _stream = stage.open(&request(Method::Health, b"\xff")).await;
    let undecodable = ServeError::Misbehaved("its Health does not decode".to_owned());
    assert_eq!(stage.greet().await, Err(undecodable));
}

#[tokio::test(start_paused = true)]
async fn silence_at_first_ends_the_connection() {
    let stage = Stage::new();
    assert_eq!(stage.greet().await, Err(ServeError::Silent));
    let (mut send, _recv) = stage.peer.open().await.unwrap();
    send.write_all(&health()[..5]).await.unwrap();
    let greeted = stage.serving.greet(Duration::from_secs(3_600)).await;
    assert_eq!(greeted, Err(ServeError::Misbehaved("the request stalled".to_owned())));
}

#[tokio::test]
async fn the_third_fault_ends_the_connection_and_unknown_methods_are_none() {
    let stage = Stage::new();
    let run = stage.run();
    let unknown = RequestHeader { method: Err(65_000), request_id: 1, payload_bytes: 0 }.encode();
    for _ in 0..10 {
        assert_eq!(stage.exchange(&unknown).await, Status::UnknownMethod);
        assert_eq!(stage.exchange(&request(Method::NodeStatus, b"")).await, Status::Forbidden);
        assert_eq!(stage.exchange(&request(Method::ResolveEndpoint, b"")).await, Status::Internal);
    }
    for fault in [&b"garbage"[..], b"", &[request(Method::Enqueue, b""), vec![0]].concat()] {
        assert!(!run.is_finished());
        let (_send, mut recv) = stage.open(fault).await;
        assert_eq!(status(&mut recv).await, Status::BadRequest);
        // The refusal has arrived.
        RecvHalf::stop(&mut recv, code::DONE);
    }
    assert!(matches!(soon(run).await.unwrap(), ServeError::Misbehaved(_)));
}

#[tokio::test]
async fn only_health_may_be_replayed() {
    let (ours, theirs) = wire();
    for (method, expected) in [(Method::Health, true), (Method::Enqueue, false)] {
        let (mut send, mut recv) = theirs.open().await.unwrap();
        send.write_all(&request(method, b"")).await.unwrap();
        SendHalf::finish(&mut send);
        let (answer, mut asked) = ours.accept().await.unwrap();
        asked.is_replayable = true;
        let server = Server::new(Arc::new(Echo::new().0), &impatient()).for_connection(node_caller(7));
        let (outcome, answered) = tokio::join!(serve_one(server, answer, asked), async {
            let answered = status(&mut recv).await;
            RecvHalf::stop(&mut recv, code::DONE);
            answered
        });
        assert_eq!(matches!(outcome, Outcome::Served), expected, "{method:?}");
        assert_eq!(answered == Status::Ok, expected, "{method:?}");
    }
}

#[tokio::test]
async fn calls_under_way_are_bounded_and_the_rest_wait_their_turn() {
    let mut stage = Stage::new();
    let run = stage.run();
    let mut waiting = Vec::new();
    for _ in 0..CALLS_MAX + 2 {
        waiting.push(stage.open(&request(Method::PublishEndpoint, b"")).await);
    }
    stage.called(Method::PublishEndpoint, CALLS_MAX).await;
    assert_eq!(*stage.serving.streams.allowed_bi.borrow(), CALLS_MAX, "permitted as it was used");
    for _ in 0..32 {
        tokio::task::yield_now().await;
    }
    assert!(stage.control.calls.try_recv().is_err(), "no more at once");
    assert!(!stage.serving.activity.is_idle());
    stage.control.gate.send_replace(true);
    for (_, recv) in &mut waiting {
        assert_eq!(status(recv).await, Status::Ok);
    }
    soon(stage.serving.activity.idle()).await;
    stage.peer.close(code::DONE, "");
    assert_eq!(soon(run).await.unwrap(), ServeError::Ended(Ended("closed".to_owned())));
}

#[tokio::test]
async fn a_call_is_dropped_when_its_caller_wants_no_answer() {
    let mut stage = Stage::new();
    let run = stage.run();
    let (_send, mut recv) = stage.open(&request(Method::PublishEndpoint, b"")).await;
    stage.called(Method::PublishEndpoint, 1).await;
    RecvHalf::stop(&mut recv, code::DONE);
    // The gate is never opened.
    soon(stage.serving.activity.idle()).await;
    assert_eq!(stage.exchange(&request(Method::Enqueue, b"x")).await, Status::Ok);
    assert!(!run.is_finished(), "and that is no fault");
}

#[tokio::test(start_paused = true)]
async fn requests_that_stall_are_faults_and_are_not_answered() {
    let stage = Stage::new();
    let run = stage.run();
    let mut stalled = Vec::new();
    for _ in 0..3 {
        let (mut send, recv) = stage.peer.open().await.unwrap();
        send.write_all(&request(Method::Enqueue, b"never whole")[..12]).await.unwrap();
        stalled.push((send, recv));
    }
    assert_eq!(run.await.unwrap(), ServeError::Misbehaved("the request stalled".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn answers_that_are_not_taken_are_faults() {
    let stage = Stage::new();
    let run = stage.run();
    let long = request(Method::Enqueue, &vec![1; 100_000]);
    let mut unread = Vec::new();
    for _ in 0..3 {
        unread.push(stage.open(&long).await);
    }
    assert_eq!(run.await.unwrap(), ServeError::Misbehaved("it does not take its answers".to_owned()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever a peer sends, stream by stream: what is in order is answered, and exactly the third fault ends it.
    #[test]
    fn faults_are_counted_and_the_rest_is_served(
        streams in vec(prop_oneof![
            3 => (0_usize..2_000).prop_map(|length| (request(Method::Enqueue, &vec![1; length]), true)),
            1 => (1_usize..10).prop_map(|length| (request(Method::Enqueue, b"x")[..length].to_vec(), false)),
            1 => vec(any::<u8>(), 1..9).prop_map(|garbage| ([request(Method::Enqueue, b""), garbage].concat(), false)),
        ], 1..14),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let stage = Stage::new();
            let run = stage.run();
            let mut faults = 0;
            for (sent, is_whole) in &streams {
                let (_send, mut recv) = stage.open(sent).await;
                let expected = if *is_whole { Status::Ok } else { Status::BadRequest };
                assert_eq!(status(&mut recv).await, expected);
                RecvHalf::stop(&mut recv, code::DONE);
                faults += usize::from(!is_whole);
                if faults == FAULTS_MAX {
                    break;
                }
                soon(stage.serving.activity.idle()).await;
            }
            if faults == FAULTS_MAX {
                assert!(matches!(soon(run).await.unwrap(), ServeError::Misbehaved(_)));
            } else {
                assert!(!run.is_finished());
            }
        });
    }
}
