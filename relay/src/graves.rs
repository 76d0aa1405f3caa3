//! What is gone for everybody but still lies in storage: removed step by step, however much it is.
//!
//! Whoever gives something up writes a grave and removes the record by which it is found. What lies in a grave is under
//! a prefix that is never used again, for the prefix holds a random part that went with the record.

use crate::channels;
use crate::context::Context;
use crate::input::RelayError;
use crate::queues::{Contents, empty};
use crate::records::{GraveRecord, SetGraveRecord, SetKind};
use crate::relay::Relay;
use crate::storage::{Direction, Transaction};
use crate::tables::{self, CONTACT_TOKENS, GRAVES, TOKENS, at};

/// Has something removed step by step.
pub(crate) fn dig(tx: &mut dyn Transaction, grave: &GraveRecord) -> Result<(), RelayError> {
    let ordinal = tables::next_ordinal(tx, GRAVES, b"")?;
    tables::save(tx, GRAVES, at(b"", ordinal), grave)
}

/// Has an account's set removed step by step.
pub(crate) fn dig_for_set(
    tx: &mut dyn Transaction,
    identity: &[u8],
    prefix: &[u8],
    kind: SetKind,
) -> Result<(), RelayError> {
    let (identity, prefix) = (identity.to_vec(), prefix.to_vec());
    let set = Some(SetGraveRecord { identity, prefix, kind: kind.into() });
    dig(tx, &GraveRecord { set, ..GraveRecord::default() })
}

impl Relay {
    /// Removes some of what lies in the first grave. Returns whether there may be more.
    pub(crate) fn empty_grave(&self, cx: &mut Context<'_>) -> Result<bool, RelayError> {
        let first: Vec<(u64, GraveRecord)> = tables::scan(cx.tx, GRAVES, b"", 0..u64::MAX, 1)?;
        let Some((ordinal, mut grave)) = first.into_iter().next() else { return Ok(false) };
        let limit = self.limits.removals_per_step_max;
        if let Some(contents) = grave.queues.pop() {
            if empty(cx, &Contents(contents), limit)? < limit {
                tables::save(cx.tx, GRAVES, at(b"", ordinal), &grave)?;
            }
            return Ok(true);
        }
        let is_empty = match &grave.set {
            Some(set) => self.empty_set(cx, set, limit)?,
            None => {
                let tokens = cx.tx.scan(TOKENS, &grave.tokens, 0..u64::MAX, Direction::Forward, limit)?;
                for (place, _) in &tokens {
                    cx.tx.delete(TOKENS, at(&grave.tokens, *place))?;
                }
                tokens.len() < limit
            }
        };
        if is_empty {
            cx.tx.delete(GRAVES, at(b"", ordinal))?;
        }
        Ok(true)
    }

    /// Removes some ids of an account's set, and what they stand for. Returns whether it is empty.
    fn empty_set(
        &self,
        cx: &mut Context<'_>,
        set: &SetGraveRecord,
        limit: usize,
    ) -> Result<bool, RelayError> {
        match set.kind() {
            // Nothing can be done about what is not known; a newer program wrote it.
            SetKind::Unknown => Ok(true),
            SetKind::Blobs => self.forget_blobs(cx, &set.prefix, limit),
            SetKind::Memberships => channels::forget_memberships(self, cx, &set.identity, &set.prefix, limit),
            SetKind::ContactTokens => {
                Ok(crate::sets::take_some(cx.tx, CONTACT_TOKENS, &set.prefix, limit)?.is_empty())
            }
        }
    }
}
