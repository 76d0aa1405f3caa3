//! What comes into the engine and what goes out of it.

use std::net::SocketAddr;

use bytes::Bytes;
use qpq_mesh::{
    Bundle, BundleId,
    work::{self, Challenge, Solution},
};
use qpq_proto::{Failure, Method, ids::NodeKey};

use crate::{
    relays::{Stretched, Stretching},
    storage::StorageError,
};

mod mail;
pub use mail::{Mail, MailPlace, OwnMailbox, RelayKey, RelayLine};

/// The time, as the driver sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds since some moment before the node started; never goes back.
    pub monotonic_ms: u64,
    /// Unix time in milliseconds; may be wrong by years and may jump.
    pub wall_ms: u64,
}

/// Who calls a method. The driver has checked that the method's access column permits it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// The owner's own program, over the local socket.
    Owner,
    /// A peer, authenticated as its node key.
    Node(NodeKey),
    /// Anyone.
    Public,
}

/// Names a call that the engine asked for, until it is answered. Unique within one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallId(pub u64);

/// Something that happened.
#[derive(Debug)]
pub enum Input {
    /// The node has started; given once, first.
    Started,
    /// The moment that [`Engine::wake_at`](crate::Engine::wake_at) named has come.
    Tick,
    /// A method was called.
    Call {
        /// Who calls.
        caller: Caller,
        /// Which method.
        method: Method,
        /// The request, as it came.
        payload: Bytes,
    },
    /// A connection to a peer is up.
    PeerConnected {
        /// The peer.
        node: NodeKey,
        /// Where it is, for display.
        address: String,
    },
    /// The last connection to a peer is gone.
    PeerDisconnected {
        /// The peer.
        node: NodeKey,
    },
    /// Discovery saw a peer.
    PeerDiscovered {
        /// The peer.
        node: NodeKey,
        /// Where it says it is; hints only.
        addresses: Vec<SocketAddr>,
    },
    /// Discovery no longer sees a peer.
    PeerLost {
        /// The peer.
        node: NodeKey,
    },
    /// The addresses at which this node can be reached have changed.
    AddressesChanged(Vec<SocketAddr>),
    /// A connection to a relay is up that [`Effect::WantRelay`] asked for.
    RelayConnected {
        /// The relay.
        relay: RelayKey,
        /// Value that both ends export from the connection's TLS session (RFC 8446, section 7.5).
        exporter: [u8; 32],
    },
    /// A relay that is wanted was not reached. The driver tries again by itself.
    RelayUnreached {
        /// The relay.
        relay: RelayKey,
        /// Why, for a person.
        reason: String,
    },
    /// The connection to a relay is gone; those of its calls that were not answered have failed. The driver connects
    /// again by itself.
    RelayLost {
        /// The relay.
        relay: RelayKey,
    },
    /// The work of [`Effect::Stretch`] is done.
    Stretched {
        /// The attempt that it is for.
        attempt: u64,
        /// What came of it.
        stretched: Stretched,
    },
    /// What [`Effect::Next`] asked for.
    Next(Next),
    /// The work of [`Effect::Work`] is done.
    Worked {
        /// Who asked for it.
        node: NodeKey,
        /// The solution.
        solution: Solution,
    },
    /// A call that the engine asked for has ended.
    Answered {
        /// The call.
        call: CallId,
        /// The response, or why there is none.
        result: Result<Bytes, CallFailure>,
    },
}

/// A step that the engine takes in a transaction of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Open a bundle that is for this person.
    Open(Bundle),
    /// A bundle that is for this person cannot be opened, and never will.
    Unopened(BundleId),
    /// Make the commits that the last run may have left undone in a conversation, by its local id.
    Resume(Vec<u8>),
    /// They could not be made: the conversation's group is broken.
    NotResumed(Vec<u8>),
    /// Take what a relay kept for this person.
    Mail(Mail),
    /// It was not taken.
    Unmailed {
        /// The relay.
        relay: RelayKey,
        /// Where it lies.
        place: MailPlace,
        /// It never will be.
        is_useless: bool,
    },
}

/// Why a call brought no response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallFailure {
    /// The peer answered with a status other than `Ok`.
    Refused(Failure),
    /// The peer was not reached, or the connection broke; it may or may not have handled the call.
    Unreachable,
}

/// A challenge that a carrier has set before it takes more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    pub(crate) own: NodeKey,
    pub(crate) challenge: Challenge,
}

impl Work {
    /// Looks for a solution, at most for so many hashes; `None` if it was not found. Takes about 100 ns a hash.
    #[must_use]
    pub fn solve(&self, attempts_max: u64) -> Option<Solution> {
        work::solve(&self.challenge, &self.own, 0, attempts_max)
    }
}

/// Something the driver must do after the transaction is committed.
///
/// Both drivers, the daemon and the simulator, match this without a wildcard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Call a method of a peer and give the result back as [`Input::Answered`].
    Call {
        /// Names the call in the answer.
        call: CallId,
        /// The peer.
        node: NodeKey,
        /// Which method.
        method: Method,
        /// The request.
        payload: Bytes,
    },
    /// Keep a connection to a peer up.
    Want {
        /// The peer.
        node: NodeKey,
        /// Where it may be, besides what discovery finds.
        addresses: Vec<SocketAddr>,
    },
    /// The connection to a peer is no longer needed.
    Release {
        /// The peer.
        node: NodeKey,
    },
    /// Give this back as [`Input::Next`]. Nothing is lost if it is not: it comes again after a restart.
    Next(Next),
    /// Do some work away from the writer, and give what comes of it back as [`Input::Worked`]. Nothing but time is lost
    /// if it is not done.
    Work {
        /// The neighbour who asked for it.
        node: NodeKey,
        /// What is to be done.
        work: Work,
    },
    /// Keep a connection to a relay up, and try again for as long as it is not, now and then. Said again, with other
    /// places, where those have changed.
    WantRelay {
        /// The relay.
        relay: RelayKey,
        /// Where it listens: hosts and ports.
        places: Vec<String>,
    },
    /// The connection to a relay is no longer needed.
    ReleaseRelay {
        /// The relay.
        relay: RelayKey,
    },
    /// Call a method of a relay and give the result back as [`Input::Answered`]: [`CallFailure::Unreachable`] where
    /// there is no connection.
    RelayCall {
        /// Names the call in the answer.
        call: CallId,
        /// The relay.
        relay: RelayKey,
        /// By which connection.
        line: RelayLine,
        /// Which method.
        method: Method,
        /// The request.
        payload: Bytes,
    },
    /// Stretch a password away from the writer, and give what comes of it back as [`Input::Stretched`].
    Stretch(Stretching),
    /// There are new events, up to this cursor.
    Events {
        /// Cursor of the newest event.
        newest: u64,
    },
    /// Secrets of old epochs were deleted: replace the key under which MLS state is sealed, soon.
    RotateSecrets,
}

/// What became of an input.
#[derive(Debug)]
pub struct Outcome {
    /// The response to an [`Input::Call`]; `None` for other inputs.
    pub answer: Option<Result<Bytes, Failure>>,
    /// What to do after the commit, in order.
    pub effects: Vec<Effect>,
    /// Whether the transaction's writes are to be kept. `false` after a refused call.
    pub keep: bool,
}

/// A failure that is not the input's fault. The transaction must be dropped; the engine stays usable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The storage below failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A record cannot be read: the file was changed, or this is a bug.
    #[error("record in table {table} cannot be read: {reason}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// A call failed inside.
    #[error("{0}")]
    Internal(String),
}
