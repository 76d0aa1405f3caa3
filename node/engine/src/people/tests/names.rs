//! The simplest account of who has which name: a list, and a table of which names are alike, written by hand.

use std::{collections::BTreeMap, net::SocketAddr};

use qpq_crypto::{
    identity::IdentityKey,
    link::{Invitation, Link},
};
use qpq_proto::ids::{Identity, NodeKey};

/// A name, what case folding leaves of it, and what it looks like.
#[derive(Debug, Clone, Copy)]
pub(super) struct Name {
    pub(super) text: &'static str,
    folded: &'static str,
    look: &'static str,
}

const fn name(text: &'static str, folded: &'static str, look: &'static str) -> Name {
    Name { text, folded, look }
}

/// The name of the node's own person.
pub(super) const OWN: Name = name("alice", "alice", "alice");

/// The names that people have here.
pub(super) const POOL: [Name; 10] = [
    OWN,
    name("аlice", "аlice", "alice"),
    name("bob", "bob", "bob"),
    name("BOB", "bob", "bob"),
    name("b0b", "b0b", "bob"),
    name("ВОВ", "вов", "bob"),
    name("bob-2", "bob-2", "bob-2"),
    name("B0B-3", "b0b-3", "bob-3"),
    name("carol", "carol", "carol"),
    name("Ørsted", "ørsted", "ørsted"),
];

pub(super) fn key(who: u8) -> Identity {
    IdentityKey::from_seed(&[who; 32]).public()
}

pub(super) fn node(who: u8) -> NodeKey {
    NodeKey::from_bytes([who; 32])
}

/// A contact link of somebody.
pub(super) fn link(who: u8, name: &str) -> String {
    let addresses = vec![SocketAddr::from(([192, 0, 2, who], 1))];
    let token = [who; 16];
    let invitation = Invitation {
        identity: key(who),
        node: node(who),
        token,
        reusable: false,
        name: name.into(),
        addresses,
        mailbox: None,
    };
    Link::Contact(invitation).to_string()
}

/// A contact as the model knows it.
#[derive(Debug, Clone)]
struct Known {
    base: Name,
    /// Behind the name; 0 for none.
    number: u32,
    is_blocked: bool,
}

impl Known {
    fn numbered(&self, text: &str) -> String {
        if self.number == 0 { text.to_owned() } else { format!("{text}-{}", self.number) }
    }
}

/// Everybody's names.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeMap<u8, Known>);

impl Names {
    /// Adds somebody; the name given, or `None` if that is refused.
    pub(super) fn add(&mut self, who: u8, wanted: Name) -> Option<String> {
        if let Some(known) = self.0.get(&who) {
            return (!known.is_blocked).then(|| known.numbered(known.base.text));
        }
        for number in [0, 2, 3, 4, 5, 6, 7, 8, 9] {
            let candidate = Known { base: wanted, number, is_blocked: false };
            let look = candidate.numbered(wanted.look);
            let is_alike =
                look == OWN.look || self.0.values().any(|other| other.numbered(other.base.look) == look);
            if !is_alike && self.owner(&candidate.numbered(wanted.folded)).is_none() {
                let given = candidate.numbered(wanted.text);
                self.0.insert(who, candidate);
                return Some(given);
            }
        }
        panic!("ten people cannot need so many numbers");
    }

    /// Gives somebody another name; `None` if it is another's.
    pub(super) fn rename(&mut self, who: u8, wanted: Name) -> Option<String> {
        if self.owner(wanted.folded).is_some_and(|owner| owner != who) {
            return None;
        }
        let known = self.0.get_mut(&who)?;
        *known = Known { base: wanted, number: 0, ..known.clone() };
        Some(wanted.text.to_owned())
    }

    pub(super) fn remove(&mut self, who: u8) {
        self.0.remove(&who);
    }

    pub(super) fn block(&mut self, who: u8, unblock: bool) {
        if let Some(known) = self.0.get_mut(&who) {
            known.is_blocked = !unblock;
        }
    }

    pub(super) fn name(&self, who: u8) -> Option<String> {
        self.0.get(&who).map(|known| known.numbered(known.base.text))
    }

    pub(super) fn names(&self) -> Vec<(u8, String)> {
        self.0.iter().map(|(who, known)| (*who, known.numbered(known.base.text))).collect()
    }

    /// Names and states as they are listed.
    pub(super) fn listed(&self) -> Vec<(String, String)> {
        let state = |known: &Known| if known.is_blocked { "blocked" } else { "requested" };
        let mut listed: Vec<_> =
            self.0.values().map(|known| (known.numbered(known.base.text), state(known).to_owned())).collect();
        listed.sort();
        listed
    }

    pub(super) fn is_taken(&self, name: Name) -> bool {
        self.owner(name.folded).is_some()
    }

    fn owner(&self, folded: &str) -> Option<u8> {
        let is_it = |known: &Known| known.numbered(known.base.folded) == folded;
        self.0.iter().find(|(_, known)| is_it(known)).map(|(who, _)| *who)
    }
}
