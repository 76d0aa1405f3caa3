//! Keys as they lie on disk: what may reveal a person is replaced by a keyed hash before it gets here.

use std::ops::{Range, RangeInclusive};

/// A keyed hash in place of a prefix, a namespace or a name.
pub type Blinded = [u8; 16];

/// The key of a record: its prefix, blinded, and its ordinal in the clear so that it keeps its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordKey([u8; 24]);

impl RecordKey {
    /// The smallest key of any table.
    pub const MIN: Self = Self([0; 24]);
    /// The largest key of any table.
    pub const MAX: Self = Self([0xff; 24]);

    /// The key of one record.
    pub fn new(prefix: Blinded, ordinal: u64) -> Self {
        let mut bytes = [0; 24];
        bytes[..16].copy_from_slice(&prefix);
        bytes[16..].copy_from_slice(&ordinal.to_be_bytes());
        Self(bytes)
    }

    /// The keys of one prefix whose ordinals lie in a range, or nothing if the range is empty.
    pub fn range(prefix: Blinded, ordinals: &Range<u64>) -> Option<RangeInclusive<Self>> {
        let last = ordinals.end.checked_sub(1).filter(|last| *last >= ordinals.start)?;
        Some(Self::new(prefix, ordinals.start)..=Self::new(prefix, last))
    }

    /// The bytes that lie on disk.
    pub fn as_bytes(&self) -> &[u8; 24] {
        &self.0
    }

    /// A key read from disk.
    pub fn from_bytes(bytes: [u8; 24]) -> Self {
        Self(bytes)
    }

    /// The half that orders the records of one prefix.
    pub fn ordinal(&self) -> u64 {
        let mut ordinal = [0; 8];
        ordinal.copy_from_slice(&self.0[16..]);
        u64::from_be_bytes(ordinal)
    }
}

/// The key of a secret: its namespace and its name, both blinded.
///
/// A name is blinded alike in every namespace, so that a namespace is copied without its names being known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretKey([u8; 32]);

impl SecretKey {
    /// The key of one secret.
    pub fn new(namespace: Blinded, name: Blinded) -> Self {
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(&namespace);
        bytes[16..].copy_from_slice(&name);
        Self(bytes)
    }

    /// Every key of a namespace.
    pub fn namespace(namespace: Blinded) -> RangeInclusive<Self> {
        Self::new(namespace, [0; 16])..=Self::new(namespace, [0xff; 16])
    }

    /// The same name in another namespace.
    #[must_use]
    pub fn moved_to(mut self, namespace: Blinded) -> Self {
        self.0[..16].copy_from_slice(&namespace);
        self
    }

    /// The bytes that lie on disk.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// A key read from disk.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_order_by_ordinal_within_a_prefix() {
        let key = |ordinal| RecordKey::new([7; 16], ordinal);
        assert!(key(0) < key(1) && key(255) < key(256) && key(u64::MAX - 1) < key(u64::MAX));
        assert_eq!(key(0x0102_0304_0506_0708).ordinal(), 0x0102_0304_0506_0708);
        assert_eq!(RecordKey::from_bytes(*key(9).as_bytes()), key(9));
    }

    #[test]
    fn a_range_holds_its_start_and_not_its_end() {
        let range = RecordKey::range([1; 16], &(5..7)).unwrap();
        assert_eq!((range.start().ordinal(), range.end().ordinal()), (5, 6));
        assert!(RecordKey::range([1; 16], &(5..5)).is_none());
        assert!(RecordKey::range([1; 16], &Range { start: 5, end: 4 }).is_none());
        assert!(RecordKey::range([1; 16], &(0..0)).is_none());
    }

    #[test]
    fn a_moved_secret_keeps_its_name() {
        let key = SecretKey::new([1; 16], [2; 16]);
        assert_eq!(key.moved_to([3; 16]), SecretKey::new([3; 16], [2; 16]));
        assert!(SecretKey::namespace([1; 16]).contains(&key));
        assert!(!SecretKey::namespace([3; 16]).contains(&key));
    }
}
