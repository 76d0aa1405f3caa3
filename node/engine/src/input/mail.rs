//! Relays, and what they kept, as driver and engine name them to each other.

use bytes::Bytes;

/// Names a relay: SHA-256 of the certificate that it must show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RelayKey(pub [u8; 32]);

/// By which connection a relay is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayLine {
    /// The one that [`Effect::WantRelay`](super::Effect::WantRelay) keeps up, on which this person logs in.
    Session,
    /// Another, on which nobody ever logs in: the relay must not learn who calls.
    Anonymous {
        /// Where the relay listens: hosts and ports.
        places: Vec<String>,
    },
}

/// A delivery that a relay kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The relay.
    pub relay: RelayKey,
    /// Where it lies.
    pub place: MailPlace,
    /// What was left there.
    pub payload: Bytes,
}

/// Which of this person's mailboxes at a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OwnMailbox {
    /// The random one, of which contacts know.
    Contacts,
    /// That of the identity, by which strangers ask.
    Strangers,
}

/// Where a delivery lies that a relay kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailPlace {
    /// At the relay, which has not heard yet that it arrived.
    Queue {
        /// Which connection brought it.
        round: u64,
        /// In which mailbox.
        mailbox: OwnMailbox,
        /// Its position there.
        seq: u64,
    },
    /// On this node, which did not recognise it when it came.
    Kept(u64),
}
