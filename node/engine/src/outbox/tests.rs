//! What is due, and in which order streams are served.

use bytes::Bytes;
use prost::Message as _;
use qpq_proto::{
    Method,
    ids::NodeKey,
    v1::{Disposition, EnqueueRequest, EnqueueResponse, SendMessageRequest},
};

use super::{Outbox, Shipment, Stream, Task, To};
use crate::{
    CallFailure, CallId, Caller, Effect, Input,
    records::{ConversationRecord, Kind, MessageRecord, PersonRecord, Stage, Standing},
    tables::{OUTGOING, PAYLOADS},
    tests::bench::Bench,
};

/// An outbox with people, whose number names them, and what is under way to them.
pub(super) struct Post {
    pub(super) bench: Bench,
    pub(super) under_way: Vec<Offer>,
}

/// A delivery that is under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Offer {
    pub(super) call: CallId,
    pub(super) to: u8,
    pub(super) payload: Bytes,
}

impl Post {
    /// People who are contacts, and whose nodes are connected.
    pub(super) fn to(people: &[u8]) -> Self {
        let mut post = Self { bench: Bench::of("alice"), under_way: Vec::new() };
        for who in people {
            post.meet(*who);
            post.connect(*who);
        }
        post
    }

    fn meet(&mut self, who: u8) {
        self.bench.with(|engine, cx| {
            let conversation = ConversationRecord {
                id: vec![who; 16],
                kind: Kind::Direct.into(),
                stage: Stage::Waiting.into(),
                contact: person(who),
                members: 2,
                ..Default::default()
            };
            engine.save_conversation(cx, &conversation).unwrap();
            let person = PersonRecord {
                identity: person(who),
                name: format!("p{who}"),
                nodes: vec![vec![who; 32]],
                conversation: conversation.id,
                standing: Standing::Accepted.into(),
                ..Default::default()
            };
            engine.save_person(cx, &person).unwrap();
        });
    }

    pub(super) fn connect(&mut self, who: u8) {
        let effects =
            self.bench.input(Input::PeerConnected { node: node(who), address: String::new() }).effects;
        self.note(effects);
    }

    pub(super) fn disconnect(&mut self, who: u8) {
        self.bench.input(Input::PeerDisconnected { node: node(who) });
    }

    /// Ships a payload that is no message.
    pub(super) fn ship(&mut self, payload: &'static [u8], to: To<'_>) {
        let conversation: &[u8] = match &to {
            To::Members { recipients, .. } => &[recipients[0][0]; 16],
            To::Person(_) | To::Introduction(_) => &[],
        };
        let payload = Bytes::from_static(payload);
        let shipment = Shipment {
            payload,
            message: &[],
            conversation,
            content: &[],
            request: &[],
            expires_node_ms: None,
        };
        self.bench.with(|engine, cx| engine.ship(cx, shipment, to)).unwrap();
        self.note_asked();
    }

    /// Stores an own text, and ships it in the conversation with somebody.
    pub(super) fn send(&mut self, who: u8, id: u8) {
        let message = MessageRecord {
            id: vec![id; 16],
            from: self.bench.engine.me().unwrap().id(),
            text: "text".into(),
            own: true,
            recipients: 1,
            sequence: id.into(),
            ..Default::default()
        };
        let payload = Bytes::from(vec![id; 3]);
        self.bench.with(|engine, cx| {
            engine.store_message(cx, &[who; 16], &message).unwrap();
            let shipment = Shipment {
                payload,
                message: &message.id,
                conversation: &[who; 16],
                content: &[],
                request: &[],
                expires_node_ms: None,
            };
            engine.ship(cx, shipment, To::members(&[person(who)])).unwrap();
        });
        self.note_asked();
    }

    pub(super) fn answer(&mut self, call: CallId, result: Result<Bytes, CallFailure>) {
        self.under_way.retain(|offer| offer.call != call);
        let effects = self.bench.answer(call, result);
        self.note(effects);
    }

    /// Answers the delivery that has been under way longest; returns what it was.
    pub(super) fn answer_next(&mut self, result: Result<Bytes, CallFailure>) -> Offer {
        let offer = self.under_way.remove(0);
        self.answer(offer.call, result);
        offer
    }

    /// Lets time pass until the next thing that is planned.
    pub(super) fn tick(&mut self) {
        self.bench.now_ms = self.bench.engine.wake_at().unwrap().max(self.bench.now_ms);
        let effects = self.bench.input(Input::Tick).effects;
        self.note(effects);
    }

    /// Lets so much time pass, tick by tick.
    pub(super) fn pass(&mut self, ms: u64) {
        let end = self.bench.now_ms + ms;
        while self.bench.engine.wake_at().is_some_and(|at| at <= end) {
            self.tick();
        }
        self.bench.now_ms = end;
    }

    /// To whom what is under way, in order.
    pub(super) fn offers(&self) -> Vec<(u8, &[u8])> {
        self.under_way.iter().map(|offer| (offer.to, &offer.payload[..])).collect()
    }

    pub(super) fn lying(&self) -> usize {
        assert_eq!(self.bench.memory.count(OUTGOING), self.bench.memory.count(PAYLOADS));
        self.bench.memory.count(OUTGOING)
    }

