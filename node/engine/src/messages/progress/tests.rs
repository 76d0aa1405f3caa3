//! The states of own messages, against a model that only remembers how far each recipient is.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{records::EventRecord, tables::EVENTS, tests::bench::Bench};

const CONVERSATION: [u8; 16] = [1; 16];
const ID: [u8; 16] = [7; 16];

fn own(recipients: u32, sent: u32, delivered: u32, lost: u32) -> MessageRecord {
    MessageRecord { own: true, recipients, sent, delivered, lost, ..MessageRecord::default() }
}

/// An own message to so many recipients, in a conversation that waits.
fn bench(recipients: u32) -> Bench {
    let mut bench = Bench::of("alice");
    bench.with(|engine, cx| {
        let conversation = ConversationRecord {
            id: CONVERSATION.to_vec(),
            contact: vec![0; 32],
            ..ConversationRecord::default()
        };
        engine.save_conversation(cx, &conversation).unwrap();
        let from = engine.me().unwrap().id();
        let record = MessageRecord { id: ID.to_vec(), from, ..own(recipients, 0, 0, 0) };
        engine.store_message(cx, &CONVERSATION, &record).unwrap();
    });
    bench
}

fn advance(bench: &mut Bench, who: u8, progress: Progress) {
    bench.with(|engine, cx| engine.delivery_progressed(cx, &ID, &[who; 32], progress, "reason").unwrap());
}

fn message(bench: &mut Bench) -> MessageRecord {
    bench.with(|engine, cx| engine.own_message(cx, &ID).unwrap().unwrap().1)
}

fn delivery(bench: &mut Bench, who: u8) -> DeliveryRecord {
    bench.with(|_, cx| tables::load(cx.tx, DELIVERIES, delivery_key(&ID, &[who; 32])).unwrap().unwrap())
}

/// How often the owner was told that the message's state changed.
fn times_told(bench: &Bench) -> usize {
    let events: Vec<EventRecord> = tables::all(&bench.memory, EVENTS).unwrap();
    events.iter().filter(|event| event.what == "state").count()
}

#[test]
fn states_follow_the_counts() {
    for (record, state) in [
        (own(1, 0, 0, 0), "queued"),
        (own(2, 1, 1, 0), "queued"),
        (own(2, 2, 1, 0), "sent"),
        (own(2, 2, 2, 0), "delivered"),
        (own(2, 1, 1, 1), "delivered"),
        (own(2, 1, 0, 1), "sent"),
        (own(2, 0, 0, 2), "failed"),
        (MessageRecord { expired: true, ..own(1, 0, 0, 1) }, "expired"),
        (MessageRecord::default(), "received"),
        (own(0, 0, 0, 0), "delivered"),
        (MessageRecord { is_unsealed: true, ..own(0, 0, 0, 0) }, "queued"),
    ] {
        assert_eq!(state_word(&record), state, "{record:?}");
    }
}

#[test]
fn a_delivery_is_counted_once_on_its_way() {
    let mut record = own(1, 0, 0, 0);
    count(&mut record, Progress::Queued, Progress::Sent);
    count(&mut record, Progress::Sent, Progress::Delivered);
    assert_eq!((record.sent, record.delivered, record.lost), (1, 1, 0));
}

#[test]
fn what_was_given_up_and_arrives_all_the_same_is_no_longer_lost() {
    for given_up in [Progress::Failed, Progress::Expired] {
        let mut bench = bench(2);
        advance(&mut bench, 1, Progress::Sent);
        advance(&mut bench, 1, given_up);
        assert_eq!(state_word(&message(&mut bench)), "queued", "the other one waits still");
        advance(&mut bench, 1, Progress::Delivered);
        assert_eq!(state_word(&message(&mut bench)), "queued");
        advance(&mut bench, 2, Progress::Delivered);
        let message = message(&mut bench);
        assert_eq!((state_word(&message), message.delivered, message.lost), ("delivered", 2, 0));
    }
}

#[test]
fn what_is_delivered_stays_so() {
    let mut bench = bench(1);
    advance(&mut bench, 1, Progress::Delivered);
    let before = delivery(&mut bench, 1);
    for later in [Progress::Sent, Progress::Failed, Progress::Expired, Progress::Delivered] {
        advance(&mut bench, 1, later);
        assert_eq!(delivery(&mut bench, 1), before);
        assert_eq!(state_word(&message(&mut bench)), "delivered");
    }
}

