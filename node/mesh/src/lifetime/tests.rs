use proptest::prelude::*;

use super::*;

const YEAR_2026: u64 = 1_767_225_600_000;

#[test]
fn believable_gaps_are_charged_in_full() {
    assert_eq!(gap_ms(YEAR_2026, YEAR_2026), 0);
    assert_eq!(gap_ms(YEAR_2026, YEAR_2026 + 5_000), 5_000);
    assert_eq!(gap_ms(YEAR_2026, YEAR_2026 + BELIEVABLE_GAP_MS_MAX), BELIEVABLE_GAP_MS_MAX);
}

#[test]
fn unset_and_jumping_clocks_charge_six_hours() {
    for (last, now) in [(0, 1_000), (0, YEAR_2026), (YEAR_2026, 0), (YEAR_2026, 2_208_988_800_000)] {
        assert_eq!(gap_ms(last, now), DOUBTFUL_GAP_MS, "from {last} to {now}");
    }
}

#[test]
fn claims_are_believed_up_to_the_maximum() {
    for (remaining, max, lived_s) in [(10, 20, 10), (30, 20, 20), (u32::MAX, u32::MAX, LIFETIME_S_MAX)] {
        assert_eq!(expires_ms(1_000, remaining, max), 1_000 + u64::from(lived_s) * 1_000);
    }
    assert_eq!(expires_ms(u64::MAX - 5, 10, 10), u64::MAX);
}

#[test]
fn ages_count_from_the_sender() {
    assert_eq!(age_ms(5_000, 15_000, 10), 0);
    assert_eq!(age_ms(12_000, 15_000, 10), 7_000);
    assert_eq!(age_ms(99_000, 15_000, 10), 10_000, "never older than it may get");
    assert_eq!(age_ms(5_000, 90_000, 10), 0, "nor younger than new");
}

#[test]
fn a_tombstone_outlives_its_bundle_by_a_quarter() {
    assert_eq!(tombstone_expires_ms(1_000, 100), 126_000);
}

proptest! {
    /// However often a bundle changes hands and whatever it claims, it does not live longer than its maximum.
    #[test]
    fn no_chain_of_holders_makes_a_bundle_live_longer(
        max_s in 1..LIFETIME_S_MAX,
        holds in prop::collection::vec(0..100_000_000_u64, 1..40),
        clocks in prop::collection::vec(0..u64::MAX / 4, 40),
    ) {
        let (mut lived_ms, mut remaining) = (0, max_s);
        for (held_ms, clock_ms) in holds.iter().zip(clocks) {
            let end_ms = expires_ms(clock_ms, remaining, max_s);
            if end_ms <= clock_ms + held_ms {
                lived_ms += end_ms - clock_ms;
                break;
            }
            lived_ms += held_ms;
            remaining = remaining_s(clock_ms + held_ms, end_ms);
        }
        prop_assert!(lived_ms <= u64::from(max_s) * 1_000);
    }

    #[test]
    fn gaps_are_never_negative_nor_longer_than_is_believed(last: u64, now: u64) {
        prop_assert!(gap_ms(last, now) <= BELIEVABLE_GAP_MS_MAX);
    }
}
