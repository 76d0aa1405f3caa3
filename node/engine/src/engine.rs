//! The engine itself: what it holds in memory, and how an input is taken through a transaction.

use std::{collections::BTreeSet, net::SocketAddr};

use bytes::Bytes;
use qpq_proto::{Failure, Method, Service, dispatch, ids::Identity, limits::Limits};
use rand_core::CryptoRng;

use crate::{
    carrying::Carrying,
    clock::Clock,
    context::Context,
    group_cache::GroupCache,
    identity::Me,
    input::{Caller, Effect, EngineError, Input, Next, Now, Outcome},
    outbox::{Outbox, Task},
    peers::Peers,
    recovery::Recovery,
    relays::Relays,
    roles::roles,
    routes::RouteIndex,
    storage::{Direction, Transaction},
    tables::{EVENTS, SINGLE},
    topics::OwnPosts,
};

mod config;
mod moments;
mod steps;
pub use config::Config;
use steps::{if_refused, not_taken};

/// When what failed inside is tried again, ms.
const RETRY_MS: u64 = 1_000;

/// The person's half of a node. See the crate's documentation.
pub struct Engine {
    pub(crate) config: Config,
    pub(crate) limits: Limits,
    pub(crate) me: Option<Me>,
    pub(crate) clock: Clock,
    pub(crate) next_event: u64,
    pub(crate) groups: GroupCache,
    /// `None` after a change, until it is needed.
    pub(crate) routes: Option<RouteIndex>,
    pub(crate) peers: Peers,
    pub(crate) outbox: Outbox,
    pub(crate) carrying: Carrying,
    pub(crate) own_posts: OwnPosts,
    pub(crate) relays: Relays,
    pub(crate) recovery: Recovery,
    /// People whose queues are looked at when the present input is done.
    pub(crate) to_pump: BTreeSet<Vec<u8>>,
    pub(crate) addresses: Vec<SocketAddr>,
    /// Conversations whose groups cannot be used, as far as this run has come across them.
    pub(crate) broken: BTreeSet<Vec<u8>>,
}

/// What an input found and must leave behind if its transaction is dropped.
#[derive(Clone, Copy)]
struct Before {
    had_identity: bool,
    next_event: u64,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("node", &self.config.node).finish_non_exhaustive()
    }
}

impl Engine {
    /// Reads from storage what is held in memory. [`Input::Started`] must be the first input.
    ///
    /// # Errors
    /// [`EngineError`] if storage fails or the identity cannot be read.
    pub fn open(config: Config, tx: &mut dyn Transaction) -> Result<Self, EngineError> {
        let last_event = tx.scan(EVENTS, SINGLE, 0..u64::MAX, Direction::Backward, 1)?;
        Ok(Self {
            me: Me::load(tx)?,
            clock: Clock::default(),
            next_event: last_event.first().map_or(1, |(cursor, _)| cursor + 1),
            groups: GroupCache::new(&config.limits),
            routes: None,
            peers: Peers::default(),
            outbox: Outbox::default(),
            carrying: Carrying::new(config.custody_is_volatile),
            own_posts: OwnPosts::default(),
            relays: Relays::default(),
            recovery: Recovery::default(),
            to_pump: BTreeSet::new(),
            addresses: Vec::new(),
            broken: BTreeSet::new(),
            limits: config.limits.clone(),
            config,
        })
    }

    /// Takes one input through one transaction.
    ///
    /// # Errors
    /// [`EngineError`] if storage failed or a record is broken. The transaction must then be dropped; a call is
    /// answered `Internal`. Everything else, a refused call included, is an [`Outcome`].
    pub fn handle(
        &mut self,
        input: Input,
        now: Now,
        rng: &mut dyn CryptoRng,
        tx: &mut dyn Transaction,
    ) -> Result<Outcome, EngineError> {
        if matches!(input, Input::Started) {
            self.clock = Clock::start(tx, now)?;
        }
        let caller = match &input {
            Input::Call { caller, .. } => *caller,
            _ => Caller::Public,
        };
        let step = if_refused(&input);
        let node_ms = self.clock.node_ms(now);
        let before = Before { had_identity: self.me.is_some(), next_event: self.next_event };
        let mut cx = Context::new(now, node_ms, rng, tx, caller);
        let result = self.handle_in(&mut cx, input);
        let (effects, newest_event) = (cx.effects, cx.newest_event);
        match result {
            Ok(answer) if !matches!(answer, Some(Err(_))) => Ok(self.kept(answer, effects, newest_event)),
            Ok(answer) => {
                self.dropped(before, now);
                match step {
                    Some(next) => Ok(not_taken(next, answer)),
                    None => Ok(Outcome { answer, effects: Vec::new(), keep: false }),
                }
            }
            Err(error) => {
                self.try_later(now);
                self.relays.fail();
                self.dropped(before, now);
                Err(error)
            }
        }
    }

