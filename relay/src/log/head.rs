//! What the relay signs of its log, and that it grew.

use bytes::Bytes;
use qpq_crypto::ids::DeviceKey;
use qpq_crypto::transparency::checkpoint::{Checkpoint, verifier_key};
use qpq_crypto::transparency::{Consistency, LogKeys, TreeHead, log};
use qpq_proto::limits::DOMAIN_BYTES_MAX;
use qpq_proto::v1::{ConsistencyProof, InclusionProof, TransparencyKeys};

use super::records::LogRecord;
use super::signed::{SignedTree, WAY_OUT};
use super::store;
use crate::accounts::Secrets;
use crate::context::Context;
use crate::input::RelayError;
use crate::relay::Relay;
use crate::storage::Transaction;
use crate::tables::{LOG, SECRETS, key};

/// The name under which a relay signs: its domain; where it has none, the key of the node on which it first signed without
/// one, so that it stays the same log on another node.
pub(crate) fn origin(
    tx: &mut dyn Transaction,
    domain: &str,
    node: &DeviceKey,
    secrets: &Secrets,
) -> Result<String, RelayError> {
    let origin = match tx.get(SECRETS, key(FIRST_NODE))? {
        _ if !domain.is_empty() => domain.to_owned(),
        Some(first) => String::from_utf8_lossy(&first).into_owned(),
        None => {
            tx.put(SECRETS, key(FIRST_NODE), Bytes::from(node.to_string()))?;
            node.to_string()
        }
    };
    if origin.len() > DOMAIN_BYTES_MAX {
        return Err(RelayError::Domain(format!("it has more than {DOMAIN_BYTES_MAX} bytes")));
    }
    // Whatever is a checkpoint's origin is fit for a tree head as well.
    verifier_key(&origin, &secrets.log.public()).map_err(|error| RelayError::Domain(error.to_string()))?;
    Ok(origin)
}

impl Relay {
    /// The keys of the log, for clients.
    pub fn transparency_keys(&self) -> TransparencyKeys {
        let (log, vrf) = (self.secrets.log.public(), self.secrets.vrf.public());
        TransparencyKeys::from(&LogKeys { relay: self.origin.clone(), log, vrf })
    }

    /// The head of the present tree, which is signed if nobody has seen it yet.
    pub(super) fn tree_head(&self, cx: &mut Context<'_>) -> Result<TreeHead, RelayError> {
        if self.is_log_older {
            return Err(RelayError::LogIsOlder(WAY_OUT));
        }
        let state = store::state(cx.tx)?;
        let last = last_head(&state)?;
        if let Some(last) = &last
            && last.size == state.size
            && last.relay == self.origin
        {
            return Ok(last.clone());
        }
        let size = state.size;
        let root = log::root(size, |place| store::node(cx.tx, place)).map_err(store::log_fault)?;
        // The clock may have gone back; a head that was signed later is never said to be the earlier one.
        let signed_at_ms = last.map_or(0, |last| last.signed_at_ms).max(cx.now.wall_ms);
        let head = TreeHead::sign(&self.secrets.log, &self.origin, size, root, signed_at_ms);
        cx.signed = Some(SignedTree { relay: self.origin.clone(), size, root });
        store::save_state(cx.tx, &LogRecord { size, head: head.encode(), checkpoint: String::new() })?;
        Ok(head)
    }

    /// The tree of [`Self::tree_head`] as a checkpoint.
    pub(super) fn checkpoint(&self, cx: &mut Context<'_>, head: &TreeHead) -> Result<String, RelayError> {
        let mut state = store::state(cx.tx)?;
        if state.checkpoint.is_empty() {
            let checkpoint = Checkpoint { origin: self.origin.clone(), size: head.size, root: head.root };
            let signed = checkpoint.sign(&self.secrets.log);
            state.checkpoint = signed.map_err(|error| RelayError::Domain(error.to_string()))?;
            store::save_state(cx.tx, &state)?;
        }
        Ok(state.checkpoint)
    }
}

/// That a tree that somebody has seen is the beginning of the present one. Nothing where there is nothing to prove, and
/// nothing where a larger one was seen: it is for whoever saw it to convict this relay, which must not refuse to answer.
pub(super) fn consistency(
    tx: &dyn Transaction,
    from: u64,
    head: &TreeHead,
) -> Result<Option<ConsistencyProof>, RelayError> {
    if from == 0 || from > head.size {
        return Ok(None);
    }
    let path = log::prove_consistency(from, head.size, |place| store::node(tx, place));
    let path = path.map_err(store::log_fault)?;
    Ok(Some((&Consistency { from, size: head.size, path }).into()))
}

/// That an entry is in the present tree.
pub(super) fn inclusion(
    tx: &dyn Transaction,
    index: u64,
    head: &TreeHead,
) -> Result<InclusionProof, RelayError> {
    let path = log::prove_inclusion(index, head.size, |place| store::node(tx, place));
    let path = path.map_err(store::log_fault)?.iter().map(|hash| hash.to_vec()).collect();
    Ok(InclusionProof { leaf_index: index, tree_size: head.size, path })
}

/// The newest head that was signed.
pub(super) fn last_head(state: &LogRecord) -> Result<Option<TreeHead>, RelayError> {
    if state.head.is_empty() {
        return Ok(None);
    }
    TreeHead::decode(&state.head).map(Some).map_err(|error| store::damaged(LOG.0, error.to_string()))
}

/// Under which lies the key of the node on which the relay first signed without a domain, as text.
const FIRST_NODE: &[u8] = b"first node";
