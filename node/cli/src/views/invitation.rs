//! Invitations: links by which people become contacts, or members of a group.

use qpq_proto::v1;
use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};
use serde::Serialize;

use super::hex;
use crate::exit::Error;
use crate::output::{Show, Style, columns};
use crate::printable::printable;

/// A link just made.
#[derive(Debug, Serialize)]
pub(crate) struct LinkView {
    /// Starts with `qpq:`.
    pub(crate) link: String,
    /// Id by which the invitation is revoked.
    pub(crate) id: String,
    reusable: bool,
    /// Unix milliseconds; 0 for never.
    expires_at_ms: u64,
    /// The group it leads to; absent for a contact invitation.
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    /// The link as a QR code in half blocks, light on dark; absent unless it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    qr: Option<String>,
}

impl LinkView {
    /// A link to the person.
    pub(crate) fn contact(response: v1::CreateInvitationResponse, reusable: bool) -> Self {
        Self {
            id: hex(&response.invitation),
            link: response.link,
            reusable,
            expires_at_ms: response.expires_at_ms,
            group: None,
            qr: None,
        }
    }

    /// A link to a group.
    pub(crate) fn group(response: v1::CreateGroupLinkResponse, group: &str, reusable: bool) -> Self {
        Self {
            id: hex(&response.invitation),
            link: response.link,
            reusable,
            expires_at_ms: response.expires_at_ms,
            group: Some(group.to_owned()),
            qr: None,
        }
    }

    /// The same with a QR code, which people see above the link.
    pub(crate) fn with_qr(mut self) -> Result<Self, Error> {
        self.qr = Some(draw_qr(&self.link)?);
        Ok(self)
    }

    /// What the maker should know about the link, for standard error.
    pub(crate) fn advice(&self, style: &Style) -> String {
        let expiry = match self.expires_at_ms {
            0 => "does not expire".to_owned(),
            ms => format!("expires {}", style.zone.date_time(ms)),
        };
        let (uses, joins) = match (self.reusable, &self.group) {
            (true, _) => ("for any number of people", "whose requests you accept"),
            (false, Some(_)) => ("for one person", "who joins the group with it"),
            (false, None) => ("for one person", "who becomes a contact with it: pass it on privately"),
        };
        format!("{uses}, {joins}; {expiry}; take it back with `qpq invite revoke {}`", self.id)
    }
}

impl Show for LinkView {
    const SCHEMA: &'static str = "qpq.invitation/1";

    fn human(&self, _style: &Style) -> String {
        let link = printable(&self.link);
        match &self.qr {
            Some(qr) => format!("{qr}\n{link}"),
            None => link.into_owned(),
        }
    }
}

/// The invitations that can still be used.
#[derive(Debug, Serialize)]
pub(crate) struct InvitationsView {
    invitations: Vec<InvitationView>,
}

/// One of them.
#[derive(Debug, Serialize)]
struct InvitationView {
    id: String,
    link: String,
    reusable: bool,
    used: u64,
    created_at_ms: u64,
    expires_at_ms: u64,
    #[serde(skip_serializing_if = "String::is_empty")]
    group: String,
}

impl From<Vec<v1::Invitation>> for InvitationsView {
    fn from(invitations: Vec<v1::Invitation>) -> Self {
        let view = |invitation: v1::Invitation| InvitationView {
            id: hex(&invitation.invitation),
            link: invitation.link,
            reusable: invitation.reusable,
            used: invitation.used,
            created_at_ms: invitation.created_at_ms,
            expires_at_ms: invitation.expires_at_ms,
            group: invitation.group,
        };
        Self { invitations: invitations.into_iter().map(view).collect() }
    }
}

impl Show for InvitationsView {
    const SCHEMA: &'static str = "qpq.invitations/1";

    fn human(&self, style: &Style) -> String {
        if self.invitations.is_empty() {
            return style.faint("no open invitations");
        }
        let row = |invitation: &InvitationView| {
            let kind = if invitation.reusable { "reusable" } else { "one-time" };
            let target = if invitation.group.is_empty() { "contact" } else { &invitation.group };
            let expiry = match invitation.expires_at_ms {
                0 => "does not expire".to_owned(),
                ms => format!("expires {}", style.zone.date_time(ms)),
            };
            let used = format!("used {}", invitation.used);
            [invitation.id.clone(), kind.to_owned(), printable(target).into_owned(), used, expiry]
        };
        columns(&self.invitations.iter().map(row).collect::<Vec<_>>())
    }
}

/// A QR code in half blocks, light on dark as most terminals are.
pub(crate) fn draw_qr(link: &str) -> Result<String, Error> {
    let code = QrCode::with_error_correction_level(link, EcLevel::L)
        .map_err(|error| Error::Negative(format!("the link does not fit into a QR code: {error}")))?;
    Ok(code
        .render::<Dense1x2>()
        .dark_color(Dense1x2::Light)
        .light_color(Dense1x2::Dark)
        .quiet_zone(true)
        .build())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{PLAIN, to_json};

    fn link() -> LinkView {
        let response = v1::CreateInvitationResponse {
            link: "qpq:example".into(),
            invitation: vec![9; 16],
            expires_at_ms: 1_795_257_065_120,
        };
        LinkView::contact(response, false)
    }

    #[test]
    fn json_of_a_link() {
        let id = "09".repeat(16);
        assert_eq!(
            to_json(&link()).unwrap(),
            r#"{"schema":"qpq.invitation/1","link":"qpq:example","#.to_owned()
                + &format!(r#""id":"{id}","reusable":false,"expires_at_ms":1795257065120}}"#)
        );
    }

    #[test]
    fn the_link_alone_is_data() {
        assert_eq!(link().human(&PLAIN), "qpq:example");
        let advice = link().advice(&PLAIN);
        assert!(
            advice.contains("for one person") && advice.contains("expires 2026-11-21 10:31:05"),
            "{advice}"
        );
    }

    #[test]
    fn a_qr_code_stands_above_the_link() {
        let shown = link().with_qr().unwrap().human(&PLAIN);
        assert!(shown.contains('█') && shown.ends_with("\nqpq:example"), "{shown}");
        assert!(draw_qr(&"x".repeat(5_000)).is_err());
        let json: serde_json::Value =
            serde_json::from_str(&to_json(&link().with_qr().unwrap()).unwrap()).unwrap();
        assert_eq!(json["qr"].as_str().map(|qr| format!("{qr}\nqpq:example")), Some(shown));
    }

    #[test]
    fn open_invitations() {
        let invitation = v1::Invitation {
            invitation: vec![9; 16],
            reusable: true,
            created_at_ms: 1,
            expires_at_ms: 0,
            used: 3,
            group: "#picnic".into(),
            link: "qpq:example".into(),
        };
        let shown = InvitationsView::from(vec![invitation]).human(&PLAIN);
        assert_eq!(shown, format!("{}  reusable  #picnic  used 3  does not expire", "09".repeat(16)));
        assert_eq!(InvitationsView::from(Vec::new()).human(&PLAIN), "no open invitations");
    }
}
