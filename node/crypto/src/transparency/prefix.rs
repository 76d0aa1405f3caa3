//! The prefix tree: what each label's newest version is, under one root.
//!
//! A binary tree in which a label of 256 bits is found by its bits, the first bit of the first byte first. A
//! label's leaf stands as high as it can: where no other label shares the bits before. Labels are outputs of a
//! random function ([`crate::vrf`]), so that a tree of `n` of them is about `log2 n` deep.
//!
//! ```text
//! empty = 32 zero bytes
//! leaf  = SHA-256(0x02 | label (32) | version (8) | commitment (32))
//! inner = SHA-256(0x03 | left (32) | right (32))
//! ```
//!
//! From a root one way leads along a label's bits, and it ends in one of three ways: at the label's leaf, at
//! nothing, or at another label's leaf, the neighbour. In the last two cases the label is not in the tree. A
//! proof is the hashes beside that way and what is at its end, so that no root has two that contradict each
//! other unless SHA-256 is broken.
//!
//! Who calls reads and writes the nodes; a node's place is its depth and the bits that lead to it. Nothing is
//! ever removed.

mod node;

pub use node::{PrefixLeaf, PrefixNode, PrefixPlace};

use self::node::inner_hash;
use super::merkle::LogHash;

/// Hashes that a proof has at most: one for each bit of a label.
pub const PREFIX_PATH_MAX: usize = 256;
/// The hash of a tree or a branch in which there is nothing.
pub const EMPTY_PREFIX: LogHash = [0; 32];

/// Why the tree cannot be read; `E` is the error of whoever reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PrefixError<E> {
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] E),
    /// A node to which its parent leads is not there: the storage is damaged.
    #[error("prefix tree lacks a node at depth {}", .0.depth())]
    Missing(PrefixPlace),
    /// A stored node is none.
    #[error("stored node of the prefix tree is malformed")]
    Malformed,
}

/// What stands at the end of the way of a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrefixEnd {
    /// The label's own leaf.
    Leaf(PrefixLeaf),
    /// Another label's leaf.
    Neighbour(PrefixLeaf),
    /// Nothing.
    Empty,
}

/// That a label has a leaf in a tree, or has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrefixProof {
    /// What is at the end.
    pub end: PrefixEnd,
    /// The hashes beside the way, from the end to the root, at most [`PREFIX_PATH_MAX`].
    pub path: Vec<LogHash>,
}

/// Why a proof does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PrefixProofError {
    /// More hashes than a label has bits.
    #[error("proof in the prefix tree has {0} hashes, more than {PREFIX_PATH_MAX}")]
    TooLong(usize),
    /// A leaf where the label's way does not lead, the label's own as its neighbour, or another as its own.
    #[error("proof in the prefix tree is about another label")]
    Label,
    /// It leads to another root.
    #[error("proof in the prefix tree does not lead to its root")]
    Root,
}

/// What an insertion changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrefixUpdate {
    /// The root after it.
    pub root: LogHash,
    /// The nodes to be written, over those that are at their places.
    pub written: Vec<(PrefixPlace, PrefixNode)>,
}

/// The root of the stored tree.
///
/// # Errors
/// [`PrefixError::Storage`].
pub fn prefix_root<E>(
    mut read: impl FnMut(PrefixPlace) -> Result<Option<PrefixNode>, E>,
) -> Result<LogHash, PrefixError<E>> {
    Ok(read(PrefixPlace::ROOT)?.map_or(EMPTY_PREFIX, |node| node.hash()))
}

/// Sets a label, whether it is in the tree or not. Reads and writes as many nodes as the way is long.
///
/// # Errors
/// [`PrefixError`].
pub fn insert<E>(
    leaf: PrefixLeaf,
    read: impl FnMut(PrefixPlace) -> Result<Option<PrefixNode>, E>,
) -> Result<PrefixUpdate, PrefixError<E>> {
    let label = leaf.label;
    let Walk { end, mut beside } = walk(&label, read)?;
    let mut written = Vec::new();
    if let PrefixEnd::Neighbour(neighbour) = end {
        // Both move down to where they part.
        while bit(&label, beside.len()) == bit(&neighbour.label, beside.len()) {
            beside.push(EMPTY_PREFIX);
        }
        beside.push(neighbour.hash());
        let place = PrefixPlace::on_the_way(&neighbour.label, beside.len());
        written.push((place, PrefixNode::Leaf(neighbour)));
    }
    let mut hash = leaf.hash();
    written.push((PrefixPlace::on_the_way(&label, beside.len()), PrefixNode::Leaf(leaf)));
    for (depth, sibling) in beside.into_iter().enumerate().rev() {
        let (left, right) = if bit(&label, depth) { (sibling, hash) } else { (hash, sibling) };
        let node = PrefixNode::Inner { left, right };
        hash = node.hash();
        written.push((PrefixPlace::on_the_way(&label, depth), node));
    }
    Ok(PrefixUpdate { root: hash, written })
}

