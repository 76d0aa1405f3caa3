//! What is offered and what is wanted.

use crate::bundle::ShortId;

/// One bundle offered: 27 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OfferItem {
    /// Its name.
    pub short: ShortId,
    /// The salt of its tag.
    pub salt: [u8; 8],
    /// The first half of its tag.
    pub tag_start: [u8; 8],
    /// Who offers it holds it; else it knows of it by hearsay. The second highest bit of the first byte.
    pub is_held: bool,
    /// There is a copy for who would carry it; else it is only said that there is such a bundle. The highest bit.
    pub is_spare: bool,
    /// What remains of its lifetime, in units of [`Self::ENDS_UNIT_MS`], rounded down.
    pub ends_in: u16,
}

impl OfferItem {
    /// A unit of what remains of a lifetime, ms.
    pub const ENDS_UNIT_MS: u64 = 64_000;

    /// The same with another time that remains.
    #[must_use]
    pub fn ending_in(self, remaining_ms: u64) -> Self {
        Self { ends_in: u16::try_from(remaining_ms / Self::ENDS_UNIT_MS).unwrap_or(u16::MAX), ..self }
    }

    /// What remains of its lifetime, ms.
    #[must_use]
    pub const fn ends_in_ms(&self) -> u64 {
        self.ends_in as u64 * Self::ENDS_UNIT_MS
    }
}

/// Somebody is looking for a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Want {
    /// Its name.
    pub short: ShortId,
    /// Random, drawn by who looks for it first: who has passed it on once knows it again.
    pub number: u32,
}
