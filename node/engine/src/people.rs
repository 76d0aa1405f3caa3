//! Everybody this person knows: contacts, those who ask to be, and members of common groups.
//!
//! Contacts have names that are unique on this node, compared after folding. A mere member of a group is shown
//! with the name it gave itself and the start of its identity key, `~bob-1f2e`, so that nobody passes for a
//! contact by choosing a contact's name. A contact whose name looks like that of another, or like this person's own,
//! gets a number behind it, just as if the name were taken; the owner can give any name that is free.

use std::{collections::BTreeSet, net::SocketAddr};

use qpq_crypto::text;
use qpq_proto::{
    Failure,
    ids::{Identity, NodeKey},
    limits::DEVICES_PER_IDENTITY_MAX,
    v1::{Contact, MemberProfile},
};

use crate::{
    context::Context,
    conversations::ConversationId,
    engine::Engine,
    input::{EngineError, RelayKey},
    records::{ConversationRecord, Kind, NameRecord, PersonRecord, Standing, Verification},
    tables::{self, CONVERSATIONS, NAMES, PEOPLE},
    topics::TOPIC_SIGIL,
};

/// Most addresses kept for a person.
pub(crate) const ADDRESSES_MAX: usize = 8;

/// What a name stands for.
pub(crate) enum Named {
    Person(Box<PersonRecord>),
    Group(ConversationId),
}

impl PersonRecord {
    pub(crate) fn is_contact(&self) -> bool {
        !matches!(self.standing(), Standing::Member)
    }

    /// The addresses that can be parsed.
    pub(crate) fn socket_addresses(&self) -> Vec<SocketAddr> {
        self.addresses.iter().filter_map(|address| address.parse().ok()).collect()
    }

    pub(crate) fn node_keys(&self) -> Vec<NodeKey> {
        self.nodes.iter().filter_map(|node| NodeKey::try_from(node.as_slice()).ok()).collect()
    }

    /// Keeps the newest addresses, without repeating any.
    pub(crate) fn learn_addresses(&mut self, addresses: &[String]) {
        let fresh = addresses.iter().filter(|address| address.parse::<SocketAddr>().is_ok());
        let mut merged: Vec<String> = Vec::new();
        for address in fresh.chain(&self.addresses) {
            if merged.len() < ADDRESSES_MAX && !merged.contains(address) {
                merged.push(address.clone());
            }
        }
        self.addresses = merged;
    }
}

impl Engine {
    pub(crate) fn person(
        &self,
        cx: &Context<'_>,
        identity: &[u8],
    ) -> Result<Option<PersonRecord>, EngineError> {
        tables::load(cx.tx, PEOPLE, tables::key(identity))
    }

    pub(crate) fn save_person(&self, cx: &mut Context<'_>, person: &PersonRecord) -> Result<(), EngineError> {
        let before = self.person(cx, &person.identity)?.unwrap_or_default();
        if before.standing() != person.standing() {
            cx.judged_anew.extend(person.node_keys());
        }
        self.assign_nodes(cx, &person.identity, &before.nodes, &person.nodes)?;
        tables::save(cx.tx, PEOPLE, tables::key(&person.identity), person)
    }

    /// The contact of a name, written with or without `@`.
    pub(crate) fn find_contact(&self, cx: &Context<'_>, name: &str) -> Result<PersonRecord, Failure> {
        let bare = name.strip_prefix('@').unwrap_or(name);
        let found: Option<NameRecord> = tables::load(cx.tx, NAMES, tables::key(&name_key('@', bare)))?;
        let person = match found {
            Some(found) => self.person(cx, &found.target)?,
            None => None,
        };
        person.ok_or_else(|| {
            Failure::not_found(format!("no contact is named @{bare}: `qpq contact list` shows the names"))
        })
    }

    /// The group of a name, written with or without `#`.
    pub(crate) fn find_group(&self, cx: &Context<'_>, name: &str) -> Result<ConversationId, Failure> {
        let bare = name.strip_prefix('#').unwrap_or(name);
        let found: Option<NameRecord> = tables::load(cx.tx, NAMES, tables::key(&name_key('#', bare)))?;
        found.and_then(|found| found.target.as_slice().try_into().ok()).ok_or_else(|| {
            Failure::not_found(format!("no group is named #{bare}: `qpq group list` shows the groups"))
        })
    }

    /// The contact or group of a name with its sigil.
    pub(crate) fn find_named(&self, cx: &Context<'_>, name: &str) -> Result<Named, Failure> {
        match name.chars().next() {
            Some('#') => self.find_group(cx, name).map(Named::Group),
            Some('@') => self.find_contact(cx, name).map(|person| Named::Person(Box::new(person))),
            _ => Err(Failure::bad_request("to", "write @name for a contact or #name for a group")),
        }
    }

    /// Gives a name to a person or group: the wanted one, or with a number behind it if that is taken or looks like
    /// one that is.
    pub(crate) fn claim_name(
        &self,
        cx: &mut Context<'_>,
        sigil: char,
        wanted: &str,
        target: &[u8],
    ) -> Result<String, EngineError> {
        let base = text::check_name(wanted).unwrap_or_else(|_| "unnamed".to_owned());
        let others = self.looks_of_others(cx, sigil, target)?;
        let mut name = base.clone();
        for number in 2u32.. {
            let key = name_key(sigil, &name);
            let owner: Option<NameRecord> = tables::load(cx.tx, NAMES, tables::key(&key))?;
            let is_free = owner.is_none_or(|owner| owner.target == target);
            if is_free && text::looks(&name).iter().all(|look| !others.contains(look)) {
                break;
            }
            let kept: String = base.chars().take(56).collect();
            name = format!("{kept}-{number}");
        }
        self.take_name(cx, sigil, &name, target)?;
        Ok(name)
    }

