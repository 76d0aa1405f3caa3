//! What neighbours say to each other, as plain structs.
//!
//! The state machine speaks these and nothing else. A node turns them into the messages of `mesh.proto` ([`Request`]
//! and [`Response`] have `encode` and `decode`); a simulation hands them over as they are, where headers are shared by
//! `Arc` and bodies by `Bytes`, and counts what they would weigh by `encoded_len`, which is exact.
//!
//! | method | request | response |
//! |---|---|---|
//! | 810 `MeshHello` | [`Hello`] | [`Hello`] |
//! | 811 `MeshReconcile` | [`Ranges`] | one [`RangeAnswer`] for each range |
//! | 812 `MeshOffer` | [`OfferItem`]s | [`Verdicts`] of [`OfferVerdict`] |
//! | 813 `MeshTransfer` | [`Transfer`] | [`Verdicts`] of [`TransferVerdict`] |
//! | 814 `MeshSettle` | [`Settlement`]s | nothing |
//! | 815 `MeshFetch` | [`Want`]s | [`FetchVerdict`]s |

use qpq_proto::Method;

use crate::bundle::{Bundle, Secret, ShortId};
use crate::work::{Challenge, Solution};

mod decode;
mod encode;
mod item;
mod length;
#[cfg(test)]
mod tests;

pub use decode::WireError;
pub(crate) use decode::bundle as from_message;
pub(crate) use encode::bundle_to_proto as to_message;
pub use item::{OfferItem, Want};

/// Version of the protocol between neighbours.
pub const MESH_VERSION: u32 = 1;

/// What kind of neighbour a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NodeKind {
    /// On mains power: replicates what it holds to other carriers.
    Carrier,
    /// Carried about by a person: passes on a bounded number of copies.
    Mobile,
    /// Carries for nobody: takes what is addressed to it and hands over its own.
    Leaf,
}

/// A node introduces itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Version of the protocol.
    pub version: u32,
    /// What kind of node it is.
    pub kind: NodeKind,
    /// Names its store; another name after the store was lost.
    pub instance: [u8; 16],
    /// Its half of the key of this session's fingerprints.
    pub key_share: [u8; 16],
    /// Bundles held.
    pub held: u64,
    /// Bytes that it would take from this neighbour now.
    pub free_bytes: u64,
    /// Classes it takes for others, a bit each.
    pub accepts: u8,
    /// What it takes does not survive a restart.
    pub is_volatile: bool,
    /// What it must reconcile with this neighbour starts here; none if it needs not.
    pub reconcile_from: Option<ShortId>,
    /// How many others it has met of late, in sixteenths.
    pub encounters: u32,
}

/// Ranges of the order of all bundles, each starting at the end of the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranges {
    /// Where the first one starts.
    pub lower: ShortId,
    /// In order.
    pub ranges: Vec<Range>,
}

/// What one side holds within a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// Upper bound, not included; none where the range has no end.
    pub upper: Option<ShortId>,
    /// What is there.
    pub content: RangeContent,
}

/// What is in a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RangeContent {
    /// A summary.
    Fingerprint(Fingerprint),
    /// Every one, by short ids of this session, in order; at least one.
    Ids(Vec<u64>),
    /// Nothing is said of it.
    Skip,
}

/// A summary of the bundles in a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// BLAKE3 of the ids in order, keyed with the session's key, its first 16 bytes.
    pub hash: [u8; 16],
    /// How many there are.
    pub count: u32,
}

/// What the other side says of a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RangeAnswer {
    /// Nothing is left to be done.
    Done,
    /// Which of the listed ids it lacks, a bit each.
    Lack(Vec<u8>),
    /// It holds nothing there.
    Empty,
    /// The two differ: go on with parts or a list.
    Continue,
    /// The two differ; its own parts, of which the last ends where the range ends.
    Split(Vec<Range>),
}

/// What a node says to an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfferVerdict {
    /// Not wanted.
    No,
    /// It is addressed to this node: wanted, and first.
    Mine,
    /// It would be carried for others.
    Carry,
    /// It is held already.
    Have,
    /// Another neighbour is handing it over.
    Busy,
    /// It has arrived, and here is the proof.
    Settled(Secret),
    /// It is not taken.
    Refused(Refusal),
}

/// What a node says to a bundle handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferVerdict {
    /// Custody is taken.
    Accepted(Durability),
    /// It was held already.
    Have,
    /// It has arrived, and here is the proof.
    Settled(Secret),
    /// It is not taken.
    Refused(Refusal),
}

/// What a node says to a request for a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchVerdict {
    /// It comes in a transfer.
    Coming,
    /// It is not held.
    NotHeld,
    /// It has arrived, and here is the proof.
    Settled(Secret),
}

/// How well custody is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Committed to storage.
    Durable,
    /// Until the next restart.
    Volatile,
}

/// Why a bundle is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The neighbour's share of the store is full: offer it elsewhere, or later.
    #[error("the share of the store is full")]
    QuotaExceeded,
    /// Too much at a time, or nothing of this class is taken.
    #[error("nothing of this kind is taken now")]
    NotAccepting,
    /// Larger than what is taken.
    #[error("larger than what is taken")]
    TooLarge,
    /// Its lifetime has ended.
    #[error("its lifetime has ended")]
    Expired,
    /// The challenge must be solved first.
    #[error("the challenge must be solved first")]
    WorkNeeded,
}

/// Verdicts in the order of what they are about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdicts<V> {
    /// One for each.
    pub verdicts: Vec<V>,
    /// What must be solved before more is taken.
    pub challenge: Option<Challenge>,
    /// After which time what was refused may be offered again, ms.
    pub retry_after_ms: u32,
}

/// Bundles handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// In the order in which they matter.
    pub bundles: Vec<Bundle>,
    /// Solves the challenge that was set.
    pub solution: Option<Solution>,
}

/// Proof that a bundle has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// Which bundle.
    pub short: ShortId,
    /// Its secret.
    pub secret: Secret,
}

/// A call to a neighbour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Introduces the caller.
    Hello(Hello),
    /// Compares what both hold.
    Reconcile(Ranges),
    /// Offers bundles.
    Offer(Vec<OfferItem>),
    /// Hands over bundles.
    Transfer(Transfer),
    /// Says what has arrived.
    Settle(Vec<Settlement>),
    /// Asks for bundles.
    Fetch(Vec<Want>),
}

/// The answer to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// Introduces the one called.
    Hello(Hello),
    /// One for each range.
    Reconcile(Vec<RangeAnswer>),
    /// One for each item.
    Offer(Verdicts<OfferVerdict>),
    /// One for each bundle.
    Transfer(Verdicts<TransferVerdict>),
    /// Taken note of.
    Settle,
    /// One for each item.
    Fetch(Vec<FetchVerdict>),
}

impl Request {
    /// The method by which it is called.
    #[must_use]
    pub const fn method(&self) -> Method {
        match self {
            Self::Hello(_) => Method::MeshHello,
            Self::Reconcile(_) => Method::MeshReconcile,
            Self::Offer(_) => Method::MeshOffer,
            Self::Transfer(_) => Method::MeshTransfer,
            Self::Settle(_) => Method::MeshSettle,
            Self::Fetch(_) => Method::MeshFetch,
        }
    }
}
