//! What a handler works with: the time, randomness, the transaction, the caller, and the effects it collects.

use qpq_proto::Failure;
use qpq_proto::ids::{DeviceKey, Identity};
use rand_core::CryptoRng;

use crate::input::{CallId, Caller, Effect, Now, Peer};
use crate::proofs::Proved;
use crate::queues::{QueueKey, Wait};
use crate::sessions::Session;
use crate::storage::Transaction;

/// One input's surroundings.
pub(crate) struct Context<'a> {
    pub now: Now,
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
}

/// What the answer to a call waits for.
#[derive(Debug)]
pub(crate) enum Later {
    /// A delivery, or the end of its patience.
    Wait(Wait),
    /// The end of the batch, when its deliveries can be proved.
    Proof(Proved),
}

impl<'a> Context<'a> {
    /// Nothing has been done yet.
    pub(crate) fn new(
        now: Now,
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

    /// Who is logged in.
    pub(crate) fn session(&self) -> Result<Session, Failure> {
        self.call()?.session.ok_or_else(|| Failure::unauthorized("log in first"))
    }

    /// The account that is logged in.
    pub(crate) fn identity(&self) -> Result<Identity, Failure> {
        Ok(self.session()?.identity)
    }

    /// The device that is logged in.
    pub(crate) fn device(&self) -> Result<DeviceKey, Failure> {
        Ok(self.session()?.device)
    }
}
