//! Messages of a device that was revoked, and of others, which had to wait for their epoch and are not taken then.

use bytes::Bytes;
use prost::Message as _;
use qpq_proto::{
    Failure, Method, Status,
    v1::{self, Disposition, content::Kind},
};

use crate::{
    sealing::Audience,
    sealing::text_content,
    tests::{
        groups::{group, rotate},
        memory::Memory,
        world::World,
    },
};

const ALICE: usize = 0;
const BOB: usize = 1;
const CAROL: usize = 2;

/// Alice has renewed her keys, and carol does not know it yet.
fn carol_is_behind() -> World {
    let mut world = group(&["alice", "bob", "carol"]);
    world.cut(ALICE, CAROL);
    rotate(&mut world, ALICE, "#village");
    world.settle();
    world
}

/// What alice or bob would send to everybody, as a parcel that goes nowhere.
fn parcel(world: &mut World, node: usize, content: &v1::Content) -> Bytes {
    let id = world.conversations(node).into_iter().find(|c| c.name == "#village").unwrap().id;
    world.act(node, |engine, cx| {
        let conversation = engine.conversation_of(cx, &id).unwrap();
        let plaintext = content.encode_to_vec();
        let sealed =
            engine.with_group(cx, &conversation.group_id, |group, mls| group.seal(mls, &plaintext)).unwrap();
        engine.group_parcel(cx, &conversation, sealed, Audience::Everybody).unwrap()
    })
}

fn text(text: &str) -> v1::Content {
    let record = crate::records::MessageRecord {
        id: vec![7; 16],
        sequence: 1,
        text: text.into(),
        ..Default::default()
    };
    text_content(&record)
}

/// Brings a parcel of bob's to carol.
fn bring(world: &mut World, payload: &Bytes) -> Result<(Disposition, bool), Failure> {
    let mailbox = world.act(CAROL, |engine, _| engine.me().unwrap().id());
    let request = v1::EnqueueRequest { mailbox, payload: payload.clone(), ..Default::default() };
    let answer = world.bring(BOB, CAROL, Method::Enqueue, request.encode_to_vec().into())?;
    let answer = v1::EnqueueResponse::decode(answer).unwrap();
    Ok((answer.disposition(), answer.duplicate))
}

/// Bob comes back from a backup on another node, while his old one goes on.
fn restore_bob(world: &mut World) -> usize {
    let backup = world.nodes[BOB].memory.backup();
    let again = world.add(77, Memory::default());
    world.nodes[again].memory = backup;
    let request = v1::RestoreBackupRequest::default();
    world.owner::<v1::RestoreBackupResponse>(again, Method::RestoreBackup, &request).unwrap();
    world.settle();
    again
}

/// How far bob's message got with carol.
fn with_carol(world: &mut World, id: &[u8]) -> String {
    let request = v1::TraceMessageRequest { id: id.to_vec() };
    let traced: v1::TraceMessageResponse = world.owner(BOB, Method::TraceMessage, &request).unwrap();
    traced.recipients.into_iter().find(|recipient| recipient.name == "carol").unwrap().state
}

#[test]
fn what_a_revoked_device_said_too_early_is_stored_and_then_refused() {
    let mut world = carol_is_behind();
    let payload = parcel(&mut world, BOB, &text("from the old device"));
    assert_eq!(bring(&mut world, &payload).unwrap(), (Disposition::Stored, false));
    restore_bob(&mut world);
    assert_eq!(bring(&mut world, &payload).unwrap(), (Disposition::Stored, true), "nothing is decided yet");
    world.join(ALICE, CAROL);
    world.settle();
    for time in ["at once", "again", "after a restart"] {
        let refused = bring(&mut world, &payload).unwrap_err();
        assert_eq!((refused.status, refused.field.as_str()), (Status::Forbidden, "device"), "{time}");
        if time == "again" {
            world.stop(CAROL);
            world.start(CAROL);
        }
    }
    assert_eq!(world.received(CAROL), Vec::<String>::new());
}

