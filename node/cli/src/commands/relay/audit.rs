//! What the owner of a relay is shown of its audit log.

use qpq_proto::{Method, Status, v1};
use serde::Serialize;

use crate::output::{Show, Style, columns};
use crate::printable::printable;
use crate::views::short;

/// Entries of the audit log.
#[derive(Debug, Serialize)]
pub(super) struct AuditView {
    entries: Vec<EntryView>,
}

#[derive(Debug, Serialize)]
struct EntryView {
    at_ms: u64,
    /// The method's name.
    method: String,
    /// `Ok`, or how the call was refused.
    status: String,
    /// `owner`, `administrator`, `user`, `node` or `unknown`.
    by: String,
    /// The first bytes of the caller's key.
    by_key: String,
    /// The first bytes of the identity that the call was about.
    about: String,
}

impl From<Vec<v1::AuditEntry>> for AuditView {
    fn from(entries: Vec<v1::AuditEntry>) -> Self {
        let view = |entry: v1::AuditEntry| {
            let method = u16::try_from(entry.method).ok().and_then(Method::from_id);
            let status = Status::ALL.into_iter().find(|status| u32::from(*status as u16) == entry.status);
            EntryView {
                at_ms: entry.at_ms,
                method: method.map_or_else(|| format!("method {}", entry.method), |of| of.name().to_owned()),
                status: status.map_or_else(|| entry.status.to_string(), |status| format!("{status:?}")),
                by: entry.by,
                by_key: short(&entry.by_key),
                about: short(&entry.about),
            }
        };
        Self { entries: entries.into_iter().map(view).collect() }
    }
}

impl Show for AuditView {
    const SCHEMA: &'static str = "qpq.relay-audit/1";

    fn human(&self, style: &Style) -> String {
        if self.entries.is_empty() {
            return "There are no entries.".to_owned();
        }
        let row = |entry: &EntryView| {
            let by = printable(&entry.by);
            let about = if entry.about.is_empty() { "" } else { "about " };
            [
                style.zone.date_time(entry.at_ms),
                entry.method.clone(),
                entry.status.clone(),
                format!("by {by} {}", entry.by_key).trim_end().to_owned(),
                format!("{about}{}", entry.about),
            ]
        };
        columns(&self.entries.iter().map(row).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::times::Zone;

    const PLAIN: Style = Style { colour: false, signs: false, zone: Zone::Universal };

    #[test]
    fn an_entry_says_who_did_what_and_what_came_of_it() {
        let entry = |method: Method, status: Status, by: &str| v1::AuditEntry {
            at_ms: 1_795_257_065_120,
            method: method.id().into(),
            status: u32::from(status as u16),
            by: by.to_owned(),
            by_key: Vec::new(),
            about: vec![1, 2, 3, 4],
        };
        let view = AuditView::from(vec![entry(Method::BanRelayUser, Status::Ok, "owner")]);
        let line = "2026-11-21 10:31:05  BanRelayUser  Ok  by owner  about 01020304";
        assert_eq!(view.human(&PLAIN), line);
        let refused = AuditView::from(vec![entry(Method::BanUser, Status::Forbidden, "\u{1b}[2J")]);
        assert!(!refused.human(&PLAIN).contains('\u{1b}'));
    }

    #[test]
    fn an_empty_log_says_so() {
        assert_eq!(AuditView::from(Vec::new()).human(&PLAIN), "There are no entries.");
    }
}