    /// Whether what a rollback of storage asks for is still to be done: true until [`Input::Started`] was handled.
    pub fn is_rolled_back(&self) -> bool {
        self.config.is_rolled_back
    }

    /// The person of this node, if there is one.
    pub fn identity(&self) -> Option<Identity> {
        self.me.as_ref().map(|me| me.identity.public())
    }

    /// The names of the roles that are switched on, in alphabetical order.
    ///
    /// # Errors
    /// [`EngineError`] if storage fails or the record is broken.
    pub fn roles(tx: &dyn Transaction) -> Result<Vec<String>, EngineError> {
        Ok(roles(tx)?.names())
    }

    /// When [`Input::Tick`] is wanted, in monotonic ms; `None` if nothing waits for a moment.
    pub fn wake_at(&self) -> Option<u64> {
        let mesh = self.carrying.wake_at_node_ms().map(|at| self.clock.monotonic_ms_at(at));
        self.outbox.wake_at().into_iter().chain(mesh).min()
    }

    fn handle_in(
        &mut self,
        cx: &mut Context<'_>,
        input: Input,
    ) -> Result<Option<Result<Bytes, Failure>>, EngineError> {
        let answer = match input {
            Input::Call { method, payload, .. } => Some(self.call(cx, method, payload)),
            Input::Started => self.started(cx).map(|()| None)?,
            Input::Tick => self.tick(cx).map(|()| None)?,
            Input::PeerConnected { node, address } => {
                self.peer_connected(cx, node, &address).map(|()| None)?
            }
            Input::PeerDisconnected { node } => self.peer_disconnected(cx, node).map(|()| None)?,
            Input::Next(Next::Open(bundle)) => match self.open_bundle(cx, &bundle) {
                Ok(()) => None,
                Err(failure) => Some(Err(failure)),
            },
            Input::Next(Next::Mail(mail)) => self.mail_arrived(cx, &mail).err().map(Err),
            Input::Next(Next::Unmailed { relay, place, is_useless }) => {
                self.mail_refused(cx, relay, place, is_useless).map(|()| None)?
            }
            input @ (Input::RelayConnected { .. }
            | Input::RelayUnreached { .. }
            | Input::RelayLost { .. }
            | Input::Stretched { .. }) => self.relay_input(cx, input).map(|()| None)?,
            Input::Next(Next::Unopened(id)) => self.bundle_refused(cx, id).map(|()| None)?,
            Input::Next(Next::Resume(conversation)) => self.resume(cx, &conversation).err().map(Err),
            Input::Next(Next::NotResumed(conversation)) => {
                self.note_broken(cx, &conversation).map(|()| None)?
            }
            Input::Worked { node, solution } => {
                self.mesh_input(cx, qpq_mesh::Input::Worked { node, solution }).map(|()| None)?
            }
            Input::PeerDiscovered { node, addresses } => {
                self.peer_discovered(cx, node, addresses).map(|()| None)?
            }
            Input::PeerLost { node } => self.peer_lost(cx, node).map(|()| None)?,
            Input::AddressesChanged(addresses) => {
                self.addresses = addresses;
                None
            }
            Input::Answered { call, result } => self.answered(cx, call, result).map(|()| None)?,
        };
        if !matches!(answer, Some(Err(_))) {
            self.pump_all(cx)?;
            self.finish_carrying(cx)?;
        }
        Ok(answer)
    }

    fn call(&mut self, cx: &mut Context<'_>, method: Method, payload: Bytes) -> Result<Bytes, Failure> {
        if method.service() == Service::Mesh {
            return self.mesh_call(cx, method, payload);
        }
        dispatch(self, cx, method, payload)
    }

    /// The input failed inside: what it did, and whom it would have looked after, comes later.
    fn try_later(&mut self, now: Now) {
        let waiting = std::mem::take(&mut self.to_pump).into_iter().map(Task::Retry);
        self.outbox.try_later(now.monotonic_ms + RETRY_MS, waiting);
    }

    fn kept(
        &mut self,
        answer: Option<Result<Bytes, Failure>>,
        mut effects: Vec<Effect>,
        newest_event: Option<u64>,
    ) -> Outcome {
        self.groups.keep();
        self.outbox.keep();
        self.peers.keep();
        self.carrying.keep();
        self.relays.keep();
        self.recovery.keep();
        effects.extend(newest_event.map(|newest| Effect::Events { newest }));
        Outcome { answer, effects, keep: true }
    }

    fn dropped(&mut self, before: Before, now: Now) {
        if !before.had_identity {
            self.me = None;
        }
        self.next_event = before.next_event;
        self.groups.discard();
        self.outbox.discard();
        self.peers.discard();
        self.carrying.discard();
        self.own_posts.discard();
        self.recovery.discard();
        let relays = self.relays.discard().into_iter().map(Task::Relay);
        self.outbox.try_later(now.monotonic_ms + RETRY_MS, relays);
        self.to_pump.clear();
    }
}
