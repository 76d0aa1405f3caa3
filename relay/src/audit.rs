//! The audit log: what administrators did, and what somebody was refused who called as one.
//!
//! What was done is written by the transaction of the call that does it. A call that is refused leaves no transaction
//! behind, so what is to be said of it is kept in memory until the next tick, which is wanted at once. The two are kept
//! apart, the newest of each, so that nobody pushes out what was done by being refused often.
//!
//! An entry is a record, and a line under the target `audit` in which keys are cut to their first four bytes. Whoever
//! reads the log gets keys as short as that: enough to tell people apart, and to find them among the users.

use bytes::Bytes;
use prost::Message;
use qpq_proto::ids::{Identity, NodeKey};
use qpq_proto::limits::RateLimit;
use qpq_proto::v1::{AuditEntry, ReadRelayAuditRequest, ReadRelayAuditResponse};
use qpq_proto::{CallerClass, Failure, Method, Status};

use crate::context::{Context, Who};
use crate::input::{Peer, RelayError};
use crate::moderation::{cursor, page_items, place_of};
use crate::rates::Buckets;
use crate::relay::Relay;
use crate::tables::{self, AUDIT, at};

/// An entry of the audit log.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct AuditRecord {
    /// Unix time in ms.
    #[prost(uint64, tag = "1")]
    pub at_ms: u64,
    /// Identity or node key of who called; empty for the owner of the node, and for somebody unknown.
    #[prost(bytes = "vec", tag = "3")]
    pub by: Vec<u8>,
    /// Identity key of whom the call was about; empty for nobody.
    #[prost(bytes = "vec", tag = "4")]
    pub about: Vec<u8>,
    /// Id of the method.
    #[prost(uint32, tag = "5")]
    pub method: u32,
    /// Status of the answer.
    #[prost(uint32, tag = "6")]
    pub status: u32,
    /// As what the caller called.
    #[prost(enumeration = "By", tag = "7")]
    pub caller: i32,
}

/// As what somebody calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub(crate) enum By {
    /// Somebody who has shown nothing.
    Unknown = 0,
    /// The owner of the node.
    Owner = 1,
    /// An account that administers the relay.
    Administrator = 2,
    /// Another account.
    User = 3,
    /// A node.
    Node = 4,
}

/// What was refused since the last tick.
#[derive(Debug)]
pub(crate) struct Refusals {
    entries: Vec<AuditRecord>,
    /// By who was refused, so that nobody fills the log alone.
    rates: Buckets<Who>,
}

impl Refusals {
    /// Nothing was refused.
    pub(crate) fn new(keys_max: usize) -> Self {
        Self { entries: Vec::new(), rates: Buckets::new(PER_CALLER, keys_max) }
    }

    /// When they are to be written, in monotonic ms.
    pub(crate) fn wake_at(&self) -> Option<u64> {
        (!self.entries.is_empty()).then_some(0)
    }
}

impl Relay {
    /// Notes what came of a call, if it is one of an administrator's.
    pub(crate) fn audit(
        &mut self,
        cx: &mut Context<'_>,
        method: Method,
        result: &Result<Bytes, Failure>,
    ) -> Result<(), Failure> {
        if !is_administrative(method) {
            return Ok(());
        }
        let status = result.as_ref().map_or_else(|failure| failure.status, |_| Status::Ok);
        let entry = entry(cx, method, status)?;
        match status {
            Status::Ok if changes(method) => Ok(note(cx, DONE, self.limits.audit_entries_max, &entry)?),
            // Who asks too often is refused for that alone.
            Status::Ok | Status::RateLimited => Ok(()),
            _ => {
                let is_noted = self.refusals.entries.len() < REFUSALS_MAX
                    && self.refusals.rates.is_free(cx.call()?.who(), cx.now.monotonic_ms);
                self.refusals.entries.extend(is_noted.then_some(entry));
                Ok(())
            }
        }
    }

    /// Writes what was refused.
    pub(crate) fn note_refusals(&mut self, cx: &mut Context<'_>) -> Result<(), RelayError> {
        for entry in std::mem::take(&mut self.refusals.entries) {
            note(cx, REFUSED, self.limits.audit_entries_max, &entry)?;
        }
        Ok(())
    }