    fn note_asked(&mut self) {
        let effects = std::mem::take(&mut self.bench.effects);
        self.note(effects);
    }

    pub(super) fn note(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            if let Effect::Call { call, method: Method::Enqueue, payload, .. } = effect {
                let EnqueueRequest { mailbox, payload, .. } = EnqueueRequest::decode(payload).unwrap();
                self.under_way.push(Offer { call, to: mailbox[0], payload });
            }
        }
    }
}

pub(super) fn person(who: u8) -> Vec<u8> {
    vec![who; 32]
}

fn node(who: u8) -> NodeKey {
    NodeKey::from_bytes([who; 32])
}

pub(super) fn says(disposition: Disposition) -> Result<Bytes, CallFailure> {
    let disposition = disposition.into();
    Ok(EnqueueResponse { disposition, ..Default::default() }.encode_to_vec().into())
}

const DELIVERED: Disposition = Disposition::Delivered;

#[test]
fn what_is_due_is_taken_in_order_and_once() {
    let mut outbox = Outbox::default();
    outbox.plan(30, Task::Sweep);
    outbox.plan(10, Task::Retry(vec![1]));
    outbox.plan(20, Task::Retry(vec![2]));
    assert_eq!(outbox.wake_at(), Some(10));
    assert_eq!(outbox.take_due(20), [Task::Retry(vec![1]), Task::Retry(vec![2])]);
    assert_eq!(outbox.take_due(20), []);
    assert_eq!(outbox.wake_at(), Some(30));
}

#[test]
fn everything_of_one_moment_is_due_at_it_and_nothing_of_the_next() {
    let stream = Stream::Person(person(1));
    let gap = Task::Gap { conversation: [1; 16], sender: person(1) };
    let mut outbox = Outbox::default();
    let tasks = [Task::Retry(Vec::new()), Task::Offer(stream, person(1)), gap, Task::Sweep];
    for at in [5, 6] {
        tasks.iter().for_each(|task| outbox.plan(at, task.clone()));
    }
    assert_eq!(outbox.take_due(4), []);
    assert_eq!(outbox.take_due(5), tasks);
    assert_eq!(outbox.take_due(6), tasks);
    assert_eq!(outbox.wake_at(), None);
}

#[test]
fn a_pause_plans_the_next_try() {
    let mut outbox = Outbox::default();
    outbox.pause(&[7], None, 100, 0);
    let at = outbox.wake_at().unwrap();
    assert!(outbox.is_paused(&[7], None, at - 1));
    assert!(!outbox.is_paused(&[7], None, at));
    assert!(!outbox.is_paused(&[8], None, 100));
}

#[test]
fn introductions_go_first_then_what_is_for_one_person_then_conversations() {
    let mut post = Post::to(&[1]);
    post.disconnect(1);
    post.ship(b"said", To::members(&[person(1)]));
    post.ship(b"to one", To::Person(&person(1)));
    post.ship(b"welcome", To::Introduction(&person(1)));
    assert_eq!(post.offers(), []);
    post.connect(1);
    for expected in [&b"welcome"[..], b"to one", b"said"] {
        assert_eq!(post.offers(), [(1, expected)], "one at a time");
        post.answer_next(says(DELIVERED));
    }
    assert_eq!((post.offers().len(), post.lying()), (0, 0));
}

#[test]
fn one_delivery_of_a_stream_is_under_way_at_a_time() {
    let mut post = Post::to(&[1, 2]);
    for payload in [b"a", b"b", b"c"] {
        post.ship(payload, To::members(&[person(1)]));
        post.ship(payload, To::members(&[person(2)]));
    }
    assert_eq!(post.offers(), [(1, &b"a"[..]), (2, b"a")]);
    post.answer_next(says(DELIVERED));
    assert_eq!(post.offers(), [(2, &b"a"[..]), (1, b"b")], "people do not wait for each other");
}

#[test]
fn what_waits_for_somebody_away_goes_when_it_comes_back() {
    let mut post = Post::to(&[1]);
    post.disconnect(1);
    post.ship(b"a", To::Person(&person(1)));
    post.pass(600_000);
    assert_eq!(post.offers(), []);
    post.connect(1);
    assert_eq!(post.offers(), [(1, &b"a"[..])]);
}

#[test]
fn whoever_is_unknown_is_not_called() {
    let mut post = Post::to(&[1]);
    post.ship(b"a", To::Person(&person(5)));
    assert_eq!((post.offers().len(), post.lying()), (0, 1));
}

#[test]
fn conversations_with_one_person_do_not_wait_for_each_other() {
    let mut bench = Bench::of_village();
    bench.input(Input::PeerConnected { node: node(2), address: String::new() });
    for (to, calls) in [("@bob", 1), ("#village", 1), ("@bob", 0), ("#village", 0)] {
        let request =
            SendMessageRequest { to: to.into(), text: "hello".into(), id: Vec::new(), carried: false };
        let (method, payload) = (Method::SendMessage, request.encode_to_vec().into());
        let effects = bench.input(Input::Call { caller: Caller::Owner, method, payload }).effects;
        let made =
            effects.iter().filter(|effect| matches!(effect, Effect::Call { method: Method::Enqueue, .. }));
        assert_eq!(made.count(), calls, "{to}");
    }
}
