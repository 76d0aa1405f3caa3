//! What is put into the outbox: stored once, for those who are to get it, with what is needed to seal it again.

use qpq_crypto::digest;

use super::*;
use crate::{
    Effect, Input,
    outbox::tests::{Post, person},
    records::{PersonRecord, Standing, UnsealedRecord},
    tests::bench::Bench,
};

const CONVERSATION: [u8; 16] = [1; 16];

fn shipment(payload: &'static [u8]) -> Shipment<'static> {
    let payload = bytes::Bytes::from_static(payload);
    Shipment {
        payload,
        message: &[2; 16],
        conversation: &CONVERSATION,
        content: b"content",
        request: &[3; 16],
        expires_node_ms: None,
    }
}

fn parcel(bench: &Bench) -> ParcelRecord {
    tables::all(&bench.memory, OUTGOING).unwrap().pop().unwrap()
}

#[test]
fn an_entry_says_what_it_is() {
    for (to, recipient, is_introduction, remaining) in [
        (To::Introduction(&[7; 32]), vec![7; 32], true, 1),
        (To::Person(&[7; 32]), vec![7; 32], false, 1),
        (To::members(&[person(1), person(2), person(3)]), Vec::new(), false, 3),
    ] {
        let mut bench = Bench::of("alice");
        bench.now_ms = 5_000;
        bench.with(|engine, cx| engine.ship(cx, shipment(b"payload"), to)).unwrap();
        let expected = ParcelRecord {
            remaining,
            message: vec![2; 16],
            conversation: CONVERSATION.to_vec(),
            expires_node_ms: 5_000 + bench.engine.delivery_lifetime_ms(),
            recipient,
            delivery: digest::delivery_id(b"payload").to_vec(),
            content: b"content".to_vec(),
            is_introduction,
            request: vec![3; 16],
            device_list_sequence: 1,
            except: Vec::new(),
            bundles: Vec::new(),
            is_refused: false,
            payload_bytes: 7,
        };
        assert_eq!(parcel(&bench), expected);
        assert_eq!(bench.memory.count(PAYLOADS), 1);
    }
}

#[test]
fn what_is_for_nobody_is_not_stored() {
    let mut bench = Bench::of("alice");
    let to = To::Members { recipients: &[], except: vec![person(1)] };
    bench.with(|engine, cx| engine.ship(cx, shipment(b"payload"), to)).unwrap();
    assert_eq!((bench.memory.count(OUTGOING), bench.memory.count(PAYLOADS)), (0, 0));
}

#[test]
fn those_who_are_passed_over_are_named() {
    let mut bench = Bench::of("alice");
    let to = To::Members { recipients: &[person(1)], except: vec![person(2)] };
    bench.with(|engine, cx| engine.ship(cx, shipment(b"payload"), to)).unwrap();
    let parcel = parcel(&bench);
    assert!(parcel.is_for(&person(1)) && !parcel.is_for(&person(2)));
}

#[test]
fn connections_are_wanted_to_everybody_it_is_for_and_to_nobody_else() {
    let mut bench = Bench::of("alice");
    for who in 1..5 {
        let standing = Standing::Member.into();
        let (identity, nodes) = (person(who), vec![vec![who; 32]]);
        let record = PersonRecord { identity, nodes, standing, ..PersonRecord::default() };
        bench.with(|engine, cx| engine.save_person(cx, &record).unwrap());
    }
    let mut wanted = Vec::new();
    for recipients in [vec![person(1), person(3)], vec![person(1), person(4)]] {
        bench.with(|engine, cx| engine.ship(cx, shipment(b"payload"), To::members(&recipients))).unwrap();
        for effect in bench.effects.drain(..) {
            let Effect::Want { node, .. } = effect else { panic!("{effect:?}") };
            wanted.push(node.as_bytes()[0]);
        }
    }
    assert_eq!(wanted, [1, 3, 4]);
}

#[test]
fn whoever_is_connected_gets_it_at_once() {
    let mut post = Post::to(&[1, 2]);
    post.disconnect(2);
    post.ship(b"a", To::Person(&person(1)));
    post.ship(b"b", To::Person(&person(2)));
    assert_eq!(post.offers(), [(1, &b"a"[..])]);
}

#[test]
fn there_is_room_for_as_much_as_the_limit_says_sealed_or_not() {
    for (in_stream, for_person, unsealed, has_room) in [
        (0, 0, 0, true),
        (2, 0, 0, true),
        (1, 1, 0, true),
        (1, 0, 1, true),
        (3, 0, 0, false),
        (0, 3, 0, false),
        (0, 0, 3, false),
        (1, 1, 1, false),
        (4, 4, 4, false),
    ] {
        let mut post = Post::to(&[1]);
        post.disconnect(1);
        post.bench.engine.limits.outbox_deliveries_max = 3;
        (0..in_stream).for_each(|_| post.ship(b"a", To::members(&[person(1)])));
        (0..for_person).for_each(|_| post.ship(b"b", To::Person(&person(1))));
        let answer = post.bench.with(|engine, cx| {
            for ordinal in 0..unsealed {
                let content = UnsealedRecord { content: vec![1], ..UnsealedRecord::default() };
                tables::save(cx.tx, UNSEALED, tables::at(&[1; 16], ordinal), &content).unwrap();
            }
            let conversation = engine.conversation_of(cx, &[1; 16]).unwrap();
            engine.check_room(cx, &conversation)
        });
        assert_eq!(answer.is_ok(), has_room, "{in_stream} and {for_person} sealed, {unsealed} not");
    }
}

#[test]
fn a_limit_of_nothing_leaves_no_room() {
    let mut post = Post::to(&[1]);
    post.bench.engine.limits.outbox_deliveries_max = 0;
    let answer = post.bench.with(|engine, cx| {
        let conversation = engine.conversation_of(cx, &[1; 16]).unwrap();
        engine.check_room(cx, &conversation)
    });
    assert_eq!(answer.unwrap_err().status, qpq_proto::Status::QuotaExceeded);
    post.bench.input(Input::Tick);
}

#[test]
fn there_is_room_for_as_many_bytes_as_the_limit_says() {
    for (limit, has_room) in [(30, false), (31, true)] {
        let mut post = Post::to(&[1, 2]);
        post.disconnect(1);
        post.disconnect(2);
        post.bench.engine.limits.outbox_bytes_max = limit;
        let room = |post: &mut Post| {
            post.bench.with(|engine, cx| {
                let conversation = engine.conversation_of(cx, &[1; 16]).unwrap();
                engine.check_room(cx, &conversation).map_err(|failure| (failure.status, failure.message))
            })
        };
        assert_eq!(room(&mut post), Ok(()));
        post.ship(&[0; 10], To::members(&[person(1)]));
        // Whoever it is for, and for however many.
        post.ship(&[0; 10], To::members(&[person(2), person(3)]));
        post.ship(&[0; 10], To::Introduction(&person(2)));
        for is_restarted in [false, true] {
            if is_restarted {
                post.bench.restart();
            }
            match room(&mut post) {
                Ok(()) => assert!(has_room),
                Err((status, message)) => {
                    assert!(!has_room && status == qpq_proto::Status::QuotaExceeded);
                    assert!(message.starts_with("the outbox is full with 30 bytes: wait"), "{message}");
                }
            }
        }
        post.bench.with(|engine, cx| engine.drop_stream(cx, &[2; 16]).unwrap());
        assert_eq!(room(&mut post), Ok(()), "what is dropped takes no room");
    }
}
