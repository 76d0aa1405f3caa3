//! What was signed of the log, outside of storage.

use qpq_crypto::transparency::log;

use super::head::last_head;
use super::store;
use crate::input::RelayError;
use crate::relay::Relay;
use crate::storage::Transaction;

/// A tree that a relay signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedTree {
    /// The name under which it was signed: the relay's domain, or its node key.
    pub relay: String,
    /// Entries.
    pub size: u64,
    /// The root of the tree.
    pub root: [u8; 32],
}

/// How the log stands to the trees that are known to have been signed.
#[derive(Debug)]
pub(crate) struct Signed {
    /// One that storage has and that is not known elsewhere: a crash came between.
    pub unkept: Option<SignedTree>,
    /// Whether the log does not contain one.
    pub is_older: bool,
}

impl Signed {
    /// Compares the log with what was signed under the same name.
    pub(crate) fn look(tx: &dyn Transaction, origin: &str, known: &[SignedTree]) -> Result<Self, RelayError> {
        let state = store::state(tx)?;
        let known = known.iter().find(|tree| tree.relay == origin);
        if let Some(known) = known {
            let is_there = known.size <= state.size
                && log::root(known.size, |place| store::node(tx, place)).map_err(store::log_fault)?
                    == known.root;
            if !is_there {
                tracing::error!(
                    entries = state.size,
                    signed = known.size,
                    "the log of names is older than what this relay has signed of it: {WAY_OUT}"
                );
                return Ok(Self { unkept: None, is_older: true });
            }
        }
        let last = last_head(&state)?.filter(|last| last.relay == origin);
        let unkept = last.filter(|last| known.is_none_or(|known| known.size < last.size));
        let unkept = unkept.map(|last| SignedTree { relay: last.relay, size: last.size, root: last.root });
        Ok(Self { unkept, is_older: false })
    }
}

impl Relay {
    /// The newest tree that was signed, until it [is kept](Self::tree_is_kept) outside of storage: to be made durable
    /// there after each commit, and before anything is answered, so that an older copy of storage is recognised.
    #[must_use]
    pub fn signed_tree(&self) -> Option<&SignedTree> {
        self.signed_tree.as_ref()
    }

    /// The tree of [`Self::signed_tree`] is durable outside of storage.
    pub fn tree_is_kept(&mut self) {
        self.signed_tree = None;
    }

    /// Whether the log is older than what was signed of it. Nothing is proved of it then.
    #[must_use]
    pub fn is_log_older(&self) -> bool {
        self.is_log_older
    }
}

/// What whoever runs the relay can do.
pub(super) const WAY_OUT: &str = "put the newest copy of its data back, or give the relay another name with the setting \
                                  relay_domain, under which its log begins anew for everybody";
