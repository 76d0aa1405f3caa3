use std::sync::{Arc, Mutex};

use qpq_proto::Status;
use tokio::sync::oneshot;

use super::*;

mod chance;

const LIMITS: Limits = Limits { in_flight_calls_per_peer_max: 2, write_queue_max: 5, ..Limits::SERVER };
const ALICE: NodeKey = NodeKey::from_bytes([1; 32]);
const BOB: NodeKey = NodeKey::from_bytes([2; 32]);

type Reply = Result<Bytes, CallError>;

/// A network on which each call waits until the test answers it.
#[derive(Clone, Default)]
struct Wire(Arc<Mutex<WireState>>);

#[derive(Default)]
struct WireState {
    calls: Vec<(NodeKey, Option<oneshot::Sender<Reply>>)>,
    connections: Vec<String>,
}

impl Network for Wire {
    async fn call(&self, node: NodeKey, _: Method, payload: Bytes) -> Reply {
        assert_ne!(payload.as_ref(), b"panic", "as asked");
        let (reply, replied) = oneshot::channel();
        self.0.lock().unwrap().calls.push((node, Some(reply)));
        replied.await.unwrap()
    }

    fn want(&self, node: NodeKey, addresses: Vec<SocketAddr>) {
        self.0.lock().unwrap().connections.push(format!("want {} at {}", short(&node), addresses.len()));
    }

    fn release(&self, node: NodeKey) {
        self.0.lock().unwrap().connections.push(format!("release {}", short(&node)));
    }

    fn want_relay(&self, relay: RelayKey, places: Vec<String>) {
        self.0.lock().unwrap().connections.push(format!("want relay {} at {}", relay.0[0], places.join(" ")));
    }

    fn release_relay(&self, relay: RelayKey) {
        self.0.lock().unwrap().connections.push(format!("release relay {}", relay.0[0]));
    }

    async fn call_relay(
        &self,
        _: RelayKey,
        line: RelayLine,
        method: Method,
        payload: Bytes,
    ) -> Result<Bytes, CallFailure> {
        let node = if line == RelayLine::Session { ALICE } else { BOB };
        self.call(node, method, payload).await.map_err(failure_of)
    }
}

#[derive(Clone)]
struct Given(mpsc::UnboundedSender<Input>);

impl Inputs for Given {
    async fn give(&self, input: Input) {
        self.0.send(input).unwrap();
    }
}

/// An interpreter at work, and the ends around it.
struct Stage {
    wire: Wire,
    effects: mpsc::UnboundedSender<Effect>,
    static_peers: watch::Sender<StaticPeers>,
    inputs: mpsc::UnboundedReceiver<Input>,
    newest_event: watch::Receiver<u64>,
}

impl Stage {
    fn new() -> Self {
        let wire = Wire::default();
        let (effects, effects_out) = mpsc::unbounded_channel();
        let (inputs_in, inputs) = mpsc::unbounded_channel();
        let (events, newest_event) = watch::channel(0);
        let (static_peers, static_peers_out) = watch::channel(StaticPeers::new());
        let interpreter = Interpreter::new(wire.clone(), Given(inputs_in), events, LIMITS);
        tokio::spawn(interpreter.run(effects_out, static_peers_out));
        Self { wire, effects, static_peers, inputs, newest_event }
    }

    fn call(&self, id: u64, node: NodeKey, payload: &'static [u8]) {
        let payload = Bytes::from_static(payload);
        let effect = Effect::Call { call: CallId(id), node, method: Method::Enqueue, payload };
        self.effects.send(effect).unwrap();
    }

    /// Lets the interpreter and its calls run until they wait.
    async fn settle(&self) {
        for _ in 0..32 {
            tokio::task::yield_now().await;
        }
    }

    /// Answers the call that reached the network as this one.
    fn reply(&self, index: usize, reply: Reply) {
        self.wire.0.lock().unwrap().calls[index].1.take().unwrap().send(reply).unwrap();
    }

    fn calls_of(&self, node: NodeKey) -> usize {
        self.wire.0.lock().unwrap().calls.iter().filter(|(callee, _)| *callee == node).count()
    }

    async fn answered(&mut self) -> (u64, Result<Bytes, CallFailure>) {
        match self.inputs.recv().await {
            Some(Input::Answered { call, result }) => (call.0, result),
            other => panic!("not an answer: {other:?}"),
        }
    }

    async fn connections(&self) -> Vec<String> {
        self.settle().await;
        std::mem::take(&mut self.wire.0.lock().unwrap().connections)
    }
}

fn transport(kind: TransportErrorKind) -> CallError {
    CallError::Transport { kind, message: String::new() }
}

#[tokio::test]
async fn what_comes_of_a_call_goes_back_to_the_engine() {
    let mut stage = Stage::new();
    stage.call(7, ALICE, b"x");
    stage.settle().await;
    stage.reply(0, Ok(Bytes::from_static(b"y")));
    assert_eq!(stage.answered().await, (7, Ok(Bytes::from_static(b"y"))));
}

#[test]
fn a_failure_says_whether_the_peer_was_there() {
    use TransportErrorKind as Kind;
    let unreachable = [Kind::Unreachable, Kind::ConnectionLost, Kind::VersionMismatch];
    for kind in unreachable {
        assert_eq!(failure_of(transport(kind)), CallFailure::Unreachable, "{kind:?}");
    }
    let refused = [
        (transport(Kind::Busy), Status::Unavailable),
        (transport(Kind::TimedOut), Status::DeadlineExceeded),
        (transport(Kind::ProtocolViolation), Status::Internal),
        (CallError::RequestTooLarge { bytes: 9 }, Status::BadRequest),
        (CallError::Failure(Failure::forbidden("no")), Status::Forbidden),
    ];
    for (error, status) in refused {
        let CallFailure::Refused(failure) = failure_of(error.clone()) else {
            panic!("{error} is no refusal")
        };
        assert_eq!(failure.status, status, "{error}");
    }
}

