//! Pages and marks, against the whole history in a list.

use proptest::prelude::*;

use super::*;
use crate::{
    records::{Kind, Stage},
    tests::bench::Bench,
};

const ROOMS: u8 = 3;

/// Messages as they came: which conversation, and whether an own one.
fn bench(messages: &[(u8, bool)]) -> Bench {
    let mut bench = Bench::of("alice");
    bench.with(|engine, cx| {
        let own = engine.me().unwrap().id();
        for room in 0..ROOMS {
            let mut conversation = engine.new_conversation(cx, Kind::Group, &[]).unwrap();
            conversation.stage = Stage::Ended.into();
            conversation.name = engine.claim_name(cx, '#', &name(room)[1..], &conversation.id).unwrap();
            engine.save_conversation(cx, &conversation).unwrap();
        }
        for (number, (room, is_own)) in messages.iter().enumerate() {
            let conversation = engine.named_conversation(cx, &name(*room)).unwrap();
            let record = MessageRecord {
                id: vec![u8::try_from(number).unwrap(); 16],
                from: if *is_own { own.clone() } else { vec![5; 32] },
                text: format!("{number}"),
                own: *is_own,
                ..MessageRecord::default()
            };
            engine.store_message(cx, &conversation.id, &record).unwrap();
        }
    });
    bench
}

fn name(room: u8) -> String {
    format!("#room{room}")
}

fn read(bench: &mut Bench, room: Option<u8>, since: u64, limit: u32, newest: bool) -> Vec<(u64, String)> {
    let conversation = room.map(name).unwrap_or_default();
    let request = ReadMessagesRequest { conversation, since, limit, newest };
    let answer = bench.with(|engine, cx| engine.read_messages(cx, &request).unwrap());
    let read: Vec<_> = answer.messages.into_iter().map(|message| (message.cursor, message.text)).collect();
    assert_eq!(answer.next, read.last().map_or(since, |(cursor, _)| *cursor));
    read
}

fn unread(bench: &mut Bench, room: u8) -> u64 {
    bench.with(|engine, cx| engine.named_conversation(cx, &name(room)).unwrap().unread)
}

fn mark(bench: &mut Bench, room: u8, cursor: u64) {
    let request = MarkReadRequest { conversation: name(room), cursor };
    bench.with(|engine, cx| engine.mark_read(cx, &request).unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_page_is_a_stretch_of_the_history(
        messages in prop::collection::vec((0..ROOMS, any::<bool>()), 0..40),
        asked in prop::collection::vec((prop::option::of(0..ROOMS), 0..50_u64, 0..12_u32, any::<bool>()), 1..20),
    ) {
        let mut bench = bench(&messages);
        let all = read(&mut bench, None, 0, 0, false);
        prop_assert_eq!(all.len(), messages.len());
        for (room, since, limit, newest) in asked {
            let is_asked = |number: usize| room.is_none_or(|room| messages[number].0 == room);
            let mut expected: Vec<(u64, String)> = (0..all.len())
                .filter(|number| is_asked(*number) && all[*number].0 > since)
                .map(|number| all[number].clone())
                .collect();
            let limit_or_all = if limit == 0 { usize::MAX } else { limit as usize };
            let surplus = expected.len().saturating_sub(limit_or_all);
            if newest {
                expected.drain(..surplus);
            } else {
                expected.truncate(limit_or_all);
            }
            prop_assert_eq!(read(&mut bench, room, since, limit, newest), expected);
        }
    }

    #[test]
    fn unread_is_what_others_said_after_the_furthest_mark(
        messages in prop::collection::vec((0..ROOMS, any::<bool>()), 0..40),
        marks in prop::collection::vec((0..ROOMS, 0..60_u64), 0..10),
    ) {
        let mut bench = bench(&messages);
        let cursors: Vec<u64> = read(&mut bench, None, 0, 0, false).into_iter().map(|(c, _)| c).collect();
        let mut furthest = [0; ROOMS as usize];
        for (room, cursor) in marks {
            mark(&mut bench, room, cursor);
            let furthest_here = &mut furthest[usize::from(room)];
            *furthest_here = cursor.max(*furthest_here);
            let after = messages.iter().zip(&cursors).filter(|((of, is_own), cursor)| {
                *of == room && !is_own && **cursor > *furthest_here
            });
            prop_assert_eq!(unread(&mut bench, room), after.count() as u64);
        }
    }
}

#[test]
fn a_page_never_holds_more_than_the_limit() {
    let mut bench = bench(&[]);
    bench.with(|engine, cx| {
        let conversation = engine.named_conversation(cx, "#room0").unwrap();
        for number in 0..LIMIT_MAX as u64 + 10 {
            let record = MessageRecord { id: number.to_be_bytes().to_vec(), ..MessageRecord::default() };
            tables::save(cx.tx, MESSAGES, tables::at(&conversation.id, number + 1), &record).unwrap();
        }
    });
    assert_eq!(read(&mut bench, None, 0, 0, false).len(), LIMIT_DEFAULT);
    assert_eq!(read(&mut bench, None, 0, u32::MAX, true).len(), LIMIT_MAX);
    let received = bench.with(|engine, cx| {
        let conversation = engine.named_conversation(cx, "#room0").unwrap();
        engine.received_after(cx, &conversation.id, 3).unwrap()
    });
    assert_eq!(received, LIMIT_MAX as u64 + 7, "all of them are counted, however many");
}

#[test]
fn cursors_at_the_end_of_all_numbers_do_no_harm() {
    let mut bench = bench(&[(0, false), (0, false)]);
    assert_eq!(read(&mut bench, None, u64::MAX, 0, false), []);
    assert_eq!(read(&mut bench, Some(0), u64::MAX - 1, 0, true), []);
    mark(&mut bench, 0, u64::MAX);
    assert_eq!(unread(&mut bench, 0), 0);
}
