//! Ranges of custody, their fingerprints, and the names of bundles within one session.

use std::ops::{Bound, RangeBounds};

use crate::bundle::{ShortId, SortKey};
use crate::custody::Custody;
use crate::wire::Fingerprint;

/// A range of the order of all bundles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    /// Included.
    pub(super) lower: ShortId,
    /// Not included; none where the range has no end.
    pub(super) upper: Option<ShortId>,
}

impl Bounds {
    pub(super) fn as_range(self) -> impl RangeBounds<SortKey> {
        let lower = SortKey::first_of(self.lower);
        let upper = match self.upper.map(SortKey::first_of) {
            // A range that ends before it starts holds nothing.
            Some(upper) => Bound::Excluded(upper.max(lower)),
            None => Bound::Unbounded,
        };
        (Bound::Included(lower), upper)
    }

    pub(super) fn keys(self, custody: &Custody) -> impl Iterator<Item = SortKey> {
        custody.range(self.as_range()).map(|(key, _)| key)
    }

    /// One more than `most` where there are more.
    pub(super) fn keys_up_to(self, custody: &Custody, most: usize) -> Vec<SortKey> {
        self.keys(custody).take(most + 1).collect()
    }

    /// The range in at most so many parts of about as many bundles each.
    pub(super) fn parts(self, custody: &Custody, parts_max: usize) -> Vec<Self> {
        let size = (self.count(custody) as usize).div_ceil(parts_max).max(1);
        let mut parts = Vec::with_capacity(parts_max);
        let mut lower = self.lower;
        for first in self.keys(custody).step_by(size).skip(1) {
            // Bundles of the same name stay together, since a bound cannot lie between them.
            let upper = first.short();
            if lower < upper {
                parts.push(Self { lower, upper: Some(upper) });
                lower = upper;
            }
        }
        parts.push(Self { lower, upper: self.upper });
        parts
    }

    pub(super) fn count(self, custody: &Custody) -> u32 {
        u32::try_from(self.keys(custody).count()).unwrap_or(u32::MAX)
    }
}

/// The summary of a range.
pub(super) fn fingerprint(key: &[u8; 32], custody: &Custody, bounds: Bounds) -> Fingerprint {
    let mut hasher = blake3::Hasher::new_keyed(key);
    let mut count = 0;
    for one in bounds.keys(custody) {
        hasher.update(&one.to_bytes());
        count += 1;
    }
    let mut hash = [0; 16];
    hash.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    Fingerprint { hash, count }
}

/// What a bundle is called in lists of this session.
///
/// A multilinear hash of the first 16 bytes of the id: whoever does not know the session's key cannot make two bundles
/// that are called the same.
pub(super) fn short_id(key: &[u8; 32], custody: &Custody, bundle: SortKey) -> u64 {
    let Some(entry) = custody.get(bundle) else { return 0 };
    let id = entry.header.id().as_bytes();
    word(id, 0).wrapping_mul(word(key, 0) | 1).wrapping_add(word(id, 8).wrapping_mul(word(key, 8) | 1))
}

fn word(bytes: &[u8; 32], at: usize) -> u64 {
    bytes[at..at + 8].iter().fold(0, |word, byte| word << 8 | u64::from(*byte))
}
