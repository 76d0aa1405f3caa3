//! Peers and members who do not keep to the rules.

use bytes::Bytes;
use prost::Message as _;
use qpq_proto::{
    Failure, Method, Status,
    v1::{self, content::Kind},
};

use super::{groups, world::World};
use crate::{
    records::ConversationRecord,
    sealing::Audience,
    tables::{self, CONVERSATIONS},
};

const ALICE: usize = 0;
const BOB: usize = 1;
const CAROL: usize = 2;

fn conversation(world: &mut World, node: usize, name: &str) -> ConversationRecord {
    let id = world.conversations(node).into_iter().find(|c| c.name == name).unwrap().id;
    world.act(node, |_, cx| tables::load(cx.tx, CONVERSATIONS, tables::key(&id)).unwrap().unwrap())
}

/// Seals any content into a conversation and sends it.
fn say(world: &mut World, node: usize, to: &str, content: &v1::Content) {
    let conversation = conversation(world, node, to);
    let sealed =
        world.act(node, |engine, cx| engine.seal_content(cx, &conversation, content, Audience::Everybody));
    sealed.unwrap();
}

/// A parcel of a conversation, as it would go to its members.
fn parcel(world: &mut World, node: usize, of: &str, text: &str) -> Bytes {
    let conversation = conversation(world, node, of);
    let content = content(1, 1_000, text).encode_to_vec();
    let made = world.act(node, |engine, cx| {
        let message = engine.with_group(cx, &conversation.group_id, |group, mls| group.seal(mls, &content));
        engine.group_parcel(cx, &conversation, message?, Audience::Everybody)
    });
    made.map_err(|error| error.to_string()).unwrap()
}

fn content(id: u8, sequence: u64, text: &str) -> v1::Content {
    let kind = Some(Kind::Text(v1::Text { text: text.into() }));
    v1::Content { id: vec![id; 16], sequence, sent_at_ms: 1, kind, ..Default::default() }
}

fn identity(world: &mut World, node: usize) -> Vec<u8> {
    let request = v1::ShowIdentityRequest {};
    world.owner::<v1::ShowIdentityResponse>(node, Method::ShowIdentity, &request).unwrap().identity
}

/// Brings a payload to alice's node.
fn enqueue(
    world: &mut World,
    from: usize,
    mailbox: &[u8],
    payload: Bytes,
    delivery_id: Vec<u8>,
) -> Result<v1::EnqueueResponse, Failure> {
    let mailbox = mailbox.to_vec();
    let request = v1::EnqueueRequest { mailbox, payload, delivery_id, ..Default::default() };
    let answer = world.bring(from, ALICE, Method::Enqueue, request.encode_to_vec().into())?;
    Ok(v1::EnqueueResponse::decode(answer).unwrap())
}

#[test]
fn malformed_contents_inside_the_seal_are_not_shown() {
    let unnamed = v1::Content { id: vec![1; 15], ..content(1, 1, "a short id") };
    let kindless = v1::Content { kind: None, ..content(1, 1, "") };
    for bad in
        [content(2, 1, ""), content(3, 1, &"x".repeat(16_385)), content(4, 0, "number 0"), unnamed, kindless]
    {
        let mut world = World::friends(&["alice", "bob", "carol"]);
        say(&mut world, BOB, "@alice", &bad);
        world.pass(60_000);
        assert_eq!(world.received(ALICE), Vec::<String>::new(), "{:?}", bad.id);
        world.send(BOB, "@alice", "well formed").unwrap();
        world.pass(60_000);
        assert_eq!(world.received(ALICE), ["bob: well formed"], "one bad content does not stop the rest");
    }
}

#[test]
fn one_id_is_shown_once_whatever_it_carries() {
    let mut world = World::friends(&["alice", "bob", "carol"]);
    for (sequence, text) in [(1, "first"), (1, "first"), (2, "second"), (9, "third")] {
        say(&mut world, BOB, "@alice", &content(5, sequence, text));
        world.settle();
    }
    assert_eq!(world.received(ALICE), ["bob: first"]);
}

