//! Nodes of the prefix tree, as they are hashed and stored.

use sha2::{Digest, Sha256};

use crate::encoding::{Reader, Truncated};
use crate::transparency::merkle::LogHash;

/// A label and what the tree says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrefixLeaf {
    /// What stands for the name.
    pub label: [u8; 32],
    /// How often the label was set, from 1.
    pub version: u64,
    /// Commitment to the value.
    pub commitment: [u8; 32],
}

/// A node as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrefixNode {
    /// The only label below this place.
    Leaf(PrefixLeaf),
    /// The hashes of the two branches.
    Inner {
        /// Where the next bit is 0.
        left: LogHash,
        /// Where the next bit is 1.
        right: LogHash,
    },
}

/// The place of a node: how many bits lead to it, and which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PrefixPlace {
    depth: u16,
    /// The bits after the first `depth` are 0.
    bits: [u8; 32],
}

impl PrefixLeaf {
    /// The hash of the leaf.
    pub fn hash(&self) -> LogHash {
        Sha256::new()
            .chain_update([0x02])
            .chain_update(self.label)
            .chain_update(self.version.to_be_bytes())
            .chain_update(self.commitment)
            .finalize()
            .into()
    }
}

impl PrefixNode {
    /// The hash of the node.
    pub fn hash(&self) -> LogHash {
        match self {
            Self::Leaf(leaf) => leaf.hash(),
            Self::Inner { left, right } => inner_hash(left, right),
        }
    }

    /// `2 | label (32) | version (8) | commitment (32)` or `3 | left (32) | right (32)`.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Leaf(leaf) => {
                [&[0x02], &leaf.label[..], &leaf.version.to_be_bytes(), &leaf.commitment].concat()
            }
            Self::Inner { left, right } => [&[0x03], &left[..], right].concat(),
        }
    }

    /// Reads what [`PrefixNode::encode`] wrote; nothing for anything else.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        Self::read(bytes).ok().flatten()
    }

    fn read(bytes: &[u8]) -> Result<Option<Self>, Truncated> {
        let mut reader = Reader::new(bytes);
        let node = match reader.u8()? {
            0x02 => Self::Leaf(PrefixLeaf {
                label: reader.array()?,
                version: reader.u64()?,
                commitment: reader.array()?,
            }),
            0x03 => Self::Inner { left: reader.array()?, right: reader.array()? },
            _ => return Ok(None),
        };
        Ok(Some(node).filter(|_| reader.remaining() == 0))
    }
}

impl PrefixPlace {
    /// Where every way begins.
    pub const ROOT: Self = Self { depth: 0, bits: [0; 32] };

    /// The place to which the first `depth` bits of a label lead.
    pub(super) fn on_the_way(label: &[u8; 32], depth: usize) -> Self {
        let mut bits = *label;
        for (index, byte) in bits.iter_mut().enumerate() {
            let kept = depth.saturating_sub(8 * index).min(8);
            *byte &= u8::try_from(0xff00_u16 >> kept & 0xff).unwrap_or(0);
        }
        Self { depth: u16::try_from(depth).expect("a label has 256 bits"), bits }
    }

    /// How many bits lead to it.
    pub fn depth(&self) -> u16 {
        self.depth
    }

    /// `depth (2) | bits (as many bytes as they need)`.
    pub fn encode(&self) -> Vec<u8> {
        let length = usize::from(self.depth.div_ceil(8));
        [&self.depth.to_be_bytes(), &self.bits[..length]].concat()
    }
}

pub(super) fn inner_hash(left: &LogHash, right: &LogHash) -> LogHash {
    Sha256::new().chain_update([0x03]).chain_update(left).chain_update(right).finalize().into()
}
