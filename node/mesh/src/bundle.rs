//! What is carried: a fixed header and a sealed body of exactly one of four sizes.
//!
//! ```text
//! id = BLAKE3-derive-key("qpq/v1/bundle",
//!          kind (1) | lifetime_max_s (4, big-endian) | salt (8) | tag (16) | settle (32 or zeros) | body)
//! ```
//!
//! The id covers all that does not change on the way, so nobody can alter a bundle and keep its id. It does not travel:
//! each receiver computes it, and a [`Bundle`] cannot be made with an id that is wrong. What does change on the way
//! ([`Transit`]) is a matter between two neighbours, and is believed only within limits.
//!
//! The salt, the tag and the body are those of the `Parcel` that a sender gives to a recipient directly, so that a
//! delivery is recognised as the same one whatever way it took. No header names a sender or a recipient: the tag is an
//! HMAC of the salt under a secret that only the recipients hold.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

/// Longest lifetime that any class allows, seconds: 30 days.
pub const LIFETIME_S_MAX: u32 = 30 * DAY_S;

const DAY_S: u32 = 86_400;
const ID_CONTEXT: &str = "qpq/v1/bundle";
const SETTLE_CONTEXT_BYTES: usize = 32;

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
        bytes[1..].copy_from_slice(&id.0[..15]);
        Self(u128::from_be_bytes(bytes))
    }

    /// Of a header.
    #[must_use]
    pub fn of(header: &Header) -> Self {
        Self::new(header.kind, &header.id)
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

/// The secret whose hash is a bundle's `settle`: whoever reveals it makes the bundle disappear.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret([u8; 32]);

impl Secret {
    /// From its bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// What a header carries of it.
    #[must_use]
    pub fn settle(&self) -> [u8; 32] {
        *blake3::hash(&self.0).as_bytes()
    }
}

/// Not printed: until it is revealed it is a secret.
impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(..)")
    }
}

/// What never changes of a bundle, without its body. Shared by all who hold it in one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    id: BundleId,
    salt: [u8; 8],
    tag: [u8; 16],
    settle: Option<[u8; 32]>,
    kind: Kind,
    lifetime_max_s: u32,
}

/// What a sender decides of a bundle besides its body.
#[derive(Clone, Copy, Debug)]
pub struct Label {
    /// What it is for.
    pub class: Class,
    /// Longest lifetime, seconds; at most what its class allows.
    pub lifetime_max_s: u32,
    /// Fresh for each bundle.
    pub salt: [u8; 8],
    /// HMAC-SHA256(routing secret, salt), its first 16 bytes.
    pub tag: [u8; 16],
    /// Hash of the secret that settles it; without one it ends by its lifetime alone.
    pub settle: Option<[u8; 32]>,
}

impl Header {
    /// A header read back from this node's own storage, where nobody else writes.
    #[must_use]
    pub const fn stored(id: BundleId, size: SizeClass, label: Label) -> Self {
        let Label { class, lifetime_max_s, salt, tag, settle } = label;
        Self { id, salt, tag, settle, kind: Kind { class, size }, lifetime_max_s }
    }

    /// Which bundle.
    #[must_use]
    pub const fn id(&self) -> &BundleId {
        &self.id
    }

    /// By which, with the tag, recipients recognise it.
    #[must_use]
    pub const fn salt(&self) -> &[u8; 8] {
        &self.salt
    }

    /// By which, with the salt, recipients recognise it.
    #[must_use]
    pub const fn tag(&self) -> &[u8; 16] {
        &self.tag
    }

    /// Hash of the secret that settles it.
    #[must_use]
    pub const fn settle(&self) -> Option<&[u8; 32]> {
        self.settle.as_ref()
    }

    /// What it is for and how long its body is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Longest lifetime, seconds.
    #[must_use]
    pub const fn lifetime_max_s(&self) -> u32 {
        self.lifetime_max_s
    }

    /// Whether this is the secret that settles it.
    #[must_use]
    pub fn is_settled_by(&self, secret: &Secret) -> bool {
        self.settle.is_some_and(|settle| settle == secret.settle())
    }
}

/// What changes on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transit {
    /// What remains of the lifetime, seconds.
    pub remaining_s: u32,
    /// How far it may still go: a hint.
    pub hops_left: u8,
    /// Copies handed over.
    pub copies: u16,
}

/// A bundle as it travels: header, body, and what changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    header: Arc<Header>,
    body: Bytes,
    /// What changes on the way.
    pub transit: Transit,
}

/// Why something is no bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// The body is not as long as a size class.
    #[error("the body has {0} bytes, which is no size class")]
    Size(usize),
    /// The lifetime is longer than the class allows, or none at all.
    #[error("a lifetime of {0} s is not allowed")]
    Lifetime(u32),
}

impl Bundle {
    /// Makes a bundle and computes its id.
    ///
    /// # Errors
    /// [`BundleError`] where the body's length is no size class, or the lifetime is none that the class allows.
    pub fn new(label: Label, body: Bytes) -> Result<Self, BundleError> {
        let size = SizeClass::of(body.len()).ok_or(BundleError::Size(body.len()))?;
        if label.lifetime_max_s == 0 || label.lifetime_max_s > label.class.lifetime_s_max() {
            return Err(BundleError::Lifetime(label.lifetime_max_s));
        }
        let id = id_of(&label, size, &body);
        let transit = Transit { remaining_s: label.lifetime_max_s, hops_left: u8::MAX, copies: 1 };
        Ok(Self { header: Arc::new(Header::stored(id, size, label)), body, transit })
    }

    /// A bundle whose header and body were stored together.
    pub(crate) const fn stored(header: Arc<Header>, body: Bytes, transit: Transit) -> Self {
        Self { header, body, transit }
    }

    /// What never changes, without the body.
    #[must_use]
    pub const fn header(&self) -> &Arc<Header> {
        &self.header
    }

    /// Which bundle.
    #[must_use]
    pub fn id(&self) -> &BundleId {
        &self.header.id
    }

    /// The sealed body.
    #[must_use]
    pub const fn body(&self) -> &Bytes {
        &self.body
    }
}

fn id_of(label: &Label, size: SizeClass, body: &[u8]) -> BundleId {
    let kind = Kind { class: label.class, size };
    let mut hasher = blake3::Hasher::new_derive_key(ID_CONTEXT);
    hasher
        .update(&[kind.to_byte()])
        .update(&label.lifetime_max_s.to_be_bytes())
        .update(&label.salt)
        .update(&label.tag)
        .update(&label.settle.unwrap_or([0; SETTLE_CONTEXT_BYTES]))
        .update(body);
    BundleId(*hasher.finalize().as_bytes())
}

#[cfg(test)]
mod tests;
