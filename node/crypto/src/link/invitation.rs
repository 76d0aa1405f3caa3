//! Who invites, within contact links and group links.

use std::net::SocketAddr;

use qpq_proto::limits::PROFILE_ADDRESSES_MAX;

use super::addresses::{put_addresses, read_addresses};
use super::names::checked_name;
use super::{FLAG_GROUP, FLAG_MAILBOX, FLAG_REUSABLE, LINK_TOKEN_BYTES, VERSION};
use super::{Link, LinkError, LinkMailbox, put_name, read_name};
use crate::encoding::Reader;
use crate::ids::{Identity, NodeKey};
use crate::text::check_name;

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
    /// Where the request may be left while the node is not reached.
    pub mailbox: Option<LinkMailbox>,
}

impl Invitation {
    pub(super) fn encode(&self, group: Option<&String>) -> Vec<u8> {
        let reusable = if self.reusable { FLAG_REUSABLE } else { 0 };
        let mailbox = self.mailbox.as_ref().map_or(0, |_| FLAG_MAILBOX);
        let mut bytes = vec![VERSION, reusable | mailbox | group.map_or(0, |_| FLAG_GROUP)];
        bytes.extend_from_slice(self.identity.as_bytes());
        bytes.extend_from_slice(self.node.as_bytes());
        bytes.extend_from_slice(&self.token);
        put_name(&mut bytes, &self.name);
        if let Some(group) = group {
            put_name(&mut bytes, group);
        }
        put_addresses(&mut bytes, &self.addresses);
        if let Some(mailbox) = &self.mailbox {
            mailbox.put(&mut bytes);
        }
        bytes
    }

    /// Reads what follows the flags.
    pub(super) fn read(reader: &mut Reader<'_>, flags: u8) -> Result<Link, LinkError> {
        let identity = Identity::from_bytes(reader.array()?);
        let node = NodeKey::from_bytes(reader.array()?);
        let token = reader.array()?;
        let name = read_name(reader)?;
        let group = if flags & FLAG_GROUP == 0 { None } else { Some(read_name(reader)?) };
        let addresses = read_addresses(reader)?;
        let has_mailbox = flags & FLAG_MAILBOX != 0;
        let mailbox = if has_mailbox { Some(LinkMailbox::read(reader)?) } else { None };
        if reader.remaining() > 0 {
            return Err(LinkError::TooLong);
        }
        let reusable = flags & FLAG_REUSABLE != 0;
        let name = checked_name(name)?;
        let invitation = Self { identity, node, token, reusable, name, addresses, mailbox };
        match group {
            None => Ok(Link::Contact(invitation)),
            Some(group) => Ok(Link::Group { invitation, group: checked_name(group)? }),
        }
    }

    pub(super) fn checked(mut self) -> Result<Self, LinkError> {
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
