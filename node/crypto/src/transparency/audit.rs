//! What a client does not see of a log: that each entry's prefix tree follows from the one before.

use super::entry::LogEntry;
use super::merkle::LogHash;
use super::prefix::{PrefixEnd, PrefixError, PrefixNode, PrefixPlace, insert, prove};

/// What is wrong with an entry of a log; `E` is the error of whoever reads the prefix tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError<E> {
    /// The prefix tree before it cannot be read.
    #[error(transparent)]
    Tree(#[from] PrefixError<E>),
    /// A label goes from a version to another than the next.
    #[error("entry has version {found} of its label, not {expected}")]
    Version {
        /// The next version of the label.
        expected: u64,
        /// The entry's.
        found: u64,
    },
    /// The root in the entry is not that of the tree after it.
    #[error("entry has another prefix tree than follows from the entries before")]
    Root(LogHash),
}

/// Verifies that an entry follows from the prefix tree before it, and gives the nodes that it changes: whoever
/// writes them down and goes on with the next entry rebuilds the tree. That the entries are those of the log
/// is for the caller to see, by the log's root.
///
/// # Errors
/// [`AuditError`].
pub fn audit<E>(
    entry: &LogEntry,
    mut read: impl FnMut(PrefixPlace) -> Result<Option<PrefixNode>, E>,
) -> Result<Vec<(PrefixPlace, PrefixNode)>, AuditError<E>> {
    let before = prove(&entry.leaf.label, &mut read)?;
    let version = if let PrefixEnd::Leaf(leaf) = before.end { leaf.version } else { 0 };
    let found = entry.leaf.version;
    if version.checked_add(1) != Some(found) {
        return Err(AuditError::Version { expected: version.saturating_add(1), found });
    }
    let update = insert(entry.leaf, read)?;
    if update.root != entry.prefix_root {
        return Err(AuditError::Root(update.root));
    }
    Ok(update.written)
}
