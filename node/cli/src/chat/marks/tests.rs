use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::views::message::sample_message;

/// The state of an own message, told by an event.
fn state(id: u8, conversation: &str, state: &str) -> v1::Event {
    let message = v1::Message {
        id: vec![id; 16],
        conversation: conversation.into(),
        own: true,
        state: state.into(),
        ..sample_message()
    };
    v1::Event { cursor: 1, at_ms: 1, kind: Some(Kind::State(message)) }
}

fn incoming() -> v1::Event {
    v1::Event { cursor: 1, at_ms: 1, kind: Some(Kind::Message(sample_message())) }
}

/// What is shown, in short: the id of a message with what it stands for, or a dot.
fn summary(shown: &[Shown]) -> Vec<String> {
    let word = |shown: &Shown| match &shown.event.kind {
        Some(Kind::State(message)) => format!("{}+{}", message.id[0], shown.before),
        _ => ".".to_owned(),
    };
    shown.iter().map(word).collect()
}

#[test]
fn a_message_is_marked_once_however_often_its_end_is_told() {
    let mut marks = Marks::new(true);
    let told = vec![state(1, "@bob", "queued"), state(1, "@bob", "delivered"), state(1, "@bob", "delivered")];
    assert_eq!(summary(&marks.select(told)), ["1+0"]);
    assert!(marks.select(vec![state(1, "@bob", "delivered"), state(1, "@bob", "failed")]).is_empty());
    assert_eq!(summary(&marks.select(vec![state(2, "@bob", "delivered")])), ["2+0"]);
}

#[test]
fn deliveries_in_a_row_become_one_mark_for_people() {
    let told = || {
        vec![
            state(1, "@bob", "delivered"),
            state(2, "@bob", "delivered"),
            state(3, "#picnic", "delivered"),
            state(4, "@bob", "delivered"),
            incoming(),
            state(5, "@bob", "delivered"),
            state(6, "@bob", "failed"),
            state(7, "@bob", "failed"),
            state(8, "@bob", "delivered"),
            state(9, "@bob", "sent"),
            state(10, "@bob", "delivered"),
        ]
    };
    let for_people = summary(&Marks::new(true).select(told()));
    assert_eq!(for_people, ["2+1", "3+0", "4+0", ".", "5+0", "6+0", "7+0", "10+1"]);
    let for_programs = summary(&Marks::new(false).select(told()));
    assert_eq!(for_programs, ["1+0", "2+0", "3+0", "4+0", ".", "5+0", "6+0", "7+0", "8+0", "10+0"]);
}

#[test]
fn messages_of_others_are_shown_each_time() {
    let mut marks = Marks::new(true);
    assert_eq!(summary(&marks.select(vec![incoming(), incoming()])), [".", "."]);
    assert!(marks.marked.is_empty());
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut marks = Marks::new(true);
    for number in 0..3 * MARKED_MAX {
        let message = v1::Message {
            id: number.to_be_bytes().to_vec(),
            state: "delivered".into(),
            own: true,
            ..sample_message()
        };
        let event = v1::Event { cursor: 1, at_ms: 1, kind: Some(Kind::State(message)) };
        assert_eq!(marks.select(vec![event]).len(), 1);
        assert!(marks.marked.len() <= MARKED_MAX);
    }
}

proptest! {
    /// However the events are dealt out: each message that ended is counted once, in the order of the events.
    #[test]
    fn nothing_is_left_out_or_counted_twice(
        told in vec((0_u8..12, prop_oneof![Just("queued"), Just("delivered"), Just("failed")]), 0..60),
        batch in 1_usize..9,
    ) {
        let conversation = |id: u8| if id.is_multiple_of(3) { "#picnic" } else { "@bob" };
        let events: Vec<_> = told.iter().map(|(id, word)| state(*id, conversation(*id), word)).collect();
        let mut ended: Vec<u8> = Vec::new();
        for (id, word) in told {
            if word != "queued" && !ended.contains(&id) {
                ended.push(id);
            }
        }
        let mut marks = Marks::new(true);
        let shown: Vec<_> = events.chunks(batch).flat_map(|batch| marks.select(batch.to_vec())).collect();
        prop_assert_eq!(shown.iter().map(|shown| 1 + shown.before).sum::<usize>(), ended.len());
        let last = |shown: &Shown| match &shown.event.kind {
            Some(Kind::State(message)) => message.id[0],
            other => panic!("{other:?}"),
        };
        let places: Vec<_> = shown.iter().map(|shown| ended.iter().position(|id| *id == last(shown))).collect();
        prop_assert!(places.is_sorted(), "{places:?}");
    }
}
