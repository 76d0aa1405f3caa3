//! What each answer of a peer does to an entry, to the message in it, and to what waits behind it.

use super::*;
use crate::{
    outbox::{
        To,
        tests::{Post, person, says},
    },
    records::DeliveryRecord,
    tables::{self, DELIVERIES, EVENTS, UNSEALED},
};

/// How far a message got with a person, why it is not further, and how often it was tried.
fn progress(post: &mut Post, who: u8, id: u8) -> (Progress, String, u32) {
    let records: Vec<DeliveryRecord> = post.bench.with(|_, cx| {
        let all: Vec<(u64, DeliveryRecord)> = tables::first(cx.tx, DELIVERIES, &[id; 16], 9).unwrap();
        all.into_iter().map(|(_, record)| record).collect()
    });
    assert!(records.len() <= 1, "one recipient, {who}");
    let record = records.into_iter().next().unwrap_or_default();
    (record.progress(), record.reason, record.attempts)
}

fn refuses(status: Status) -> Result<Bytes, CallFailure> {
    Err(CallFailure::Refused(failure(status)))
}

fn failure(status: Status) -> Failure {
    Failure { status, ..Failure::conflict("because") }
}

/// A text to person 1 is under way, and another waits behind it.
fn two_texts() -> Post {
    let mut post = Post::to(&[1]);
    post.send(1, 10);
    post.send(1, 11);
    assert_eq!(post.offers(), [(1, &[10; 3][..])]);
    post
}

#[test]
fn every_status_ends_a_delivery_or_puts_it_off() {
    for status in Status::ALL.into_iter().filter(|status| *status != Status::Ok) {
        let is_final = matches!(
            status,
            Status::NotFound | Status::Forbidden | Status::BadRequest | Status::UnknownMethod
        );
        let mut post = two_texts();
        post.answer_next(refuses(status));
        let (progress, reason, attempts) = progress(&mut post, 1, 10);
        if status == Status::Conflict {
            assert_eq!((post.lying(), post.bench.memory.count(UNSEALED)), (1, 1), "to be sealed again");
            assert_eq!(progress, Progress::Queued);
        } else if is_final {
            assert_eq!(
                (progress, reason.as_str(), post.lying()),
                (Progress::Failed, "because", 1),
                "{status:?}"
            );
            assert_eq!(post.offers(), [(1, &[11; 3][..])], "{status:?}: the next one goes");
        } else {
            assert_eq!((progress, reason.as_str(), attempts), (Progress::Queued, "because", 1), "{status:?}");
            assert_eq!(post.offers(), [], "{status:?}: the next one waits, so that the order stays");
            post.pass(1_000);
            assert_eq!(post.offers(), [(1, &[10; 3][..])], "{status:?}: the same again");
        }
    }
}

#[test]
fn what_has_no_content_is_not_sealed_again() {
    let mut post = Post::to(&[1]);
    post.ship(b"a commit", To::members(&[person(1)]));
    post.answer_next(refuses(Status::Conflict));
    assert_eq!((post.lying(), post.bench.memory.count(UNSEALED)), (0, 0));
}

#[test]
fn answers_that_say_nothing_understandable_count_as_stored() {
    let unknown = EnqueueResponse { disposition: 99, ..EnqueueResponse::default() }.encode_to_vec();
    for answer in [Bytes::new(), Bytes::from_static(b"\xff\xff\xff"), unknown.into()] {
        let mut post = two_texts();
        post.answer_next(Ok(answer.clone()));
        assert_eq!(progress(&mut post, 1, 10).0, Progress::Sent, "{answer:?}");
        assert_eq!((post.lying(), post.offers()), (2, vec![(1, &[11; 3][..])]), "{answer:?}");
        post.answer_next(says(Disposition::Delivered));
        post.pass(5_000);
        assert_eq!(post.offers(), [(1, &[10; 3][..])], "{answer:?}: offered again");
    }
}

#[test]
fn whoever_is_not_reached_is_left_alone_altogether() {
    let mut post = two_texts();
    post.ship(b"to one", To::Person(&person(1)));
    assert_eq!(post.offers().len(), 2);
    post.answer_next(Err(CallFailure::Unreachable));
    post.answer_next(Err(CallFailure::Unreachable));
    assert_eq!(progress(&mut post, 1, 10), (Progress::Queued, "the node was not reached".into(), 1));
    post.pass(999);
    assert_eq!(post.offers(), []);
    post.pass(2_000);
    assert_eq!(post.offers()[0], (1, &b"to one"[..]));
}

#[test]
fn a_peers_wish_to_be_left_alone_is_obeyed_for_that_stream_only() {
    let mut post = two_texts();
    let later = Failure { retry_after_ms: 60_000, ..failure(Status::Unavailable) };
    post.answer_next(Err(CallFailure::Refused(later)));
    post.ship(b"to one", To::Person(&person(1)));
    assert_eq!(post.offers(), [(1, &b"to one"[..])]);
    // What it takes in one stream says nothing about the other.
    post.answer_next(says(Disposition::Delivered));
    post.pass(59_999);
    assert_eq!(post.offers(), []);
    post.pass(1);
    assert_eq!(post.offers(), [(1, &[10; 3][..])]);
}

