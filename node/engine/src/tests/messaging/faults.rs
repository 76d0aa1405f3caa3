//! Storage that fails while an input is handled: nothing of the input is kept, nothing is stuck afterwards.

use prost::Message as _;
use qpq_proto::{
    Method,
    ids::NodeKey,
    v1::{self, Disposition},
};

use crate::{
    CallFailure, CallId, Caller, Effect, Input,
    tables::{self, MESSAGES, OUTGOING},
    tests::bench::Bench,
};

const BOB_NODE: NodeKey = NodeKey::from_bytes([2; 32]);

fn connected() -> Input {
    Input::PeerConnected { node: BOB_NODE, address: "127.0.0.1:1".into() }
}

fn send(text: &str) -> Input {
    let request =
        v1::SendMessageRequest { to: "#village".into(), text: text.into(), id: Vec::new(), carried: false };
    let payload = request.encode_to_vec().into();
    Input::Call { caller: Caller::Owner, method: Method::SendMessage, payload }
}

fn calls(effects: &[Effect]) -> Vec<CallId> {
    let call = |effect: &Effect| if let Effect::Call { call, .. } = effect { Some(*call) } else { None };
    effects.iter().filter_map(call).collect()
}

fn delivered() -> bytes::Bytes {
    let disposition = Disposition::Delivered.into();
    v1::EnqueueResponse { disposition, ..Default::default() }.encode_to_vec().into()
}

/// Lets an input fail at its first operation, at its second, and so on, until it succeeds.
fn fail_everywhere(bench: &mut Bench, input: impl Fn() -> Input) -> usize {
    let before = bench.memory.clone();
    let mut failures = 0;
    while bench.fail(input(), failures) {
        assert_eq!(bench.memory.bytes_since(&before), 0);
        failures += 1;
    }
    failures
}

#[test]
fn an_input_that_failed_can_be_given_again() {
    for (what, input) in [
        ("a text", (|| send("hello")) as fn() -> Input),
        ("a connection", connected),
        ("a start", || Input::Started),
    ] {
        let (mut shaken, mut calm) = (Bench::of_village(), Bench::of_village());
        assert!(fail_everywhere(&mut shaken, input) > 3, "{what}");
        calm.input(input());
        // Not byte by byte: a group that is loaded again draws other randomness.
        for table in tables::ALL {
            assert_eq!(shaken.memory.count(*table), calm.memory.count(*table), "{what}: {table:?}");
        }
        let effects = [&mut shaken, &mut calm].map(|bench| {
            bench.input(connected());
            calls(&bench.input(send("afterwards")).effects).len()
        });
        assert_eq!(effects[0], effects[1], "{what}: deliveries go out as if nothing had happened");
    }
}

#[test]
fn a_delivery_whose_answer_failed_inside_is_made_again() {
    let mut most = 0;
    for failing in 0..64 {
        let mut bench = Bench::of_village();
        bench.input(connected());
        let call = calls(&bench.input(send("hello")).effects)[0];
        let answer = || Input::Answered { call, result: Ok(delivered()) };
        if !bench.fail(answer(), failing) {
            break;
        }
        most = failing;
        // The driver does not give an answer twice.
        assert!(bench.input(answer()).effects.is_empty());
        bench.now_ms = bench.engine.wake_at().unwrap();
        let again = calls(&bench.input(Input::Tick).effects);
        assert_eq!(again.len(), 1, "failing at {failing}");
        bench.answer(again[0], Ok(delivered()));
        assert_eq!(bench.memory.count(OUTGOING), 1, "carol's");
    }
    assert!(most > 3 && most < 63);
}

#[test]
fn a_tick_that_failed_is_made_up_for() {
    let mut bench = Bench::of_village();
    bench.input(connected());
    let call = calls(&bench.input(send("hello")).effects)[0];
    bench.answer(call, Err(CallFailure::Unreachable));
    bench.now_ms += 1_000;
    let mut failing = 0;
    while bench.fail(Input::Tick, failing) {
        bench.now_ms = bench.engine.wake_at().unwrap();
        failing += 1;
    }
    assert!(failing > 2);
    let again = calls(&bench.input(send("and more")).effects);
    assert!(again.is_empty(), "what was to be tried again is under way");
}

#[test]
fn what_a_failure_interrupts_is_not_shown() {
    let mut bench = Bench::of_village();
    let messages = bench.memory.count(MESSAGES);
    let failures = fail_everywhere(&mut bench, || send("once"));
    assert!(failures > 0);
    assert_eq!(bench.memory.count(MESSAGES), messages + 1);
    let request = v1::ReadEventsRequest { since: 1, limit: 1_024, timeout_ms: 0 };
    let events: v1::ReadEventsResponse = bench.owner(Method::ReadEvents, &request).unwrap();
    let cursors: Vec<u64> = events.events.iter().map(|event| event.cursor).collect();
    assert!(cursors.windows(2).all(|pair| pair[1] == pair[0] + 1), "{cursors:?}");
}

#[test]
fn what_has_expired_is_swept_though_the_first_sweep_failed() {
    let mut bench = Bench::of_village();
    bench.input(send("hello"));
    bench.now_ms = 40 * 86_400_000;
    let mut failing = 0;
    while bench.fail(Input::Tick, failing) {
        let next = bench.engine.wake_at().unwrap();
        assert!(next <= bench.now_ms + 1_000, "tried again soon, not at the next sweep");
        bench.now_ms = next.max(bench.now_ms);
        failing += 1;
    }
    assert!(failing > 2);
    assert_eq!(bench.memory.count(OUTGOING), 0);
}
