//! The relay itself: what it holds in memory, and how an input is taken through a transaction.

use qpq_crypto::identity::DeviceSecret;
use qpq_proto::ids::{ChannelId, DeviceKey, Identity};
use qpq_proto::limits::RelayLimits;
use qpq_proto::v1::AdministratorKey;
use qpq_proto::{Failure, Method, dispatch};
use rand_core::CryptoRng;

use bytes::Bytes;

pub use crate::accounts::Registration;
use crate::accounts::{Logins, Secrets, WorkSecret};
use crate::admission::{CallRates, admit, takes_room};
use crate::audit::Refusals;
use crate::blobs::Blobs;
use crate::context::{Call, Context, Later};
use crate::delays::Delays;
use crate::devices::forget_endpoint;
use crate::figures::Figures;
use crate::input::{CallId, Caller, Effect, Input, Now, Outcome, RelayError};
use crate::keys::KeyRates;
use crate::log::{Signed, SignedTree, origin};
use crate::moderation::administrators;
use crate::proofs::Proofs;
use crate::queues::{Expiry, Waits};
use crate::rates::Buckets;
use crate::recovery::RecoveryRates;
use crate::sessions::Sessions;
use crate::storage::Transaction;
use crate::time::SteadyTime;
use crate::totals::KeptTotals;

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
    /// Trees that the log was signed at, as they were [kept outside of storage](Relay::signed_tree): if storage knows
    /// nothing of them it is an older copy, and nothing is signed.
    pub signed_trees: Vec<SignedTree>,
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
    pub(crate) work: WorkSecret,
    /// The name under which the log's tree heads are signed.
    pub(crate) origin: String,
    pub(crate) logins: Logins,
    pub(crate) sessions: Sessions,
    pub(crate) waits: Waits,
    pub(crate) expiry: Expiry,
    pub(crate) call_rates: CallRates,
    pub(crate) blobs: Blobs,
    pub(crate) delays: Delays,
    /// Reports, by who makes them.
    pub(crate) report_rates: Buckets<Identity>,
    /// The owner of the node, to whom reports are sealed.
    pub(crate) owner: Option<AdministratorKey>,
    pub(crate) key_rates: KeyRates,
    pub(crate) recovery_rates: RecoveryRates,
    /// Calls of an administrator's that were refused and are not in the audit log yet.
    pub(crate) refusals: Refusals,
    /// Requests to update leaves, by channel.
    pub(crate) rotations: Buckets<ChannelId>,
    /// Attempts to wake devices.
    pub(crate) wakes: Buckets<DeviceKey>,
    pub(crate) push_to_private_addresses: bool,
    pub(crate) wakes_devices: bool,
    /// The newest tree that was signed and is not kept outside of storage yet.
    pub(crate) signed_tree: Option<SignedTree>,
    /// Whether the log is older than what was signed of it.
    pub(crate) is_log_older: bool,
    /// What was counted; what is counted at present is not in it.
    pub(crate) figures: Figures,
    pub(crate) totals: KeptTotals,
    /// By which lifetimes are counted.
    pub(crate) time: SteadyTime,
    pub(crate) has_room: bool,
    pub(crate) proofs: Proofs,
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
        let Config { node, limits, registration, domain, signed_trees } = config;
        administrators::open(tx)?;
        let secrets = Secrets::open(tx, rng)?;
        let origin = origin(tx, &domain, &node.public(), &secrets)?;
        let Signed { unkept, is_older } = Signed::look(tx, &origin, &signed_trees)?;
        Ok(Self {
            origin,
            signed_tree: unkept,
            is_log_older: is_older,
            figures: Figures::default(),
            totals: KeptTotals::open(tx)?,
            time: SteadyTime::open(tx)?,
            has_room: true,
            node,
            registration,
            secrets,
            work: WorkSecret::generate(rng),
            logins: Logins::default(),
            sessions: Sessions::default(),
            waits: Waits::default(),
            expiry: Expiry::default(),
            call_rates: CallRates::new(&limits),
            blobs: Blobs::default(),
            delays: Delays::default(),
            owner: None,
            report_rates: Buckets::new(limits.reports_per_account, limits.rate_keys_max),
            key_rates: KeyRates::new(&limits),
            recovery_rates: RecoveryRates::new(&limits),
            refusals: Refusals::new(limits.rate_keys_max),
            rotations: Buckets::new(limits.rotations_per_channel, limits.rate_keys_max),
            wakes: Buckets::new(limits.wakes_per_device, limits.rate_keys_max),
            push_to_private_addresses: false,
            wakes_devices: true,
            proofs: Proofs::default(),
            limits,
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
        let now = self.time.at(now);
        match input {
            Input::Call { call, caller, method, payload } => {
                let session = self.sessions.of(caller.connection, now);
                let mut cx = Context::new(now, rng, tx, Some(Call { id: call, caller, session }));
                let result = self.call(&mut cx, &caller, method, payload);
                let noted = self.audit(&mut cx, method, &result);
                let result = noted.and(result);
                self.called(cx, call, result)
            }
            Input::Dropped(call) => {
                self.waits.give_up(call);
                self.delays.give_up(call);
                Ok(Outcome::default())
            }
            Input::Disconnected(connection) => {
                self.end_session(connection);
                self.logins.forget(connection);
                self.call_rates.disconnected(connection);
                Ok(Outcome::default())
            }
            Input::BlobDone { id, result } => {
                let mut cx = Context::new(now, rng, tx, None);
                self.blob_done(&mut cx, id, result)?;
                self.count(&cx);
                self.start_jobs(&mut cx);
                Ok(Outcome { effects: cx.effects, keep: true })
            }
            Input::EndpointGone(wake) => forget_endpoint(tx, &wake),
            Input::Tick => {
                let mut cx = Context::new(now, rng, tx, None);
                self.note_refusals(&mut cx)?;
                self.time.keep(cx.tx, now)?;
                self.expire(&mut cx)?;
                self.count(&cx);
                self.start_jobs(&mut cx);
                cx.effects.extend(self.waits.take_ended(now.monotonic_ms));
                cx.effects.extend(self.delays.take_due(now.monotonic_ms));
                Ok(Outcome { effects: cx.effects, keep: true })
            }
            Input::Closing => Ok(Outcome { effects: self.waits.close(), keep: true }),
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
        let moments =
            [self.waits.next_end(), self.delays.next(), self.expiry.wake_at(), self.refusals.wake_at()];
        moments.into_iter().flatten().min()
    }

    fn call(
        &mut self,
        cx: &mut Context<'_>,
        caller: &Caller,
        method: Method,
        payload: Bytes,
    ) -> Result<Bytes, Failure> {
        admit(caller, cx.call()?.session.map(|session| session.is_administrator), method)?;
        if !self.has_room && takes_room(method) {
            return Err(Failure::unavailable("the disk of this relay is full", NO_ROOM_RETRY_MS));
        }
        self.call_rates.charge(&cx.call()?, method, cx.now.monotonic_ms)?;
        let answer = dispatch(self, cx, method, payload)?;
        self.note_seen(cx)?;
        Ok(answer)
    }

    /// Counts what an input did that is kept.
    fn count(&mut self, cx: &Context<'_>) {
        self.figures.add(cx.figures);
        self.totals.add(cx.totals);
    }

    /// Gives the object store what the input asks of it.
    fn start_jobs(&mut self, cx: &mut Context<'_>) {
        for (work, job) in std::mem::take(&mut cx.jobs) {
            cx.effects.push(self.blobs.start(work, job));
        }
    }

    fn called(
        &mut self,
        mut cx: Context<'_>,
        call: CallId,
        result: Result<Bytes, Failure>,
    ) -> Result<Outcome, RelayError> {
        let keep = result.is_ok();
        self.expiry.go_on_soon(&mut cx);
        if !keep {
            return Ok(Outcome { effects: vec![Effect::Answer { call, result }], keep });
        }
        match cx.later.take() {
            None => cx.effects.push(Effect::Answer { call, result }),
            Some(Later::Job) => {}
            Some(Later::Wait(wait)) => self.waits.add(wait),
            Some(Later::Proof(proved)) => self.proofs.add(call, proved),
            Some(Later::At { at_ms, result }) => self.delays.add(call, at_ms, result),
        }
        if let Some(session) = cx.bind.take() {
            self.sessions.bind(cx.call().map_err(|_| RelayError::NoCall)?.caller.connection, session);
        }
        self.count(&cx);
        self.signed_tree = cx.signed.take().or_else(|| self.signed_tree.take());
        for (identity, device) in std::mem::take(&mut cx.unbind) {
            self.unbind(&mut cx, identity, device);
        }
        self.announce(&mut cx)?;
        if let Some((connection, hour)) = cx.seen {
            self.sessions.note_seen(connection, hour);
        }
        self.start_jobs(&mut cx);
        Ok(Outcome { effects: cx.effects, keep })
    }
}

/// When somebody should try again for whom there is no room.
const NO_ROOM_RETRY_MS: u64 = 60_000;
