//! Key transparency: a log in which a relay must show everybody the same identity behind a name, and of which
//! nobody learns the names.
//!
//! ```text
//!                 label = VRF(name)          value = identity key, version
//!                         |                          |
//! prefix tree     leaf(label, version, commitment to the value)
//!                         | root after each change
//! log             entry 0, entry 1, ... entry n-1            RFC 9162
//!                         | root
//! tree head       relay, size, root, time                    signed by the relay
//! ```
//!
//! A relay appends an entry for every change of a name: the [label](Subject) of the name by the [random
//! function](crate::vrf), the version, a commitment to the value, and the root of the [prefix tree](prefix)
//! after it. An answer to "who is alice" proves in one go
//!
//! 1. that the log [grew](merkle) from the one that the client saw before,
//! 2. that the newest entry is the last one of that log, which gives the root of the prefix tree,
//! 3. which label the name has,
//! 4. that the tree has this label's newest version, and what is in it; or that it has no such label.
//!
//! [`LogView`] is the client's memory and does all of it. A relay that shows different people different logs
//! must sign two [tree heads](TreeHead) that contradict each other; nodes compare theirs, and two make a
//! [`ForkProof`] that convinces anybody who has the relay's log key. Whoever reads all entries can rebuild the
//! prefix tree and see that each root follows from the one before ([`audit`]): a client does not see that a
//! version was taken back between two entries.
//!
//! A relay appends an entry by reading a few nodes and writing a few; where they are stored is its own affair:
//!
//! ```
//! # use std::collections::BTreeMap;
//! # use std::convert::Infallible;
//! # use qpq_crypto::identity::LogSecret;
//! # use qpq_crypto::ids::Identity;
//! # use qpq_crypto::transparency::prefix::PrefixLeaf;
//! # use qpq_crypto::transparency::{LogEntry, Subject, TreeHead, Value, label, log, prefix};
//! # use qpq_crypto::vrf::VrfSecret;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let (vrf, key) = (VrfSecret::from_seed(&[1; 32]), LogSecret::from_seed(&[2; 32]));
//! # let (mut prefix_nodes, mut log_nodes) = (BTreeMap::new(), BTreeMap::new());
//! # let (identity, opening, size, version, now_ms) = (Identity::from_bytes([3; 32]), [4; 32], 0, 1, 5);
//! let alice = Subject::Name("alice");
//! let (output, vrf_proof) = vrf.prove(&alice.vrf_input());
//! let commitment = alice.commit(version, Value::Identity(&identity), &opening);
//! let leaf = PrefixLeaf { label: label(&output), version, commitment };
//! let update = prefix::insert(leaf, |place| Ok::<_, Infallible>(prefix_nodes.get(&place).copied()))?;
//! prefix_nodes.extend(update.written);
//! let entry = LogEntry { leaf, prefix_root: update.root };
//! let written = log::append(size, entry.hash(), |place| Ok::<_, Infallible>(log_nodes.get(&place).copied()))?;
//! log_nodes.extend(written);
//! let root = log::root(size + 1, |place| Ok::<_, Infallible>(log_nodes.get(&place).copied()))?;
//! let head = TreeHead::sign(&key, "relay.example", size + 1, root, now_ms);
//! # assert_eq!((head.verify("relay.example", &key.public()), vrf_proof.len()), (Ok(()), 80));
//! # Ok(()) }
//! ```
//!
//! Building blocks as in CONIKS (<https://eprint.iacr.org/2014/1004>) and SEEMless
//! (<https://eprint.iacr.org/2018/607>); the log makes it auditable by anyone in time that grows with the
//! changes alone.

mod answer;
mod audit;
pub mod checkpoint;
mod entry;
mod evidence;
mod head;
pub mod log;
pub mod merkle;
pub mod prefix;
mod view;
mod violation;
mod wire;

pub use answer::{Consistency, LookupAnswer, NewestEntry};
pub use audit::{AuditError, audit};
pub use entry::{LOG_ENTRY_BYTES, LogEntry, OPENING_BYTES, Revocation, Subject, Value, label};
pub use evidence::{EVIDENCE_BYTES_MAX, Evidence, EvidenceError, Grown, Verdict};
pub use head::{Contradiction, ForkProof, TreeHead, TreeHeadError};
pub use view::{LogKeys, LogView, Observed};
pub use violation::Violation;
pub use wire::NamedIdentity;

#[cfg(test)]
mod tests;
