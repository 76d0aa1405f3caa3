use proptest::prelude::*;

use super::*;

#[test]
fn pauses_grow_to_a_limit_and_end_when_something_is_taken() {
    let mut pauses = Pauses::default();
    let mut last = 0;
    for _ in 0..20 {
        let until = pauses.extend(None, 0, 0);
        assert!(until >= last && until <= PAUSE_MAX_MS);
        last = until;
    }
    assert_eq!(last, PAUSE_MAX_MS);
    assert!(pauses.is_on(None, 1));
    pauses.end(&Stream::Person(vec![1]));
    assert!(!pauses.is_on(None, 1));
}

#[test]
fn each_pause_is_twice_the_one_before() {
    let mut pauses = Pauses::default();
    let lengths: Vec<u64> = (0..10).map(|_| pauses.extend(None, 0, 0)).collect();
    assert_eq!(lengths[..9], [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 256_000]);
    assert_eq!(lengths[9], PAUSE_MAX_MS);
    pauses.end(&Stream::Person(vec![1]));
    assert_eq!(pauses.extend(None, 0, 0), PAUSE_MIN_MS, "and begins anew");
}

#[test]
fn a_stream_pauses_alone() {
    let (one, other) = (Stream::Person(vec![1]), Stream::Conversation(vec![2]));
    let mut pauses = Pauses::default();
    pauses.extend(Some(&one), 0, 0);
    assert!(pauses.is_on(Some(&one), 1));
    assert!(!pauses.is_on(Some(&other), 1));
    pauses.extend(None, 0, 0);
    assert!(pauses.is_on(Some(&other), 1));
}

#[test]
fn what_one_stream_takes_does_not_end_the_pause_of_another() {
    let (one, other) = (Stream::Person(vec![1]), Stream::Conversation(vec![2]));
    let mut pauses = Pauses::default();
    pauses.extend(Some(&one), 0, 0);
    pauses.extend(Some(&other), 0, 0);
    pauses.end(&other);
    assert!(pauses.is_on(Some(&one), 1) && !pauses.is_on(Some(&other), 1));
}

#[test]
fn the_peers_own_wish_is_kept_within_bounds() {
    assert_eq!(Pauses::default().extend(None, 0, 60_000), 60_000);
    assert_eq!(Pauses::default().extend(None, 0, u64::MAX), PAUSE_MAX_MS);
}

proptest! {
    #[test]
    fn no_peer_asks_for_a_pause_beyond_the_bounds(
        wishes in prop::collection::vec((0_u64..1 << 40, any::<u64>()), 1..40),
    ) {
        let mut pauses = Pauses::default();
        for (now_ms, wish_ms) in wishes {
            let until = pauses.extend(None, now_ms, wish_ms);
            prop_assert!(until >= now_ms + PAUSE_MIN_MS && until <= now_ms + PAUSE_MAX_MS);
            prop_assert!(until >= now_ms + wish_ms.min(PAUSE_MAX_MS));
            prop_assert!(pauses.is_on(None, until - 1) && !pauses.is_on(None, until));
        }
    }
}
