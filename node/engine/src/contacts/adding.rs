//! Asking somebody to become a contact: whoever is behind a link, or behind a name at a relay.

use qpq_crypto::link::{Invitation, Link, LinkError, LinkMailbox};
use qpq_proto::{
    Failure,
    ids::{Identity, NodeKey},
    v1::{AcceptContactRequest, AddContactRequest, AddContactResponse},
};

use crate::{
    context::Context,
    engine::Engine,
    identity::checked_name,
    input::RelayKey,
    records::{Kind, PersonRecord, Standing},
    relays::split_address,
};

/// Who is asked.
struct Asked {
    identity: Identity,
    /// The node to which the link leads.
    node: Option<NodeKey>,
    token: [u8; 16],
    /// What the person calls itself.
    name: String,
    addresses: Vec<String>,
    /// The mailbox that the link names.
    mailbox: Option<LinkMailbox>,
    /// The relay at which the person was found by name.
    met_at: Option<RelayKey>,
}

impl Engine {
    pub(crate) fn add_contact(
        &mut self,
        cx: &mut Context<'_>,
        request: &AddContactRequest,
    ) -> Result<AddContactResponse, Failure> {
        let me = self.me()?.identity.public();
        let asked = self.whom_to_ask(cx, &request.link)?;
        let identity = asked.identity;
        if identity == me {
            let message = match asked.met_at {
                None => "this is your own invitation: give it to somebody else",
                Some(_) => "this is your own name: give it to somebody else",
            };
            return Err(Failure::bad_request("link", message));
        }
        let known = self.person(cx, identity.as_bytes())?;
        match known.as_ref().map(PersonRecord::standing) {
            Some(Standing::Accepted) if asked.met_at.is_some() => {
                return Err(already(&known, "is a contact"));
            }
            Some(Standing::Accepted) => return self.ask_contact_again(cx, known, asked),
            Some(Standing::Blocked) => return Err(already(&known, "is blocked")),
            Some(Standing::Pending) => {
                let name = known.map(|person| person.name).unwrap_or_default();
                let accept = AcceptContactRequest { name };
                return Ok(AddContactResponse { contact: self.accept_contact(cx, &accept)?.contact });
            }
            None | Some(Standing::Member | Standing::Requested) => {}
        }
        if known.as_ref().is_some_and(|person| !person.joining.is_empty()) {
            let message =
                "an earlier request to this person, to join a group, is still open: wait for its answer";
            return Err(Failure::conflict(message));
        }
        self.check_contacts_room(cx)?;
        let mailbox = asked.mailbox.clone();
        let person = self.requested_person(cx, known, asked, &request.name)?;
        self.start_request_by(cx, &person, mailbox.as_ref())?;
        let person = self.person(cx, &person.identity)?.unwrap_or(person);
        Ok(AddContactResponse { contact: Some(self.contact_view(cx, &person)?) })
    }

    fn whom_to_ask(&self, cx: &mut Context<'_>, link: &str) -> Result<Asked, Failure> {
        if let Some(address) = split_address(link) {
            let (called, identity) = self.identity_called(cx, address)?;
            let (name, token) = (called.username, cx.random::<16>());
            let met_at = Some(called.relay);
            let (addresses, mailbox) = (Vec::new(), None);
            return Ok(Asked { identity, node: None, token, name, addresses, mailbox, met_at });
        }
        let Invitation { identity, node, token, name, addresses, mailbox, .. } =
            parse_link(link)?.into_contact().map_err(link_failure)?;
        let addresses = addresses.iter().map(ToString::to_string).collect();
        Ok(Asked { identity, node: Some(node), token, name, addresses, mailbox, met_at: None })
    }

    /// Writes down that somebody is asked.
    fn requested_person(
        &mut self,
        cx: &mut Context<'_>,
        known: Option<PersonRecord>,
        asked: Asked,
        name: &str,
    ) -> Result<PersonRecord, Failure> {
        let identity = asked.identity.as_bytes();
        let mut person = known.unwrap_or_else(|| PersonRecord {
            identity: identity.to_vec(),
            added_at_ms: cx.now.wall_ms,
            ..PersonRecord::default()
        });
        let wanted = if name.is_empty() { asked.name } else { checked_name("name", name)? };
        if person.standing() != Standing::Requested {
            person.name = self.claim_name(cx, '@', &wanted, identity)?;
            person.conversation = self.new_conversation(cx, Kind::Direct, identity)?.id;
        }
        person.standing = Standing::Requested.into();
        if let Some(node) = asked.node {
            person.nodes = vec![node.as_bytes().to_vec()];
        }
        person.learn_addresses(&asked.addresses);
        person.met_at = asked.met_at.map(|relay| relay.0.to_vec()).unwrap_or_default();
        person.token = asked.token.to_vec();
        person.request_sealed = false;
        person.is_refused = false;
        self.save_person(cx, &person)?;
        if let Some(relay) = asked.met_at {
            // Whoever is found by name is asked there, and not by the mailbox of a link that was followed before.
            self.forget_mailboxes(cx, identity)?;
            self.meet(cx, identity, relay)?;
        }
        self.log_contact(cx, identity)?;
        Ok(person)
    }

    /// Asks a contact for a new direct group, with a link of theirs: they may have removed this person.
    fn ask_contact_again(
        &mut self,
        cx: &mut Context<'_>,
        known: Option<PersonRecord>,
        asked: Asked,
    ) -> Result<AddContactResponse, Failure> {
        let Some(mut person) = known.filter(|person| person.token.is_empty()) else {
            return Err(Failure::conflict("an earlier request to this contact is still open"));
        };
        person.token = asked.token.to_vec();
        person.is_renewing = true;
        person.request_sealed = false;
        self.save_person(cx, &person)?;
        self.start_request_by(cx, &person, asked.mailbox.as_ref())?;
        Ok(AddContactResponse { contact: Some(self.contact_view(cx, &person)?) })
    }
}

/// Parses a link that a person pasted.
pub(crate) fn parse_link(link: &str) -> Result<Link, Failure> {
    link.parse().map_err(link_failure)
}

/// Why a link is none, or one that leads elsewhere.
pub(crate) fn link_failure(error: LinkError) -> Failure {
    Failure::bad_request("link", error.to_string())
}

fn already(person: &Option<PersonRecord>, what: &str) -> Failure {
    let name = person.as_ref().map(|person| person.name.as_str()).unwrap_or_default();
    Failure::conflict(format!("the person behind this link {what}, as @{name}"))
}
