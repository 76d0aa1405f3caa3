//! Calls between this person and a relay.

use crate::{input::OwnMailbox, recovery::BundleStep};

/// What a call between this person and a relay is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RelayStep {
    /// A step of an attempt to register or to log in.
    Attempt {
        number: u64,
    },
    Resume,
    Mailbox,
    /// Tells the relay of tokens for these contacts, and for those who hold these invitations.
    Tokens {
        contacts: Vec<Vec<u8>>,
        invitations: Vec<Vec<u8>>,
    },
    /// Gives the relay this person's hybrid key of that sequence, for those who are invited or find it by name.
    HybridKey {
        sequence: u64,
    },
    Fetch {
        mailbox: OwnMailbox,
    },
    Acknowledge {
        mailbox: OwnMailbox,
    },
    Revoke,
    /// Stores or deletes a recovery bundle.
    Bundle(BundleStep),
    /// Who is behind a name.
    Ask,
    /// Something that the owner has the relay do.
    Errand {
        number: u64,
    },
    /// Fetches the hybrid key of somebody who was found by name.
    KeyOf {
        person: Vec<u8>,
    },
}
