//! What is sealed when, for whom, and how large it looks from outside.

use std::collections::BTreeSet;

use super::*;
use crate::{
    outbox::Stream,
    records::ParcelRecord,
    tables::{self, MESSAGES, OUTGOING, UNSEALED},
    tests::bench::Bench,
};

fn text(id: u8) -> Content {
    let kind = Some(content::Kind::Text(qpq_proto::v1::Text { text: "hello".into() }));
    Content { id: vec![id; 16], sequence: u64::from(id), sent_at_ms: 5, kind, ..Content::default() }
}

fn receipt(id: u8) -> Content {
    let kind = Some(content::Kind::Receipt(qpq_proto::v1::Receipt {
        ids: vec![vec![id; 16]],
        deliveries: Vec::new(),
    }));
    Content { id: vec![id; 16], sent_at_ms: 5, kind, ..Content::default() }
}

/// An entry for bob, whose node could not open it.
fn entry(bench: &mut Bench, parcel: ParcelRecord) -> Entry {
    let recipient = bench.with(|engine, cx| engine.find_contact(cx, "bob").unwrap().identity);
    let conversation = bench.village().id;
    let stream = Stream::Conversation(conversation.clone());
    Entry { stream, recipient, ordinal: 1, parcel: ParcelRecord { conversation, ..parcel } }
}

fn parcels(bench: &Bench) -> Vec<ParcelRecord> {
    tables::all(&bench.memory, OUTGOING).unwrap()
}

fn with_stage(bench: &mut Bench, stage: Stage) {
    let village = ConversationRecord { stage: stage.into(), ..bench.village() };
    bench.with(|engine, cx| engine.save_conversation(cx, &village).unwrap());
}

/// Alice's own text, as the history has it.
fn store_text(bench: &mut Bench, id: u8) {
    let village = bench.village().id;
    bench.with(|engine, cx| {
        let (from, own) = (engine.me().unwrap().id(), true);
        let (id, sequence, text) = (vec![id; 16], u64::from(id), "hello".into());
        let record =
            MessageRecord { id, from, own, sequence, text, sent_at_ms: 5, ..MessageRecord::default() };
        engine.store_message(cx, &village, &record).unwrap();
    });
}

#[test]
fn a_text_keeps_its_id_and_other_contents_keep_themselves() {
    for (content, message, kept) in
        [(text(1), vec![1; 16], Vec::new()), (receipt(2), Vec::new(), receipt(2).encode_to_vec())]
    {
        let mut bench = Bench::of_village();
        let village = bench.village();
        bench.with(|engine, cx| engine.seal_content(cx, &village, &content, Audience::Everybody).unwrap());
        let parcel = parcels(&bench).remove(0);
        assert_eq!((parcel.message, parcel.content), (message, kept));
        assert_eq!((parcel.remaining, parcel.conversation), (2, village.id));
    }
}

#[test]
fn what_is_for_one_member_lies_in_that_ones_stream() {
    let mut bench = Bench::of_village();
    let village = bench.village();
    let bob = entry(&mut bench, ParcelRecord::default()).recipient;
    bench.with(|engine, cx| engine.seal_content(cx, &village, &text(1), Audience::Only(&bob)).unwrap());
    let parcel = parcels(&bench).remove(0);
    assert_eq!((parcel.recipient, parcel.remaining), (bob, 1));
}

#[test]
fn a_text_is_sealed_again_as_it_was_first() {
    let mut bench = Bench::of_village();
    store_text(&mut bench, 1);
    let record: MessageRecord = tables::all(&bench.memory, MESSAGES).unwrap().pop().unwrap();
    assert_eq!(text_content(&record), text(1));
    let again = entry(&mut bench, ParcelRecord { message: vec![1; 16], ..ParcelRecord::default() });
    bench.with(|engine, cx| engine.seal_again(cx, &again).unwrap());
    let parcel = parcels(&bench).remove(0);
    assert_eq!((parcel.message, parcel.recipient), (vec![1; 16], again.recipient));
}

#[test]
fn whether_something_is_sealed_again_depends_on_the_conversation() {
    for (stage, sealed, unsealed) in [(Stage::Open, 1, 0), (Stage::Waiting, 0, 1), (Stage::Ended, 0, 0)] {
        let mut bench = Bench::of_village();
        with_stage(&mut bench, stage);
        let content = receipt(2).encode_to_vec();
        let again = entry(&mut bench, ParcelRecord { content, ..ParcelRecord::default() });
        for _ in 0..2 {
            bench.with(|engine, cx| engine.seal_again(cx, &again).unwrap());
        }
        let times = if stage == Stage::Open { 2 } else { 1 };
        assert_eq!(
            (parcels(&bench).len(), bench.memory.count(UNSEALED)),
            (sealed * times, unsealed),
            "{stage:?}"
        );
    }
}