#[test]
fn the_revoked_device_is_not_told_that_its_message_was_delivered() {
    let mut world = carol_is_behind();
    let sent = world.send(BOB, "#village", "from the old device").unwrap();
    world.settle();
    assert_eq!(with_carol(&mut world, &sent.id), "sent");
    restore_bob(&mut world);
    world.join(ALICE, CAROL);
    world.pass(2 * 3_600_000);
    assert_eq!(world.received(CAROL), Vec::<String>::new());
    assert_eq!(with_carol(&mut world, &sent.id), "failed");
    assert!(world.events(BOB).iter().any(|event| format!("{event:?}").contains("device-revoked")));
}

#[test]
fn what_the_device_before_a_rollback_said_too_early_is_sealed_again() {
    let mut world = carol_is_behind();
    let sent = world.send(BOB, "#village", "said before the rollback").unwrap();
    world.settle();
    let copy = world.nodes[BOB].memory.clone();
    world.stop(BOB);
    world.start_over(BOB, copy);
    world.settle();
    world.join(ALICE, CAROL);
    world.pass(2 * 3_600_000);
    assert_eq!(world.received(CAROL), ["bob: said before the rollback"]);
    assert_eq!(world.state_of(BOB, &sent.id), "delivered");
}

#[test]
fn what_waited_before_a_rollback_goes_when_the_group_is_back() {
    let mut world = group(&["alice", "bob", "carol"]);
    world.cut(BOB, CAROL);
    let sent = world.send(BOB, "#village", "for carol").unwrap();
    world.settle();
    let copy = world.nodes[BOB].memory.clone();
    world.stop(BOB);
    world.cut(ALICE, BOB);
    world.start_over(BOB, copy);
    world.join(BOB, CAROL);
    world.settle();
    assert_eq!(world.received(CAROL), Vec::<String>::new(), "bob's new device is no member yet");
    world.join(ALICE, BOB);
    world.pass(3_000);
    assert_eq!(world.received(CAROL), ["bob: for carol"]);
    assert_eq!(world.state_of(BOB, &sent.id), "delivered");
}

#[test]
fn what_is_malformed_and_came_too_early_is_refused_when_it_is_opened() {
    let change = v1::SignedChange { change: vec![1, 2, 3], signature: vec![0; 64] };
    let numberless = v1::Content { sequence: 0, ..text("number 0") };
    let changing = v1::Content { kind: Some(Kind::Change(change)), ..text("") };
    for (content, status) in
        [(text(""), Status::BadRequest), (numberless, Status::BadRequest), (changing, Status::Forbidden)]
    {
        let mut world = carol_is_behind();
        let payload = parcel(&mut world, BOB, &content);
        assert_eq!(bring(&mut world, &payload).unwrap().0, Disposition::Stored);
        world.join(ALICE, CAROL);
        world.settle();
        assert_eq!(bring(&mut world, &payload).unwrap_err().status, status, "{content:?}");
        assert_eq!(world.received(CAROL), Vec::<String>::new());
    }
}

#[test]
fn what_is_refused_only_for_now_is_to_be_sealed_again() {
    let mut world = carol_is_behind();
    world.limit(CAROL, |limits| limits.group_changes_max = 0);
    rotate(&mut world, BOB, "#village");
    let payload = last_parcel(&world);
    assert_eq!(bring(&mut world, &payload).unwrap().0, Disposition::Stored);
    world.join(ALICE, CAROL);
    world.settle();
    assert_eq!(bring(&mut world, &payload).unwrap_err().status, Status::Conflict);
}

/// The newest payload that lies in bob's outbox.
fn last_parcel(world: &World) -> Bytes {
    let payloads = crate::storage::Transaction::all(&world.nodes[BOB].memory, crate::tables::PAYLOADS);
    payloads.unwrap().pop().unwrap()
}

#[test]
fn what_can_be_taken_is_delivered_when_its_epoch_comes() {
    let mut world = carol_is_behind();
    let payload = parcel(&mut world, BOB, &text("early"));
    assert_eq!(bring(&mut world, &payload).unwrap(), (Disposition::Stored, false));
    world.join(ALICE, CAROL);
    world.settle();
    assert_eq!(bring(&mut world, &payload).unwrap(), (Disposition::Delivered, true));
    assert_eq!(world.received(CAROL), ["bob: early"]);
}