    /// Gives a name that is free, whatever it looks like: the owner wants it.
    pub(crate) fn take_name(
        &self,
        cx: &mut Context<'_>,
        sigil: char,
        name: &str,
        target: &[u8],
    ) -> Result<(), EngineError> {
        let owner = NameRecord { target: target.to_vec() };
        tables::save(cx.tx, NAMES, tables::key(&name_key(sigil, name)), &owner)
    }

    /// What the names of all other groups or topics look like, or those of all other contacts and this person's own.
    fn looks_of_others(
        &self,
        cx: &Context<'_>,
        sigil: char,
        target: &[u8],
    ) -> Result<BTreeSet<String>, EngineError> {
        let names: Vec<String> = match sigil {
            '#' => {
                let mut groups: Vec<ConversationRecord> = tables::all(cx.tx, CONVERSATIONS)?;
                groups.retain(|group| group.kind() == Kind::Group && group.id != target);
                groups.into_iter().map(|group| group.name).collect()
            }
            TOPIC_SIGIL => self.names_of_other_topics(cx, target)?,
            _ => {
                let mut people: Vec<PersonRecord> = tables::all(cx.tx, PEOPLE)?;
                people.retain(|person| person.is_contact() && person.identity != target);
                let own = self.me.iter().map(|me| me.name.clone());
                people.into_iter().map(|person| person.name).chain(own).collect()
            }
        };
        Ok(names.iter().flat_map(|name| text::looks(name)).collect())
    }

    /// Whether a name is free for a person or group.
    pub(crate) fn name_is_free(
        &self,
        cx: &Context<'_>,
        sigil: char,
        name: &str,
    ) -> Result<bool, EngineError> {
        Ok(cx.tx.get(NAMES, tables::key(&name_key(sigil, name)))?.is_none())
    }

    pub(crate) fn release_name(
        &self,
        cx: &mut Context<'_>,
        sigil: char,
        name: &str,
    ) -> Result<(), EngineError> {
        Ok(cx.tx.delete(NAMES, tables::key(&name_key(sigil, name)))?)
    }

    /// How a person is shown, without sigil for oneself.
    pub(crate) fn display_name(&self, cx: &Context<'_>, identity: &[u8]) -> Result<String, EngineError> {
        if let Some(me) = &self.me
            && me.identity.public().as_bytes() == identity
        {
            return Ok(me.name.clone());
        }
        let person = self.person(cx, identity)?;
        let short = Identity::try_from(identity).map(|id| id.to_string()[..4].to_owned()).unwrap_or_default();
        Ok(match person {
            Some(person) if person.is_contact() => person.name,
            Some(person) if !person.name.is_empty() => format!("~{}-{short}", person.name),
            _ => format!("~{short}"),
        })
    }

    /// A contact as the owner's programs see it.
    pub(crate) fn contact_view(
        &self,
        cx: &Context<'_>,
        person: &PersonRecord,
    ) -> Result<Contact, EngineError> {
        let conversation = self.conversation(cx, &person.conversation)?;
        let with_group = conversation.filter(|conversation| !conversation.group_id.is_empty());
        Ok(Contact {
            identity: person.identity.clone(),
            name: person.name.clone(),
            state: match person.standing() {
                Standing::Member => "member",
                Standing::Requested if person.is_refused => "refused",
                Standing::Requested => "requested",
                Standing::Pending => "pending",
                Standing::Accepted => "accepted",
                Standing::Blocked => "blocked",
            }
            .into(),
            verification: verification_word(person.verification()).into(),
            verified_at_ms: person.verified_at_ms,
            nodes: person.nodes.clone(),
            added_at_ms: person.added_at_ms,
            online: person.node_keys().iter().any(|node| self.peers.is_connected(node)),
            suite: with_group.map_or(0, |conversation| conversation.suite),
            met_at: match <[u8; 32]>::try_from(person.met_at.as_slice()) {
                Ok(pin) => self.place_of(cx, RelayKey(pin))?,
                Err(_) => String::new(),
            },
        })
    }

    /// Learns who a member of a group is; what is known of a contact is not overwritten.
    pub(crate) fn learn_member(
        &mut self,
        cx: &mut Context<'_>,
        identity: Identity,
        node: NodeKey,
        profile: Option<&MemberProfile>,
    ) -> Result<(), EngineError> {
        let known = self.person(cx, identity.as_bytes())?;
        let mut person = known.clone().unwrap_or_else(|| PersonRecord {
            identity: identity.as_bytes().to_vec(),
            added_at_ms: cx.now.wall_ms,
            ..PersonRecord::default()
        });
        if !person.nodes.iter().any(|known| known == node.as_bytes()) {
            person.nodes.push(node.as_bytes().to_vec());
            // Of whoever renews its leaf again and again with another node, the newest nodes are kept.
            let surplus = person.nodes.len().saturating_sub(DEVICES_PER_IDENTITY_MAX);
            person.nodes.drain(..surplus);
            self.peers.nodes_changed(&person.identity);
        }
        if let Some(profile) = profile {
            person.learn_addresses(&profile.addresses);
            if !person.is_contact()
                && let Ok(name) = text::check_name(&profile.name)
            {
                person.name = name;
            }
        }
        if known.as_ref() != Some(&person) {
            self.save_person(cx, &person)?;
        }
        Ok(())
    }
}

pub(crate) fn verification_word(verification: Verification) -> &'static str {
    match verification {
        Verification::Unverified => "unverified",
        Verification::Verified => "verified",
        Verification::Mismatched => "mismatched",
    }
}

pub(crate) fn name_key(sigil: char, name: &str) -> Vec<u8> {
    format!("{sigil}{}", text::fold_name(name)).into_bytes()
}

#[cfg(test)]
mod tests;
