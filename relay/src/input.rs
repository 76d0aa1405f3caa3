//! What comes into a relay and what goes out of it.

use std::net::IpAddr;

use bytes::Bytes;
use qpq_proto::ids::{DeviceKey, Identity, NodeKey};
use qpq_proto::v1::PushEvent;
use qpq_proto::{Failure, Method};

use crate::blobs::{BlobJob, BlobResult, JobId};
use crate::storage::StorageError;

/// The time, as the driver sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds since some moment before the node started; never goes back.
    pub monotonic_ms: u64,
    /// Unix time in milliseconds; may jump.
    pub wall_ms: u64,
}

/// Names a connection for as long as it lasts. Never used again within one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// Names a call until it is answered. Never used again within one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallId(pub u64);

/// At the other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// A program of the owner's.
    Owner,
    /// A node that proved that it holds this key.
    Node(NodeKey),
    /// Somebody who has shown nothing.
    Anyone,
}

/// Who calls, as the connection has shown it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// Over which connection.
    pub connection: ConnectionId,
    /// Who is at its other end.
    pub peer: Peer,
    /// Where its packets come from; nothing over the local socket.
    pub address: Option<IpAddr>,
    /// Value that both ends export from the connection's TLS session (RFC 8446, 7.5), and nobody else knows. What is
    /// signed over it is worth nothing on another connection.
    pub exporter: [u8; EXPORTER_BYTES],
}

/// Bytes of a TLS exporter's value.
pub const EXPORTER_BYTES: usize = 32;

/// Something that happened.
#[derive(Debug)]
pub enum Input {
    /// A method was called.
    Call {
        /// Names the call.
        call: CallId,
        /// Who calls.
        caller: Caller,
        /// Which method.
        method: Method,
        /// The request, as it came.
        payload: Bytes,
    },
    /// Whoever made a call no longer wants its answer.
    Dropped(CallId),
    /// A connection has ended.
    Disconnected(ConnectionId),
    /// The object store has carried out a job.
    BlobDone {
        /// Which.
        id: JobId,
        /// What came of it.
        result: BlobResult,
    },
    /// The service of a device's UnifiedPush endpoint says that there is no such endpoint any more.
    EndpointGone(Wake),
    /// The moment that [`Relay::wake_at`](crate::Relay::wake_at) named has come.
    Tick,
    /// The node is about to stop: calls that wait are answered `Unavailable` at once, and none waits from now on.
    Closing,
}

/// Something the driver must do after the transaction is committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Answer a call.
    Answer {
        /// Which.
        call: CallId,
        /// The response's payload, or why there is none.
        result: Result<Bytes, Failure>,
    },
    /// Push an event to whoever is connected.
    Push {
        /// Over which connection.
        connection: ConnectionId,
        /// What kind of event.
        event: PushEvent,
        /// The event.
        payload: Bytes,
    },
    /// Have the object store carry out a job, and report it with [`Input::BlobDone`]. A job that cannot be given to the
    /// store, or whose transaction could not be committed, is reported as [`BlobResult::Failed`]: the upload waits for it.
    Blob {
        /// Names the job.
        id: JobId,
        /// What is to be done.
        job: BlobJob,
    },
    /// End a connection whose session was ended by a call over another one. What is under way on it is lost.
    Disconnect {
        /// Which.
        connection: ConnectionId,
    },
    /// Wake a device: post an empty message to its UnifiedPush endpoint. Nobody waits for what comes of it, but that there
    /// is no such endpoint any more is to be reported with [`Input::EndpointGone`]. The address was checked as far as it
    /// can be without resolving its host: connect to no address that is not [public](crate::is_public_address), unless
    /// the configuration says otherwise, and follow no redirection.
    WakeDevice(Wake),
}

/// A device that is to be woken, and by which endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wake {
    /// Whose device.
    pub owner: Identity,
    /// Which.
    pub device: DeviceKey,
    /// An https address.
    pub endpoint: String,
}

/// What came of an input.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What is to be done once the transaction is committed.
    pub effects: Vec<Effect>,
    /// Whether the transaction is to be committed; otherwise it is to be dropped.
    pub keep: bool,
}

/// A fault inside: of storage, or of what lies in it. A refused call is none.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RelayError {
    /// Storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The program has none.
    #[error("this build has no relay")]
    NotBuilt,
    /// Something that only a call can ask for was done without one.
    #[error("there is no call to answer")]
    NoCall,
    /// The domain that the relay is to have cannot be one.
    #[error("the relay's domain cannot be used: {0}")]
    Domain(String),
    /// The log is older than what was signed of it.
    #[error("this relay has signed a newer log than it has, and signs no other: {0}")]
    LogIsOlder(&'static str),
    /// A record does not decode.
    #[error("a record of {table} is damaged: {reason}")]
    Corrupt {
        /// Where it lies.
        table: &'static str,
        /// What the decoder said.
        reason: String,
    },
}

impl From<RelayError> for Failure {
    /// The caller learns nothing of what is inside, but that the log is older than it was.
    fn from(error: RelayError) -> Self {
        match error {
            // Said when the relay was opened. Whoever asks can wait for it to be mended, or tell its operator.
            RelayError::LogIsOlder(_) => Self::unavailable(error.to_string(), RETRY_WHEN_MENDED_MS),
            error => {
                tracing::error!(%error, "a call failed inside");
                Self::internal()
            }
        }
    }
}

/// When to ask again for what somebody must mend first.
const RETRY_WHEN_MENDED_MS: u64 = 600_000;

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        RelayError::from(error).into()
    }
}
