//! The audit log: what administrators did, and what they should know of.
//!
//! Each entry is a record, of which the newest are kept, and a line under the target `audit`, in which keys are cut to
//! their first four bytes.

use prost::Message;
use qpq_proto::ids::Identity;

use crate::context::Context;
use crate::input::RelayError;
use crate::tables::{self, AUDIT, at};

/// An entry of the audit log.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct AuditRecord {
    /// Unix time in ms.
    #[prost(uint64, tag = "1")]
    pub at_ms: u64,
    /// What was done.
    #[prost(enumeration = "Action", tag = "2")]
    pub action: i32,
    /// Identity key of who did it.
    #[prost(bytes = "vec", tag = "3")]
    pub by: Vec<u8>,
    /// Identity key of whom it was done to.
    #[prost(bytes = "vec", tag = "4")]
    pub to: Vec<u8>,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub(crate) enum Action {
    /// Nothing this program knows.
    Unknown = 0,
    /// An account was banned.
    Banned = 1,
    /// A ban was lifted.
    Unbanned = 2,
}

/// Writes an entry, of which at most so many are kept.
pub(crate) fn note(
    cx: &mut Context<'_>,
    kept_max: u64,
    action: Action,
    by: Identity,
    to: Identity,
) -> Result<(), RelayError> {
    tracing::info!(target: "audit", ?action, ?by, ?to);
    let ordinal = tables::next_ordinal(cx.tx, AUDIT, b"")?;
    let at_ms = cx.now.wall_ms;
    let record = AuditRecord { at_ms, action: action.into(), by: by.to_vec(), to: to.to_vec() };
    tables::save(cx.tx, AUDIT, at(b"", ordinal), &record)?;
    if let Some(oldest) = ordinal.checked_sub(kept_max) {
        cx.tx.delete(AUDIT, at(b"", oldest))?;
    }
    Ok(())
}
