//! A client calls a node through the dispatch, without a network between them.

use std::future::Future;
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use prost::Message;
use qpq_proto::limits::FRAME_PAYLOAD_BYTES_MAX;
use qpq_proto::services::{
    Account, Auth, Blobs, Channels, Delivery, Devices, Federation, Groups, KeyTransparency, Keys, Mesh,
    Moderation, Owner, Peers, Recovery, Users, dispatch_delivery,
};
use qpq_proto::{
    CallError, Client, Failure, Method, Status, Transport, TransportErrorKind, dispatch, frame, v1,
};

/// A node that delivers, tells how it is, and offers nothing else.
#[derive(Default)]
struct Node {
    next_seq: u64,
    version: String,
}

/// What a handler sees of the call: here, how many calls there were.
type Calls = u64;

impl Delivery<Calls> for Node {
    fn enqueue(
        &mut self,
        calls: &mut Calls,
        request: v1::EnqueueRequest,
    ) -> Result<v1::EnqueueResponse, Failure> {
        *calls += 1;
        if request.mailbox.len() != 32 {
            return Err(Failure::bad_request("mailbox", "not 32 bytes"));
        }
        self.next_seq += 1;
        Ok(v1::EnqueueResponse { seq: self.next_seq, ..Default::default() })
    }
}

impl Mesh<Calls> for Node {}
impl Peers<Calls> for Node {
    fn health(&mut self, calls: &mut Calls, _: v1::HealthRequest) -> Result<v1::HealthResponse, Failure> {
        *calls += 1;
        Ok(v1::HealthResponse { version: self.version.clone(), ..Default::default() })
    }
}

impl Account<Calls> for Node {}
impl Auth<Calls> for Node {}
impl Blobs<Calls> for Node {}
impl Channels<Calls> for Node {}
impl Devices<Calls> for Node {}
impl Federation<Calls> for Node {}
impl Groups<Calls> for Node {}
impl KeyTransparency<Calls> for Node {}
impl Keys<Calls> for Node {}
impl Moderation<Calls> for Node {}
impl Owner<Calls> for Node {}
impl Recovery<Calls> for Node {}
impl Users<Calls> for Node {}

/// Carries calls as frames would, from one object to another.
struct InProcess(Mutex<(Node, Calls)>);

impl InProcess {
    fn new(node: Node) -> Self {
        Self(Mutex::new((node, 0)))
    }
}

impl Transport for InProcess {
    fn call(&self, method: Method, payload: Bytes) -> impl Future<Output = Result<Bytes, CallError>> + Send {
        let (node, calls) = &mut *self.0.lock().expect("no call panics while it holds the lock");
        let answer = frame::response(1, dispatch(node, calls, method, payload));
        std::future::ready(answer.header.into_result(answer.payload).map_err(CallError::from))
    }
}

/// A transport that answers everything alike.
struct Always(Result<Bytes, CallError>);

impl Transport for Always {
    fn call(&self, _: Method, _: Bytes) -> impl Future<Output = Result<Bytes, CallError>> + Send {
        std::future::ready(self.0.clone())
    }
}

/// The outcome of a future that never waits.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => panic!("the future waits"),
    }
}

#[test]
fn a_call_reaches_its_handler_and_the_answer_its_caller() {
    let client = Client::new(InProcess::new(Node::default()));
    let request = v1::EnqueueRequest { mailbox: vec![1; 32], ..Default::default() };
    assert_eq!(now(client.enqueue(&request)).unwrap().seq, 1);
    assert_eq!(now(client.enqueue(&request)).unwrap().seq, 2);
    assert_eq!(client.transport().0.lock().unwrap().1, 2);
}

#[test]
fn a_failure_arrives_with_its_field() {
    let client = Client::new(InProcess::new(Node::default()));
    let error = now(client.enqueue(&v1::EnqueueRequest::default())).unwrap_err();
    assert_eq!(error.failure(), Some(&Failure::bad_request("mailbox", "not 32 bytes")));
    assert_eq!(error.to_string(), "BadRequest: not 32 bytes");
}