#[tokio::test]
async fn a_peer_that_stalls_delays_nobody_else() {
    let mut stage = Stage::new();
    for id in 0..4 {
        stage.call(id, ALICE, b"x");
    }
    stage.call(4, BOB, b"x");
    stage.settle().await;
    assert_eq!((stage.calls_of(ALICE), stage.calls_of(BOB)), (2, 1));
    stage.reply(0, Err(transport(TransportErrorKind::Unreachable)));
    assert_eq!(stage.answered().await, (0, Err(CallFailure::Unreachable)));
    stage.settle().await;
    assert_eq!(stage.calls_of(ALICE), 3);
}

#[tokio::test]
async fn more_calls_than_can_wait_are_refused_for_now() {
    let mut stage = Stage::new();
    for id in 0..6 {
        stage.call(id, ALICE, b"x");
    }
    let (id, result) = stage.answered().await;
    let Err(CallFailure::Refused(failure)) = result else { panic!("{result:?}") };
    assert_eq!((id, failure.status), (5, Status::Unavailable));
}

#[tokio::test]
async fn a_call_that_panics_is_answered_and_gives_its_place_back() {
    let mut stage = Stage::new();
    for id in 0..3 {
        stage.call(id, ALICE, b"panic");
    }
    for _ in 0..3 {
        assert_eq!(stage.answered().await.1, Err(CallFailure::Unreachable));
    }
    stage.call(3, ALICE, b"x");
    stage.settle().await;
    assert_eq!(stage.calls_of(ALICE), 1);
}

#[tokio::test]
async fn the_newest_event_never_goes_back() {
    let mut stage = Stage::new();
    for newest in [3, 5, 4] {
        stage.effects.send(Effect::Events { newest }).unwrap();
    }
    assert_eq!(*stage.newest_event.wait_for(|newest| *newest >= 5).await.unwrap(), 5);
    stage.settle().await;
    assert_eq!(*stage.newest_event.borrow(), 5);
}

#[tokio::test]
async fn a_connection_is_kept_while_settings_or_engine_want_it() {
    let stage = Stage::new();
    let peers =
        |nodes: &[NodeKey]| nodes.iter().map(|node| (*node, vec![([127, 0, 0, 1], 1).into()])).collect();
    let effect = |effect| stage.effects.send(effect).unwrap();

    stage.static_peers.send(peers(&[ALICE, BOB])).unwrap();
    assert_eq!(stage.connections().await, ["want 01010101 at 1", "want 02020202 at 1"]);
    effect(Effect::Want { node: ALICE, addresses: Vec::new() });
    assert_eq!(stage.connections().await, ["want 01010101 at 0"]);

    stage.static_peers.send(peers(&[])).unwrap();
    assert_eq!(stage.connections().await, ["release 02020202"], "the engine still wants the other");
    effect(Effect::Release { node: ALICE });
    assert_eq!(stage.connections().await, ["release 01010101"]);

    stage.static_peers.send(peers(&[ALICE])).unwrap();
    assert_eq!(stage.connections().await, ["want 01010101 at 1"]);
    effect(Effect::Want { node: ALICE, addresses: Vec::new() });
    effect(Effect::Release { node: ALICE });
    assert_eq!(stage.connections().await, ["want 01010101 at 0"], "the settings still want it");
}

#[tokio::test]
async fn static_peers_are_wanted_from_the_start() {
    let wire = Wire::default();
    let (_effects, effects_out) = mpsc::unbounded_channel();
    let (inputs, _) = mpsc::unbounded_channel();
    let (_peers, peers_out) = watch::channel(StaticPeers::from([(ALICE, Vec::new())]));
    let interpreter = Interpreter::new(wire.clone(), Given(inputs), watch::channel(0).0, LIMITS);
    let running = tokio::spawn(interpreter.run(effects_out, peers_out));
    while wire.0.lock().unwrap().connections.is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(wire.0.lock().unwrap().connections, ["want 01010101 at 0"]);
    running.abort();
}

#[tokio::test]
async fn relays_are_wanted_called_and_released() {
    let mut stage = Stage::new();
    let relay = RelayKey([7; 32]);
    let call = |id, line, payload| {
        let payload = Bytes::from_static(payload);
        Effect::RelayCall { call: CallId(id), relay, line, method: Method::Enqueue, payload }
    };
    stage.effects.send(Effect::WantRelay { relay, places: vec!["a:1".into(), "b:2".into()] }).unwrap();
    stage.effects.send(Effect::ReleaseRelay { relay }).unwrap();
    assert_eq!(stage.connections().await, ["want relay 7 at a:1 b:2", "release relay 7"]);

    stage.effects.send(call(1, RelayLine::Session, b"")).unwrap();
    stage.effects.send(call(2, RelayLine::Anonymous { places: Vec::new() }, b"")).unwrap();
    stage.settle().await;
    assert_eq!((stage.calls_of(ALICE), stage.calls_of(BOB)), (1, 1));
    stage.reply(1, Err(transport(TransportErrorKind::ConnectionLost)));
    assert_eq!(stage.answered().await, (2, Err(CallFailure::Unreachable)));
    stage.reply(0, Ok(Bytes::from_static(b"yes")));
    assert_eq!(stage.answered().await, (1, Ok(Bytes::from_static(b"yes"))));

    stage.effects.send(call(3, RelayLine::Session, b"panic")).unwrap();
    assert_eq!(stage.answered().await, (3, Err(CallFailure::Unreachable)));
}
