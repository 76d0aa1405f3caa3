//! The proof of what the log says of one subject.

use qpq_crypto::transparency::prefix::{PrefixEnd, prove};
use qpq_crypto::transparency::{Subject, label};
use qpq_proto::v1::{ConsistencyProof, LookupProof, TreeHead};

use super::head::{consistency, inclusion};
use super::records::SubjectRecord;
use super::store;
use crate::context::Context;
use crate::input::RelayError;
use crate::relay::Relay;

/// What the log says of a subject, and its proof.
pub(super) struct Lookup {
    /// Nothing if the log never said anything.
    pub found: Option<SubjectRecord>,
    pub proof: LookupProof,
    pub consistency: Option<ConsistencyProof>,
    pub tree_head: TreeHead,
}

impl Relay {
    /// Looks a subject up for somebody who has seen a log of so many entries.
    pub(super) fn look_up(
        &self,
        cx: &mut Context<'_>,
        subject: Subject<'_>,
        last_tree_size: u64,
    ) -> Result<Lookup, RelayError> {
        let head = self.tree_head(cx)?;
        let found = store::subject(cx.tx, subject)?;
        let (output, vrf_proof) = self.secrets.vrf.prove(&subject.vrf_input());
        let shown = prove(&label(&output), |place| store::prefix_node(cx.tx, place));
        let shown = shown.map_err(store::prefix_fault)?;
        let neighbour = match &shown.end {
            PrefixEnd::Neighbour(leaf) => Some(leaf.into()),
            PrefixEnd::Leaf(_) | PrefixEnd::Empty => None,
        };
        let newest = head.size.checked_sub(1);
        let newest_entries = store::entries(cx.tx, newest.unwrap_or_default()..head.size)?;
        let proof = LookupProof {
            vrf_proof: vrf_proof.to_vec(),
            opening: found.as_ref().map(|found| found.opening.clone()).unwrap_or_default(),
            prefix_path: shown.path.iter().map(|hash| hash.to_vec()).collect(),
            inclusion: newest.map(|index| inclusion(cx.tx, index, &head)).transpose()?,
            newest: newest_entries.first().map(Into::into),
            neighbour,
        };
        let consistency = consistency(cx.tx, last_tree_size, &head)?;
        Ok(Lookup { found, proof, consistency, tree_head: (&head).into() })
    }
}
