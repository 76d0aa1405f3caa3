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

mod kind;
mod names;
#[cfg(test)]
mod tests;

pub use kind::{Class, Kind, SizeClass};
pub use names::{BundleId, ShortId, SortKey};

/// Longest lifetime that any class allows, seconds: 30 days.
pub const LIFETIME_S_MAX: u32 = 30 * DAY_S;

const DAY_S: u32 = 86_400;
const ID_CONTEXT: &str = "qpq/v1/bundle";
const SETTLE_CONTEXT_BYTES: usize = 32;

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
    BundleId::from_bytes(*hasher.finalize().as_bytes())
}