#[test]
fn a_parcel_that_is_brought_again_changes_nothing() {
    let mut world = World::friends(&["alice", "bob", "carol"]);
    let alice = identity(&mut world, ALICE);
    let payload = parcel(&mut world, BOB, "@alice", "once");
    let first = enqueue(&mut world, BOB, &alice, payload.clone(), Vec::new()).unwrap();
    assert_eq!((first.disposition(), first.duplicate), (v1::Disposition::Delivered, false));
    for from in [BOB, CAROL] {
        let again = enqueue(&mut world, from, &alice, payload.clone(), Vec::new()).unwrap();
        assert_eq!((again.disposition(), again.duplicate), (v1::Disposition::Delivered, true));
    }
    world.stop(ALICE);
    world.start(ALICE);
    assert!(enqueue(&mut world, BOB, &alice, payload, Vec::new()).unwrap().duplicate, "not even a restart");
    assert_eq!(world.received(ALICE), ["bob: once"]);
}

#[test]
fn parcels_for_others_and_broken_ones_are_refused() {
    let mut world = World::friends(&["alice", "bob", "carol"]);
    let (alice, bob) = (identity(&mut world, ALICE), identity(&mut world, BOB));
    let good = parcel(&mut world, BOB, "@alice", "hello");
    let flip = |at: usize| {
        let mut broken = good.to_vec();
        let at = if at == usize::MAX { broken.len() - 1 } else { at };
        broken[at] ^= 1;
        Bytes::from(broken)
    };
    let cut_short = good.slice(..good.len() - 1);
    for (mailbox, payload, delivery, status, what) in [
        (&bob[..], good.clone(), vec![], Status::NotFound, "another's mailbox"),
        (&[], good.clone(), vec![], Status::NotFound, "no mailbox"),
        (&alice, good.clone(), vec![1; 16], Status::BadRequest, "a wrong delivery id"),
        (&alice, flip(3), vec![], Status::Unavailable, "another salt"),
        (&alice, flip(usize::MAX), vec![], Status::Unavailable, "a changed body"),
        (&alice, cut_short, vec![], Status::BadRequest, "a parcel that was cut short"),
    ] {
        let refused = enqueue(&mut world, BOB, mailbox, payload, delivery);
        assert_eq!(refused.unwrap_err().status, status, "{what}");
    }
    assert_eq!(world.received(ALICE), Vec::<String>::new());
    enqueue(&mut world, BOB, &alice, good, Vec::new()).unwrap();
    assert_eq!(world.received(ALICE), ["bob: hello"], "what was refused before is taken when it is whole");
}

#[test]
fn changes_are_taken_only_from_their_author_and_only_if_allowed() {
    let mut world = groups::group(&["alice", "bob", "carol"]);
    let carol = identity(&mut world, CAROL);
    let group_id = conversation(&mut world, BOB, "#village").group_id;
    let change = |author: &[u8]| v1::Change {
        id: vec![4; 16],
        group_id: group_id.clone(),
        author: author.to_vec(),
        era: Vec::new(),
        kind: Some(v1::change::Kind::Remove(v1::RemoveMember { identity: carol.clone() })),
    };
    for author in [identity(&mut world, BOB), identity(&mut world, ALICE), vec![1; 32]] {
        let change = change(&author).encode_to_vec();
        let domain = qpq_crypto::signature::Domain::GroupChange;
        let signature = world.act(BOB, |engine, _| engine.me().unwrap().device.sign(domain, &[&change]));
        let signed = v1::SignedChange { change, signature: signature.to_vec() };
        say(
            &mut world,
            BOB,
            "#village",
            &v1::Content { kind: Some(Kind::Change(signed)), ..content(6, 0, "") },
        );
        world.pass(60_000);
    }
    for node in [ALICE, BOB, CAROL] {
        let shown = world.show(node, "#village").unwrap();
        assert_eq!((shown.members.len(), shown.changes.len()), (3, 0), "node {node}");
    }
}

#[test]
fn a_node_serves_only_its_own_person() {
    let mut world = World::friends(&["alice", "bob", "carol"]);
    for identity_key in [identity(&mut world, BOB), Vec::new(), vec![0; 31], vec![0; 32]] {
        let request = v1::FetchHybridKeyRequest { identity_key, ..Default::default() };
        let answer = world.bring(BOB, ALICE, Method::FetchHybridKey, request.encode_to_vec().into());
        assert_eq!(answer.unwrap_err().status, Status::NotFound);
    }
    let nobody = world.add(5, super::memory::Memory::default());
    let request = v1::EnqueueRequest { mailbox: vec![1; 32], ..Default::default() };
    let answer = world.bring(BOB, nobody, Method::Enqueue, request.encode_to_vec().into());
    assert_eq!(answer.unwrap_err().status, Status::NotFound, "a node without a person has no mailbox");
}
