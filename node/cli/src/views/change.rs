//! Changes of groups: committed, or asked of the member whose node commits.

use qpq_proto::v1;
use serde::Serialize;

use super::hex;
use crate::output::{Show, Style};
use crate::printable::printable;

/// How far a change of a group got.
#[derive(Debug, Serialize)]
pub(crate) struct ChangeView {
    /// The group's name as it was given; empty where the change stands under its group.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) group: String,
    change: String,
    /// Carried out.
    pub(crate) committed: bool,
    /// Whose node must commit it; empty when committed.
    pub(crate) waiting_for: String,
    /// Why it never will be; empty otherwise.
    pub(crate) failed: String,
}

impl From<v1::GroupChange> for ChangeView {
    fn from(change: v1::GroupChange) -> Self {
        Self {
            group: String::new(),
            change: hex(&change.change),
            committed: change.committed,
            waiting_for: change.waiting_for,
            failed: change.failed,
        }
    }
}

impl ChangeView {
    /// The change with the name of its group.
    pub(crate) fn of(group: &str, change: v1::GroupChange) -> Self {
        Self { group: group.to_owned(), ..Self::from(change) }
    }
}

impl Show for ChangeView {
    const SCHEMA: &'static str = "qpq.change/1";

    fn human(&self, style: &Style) -> String {
        let change = style.faint(&self.change);
        match (self.committed, self.failed.as_str()) {
            (_, reason) if !reason.is_empty() => {
                format!("{}: {}  {change}", style.severity("fail"), printable(reason))
            }
            (true, _) => format!("{}  {change}", style.severity("ok")),
            (false, _) => format!("waits for @{} to carry it out  {change}", printable(&self.waiting_for)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{PLAIN, to_json};

    fn change(committed: bool, waiting_for: &str, failed: &str) -> v1::GroupChange {
        v1::GroupChange {
            change: vec![5; 16],
            committed,
            waiting_for: waiting_for.into(),
            failed: failed.into(),
        }
    }

    #[test]
    fn json_of_a_change() {
        let id = "05".repeat(16);
        assert_eq!(
            to_json(&ChangeView::of("#picnic", change(false, "alice", ""))).unwrap(),
            r##"{"schema":"qpq.change/1","group":"#picnic","##.to_owned()
                + &format!(r#""change":"{id}","committed":false,"waiting_for":"alice","failed":""}}"#)
        );
    }

    #[test]
    fn changes_for_people() {
        let id = "05".repeat(16);
        for (change, text) in [
            (change(true, "", ""), "ok"),
            (change(false, "alice", ""), "waits for @alice to carry it out"),
            (change(false, "", "not an administrator"), "fail: not an administrator"),
        ] {
            assert_eq!(ChangeView::from(change).human(&PLAIN), format!("{text}  {id}"));
        }
    }
}
