//! Links that people pass on: by messenger, on paper, as a QR code, over the telephone.
//!
//! A contact link says who invites, by which node, and with which token; a group link names a group as well. A topic
//! link holds the key and the name of a broadcast topic and nothing of whoever passes it on.
//! A link's text is `qpq:` and groups of 14 characters (13 of base32 and one check character), which a
//! QR code stores in its alphanumeric mode. Reading is forgiving (case, blanks, line breaks, dashes in the
//! wrong place or missing, `0` for `O`, `1` for `I`, `8` for `B`), and says which group is mistyped. What the
//! groups hold:
//!
//! ```text
//! version (1) = 1 | flags (1) | identity (32) | node (32) | token (16) | name | group's name, if it is a group link
//!   | count (1) | addresses | mailbox, if the link names one | the first 4 bytes of BLAKE3 of all before
//! version (1) = 1 | flags (1) = 4 | key of the topic (32) | name of the topic | the first 4 bytes of BLAKE3 of all before
//! name    = length - 1 (1) | UTF-8
//! address = 4 (1) | IPv4 (4) | port (2)   or   6 (1) | IPv6 (16) | port (2)
//! mailbox = pin of the relay (32) | id (32) | secret (32) | count (1) | places
//! place   = length (1) | host and port
//! flags   = 1: reusable, 2: group link, 4: topic link (alone), 8: names a mailbox
//! ```
//!
//! The mailbox is where a request may be left while the node that answers is not reached, with tokens that follow from the
//! secret: those of [`DeliveryTokens`](crate::delivery_token::DeliveryTokens) from number 0 on,
//! [`LINK_DELIVERY_TOKENS`] of them.
//!
//! A link is a bearer token and carries no signature: whoever can change it could as well pass on a link of
//! their own. What it promises is proven when the node answers.

use std::fmt;
use std::str::FromStr;

use crate::encoding::Reader;
use crate::relay_link;
use crate::text::check_name;
use crate::topic::TopicKey;

pub use error::{LinkError, LinkKind};
pub use invitation::Invitation;
pub use mailbox::{LINK_DELIVERY_TOKENS, LinkMailbox};

mod addresses;
mod error;
pub(crate) mod groups;
mod invitation;
mod mailbox;
mod names;
mod secrecy;

use names::checked_name;
pub(crate) use names::{put_name, read_name};

/// Characters of the longest text that is looked at.
pub const LINK_CHARS_MAX: usize = 4096;
/// Bytes of a link's token.
pub const LINK_TOKEN_BYTES: usize = 16;

/// A link, read or made; [`Display`](fmt::Display) gives its canonical text.
#[derive(Clone, PartialEq, Eq)]
pub enum Link {
    /// Whoever follows it asks to become a contact.
    Contact(Invitation),
    /// Whoever follows it asks to be added to a group.
    Group {
        /// Who invites.
        invitation: Invitation,
        /// The group's name.
        group: String,
    },
    /// Whoever follows it reads a topic and posts to it.
    Topic {
        /// The topic's key.
        key: TopicKey,
        /// The topic's name, as [`check_name`] gives it.
        name: String,
    },
}

impl Link {
    /// A link by which someone becomes a contact. Scopes of IPv6 addresses mean nothing elsewhere and are left
    /// out.
    ///
    /// # Errors
    /// [`LinkError::Name`], [`LinkError::AddressCount`].
    pub fn contact(invitation: Invitation) -> Result<Self, LinkError> {
        invitation.checked().map(Self::Contact)
    }

    /// A link by which someone is added to a group.
    ///
    /// # Errors
    /// [`LinkError::Name`], [`LinkError::AddressCount`].
    pub fn group(invitation: Invitation, group: &str) -> Result<Self, LinkError> {
        Ok(Self::Group { invitation: invitation.checked()?, group: check_name(group)? })
    }

    /// A link by which a topic is subscribed to.
    ///
    /// # Errors
    /// [`LinkError::Name`].
    pub fn topic(key: TopicKey, name: &str) -> Result<Self, LinkError> {
        Ok(Self::Topic { key, name: check_name(name)? })
    }

    /// Which kind of link it is.
    pub fn kind(&self) -> LinkKind {
        match self {
            Self::Contact(_) => LinkKind::Contact,
            Self::Group { .. } => LinkKind::Group,
            Self::Topic { .. } => LinkKind::Topic,
        }
    }

