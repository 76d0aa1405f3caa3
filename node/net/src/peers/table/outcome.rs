//! What the table is told and what it decides.

use std::net::SocketAddr;

use qpq_proto::ids::NodeKey;

use super::{Peer, Table};

/// Which end of a connection dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::peers) enum Dialler {
    Us,
    Peer,
}

/// What to do about a new connection.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::peers) enum Admission<L> {
    /// It is the only one: the peer is connected now.
    First,
    /// It takes over; the other one retires.
    Replaces(L),
    /// Becomes the current one, because whoever dialled the one given has dialled again: it has lost that one, and what
    /// was agreed over it. The one given retires.
    Renews(L),
    /// It takes over only if the present one shows no sign of life.
    Challenges(L),
    /// There are enough with this peer.
    TooMany,
}

/// What becomes of a peer when a connection is gone.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::peers) enum Departure<L> {
    /// The peer is no longer connected.
    Disconnected,
    /// Another connection carries on, or carried on before.
    Unnoticed,
    /// It is gone, and the one given has taken over, over which nothing is agreed yet.
    TakenOver(L),
}

/// What the dialler of a peer has to do.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::peers) enum Task {
    /// Nobody wants the peer any more: end.
    End,
    /// Nothing to do until something changes.
    Wait,
    /// Dial these addresses.
    Dial(Vec<SocketAddr>),
}

/// What there is to say about a peer.
pub(in crate::peers) struct Summary<L> {
    pub(in crate::peers) node: NodeKey,
    pub(in crate::peers) link: Option<L>,
    pub(in crate::peers) since_ms: u64,
    pub(in crate::peers) discovered: bool,
    pub(in crate::peers) wanted: bool,
    pub(in crate::peers) last_error: Option<String>,
}

impl<L: Clone + PartialEq> Table<L> {
    /// Every peer, in the order of the keys.
    pub(in crate::peers) fn summaries(&self) -> Vec<Summary<L>> {
        let summary = |(node, peer): (&NodeKey, &Peer<L>)| Summary {
            node: *node,
            link: peer.current().cloned(),
            since_ms: peer.since_ms,
            discovered: peer.discovered.is_some(),
            wanted: peer.wanted,
            last_error: peer.last_error.clone(),
        };
        self.peers.iter().map(summary).collect()
    }
}
