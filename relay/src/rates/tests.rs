use proptest::collection::vec;
use proptest::prelude::*;
use qpq_proto::Status;

use super::*;

/// Five at once, and one every 100 ms.
const RATE: RateLimit = RateLimit { burst: 5, interval_us: 100_000 };

#[test]
fn a_burst_is_let_through_and_then_one_in_each_interval() {
    let mut buckets = Buckets::new(RATE, 8);
    assert!((0..5).all(|_| buckets.take('a', 1, 1_000).is_ok()));
    let refused = buckets.take('a', 1, 1_000).unwrap_err();
    assert_eq!((refused.status, refused.retry_after_ms), (Status::RateLimited, 100));
    assert_eq!(buckets.take('a', 2, 1_050).unwrap_err().retry_after_ms, 150);
    assert!(buckets.take('b', 5, 1_050).is_ok(), "another's bucket is another");
    assert!(buckets.take('a', 1, 1_099).is_err());
    assert!(buckets.take('a', 1, 1_100).is_ok());
    assert!(buckets.take('a', 6, 1_000_000).is_err(), "never more than a bucket holds");
    buckets.forget('a');
    assert!(buckets.take('a', 5, 1_100).is_ok());
}

#[test]
fn whoever_used_most_is_remembered_longest() {
    let mut buckets = Buckets::new(RATE, 3);
    assert!(buckets.take(0, 5, 1_000).is_ok());
    for newcomer in 1..1_000 {
        assert!(buckets.take(newcomer, 1, 1_000).is_ok());
        assert!(buckets.full_at_us.len() <= 3);
        assert!(buckets.take(0, 1, 1_000).is_err(), "forgotten for newcomer {newcomer}");
    }
}

proptest! {
    /// Against buckets that are counted plainly: tokens in thousandths, one more in each ms for each hundredth.
    #[test]
    fn buckets_hold_what_a_plain_count_says(steps in vec((0..4_u8, 1..4_u32, 0..400_u64), 1..200)) {
        let mut buckets = Buckets::new(RATE, 4);
        let mut plain: BTreeMap<u8, (u64, u64)> = BTreeMap::new();
        let mut now_ms = 1_000;
        for (key, tokens, pause_ms) in steps {
            now_ms += pause_ms;
            let (held, at_ms) = plain.get(&key).copied().unwrap_or((5_000, now_ms));
            let held = (held + (now_ms - at_ms) * 10).min(5_000);
            let is_let = held >= u64::from(tokens) * 1_000;
            let left = if is_let { held - u64::from(tokens) * 1_000 } else { held };
            plain.insert(key, (left, now_ms));
            prop_assert_eq!(buckets.take(key, tokens, now_ms).is_ok(), is_let);
            prop_assert_eq!(buckets.full_at_us.len(), buckets.by_full_at.len());
        }
    }

    #[test]
    fn after_the_time_that_a_refusal_names_the_call_is_let_through(
        used in 0..6_u32, tokens in 1..6_u32, now_ms in 0..5_000_u64,
    ) {
        let mut buckets = Buckets::new(RATE, 4);
        for _ in 0..used {
            let _ = buckets.take('a', 1, now_ms);
        }
        if let Err(refused) = buckets.take('a', tokens, now_ms) {
            prop_assert!(buckets.take('a', tokens, now_ms + refused.retry_after_ms - 1).is_err());
            prop_assert!(buckets.take('a', tokens, now_ms + refused.retry_after_ms).is_ok());
        }
    }
}
