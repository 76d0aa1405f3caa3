//! What is larger than the largest body travels in pieces.
//!
//! ```text
//!  object  ├──────── 300 KB ────────┤
//!  pieces  ├ 0 ┤├ 1 ┤├ 2 ┤├ 3 ┤├ 4 ┤    each sealed as a bundle of its own, with a salt of its own
//! ```
//!
//! The header of a piece ([`Piece`]: which object, which piece, how many) lies inside the sealed body, so that a carrier
//! sees unrelated bundles. Whoever opens them puts them together in an [`Assembly`], which is bounded in every way: a
//! sender cannot make a recipient hold more than its share, and pieces that contradict each other are refused.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

/// Most pieces of an object.
pub const PIECES_MAX: u16 = 128;
/// Longest object, bytes.
pub const OBJECT_BYTES_MAX: usize = 4 << 20;
/// Length of the header of a piece, bytes.
pub const PIECE_HEADER_BYTES: usize = 16 + 2 + 2;

/// Which object.
pub type ObjectId = [u8; 16];

/// One piece of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Which object.
    pub object: ObjectId,
    /// Which piece, from 0.
    pub index: u16,
    /// How many pieces there are.
    pub count: u16,
    /// Its part of the object, at least one byte.
    pub bytes: Bytes,
}

/// Why something cannot be cut, or a piece not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FragmentError {
    /// The object is empty, longer than [`OBJECT_BYTES_MAX`], or needs more than [`PIECES_MAX`] pieces.
    #[error("an object of {0} bytes cannot be cut into pieces of this length")]
    Object(usize),
    /// The piece's header is malformed.
    #[error("the header of a piece is malformed")]
    Header,
    /// The piece contradicts one that came before.
    #[error("the piece contradicts one that came before")]
    Contradiction,
    /// The sender has as many unfinished objects, or bytes of them, as it may.
    #[error("too many unfinished objects")]
    TooMany,
}

/// Cuts an object into pieces of at most `piece_bytes` each, their headers not counted.
///
/// # Errors
/// [`FragmentError::Object`].
pub fn cut(object: ObjectId, bytes: &Bytes, piece_bytes: usize) -> Result<Vec<Piece>, FragmentError> {
    let refused = FragmentError::Object(bytes.len());
    if bytes.is_empty() || bytes.len() > OBJECT_BYTES_MAX || piece_bytes == 0 {
        return Err(refused);
    }
    let count = bytes.len().div_ceil(piece_bytes);
    let count = u16::try_from(count).ok().filter(|count| *count <= PIECES_MAX).ok_or(refused)?;
    let piece = |index: u16| {
        let start = usize::from(index) * piece_bytes;
        let end = bytes.len().min(start + piece_bytes);
        Piece { object, index, count, bytes: bytes.slice(start..end) }
    };
    Ok((0..count).map(piece).collect())
}

impl Piece {
    /// Header and bytes, to be sealed.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut encoded = Vec::with_capacity(PIECE_HEADER_BYTES + self.bytes.len());
        encoded.extend_from_slice(&self.object);
        encoded.extend_from_slice(&self.index.to_be_bytes());
        encoded.extend_from_slice(&self.count.to_be_bytes());
        encoded.extend_from_slice(&self.bytes);
        encoded
    }

    /// Reads what was sealed.
    ///
    /// # Errors
    /// [`FragmentError::Header`].
    pub fn decode(encoded: &Bytes) -> Result<Self, FragmentError> {
        let (object, rest) = encoded.split_first_chunk::<16>().ok_or(FragmentError::Header)?;
        let (index, rest) = rest.split_first_chunk::<2>().ok_or(FragmentError::Header)?;
        let (count, rest) = rest.split_first_chunk::<2>().ok_or(FragmentError::Header)?;
        let (index, count) = (u16::from_be_bytes(*index), u16::from_be_bytes(*count));
        if count == 0 || count > PIECES_MAX || index >= count || rest.is_empty() {
            return Err(FragmentError::Header);
        }
        Ok(Self { object: *object, index, count, bytes: encoded.slice(PIECE_HEADER_BYTES..) })
    }
}

/// What a recipient holds of unfinished objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AssemblyLimits {
    /// Bytes of all senders.
    pub bytes_max: usize,
    /// Objects of all senders; the oldest makes room.
    pub objects_max: usize,
    /// Bytes of one sender.
    pub sender_bytes_max: usize,
    /// Objects of one sender.
    pub sender_objects_max: usize,
    /// How long an object may remain unfinished, ms.
    pub lifetime_ms: u64,
}

/// Who sent a piece, as the recipient names it; 0 may stand for all strangers together.
pub type Sender = u64;

/// Puts objects together from their pieces, in any order and with repetitions.
#[derive(Debug)]
pub struct Assembly {
    limits: AssemblyLimits,
    unfinished: BTreeMap<(Sender, ObjectId), Unfinished>,
    by_age: BTreeSet<(u64, Sender, ObjectId)>,
    bytes: usize,
}