#[test]
fn what_a_node_does_not_offer_is_forbidden_by_name() {
    let implemented = [Method::Enqueue, Method::Health];
    for method in Method::ALL.iter().filter(|method| !implemented.contains(method)) {
        let failure = dispatch(&mut Node::default(), &mut 0, *method, Bytes::new()).unwrap_err();
        assert_eq!(failure.status, Status::Forbidden);
        assert_eq!(
            failure.message,
            format!("this node does not offer {} in its present role", method.name())
        );
    }
}

#[test]
fn a_service_answers_its_own_methods_only() {
    let failure = dispatch_delivery(&mut Node::default(), &mut 0, Method::Health, Bytes::new()).unwrap_err();
    assert_eq!(failure, Failure::not_offered(Method::Health));
}

#[test]
fn a_request_that_does_not_decode_reaches_no_handler() {
    let mut calls = 0;
    for payload in [&b"\xff\xff\xff"[..], b"\x0a\x05ab", b"\x0a\xff\xff\xff\xff\x0f"] {
        let payload = Bytes::copy_from_slice(payload);
        let failure = dispatch(&mut Node::default(), &mut calls, Method::Enqueue, payload).unwrap_err();
        assert_eq!(failure.status, Status::BadRequest);
    }
    assert_eq!(calls, 0);
}

#[test]
fn fields_of_a_later_version_are_skipped() {
    let mut payload = v1::EnqueueRequest { mailbox: vec![1; 32], ..Default::default() }.encode_to_vec();
    // Field 2,000, a varint.
    payload.extend([0x80, 0x7d, 0x01]);
    assert!(dispatch(&mut Node::default(), &mut 0, Method::Enqueue, payload.into()).is_ok());
}

#[test]
fn a_response_that_fits_no_frame_is_our_fault() {
    let mut node = Node { version: "v".repeat(FRAME_PAYLOAD_BYTES_MAX), ..Default::default() };
    let failure = dispatch(&mut node, &mut 0, Method::Health, Bytes::new()).unwrap_err();
    assert_eq!(failure, Failure::internal());
}

#[test]
fn a_request_that_fits_no_frame_is_not_sent() {
    let unreachable = CallError::transport(TransportErrorKind::Unreachable, "nobody there");
    let client = Client::new(Always(Err(unreachable.clone())));
    let request =
        v1::EnqueueRequest { payload: vec![1; FRAME_PAYLOAD_BYTES_MAX].into(), ..Default::default() };
    assert!(matches!(now(client.enqueue(&request)), Err(CallError::RequestTooLarge { .. })));
    let request = v1::EnqueueRequest::default();
    assert_eq!(now(client.enqueue(&request)), Err(unreachable));
}

#[test]
fn a_response_that_does_not_decode_is_told_apart() {
    let client = Client::new(Always(Ok(Bytes::from_static(b"\xff"))));
    let error = now(client.health(&v1::HealthRequest::default())).unwrap_err();
    assert!(matches!(error, CallError::MalformedResponse { method: Method::Health, .. }), "{error:?}");
    assert!(error.to_string().starts_with("malformed response to Health: "));
}

#[test]
fn a_payload_is_shared_with_the_frame_it_came_in() {
    let body = Bytes::from(vec![5; 1_000]);
    let frame = Bytes::from(v1::Envelope { data: body, ..Default::default() }.encode_to_vec());
    let envelope = v1::Envelope::decode(frame.clone()).unwrap();
    assert!(frame.as_ptr_range().contains(&envelope.data.as_ptr()));
}

#[test]
fn secrets_are_not_shown_by_debug() {
    let request =
        v1::CreateBackupRequest { path: "/backup".to_owned(), passphrase: b"hunter2hunter2".to_vec() };
    assert_eq!(format!("{request:?}"), "CreateBackupRequest { .. }");
    let kind = v1::content::Kind::Text(v1::Text { text: "between us".to_owned() });
    let content = v1::Content { kind: Some(kind), ..Default::default() };
    assert!(!format!("{content:?}").contains("between"));
}
