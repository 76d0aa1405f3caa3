//! The relay itself: what it holds in memory, and how an input is taken through a transaction.

use qpq_crypto::identity::DeviceSecret;
use qpq_proto::ids::{DeviceKey, Identity};
use qpq_proto::limits::RelayLimits;
use qpq_proto::{CallerClass, Failure, Method, dispatch};
use rand_core::CryptoRng;

use bytes::Bytes;

use crate::accounts::{Logins, Secrets};
use crate::context::{Call, Context, Later};
use crate::input::{CallId, Caller, Effect, Input, Now, Outcome, Peer, RelayError};
use crate::log::origin;
use crate::proofs::Proofs;
use crate::queues::{Expiry, Waits};
use crate::sessions::Sessions;
use crate::storage::Transaction;

/// What the relay is told once.
pub struct Config {
    /// The node's secret key, with which it signs for deliveries.
    pub node: DeviceSecret,
    /// Limits of the profile in use.
    pub limits: RelayLimits,
    /// Who may register.
    pub registration: Registration,
    /// Domain under which the relay signs what its log of names is, at most 253 bytes; empty for one that has none and
    /// signs under its node key. Who knew the log under another name takes it for another one.
    pub domain: String,
}

/// Who may register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registration {
    /// Whoever has an invitation.
    Closed,
    /// Everybody.
    Open,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config").field("node", &self.node.public()).finish_non_exhaustive()
    }
}

/// What a node does for others. See the crate's documentation.
pub struct Relay {
    pub(crate) node: DeviceSecret,
    pub(crate) limits: RelayLimits,
    pub(crate) registration: Registration,
    pub(crate) secrets: Secrets,
    /// The name under which the log's tree heads are signed.
    pub(crate) origin: String,
    pub(crate) logins: Logins,
    pub(crate) sessions: Sessions,
    pub(crate) waits: Waits,
    pub(crate) expiry: Expiry,
    proofs: Proofs,
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Relay").field("node", &self.node.public()).finish_non_exhaustive()
    }
}

impl Relay {
    /// A relay to which nobody is connected. Makes its secrets if it is one for the first time.
    ///
    /// # Errors
    /// [`RelayError`] if storage fails, the secrets cannot be read, or the domain cannot be one.
    pub fn open(
        config: Config,
        rng: &mut dyn CryptoRng,
        tx: &mut dyn Transaction,
    ) -> Result<Self, RelayError> {
        let Config { node, limits, registration, domain } = config;
        let secrets = Secrets::open(tx, rng)?;
        Ok(Self {
            origin: origin(&domain, &node.public(), &secrets)?,
            node,
            limits,
            registration,
            secrets,
            logins: Logins::default(),
            sessions: Sessions::default(),
            waits: Waits::default(),
            expiry: Expiry::default(),
            proofs: Proofs::default(),
        })
    }

    /// Takes one input through one transaction.
    ///
    /// # Errors
    /// [`RelayError`] if storage failed or a record is broken. The transaction must then be dropped; a call is
    /// answered `Internal`. Everything else, a refused call included, is an [`Outcome`].
    pub fn handle(
        &mut self,
        input: Input,
        now: Now,
        rng: &mut dyn CryptoRng,
        tx: &mut dyn Transaction,
    ) -> Result<Outcome, RelayError> {
        match input {
            Input::Call { call, caller, method, payload } => {
                let session = self.sessions.of(caller.connection, now.wall_ms);
                let mut cx = Context::new(now, rng, tx, Some(Call { id: call, caller, session }));
                let result = self.call(&mut cx, &caller, method, payload);
                self.called(cx, call, result)
            }
            Input::Dropped(call) => {
                self.waits.give_up(call);
                Ok(Outcome::default())
            }
            Input::Disconnected(connection) => {
                self.sessions.unbind(connection);
                self.logins.forget(connection);
                self.waits.disconnected(connection);
                Ok(Outcome::default())
            }
            Input::Tick => {
                let mut cx = Context::new(now, rng, tx, None);
                self.expire(&mut cx)?;
                cx.effects.extend(self.waits.take_ended(now.monotonic_ms));
                Ok(Outcome { effects: cx.effects, keep: true })
            }
        }
    }

    /// Ends a batch: the answers that were held back until it is known what it holds. To be called after the batch's
    /// last input, and the answers to be given after its commit, as all others.
    #[must_use]
    pub fn end_batch(&mut self) -> Vec<Effect> {
        self.proofs.finish(&self.node)
    }

    /// When [`Input::Tick`] is wanted, in monotonic ms; `None` if nothing waits for a moment.
    #[must_use]
    pub fn wake_at(&self) -> Option<u64> {
        self.waits.next_end().into_iter().chain(self.expiry.wake_at()).min()
    }

    fn call(
        &mut self,
        cx: &mut Context<'_>,
        caller: &Caller,
        method: Method,
        payload: Bytes,
    ) -> Result<Bytes, Failure> {
        admit(caller, cx.call()?.session.map(|session| session.is_administrator), method)?;
        dispatch(self, cx, method, payload)
    }

    fn called(
        &mut self,
        mut cx: Context<'_>,
        call: CallId,
        result: Result<Bytes, Failure>,
    ) -> Result<Outcome, RelayError> {
        let keep = result.is_ok();
        if !keep {
            return Ok(Outcome { effects: vec![Effect::Answer { call, result }], keep });
        }
        match cx.later.take() {
            None => cx.effects.push(Effect::Answer { call, result }),
            Some(Later::Wait(wait)) => self.waits.add(wait),
            Some(Later::Proof(proved)) => self.proofs.add(call, proved),
        }
        if let Some(session) = cx.bind.take() {
            self.sessions.bind(cx.call().map_err(|_| RelayError::NoCall)?.caller.connection, session);
        }
        for (identity, device) in std::mem::take(&mut cx.unbind) {
            self.unbind(&mut cx, identity, device);
        }
        self.announce(&mut cx)?;
        self.expiry.clear_soon(&cx.to_clear);
        Ok(Outcome { effects: cx.effects, keep })
    }
}

impl Relay {
    /// Ends the connections of an account, or of one of its devices.
    fn unbind(&mut self, cx: &mut Context<'_>, identity: Identity, device: Option<DeviceKey>) {
        let connections: Vec<_> = self
            .sessions
            .connections(identity)
            .filter(|(_, bound)| device.is_none_or(|device| device == *bound))
            .collect();
        for (connection, _) in connections {
            self.sessions.unbind(connection);
            self.waits.disconnected(connection);
            cx.effects.push(Effect::Disconnect { connection });
        }
    }
}

/// Whether the method table lets the caller call the method, as whom it is logged in or as what its connection shows.
fn admit(caller: &Caller, administers: Option<bool>, method: Method) -> Result<(), Failure> {
    let access = method.access();
    let by_connection = match caller.peer {
        Peer::Owner => CallerClass::Owner,
        Peer::Node(_) => CallerClass::Node,
        Peer::Anyone => access.unauthenticated(),
    };
    let by_login = administers.map(|administers| match administers {
        true => CallerClass::Administrator,
        false => CallerClass::Session,
    });
    if access.permits(by_connection) || by_login.is_some_and(|class| access.permits(class)) {
        return Ok(());
    }
    match by_login {
        None if access.permits(CallerClass::Administrator) => {
            Err(Failure::unauthorized(format!("{} needs a session: log in first", method.name())))
        }
        _ => Err(Failure::forbidden(format!("{} is not for this caller", method.name()))),
    }
}
