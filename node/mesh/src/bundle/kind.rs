//! What a bundle is for and how long its body is.

use super::{DAY_S, LIFETIME_S_MAX};

/// What a bundle is for; also the order in which bundles travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Commits, welcomes, key packages, device lists, receipts.
    Control,
    /// What people say.
    Message,
    /// What is long and can wait.
    Bulk,
    /// Posts of a broadcast topic.
    Topic,
}

impl Class {
    /// All of them, the first to travel first.
    pub const ALL: [Self; 4] = [Self::Control, Self::Message, Self::Bulk, Self::Topic];

    /// Longest lifetime of a bundle of this class, seconds.
    #[must_use]
    pub const fn lifetime_s_max(self) -> u32 {
        match self {
            Self::Control => LIFETIME_S_MAX,
            Self::Message => 14 * DAY_S,
            Self::Bulk | Self::Topic => 7 * DAY_S,
        }
    }

    /// Its bit in a set of classes.
    #[must_use]
    pub const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// How long a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SizeClass {
    /// 1 KiB.
    Kib1,
    /// 4 KiB.
    Kib4,
    /// 16 KiB.
    Kib16,
    /// 64 KiB.
    Kib64,
}

impl SizeClass {
    /// All of them, the smallest first.
    pub const ALL: [Self; 4] = [Self::Kib1, Self::Kib4, Self::Kib16, Self::Kib64];

    /// Length of the body, bytes.
    #[must_use]
    pub const fn bytes(self) -> usize {
        1024 << (2 * self as u8)
    }

    /// The class of bodies that are exactly this long.
    #[must_use]
    pub fn of(length: usize) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.bytes() == length)
    }
}

/// Class and size class together: one byte on the wire, and the first criterion of every order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    /// What the bundle is for.
    pub class: Class,
    /// How long its body is.
    pub size: SizeClass,
}

impl Kind {
    /// As one byte: class in the upper half, size class in the lower.
    #[must_use]
    pub const fn to_byte(self) -> u8 {
        (self.class as u8) << 4 | self.size as u8
    }

    /// Reads the byte.
    #[must_use]
    pub fn from_byte(byte: u8) -> Option<Self> {
        let class = *Class::ALL.get(usize::from(byte >> 4))?;
        let size = *SizeClass::ALL.get(usize::from(byte & 15))?;
        Some(Self { class, size })
    }
}
