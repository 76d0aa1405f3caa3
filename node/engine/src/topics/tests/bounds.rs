//! How much is kept, of whom.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;
use qpq_proto::limits::TOPIC_POSTS_TAKEN_PER_DAY_MAX;

use super::*;

#[test]
fn a_post_is_shown_once_with_what_is_known_of_its_author() {
    let (mut bench, key) = listener();
    let bundle = author(1).bundle(&key, 7);
    open(&mut bench, bundle.clone());
    open(&mut bench, bundle);
    bench.restart();
    open(&mut bench, author(1).bundle_with(&key, 7, "another text with the same id"));
    let posts = read(&mut bench, 0, 0).posts;
    let [post] = posts.as_slice() else { panic!("{posts:?}") };
    assert_eq!(post.author, author(1).identity.public().as_bytes());
    assert_eq!((post.author_name.as_str(), post.claimed_name.as_str()), ("", "mallory"));
    assert_eq!((post.text.as_str(), post.posted_at_ms, post.cursor), ("post 7", 7, 1));
    open(&mut bench, author(2).bundle(&key, 7));
    assert_eq!(texts(&mut bench).len(), 2, "another author's id is another post");
    assert_eq!(topics(&mut bench)[0].dropped, 0);
}

#[test]
fn what_is_no_post_of_the_topic_is_dropped_and_counted() {
    let (mut bench, key) = listener();
    let other = TopicKey::from_bytes(&[9; 32]);
    let salt = [5; 8];
    let draft = Draft { id: [1; 16], posted_at_ms: 0, name: "bob", text: "hello" };
    let of = |key: &TopicKey, salt: &[u8; 8]| {
        let Author { identity, device } = author(1);
        key.seal_post(salt, &identity, &device, &draft).unwrap()
    };
    let mut changed = of(&key, &salt);
    changed[30] ^= 1;
    for body in [changed, of(&key, &[6; 8]), of(&other, &salt), vec![0; 1_024]] {
        open(&mut bench, sealed(Class::Topic, &key, salt, body));
    }
    let topic = topics(&mut bench).remove(0);
    assert_eq!((topic.posts, topic.dropped, topic.newest_at_ms), (0, 4, 0));
    let body = of(&key, &salt);
    open(&mut bench, sealed(Class::Topic, &other, salt, body));
    assert_eq!(topics(&mut bench)[0].dropped, 4, "what bears no tag of the topic is not looked at");
}

#[test]
fn an_author_has_so_many_posts_a_day() {
    let (mut bench, key) = listener();
    let most = TOPIC_POSTS_TAKEN_PER_DAY_MAX as u64;
    (0..most + 5).for_each(|number| take(&mut bench, &author(1).bundle(&key, number)));
    open(&mut bench, author(2).bundle(&key, 0));
    let topic = topics(&mut bench).remove(0);
    assert_eq!((topic.posts, topic.dropped), (most + 1, 5));
    bench.now_ms += DAY_MS;
    open(&mut bench, author(1).bundle(&key, most));
    assert_eq!(topics(&mut bench)[0].posts, most + 2, "what was one too many comes another day");
}

#[test]
fn texts_have_a_bound_of_their_own() {
    let (mut bench, key) = listener();
    bench.engine.limits.topic_bytes_max = 250;
    for number in 0..5 {
        open(&mut bench, author(1).bundle_with(&key, number, &"x".repeat(100)));
    }
    assert_eq!(texts(&mut bench).len(), 2);
    let first = read(&mut bench, 0, 1);
    assert_eq!((first.posts[0].cursor, first.next), (4, 4));
    assert_eq!(read(&mut bench, 4, 1).next, 5);
    assert_eq!((read(&mut bench, 5, 1).posts.len(), read(&mut bench, 5, 1).next), (0, 5));
}

#[test]
fn unsubscribing_leaves_nothing() {
    let (mut bench, key) = listener();
    bench.engine.limits.topic_posts_max = 100;
    (0..600).for_each(|number| take(&mut bench, &author(1).bundle(&key, number)));
    broadcast(&mut bench, "news", "mine").unwrap();
    subscribe(&mut bench, "other").unwrap();
    broadcast(&mut bench, "other", "stays").unwrap();
    unsubscribe(&mut bench, "news").unwrap();
    assert_eq!(count(&bench), [1, 1, 1, 1]);
    open(&mut bench, author(1).bundle(&key, 1_000));
    assert_eq!(topics(&mut bench).len(), 1);
    assert_eq!(count(&bench), [1, 1, 1, 1], "what comes late is for nobody");
    unsubscribe(&mut bench, "other").unwrap();
    assert_eq!(count(&bench), [0; 4]);
}

#[test]
fn posts_by_a_device_that_its_person_has_revoked_are_dropped() {
    let (mut bench, key) = listener();
    let me = bench.engine.me().unwrap();
    let (identity, device) = (me.identity.seed(), me.device.seed());
    let lost =
        Author { identity: IdentityKey::from_seed(&identity), device: DeviceSecret::from_seed(&device) };
    open(&mut bench, lost.bundle(&key, 1));
    assert_eq!(texts(&mut bench).len(), 1);
    bench.engine.config.is_rolled_back = true;
    bench.with(|engine, cx| engine.rolled_back(cx).unwrap());
    open(&mut bench, lost.bundle(&key, 2));
    assert_eq!((texts(&mut bench).len(), topics(&mut bench)[0].dropped), (1, 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Against a plain list: what is kept is what came last, nothing within memory comes twice, and nothing is left over.
    #[test]
    fn the_newest_are_kept_and_remembered(
        steps in prop::collection::vec((1..4_u8, 0..40_u64), 1..150),
        posts_max in 1..8_usize,
    ) {
        let (mut bench, key) = listener();
        bench.engine.limits.topic_posts_max = posts_max;
        let mut known: VecDeque<(u8, u64)> = VecDeque::new();
        let mut taken = 0_u64;
        for (who, number) in steps {
            take(&mut bench, &author(who).bundle(&key, number));
            if !known.contains(&(who, number)) {
                known.push_back((who, number));
                taken += 1;
            }
            if known.len() > 3 * posts_max {
                known.pop_front();
            }
        }
        let kept: Vec<String> =
            known.iter().rev().take(posts_max).rev().map(|(_, number)| format!("post {number}")).collect();
        prop_assert_eq!(texts(&mut bench), kept);
        let authors: BTreeMap<u8, ()> = known.iter().map(|(who, _)| (*who, ())).collect();
        prop_assert_eq!(count(&bench), [known.len(), known.len(), authors.len(), 0]);
        prop_assert_eq!(read(&mut bench, 0, 1_024).next, taken);
        let last = taken.saturating_sub(1);
        prop_assert_eq!(read(&mut bench, last, 1).posts.len(), 1);
    }
}