    pub(crate) fn read_relay_audit(
        &self,
        cx: &Context<'_>,
        request: &ReadRelayAuditRequest,
    ) -> Result<ReadRelayAuditResponse, Failure> {
        let limit = page_items(request.limit)?;
        let until = place_of(&request.cursor)?.unwrap_or(u64::MAX);
        let prefix = if request.refused { REFUSED } else { DONE };
        let found: Vec<(u64, AuditRecord)> = tables::scan_back(cx.tx, AUDIT, prefix, 0..until, limit + 1)?;
        let is_more = found.len() > limit;
        let page = &found[..found.len().min(limit)];
        let last = page.last().filter(|_| is_more);
        Ok(ReadRelayAuditResponse {
            entries: page.iter().map(|(_, record)| shown(record)).collect(),
            next: last.map(|(place, _)| cursor(*place)).unwrap_or_default(),
        })
    }
}

/// Whether a method is for those who administer the relay.
fn is_administrative(method: Method) -> bool {
    method.access().lists(CallerClass::Administrator) || method.access().lists(CallerClass::Owner)
}

/// Whether a method changes something.
fn changes(method: Method) -> bool {
    matches!(
        method,
        Method::BanUser
            | Method::UnbanUser
            | Method::BanRelayUser
            | Method::UnbanRelayUser
            | Method::SetRelayAdministrator
            | Method::CreateRelayInvitation
    )
}

fn entry(cx: &Context<'_>, method: Method, status: Status) -> Result<AuditRecord, Failure> {
    let call = cx.call()?;
    let (caller, by) = match (call.session, call.caller.peer) {
        (Some(session), _) if session.is_administrator => (By::Administrator, session.identity.to_vec()),
        (Some(session), _) => (By::User, session.identity.to_vec()),
        (None, Peer::Owner) => (By::Owner, Vec::new()),
        (None, Peer::Node(node)) => (By::Node, node.to_vec()),
        (None, Peer::Anyone) => (By::Unknown, Vec::new()),
    };
    Ok(AuditRecord {
        at_ms: cx.now.wall_ms,
        by,
        about: cx.about.map(|about| about.to_vec()).unwrap_or_default(),
        method: method.id().into(),
        status: u32::from(status as u16),
        caller: caller.into(),
    })
}

/// Writes an entry, of which at most so many are kept.
fn note(cx: &mut Context<'_>, prefix: &[u8], kept_max: u64, entry: &AuditRecord) -> Result<(), RelayError> {
    let method = u16::try_from(entry.method).ok().and_then(Method::from_id).map_or("", Method::name);
    let by = NodeKey::try_from(entry.by.as_slice()).ok();
    let about = Identity::try_from(entry.about.as_slice()).ok();
    tracing::info!(target: "audit", method, status = entry.status, caller = ?entry.caller(), ?by, ?about);
    let ordinal = tables::next_ordinal(cx.tx, AUDIT, prefix)?;
    tables::save(cx.tx, AUDIT, at(prefix, ordinal), entry)?;
    if let Some(oldest) = ordinal.checked_sub(kept_max) {
        cx.tx.delete(AUDIT, at(prefix, oldest))?;
    }
    Ok(())
}

/// An entry as it is read.
fn shown(record: &AuditRecord) -> AuditEntry {
    let by = match record.caller() {
        By::Unknown => "unknown",
        By::Owner => "owner",
        By::Administrator => "administrator",
        By::User => "user",
        By::Node => "node",
    };
    let AuditRecord { at_ms, method, status, .. } = *record;
    AuditEntry {
        at_ms,
        method,
        status,
        by: by.to_owned(),
        by_key: cut(&record.by),
        about: cut(&record.about),
    }
}

/// The beginning of a key.
fn cut(key: &[u8]) -> Vec<u8> {
    key.iter().copied().take(SHOWN_KEY_BYTES).collect()
}

/// Under which lies what was done.
const DONE: &[u8] = b"";
/// Under which lies what was refused.
const REFUSED: &[u8] = b"refused";
const SHOWN_KEY_BYTES: usize = 4;
/// Refusals that are noted at one tick.
const REFUSALS_MAX: usize = 64;
/// Refusals of one caller that are noted: a few at once, then one in ten minutes.
const PER_CALLER: RateLimit = RateLimit { burst: 8, interval_us: 600_000_000 };
