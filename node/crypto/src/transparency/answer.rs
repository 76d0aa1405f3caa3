//! An answer about a name, as a client takes it apart.

use super::entry::{LogEntry, OPENING_BYTES};
use super::head::TreeHead;
use super::merkle::{LogHash, verify_inclusion};
use super::prefix::{EMPTY_PREFIX, PrefixLeaf};
use super::violation::Violation;

/// An answer to "who is this", as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookupAnswer {
    /// The present tree.
    pub head: TreeHead,
    /// From the tree remembered to the present one.
    pub consistency: Option<Consistency>,
    /// Of the label.
    pub vrf_proof: Vec<u8>,
    /// Of the commitment; nothing where nobody is found.
    pub opening: Option<[u8; OPENING_BYTES]>,
    /// The newest entry; nothing where the log is empty.
    pub newest: Option<NewestEntry>,
    /// From the label's place to the root of the prefix tree.
    pub prefix_path: Vec<LogHash>,
    /// The other label's leaf that stands where an absent label would.
    pub neighbour: Option<PrefixLeaf>,
}

/// The last entry of a log, with the proof that it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewestEntry {
    /// The entry.
    pub entry: LogEntry,
    /// Its index.
    pub index: u64,
    /// Size of the tree for which the proof is.
    pub size: u64,
    /// From the entry to the root.
    pub path: Vec<LogHash>,
}

/// That one tree is the beginning of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consistency {
    /// Size of the earlier one.
    pub from: u64,
    /// Size of the later one.
    pub size: u64,
    /// As [`super::merkle::verify_consistency`] takes it.
    pub path: Vec<LogHash>,
}

impl LookupAnswer {
    /// The root of the prefix tree as the last entry of the log has it.
    pub(super) fn prefix_root(&self) -> Result<LogHash, Violation> {
        let Some(newest) = &self.newest else {
            return if self.head.size == 0 { Ok(EMPTY_PREFIX) } else { Err(Violation::NotNewest) };
        };
        if self.head.size == 0 {
            return Err(Violation::EmptyLog);
        }
        if newest.size != self.head.size || newest.index != self.head.size - 1 {
            return Err(Violation::NotNewest);
        }
        verify_inclusion(newest.index, newest.size, &newest.entry.hash(), &newest.path, &self.head.root)
            .map_err(Violation::Inclusion)?;
        Ok(newest.entry.prefix_root)
    }
}