#[test]
fn one_answer_is_taken_once() {
    let mut post = two_texts();
    let call = post.under_way[0].call;
    post.answer_next(says(Disposition::Delivered));
    assert_eq!((post.lying(), post.offers().len()), (1, 1));
    for late in [says(Disposition::Stored), says(Disposition::Delivered), refuses(Status::NotFound)] {
        post.bench.answer(call, late);
        assert_eq!(progress(&mut post, 1, 10).0, Progress::Delivered);
        assert_eq!(progress(&mut post, 1, 11).0, Progress::Queued);
        assert_eq!(post.lying(), 1);
    }
}

#[test]
fn a_call_that_was_never_made_has_no_answer() {
    let mut post = two_texts();
    for number in [1_000, u64::MAX] {
        let effects = post.bench.answer(crate::CallId(number), says(Disposition::Delivered));
        assert_eq!((effects.len(), post.lying()), (0, 2));
    }
}

#[test]
fn a_revoked_device_seals_again_or_says_so() {
    let revoked = || Failure { field: REVOKED_FIELD.into(), ..failure(Status::Forbidden) };
    for (sequence, is_sealed_again) in [(1, false), (2, true), (9, true)] {
        let mut post = two_texts();
        let events = post.bench.memory.count(EVENTS);
        // The entries were sealed under the first device list.
        post.bench.engine.me.as_mut().unwrap().device_list_sequence = sequence;
        post.answer_next(Err(CallFailure::Refused(revoked())));
        assert_eq!(post.bench.memory.count(UNSEALED), usize::from(is_sealed_again), "list {sequence}");
        let is_told = post.bench.memory.count(EVENTS) > events;
        assert_eq!(is_told, !is_sealed_again, "list {sequence}");
        let expected = if is_sealed_again { Progress::Queued } else { Progress::Failed };
        assert_eq!(progress(&mut post, 1, 10).0, expected, "list {sequence}");
    }
}

#[test]
fn what_is_dropped_is_dropped_for_one_person_in_one_conversation() {
    let mut post = Post::to(&[1, 2]);
    [1, 2].into_iter().for_each(|who| post.disconnect(who));
    post.send(1, 10);
    post.send(2, 20);
    post.ship(b"a profile, of no conversation", To::Person(&person(1)));
    post.bench.with(|engine, cx| engine.drop_queue(cx, &person(1), &[1; 16], "gone")).unwrap();
    assert_eq!(progress(&mut post, 1, 10), (Progress::Failed, "gone".into(), 0));
    assert_eq!(progress(&mut post, 2, 20).0, Progress::Queued);
    assert_eq!(post.lying(), 2);
}

#[test]
fn what_expires_is_swept_and_the_rest_is_not() {
    let mut post = Post::to(&[1]);
    post.disconnect(1);
    post.send(1, 10);
    post.pass(1_000);
    post.send(1, 11);
    post.bench.now_ms = post.bench.engine.delivery_lifetime_ms();
    post.bench.with(|engine, cx| engine.sweep(cx)).unwrap();
    assert_eq!(progress(&mut post, 1, 10), (Progress::Expired, "it waited too long".into(), 0));
    assert_eq!((progress(&mut post, 1, 11).0, post.lying()), (Progress::Queued, 1));
    assert!(post.bench.engine.wake_at().unwrap() <= post.bench.now_ms + SWEEP_EVERY_MS, "looked at again");
}

#[test]
fn what_was_only_stored_expires_too() {
    let mut post = two_texts();
    post.answer_next(says(Disposition::Stored));
    post.answer_next(says(Disposition::Delivered));
    post.disconnect(1);
    post.bench.now_ms = post.bench.engine.delivery_lifetime_ms();
    post.bench.with(|engine, cx| engine.sweep(cx)).unwrap();
    assert_eq!((progress(&mut post, 1, 10).0, post.lying()), (Progress::Expired, 0));
    assert_eq!(post.bench.with(|engine, cx| engine.waiting_deliveries(cx).unwrap()), BTreeMap::new());
}

#[test]
fn the_oldest_of_all_streams_is_found() {
    let mut post = Post::to(&[1, 2]);
    [1, 2].into_iter().for_each(|who| post.disconnect(who));
    for (who, id) in [(2, 20), (1, 10), (2, 21)] {
        post.send(who, id);
        post.pass(1_000);
    }
    let oldest = |post: &mut Post| post.bench.with(|engine, cx| engine.oldest_delivery_ms(cx).unwrap());
    assert_eq!(oldest(&mut post), 3_000);
    post.bench.with(|engine, cx| engine.drop_queue(cx, &person(2), &[2; 16], "gone")).unwrap();
    assert_eq!(oldest(&mut post), 2_000);
}

#[test]
fn a_receipt_ends_what_it_is_for_and_nothing_else() {
    let mut post = two_texts();
    post.answer_next(says(Disposition::Stored));
    let receive = |post: &mut Post, id: u8| {
        post.bench.with(|engine, cx| engine.opened_elsewhere(cx, &[1; 16], &person(1), &[id; 16])).unwrap();
        post.lying()
    };
    assert_eq!(receive(&mut post, 99), 2, "another message");
    assert_eq!(receive(&mut post, 10), 1, "it was stored");
    assert_eq!(receive(&mut post, 10), 1, "said twice");
    assert_eq!(receive(&mut post, 11), 0, "it came another way, before the answer");
}
