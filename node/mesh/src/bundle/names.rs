//! What bundles are called: by their id, in the order of all, and between neighbours.

use std::fmt;

use super::{Header, Kind};

/// Which bundle: the only key by which duplicates are told.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BundleId([u8; 32]);

impl BundleId {
    /// From its bytes, as a record holds them.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for BundleId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for BundleId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "BundleId({:02x}{:02x}{:02x}{:02x}..)", self.0[0], self.0[1], self.0[2], self.0[3])
    }
}

/// Where a bundle stands in the order of all bundles: control first, small first, then by id.
///
/// The byte of the kind and the first 15 bytes of the id: 120 bits are as good as the id, and a number is compared in
/// one step.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SortKey(u128);

impl SortKey {
    /// Of a kind and an id.
    #[must_use]
    pub fn new(kind: Kind, id: &BundleId) -> Self {
        let mut bytes = [0; 16];
        bytes[0] = kind.to_byte();
        bytes[1..].copy_from_slice(&id.as_bytes()[..15]);
        Self(u128::from_be_bytes(bytes))
    }

    /// Of a header.
    #[must_use]
    pub fn of(header: &Header) -> Self {
        Self::new(header.kind(), header.id())
    }

    /// What stands for it on the wire.
    #[must_use]
    pub const fn short(self) -> ShortId {
        let bytes = self.0.to_be_bytes();
        let mut short = [0; ShortId::LENGTH_BYTES];
        let mut at = 0;
        while at < short.len() {
            short[at] = bytes[at];
            at += 1;
        }
        ShortId(short)
    }

    /// The smallest key that starts with these bytes.
    #[must_use]
    pub const fn first_of(short: ShortId) -> Self {
        let mut bytes = [0; 16];
        let mut at = 0;
        while at < ShortId::LENGTH_BYTES {
            bytes[at] = short.0[at];
            at += 1;
        }
        Self(u128::from_be_bytes(bytes))
    }

    /// The largest key that starts with these bytes.
    #[must_use]
    pub const fn last_of(short: ShortId) -> Self {
        Self(Self::first_of(short).0 | ((1 << (8 * (16 - ShortId::LENGTH_BYTES))) - 1))
    }

    /// Its bytes in order.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// From its bytes in order.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }

    /// The byte of the kind.
    #[must_use]
    pub const fn kind_byte(self) -> u8 {
        self.0.to_be_bytes()[0]
    }
}

impl fmt::Debug for SortKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.short())
    }
}

/// A kind and the first 8 bytes of an id: how bundles are named between neighbours.
///
/// Whoever makes two bundles with the same name hurts those two only; to hit a bundle of somebody else takes 2^64
/// attempts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ShortId([u8; Self::LENGTH_BYTES]);

impl ShortId {
    /// Length in bytes.
    pub const LENGTH_BYTES: usize = 9;

    /// From its bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::LENGTH_BYTES]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LENGTH_BYTES] {
        &self.0
    }

    /// The kind, if the first byte is one.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        Kind::from_byte(self.0[0])
    }
}

impl fmt::Debug for ShortId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:02x}:", self.0[0])?;
        self.0[1..5].iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}
