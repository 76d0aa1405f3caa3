//! Alice's engine alone, and what it has under way to people whose answers the test makes up.

use bytes::Bytes;
use prost::Message as _;
use qpq_proto::{Method, ids::NodeKey, v1};

use super::{BEGINNING, NAMES, node};
use crate::{
    CallFailure, CallId, Effect, Input,
    outbox::Stream,
    records::{MessageRecord, ParcelRecord, PersonRecord},
    tables::{self, MESSAGES, OUTGOING, PEOPLE},
    tests::bench::Bench,
};

/// A delivery that is under way.
#[derive(Debug, Clone)]
pub(super) struct Offer {
    pub(super) call: CallId,
    pub(super) who: usize,
    pub(super) stream: Stream,
    /// Id of the text in it; empty for what is no text.
    pub(super) text: Vec<u8>,
    /// Those who were removed since are done with it, whatever they answer.
    pub(super) is_void: bool,
}

pub(super) struct Office {
    pub(super) bench: Bench,
    pub(super) under_way: Vec<Offer>,
    /// Offers that were made since the model looked last.
    pub(super) fresh: Vec<Offer>,
    identities: Vec<Vec<u8>>,
}

impl Office {
    pub(super) fn new() -> Self {
        let bench = Bench::over(NodeKey::from_bytes([1; 32]), BEGINNING.clone());
        let people: Vec<PersonRecord> = tables::all(&bench.memory, PEOPLE).unwrap();
        let identity = |name: &&str| people.iter().find(|p| p.name == **name).unwrap().identity.clone();
        let identities = NAMES.iter().map(identity).collect();
        let mut office = Self { bench, under_way: Vec::new(), fresh: Vec::new(), identities };
        (0..NAMES.len()).for_each(|who| office.connect(who));
        office
    }

    pub(super) fn send(&mut self) -> Vec<u8> {
        let request = v1::SendMessageRequest {
            to: "#village".into(),
            text: "text".into(),
            id: Vec::new(),
            carried: false,
        };
        self.owner::<v1::SendMessageResponse>(Method::SendMessage, &request).message.unwrap().id
    }

    pub(super) fn remove(&mut self, who: usize) {
        for offer in self.under_way.iter_mut().filter(|offer| offer.who == who) {
            // What is not a text, such as the commit that removes, is for the person.
            offer.is_void |= !offer.text.is_empty() || matches!(offer.stream, Stream::Conversation(_));
        }
        let request = v1::RemoveGroupMemberRequest { group: "village".into(), member: NAMES[who].into() };
        self.owner::<v1::RemoveGroupMemberResponse>(Method::RemoveGroupMember, &request);
    }

    pub(super) fn add(&mut self, who: usize) {
        let members = vec![NAMES[who].into()];
        let request = v1::AddGroupMembersRequest { group: "village".into(), members };
        self.owner::<v1::AddGroupMembersResponse>(Method::AddGroupMembers, &request);
    }

    pub(super) fn connect(&mut self, who: usize) {
        self.input(Input::PeerConnected { node: node(who), address: String::new() });
    }

    pub(super) fn restart(&mut self) {
        self.under_way.clear();
        let effects = self.bench.restart();
        self.note(effects);
    }

    pub(super) fn answer(&mut self, offer: Offer, result: Result<Bytes, CallFailure>) {
        self.input(Input::Answered { call: offer.call, result });
    }

    /// Lets time pass, with every tick that is asked for.
    pub(super) fn pass(&mut self, ms: u64) {
        let end = self.bench.now_ms + ms;
        while let Some(at) = self.bench.engine.wake_at().filter(|at| *at <= end) {
            self.bench.now_ms = at.max(self.bench.now_ms);
            self.input(Input::Tick);
        }
        self.bench.now_ms = end;
    }

    pub(super) fn input(&mut self, input: Input) {
        let effects = self.bench.input(input).effects;
        self.note(effects);
    }

    /// The record of an own text.
    pub(super) fn message(&self, id: &[u8]) -> MessageRecord {
        let all: Vec<MessageRecord> = tables::all(&self.bench.memory, MESSAGES).unwrap();
        all.into_iter().find(|record| record.id == id).unwrap()
    }

    fn owner<R: prost::Message + Default>(&mut self, method: Method, request: &impl prost::Message) -> R {
        let payload = request.encode_to_vec().into();
        let outcome = self.bench.input(Input::Call { caller: crate::Caller::Owner, method, payload });
        self.note(outcome.effects);
        R::decode(outcome.answer.unwrap().unwrap()).unwrap()
    }

    fn note(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            let Effect::Call { call, node: to, method: Method::Enqueue, payload } = effect else { continue };
            let request = v1::EnqueueRequest::decode(payload).unwrap();
            let who = self.identities.iter().position(|identity| *identity == request.mailbox).unwrap();
            assert_eq!(to, node(who));
            // The commit that removes somebody lies in two streams: the person's own, and that of those who stay.
            let mut parcels: Vec<ParcelRecord> = tables::all(&self.bench.memory, OUTGOING).unwrap();
            parcels.retain(|parcel| parcel.delivery == request.delivery_id);
            let parcel =
                parcels.into_iter().max_by_key(|parcel| parcel.recipient == request.mailbox).unwrap();
            let (stream, text) = (Stream::of(&parcel), parcel.message);
            let offer = Offer { call, who, stream, text, is_void: false };
            self.fresh.push(offer.clone());
            self.under_way.push(offer);
        }
    }
}
