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
mod tests;
