//! What somebody's node only stores is offered again, ever more rarely, until it is taken.

use super::{ROUND_MAX_MS, ROUND_MIN_MS};
use crate::outbox::{
    To,
    tests::{Post, person, says},
};
use qpq_proto::v1::Disposition::{Delivered, Stored};

/// Three payloads that the node of person 1 stores without opening them.
fn three_stored() -> Post {
    let mut post = Post::to(&[1]);
    for payload in [b"a", b"b", b"c"] {
        post.ship(payload, To::members(&[person(1)]));
        post.answer_next(says(Stored));
    }
    assert_eq!(post.offers(), []);
    post
}

/// Answers so long as something is under way; returns what was offered.
fn answer_all(post: &mut Post, answer: qpq_proto::v1::Disposition) -> Vec<Vec<u8>> {
    let mut offered = Vec::new();
    while !post.under_way.is_empty() {
        offered.push(post.answer_next(says(answer)).payload.to_vec());
    }
    offered
}

#[test]
fn a_round_offers_everything_that_is_stored_in_order() {
    let mut post = three_stored();
    post.pass(ROUND_MIN_MS - 1);
    assert_eq!(post.offers(), []);
    post.pass(1);
    assert_eq!(answer_all(&mut post, Delivered), [b"a", b"b", b"c"]);
    assert_eq!(post.lying(), 0);
}

#[test]
fn rounds_grow_further_apart_up_to_an_hour() {
    let mut post = three_stored();
    let (mut last_ms, mut pauses) = (post.bench.now_ms, Vec::new());
    while pauses.len() < 14 {
        post.tick();
        if !post.under_way.is_empty() {
            pauses.push(post.bench.now_ms - last_ms);
            last_ms = post.bench.now_ms;
            assert_eq!(answer_all(&mut post, Stored).len(), 3);
        }
    }
    assert_eq!(pauses[..4], [ROUND_MIN_MS, 2 * ROUND_MIN_MS, 4 * ROUND_MIN_MS, 8 * ROUND_MIN_MS]);
    assert!(pauses.windows(2).all(|pair| pair[1] == (2 * pair[0]).min(ROUND_MAX_MS)), "{pauses:?}");
    assert_eq!(*pauses.last().unwrap(), ROUND_MAX_MS);
}

#[test]
fn whoever_comes_back_is_offered_everything_at_once() {
    let mut post = three_stored();
    post.disconnect(1);
    post.connect(1);
    assert_eq!(answer_all(&mut post, Stored), [b"a", b"b", b"c"]);
    post.pass(ROUND_MIN_MS);
    assert_eq!(answer_all(&mut post, Stored).len(), 3, "and the pauses begin anew");
}

#[test]
fn what_is_new_goes_before_what_is_stored() {
    let mut post = three_stored();
    post.ship(b"new", To::members(&[person(1)]));
    assert_eq!(post.offers(), [(1, &b"new"[..])]);
    post.pass(ROUND_MIN_MS);
    assert_eq!(post.offers().len(), 1, "one at a time, a round or not");
    post.answer_next(says(Delivered));
    assert_eq!(answer_all(&mut post, Delivered), [b"a", b"b", b"c"]);
}

#[test]
fn what_is_opened_in_the_midst_of_a_round_leaves_it() {
    let mut post = three_stored();
    post.pass(ROUND_MIN_MS);
    assert_eq!(post.answer_next(says(Stored)).payload, "a");
    assert_eq!(post.answer_next(says(Delivered)).payload, "b");
    assert_eq!(post.answer_next(says(Stored)).payload, "c");
    post.pass(2 * ROUND_MIN_MS);
    assert_eq!(answer_all(&mut post, Delivered), [b"a", b"c"]);
}

#[test]
fn somebody_who_is_not_reached_in_a_round_is_tried_again() {
    let mut post = three_stored();
    post.pass(ROUND_MIN_MS);
    post.answer_next(Err(crate::CallFailure::Unreachable));
    post.pass(4 * ROUND_MIN_MS);
    let mut offered = answer_all(&mut post, Delivered);
    post.pass(4 * ROUND_MIN_MS);
    offered.extend(answer_all(&mut post, Delivered));
    offered.sort();
    assert_eq!(offered, [b"a", b"b", b"c"]);
}

#[test]
fn a_restart_offers_again_what_was_stored() {
    let mut post = three_stored();
    post.under_way.clear();
    post.bench.restart();
    post.connect(1);
    assert_eq!(answer_all(&mut post, Delivered), [b"a", b"b", b"c"]);
    assert_eq!(post.lying(), 0);
}
