//! Which of a sender's numbered contents are here, and which are missing.
//!
//! Senders count their contents in a conversation from 1. A newcomer starts with the first sequence it sees.
//! The set of what is here is kept as everything up to `contiguous` plus a short list above it; what falls so far
//! behind that the list would grow without bound is given up.

use crate::records::SenderRecord;

/// Longest list of sequences above the contiguous ones.
const AHEAD_MAX: usize = 1_024;

/// Whether a sequence is here already.
pub(crate) fn is_here(sender: &SenderRecord, sequence: u64) -> bool {
    sequence <= sender.contiguous || sender.ahead.binary_search(&sequence).is_ok()
}

/// Records that a sequence is here.
pub(crate) fn arrived(sender: &mut SenderRecord, sequence: u64) {
    if sender.contiguous == 0 && sender.ahead.is_empty() {
        sender.contiguous = sequence;
        return;
    }
    if is_here(sender, sequence) {
        return;
    }
    let position = sender.ahead.partition_point(|&here| here < sequence);
    sender.ahead.insert(position, sequence);
    if sender.ahead.len() > AHEAD_MAX {
        sender.contiguous = sender.ahead[0];
    }
    close_up(sender);
}

/// The sequences that are missing below the newest one, at most `limit`, oldest first.
pub(crate) fn missing(sender: &SenderRecord, limit: usize) -> Vec<u64> {
    let Some(&newest) = sender.ahead.last() else { return Vec::new() };
    (sender.contiguous + 1..newest).filter(|sequence| !is_here(sender, *sequence)).take(limit).collect()
}

/// How many sequences are missing below the newest one.
pub(crate) fn missing_count(sender: &SenderRecord) -> u64 {
    sender.ahead.last().map_or(0, |&newest| newest - sender.contiguous - sender.ahead.len() as u64)
}

fn close_up(sender: &mut SenderRecord) {
    let mut closed = 0;
    for &sequence in &sender.ahead {
        if sequence > sender.contiguous + 1 {
            break;
        }
        sender.contiguous = sender.contiguous.max(sequence);
        closed += 1;
    }
    sender.ahead.drain(..closed);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_newcomer_starts_where_it_comes_in() {
        let mut sender = SenderRecord::default();
        arrived(&mut sender, 41);
        arrived(&mut sender, 43);
        assert_eq!(missing(&sender, 9), [42]);
        arrived(&mut sender, 42);
        assert_eq!(sender.contiguous, 43);
        assert!(sender.ahead.is_empty());
    }

    proptest! {
        #[test]
        fn agrees_with_a_plain_set(sequences in prop::collection::vec(2u64..200, 0..150)) {
            let mut sender = SenderRecord::default();
            arrived(&mut sender, 1);
            let mut model = BTreeSet::from([1]);
            for sequence in sequences {
                arrived(&mut sender, sequence);
                model.insert(sequence);
                let newest = *model.last().unwrap();
                let absent: Vec<u64> = (1..newest).filter(|s| !model.contains(s)).collect();
                prop_assert_eq!(missing(&sender, usize::MAX), absent.clone());
                prop_assert_eq!(missing_count(&sender), absent.len() as u64);
                prop_assert!((1..=newest).all(|s| is_here(&sender, s) == model.contains(&s)));
            }
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
}
