//! What waits for a group: kept once, in order, at a cost that does not grow, and no longer than its lifetime.

use qpq_proto::{
    Method,
    v1::{Receipt, SendMessageRequest, SendMessageResponse},
};

use super::*;
use crate::{
    Caller, Input,
    outbox::{Entry, Stream},
    records::{MessageRecord, ParcelRecord},
    tables::{MESSAGES, OUTGOING},
    tests::{bench::Bench, memory::counting::Counting},
};

const LIFETIME_S: u64 = 1_000;

/// Alice's node, whose group waits or not.
fn village(stage: Stage) -> Bench {
    let mut bench = Bench::of_village();
    bench.engine.limits.delivery_lifetime_s = LIFETIME_S;
    with_stage(&mut bench, stage);
    bench
}

fn with_stage(bench: &mut Bench, stage: Stage) {
    let village = ConversationRecord { stage: stage.into(), ..bench.village() };
    bench.with(|engine, cx| engine.save_conversation(cx, &village).unwrap());
}

fn send(bench: &mut Bench) -> Vec<u8> {
    let request = SendMessageRequest {
        to: "#village".into(),
        text: "hello".into(),
        id: Vec::new(),
        ..Default::default()
    };
    bench.owner::<SendMessageResponse>(Method::SendMessage, &request).unwrap().message.unwrap().id
}

/// An answer of bob's node: what was sealed last cannot be opened there any more.
fn cannot_open(bench: &mut Bench) {
    let bob = bench.with(|engine, cx| engine.find_contact(cx, "bob").unwrap().identity);
    let parcels: Vec<ParcelRecord> = tables::all(&bench.memory, OUTGOING).unwrap();
    let conversation = bench.village().id;
    for parcel in parcels {
        let stream = Stream::Conversation(conversation.clone());
        let entry = Entry { stream, recipient: bob.clone(), ordinal: 1, parcel };
        bench.with(|engine, cx| engine.seal_again(cx, &entry).unwrap());
    }
}

fn expiries(bench: &Bench) -> Vec<u64> {
    let parcels: Vec<ParcelRecord> = tables::all(&bench.memory, OUTGOING).unwrap();
    parcels.iter().map(|parcel| parcel.expires_node_ms).collect()
}

fn messages(bench: &Bench) -> Vec<MessageRecord> {
    tables::all(&bench.memory, MESSAGES).unwrap()
}

#[test]
fn sealing_again_does_not_prolong_a_life() {
    for contents in ["text", "receipt"] {
        let mut bench = village(Stage::Open);
        let village = bench.village();
        bench.now_ms = 5_000;
        if contents == "text" {
            send(&mut bench);
        } else {
            bench.with(|engine, cx| {
                let receipt = engine.unnumbered(cx, content::Kind::Receipt(Receipt::default()));
                engine.seal_content(cx, &village, &receipt, Audience::Everybody).unwrap();
            });
        }
        let born = expiries(&bench);
        for later in [400_000, 800_000] {
            bench.now_ms = later;
            cannot_open(&mut bench);
        }
        assert_eq!(born, [5_000 + LIFETIME_S * 1_000]);
        let again = expiries(&bench);
        assert!(again.len() > 2 && again.iter().all(|expires| *expires == born[0]), "{again:?}");
    }
}

#[test]
fn neither_does_waiting_for_a_group() {
    for is_sealed_first in [false, true] {
        let mut bench = village(if is_sealed_first { Stage::Open } else { Stage::Waiting });
        bench.now_ms = 5_000;
        send(&mut bench);
        let expires = 5_000 + LIFETIME_S * 1_000;
        if is_sealed_first {
            with_stage(&mut bench, Stage::Waiting);
            bench.now_ms = 300_000;
            cannot_open(&mut bench);
            cannot_open(&mut bench);
        }
        assert_eq!(bench.memory.count(UNSEALED), 1, "kept once");
        with_stage(&mut bench, Stage::Open);
        bench.now_ms = 600_000;
        let village = bench.village();
        bench.with(|engine, cx| engine.seal_waiting(cx, &village).unwrap());
        assert!(expiries(&bench).iter().all(|it| *it == expires), "{:?}", expiries(&bench));
        assert!(messages(&bench).iter().all(|it| !it.is_kept_again && !it.is_unsealed));
    }
}

#[test]
fn what_has_waited_too_long_for_a_group_has_expired() {
    let mut bench = village(Stage::Waiting);
    send(&mut bench);
    bench.now_ms = 500_000;
    send(&mut bench);
    for (now_ms, waiting, expired) in
        [(LIFETIME_S * 1_000 - 1, 2, 0), (LIFETIME_S * 1_000, 1, 1), (LIFETIME_S * 1_000 + 500_000, 0, 2)]
    {
        bench.now_ms = now_ms;
        bench.with(|engine, cx| engine.sweep(cx).unwrap());
        assert_eq!(bench.memory.count(UNSEALED), waiting, "at {now_ms}");
        let states = messages(&bench).into_iter().filter(|it| it.expired && !it.is_unsealed).count();
        assert_eq!(states, expired, "at {now_ms}");
    }
}

#[test]
fn the_hundredth_text_that_waits_costs_as_much_as_the_tenth() {
    let mut bench = village(Stage::Waiting);
    let mut costs = Vec::new();
    for number in 0..100 {
        let request = SendMessageRequest {
            to: "#village".into(),
            text: "hello".into(),
            id: vec![number; 16],
            ..Default::default()
        };
        let payload = request.encode_to_vec().into();
        let mut counting = Counting::over(&bench.memory);
        let input = Input::Call { caller: Caller::Owner, method: Method::SendMessage, payload };
        let outcome = bench.engine.handle(input, bench.now(), &mut rand(number), &mut counting).unwrap();
        assert!(outcome.keep);
        costs.push(counting.records_read());
        bench.memory = counting.memory;
    }
    assert_eq!(bench.memory.count(UNSEALED), 100);
    assert_eq!(costs[9], costs[99], "{costs:?}");
}

fn rand(seed: u8) -> chacha20::ChaCha20Rng {
    rand_core::SeedableRng::from_seed([seed; 32])
}
