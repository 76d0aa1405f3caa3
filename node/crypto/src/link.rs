//! Links that people pass on: by messenger, on paper, as a QR code, over the telephone.
//!
//! A contact link says who invites, by which node, and with which token; a group link names a group as well.
//! Its text is `qpq:` and groups of 14 characters (13 of base32 and one check character), which a
//! QR code stores in its alphanumeric mode. Reading is forgiving (case, blanks, line breaks, dashes in the
//! wrong place or missing, `0` for `O`, `1` for `I`, `8` for `B`), and says which group is mistyped. What the
//! groups hold:
//!
//! ```text
//! version (1) = 1 | flags (1) | identity (32) | node (32) | token (16) | name | group's name, if it is a group link
//!   | count (1) | addresses | the first 4 bytes of BLAKE3 of all before
//! name    = length - 1 (1) | UTF-8
//! address = 4 (1) | IPv4 (4) | port (2)   or   6 (1) | IPv6 (16) | port (2)
//! flags   = 1: reusable, 2: group link
//! ```
//!
//! A link is a bearer token and carries no signature: whoever can change it could as well pass on a link of
//! their own. What it promises is proven when the node answers.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use qpq_proto::limits::PROFILE_ADDRESSES_MAX;

use crate::encoding::{Reader, Truncated};
use crate::ids::{Identity, NodeKey};
use crate::text::{NameError, check_name};

mod groups;

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
}

/// Who invites, and by which token they know that they did.
#[derive(Clone, PartialEq, Eq)]
pub struct Invitation {
    /// The person who invites.
    pub identity: Identity,
    /// The node that answers.
    pub node: NodeKey,
    /// Random; whoever shows it was invited.
    pub token: [u8; LINK_TOKEN_BYTES],
    /// The link may be followed more than once; requests must then be accepted.
    pub reusable: bool,
    /// The person's name, as [`check_name`] gives it.
    pub name: String,
    /// Where the node may be reached, at most [`PROFILE_ADDRESSES_MAX`].
    pub addresses: Vec<SocketAddr>,
}

/// Which kind of link is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkKind {
    /// [`Link::Contact`].
    Contact,
    /// [`Link::Group`].
    Group,
}

impl fmt::Display for LinkKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Contact => "contact",
            Self::Group => "group",
        })
    }
}

/// Why text is not a link, in words for whoever pasted it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// It does not start with `qpq:`.
    #[error("not a qpq link: it does not start with \"qpq:\"")]
    NotALink,
    /// More than [`LINK_CHARS_MAX`] characters, or more than a link holds.
    #[error("link is too long")]
    TooLong,
    /// Its end is missing.
    #[error("link is too short: its end is missing")]
    TooShort,
    /// A character that no link holds.
    #[error("group {index} of the link holds {}, which no link does", .character.escape_debug())]
    Character {
        /// Which group of 14 characters, from 1.
        index: usize,
        /// The character.
        character: char,
    },
    /// A group whose check character is wrong.
    #[error("group {index} of the link is mistyped")]
    Group {
        /// Which group of 14 characters, from 1.
        index: usize,
    },
    /// Every group is right in itself: some are exchanged, repeated or missing.
    #[error("groups of the link are exchanged, missing or mistyped")]
    Checksum,
    /// Made by a newer version.
    #[error("link was made by a newer version of qpq (form {0})")]
    UnknownVersion(u8),
    /// Made by a newer version, in the same form.
    #[error("link was made by a newer version of qpq (flags {0:#04x})")]
    UnknownFlags(u8),
    /// A link of the other kind than is asked for.
    #[error("link is not a {expected} link")]
    WrongKind {
        /// What was asked for.
        expected: LinkKind,
    },
    /// A name in it is not UTF-8 in normal form (NFKC).
    #[error("name in the link is not encoded as it should be")]
    NameEncoding,
    /// A name in it is none.
    #[error("name in the link: {0}")]
    Name(#[from] NameError),
    /// More than [`PROFILE_ADDRESSES_MAX`].
    #[error("link has {0} addresses, more than {PROFILE_ADDRESSES_MAX}")]
    AddressCount(usize),
    /// Neither IPv4 nor IPv6.
    #[error("link has an address of the unknown family {0}")]
    AddressFamily(u8),
}

impl From<Truncated> for LinkError {
    fn from(_: Truncated) -> Self {
        Self::TooShort
    }
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

    /// Which kind of link it is.
    pub fn kind(&self) -> LinkKind {
        match self {
            Self::Contact(_) => LinkKind::Contact,
            Self::Group { .. } => LinkKind::Group,
        }
    }

    /// Who invites.
    pub fn invitation(&self) -> &Invitation {
        match self {
            Self::Contact(invitation) | Self::Group { invitation, .. } => invitation,
        }
    }

    /// The invitation of a contact link.
    ///
    /// # Errors
    /// [`LinkError::WrongKind`].
    pub fn into_contact(self) -> Result<Invitation, LinkError> {
        match self {
            Self::Contact(invitation) => Ok(invitation),
            Self::Group { .. } => Err(LinkError::WrongKind { expected: LinkKind::Contact }),
        }
    }

    /// The invitation of a group link, and the group's name.
    ///
    /// # Errors
    /// [`LinkError::WrongKind`].
    pub fn into_group(self) -> Result<(Invitation, String), LinkError> {
        match self {
            Self::Group { invitation, group } => Ok((invitation, group)),
            Self::Contact(_) => Err(LinkError::WrongKind { expected: LinkKind::Group }),
        }
    }