/// The proof of what the tree says of a label.
///
/// # Errors
/// [`PrefixError`].
pub fn prove<E>(
    label: &[u8; 32],
    read: impl FnMut(PrefixPlace) -> Result<Option<PrefixNode>, E>,
) -> Result<PrefixProof, PrefixError<E>> {
    let Walk { end, beside: mut path } = walk(label, read)?;
    path.reverse();
    Ok(PrefixProof { end, path })
}

impl PrefixProof {
    /// Verifies what the tree under `root` says of a label: its leaf, or that there is none.
    ///
    /// # Errors
    /// [`PrefixProofError`].
    pub fn verify(&self, label: &[u8; 32], root: &LogHash) -> Result<Option<PrefixLeaf>, PrefixProofError> {
        let depth = self.path.len();
        if depth > PREFIX_PATH_MAX {
            return Err(PrefixProofError::TooLong(depth));
        }
        let (end_hash, found) = match &self.end {
            PrefixEnd::Leaf(leaf) if leaf.label == *label => (leaf.hash(), Some(*leaf)),
            PrefixEnd::Neighbour(leaf) if leaf.label != *label && shares_way(&leaf.label, label, depth) => {
                (leaf.hash(), None)
            }
            PrefixEnd::Empty => (EMPTY_PREFIX, None),
            PrefixEnd::Leaf(_) | PrefixEnd::Neighbour(_) => return Err(PrefixProofError::Label),
        };
        let hash = self.path.iter().zip((0..depth).rev()).fold(end_hash, |hash, (sibling, depth)| {
            if bit(label, depth) { inner_hash(sibling, &hash) } else { inner_hash(&hash, sibling) }
        });
        if hash == *root { Ok(found) } else { Err(PrefixProofError::Root) }
    }
}

/// The way of a label: what is beside it, from the root, and what is at its end.
struct Walk {
    end: PrefixEnd,
    beside: Vec<LogHash>,
}

fn walk<E>(
    label: &[u8; 32],
    mut read: impl FnMut(PrefixPlace) -> Result<Option<PrefixNode>, E>,
) -> Result<Walk, PrefixError<E>> {
    let mut beside = Vec::new();
    let mut node = read(PrefixPlace::ROOT)?;
    loop {
        let (left, right) = match node {
            None => return Ok(Walk { end: PrefixEnd::Empty, beside }),
            Some(PrefixNode::Leaf(leaf)) => {
                let is_own = leaf.label == *label;
                let end = if is_own { PrefixEnd::Leaf(leaf) } else { PrefixEnd::Neighbour(leaf) };
                return Ok(Walk { end, beside });
            }
            Some(PrefixNode::Inner { left, right }) => (left, right),
        };
        if beside.len() == PREFIX_PATH_MAX {
            return Err(PrefixError::Malformed);
        }
        let (ahead, sibling) = if bit(label, beside.len()) { (right, left) } else { (left, right) };
        beside.push(sibling);
        node = if ahead == EMPTY_PREFIX {
            None
        } else {
            let place = PrefixPlace::on_the_way(label, beside.len());
            Some(read(place)?.ok_or(PrefixError::Missing(place))?)
        };
    }
}

fn bit(label: &[u8; 32], depth: usize) -> bool {
    label[depth / 8] >> (7 - depth % 8) & 1 == 1
}

/// Whether the first `depth` bits are the same.
fn shares_way(one: &[u8; 32], other: &[u8; 32], depth: usize) -> bool {
    (0..depth).all(|depth| bit(one, depth) == bit(other, depth))
}
