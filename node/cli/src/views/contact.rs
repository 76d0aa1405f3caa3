//! Contacts and their verification.

use qpq_proto::v1;
use serde::Serialize;

use super::{hex, suite_name};
use crate::output::{Show, Style, columns};
use crate::printable::printable;

/// One contact.
#[derive(Debug, Serialize)]
pub(crate) struct ContactView {
    /// Name on this node, without a sigil.
    pub(crate) name: String,
    identity: String,
    /// `requested`, `refused`, `pending`, `accepted` or `blocked`.
    pub(crate) state: String,
    verification: String,
    verified_at_ms: u64,
    nodes: Vec<String>,
    added_at_ms: u64,
    online: bool,
    suite: u32,
    met_at: String,
}

impl From<v1::Contact> for ContactView {
    fn from(contact: v1::Contact) -> Self {
        Self {
            identity: hex(&contact.identity),
            nodes: contact.nodes.iter().map(|node| hex(node)).collect(),
            name: contact.name,
            state: contact.state,
            verification: contact.verification,
            verified_at_ms: contact.verified_at_ms,
            added_at_ms: contact.added_at_ms,
            online: contact.online,
            suite: contact.suite,
            met_at: contact.met_at,
        }
    }
}

impl ContactView {
    /// What a state asks of the person, or says to it.
    fn state_text(&self) -> String {
        match self.state.as_str() {
            "requested" => "asked, no answer yet".to_owned(),
            "pending" if self.met_at.is_empty() => "wants to be a contact".to_owned(),
            "pending" => format!("a stranger by name at {}: wants to be a contact", printable(&self.met_at)),
            "refused" => "refused: ask for a new link".to_owned(),
            "accepted" => if self.online { "online" } else { "offline" }.to_owned(),
            other => printable(other).into_owned(),
        }
    }
}

impl Show for ContactView {
    const SCHEMA: &'static str = "qpq.contact/1";

    fn human(&self, style: &Style) -> String {
        let rows = [
            [format!("@{}", style.bold(&printable(&self.name))), self.state_text()],
            ["identity".into(), self.identity.clone()],
            ["verification".into(), verification_text(&self.verification, self.verified_at_ms, style)],
            ["encryption".into(), suite_name(self.suite)],
        ];
        columns(&rows)
    }
}

/// Every contact.
#[derive(Debug, Serialize)]
pub(crate) struct ContactsView {
    contacts: Vec<ContactView>,
}

impl From<Vec<v1::Contact>> for ContactsView {
    fn from(contacts: Vec<v1::Contact>) -> Self {
        Self { contacts: contacts.into_iter().map(ContactView::from).collect() }
    }
}

impl Show for ContactsView {
    const SCHEMA: &'static str = "qpq.contacts/1";

    fn human(&self, style: &Style) -> String {
        if self.contacts.is_empty() {
            return style.faint(
                "no contacts yet: `qpq invite` makes a link for somebody, `qpq contact add` takes one",
            );
        }
        let row = |contact: &ContactView| {
            let name = format!("@{}", printable(&contact.name));
            [style.bold(&name), contact.state_text(), printable(&contact.verification).into_owned()]
        };
        columns(&self.contacts.iter().map(row).collect::<Vec<_>>())
    }
}

/// The safety number shared with a contact.
#[derive(Debug, Serialize)]
pub(crate) struct VerificationView {
    name: String,
    identity: String,
    safety_number: String,
    /// `unverified`, `verified` or `mismatched`.
    pub(crate) verification: String,
    verified_at_ms: u64,
}

impl VerificationView {
    /// The number, with what is recorded about the contact.
    pub(crate) fn new(safety_number: String, contact: v1::Contact) -> Self {
        Self {
            safety_number,
            identity: hex(&contact.identity),
            name: contact.name,
            verification: contact.verification,
            verified_at_ms: contact.verified_at_ms,
        }
    }