#[test]
fn nothing_is_sealed_again_for_strangers_or_without_content() {
    let mut bench = Bench::of_village();
    let content = receipt(2).encode_to_vec();
    let stranger = Entry {
        recipient: vec![8; 32],
        ..entry(&mut bench, ParcelRecord { content, ..ParcelRecord::default() })
    };
    let commit = entry(&mut bench, ParcelRecord::default());
    let forgotten = entry(&mut bench, ParcelRecord { message: vec![9; 16], ..ParcelRecord::default() });
    let elsewhere = Entry {
        parcel: ParcelRecord {
            conversation: vec![9; 16],
            content: text(1).encode_to_vec(),
            ..ParcelRecord::default()
        },
        ..entry(&mut bench, ParcelRecord::default())
    };
    for again in [stranger, commit, forgotten, elsewhere] {
        bench.with(|engine, cx| engine.seal_again(cx, &again).unwrap());
    }
    assert_eq!((parcels(&bench).len(), bench.memory.count(UNSEALED)), (0, 0));
    let broken = entry(&mut bench, ParcelRecord { content: vec![0xff], ..ParcelRecord::default() });
    assert!(matches!(bench.with(|engine, cx| engine.seal_again(cx, &broken)), Err(EngineError::Internal(_))));
}

#[test]
fn what_waited_is_sealed_in_order_and_then_waits_no_more() {
    let mut bench = Bench::of_village();
    with_stage(&mut bench, Stage::Waiting);
    let village = bench.village();
    for id in [3, 1, 2] {
        store_text(&mut bench, id);
        bench.with(|engine, cx| engine.seal_or_keep(cx, &village, &text(id)).unwrap());
    }
    assert_eq!((parcels(&bench).len(), bench.memory.count(UNSEALED)), (0, 3));
    with_stage(&mut bench, Stage::Open);
    let village = bench.village();
    bench.with(|engine, cx| engine.seal_waiting(cx, &village).unwrap());
    let order: Vec<u8> = parcels(&bench).iter().map(|parcel| parcel.message[0]).collect();
    assert_eq!((order, bench.memory.count(UNSEALED)), (vec![3, 1, 2], 0));
    let records: Vec<MessageRecord> = tables::all(&bench.memory, MESSAGES).unwrap();
    assert!(records.iter().all(|record| record.recipients == 2 && !record.is_unsealed));
}

#[test]
fn parcels_show_a_size_class_and_nothing_else() {
    let mut bench = Bench::of_village();
    let village = bench.village();
    let mut seen = BTreeSet::new();
    for (bytes, body_bytes) in
        [(0, 1_024), (1, 1_024), (900, 1_024), (1_024, 4_096), (4_000, 4_096), (5_000, 16_384)]
    {
        for _ in 0..2 {
            let payload = bench.with(|engine, cx| {
                engine.group_parcel(cx, &village, vec![1; bytes], Audience::Everybody).unwrap()
            });
            let parcel = Parcel::decode(payload).unwrap();
            assert_eq!(
                (parcel.salt.len(), parcel.tag.len(), parcel.body.len()),
                (8, 16, body_bytes),
                "{bytes}"
            );
            for part in [parcel.salt, parcel.tag, parcel.body.to_vec()] {
                assert!(seen.insert(part), "no two parcels can be linked");
            }
        }
    }
}

#[test]
fn a_conversation_without_a_route_seals_nothing() {
    let mut bench = Bench::of_village();
    let village = bench.village();
    for change in [
        (|conversation: &mut ConversationRecord| conversation.routes.clear()) as fn(&mut ConversationRecord),
        |conversation| conversation.routes[0].until_node_ms = 9,
        |conversation| conversation.routes[0].group_id.clear(),
        |conversation| conversation.routes[0].secret.truncate(31),
    ] {
        let mut changed = village.clone();
        change(&mut changed);
        let answer = bench
            .with(|engine, cx| engine.group_parcel(cx, &changed, b"hello".to_vec(), Audience::Everybody));
        assert!(matches!(answer, Err(EngineError::Internal(_))));
    }
}

#[test]
fn introductions_need_keys_of_the_right_size() {
    let mut bench = Bench::of_village();
    let bob = bench.with(|engine, cx| engine.find_contact(cx, "bob").unwrap());
    let short_key = PersonRecord { hybrid_key: bob.hybrid_key[1..].to_vec(), ..bob.clone() };
    let no_key = PersonRecord { hybrid_key: Vec::new(), ..bob.clone() };
    let no_identity = PersonRecord { identity: vec![1; 31], ..bob.clone() };
    let introduction = Introduction::default();
    for person in [short_key, no_key, no_identity] {
        let answer = bench.with(|engine, cx| engine.ship_introduction(cx, &person, &introduction, &[]));
        assert_eq!(answer.unwrap_err().status, qpq_proto::Status::Internal);
    }
    assert!(parcels(&bench).is_empty());
    bench.with(|engine, cx| engine.ship_introduction(cx, &bob, &introduction, &[])).unwrap();
    assert_eq!(parcels(&bench).len(), 1);
}

#[test]
fn the_others_are_everybody_but_oneself() {
    let mut bench = Bench::of_village();
    let (village, own) = (bench.village(), bench.engine.me().unwrap().id());
    let others = bench.with(|engine, cx| engine.other_members(cx, &village.group_id).unwrap());
    assert!(others.len() == 2 && !others.contains(&own));
}
