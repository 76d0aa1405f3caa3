//! The method table at a running relay: over every transport, for everybody who can connect.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use qpq_net::socket::SocketClient;
use qpq_net::{Answer, Caller, PeerConfig, PeerEvent, Peers, Service};
use qpq_proto::ids::NodeKey;
use qpq_proto::limits::{Limits, WIRE_VERSION};
use qpq_proto::v1::HealthResponse;
use qpq_proto::{CallError, CallerClass, Failure, Method, Status, Transport};
use qpq_tests::{DEADLINE, Node, Options, RelayAddress, RelayUser};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::Receiver;

/// No message of any kind: a field's number that does not end.
const NO_MESSAGE: Bytes = Bytes::from_static(&[0xff; 16]);

#[test]
fn every_method_over_every_transport_knows_its_callers_and_refuses_what_is_no_message() {
    let node = relay();
    runtime().block_on(async {
        let address = RelayAddress::of(&node).unwrap();
        let stranger = address.connect().await.unwrap();
        let user = RelayUser::new(1).arrive(&address).await.unwrap();
        let owner = SocketClient::connect(&node.socket()).await.unwrap();
        let peer = PeerNode::connect(&node).await;
        for method in Method::ALL.iter().copied() {
            let public = method.access().unauthenticated();
            let by_stranger = stranger.transport().call(method, NO_MESSAGE).await;
            check(method, public, false, by_stranger);
            let by_user = user.transport().call(method, NO_MESSAGE).await;
            check(method, CallerClass::Session, method.access().permits(public), by_user);
            check(method, CallerClass::Owner, false, owner.call(method, NO_MESSAGE).await);
            check(method, CallerClass::Node, false, peer.call(method, NO_MESSAGE).await);
        }
    });
    node.ok(&["status"]);
}

#[test]
fn an_empty_request_ends_in_an_answer_that_says_what_is_wrong() {
    let node = relay();
    runtime().block_on(async {
        let address = RelayAddress::of(&node).unwrap();
        let stranger = address.connect().await.unwrap();
        let user = RelayUser::new(1).arrive(&address).await.unwrap();
        let peer = PeerNode::connect(&node).await;
        for method in Method::ALL.iter().copied() {
            for (who, answer) in [
                ("a stranger", stranger.transport().call(method, Bytes::new()).await),
                ("a user", user.transport().call(method, Bytes::new()).await),
                ("a node", peer.call(method, Bytes::new()).await),
            ] {
                let Some(failure) = refusal(method, answer) else { continue };
                assert_ne!(failure.status, Status::Internal, "{} by {who}", method.name());
                assert!(!failure.message.is_empty(), "{} by {who}", method.name());
                let is_of_a_field = failure.status == Status::BadRequest;
                let names_it = !failure.field.is_empty() || failure.message.len() > 10;
                assert!(!is_of_a_field || names_it, "{} by {who}: {failure:?}", method.name());
            }
        }
    });
    node.ok(&["status"]);
}

/// A caller of a class is told that this is no message if it may call the method, else that it may not.
#[track_caller]
fn check(method: Method, class: CallerClass, or_public: bool, answer: Result<Bytes, CallError>) {
    let access = method.access();
    let name = method.name();
    let failure = refusal(method, answer).unwrap_or_else(|| panic!("{name} as {class:?} takes anything"));
    let is_logged_in = class == CallerClass::Session;
    let needs_login = access.permits(CallerClass::Session) || access.permits(CallerClass::Administrator);
    let expected = match access.permits(class) || or_public {
        true => Status::BadRequest,
        false if needs_login && !is_logged_in => Status::Unauthorized,
        false => Status::Forbidden,
    };
    assert_eq!(failure.status, expected, "{name} as {class:?}: {failure:?}");
}

fn refusal(method: Method, answer: Result<Bytes, CallError>) -> Option<Failure> {
    match answer {
        Ok(_) => None,
        Err(CallError::Failure(failure)) => Some(failure),
        Err(error) => panic!("{}: {error}", method.name()),
    }
}

/// A relay at which everybody may register.
fn relay() -> Node {
    let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let environment = vec![set("QPQ_RPC_LISTEN", "127.0.0.1:0"), set("QPQ_RELAY_REGISTRATION", "open")];
    let node = Node::start_with("relay", Options { environment, ..Options::default() });
    node.ok(&["role", "relay", "on"]);
    node
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// A node of no person's, connected with another one.
struct PeerNode {
    peers: Peers,
    other: NodeKey,
    _events: Receiver<PeerEvent>,
}

impl PeerNode {
    async fn connect(node: &Node) -> Self {
        let mut config = PeerConfig::new([7; 32].into(), Limits::SERVER);
        config.listen = vec!["127.0.0.1:0".parse().unwrap()];
        let (peers, mut events) = Peers::start(config, Arc::new(Healthy)).await.unwrap();
        let status = node.ok(&["status"]);
        let addresses = status["addresses"].as_array().unwrap();
        let addresses = addresses.iter().map(|address| address.as_str().unwrap().parse().unwrap()).collect();
        let other: NodeKey = node.node_key().parse().unwrap();
        peers.want(other, addresses);
        let connected =
            async { while !matches!(events.recv().await.unwrap(), PeerEvent::Connected { .. }) {} };
        tokio::time::timeout(DEADLINE, connected).await.expect("the relay is reached");
        Self { peers, other, _events: events }
    }

    async fn call(&self, method: Method, payload: Bytes) -> Result<Bytes, CallError> {
        self.peers.call(self.other, method, payload).await
    }
}

/// Answers `Health` and nothing else.
struct Healthy;

impl Service for Healthy {
    fn call(&self, _caller: Caller, method: Method, _payload: Bytes) -> Answer<'_> {
        let health = HealthResponse {
            wire_version_min: WIRE_VERSION,
            wire_version_max: WIRE_VERSION,
            ..HealthResponse::default()
        };
        Box::pin(async move {
            match method {
                Method::Health => Ok(health.encode_to_vec().into()),
                _ => Err(Failure::forbidden("not here")),
            }
        })
    }
}
