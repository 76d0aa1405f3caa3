//! The kinds of links, and why text is none of them.

use std::fmt;

use qpq_proto::limits::PROFILE_ADDRESSES_MAX;

use crate::encoding::Truncated;
use crate::text::NameError;

/// Which kind of link is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkKind {
    /// [`Link::Contact`](super::Link::Contact).
    Contact,
    /// [`Link::Group`](super::Link::Group).
    Group,
    /// [`Link::Topic`](super::Link::Topic).
    Topic,
}

impl LinkKind {
    /// The command that follows such a link.
    const fn command(self) -> &'static str {
        match self {
            Self::Contact => "qpq contact add",
            Self::Group => "qpq group join",
            Self::Topic => "qpq mesh subscribe",
        }
    }
}

impl fmt::Display for LinkKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Contact => "contact",
            Self::Group => "group",
            Self::Topic => "topic",
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
    /// A link to a relay, which is another thing.
    #[error("this is a link to a relay: `qpq relay register LINK --username NAME` uses it")]
    Relay,
    /// More than [`LINK_CHARS_MAX`](super::LINK_CHARS_MAX) characters, or more than a link holds.
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
    /// A link of another kind than is asked for.
    #[error("this is a {found} link: `{} LINK` uses it", .found.command())]
    WrongKind {
        /// What was asked for.
        expected: LinkKind,
        /// What it is.
        found: LinkKind,
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
    /// No relay's place, or none at all, or too many.
    #[error("link says badly where the relay of its mailbox listens")]
    Places,
    /// Neither IPv4 nor IPv6.
    #[error("link has an address of the unknown family {0}")]
    AddressFamily(u8),
}

impl From<Truncated> for LinkError {
    fn from(_: Truncated) -> Self {
        Self::TooShort
    }
}
