//! Messages in the wrong wrapping, in the wrong order, from the wrong people, and more than once.

use bytes::Bytes;
use prost::Message as _;
use qpq_crypto::mls;
use qpq_proto::{
    Failure, Method, Status,
    v1::{self, Disposition},
};

use super::conversation;
use crate::sealing::Audience;
use crate::tests::{
    groups::{group, remove, rotate},
    world::World,
};

const ALICE: usize = 0;
const BOB: usize = 1;
const CAROL: usize = 2;

/// A text of a node's own, sealed in one conversation.
fn seal(world: &mut World, node: usize, of: &str, sequence: u64) -> Vec<u8> {
    let kind = Some(v1::content::Kind::Text(v1::Text { text: format!("{sequence}") }));
    let id = vec![u8::try_from(sequence).unwrap(); 16];
    let content = v1::Content { id, sequence, sent_at_ms: 1, kind, ..Default::default() }.encode_to_vec();
    let group_id = conversation(world, node, of).group_id;
    world.act(node, |engine, cx| {
        engine.with_group(cx, &group_id, |group, mls| group.seal(mls, &content)).unwrap()
    })
}

/// Wraps anything as a parcel of a conversation.
fn wrap(world: &mut World, node: usize, of: &str, message: &[u8]) -> Bytes {
    let conversation = conversation(world, node, of);
    world.act(node, |engine, cx| {
        engine.group_parcel(cx, &conversation, message.to_vec(), Audience::Everybody).unwrap()
    })
}

/// Brings a parcel to carol.
fn bring(world: &mut World, from: usize, payload: &Bytes) -> Result<(Disposition, bool), Failure> {
    let mailbox = world.act(CAROL, |engine, _| engine.me().unwrap().id());
    let request = v1::EnqueueRequest { mailbox, payload: payload.clone(), ..Default::default() };
    let answer = world.bring(from, CAROL, Method::Enqueue, request.encode_to_vec().into())?;
    let answer = v1::EnqueueResponse::decode(answer).unwrap();
    Ok((answer.disposition(), answer.duplicate))
}

fn status(answer: Result<(Disposition, bool), Failure>) -> Status {
    answer.unwrap_err().status
}

/// A commit that bob makes though it is not his to make.
fn commit(world: &mut World, of: &str) -> Vec<u8> {
    let group_id = conversation(world, BOB, of).group_id;
    world.act(BOB, |engine, cx| {
        let changes = mls::Changes { add: &[], remove: &[], record: None, annotation: &[], force_path: true };
        engine.with_group(cx, &group_id, |group, mls| group.commit(mls, changes)).unwrap().commit
    })
}

#[test]
fn a_message_belongs_to_the_group_whose_parcel_it_is_in() {
    let mut world = group(&["alice", "bob", "carol"]);
    for (number, sealed_in, wrapped_in) in [(1, "@carol", "#village"), (2, "#village", "@carol")] {
        let message = seal(&mut world, BOB, sealed_in, number);
        let wrong = wrap(&mut world, BOB, wrapped_in, &message);
        assert_eq!(status(bring(&mut world, BOB, &wrong)), Status::BadRequest, "{sealed_in} in {wrapped_in}");
        let right = wrap(&mut world, BOB, sealed_in, &message);
        assert_eq!(bring(&mut world, BOB, &right).unwrap().0, Disposition::Delivered);
    }
    assert_eq!(world.received(CAROL), ["bob: 1", "bob: 2"]);
}

#[test]
fn one_message_in_many_parcels_is_shown_once() {
    let mut world = group(&["alice", "bob", "carol"]);
    let message = seal(&mut world, BOB, "#village", 1);
    for from in [BOB, ALICE, BOB] {
        let parcel = wrap(&mut world, from, "#village", &message);
        assert_eq!(bring(&mut world, from, &parcel).unwrap(), (Disposition::Delivered, false));
    }
    assert_eq!(world.received(CAROL), ["bob: 1"]);
}

#[test]
fn messages_may_come_in_any_order() {
    let mut world = group(&["alice", "bob", "carol"]);
    let messages: Vec<Vec<u8>> = (1..6).map(|number| seal(&mut world, BOB, "#village", number)).collect();
    for index in [4, 0, 3, 1, 2] {
        let parcel = wrap(&mut world, BOB, "#village", &messages[index]);
        assert_eq!(bring(&mut world, BOB, &parcel).unwrap().0, Disposition::Delivered, "{index}");
    }
    let mut received = world.received(CAROL);
    received.sort();
    assert_eq!(received, ["bob: 1", "bob: 2", "bob: 3", "bob: 4", "bob: 5"]);
}

