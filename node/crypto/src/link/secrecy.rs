//! What is printed of links: nothing that would let a reader follow them.

use std::fmt;

use super::{Invitation, Link};

/// Token and key are left out: whoever has them was invited.
impl fmt::Debug for Link {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Contact(invitation) | Self::Group { invitation, .. } => {
                write!(formatter, "Link({} link of {invitation:?})", self.kind())
            }
            Self::Topic { name, .. } => write!(formatter, "Link(topic link to {name})"),
        }
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
            .field("mailbox", &self.mailbox)
            .finish_non_exhaustive()
    }
}