#[test]
fn times_are_those_of_the_first_copy_and_of_the_end() {
    let mut bench = bench(1);
    let start_ms = bench.now().wall_ms;
    for (ms, progress, steps) in [
        (10, Progress::Sent, 1),
        (20, Progress::Failed, 2),
        (25, Progress::Sent, 1),
        (30, Progress::Delivered, 2),
    ] {
        bench.now_ms = ms;
        advance(&mut bench, 1, progress);
        assert_eq!(delivery_steps("bob", &delivery(&mut bench, 1)).len(), steps, "{progress:?}");
    }
    let record = delivery(&mut bench, 1);
    assert_eq!((record.sent_at_ms - start_ms, record.ended_at_ms - start_ms), (10, 30));
    let steps: Vec<(u64, String)> =
        delivery_steps("bob", &record).into_iter().map(|step| (step.at_ms - start_ms, step.what)).collect();
    assert_eq!(steps, [(10, "sent".into()), (30, "delivered".into())]);
}

#[test]
fn the_owner_is_told_of_each_state_and_of_each_recipient_that_has_it() {
    let mut bench = bench(2);
    for (who, progress, told) in [
        (1, Progress::Sent, 0),
        (1, Progress::Sent, 0),
        (2, Progress::Sent, 1),
        (1, Progress::Delivered, 2),
        (1, Progress::Delivered, 2),
        (2, Progress::Delivered, 3),
    ] {
        advance(&mut bench, who, progress);
        assert_eq!(times_told(&bench), told, "{who} {progress:?}");
    }
}

#[test]
fn nothing_is_noted_of_messages_that_are_not_ones_own() {
    let mut bench = bench(1);
    let id = [8; 16];
    bench.with(|engine, cx| {
        let record = MessageRecord { id: id.to_vec(), from: vec![5; 32], ..MessageRecord::default() };
        engine.store_message(cx, &CONVERSATION, &record).unwrap();
        for unknown in [&id[..], &[9; 16], &[]] {
            engine.delivery_progressed(cx, unknown, &[1; 32], Progress::Delivered, "").unwrap();
        }
    });
    assert_eq!((bench.memory.count(DELIVERIES), times_told(&bench)), (0, 0));
}

#[test]
fn a_reason_is_found_for_everything_that_is_not_delivered() {
    let record = |progress: Progress, reason: &str| DeliveryRecord {
        progress: progress.into(),
        reason: reason.into(),
        ..DeliveryRecord::default()
    };
    let waiting = ConversationRecord { stage: Stage::Waiting.into(), ..ConversationRecord::default() };
    let open = ConversationRecord { stage: Stage::Open.into(), ..ConversationRecord::default() };
    let mut bench = bench(1);
    for (conversation, record, reason) in [
        (&open, record(Progress::Delivered, "an old reason"), ""),
        (&open, record(Progress::Failed, "the node refused"), "the node refused"),
        (&waiting, record(Progress::Queued, ""), "the contact has not answered the request yet"),
        (&open, record(Progress::Sent, ""), "stored on the recipient's node, which cannot open it yet"),
        (&open, record(Progress::Queued, ""), "the recipient's node is not connected"),
    ] {
        let found =
            bench.with(|engine, cx| engine.why_not_further(cx, conversation, &[1; 32], &record).unwrap());
        assert_eq!(found, reason);
    }
}

/// What a message's recipients add up to, from scratch.
fn expected(recipients: &BTreeMap<u8, Progress>, has_expired: bool) -> (u32, u32, u32, &'static str) {
    let count = |is: &dyn Fn(Progress) -> bool| recipients.values().filter(|p| is(**p)).count();
    let sent = count(&|progress| matches!(progress, Progress::Sent | Progress::Delivered));
    let delivered = count(&|progress| progress == Progress::Delivered);
    let lost = count(&|progress| matches!(progress, Progress::Failed | Progress::Expired));
    let waiting = count(&|progress| progress == Progress::Queued);
    let state = match (waiting, lost) {
        (_, lost) if lost == recipients.len() && has_expired => "expired",
        (_, lost) if lost == recipients.len() => "failed",
        (0, _) if delivered + lost == recipients.len() => "delivered",
        (0, _) => "sent",
        _ => "queued",
    };
    let number = |count: usize| u32::try_from(count).unwrap();
    (number(sent), number(delivered), number(lost), state)
}

fn progress() -> impl Strategy<Value = Progress> {
    prop::sample::select(vec![Progress::Sent, Progress::Delivered, Progress::Expired, Progress::Failed])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn counts_and_state_are_what_the_recipients_add_up_to(
        count in 1..5_u8,
        steps in prop::collection::vec((0..5_u8, progress()), 1..40),
    ) {
        let mut bench = bench(count.into());
        let mut recipients: BTreeMap<u8, Progress> = (0..count).map(|who| (who, Progress::Queued)).collect();
        let mut has_expired = false;
        for (who, progress) in steps {
            let who = who % count;
            advance(&mut bench, who, progress);
            if recipients[&who] != Progress::Delivered {
                recipients.insert(who, progress);
                has_expired |= progress == Progress::Expired;
            }
            let record = message(&mut bench);
            let found = (record.sent, record.delivered, record.lost, state_word(&record));
            prop_assert_eq!(found, expected(&recipients, has_expired), "{:?}", recipients);
        }
    }
}
