//! Groups: MLS (RFC 9420) as our groups use it.
//!
//! # Vocabulary
//! A [`Group`] is what one member has of a group on one branch. Its *epochs* follow one another by
//! *commits*, each of which adds, removes, changes the group's *record* or renews keys ([`Changes`]).
//! Somebody is added with a *key package* of theirs ([`KeyPackage`]) and enters by a *welcome*. Whoever sits
//! at a *leaf* of the group's tree shows a *credential*: a [device certificate](crate::certificate).
//!
//! ```text
//!            KeyPackage::create ─────────────► KeyPackage::validate
//!                                                      │
//!  Group::create ──► Group::commit(Changes) ──┬─ commit ──────────► Group::open of every member
//!                                             └─ welcome ─────────► Group::join of who was added
//!                    Group::seal ──────────────── message ────────► Group::open
//! ```
//!
//! # What we leave out of MLS, and why
//! - Proposals outside commits, external joins and external senders: who may change a group is the
//!   caller's to decide, on the commit as a whole, in the callback of [`Group::open`].
//! - Lifetimes: OpenMLS compares them with the system clock, routers boot in 1970. Ours are unlimited, and a
//!   leaf with a limited one is refused, or members with different clocks would fork the group.
//! - Epoch numbers as names: two branches have epochs of one number. An epoch's name is its [`EpochId`].
//!
//! # Storage
//! Every operation takes a [`Context`], whose storage belongs to the caller's transaction; nothing counts
//! before that is committed. The live branch of a group lies in one namespace, every
//! [checkpoint](Group::checkpoint) in one of its own, so that rival branches never overwrite each other.
//! Messages write little whatever the size of the group; see `storage/secrets.rs`.
//!
//! Past epochs are dropped by count, and by age when a sweep of the caller's asks for it:
//! [`Group::forget_past_epochs`]. Where the storage was replaced by an older copy of itself, say so with
//! [`note_rollback`] before anything else, or keys are used twice.
//!
//! # Threads
//! OpenMLS encrypts the secrets of an update path on rayon's global thread pool, which has a thread for every
//! core unless the process bounds it at its start (`RAYON_NUM_THREADS`, or
//! `rayon::ThreadPoolBuilder::build_global`). Results do not depend on the number of threads.

mod commit;
mod credential;
mod crypto;
mod error;
mod group;
mod join;
mod key_package;
mod open;
mod peek;
pub mod provider;
mod retention;
mod rollback;
mod roster;
mod storage;
mod suite;
#[cfg(test)]
mod testing;

pub use commit::{Changes, Committed};
pub use credential::CredentialError;
pub use error::{MlsError, Refusal};
pub use group::{
    Context, EpochId, Group, GroupId, MISSING_MESSAGES_MAX, Member, OUT_OF_ORDER_MESSAGES_MAX,
    PAST_EPOCHS_MAX, RECORD_EXTENSION,
};
pub use join::JoinView;
pub use key_package::{KEY_PACKAGE_BYTES_MAX, KeyPackage, KeyPackageReference, ValidatedKeyPackage};
pub use open::{CommitView, Opened};
pub use peek::{Peek, peek};
pub use rollback::note_rollback;
pub use suite::{CLASSICAL, HYBRID, Suite};
