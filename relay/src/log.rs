//! The log of names: what keeps this relay from telling one person this and another that.
//!
//! ```text
//!  OpaqueRegisterFinish   name, version n: an identity   ─┐
//!  DeleteAccount          name, version n: nobody        ─┼─► append ─► entries, nodes, prefix tree
//!  RevokeKey              identity, version 1: its end   ─┘                        │
//!                                                                                  ▼
//!  ResolveUser, CheckRevocation, AuditKeyTransparency ◄─ proofs ◄─ tree head, signed when it is first asked for
//! ```
//!
//! What is logged and how it is proved is [`qpq_crypto::transparency`]; here it is kept. An entry is appended by the
//! transaction of the call that causes it, and all that is needed for it is read from that transaction: about as many
//! records as the prefix tree is deep. Nothing of the log is held in memory.
//!
//! A tree head is a promise. It is signed once for a tree, by the transaction of the call that first shows it, and kept:
//! the next one is never of a smaller tree nor of an earlier time, whatever the clock says. Entries that come together
//! cost one signature.
//!
//! A promise must outlive storage that is put back to an older copy, or the log would go on from there in another way, and
//! whoever saw the other one could prove that against the relay. So the driver keeps the newest [`SignedTree`] elsewhere
//! too, and a relay whose log does not contain it proves nothing.
//!
//! Of a name that was given up the log keeps its label, and that nobody is behind it; not who was.

mod append;
mod audit;
mod head;
mod lookup;
mod records;
mod resolve;
mod revoke;
mod signed;
mod store;

pub(crate) use head::origin;
pub(crate) use revoke::is_revoked;
pub(crate) use signed::Signed;
pub use signed::SignedTree;
