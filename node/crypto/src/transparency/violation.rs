//! What a relay is caught at.

use super::head::{ForkProof, TreeHeadError};
use super::merkle::ProofError;
use super::prefix::PrefixProofError;
use crate::vrf::VrfError;

/// What a relay did that it must not do. Nothing of the answer is believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// A field is absent or has the wrong length; which one.
    #[error("{0} is malformed")]
    Malformed(&'static str),
    /// The tree head is not this relay's.
    #[error(transparent)]
    Head(#[from] TreeHeadError),
    /// The relay signed two heads that cannot both be true: show the proof to others.
    #[error("relay has signed two logs that contradict each other")]
    Fork(Box<ForkProof>),
    /// The answer is from before what was seen already.
    #[error("log of {size} entries is older than one of {known} that was seen")]
    Stale {
        /// Entries of the newest log that was seen.
        known: u64,
        /// Entries of this one.
        size: u64,
    },
    /// That the log grew from what was seen is not shown, or the proof is about other sizes.
    #[error("relay does not show that its log only grew")]
    NoConsistency,
    /// It did not grow from what was seen.
    #[error("log did not grow from what was seen of it: {0}")]
    Consistency(ProofError),
    /// An empty log has a root that it cannot have, or an entry.
    #[error("empty log is not empty")]
    EmptyLog,
    /// What is called the newest entry is not the last one of the log.
    #[error("entry is not the newest of the log")]
    NotNewest,
    /// The newest entry is not in the log.
    #[error("entry is not in the log: {0}")]
    Inclusion(ProofError),
    /// The label is not that of what was asked for.
    #[error(transparent)]
    Label(#[from] VrfError),
    /// The prefix tree says something else of the label: another value, another version, something, or nothing.
    #[error("log says something else: {0}")]
    Prefix(#[from] PrefixProofError),
    /// The log holds a revocation that its identity did not sign.
    #[error("revocation is not signed by its identity")]
    Revocation,
}
