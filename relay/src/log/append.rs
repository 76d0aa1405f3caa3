//! Appending.

use qpq_crypto::transparency::prefix::{PrefixLeaf, insert};
use qpq_crypto::transparency::{LogEntry, Subject, Value, label, log};

use super::records::SubjectRecord;
use super::store;
use crate::context::Context;
use crate::input::RelayError;
use crate::relay::Relay;

impl Relay {
    /// Says something new of a subject, and gives the index of the entry that says it. The tree is not signed yet.
    pub(crate) fn append_to_log(
        &self,
        cx: &mut Context<'_>,
        subject: Subject<'_>,
        value: Value<'_>,
    ) -> Result<u64, RelayError> {
        let mut state = store::state(cx.tx)?;
        let before = store::subject(cx.tx, subject)?.unwrap_or_default();
        let (index, version, opening) = (state.size, before.version.saturating_add(1), cx.random::<32>());
        let (output, _) = self.secrets.vrf.prove(&subject.vrf_input());
        let commitment = subject.commit(version, value, &opening);
        let leaf = PrefixLeaf { label: label(&output), version, commitment };

        let update = insert(leaf, |place| store::prefix_node(cx.tx, place)).map_err(store::prefix_fault)?;
        for (place, node) in &update.written {
            store::put_prefix_node(cx.tx, *place, node)?;
        }
        let entry = LogEntry { leaf, prefix_root: update.root };
        let written =
            log::append(index, entry.hash(), |place| store::node(cx.tx, place)).map_err(store::log_fault)?;
        store::put_entry(cx.tx, index, &entry)?;
        for (place, hash) in &written {
            store::put_node(cx.tx, *place, hash)?;
        }

        let (identity, revocation) = match value {
            Value::Identity(identity) => (identity.to_vec(), None),
            Value::Nobody => (Vec::new(), None),
            Value::Revocation(revocation) => (Vec::new(), Some(revocation.into())),
        };
        let record = SubjectRecord { version, opening: opening.to_vec(), index, identity, revocation };
        store::save_subject(cx.tx, subject, &record)?;
        state.size = index.saturating_add(1);
        store::save_state(cx.tx, &state)?;
        Ok(index)
    }
}
