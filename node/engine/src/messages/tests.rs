//! What may be said to whom, and what happens when ids are shared.

use qpq_proto::{Method, Status};

use super::*;
use crate::tests::bench::Bench;

fn send(bench: &mut Bench, to: &str, text: &str) -> Result<Message, Failure> {
    let request = SendMessageRequest { to: to.into(), text: text.into(), id: Vec::new(), carried: false };
    let answer: SendMessageResponse = bench.owner(Method::SendMessage, &request)?;
    Ok(answer.message.unwrap())
}

fn change_bob(bench: &mut Bench, change: impl FnOnce(&mut PersonRecord)) {
    bench.with(|engine, cx| {
        let mut bob = engine.find_contact(cx, "bob").unwrap();
        change(&mut bob);
        engine.save_person(cx, &bob).unwrap();
    });
}

#[test]
fn who_may_be_written_to_depends_on_how_one_stands() {
    for (standing, verification, answer) in [
        (Standing::Requested, Verification::Unverified, Ok(())),
        (Standing::Accepted, Verification::Unverified, Ok(())),
        (Standing::Accepted, Verification::Verified, Ok(())),
        (Standing::Accepted, Verification::Mismatched, Err((Status::Conflict, "verification"))),
        (Standing::Requested, Verification::Mismatched, Err((Status::Conflict, "verification"))),
        (Standing::Pending, Verification::Unverified, Err((Status::Conflict, ""))),
        (Standing::Blocked, Verification::Verified, Err((Status::Forbidden, ""))),
        (Standing::Member, Verification::Unverified, Err((Status::NotFound, ""))),
    ] {
        let mut bench = Bench::of_village();
        change_bob(&mut bench, |bob| {
            bob.standing = standing.into();
            bob.verification = verification.into();
        });
        let sent = send(&mut bench, "@bob", "hello").map(drop);
        let sent = sent.map_err(|refusal| (refusal.status, refusal.field));
        assert_eq!(
            sent,
            answer.map_err(|(status, field)| (status, field.to_owned())),
            "{standing:?} {verification:?}"
        );
        send(&mut bench, "#village", "hello, group").unwrap();
    }
}

#[test]
fn texts_have_at_least_one_byte_and_at_most_so_many() {
    let mut bench = Bench::of_village();
    for (text, is_fit) in [
        (String::new(), false),
        ("x".into(), true),
        ("x".repeat(TEXT_BYTES_MAX), true),
        ("x".repeat(TEXT_BYTES_MAX + 1), false),
        ("ä".repeat(TEXT_BYTES_MAX / 2), true),
        ("ä".repeat(TEXT_BYTES_MAX / 2 + 1), false),
        ("\u{0}\n\u{202e}".into(), true),
    ] {
        let sent = send(&mut bench, "@bob", &text);
        assert_eq!(sent.is_ok(), is_fit, "{} bytes", text.len());
        if let Err(refusal) = sent {
            assert_eq!((refusal.status, refusal.field.as_str()), (Status::BadRequest, "text"));
        }
    }
}

#[test]
fn sequences_count_what_was_said_in_each_conversation() {
    let mut bench = Bench::of_village();
    for to in ["@bob", "#village", "@bob", "@carol", "@bob"] {
        send(&mut bench, to, "hello").unwrap();
    }
    assert!(send(&mut bench, "@bob", "").is_err(), "what is refused is not counted");
    send(&mut bench, "@bob", "hello").unwrap();
    let records: Vec<MessageRecord> = tables::all(&bench.memory, MESSAGES).unwrap();
    let mut sequences: Vec<u64> = records.iter().map(|record| record.sequence).collect();
    sequences.sort_unstable();
    assert_eq!(sequences, [1, 1, 1, 2, 3, 4]);
}

/// Stores a message of somebody else, or of alice herself, under an id.
fn store(bench: &mut Bench, id: &[u8], from: &[u8], text: &str) -> u64 {
    let village = bench.village().id;
    let own = bench.engine.me().unwrap().is(from);
    let (id, from, text) = (id.to_vec(), from.to_vec(), text.to_owned());
    let record = MessageRecord { id, from, text, own, ..MessageRecord::default() };
    bench.with(|engine, cx| engine.store_message(cx, &village, &record).unwrap())
}

#[test]
fn each_sender_has_a_place_under_a_shared_id() {
    let mut bench = Bench::of_village();
    let own = bench.engine.me().unwrap().id();
    let cursors: Vec<u64> = (1..6).map(|who| store(&mut bench, &[7; 16], &[who; 32], "x")).collect();
    let of_own = store(&mut bench, &[7; 16], &own, "mine");
    bench.with(|engine, cx| {
        for (who, cursor) in (1..6).zip(cursors) {
            assert_eq!(engine.place_by(cx, &[7; 16], &[who; 32]).unwrap().unwrap().cursor, cursor);
        }
        assert!(engine.place_by(cx, &[7; 16], &[9; 32]).unwrap().is_none());
        assert_eq!(engine.own_message(cx, &[7; 16]).unwrap().unwrap().0.cursor, of_own);
        assert_eq!(engine.any_message(cx, &[7; 16]).unwrap().1.text, "mine", "one's own before others'");
    });
}

#[test]
fn an_id_that_too_many_use_is_nobodys() {
    let mut bench = Bench::of_village();
    let own = bench.engine.me().unwrap().id();
    for who in 1..=u8::try_from(SAME_ID_MAX).unwrap() {
        store(&mut bench, &[7; 16], &[who; 32], "x");
    }
    bench.with(|engine, cx| {
        for sender in [&[1; 32][..], &[16; 32], &[99; 32], &own] {
            assert!(
                engine.place_by(cx, &[7; 16], sender).unwrap().is_some(),
                "whatever comes is known already"
            );
        }
        assert!(
            engine.own_message(cx, &[7; 16]).unwrap().is_none(),
            "but another's message is not one's own"
        );
    });
    let request =
        SendMessageRequest { to: "@bob".into(), text: "hello".into(), id: vec![7; 16], carried: false };
    let refused = bench.owner::<SendMessageResponse>(Method::SendMessage, &request).unwrap_err();
    assert_eq!(refused.status, Status::Conflict);
}

#[test]
fn what_comes_in_is_unread_and_makes_the_conversation_the_latest() {
    let mut bench = Bench::of_village();
    let own = bench.engine.me().unwrap().id();
    bench.now_ms = 7_000;
    for (number, (from, unread)) in [(vec![1; 32], 1), (own, 1), (vec![2; 32], 2)].into_iter().enumerate() {
        store(&mut bench, &[u8::try_from(number).unwrap(); 16], &from, "x");
        let village = bench.village();
        assert_eq!((village.unread, village.last_at_ms), (unread, bench.now().wall_ms));
    }
}
