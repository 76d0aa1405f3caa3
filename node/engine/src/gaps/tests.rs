use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// A sender whose contents came in this order.
fn after(sequences: impl IntoIterator<Item = u64>) -> SenderRecord {
    let mut sender = SenderRecord::default();
    sequences.into_iter().for_each(|sequence| arrived(&mut sender, sequence));
    sender
}

#[test]
fn a_newcomer_starts_where_it_comes_in() {
    let mut sender = after([41, 43]);
    assert_eq!(missing(&sender, 9), [42]);
    arrived(&mut sender, 42);
    assert_eq!(sender.contiguous, 43);
    assert!(sender.ahead.is_empty());
}

#[test]
fn nothing_is_missing_where_nothing_came() {
    let sender = SenderRecord::default();
    assert_eq!((missing(&sender, 9), missing_count(&sender)), (Vec::new(), 0));
    assert!(!is_here(&sender, 1));
}

#[test]
fn what_came_before_the_first_one_is_not_asked_for() {
    for late in [40, 1, 41] {
        let sender = after([41, late]);
        assert_eq!((sender.contiguous, missing_count(&sender)), (41, 0), "{late}");
    }
}

#[test]
fn the_oldest_are_asked_for_first() {
    let sender = after([1, 5, 9]);
    for (limit, expected) in [(0, &[][..]), (1, &[2]), (4, &[2, 3, 4, 6]), (9, &[2, 3, 4, 6, 7, 8])] {
        assert_eq!(missing(&sender, limit), expected);
    }
    assert_eq!(missing_count(&sender), 6);
}

#[test]
fn sequences_at_the_end_of_all_numbers_do_no_harm() {
    for first in [1, u64::MAX - 1, u64::MAX] {
        let mut sender = after([first, u64::MAX, u64::MAX - 1, u64::MAX - 2]);
        assert!(is_here(&sender, u64::MAX));
        assert!(missing(&sender, 3).len() <= 3);
        arrived(&mut sender, u64::MAX);
        assert_eq!(
            missing_count(&sender),
            missing_count(&after([first, u64::MAX, u64::MAX - 1, u64::MAX - 2]))
        );
    }
    assert_eq!(missing(&after([1, u64::MAX]), 2), [2, 3], "found without counting to the end");
}

#[test]
fn what_falls_too_far_behind_is_given_up() {
    let every_other = |count: usize| (0..count as u64).map(|step| 1 + 2 * step);
    let full = after(every_other(1 + AHEAD_MAX));
    assert_eq!((full.contiguous, full.ahead.len(), missing_count(&full)), (1, AHEAD_MAX, AHEAD_MAX as u64));
    let over = after(every_other(2 + AHEAD_MAX));
    assert_eq!((over.contiguous, missing(&over, 1)), (3, vec![4]), "2 is asked for no more");
    assert!(is_here(&over, 2), "and should it come, it is no news");
}

/// What is here, as a set, and from where on it counts.
#[derive(Default)]
struct Model {
    start: u64,
    here: BTreeSet<u64>,
}

impl Model {
    fn arrived(&mut self, sequence: u64) {
        if self.here.is_empty() {
            self.start = sequence;
        }
        if sequence >= self.start {
            self.here.insert(sequence);
        }
        // Everything up to the first gap counts as one; of the rest only so many are remembered.
        while self.beyond_the_gap().count() > AHEAD_MAX {
            let oldest = self.beyond_the_gap().next().unwrap();
            self.start = oldest;
            self.here = self.here.split_off(&oldest);
        }
    }

    fn beyond_the_gap(&self) -> impl Iterator<Item = u64> {
        let start = self.start;
        self.here
            .iter()
            .copied()
            .enumerate()
            .filter_map(move |(index, sequence)| (sequence > start + index as u64).then_some(sequence))
    }

    fn missing(&self) -> Vec<u64> {
        let newest = self.here.last().copied().unwrap_or_default();
        (self.start..newest).filter(|sequence| !self.here.contains(sequence)).collect()
    }
}

fn check(sender: &SenderRecord, model: &Model) -> Result<(), TestCaseError> {
    let absent = model.missing();
    prop_assert_eq!(missing_count(sender), absent.len() as u64);
    prop_assert_eq!(missing(sender, 7), absent.iter().copied().take(7).collect::<Vec<_>>());
    prop_assert_eq!(missing(sender, usize::MAX), absent);
    let newest = model.here.last().copied().unwrap_or_default();
    for sequence in model.start..=newest {
        prop_assert_eq!(is_here(sender, sequence), model.here.contains(&sequence), "{}", sequence);
    }
    Ok(())
}

proptest! {
    #[test]
    fn agrees_with_a_plain_set(sequences in prop::collection::vec(1..200_u64, 0..150)) {
        let (mut sender, mut model) = (SenderRecord::default(), Model::default());
        for sequence in sequences {
            arrived(&mut sender, sequence);
            model.arrived(sequence);
            check(&sender, &model)?;
        }
    }

    #[test]
    fn order_and_repetition_do_not_matter(
        sequences in prop::collection::vec(2..100_u64, 0..60),
        shuffled in prop::collection::vec(any::<prop::sample::Index>(), 0..60),
    ) {
        let in_order: BTreeSet<u64> = sequences.iter().copied().collect();
        let straight = after(std::iter::once(1).chain(in_order));
        let again = shuffled.iter().filter(|_| !sequences.is_empty()).map(|at| *at.get(&sequences));
        let crooked = after(std::iter::once(1).chain(sequences.clone()).chain(again));
        prop_assert_eq!(straight, crooked);
    }

    #[test]
    fn the_list_stays_short(sequences in prop::collection::vec(1u64..u64::MAX / 2, 0..64)) {
        let mut sender = SenderRecord::default();
        for sequence in sequences {
            for step in 0..64 {
                arrived(&mut sender, sequence + 2 * step);
            }
            prop_assert!(sender.ahead.len() <= AHEAD_MAX);
        }
    }
}

proptest! {
    // Each case is thousands of contents, and the model is slow.
    #![proptest_config(ProptestConfig::with_cases(10))]

    #[test]
    fn gives_up_what_the_model_gives_up(
        strides in prop::collection::vec((1..5_u64, 1..400_usize), 1..8),
        late in prop::collection::vec(1..3_000_u64, 0..20),
    ) {
        let (mut sender, mut model, mut sequence) = (SenderRecord::default(), Model::default(), 0);
        for (stride, count) in strides {
            for _ in 0..count {
                sequence += stride;
                arrived(&mut sender, sequence);
                model.arrived(sequence);
            }
            prop_assert!(sender.ahead.len() <= AHEAD_MAX);
        }
        for sequence in late {
            arrived(&mut sender, sequence);
            model.arrived(sequence);
        }
        check(&sender, &model)?;
    }
}