    fn encode(&self) -> Vec<u8> {
        let (invitation, group) = match self {
            Self::Contact(invitation) => (invitation, None),
            Self::Group { invitation, group } => (invitation, Some(group)),
        };
        let reusable = if invitation.reusable { FLAG_REUSABLE } else { 0 };
        let mut bytes = vec![VERSION, reusable | group.map_or(0, |_| FLAG_GROUP)];
        bytes.extend_from_slice(invitation.identity.as_bytes());
        bytes.extend_from_slice(invitation.node.as_bytes());
        bytes.extend_from_slice(&invitation.token);
        put_name(&mut bytes, &invitation.name);
        if let Some(group) = group {
            put_name(&mut bytes, group);
        }
        put_addresses(&mut bytes, &invitation.addresses);
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
        if flags & !(FLAG_REUSABLE | FLAG_GROUP) != 0 {
            return Err(LinkError::UnknownFlags(flags));
        }
        let identity = Identity::from_bytes(reader.array()?);
        let node = NodeKey::from_bytes(reader.array()?);
        let token = reader.array()?;
        let name = read_name(&mut reader)?;
        let group = if flags & FLAG_GROUP == 0 { None } else { Some(read_name(&mut reader)?) };
        let addresses = read_addresses(&mut reader)?;
        if reader.remaining() > 0 {
            return Err(LinkError::TooLong);
        }
        let reusable = flags & FLAG_REUSABLE != 0;
        let name = checked_name(name)?;
        let invitation = Invitation { identity, node, token, reusable, name, addresses };
        match group {
            None => Ok(Self::Contact(invitation)),
            Some(group) => Ok(Self::Group { invitation, group: checked_name(group)? }),
        }
    }
}

impl Invitation {
    fn checked(mut self) -> Result<Self, LinkError> {
        self.name = check_name(&self.name)?;
        if self.addresses.len() > PROFILE_ADDRESSES_MAX {
            return Err(LinkError::AddressCount(self.addresses.len()));
        }
        for address in &mut self.addresses {
            *address = SocketAddr::new(address.ip(), address.port());
        }
        Ok(self)
    }
}

impl fmt::Display for Link {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "qpq:{}", groups::write(&self.encode()))
    }
}

/// The token is left out: whoever has it was invited.
impl fmt::Debug for Link {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Link({} link of {:?})", self.kind(), self.invitation())
    }
}

/// The token is left out: whoever has it was invited.
impl fmt::Debug for Invitation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Invitation")
            .field("identity", &self.identity)
            .field("node", &self.node)
            .field("reusable", &self.reusable)
            .field("name", &self.name)
            .field("addresses", &self.addresses)
            .finish_non_exhaustive()
    }
}

impl FromStr for Link {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.chars().nth(LINK_CHARS_MAX).is_some() {
            return Err(LinkError::TooLong);
        }
        let text = text.trim();
        let scheme = text.get(..SCHEME.len()).ok_or(LinkError::NotALink)?;
        if !scheme.eq_ignore_ascii_case(SCHEME) {
            return Err(LinkError::NotALink);
        }
        let text = &text[SCHEME.len()..];
        let text = text.strip_prefix("//").unwrap_or(text);
        Self::decode(&groups::read(text.trim_end_matches('/'))?)
    }
}

fn put_name(bytes: &mut Vec<u8>, name: &str) {
    // A checked name has 1 to 256 bytes; one that was tampered with is cut, and refused when it is read.
    let length = name.len().clamp(1, 256);
    bytes.push(u8::try_from(length - 1).unwrap_or(u8::MAX));
    bytes.extend(name.bytes().take(256));
}

fn read_name<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Truncated> {
    let length = usize::from(reader.u8()?) + 1;
    reader.bytes(length)
}

/// Links are written in one way only, with the normal form of a name.
fn checked_name(bytes: &[u8]) -> Result<String, LinkError> {
    let name = std::str::from_utf8(bytes).map_err(|_| LinkError::NameEncoding)?;
    let normal = check_name(name)?;
    if normal == name { Ok(normal) } else { Err(LinkError::NameEncoding) }
}

fn put_addresses(bytes: &mut Vec<u8>, addresses: &[SocketAddr]) {
    let addresses = &addresses[..addresses.len().min(PROFILE_ADDRESSES_MAX)];
    bytes.push(u8::try_from(addresses.len()).unwrap_or(u8::MAX));
    for address in addresses {
        match address.ip() {
            IpAddr::V4(ip) => {
                bytes.push(FAMILY_V4);
                bytes.extend_from_slice(&ip.octets());
            }
            IpAddr::V6(ip) => {
                bytes.push(FAMILY_V6);
                bytes.extend_from_slice(&ip.octets());
            }
        }
        bytes.extend_from_slice(&address.port().to_be_bytes());
    }
}

fn read_addresses(reader: &mut Reader<'_>) -> Result<Vec<SocketAddr>, LinkError> {
    let count = usize::from(reader.u8()?);
    if count > PROFILE_ADDRESSES_MAX {
        return Err(LinkError::AddressCount(count));
    }
    let mut addresses = Vec::with_capacity(count);
    for _ in 0..count {
        let ip = match reader.u8()? {
            FAMILY_V4 => IpAddr::from(reader.array::<4>()?),
            FAMILY_V6 => IpAddr::from(reader.array::<16>()?),
            unknown => return Err(LinkError::AddressFamily(unknown)),
        };
        addresses.push(SocketAddr::new(ip, reader.u16()?));
    }
    Ok(addresses)
}

fn checksum(bytes: &[u8]) -> [u8; 4] {
    let [a, b, c, d, ..] = *blake3::hash(bytes).as_bytes();
    [a, b, c, d]
}

const SCHEME: &str = "qpq:";
const VERSION: u8 = 1;
const FLAG_REUSABLE: u8 = 1;
const FLAG_GROUP: u8 = 2;
const FAMILY_V4: u8 = 4;
const FAMILY_V6: u8 = 6;

#[cfg(test)]
mod tests;
