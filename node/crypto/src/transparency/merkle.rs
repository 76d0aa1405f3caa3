//! Merkle trees of RFC 9162, section 2.1: hashes, and verification of proofs.
//!
//! Both verifications are given for subtrees as well, as the draft of Merkle Tree Certificates defines them:
//! entries `start..end`, where `start` is a multiple of the least power of two that is not below `end - start`.
//! A tree is its subtree from 0.

use sha2::{Digest, Sha256};

/// A SHA-256 hash: of an entry, of a node, or the root of a tree.
pub type LogHash = [u8; 32];

/// Why a proof does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The entry is not in the tree, the earlier tree is not the smaller one, or a size is 0.
    #[error("proof is about entries or sizes that do not go together")]
    Range,
    /// More or fewer hashes than the place in the tree needs.
    #[error("proof has the wrong number of hashes")]
    Length,
    /// It leads to another root, or from another one.
    #[error("proof does not lead to the root")]
    Root,
}

/// The root of a tree without entries.
pub fn empty_root() -> LogHash {
    Sha256::digest(b"").into()
}

/// The hash of an entry.
pub fn leaf_hash(entry: &[u8]) -> LogHash {
    Sha256::new().chain_update([0x00]).chain_update(entry).finalize().into()
}

/// The hash of a node above two others.
pub fn node_hash(left: &LogHash, right: &LogHash) -> LogHash {
    Sha256::new().chain_update([0x01]).chain_update(left).chain_update(right).finalize().into()
}

/// Verifies that an entry is in a tree of `size` entries (section 2.1.3.2).
///
/// # Errors
/// [`ProofError`].
pub fn verify_inclusion(
    index: u64,
    size: u64,
    leaf: &LogHash,
    path: &[LogHash],
    root: &LogHash,
) -> Result<(), ProofError> {
    verify_subtree_inclusion(index, 0, size, leaf, path, root)
}

/// Verifies that an entry of a log is in the subtree `start..end` of it.
///
/// # Errors
/// [`ProofError`].
pub fn verify_subtree_inclusion(
    index: u64,
    start: u64,
    end: u64,
    leaf: &LogHash,
    path: &[LogHash],
    root: &LogHash,
) -> Result<(), ProofError> {
    check_subtree(start, end)?;
    if !(start..end).contains(&index) {
        return Err(ProofError::Range);
    }
    let (mut node, mut last, mut hash) = (index - start, end - start - 1, *leaf);
    for sibling in path {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if node % 2 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            // At the right border the levels at which there is nothing to the right are not in the tree.
            let skipped = node.trailing_zeros().min(63);
            (node, last) = (node >> skipped, last >> skipped);
        } else {
            hash = node_hash(&hash, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if last != 0 {
        return Err(ProofError::Length);
    }
    if hash == *root { Ok(()) } else { Err(ProofError::Root) }
}

/// Verifies that a tree of `from` entries is the beginning of one of `size` entries (section 2.1.4.2). That of
/// an empty tree is not provable, nor in doubt: `from` is at least 1.
///
/// # Errors
/// [`ProofError`].
pub fn verify_consistency(
    from: u64,
    size: u64,
    from_root: &LogHash,
    root: &LogHash,
    path: &[LogHash],
) -> Result<(), ProofError> {
    if from == 0 {
        return Err(ProofError::Range);
    }
    verify_subtree_consistency(0, from, size, from_root, root, path)
}

/// Verifies that `start..end` is a subtree of a tree of `size` entries. An empty one is in every tree.
///
/// # Errors
/// [`ProofError`].
pub fn verify_subtree_consistency(
    start: u64,
    end: u64,
    size: u64,
    subtree_root: &LogHash,
    root: &LogHash,
    path: &[LogHash],
) -> Result<(), ProofError> {
    if start == end && end <= size {
        return verify_empty(subtree_root, path);
    }
    let (subtree_hash, hash) = fold_consistency(start, end, size, subtree_root, path)?;
    if subtree_hash == *subtree_root && hash == *root { Ok(()) } else { Err(ProofError::Root) }
}

/// The root that a tree of `size` entries with this root has at `from` entries, as a proof of consistency shows it: whoever
/// makes a tree cannot show two. `complete` is taken for it where the path leaves it out, as it does where `from` is a
/// power of two.
///
/// # Errors
/// [`ProofError`] where the path does not lead to the root.
pub fn shown_root(
    from: u64,
    size: u64,
    root: &LogHash,
    path: &[LogHash],
    complete: &LogHash,
) -> Result<LogHash, ProofError> {
    if from == 0 || from > size {
        return Err(ProofError::Range);
    }
    let (shown, hash) = fold_consistency(0, from, size, complete, path)?;
    if hash == *root { Ok(shown) } else { Err(ProofError::Root) }
}

/// The roots of the subtree and of the tree to which a path leads.
fn fold_consistency(
    start: u64,
    end: u64,
    size: u64,
    subtree_root: &LogHash,
    path: &[LogHash],
) -> Result<(LogHash, LogHash), ProofError> {
    if end > size {
        return Err(ProofError::Range);
    }
    check_subtree(start, end)?;
    let (mut first, mut node, mut last) = (start, end - 1, size - 1);
    // Up to the highest complete node that ends where the subtree ends.
    while first != node && (node == last || node % 2 == 1) {
        (first, node, last) = (first >> 1, node >> 1, last >> 1);
    }
    let mut path = path.iter();
    let mut subtree_hash =
        if first == node { *subtree_root } else { *path.next().ok_or(ProofError::Length)? };
    let mut hash = subtree_hash;
    for sibling in path {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if node % 2 == 1 || node == last {
            if first < node {
                subtree_hash = node_hash(sibling, &subtree_hash);
            }
            hash = node_hash(sibling, &hash);
            let skipped = node.trailing_zeros().min(63);
            (first, node, last) = (first >> skipped, node >> skipped, last >> skipped);
        } else {
            hash = node_hash(&hash, sibling);
        }
        (first, node, last) = (first >> 1, node >> 1, last >> 1);
    }
    if last == 0 { Ok((subtree_hash, hash)) } else { Err(ProofError::Length) }
}

fn verify_empty(root: &LogHash, path: &[LogHash]) -> Result<(), ProofError> {
    if !path.is_empty() {
        return Err(ProofError::Length);
    }
    if *root == empty_root() { Ok(()) } else { Err(ProofError::Root) }
}

fn check_subtree(start: u64, end: u64) -> Result<(), ProofError> {
    let length = end.checked_sub(start).filter(|length| *length > 0).ok_or(ProofError::Range)?;
    let is_aligned = match length.checked_next_power_of_two() {
        Some(span) => start.is_multiple_of(span),
        None => start == 0,
    };
    if is_aligned { Ok(()) } else { Err(ProofError::Range) }
}