    /// The invitation of a contact link.
    ///
    /// # Errors
    /// [`LinkError::WrongKind`].
    pub fn into_contact(self) -> Result<Invitation, LinkError> {
        match self {
            Self::Contact(invitation) => Ok(invitation),
            other => Err(other.wrong_kind(LinkKind::Contact)),
        }
    }

    /// The invitation of a group link, and the group's name.
    ///
    /// # Errors
    /// [`LinkError::WrongKind`].
    pub fn into_group(self) -> Result<(Invitation, String), LinkError> {
        match self {
            Self::Group { invitation, group } => Ok((invitation, group)),
            other => Err(other.wrong_kind(LinkKind::Group)),
        }
    }

    /// The key of a topic link, and the topic's name.
    ///
    /// # Errors
    /// [`LinkError::WrongKind`].
    pub fn into_topic(self) -> Result<(TopicKey, String), LinkError> {
        match self {
            Self::Topic { key, name } => Ok((key, name)),
            other => Err(other.wrong_kind(LinkKind::Topic)),
        }
    }

    fn wrong_kind(&self, expected: LinkKind) -> LinkError {
        LinkError::WrongKind { expected, found: self.kind() }
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = match self {
            Self::Contact(invitation) => invitation.encode(None),
            Self::Group { invitation, group } => invitation.encode(Some(group)),
            Self::Topic { key, name } => {
                let mut bytes = vec![VERSION, FLAG_TOPIC];
                bytes.extend_from_slice(key.as_bytes());
                put_name(&mut bytes, name);
                bytes
            }
        };
        let checksum = checksum(&bytes);
        bytes.extend_from_slice(&checksum);
        bytes
    }

    fn decode(bytes: &[u8]) -> Result<Self, LinkError> {
        let version = *bytes.first().ok_or(LinkError::TooShort)?;
        let (body, expected) = bytes.split_last_chunk().ok_or(LinkError::TooShort)?;
        let is_intact = checksum(body) == *expected;
        if version != VERSION {
            let unknown = LinkError::UnknownVersion(version);
            return Err(if is_intact { unknown } else { LinkError::Checksum });
        }
        match Self::read(body) {
            // What is missing or added tells more than that the checksum is wrong.
            Err(error @ (LinkError::TooShort | LinkError::TooLong)) => Err(error),
            _ if !is_intact => Err(LinkError::Checksum),
            link => link,
        }
    }

    fn read(body: &[u8]) -> Result<Self, LinkError> {
        let mut reader = Reader::new(body);
        reader.u8()?;
        let flags = reader.u8()?;
        if flags == FLAG_TOPIC {
            let key = TopicKey::from_bytes(&reader.array()?);
            let name = read_name(&mut reader)?;
            return if reader.remaining() > 0 {
                Err(LinkError::TooLong)
            } else {
                Ok(Self::Topic { key, name: checked_name(name)? })
            };
        }
        if flags & !(FLAG_REUSABLE | FLAG_GROUP | FLAG_MAILBOX) != 0 {
            return Err(LinkError::UnknownFlags(flags));
        }
        Invitation::read(&mut reader, flags)
    }
}

impl fmt::Display for Link {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "qpq:{}", groups::write(&self.encode()))
    }
}

impl FromStr for Link {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.chars().nth(LINK_CHARS_MAX).is_some() {
            return Err(LinkError::TooLong);
        }
        let text = text.trim();
        let is_relays = |start: &str| start.eq_ignore_ascii_case(relay_link::SCHEME);
        if text.get(..relay_link::SCHEME.len()).is_some_and(is_relays) {
            return Err(LinkError::Relay);
        }
        let scheme = text.get(..SCHEME.len()).ok_or(LinkError::NotALink)?;
        if !scheme.eq_ignore_ascii_case(SCHEME) {
            return Err(LinkError::NotALink);
        }
        let text = &text[SCHEME.len()..];
        let text = text.strip_prefix("//").unwrap_or(text);
        Self::decode(&groups::read(text.trim_end_matches('/'))?)
    }
}

fn checksum(bytes: &[u8]) -> [u8; 4] {
    let [a, b, c, d, ..] = *blake3::hash(bytes).as_bytes();
    [a, b, c, d]
}

const SCHEME: &str = "qpq:";
const VERSION: u8 = 1;
const FLAG_REUSABLE: u8 = 1;
const FLAG_GROUP: u8 = 2;
const FLAG_TOPIC: u8 = 4;
const FLAG_MAILBOX: u8 = 8;

#[cfg(test)]
mod tests;
