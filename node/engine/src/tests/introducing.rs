//! Introductions by whoever likes: what is taken from strangers, and what becomes of a request.

use bytes::Bytes;
use prost::Message as _;
use qpq_crypto::{
    certificate::DeviceCertificate,
    device_list::DeviceList,
    hybrid::{HybridPublic, HybridSecret},
    identity::{DeviceSecret, IdentityKey},
    link::{Invitation, Link},
    padding,
    route::{BODY_OVERHEAD_BYTES, RoutingSecret},
    sealed,
    signature::Domain,
};
use qpq_proto::{
    Failure, Method, Status,
    ids::NodeKey,
    v1::{self, introduction::Kind},
};

use super::bench::Bench;
use crate::{CallFailure, CallId, Caller, Effect, Input, tables};

mod asking;
mod forged;

/// Somebody with keys of their own making; the number names all of them.
struct Stranger(u8);

impl Stranger {
    fn identity(&self) -> IdentityKey {
        IdentityKey::from_seed(&[self.0; 32])
    }

    fn device(&self) -> DeviceSecret {
        DeviceSecret::from_seed(&[self.0 | 0x80; 32])
    }

    fn hybrid(&self) -> HybridPublic {
        HybridSecret::from_seed(&[self.0 | 0x40; 32]).public()
    }

    fn node(&self) -> NodeKey {
        NodeKey::from_bytes([self.0; 32])
    }

    fn certificate(&self, issued_at_ms: u64) -> DeviceCertificate {
        let device = self.device().public();
        DeviceCertificate::issue(&self.identity(), device, self.node(), &[0x004F], issued_at_ms).unwrap()
    }

    fn list(&self) -> DeviceList {
        let certificates = vec![self.certificate(1)];
        DeviceList::sign(&self.identity(), 1, [0; 32], certificates, Vec::new()).unwrap()
    }

    /// The list after another one.
    fn next_list(&self, list: &DeviceList, issued_at_ms: u64) -> DeviceList {
        list.next(&self.identity(), vec![self.certificate(issued_at_ms)], Vec::new()).unwrap()
    }

    /// The hybrid key with the identity's signature.
    fn signed_hybrid_key(&self, sequence: u64) -> (Vec<u8>, Vec<u8>) {
        let key = self.hybrid().to_bytes().to_vec();
        let signature = self.identity().sign(Domain::HybridKey, &[&key, &sequence.to_be_bytes()]);
        (key, signature.to_vec())
    }

    fn profile(&self, name: &str) -> v1::Profile {
        let (hybrid_key, hybrid_signature) = self.signed_hybrid_key(1);
        v1::Profile {
            name: name.into(),
            hybrid_key,
            hybrid_signature,
            hybrid_sequence: 1,
            ..Default::default()
        }
    }

    fn request(&self, name: &str, token: &[u8]) -> v1::Introduction {
        let request = v1::ContactRequest {
            token: token.to_vec(),
            profile: Some(self.profile(name)),
            ..v1::ContactRequest::default()
        };
        v1::Introduction { sent_at_ms: 1, kind: Some(Kind::Request(request)) }
    }

    fn acceptance(&self, token: &[u8]) -> v1::Introduction {
        let (token, profile) = (token.to_vec(), Some(self.profile("bob")));
        let acceptance = v1::ContactAcceptance { token, profile, ..Default::default() };
        v1::Introduction { sent_at_ms: 1, kind: Some(Kind::Acceptance(acceptance)) }
    }

    /// An introduction to the person of a node, signed as it should be.
    fn signs(&self, to: &Bench, introduction: &v1::Introduction) -> v1::SignedIntroduction {
        let introduction = introduction.encode_to_vec();
        let receiver = to.engine.me().unwrap().id();
        let signature = self.device().sign(Domain::Introduction, &[&receiver, &introduction]).to_vec();
        let device = self.device().public().as_bytes().to_vec();
        v1::SignedIntroduction { introduction, device_list: self.list().encode(), device, signature }
    }

    /// A contact link of this person.
    fn link(&self) -> String {
        let (identity, node, token) = (self.identity().public(), self.node(), [self.0; 16]);
        let (name, addresses) = ("bob".into(), Vec::new());
        Link::Contact(Invitation { identity, node, token, reusable: false, name, addresses, mailbox: None })
            .to_string()
    }
}

const BOB: Stranger = Stranger(2);
const CAROL: Stranger = Stranger(3);

/// Seals bytes to a person's hybrid key, as a parcel to a stranger.
fn parcel(bench: &mut Bench, key: &HybridPublic, inner: &[u8]) -> Bytes {
    let receiver = bench.engine.me().unwrap().identity.public();
    let sealed =
        bench.with(|_, cx| sealed::seal_to(cx.rng, key, b"qpq/v1/introduction", receiver.as_bytes(), inner));
    let secret = RoutingSecret::derive_stranger(&receiver);
    let content = v1::ParcelContent { message: sealed, ..Default::default() }.encode_to_vec();
    let (salt, padded) = ([7; 8], padding::pad(&content, BODY_OVERHEAD_BYTES));
    let body = secret.seal_body(&salt, &padded).into();
    v1::Parcel { salt: salt.to_vec(), tag: secret.tag(&salt).to_vec(), body }.encode_to_vec().into()
}

/// Brings a signed introduction to alice's node.
fn bring(bench: &mut Bench, signed: &v1::SignedIntroduction) -> Result<v1::Disposition, Failure> {
    let key = bench.engine.me().unwrap().hybrid.public();
    let payload = parcel(bench, &key, &signed.encode_to_vec());
    deliver(bench, payload)
}

