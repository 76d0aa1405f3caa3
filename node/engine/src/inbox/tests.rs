//! What is answered to whoever brings something, before and after it is opened.

use qpq_proto::Status;

use super::*;
use crate::sealing::Audience;
use crate::{Caller, tables, tables::CONVERSATIONS, tests::bench::Bench};

const NODE: NodeKey = NodeKey::from_bytes([2; 32]);

/// Brings a payload to the person of a node.
fn bring(bench: &mut Bench, caller: Caller, payload: Vec<u8>) -> Result<EnqueueResponse, Failure> {
    let mailbox = bench.engine.me.as_ref().map(|me| me.id()).unwrap_or_default();
    let request = EnqueueRequest { mailbox, payload: payload.into(), ..EnqueueRequest::default() };
    bench.with(|engine, cx| {
        cx.caller = caller;
        engine.enqueue(cx, &request)
    })
}

/// A parcel for the group of alice's node, with anything in it.
fn parcel(bench: &mut Bench, inner: &[u8]) -> Vec<u8> {
    let village = bench.village();
    bench
        .with(|engine, cx| engine.group_parcel(cx, &village, inner.to_vec(), Audience::Everybody).unwrap())
        .to_vec()
}

fn refused(bench: &mut Bench, payload: Vec<u8>) -> (Status, String) {
    let refusal = bring(bench, Caller::Node(NODE), payload).unwrap_err();
    (refusal.status, refusal.field)
}

#[test]
fn only_a_peer_that_is_known_by_its_key_brings_anything() {
    let mut bench = Bench::of_village();
    for caller in [Caller::Owner, Caller::Public] {
        let payload = parcel(&mut bench, b"hello");
        assert_eq!(bring(&mut bench, caller, payload).unwrap_err().status, Status::Forbidden);
    }
}

#[test]
fn a_node_without_a_person_has_no_mailbox() {
    let mut bench = Bench::empty();
    assert_eq!(refused(&mut bench, Vec::new()).0, Status::NotFound);
}

#[test]
fn parcels_of_the_wrong_form_are_refused() {
    let mut bench = Bench::of_village();
    let good = Parcel::decode(parcel(&mut bench, b"hello").as_slice()).unwrap();
    let long = |bytes: &[u8]| [bytes, &[0]].concat();
    let malformed = (Status::BadRequest, "payload".to_owned());
    let unknown = (Status::Unavailable, String::new());
    for (parcel, answer, what) in [
        (Parcel { salt: good.salt[1..].to_vec(), ..good.clone() }, &unknown, "a short salt"),
        (Parcel { salt: long(&good.salt), ..good.clone() }, &unknown, "a long salt"),
        (Parcel { tag: good.tag[1..].to_vec(), ..good.clone() }, &unknown, "a short tag"),
        (Parcel { tag: long(&good.tag), ..good.clone() }, &unknown, "a long tag"),
        (Parcel { tag: vec![0; 16], ..good.clone() }, &unknown, "another tag"),
        (Parcel { body: Bytes::new(), ..good.clone() }, &unknown, "no body"),
        (Parcel { body: good.body.slice(1..), ..good.clone() }, &unknown, "half a body"),
        (Parcel::default(), &unknown, "nothing at all"),
        (good, &malformed, "what is sealed is no message of MLS"),
    ] {
        assert_eq!(refused(&mut bench, parcel.encode_to_vec()), *answer, "{what}");
    }
    for garbage in [vec![0xff], vec![0x0a, 0x7f, 1], vec![0; 100]] {
        assert_eq!(refused(&mut bench, garbage), malformed);
    }
    for inner in [&[][..], &[0], &[1; 1_000], &[0; 70_000]] {
        let payload = parcel(&mut bench, inner);
        assert_eq!(refused(&mut bench, payload), malformed, "{} bytes inside", inner.len());
    }
}

#[test]
fn what_is_refused_is_not_remembered() {
    let mut bench = Bench::of_village();
    let (payload, before) = (parcel(&mut bench, b"hello"), bench.memory.count(tables::SEEN));
    for _ in 0..2 {
        refused(&mut bench, payload.clone());
    }
    assert_eq!(bench.memory.count(tables::SEEN), before);
}