#[derive(Debug)]
struct Unfinished {
    since_ms: u64,
    count: u16,
    pieces: BTreeMap<u16, Bytes>,
    bytes: usize,
}

impl Assembly {
    /// Nothing yet.
    #[must_use]
    pub const fn new(limits: AssemblyLimits) -> Self {
        Self { limits, unfinished: BTreeMap::new(), by_age: BTreeSet::new(), bytes: 0 }
    }

    /// Unfinished objects.
    #[must_use]
    pub fn len(&self) -> usize {
        self.unfinished.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.unfinished.is_empty()
    }

    /// Bytes of unfinished objects.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes a piece. The object, if it was the last one missing.
    ///
    /// # Errors
    /// [`FragmentError::Contradiction`] and [`FragmentError::TooMany`]; what was there before stays.
    pub fn take(
        &mut self,
        sender: Sender,
        piece: Piece,
        now_ms: u64,
    ) -> Result<Option<Bytes>, FragmentError> {
        self.forget_old(now_ms);
        let key = (sender, piece.object);
        match self.unfinished.get(&key) {
            Some(object) if object.contradicts(&piece) => return Err(FragmentError::Contradiction),
            Some(object) if object.pieces.contains_key(&piece.index) => return Ok(None),
            Some(_) => self.check_room(sender, piece.bytes.len(), 0)?,
            None => {
                self.check_room(sender, piece.bytes.len(), 1)?;
                self.by_age.insert((now_ms, sender, piece.object));
                let (count, pieces) = (piece.count, BTreeMap::new());
                self.unfinished.insert(key, Unfinished { since_ms: now_ms, count, pieces, bytes: 0 });
            }
        }
        self.make_room(key, piece.bytes.len());
        let Some(object) = self.unfinished.get_mut(&key) else { return Err(FragmentError::TooMany) };
        object.bytes += piece.bytes.len();
        self.bytes += piece.bytes.len();
        object.pieces.insert(piece.index, piece.bytes);
        if object.pieces.len() < usize::from(object.count) {
            return Ok(None);
        }
        Ok(self.remove(key).map(|object| object.pieces.values().flatten().copied().collect()))
    }

    /// Whether a sender may have so much more.
    fn check_room(&self, sender: Sender, bytes: usize, objects: usize) -> Result<(), FragmentError> {
        let of_sender = self.unfinished.range((sender, [0; 16])..=(sender, [u8::MAX; 16]));
        let (held, count) =
            of_sender.fold((0, 0), |(bytes, count), (_, object)| (bytes + object.bytes, count + 1));
        let fits = held + bytes <= self.limits.sender_bytes_max
            && held + bytes <= self.limits.bytes_max
            && count + objects <= self.limits.sender_objects_max;
        if fits { Ok(()) } else { Err(FragmentError::TooMany) }
    }

    /// The oldest objects make room, but not the one that is growing.
    fn make_room(&mut self, growing: (Sender, ObjectId), bytes: usize) {
        while self.bytes + bytes > self.limits.bytes_max || self.unfinished.len() > self.limits.objects_max {
            let others = self.by_age.iter().filter(|(_, sender, object)| (*sender, *object) != growing);
            let Some((_, sender, object)) = others.copied().next() else { break };
            self.remove((sender, object));
        }
    }

    fn forget_old(&mut self, now_ms: u64) {
        while let Some((since_ms, sender, object)) = self.by_age.first().copied() {
            if now_ms.saturating_sub(since_ms) < self.limits.lifetime_ms {
                break;
            }
            self.remove((sender, object));
        }
    }

    fn remove(&mut self, key: (Sender, ObjectId)) -> Option<Unfinished> {
        let object = self.unfinished.remove(&key)?;
        self.by_age.remove(&(object.since_ms, key.0, key.1));
        self.bytes -= object.bytes;
        Some(object)
    }
}

impl Unfinished {
    /// All pieces but the last are equally long and the last is not longer; a piece that was there says the same again.
    fn contradicts(&self, piece: &Piece) -> bool {
        let differs = self.pieces.get(&piece.index).is_some_and(|known| *known != piece.bytes);
        let last = self.count - 1;
        let is_uneven = |index: u16, length: usize| {
            if (index == last) == (piece.index == last) {
                length != piece.bytes.len()
            } else if index == last {
                length > piece.bytes.len()
            } else {
                length < piece.bytes.len()
            }
        };
        let uneven = self.pieces.iter().any(|(index, bytes)| is_uneven(*index, bytes.len()));
        let total = usize::from(self.count) * piece.bytes.len();
        let is_long = piece.index != last && total > OBJECT_BYTES_MAX + piece.bytes.len();
        piece.count != self.count || differs || uneven || is_long
    }
}

#[cfg(test)]
mod tests;