fn deliver(bench: &mut Bench, payload: Bytes) -> Result<v1::Disposition, Failure> {
    let mailbox = bench.engine.me().unwrap().id();
    let request = v1::EnqueueRequest { mailbox, payload, ..Default::default() };
    let (caller, method) = (Caller::Node(NodeKey::from_bytes([77; 32])), Method::Enqueue);
    let answer = bench.input(Input::Call { caller, method, payload: request.encode_to_vec().into() }).answer;
    answer.unwrap().map(|answer| v1::EnqueueResponse::decode(answer).unwrap().disposition())
}

fn introduce(
    bench: &mut Bench,
    from: &Stranger,
    introduction: &v1::Introduction,
) -> Result<v1::Disposition, Failure> {
    let signed = from.signs(bench, introduction);
    bring(bench, &signed)
}

fn contacts(bench: &mut Bench) -> Vec<(String, String)> {
    let request = v1::ListContactsRequest {};
    let listed: v1::ListContactsResponse = bench.owner(Method::ListContacts, &request).unwrap();
    listed.contacts.into_iter().map(|contact| (contact.name, contact.state)).collect()
}

fn invite(bench: &mut Bench, reusable: bool) -> Vec<u8> {
    let request = v1::CreateInvitationRequest { reusable, lifetime_s: 0 };
    bench.owner::<v1::CreateInvitationResponse>(Method::CreateInvitation, &request).unwrap().invitation
}

fn pending(name: &str) -> (String, String) {
    (name.into(), "pending".into())
}

#[test]
fn device_lists_go_forward_and_never_fork() {
    let mut bench = Bench::of("alice");
    let token = invite(&mut bench, true);
    let with_list = |bench: &Bench, list: Vec<u8>| {
        let signed = BOB.signs(bench, &BOB.request("bob", &token));
        v1::SignedIntroduction { device_list: list, ..signed }
    };
    let first = BOB.list();
    let second = BOB.next_list(&first, 5);
    let fork = BOB.next_list(&first, 6);
    let third = BOB.next_list(&second, 7);
    for (list, expected) in [
        (&second, Ok(v1::Disposition::Delivered)),
        (&second, Ok(v1::Disposition::Delivered)),
        (&fork, Err(Status::Forbidden)),
        (&first, Err(Status::Conflict)),
        (&third, Ok(v1::Disposition::Delivered)),
        (&second, Err(Status::Conflict)),
        (&BOB.next_list(&fork, 8), Err(Status::Forbidden)),
    ] {
        let signed = with_list(&bench, list.encode());
        let answer = bring(&mut bench, &signed).map_err(|refused| refused.status);
        assert_eq!(answer, expected, "{list:?}");
    }
    assert_eq!(contacts(&mut bench), [pending("bob")]);
}

#[test]
fn a_blocked_person_is_answered_but_changes_nothing() {
    let mut bench = Bench::of("alice");
    let token = invite(&mut bench, true);
    introduce(&mut bench, &BOB, &BOB.request("bob", &token)).unwrap();
    let block = v1::BlockContactRequest { name: "bob".into(), unblock: false };
    bench.owner::<v1::BlockContactResponse>(Method::BlockContact, &block).unwrap();
    let before = bench.memory.clone();
    for introduction in [BOB.request("robert", &token), BOB.acceptance(&token), v1::Introduction::default()] {
        assert_eq!(introduce(&mut bench, &BOB, &introduction), Ok(v1::Disposition::Stored));
    }
    assert_eq!(bench.memory.bytes_since(&before), 0);
}

#[test]
fn who_asks_again_is_one_contact_by_the_first_name() {
    let mut bench = Bench::of("alice");
    for name in ["bob", "robert", "bob"] {
        let token = invite(&mut bench, true);
        introduce(&mut bench, &BOB, &BOB.request(name, &token)).unwrap();
    }
    assert_eq!(contacts(&mut bench), [pending("bob")]);
    assert_eq!(bench.memory.count(tables::CONVERSATIONS), 1);
    let token = invite(&mut bench, true);
    introduce(&mut bench, &CAROL, &CAROL.request("b0b", &token)).unwrap();
    assert_eq!(contacts(&mut bench), [pending("b0b-2"), pending("bob")]);
}

#[test]
fn there_is_room_for_so_many_requests_and_their_repetitions() {
    let mut bench = Bench::of("alice");
    bench.engine.limits.pending_requests_max = 1;
    let token = invite(&mut bench, true);
    for _ in 0..2 {
        introduce(&mut bench, &BOB, &BOB.request("bob", &token)).unwrap();
    }
    let refused = introduce(&mut bench, &CAROL, &CAROL.request("carol", &token)).unwrap_err();
    assert_eq!(refused.status, Status::QuotaExceeded);
    assert_eq!(contacts(&mut bench), [pending("bob")]);
    bench.engine.limits.pending_requests_max = 2;
    bench.engine.limits.contacts_max = 1;
    let refused = introduce(&mut bench, &CAROL, &CAROL.request("carol", &token)).unwrap_err();
    assert_eq!((refused.status, contacts(&mut bench).len()), (Status::QuotaExceeded, 1));
}

#[test]
fn a_token_of_nobody_opens_nothing() {
    let mut bench = Bench::of("alice");
    let token = invite(&mut bench, false);
    for wrong in [&[][..], &[0; 16], &token[..15]] {
        let refused = introduce(&mut bench, &BOB, &BOB.request("bob", wrong)).unwrap_err();
        assert_eq!((refused.status, contacts(&mut bench).len()), (Status::NotFound, 0), "{wrong:?}");
    }
}