    /// Twelve groups of five digits, four on a line.
    fn digits(&self) -> String {
        let digits: Vec<char> = self.safety_number.chars().filter(char::is_ascii_digit).collect();
        let groups: Vec<String> = digits.chunks(5).map(|group| group.iter().collect()).collect();
        groups.chunks(4).map(|line| format!("    {}", line.join(" "))).collect::<Vec<_>>().join("\n")
    }
}

impl Show for VerificationView {
    const SCHEMA: &'static str = "qpq.verification/1";

    fn human(&self, style: &Style) -> String {
        let name = printable(&self.name);
        let state = verification_text(&self.verification, self.verified_at_ms, style);
        let advice = match self.verification.as_str() {
            "verified" => String::new(),
            "mismatched" => format!(
                "\nNothing is sent to @{name} until the numbers match: somebody may stand between you. Ask for a new \
                 invitation in person."
            ),
            _ => format!(
                "\nCompare it with @{name} by voice or side by side, then record the outcome:\n    qpq contact \
                 verify @{name} --match    (or --mismatch)"
            ),
        };
        format!("Safety number with {}: {state}\n{}{advice}", style.bold(&format!("@{name}")), self.digits())
    }
}

fn verification_text(verification: &str, verified_at_ms: u64, style: &Style) -> String {
    match verification {
        "verified" => format!("verified {}", style.zone.date_time(verified_at_ms)),
        "mismatched" => style.severity("error").replace("error", "does NOT match"),
        other => printable(other).into_owned(),
    }
}

#[cfg(test)]
pub(crate) fn sample_contact() -> v1::Contact {
    v1::Contact {
        identity: vec![0xab; 32],
        name: "bob".into(),
        state: "accepted".into(),
        verification: "unverified".into(),
        verified_at_ms: 0,
        nodes: vec![vec![0xcd; 32]],
        added_at_ms: 1_795_257_065_120,
        online: true,
        suite: 0x4f,
        met_at: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{PLAIN, to_json};

    #[test]
    fn json_of_a_contact() {
        let (identity, node) = ("ab".repeat(32), "cd".repeat(32));
        let wanted =
            format!(r#"{{"schema":"qpq.contact/1","name":"bob","identity":"{identity}","state":"accepted","#)
                + &format!(r#""verification":"unverified","verified_at_ms":0,"nodes":["{node}"],"#)
                + r#""added_at_ms":1795257065120,"online":true,"suite":79,"met_at":""}"#;
        assert_eq!(to_json(&ContactView::from(sample_contact())).unwrap(), wanted);
        let list = ContactsView::from(vec![sample_contact()]);
        let one = wanted.replace(r#""schema":"qpq.contact/1","#, "");
        assert_eq!(to_json(&list).unwrap(), format!(r#"{{"schema":"qpq.contacts/1","contacts":[{one}]}}"#));
    }

    #[test]
    fn contacts_in_a_table() {
        let asking = v1::Contact { name: "eve\u{202e}".into(), state: "pending".into(), ..sample_contact() };
        let refused = v1::Contact { state: "refused".into(), ..sample_contact() };
        assert_eq!(ContactView::from(refused).state_text(), "refused: ask for a new link");
        let shown = ContactsView::from(vec![sample_contact(), asking]).human(&PLAIN);
        assert_eq!(
            shown,
            "@bob          online                 unverified\n@eve\\u{202e}  wants to be a contact  unverified"
        );
    }

    #[test]
    fn safety_numbers_in_groups_of_five() {
        let number = "0123456789".repeat(6);
        let shown = VerificationView::new(number, sample_contact()).human(&PLAIN);
        assert!(
            shown.starts_with("Safety number with @bob: unverified\n    01234 56789 01234 56789\n"),
            "{shown}"
        );
        assert!(shown.contains("--match"), "{shown}");
    }

    #[test]
    fn a_mismatch_is_said_loudly() {
        let contact = v1::Contact { verification: "mismatched".into(), ..sample_contact() };
        let shown = VerificationView::new("1".repeat(60), contact).human(&PLAIN);
        assert!(shown.contains("does NOT match") && shown.contains("Nothing is sent"), "{shown}");
    }
}
