//! What can be seen of a run from outside: the only thing that checkers and figures are made from.

/// Something that happened. Nodes and messages are numbers; a bundle that is no message of the scenario, such as one
/// of a flood, has a number beyond them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Observation<'a> {
    /// A message was written.
    Created {
        /// Which.
        message: u32,
    },
    /// A message with its body crossed a link.
    Transferred {
        /// From whom.
        from: u32,
        /// To whom.
        to: u32,
        /// Which.
        message: u32,
        /// What it takes in a store.
        bytes: u64,
    },
    /// A contact has ended: told of each direction, and only where somebody floods the network.
    LinkEnded {
        /// From whom.
        from: u32,
        /// To whom.
        to: u32,
        /// What it could have carried that way.
        capacity_bytes: u64,
    },
    /// The application of a node has got a message.
    Delivered {
        /// Whose.
        node: u32,
        /// Which.
        message: u32,
    },
    /// A node has it in its store from now on.
    Stored {
        /// Whose store.
        node: u32,
        /// Which.
        message: u32,
        /// What it takes.
        bytes: u64,
    },
    /// A node has it no longer.
    Removed {
        /// Whose store.
        node: u32,
        /// Which.
        message: u32,
        /// What it took.
        bytes: u64,
        /// Why.
        cause: Cause,
    },
    /// A node answered another that it has taken custody and will not lose it in a crash.
    Promised {
        /// Who answered.
        holder: u32,
        /// Which.
        message: u32,
    },
    /// A node learned that a message is settled.
    Settled {
        /// Who.
        node: u32,
        /// Which.
        message: u32,
    },
    /// A node came up again after a crash, and this is what is in its store.
    Restarted {
        /// Who.
        node: u32,
        /// In order.
        holds: &'a [u32],
        /// What was not promised to be durable may be gone, a removal too.
        has_lost: bool,
    },
    /// The application of a node lost a message in a crash, before anybody was promised that it has it.
    Forgotten {
        /// Whose.
        node: u32,
        /// Which.
        message: u32,
    },
    /// A node cannot come up again: its store does not open.
    Broken {
        /// Who.
        node: u32,
        /// Why.
        reason: &'a str,
    },
    /// What everybody can read on a bundle.
    Header {
        /// Which.
        message: u32,
        /// Every field that is meant to be unlike any other: id, salt, tag, settle.
        fields: &'a [&'a [u8]],
    },
}

/// Why a message left a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Its lifetime is over.
    Expired,
    /// There was no room.
    Evicted,
    /// It has arrived, and the holder has proof of it.
    Settled,
    /// The holder has handed on its last copy.
    HandedOn,
    /// It reached the node it was for.
    Arrived,
    /// The node crashed, and it was not durable.
    Lost,
}

impl Observation<'_> {
    /// The event as bytes, for the hash of the run.
    pub(crate) fn digest(&self) -> [u64; 4] {
        match *self {
            Self::Created { message } => [1, u64::from(message), 0, 0],
            Self::Transferred { from, to, message, .. } => {
                [2, u64::from(from), u64::from(to), u64::from(message)]
            }
            Self::Delivered { node, message } => [3, u64::from(node), u64::from(message), 0],
            Self::Stored { node, message, bytes } => [4, u64::from(node), u64::from(message), bytes],
            Self::Removed { node, message, cause, .. } => {
                [5, u64::from(node), u64::from(message), cause as u64]
            }
            Self::Promised { holder, message } => [6, u64::from(holder), u64::from(message), 0],
            Self::Settled { node, message } => [7, u64::from(node), u64::from(message), 0],
            Self::Restarted { node, holds, has_lost } => {
                [8, u64::from(node), holds.len() as u64, u64::from(has_lost)]
            }
            Self::LinkEnded { from, to, capacity_bytes } => {
                [12, u64::from(from), u64::from(to), capacity_bytes]
            }
            Self::Forgotten { node, message } => [10, u64::from(node), u64::from(message), 0],
            Self::Broken { node, .. } => [11, u64::from(node), 0, 0],
            Self::Header { message, .. } => [9, u64::from(message), 0, 0],
        }
    }
}
