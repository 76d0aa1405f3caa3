use proptest::collection::vec;
use proptest::prelude::*;
use qpq_proto::Status;
use tokio::io::{DuplexStream, duplex};

use super::*;

mod framing;
use crate::testing::{Echo, EchoControl, impatient, node_caller, soon};

fn server() -> (ConnectionServer, EchoControl) {
    let (echo, control) = Echo::new();
    (Server::new(Arc::new(echo), &impatient()).for_connection(node_caller(1)), control)
}

fn frame(method: Method, payload: &[u8]) -> Vec<u8> {
    [RequestHeader::new(method, 9, payload).unwrap().encode().as_slice(), payload].concat()
}

/// Has the server read what the other side sends before it ends the stream.
async fn read(sent: &[u8]) -> Result<Request, ReadError> {
    let (server, _control) = server();
    let (mut ours, theirs) = duplex(sent.len().max(1));
    ours.write_all(sent).await.unwrap();
    drop(ours);
    let mut theirs: DuplexStream = theirs;
    soon(server.read_one(&mut theirs)).await
}

fn violation(read: Result<Request, ReadError>) -> Violation {
    match read {
        Err(ReadError::Violation(violation)) => violation,
        Err(error) => panic!("{error:?}"),
        Ok(_) => panic!("should have been refused"),
    }
}

#[tokio::test]
async fn a_whole_frame_and_nothing_else_is_a_request() {
    let request = read(&frame(Method::Enqueue, b"hello")).await.ok().unwrap();
    assert_eq!((request.id, request.method, &request.payload[..]), (9, Ok(Method::Enqueue), &b"hello"[..]));
    assert!(read(&frame(Method::Health, b"")).await.is_ok());
}

#[tokio::test]
async fn every_other_stream_breaks_the_protocol() {
    let whole = frame(Method::Enqueue, b"hello");
    assert_eq!(violation(read(b"").await), Violation::Empty);
    for length in 1..whole.len() {
        assert!(matches!(violation(read(&whole[..length]).await), Violation::Frame(_)), "{length} bytes");
    }
    assert_eq!(violation(read(&[&whole[..], b"!"].concat()).await), Violation::Trailing);
    assert_eq!(violation(read(&[&whole[..], &whole[..]].concat()).await), Violation::Trailing);
    let endless = [&500_u16.to_be_bytes()[..], &[0; 4], &u32::MAX.to_be_bytes()].concat();
    assert!(matches!(violation(read(&endless).await), Violation::Frame(FrameError::PayloadTooLong { .. })));
}

#[tokio::test]
async fn what_is_wrong_is_told_unless_nobody_listens() {
    let told = ReadError::from(Violation::Trailing).failure().unwrap();
    assert_eq!((told.status, told.message.as_str()), (Status::BadRequest, "data after the frame"));
    assert_eq!(ReadError::Exhausted.failure().unwrap().status, Status::Unavailable);
    assert!(ReadError::Stalled.failure().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_request_that_stalls_is_given_up_wherever_it_stalls() {
    let whole = frame(Method::Enqueue, b"hello");
    // All of it without the end of the stream is a stall, too.
    for length in 1..=whole.len() {
        let (server, _control) = server();
        let (mut ours, mut theirs) = duplex(64);
        ours.write_all(&whole[..length]).await.unwrap();
        let read = server.read_one(&mut theirs).await;
        assert!(matches!(read, Err(ReadError::Stalled)), "{length} bytes");
    }
}

#[tokio::test(start_paused = true)]
async fn a_payload_is_not_read_before_its_length_is_reserved() {
    let (server, _control) = server();
    let long = FRAME_PAYLOAD_BYTES_MAX;
    // Two of twelve MiB's worth of long frames, and no third fits beside what is kept for short ones.
    let held = (server.0.server.budget.reserve(long).await, server.0.server.budget.reserve(long).await);
    let header = RequestHeader { method: Ok(Method::Enqueue), request_id: 1, payload_bytes: long };
    let (mut ours, mut theirs) = duplex(1 << 10);
    ours.write_all(&header.encode()).await.unwrap();
    let read = server.0.server.for_connection(node_caller(2)).read_one(&mut theirs).await;
    assert!(matches!(read, Err(ReadError::Exhausted)));
    // Short ones go on.
    let (mut ours, mut theirs) = duplex(1 << 10);
    ours.write_all(&frame(Method::Enqueue, b"short")).await.unwrap();
    drop(ours);
    assert!(server.read_one(&mut theirs).await.is_ok());
    drop(held);
}

#[tokio::test]
async fn reading_gives_back_what_it_reserved() {
    let (server, _control) = server();
    let free = server.0.server.budget.available_bytes();
    for sent in [frame(Method::Enqueue, &[1; 100_000]), frame(Method::Enqueue, &[1; 100_000])[..500].to_vec()]
    {
        let (mut ours, mut theirs) = duplex(1 << 20);
        ours.write_all(&sent).await.unwrap();
        drop(ours);
        drop(server.read_one(&mut theirs).await);
        assert_eq!(server.0.server.budget.available_bytes(), free);
    }
}

#[tokio::test]
async fn the_service_answers_what_the_caller_may_call() {
    let (server, mut control) = server();
    let payload = Bytes::from_static(b"x");
    assert_eq!(server.answer(Ok(Method::Enqueue), payload.clone()).await.unwrap(), "x");
    assert_eq!(control.calls.recv().await, Some((*server.caller(), Method::Enqueue)));
    for (method, status) in [
        (Err(65_000), Status::UnknownMethod),
        (Ok(Method::NodeStatus), Status::Forbidden),
        (Ok(Method::ResolveEndpoint), Status::Internal),
    ] {
        let failure = server.answer(method, payload.clone()).await.unwrap_err();
        assert_eq!(failure.status, status, "{method:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_takes_for_ever_is_cut_off_but_not_for_the_owner() {
    let (server, control) = server();
    let failure = server.answer(Ok(Method::PublishEndpoint), Bytes::new()).await.unwrap_err();
    assert_eq!(failure.status, Status::DeadlineExceeded);

    let (echo, owner_control) = Echo::new();
    let owner = Server::for_owner(Arc::new(echo), &impatient()).for_connection(Caller::owner());
    let waiting = tokio::spawn(async move { owner.answer(Ok(Method::ReadEvents), Bytes::new()).await });
    tokio::time::advance(Duration::from_secs(3_600)).await;
    owner_control.gate.send_replace(true);
    assert!(waiting.await.unwrap().is_ok());
    drop(control);
}

#[tokio::test]
async fn a_panic_ends_one_future() {
    assert!(catch_panic(async { panic!("the test asks for it") }).await.is_err());
    assert_eq!(catch_panic(async { 7 }).await.ok(), Some(7));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_nobody_takes_is_given_up() {
    let (server, _control) = server();
    let (mut ours, _theirs) = duplex(16);
    let written = server.write(&mut ours, 1, Ok(vec![1; 100_000].into())).await;
    assert_eq!(written.unwrap_err().kind(), std::io::ErrorKind::TimedOut);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Garbage is refused or read; it neither panics nor keeps memory reserved.
    #[test]
    fn garbage_is_survived(sent in vec(any::<u8>(), 0..200)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (server, _control) = server();
            let free = server.0.server.budget.available_bytes();
            let (mut ours, mut theirs) = duplex(256);
            ours.write_all(&sent).await.unwrap();
            drop(ours);
            drop(server.read_one(&mut theirs).await);
            assert_eq!(server.0.server.budget.available_bytes(), free);
        });
    }
}
