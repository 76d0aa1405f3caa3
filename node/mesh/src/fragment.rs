//! What is larger than the largest body travels in pieces.
//!
//! ```text
//!  object  ├──────── 300 KB ────────┤
//!  pieces  ├ 0 ┤├ 1 ┤├ 2 ┤├ 3 ┤├ 4 ┤    each sealed as a bundle of its own, with a salt of its own
//!
//!  piece   name (16) | index (2) | count (2) | hash of each piece (16 each) | bytes
//!  object id = BLAKE3-derive-key("qpq/v1/pieces", name | hash of each piece), its first 16 bytes
//! ```
//!
//! The header of a piece lies inside the sealed body, so that a carrier sees unrelated bundles, each of which has custody
//! of its own. It names the hashes of all pieces, and the object is named by those: a piece proves by itself that it is
//! one of the object's, so that nobody who can seal for the same recipients can put a false piece among another's.
//!
//! Whoever opens them notes in an [`Assembly`] which bundle holds which piece. It is bounded in bytes, for each
//! neighbour that brings pieces and for all: a neighbour displaces its own oldest first.

use std::sync::Arc;

use bytes::Bytes;

pub use assembly::{Assembly, AssemblyLimits, Noted};

mod assembly;

/// Most pieces of an object.
pub const PIECES_MAX: u16 = 128;
/// Longest object, bytes.
pub const OBJECT_BYTES_MAX: usize = 4 << 20;

const FIXED_HEADER_BYTES: usize = 16 + 2 + 2;
const HASH_BYTES: usize = 16;
const OBJECT_CONTEXT: &str = "qpq/v1/pieces";

/// Which object: a hash of its name and of its pieces' hashes.
pub type ObjectId = [u8; 16];
/// What the sender calls an object.
pub type ObjectName = [u8; 16];

/// One piece of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    name: ObjectName,
    index: u16,
    hashes: Arc<[[u8; HASH_BYTES]]>,
    bytes: Bytes,
}

/// Why something cannot be cut, or is no piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FragmentError {
    /// The object is empty, longer than [`OBJECT_BYTES_MAX`], or needs more than [`PIECES_MAX`] pieces.
    #[error("an object of {0} bytes cannot be cut into pieces of this length")]
    Object(usize),
    /// The piece's header is malformed.
    #[error("the header of a piece is malformed")]
    Header,
    /// The piece is another than the one that its header names.
    #[error("the piece is not the one that its header names")]
    Hash,
}

/// Cuts an object into as few pieces as possible of which none is longer than `encoded_bytes_max`, with its header.
///
/// # Errors
/// [`FragmentError::Object`].
pub fn cut(name: ObjectName, object: &Bytes, encoded_bytes_max: usize) -> Result<Vec<Piece>, FragmentError> {
    let refused = FragmentError::Object(object.len());
    if object.is_empty() || object.len() > OBJECT_BYTES_MAX {
        return Err(refused);
    }
    // The header grows with the number of pieces.
    let room = |count: u16| encoded_bytes_max.saturating_sub(header_bytes(count));
    let count = (1..=PIECES_MAX).find(|count| room(*count) * usize::from(*count) >= object.len());
    let count = count.ok_or(refused)?;
    let parts: Vec<Bytes> = (0..usize::from(count))
        .map(|index| {
            let (start, end) = (index * room(count), (index + 1) * room(count));
            object.slice(start.min(object.len())..end.min(object.len()))
        })
        .collect();
    let hashes: Arc<[_]> = parts.iter().map(|part| hash(part)).collect();
    let piece = |(index, bytes)| Piece { name, index, hashes: Arc::clone(&hashes), bytes };
    Ok((0..count).zip(parts).map(piece).collect())
}

impl Piece {
    /// Which object it is a piece of.
    #[must_use]
    pub fn object(&self) -> ObjectId {
        let mut hasher = blake3::Hasher::new_derive_key(OBJECT_CONTEXT);
        hasher.update(&self.name).update(self.hashes.as_flattened());
        first_bytes(&hasher.finalize())
    }

    /// What the sender calls the object.
    #[must_use]
    pub const fn name(&self) -> ObjectName {
        self.name
    }

    /// Which piece, from 0.
    #[must_use]
    pub const fn index(&self) -> u16 {
        self.index
    }

    /// How many pieces there are.
    #[must_use]
    pub fn count(&self) -> u16 {
        u16::try_from(self.hashes.len()).unwrap_or(PIECES_MAX)
    }

    /// Its part of the object.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Header and bytes, to be sealed.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut encoded = Vec::with_capacity(header_bytes(self.count()) + self.bytes.len());
        encoded.extend_from_slice(&self.name);
        encoded.extend_from_slice(&self.index.to_be_bytes());
        encoded.extend_from_slice(&self.count().to_be_bytes());
        encoded.extend_from_slice(self.hashes.as_flattened());
        encoded.extend_from_slice(&self.bytes);
        encoded
    }

    /// Reads what was sealed.
    ///
    /// # Errors
    /// [`FragmentError::Header`] and [`FragmentError::Hash`].
    pub fn decode(encoded: &Bytes) -> Result<Self, FragmentError> {
        let (name, rest) = encoded.split_first_chunk::<16>().ok_or(FragmentError::Header)?;
        let (index, rest) = rest.split_first_chunk::<2>().ok_or(FragmentError::Header)?;
        let (count, rest) = rest.split_first_chunk::<2>().ok_or(FragmentError::Header)?;
        let (index, count) = (u16::from_be_bytes(*index), u16::from_be_bytes(*count));
        let hashes_bytes = usize::from(count) * HASH_BYTES;
        if count > PIECES_MAX || index >= count || rest.len() <= hashes_bytes {
            return Err(FragmentError::Header);
        }
        let (hashes, _) = rest[..hashes_bytes].as_chunks::<HASH_BYTES>();
        let bytes = encoded.slice(header_bytes(count)..);
        if hash(&bytes) != hashes[usize::from(index)] {
            return Err(FragmentError::Hash);
        }
        Ok(Self { name: *name, index, hashes: hashes.into(), bytes })
    }
}

fn header_bytes(count: u16) -> usize {
    FIXED_HEADER_BYTES + usize::from(count) * HASH_BYTES
}

fn hash(bytes: &[u8]) -> [u8; HASH_BYTES] {
    first_bytes(&blake3::hash(bytes))
}

fn first_bytes(hash: &blake3::Hash) -> [u8; HASH_BYTES] {
    let mut first = [0; HASH_BYTES];
    first.copy_from_slice(&hash.as_bytes()[..HASH_BYTES]);
    first
}

#[cfg(test)]
mod tests;
