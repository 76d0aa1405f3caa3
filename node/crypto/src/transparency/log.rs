//! A log as it is kept: the nodes of complete subtrees, by level and index, from which every root and proof is
//! made in a number of reads that grows with the logarithm of the size.
//!
//! ```text
//! level 2             (2,0)
//!               /             \
//! level 1    (1,0)           (1,1)
//!            /   \           /   \
//! level 0 (0,0) (0,1)     (0,2) (0,3)     (0,4)       a log of 5 entries
//! ```
//!
//! A node is written once, when its last entry comes, and never changes: a log of `n` entries has fewer than
//! `2 n` of them. Who calls reads and writes them.

use super::merkle::{LogHash, ProofError, empty_root, node_hash};

/// The place of a node: `level` 0 are the entries' hashes, a node covers `2^level` entries from
/// `index * 2^level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodePlace {
    /// Levels above the entries.
    pub level: u8,
    /// Which node of the level, from 0.
    pub index: u64,
}

impl NodePlace {
    /// `level (1) | index (8)`, big-endian.
    pub fn encode(self) -> [u8; 9] {
        let mut bytes = [self.level; 9];
        bytes[1..].copy_from_slice(&self.index.to_be_bytes());
        bytes
    }
}

/// Why a log cannot be read; `E` is the error of whoever reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogError<E> {
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] E),
    /// A node that a log of this size has is not there: the storage is damaged.
    #[error("log lacks the node at level {}, index {}", .0.level, .0.index)]
    Missing(NodePlace),
    /// A proof was asked for about what is not in the log.
    #[error("{0}")]
    Range(ProofError),
}

/// The nodes to be written when an entry is appended to a log of `size` entries: its own, and those that it
/// completes. Reads at most 64 nodes, 1 on average.
///
/// # Errors
/// [`LogError::Storage`], [`LogError::Missing`].
pub fn append<E>(
    size: u64,
    leaf: LogHash,
    mut read: impl FnMut(NodePlace) -> Result<Option<LogHash>, E>,
) -> Result<Vec<(NodePlace, LogHash)>, LogError<E>> {
    let mut place = NodePlace { level: 0, index: size };
    let mut hash = leaf;
    let mut written = vec![(place, hash)];
    while place.index % 2 == 1 {
        let left = get(NodePlace { index: place.index - 1, ..place }, &mut read)?;
        hash = node_hash(&left, &hash);
        place = NodePlace { level: place.level + 1, index: place.index / 2 };
        written.push((place, hash));
    }
    Ok(written)
}

/// The root of the first `size` entries.
///
/// # Errors
/// [`LogError::Storage`], [`LogError::Missing`].
pub fn root<E>(
    size: u64,
    mut read: impl FnMut(NodePlace) -> Result<Option<LogHash>, E>,
) -> Result<LogHash, LogError<E>> {
    if size == 0 { Ok(empty_root()) } else { range_hash(0, size, &mut read) }
}

/// The proof that an entry is among the first `size` (RFC 9162, section 2.1.3.1).
///
/// # Errors
/// [`LogError`].
pub fn prove_inclusion<E>(
    index: u64,
    size: u64,
    mut read: impl FnMut(NodePlace) -> Result<Option<LogHash>, E>,
) -> Result<Vec<LogHash>, LogError<E>> {
    if index >= size {
        return Err(LogError::Range(ProofError::Range));
    }
    let (mut start, mut end, mut path) = (0, size, Vec::new());
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            path.push(range_hash(middle, end, &mut read)?);
            end = middle;
        } else {
            path.push(range_hash(start, middle, &mut read)?);
            start = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// The proof that the first `from` entries, at least 1, are the beginning of the first `size` (RFC 9162,
/// section 2.1.4.1).
///
/// # Errors
/// [`LogError`].
pub fn prove_consistency<E>(
    from: u64,
    size: u64,
    mut read: impl FnMut(NodePlace) -> Result<Option<LogHash>, E>,
) -> Result<Vec<LogHash>, LogError<E>> {
    if from == 0 || from > size {
        return Err(LogError::Range(ProofError::Range));
    }
    let (mut start, mut end, mut path) = (0, size, Vec::new());
    while from != end {
        let middle = start + split(end - start);
        if from <= middle {
            path.push(range_hash(middle, end, &mut read)?);
            end = middle;
        } else {
            path.push(range_hash(start, middle, &mut read)?);
            start = middle;
        }
    }
    // The earlier tree itself is known to whoever verifies.
    if start > 0 {
        path.push(range_hash(start, end, &mut read)?);
    }
    path.reverse();
    Ok(path)
}

/// The hash of the tree of the entries `start..end`, where the complete subtrees of their number, the largest
/// first, are nodes.
fn range_hash<E>(
    start: u64,
    end: u64,
    read: &mut impl FnMut(NodePlace) -> Result<Option<LogHash>, E>,
) -> Result<LogHash, LogError<E>> {
    let mut hash = None;
    let (mut rest, mut end) = (end - start, end);
    while rest > 0 {
        // The smallest one is the last.
        let level = rest.trailing_zeros();
        end -= 1 << level;
        rest -= 1 << level;
        let level = u8::try_from(level).expect("below 64");
        let left = get(NodePlace { level, index: end >> level }, read)?;
        hash = Some(hash.map_or(left, |right| node_hash(&left, &right)));
    }
    Ok(hash.unwrap_or_else(empty_root))
}

fn get<E>(
    place: NodePlace,
    read: &mut impl FnMut(NodePlace) -> Result<Option<LogHash>, E>,
) -> Result<LogHash, LogError<E>> {
    read(place)?.ok_or(LogError::Missing(place))
}

/// The largest power of two below `size`, which is at least 2.
fn split(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}
