//! What a handler works with: the time, randomness, the transaction, the caller, and the effects it collects.

use std::net::IpAddr;

use bytes::Bytes;
use qpq_proto::Failure;
use qpq_proto::ids::{DeviceKey, Identity, NodeKey};
use rand_core::CryptoRng;

use crate::blobs::{BlobJob, Work};
use crate::figures::Figures;
use crate::input::{CallId, Caller, ConnectionId, EXPORTER_BYTES, Effect, Peer};
use crate::log::SignedTree;
use crate::proofs::Proved;
use crate::queues::{QueueKey, Wait};
use crate::sessions::Session;
use crate::storage::Transaction;
use crate::time::Moment;
use crate::totals::Totals;

/// One input's surroundings.
pub(crate) struct Context<'a> {
    pub now: Moment,
    pub rng: &'a mut dyn CryptoRng,
    pub tx: &'a mut dyn Transaction,
    pub effects: Vec<Effect>,
    /// The call that is handled; none for an input that is no call.
    pub call: Option<Call>,
    /// What the answer waits for, if the handler's own is not given.
    pub later: Option<Later>,
    /// What the connection is bound to from now on.
    pub bind: Option<Session>,
    /// Accounts whose connections are bound to nothing from now on, or those of one of their devices.
    pub unbind: Vec<(Identity, Option<DeviceKey>)>,
    /// Queues into which something was put.
    pub arrived: Vec<QueueKey>,
    /// Queues from which more is to be removed than one step may.
    pub to_clear: Vec<QueueKey>,
    /// Queues in which so much has ended that it is in the way.
    pub to_look_at: Vec<QueueKey>,
    /// Jobs for the object store, and what they are for.
    pub jobs: Vec<(Work, BlobJob)>,
    /// The connection over which a device was seen, and in which hour.
    pub seen: Option<(ConnectionId, u64)>,
    /// The tree of the log that was signed.
    pub signed: Option<SignedTree>,
    /// What is counted.
    pub figures: Figures,
    /// What is held more or less than before.
    pub totals: Totals,
    /// Whom the call of an administrator's is about, for the audit log.
    pub about: Option<Identity>,
}

/// A call that is handled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    pub id: CallId,
    pub caller: Caller,
    /// Who is logged in on the connection.
    pub session: Option<Session>,
}

impl Call {
    /// Whether the caller has shown who it is.
    pub(crate) fn is_known(&self) -> bool {
        self.session.is_some() || matches!(self.caller.peer, Peer::Node(_))
    }

    /// Whom it counts for.
    pub(crate) fn who(&self) -> Who {
        match (self.session, self.caller.peer) {
            (Some(session), _) => Who::Account(session.identity),
            (None, Peer::Node(node)) => Who::Node(node),
            (None, _) => Who::address(&self.caller),
        }
    }
}

/// Whom a call counts for: the most that is known of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    /// An account.
    Account(Identity),
    /// A node.
    Node(NodeKey),
    /// An IPv4 address, or the /64 of an IPv6 address.
    Address([u8; 8]),
    /// Nothing but the connection.
    Connection(ConnectionId),
}

impl Who {
    /// Where the packets of a caller come from.
    pub(crate) fn address(caller: &Caller) -> Self {
        match caller.address.map(|address| address.to_canonical()) {
            Some(IpAddr::V4(address)) => {
                let [a, b, c, d] = address.octets();
                Self::Address([0, 0, 0, 0, a, b, c, d])
            }
            Some(IpAddr::V6(address)) => {
                let [a, b, c, d, e, f, g, h, ..] = address.octets();
                Self::Address([a, b, c, d, e, f, g, h])
            }
            None => Self::Connection(caller.connection),
        }
    }
}

/// What the answer to a call waits for.
#[derive(Debug)]
pub(crate) enum Later {
    /// A delivery, or the end of its patience.
    Wait(Wait),
    /// A job of the object store's.
    Job,
    /// The end of the batch, when its deliveries can be proved.
    Proof(Proved),
    /// A moment, so that the time tells nothing.
    At {
        /// In monotonic ms.
        at_ms: u64,
        /// The answer.
        result: Result<Bytes, Failure>,
    },
}

impl<'a> Context<'a> {
    /// Nothing has been done yet.
    pub(crate) fn new(
        now: Moment,
        rng: &'a mut dyn CryptoRng,
        tx: &'a mut dyn Transaction,
        call: Option<Call>,
    ) -> Self {
        Self {
            now,
            rng,
            tx,
            effects: Vec::new(),
            call,
            later: None,
            bind: None,
            unbind: Vec::new(),
            arrived: Vec::new(),
            to_clear: Vec::new(),
            to_look_at: Vec::new(),
            jobs: Vec::new(),
            seen: None,
            signed: None,
            figures: Figures::default(),
            totals: Totals::default(),
            about: None,
        }
    }
}

impl Context<'_> {
    /// Random bytes.
    pub(crate) fn random<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }

    /// The call that is handled.
    pub(crate) fn call(&self) -> Result<Call, Failure> {
        self.call.ok_or_else(Failure::internal)
    }

    /// What is signed over to show who one is on this connection. The owner's socket has none: what is signed over it
    /// would be worth as much on the next one.
    pub(crate) fn exporter(&self) -> Result<[u8; EXPORTER_BYTES], Failure> {
        let caller = self.call()?.caller;
        match caller.peer {
            Peer::Owner => Err(Failure::forbidden("nobody logs in over the owner's socket")),
            Peer::Node(_) | Peer::Anyone => Ok(caller.exporter),
        }
    }

    /// Who is logged in.
    pub(crate) fn session(&self) -> Result<Session, Failure> {
        self.call()?.session.ok_or_else(|| Failure::unauthorized("log in first"))
    }

    /// The account that is logged in.
    pub(crate) fn identity(&self) -> Result<Identity, Failure> {
        Ok(self.session()?.identity)
    }

    /// The account that is logged in, which a field of the request names too.
    pub(crate) fn own_identity(&self, field: &str, bytes: &[u8]) -> Result<Identity, Failure> {
        let identity = self.identity()?;
        let named = Identity::try_from(bytes).map_err(|error| error.in_field(field))?;
        match named == identity {
            true => Ok(identity),
            false => Err(Failure::forbidden(format!("{field} names another than who is logged in"))),
        }
    }

    /// Who administers: the account that is logged in, or nobody for the owner of the node.
    pub(crate) fn administrator(&self) -> Result<Option<Identity>, Failure> {
        match self.call()?.caller.peer {
            Peer::Owner => Ok(None),
            Peer::Node(_) | Peer::Anyone => self.identity().map(Some),
        }
    }

    /// The device that is logged in.
    pub(crate) fn device(&self) -> Result<DeviceKey, Failure> {
        Ok(self.session()?.device)
    }
}
