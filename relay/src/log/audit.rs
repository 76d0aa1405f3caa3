//! The log for whoever reads all of it.

use qpq_proto::Failure;
use qpq_proto::v1::{AuditKeyTransparencyRequest, AuditKeyTransparencyResponse};

use super::head::consistency;
use super::store;
use crate::context::Context;
use crate::relay::Relay;

impl Relay {
    pub(crate) fn audit_key_transparency(
        &self,
        cx: &mut Context<'_>,
        request: &AuditKeyTransparencyRequest,
    ) -> Result<AuditKeyTransparencyResponse, Failure> {
        if request.start > request.end {
            return Err(Failure::bad_request("end", "the end is before the start"));
        }
        let head = self.tree_head(cx)?;
        let start = request.start.min(head.size);
        let most = start.saturating_add(self.limits.log_entries_per_answer_max as u64);
        let entries = store::entries(cx.tx, start..request.end.min(head.size).min(most))?;
        Ok(AuditKeyTransparencyResponse {
            entries: entries.iter().map(Into::into).collect(),
            tree_size: head.size,
            root: head.root.to_vec(),
            consistency: consistency(cx.tx, request.from_tree_size, &head)?,
            checkpoint: self.checkpoint(cx, &head)?,
            tree_head: Some((&head).into()),
            keys: Some(self.transparency_keys()),
        })
    }
}