#[test]
fn ones_own_words_brought_back_are_no_news() {
    let mut world = group(&["alice", "bob", "carol"]);
    let message = seal(&mut world, CAROL, "#village", 1);
    let parcel = wrap(&mut world, BOB, "#village", &message);
    assert_eq!(bring(&mut world, BOB, &parcel).unwrap().0, Disposition::Delivered);
    assert_eq!((world.received(CAROL).len(), world.history(CAROL).len()), (0, 0));
}

#[test]
fn a_commit_by_somebody_else_changes_nothing() {
    let mut world = group(&["alice", "bob", "carol"]);
    let before = world.show(CAROL, "#village").unwrap().epoch_id;
    let message = seal(&mut world, BOB, "#village", 1);
    let (early, commit) = (wrap(&mut world, BOB, "#village", &message), commit(&mut world, "#village"));
    let parcel = wrap(&mut world, BOB, "#village", &commit);
    for _ in 0..2 {
        assert_eq!(status(bring(&mut world, BOB, &parcel)), Status::Forbidden);
    }
    assert_eq!(world.show(CAROL, "#village").unwrap().epoch_id, before);
    assert_eq!(bring(&mut world, BOB, &early).unwrap().0, Disposition::Delivered);
    // What bob says in the epoch that he alone is in waits for a commit that never comes.
    let message = seal(&mut world, BOB, "#village", 2);
    let parcel = wrap(&mut world, BOB, "#village", &message);
    assert_eq!(bring(&mut world, BOB, &parcel).unwrap().0, Disposition::Stored);
    // Another commit leads to an epoch of that number; in that one it cannot be opened.
    rotate(&mut world, ALICE, "#village");
    world.settle();
    assert_eq!(status(bring(&mut world, BOB, &parcel)), Status::BadRequest);
    world.send(ALICE, "#village", "we go on").unwrap();
    world.settle();
    assert_eq!(world.received(CAROL), ["bob: 1", "alice: we go on"]);
}

#[test]
fn a_commit_is_taken_once() {
    let mut world = group(&["alice", "bob", "carol"]);
    world.cut(ALICE, CAROL);
    rotate(&mut world, ALICE, "#village");
    let stream = conversation(&mut world, ALICE, "#village").id;
    let payload = world.act(ALICE, |_, cx| {
        let all =
            cx.tx.scan(crate::tables::PAYLOADS, &stream, 0..u64::MAX, crate::storage::Direction::Forward, 9);
        all.unwrap().pop().unwrap().1
    });
    let before = world.show(CAROL, "#village").unwrap().epoch;
    assert_eq!(bring(&mut world, BOB, &payload).unwrap(), (Disposition::Delivered, false));
    assert_eq!(bring(&mut world, ALICE, &payload).unwrap(), (Disposition::Delivered, true));
    assert_eq!(world.show(CAROL, "#village").unwrap().epoch, before + 1);
    world.join(ALICE, CAROL);
    world.settle();
    assert_eq!(world.show(CAROL, "#village").unwrap().epoch, before + 1, "alice's own delivery comes after");
}

#[test]
fn whoever_was_removed_is_not_heard_any_more() {
    let mut world = group(&["alice", "bob", "carol"]);
    let said_before = seal(&mut world, BOB, "#village", 1);
    let parcel = wrap(&mut world, BOB, "#village", &said_before);
    world.cut(ALICE, BOB);
    world.cut(BOB, CAROL);
    remove(&mut world, ALICE, "bob").unwrap();
    world.settle();
    assert_eq!(
        status(bring(&mut world, BOB, &parcel)),
        Status::Forbidden,
        "said before, but it comes too late"
    );
    let said_after = seal(&mut world, BOB, "#village", 2);
    let parcel = wrap(&mut world, BOB, "#village", &said_after);
    assert_eq!(status(bring(&mut world, BOB, &parcel)), Status::Forbidden);
    assert_eq!(world.received(CAROL), Vec::<String>::new());
}

#[test]
fn parcels_of_a_removed_contact_are_not_recognised() {
    let mut world = World::of(&["alice", "bob", "carol"]);
    world.befriend(BOB, CAROL);
    let message = seal(&mut world, BOB, "@carol", 1);
    let parcel = wrap(&mut world, BOB, "@carol", &message);
    let request = v1::RemoveContactRequest { name: "bob".into() };
    world.owner::<v1::RemoveContactResponse>(CAROL, Method::RemoveContact, &request).unwrap();
    assert_eq!(status(bring(&mut world, BOB, &parcel)), Status::Unavailable);
}
