//! Own posts: limits, and what becomes of them while there is no room.

use qpq_proto::limits::{TEXT_BYTES_MAX, TOPIC_POSTS_PER_DAY_MAX};

use super::*;
use crate::tables::BUNDLES;

const WEEK_MS: u64 = 7 * DAY_MS;
const MINUTE_MS: u64 = 60_000;

/// A node with no room for bundles, from its start on.
fn full() -> Bench {
    let (mut bench, _) = listener();
    bench.engine.limits.custody_bytes_max = 0;
    bench.restart();
    bench
}

fn carried(bench: &Bench) -> usize {
    bench.memory.count(BUNDLES)
}

/// Room comes; the limits are read when the mesh is opened.
fn make_room(bench: &mut Bench) {
    bench.engine.limits = qpq_proto::limits::Limits::SERVER;
    bench.engine.carrying = crate::carrying::Carrying::default();
}

#[test]
fn an_own_post_is_kept_told_and_carried() {
    let (mut bench, _) = listener();
    let post = broadcast(&mut bench, "news", "hello").unwrap();
    assert_eq!((post.author_name.as_str(), post.claimed_name.as_str(), post.cursor), ("alice", "alice", 1));
    assert_eq!(post.author, bench.engine.me().unwrap().id());
    assert_eq!(read(&mut bench, 0, 0).posts, std::slice::from_ref(&post));
    let request = v1::ReadEventsRequest { limit: 1_024, ..Default::default() };
    let events: v1::ReadEventsResponse = bench.owner(Method::ReadEvents, &request).unwrap();
    let last = events.events.into_iter().last().unwrap();
    assert_eq!(last.kind, Some(v1::event::Kind::Post(post)));
    assert_eq!((carried(&bench), count(&bench)), (1, [1; 4]));
    bench.now_ms += WEEK_MS - MINUTE_MS;
    bench.input(Input::Tick);
    assert_eq!(carried(&bench), 1);
    bench.now_ms += 60 * MINUTE_MS;
    bench.input(Input::Tick);
    assert_eq!((carried(&bench), count(&bench)), (0, [1, 1, 1, 0]), "it is read still, and carried no more");
}

#[test]
fn texts_and_days_have_limits() {
    let (mut bench, _) = listener();
    for text in [String::new(), "x".repeat(TEXT_BYTES_MAX + 1)] {
        let refused = broadcast(&mut bench, "news", &text).unwrap_err();
        assert_eq!((refused.status, refused.field.as_str()), (Status::BadRequest, "text"));
    }
    broadcast(&mut bench, "news", &"x".repeat(TEXT_BYTES_MAX)).unwrap();
    (1..TOPIC_POSTS_PER_DAY_MAX).for_each(|_| drop(broadcast(&mut bench, "news", "again").unwrap()));
    assert_eq!(broadcast(&mut bench, "news", "once more").unwrap_err().status, Status::QuotaExceeded);
    subscribe(&mut bench, "other").unwrap();
    broadcast(&mut bench, "other", "elsewhere").unwrap();
    bench.now_ms += DAY_MS;
    broadcast(&mut bench, "news", "next day").unwrap();
}

#[test]
fn what_finds_no_room_waits_and_is_the_same_bundle_later() {
    let mut bench = full();
    broadcast(&mut bench, "news", "hello").unwrap();
    let waiting: Vec<crate::records::OwnPostRecord> = tables::all(&bench.memory, OWN_POSTS).unwrap();
    assert_eq!((carried(&bench), waiting.len()), (0, 1));
    bench.now_ms += DAY_MS;
    make_room(&mut bench);
    bench.input(Input::Tick);
    assert_eq!(carried(&bench), 1, "after a while");
    let id = waiting[0].bundle.clone();
    assert!(bench.memory.count(BUNDLES) == 1);
    let held = crate::storage::Transaction::get(&bench.memory, BUNDLES, tables::key(&id)).unwrap();
    assert!(held.is_some(), "the salt was kept, and with it everything else");
    // It ends when it would have ended.
    bench.now_ms += WEEK_MS - DAY_MS - MINUTE_MS;
    bench.input(Input::Tick);
    assert_eq!(carried(&bench), 1);
    bench.now_ms += 2 * MINUTE_MS;
    bench.input(Input::Tick);
    assert_eq!(carried(&bench), 0);
}

#[test]
fn a_restart_or_a_neighbour_is_a_reason_to_try_again() {
    let mut bench = full();
    broadcast(&mut bench, "news", "hello").unwrap();
    bench.engine.limits = qpq_proto::limits::Limits::SERVER;
    bench.restart();
    // The restart opens the mesh within the profile's limits.
    assert_eq!(carried(&bench), 1);

    let mut bench = full();
    broadcast(&mut bench, "news", "hello").unwrap();
    make_room(&mut bench);
    bench.input(Input::PeerConnected { node: NodeKey::from_bytes([7; 32]), address: String::new() });
    assert_eq!(carried(&bench), 1);
}

#[test]
fn what_waits_longer_than_it_would_live_is_given_up() {
    let mut bench = full();
    broadcast(&mut bench, "news", "hello").unwrap();
    bench.now_ms += WEEK_MS;
    make_room(&mut bench);
    bench.input(Input::Tick);
    assert_eq!((carried(&bench), count(&bench)), (0, [1, 1, 1, 0]));
}

#[test]
fn another_device_does_not_seal_what_this_one_sealed() {
    let mut bench = full();
    broadcast(&mut bench, "news", "hello").unwrap();
    bench.engine.config.is_rolled_back = true;
    bench.with(|engine, cx| engine.rolled_back(cx).unwrap());
    make_room(&mut bench);
    bench.now_ms += DAY_MS;
    bench.input(Input::Tick);
    assert_eq!((carried(&bench), count(&bench)), (0, [1, 1, 1, 0]));
}

/// Wherever the storage fails: nothing was done, and done again it is done once.
#[test]
fn a_failure_in_the_middle_leaves_nothing_behind() {
    let payload = |text: &str| {
        use prost::Message as _;
        v1::BroadcastPostRequest { topic: "news".into(), text: text.into() }.encode_to_vec().into()
    };
    let (mut bench, _) = listener();
    for operations in 0.. {
        let before = count(&bench);
        let input = Input::Call {
            caller: crate::Caller::Owner,
            method: Method::BroadcastPost,
            payload: payload(&format!("after {operations}")),
        };
        if !bench.fail(input, operations) {
            assert!(operations > 5, "{operations} operations");
            break;
        }
        assert_eq!(count(&bench), before, "after {operations} operations");
    }
    assert_eq!((carried(&bench), count(&bench)), (1, [1; 4]));
}
