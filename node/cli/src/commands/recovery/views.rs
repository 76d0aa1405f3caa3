//! What is shown of recovery codes.

use std::path::Path;

use qpq_proto::v1;
use serde::Serialize;
use zeroize::Zeroize;

use crate::connect::quote;
use crate::output::{Show, Style};
use crate::printable::printable;
use crate::views::{count, hex};

/// Codes, shown this once.
#[derive(Serialize)]
pub(super) struct CodesView {
    codes: Vec<String>,
    contacts: u64,
    contacts_left_out: u64,
}

impl From<v1::SetUpRecoveryResponse> for CodesView {
    fn from(made: v1::SetUpRecoveryResponse) -> Self {
        let v1::SetUpRecoveryResponse { codes, contacts, contacts_left_out, .. } = made;
        Self { codes, contacts, contacts_left_out }
    }
}

impl Drop for CodesView {
    fn drop(&mut self) {
        self.codes.zeroize();
    }
}

impl Show for CodesView {
    const SCHEMA: &'static str = "qpq.recovery-codes/1";

    fn human(&self, style: &Style) -> String {
        let mut text =
            String::from("Write these codes down. Each can bring you back once; they are not shown again.\n");
        for (number, code) in (1..).zip(&self.codes) {
            text += &format!("\n  {number}  {}", style.bold(&printable(code)));
        }
        let contacts = count(self.contacts, "contact");
        text += &format!("\n\nWith you come your name, {contacts} and your relays; no messages.");
        text + &left_out(self.contacts_left_out)
    }
}

/// Which codes there are, and where their bundles lie.
#[derive(Debug, Serialize)]
pub(super) struct RecoveryView {
    created_at_ms: u64,
    codes: Vec<CodeView>,
    relays: Vec<RelayView>,
    contacts: u64,
    contacts_left_out: u64,
}

#[derive(Debug, Serialize)]
struct CodeView {
    number: u32,
    relays: u32,
}

#[derive(Debug, Serialize)]
struct RelayView {
    pin: String,
    place: String,
    stored: u32,
    to_delete: u32,
    state: String,
    reason: String,
    #[serde(skip)]
    line: String,
}

impl From<v1::ShowRecoveryResponse> for RecoveryView {
    fn from(shown: v1::ShowRecoveryResponse) -> Self {
        let relay = |relay: v1::RecoveryRelayState| RelayView {
            line: relay_line(&relay),
            pin: hex(&relay.pin),
            place: relay.place,
            stored: relay.stored,
            to_delete: relay.to_delete,
            state: relay.state,
            reason: relay.reason,
        };
        let code = |code: v1::RecoveryCodeState| CodeView { number: code.number, relays: code.relays };
        Self {
            created_at_ms: shown.created_at_ms,
            codes: shown.codes.into_iter().map(code).collect(),
            relays: shown.relays.into_iter().map(relay).collect(),
            contacts: shown.contacts,
            contacts_left_out: shown.contacts_left_out,
        }
    }
}

impl Show for RecoveryView {
    const SCHEMA: &'static str = "qpq.recovery/1";

    fn human(&self, style: &Style) -> String {
        if self.codes.is_empty() {
            return "There are no recovery codes: `qpq recovery setup` makes some".to_owned();
        }
        let made = style.zone.date_time(self.created_at_ms);
        let contacts = count(self.contacts, "contact");
        let mut text = format!("Recovery codes of {made}, with {contacts}:");
        for code in &self.codes {
            let held = match code.relays {
                0 => "kept by no relay yet".to_owned(),
                relays => format!("kept by {}", count(relays.into(), "relay")),
            };
            text += &format!("\n  {}  {held}", code.number);
        }
        for relay in &self.relays {
            text += &format!("\n{}", relay.line);
        }
        text + &left_out(self.contacts_left_out)
    }
}

/// A relay and how far it is, in one line.
pub(super) fn relay_line(relay: &v1::RecoveryRelayState) -> String {
    let place = printable(&relay.place);
    let rest = match relay.to_delete {
        0 => String::new(),
        number => format!(", and has {} to delete", count(number.into(), "bundle")),
    };
    let state = match (relay.state.as_str(), relay.reason.as_str()) {
        ("stored", _) => String::new(),
        (state, "") => format!(" ({})", printable(state)),
        (state, reason) => format!(" ({}: {})", printable(state), printable(reason)),
    };
    format!("{place} keeps what belongs to {}{rest}{state}", count(relay.stored.into(), "code"))
}

/// A code that was taken back.
#[derive(Debug, Serialize)]
pub(super) struct RevokedView {
    pub(super) number: u32,
    pub(super) left: u32,
}

impl Show for RevokedView {
    const SCHEMA: &'static str = "qpq.revoked-recovery-code/1";

    fn human(&self, _style: &Style) -> String {
        let Self { number, left } = self;
        format!("Code {number} is taken back; {} can still be used.", count((*left).into(), "code"))
    }
}

/// Who came back.
#[derive(Debug, Serialize)]
pub(super) struct RecoveredView {
    identity: String,
    name: String,
    made_at_ms: u64,
    contacts: u64,
    contacts_left_out: u64,
    number: u32,
    relays: Vec<RecoveredRelayView>,
}

#[derive(Debug, Serialize)]
struct RecoveredRelayView {
    link: String,
    username: String,
}

impl From<v1::WaitRecoveryUseResponse> for RecoveredView {
    fn from(used: v1::WaitRecoveryUseResponse) -> Self {
        let relay =
            |relay: v1::RecoveredRelay| RecoveredRelayView { link: relay.link, username: relay.username };
        Self {
            identity: hex(&used.identity),
            name: used.name,
            made_at_ms: used.made_at_ms,
            contacts: used.contacts,
            contacts_left_out: used.contacts_left_out,
            number: used.number,
            relays: used.relays.into_iter().map(relay).collect(),
        }
    }
}

impl Show for RecoveredView {
    const SCHEMA: &'static str = "qpq.recovered/1";

    fn human(&self, style: &Style) -> String {
        let name = style.bold(&printable(&self.name));
        let (made, contacts) = (style.zone.date_time(self.made_at_ms), count(self.contacts, "contact"));
        let text = format!(
            "You are {name} again, on a new device, with {contacts}, as of {made}. Your other devices are revoked, and \
             code {} is used up.",
            self.number
        );
        text + &left_out(self.contacts_left_out)
    }
}

/// What is to be done next.
pub(super) fn advice_after_use(used: &v1::WaitRecoveryUseResponse) -> String {
    let login = |relay: &v1::RecoveredRelay| {
        let (link, username) = (printable(&relay.link), printable(&relay.username));
        let (link, username) = (quote(Path::new(&*link)), quote(Path::new(&*username)));
        format!("\n  qpq relay login {link} --username {username}")
    };
    match used.relays.is_empty() {
        true => "Contacts are asked for fresh conversations by themselves.".to_owned(),
        false => {
            let logins: String = used.relays.iter().map(login).collect();
            format!("Log in now, so that messages come and the other codes are renewed:{logins}")
        }
    }
}

fn left_out(contacts: u64) -> String {
    match contacts {
        0 => String::new(),
        _ => format!(
            "\nThere is no room for {}, those with whom you wrote longest ago: `qpq backup create` keeps all.",
            count(contacts, "contact")
        ),
    }
}

#[cfg(test)]
mod tests;