#[test]
fn a_delivery_id_is_the_hash_of_the_payload_or_left_out() {
    let mut bench = Bench::of_village();
    let payload = parcel(&mut bench, b"hello");
    let right = digest::delivery_id(&payload).to_vec();
    for (delivery_id, field) in [
        (Vec::new(), "payload"),
        (right.clone(), "payload"),
        (right[..15].to_vec(), "delivery_id"),
        ([&right[..], &[0]].concat(), "delivery_id"),
        (vec![0; 16], "delivery_id"),
    ] {
        let mailbox = bench.engine.me().unwrap().id();
        let request = EnqueueRequest {
            mailbox,
            payload: payload.clone().into(),
            delivery_id,
            ..EnqueueRequest::default()
        };
        let refusal = bench.with(|engine, cx| {
            cx.caller = Caller::Node(NODE);
            engine.enqueue(cx, &request).unwrap_err()
        });
        assert_eq!((refusal.status, refusal.field.as_str()), (Status::BadRequest, field));
    }
}

#[test]
fn what_is_for_a_conversation_that_is_over_is_not_found() {
    for stage in [Stage::Ended, Stage::Open] {
        let mut bench = Bench::of_village();
        let mut village = bench.village();
        let sealed = bench.with(|engine, cx| {
            engine.with_group(cx, &village.group_id, |group, mls| group.seal(mls, b"hello")).unwrap()
        });
        let payload = parcel(&mut bench, &sealed);
        village.stage = stage.into();
        bench.with(|engine, cx| {
            engine.save_conversation(cx, &village).unwrap();
            if stage == Stage::Open {
                engine.delete_group(cx, &village.group_id).unwrap();
            }
        });
        assert_eq!(refused(&mut bench, payload.clone()).0, Status::NotFound, "{stage:?}");
        bench.with(|_, cx| cx.tx.delete(CONVERSATIONS, tables::key(&village.id)).unwrap());
        assert_eq!(refused(&mut bench, payload).0, Status::NotFound, "removed");
    }
}

#[test]
fn each_way_in_which_a_message_fails_to_open_has_its_answer() {
    use mls::MlsError as E;
    let library = || "openmls".to_owned();
    for (error, status) in [
        (E::PastEpoch { epoch: 1, ours: 2 }, Status::Conflict),
        (E::GenerationTooOld, Status::Conflict),
        (E::GenerationTooFar, Status::Conflict),
        (E::Refused(mls::Refusal("no")), Status::Forbidden),
        (E::ChangeRefused("no"), Status::Forbidden),
        (E::Malformed, Status::BadRequest),
        (E::WrongGroup, Status::BadRequest),
        (E::Undecryptable, Status::BadRequest),
        (E::SenderInvalid, Status::BadRequest),
        (E::CommitInvalid(library()), Status::BadRequest),
        (E::NotAMember, Status::BadRequest),
        (E::State(library()), Status::Internal),
        (E::Library(library()), Status::Internal),
    ] {
        let mut bench = Bench::of("alice");
        let origin =
            Origin { node: Some(NODE), delivery: [1; 16], carried: &[], is_mailed: false, met_at: None };
        let answer = bench.with(|engine, cx| engine.unopened(cx, origin, &[5; 32], b"message", &error));
        let refusal = answer.unwrap_err();
        assert_eq!(refusal.status, status, "{error}");
        assert!(status != Status::Internal || !refusal.message.contains("openmls"), "nothing from inside");
    }
}

#[test]
fn what_comes_too_early_is_stored_and_remembered_as_such() {
    let mut bench = Bench::of("alice");
    let (origin, early) = (
        Origin { node: Some(NODE), delivery: [1; 16], carried: &[], is_mailed: false, met_at: None },
        mls::MlsError::FutureEpoch { epoch: 3, ours: 2 },
    );
    let unopened = |bench: &mut Bench| {
        bench.with(|engine, cx| engine.unopened(cx, origin, &[5; 32], b"message", &early))
    };
    assert_eq!(unopened(&mut bench), Ok(Disposition::Stored));
    let seen = bench.with(|engine, cx| engine.seen(cx, &[1; 16]).unwrap());
    assert_eq!(seen, Some(Ok(Disposition::Stored)));
    bench.engine.limits.future_epoch_messages_max = 1;
    assert_eq!(unopened(&mut bench).unwrap_err().status, Status::Unavailable);
}
