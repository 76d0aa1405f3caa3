//! The state machine: routes inputs to the sub-protocols and starts what there is to do on each link.

use std::collections::BTreeMap;
use std::sync::Arc;

use qpq_proto::ids::NodeKey;

use crate::calls::{Calls, Purpose};
use crate::config::Config;
use crate::custody::Custody;
use crate::effect::{CallFailure, CallId, CallRefused, Context, Input};
use crate::encounters::Encounters;
use crate::evicted::Evicted;
use crate::expected::Expected;
use crate::lane::Lane;
use crate::link::{Link, Session};
use crate::neighbours::Neighbours;
use crate::rumour::Rumours;
use crate::slots::Slots;
use crate::storage::{Loaded, StorageError, Tier};
use crate::tombstones::Tombstones;
use crate::wire::{Request, Response};

mod links;

/// Links that wait for a session at one time.
const WAITING_MAX: usize = 4_096;

/// One node's part of the mesh.
///
/// After a [`StorageError`] it must be thrown away and opened again from what is stored.
#[derive(Debug)]
pub struct Mesh {
    pub(crate) node: NodeKey,
    pub(crate) config: Arc<Config>,
    pub(crate) instance: [u8; 16],
    pub(crate) custody: Custody,
    pub(crate) tombstones: Tombstones,
    pub(crate) links: Vec<Option<Link>>,
    pub(crate) neighbours: Neighbours,
    pub(crate) calls: Calls,
    pub(crate) expected: Expected,
    pub(crate) rumours: Rumours,
    pub(crate) encounters: Encounters,
    pub(crate) evicted: Evicted,
    /// Links on which there may be something to do, a bit each.
    pub(crate) dirty: u64,
    /// When something can be done on a link without anything new coming in.
    pub(crate) links_wake_ms: Option<u64>,
    /// Bytes of bundles for this node that fit no quota and wait to be opened.
    pub(crate) unopened_bytes: u64,
    slots: Slots,
    /// Links that found no free session.
    waiting: BTreeMap<NodeKey, Tier>,
}

impl Mesh {
    /// Opens what is stored. What is addressed to this node and was not opened comes out as effects again.
    ///
    /// # Errors
    /// As the storage fails.
    pub fn open(node: NodeKey, config: Arc<Config>, cx: &mut Context<'_>) -> Result<Self, StorageError> {
        let rumours = Rumours::new(config.rumours_max, u64::from_be_bytes(cx.random()));
        let mut mesh = Self {
            node,
            config,
            instance: [0; 16],
            custody: Custody::default(),
            tombstones: Tombstones::default(),
            links: Vec::new(),
            neighbours: Neighbours::default(),
            calls: Calls::default(),
            expected: Expected::default(),
            rumours,
            encounters: Encounters::default(),
            evicted: Evicted::default(),
            dirty: 0,
            links_wake_ms: None,
            unopened_bytes: 0,
            slots: Slots::default(),
            waiting: BTreeMap::new(),
        };
        let mut instance = None;
        cx.store.load(&mut |loaded| match loaded {
            Loaded::Bundle(record) => {
                mesh.custody.insert(&record);
            }
            Loaded::Tombstone(key, tombstone) => mesh.tombstones.insert(key, tombstone, 0),
            Loaded::Instance(stored) => instance = Some(stored),
        })?;
        mesh.instance = match instance {
            Some(instance) => instance,
            None => cx.random(),
        };
        if instance.is_none() {
            cx.store.put_instance(mesh.instance)?;
        }
        mesh.end_lifetimes(cx)?;
        mesh.announce_unopened(cx)?;
        Ok(mesh)
    }

    /// Handles an input. What comes of it stands in the context's effects.
    ///
    /// # Errors
    /// As the storage fails.
    pub fn handle(&mut self, cx: &mut Context<'_>, input: Input) -> Result<(), StorageError> {
        match input {
            Input::LinkUp { node, standing } => self.link_up(cx, node, standing),
            Input::LinkHeld { node, standing } => {
                self.link_up(cx, node, standing);
                if let Some(slot) = self.slot_of(&node) {
                    self.link(slot).greets_at_once = true;
                }
            }
            Input::LinkDown { node } => self.link_down(cx, &node),
            Input::Standing { node, standing } => self.change_standing(&node, standing),
            Input::Answered { call, result } => self.answered(cx, call, result)?,
            Input::Tick => {}
            Input::Deposit { bundle } => self.deposit(cx, &bundle)?,
            Input::Import { bundle } => self.import(cx, &bundle)?,
            Input::Settle { id, secret } => self.settle_by_id(cx, &id, secret)?,
            Input::Opened { id } => self.opened(cx, &id)?,
            Input::InterestChanged => {
                self.rumours.doubt();
                self.look_through(cx)?;
            }
            Input::InterestEnded => self.end_interest(cx)?,
            Input::AskAgain => self.ask_again(cx)?,
            Input::Worked { node, solution } => self.worked(&node, solution),
        }
        self.end_lifetimes(cx)?;
        self.drive(cx)
    }

    /// Answers a neighbour's call. The answer goes out after the commit.
    ///
    /// # Errors
    /// As the storage fails; inside, why the call is refused.
    pub fn answer(
        &mut self,
        cx: &mut Context<'_>,
        node: &NodeKey,
        request: Request,
    ) -> Result<Result<Response, CallRefused>, StorageError> {
        self.end_lifetimes(cx)?;
        let Some(slot) = self.slot_of(node) else {
            let is_waiting = self.waiting.contains_key(node);
            return Ok(Err(if is_waiting { CallRefused::Full } else { CallRefused::NoSession }));
        };
        let response = match request {
            Request::Hello(hello) => self.answer_hello(cx, slot, &hello),
            _ if self.session(slot).is_none() => Err(CallRefused::NoSession),
            request if !self.may_call(slot, &request, cx.now_ms) => Err(CallRefused::TooManyCalls),
            Request::Reconcile(ranges) => Ok(Response::Reconcile(self.answer_ranges(slot, &ranges))),
            Request::Offer(items) => Ok(Response::Offer(self.answer_offer(cx, slot, &items)?)),
            Request::Transfer(transfer) => Ok(Response::Transfer(self.answer_transfer(cx, slot, transfer)?)),
            Request::Settle(items) => {
                self.answer_settle(cx, slot, &items)?;
                Ok(Response::Settle)
            }
            Request::Fetch(items) => Ok(Response::Fetch(self.answer_fetch(cx.now_ms, slot, &items))),
        };
        self.drive(cx)?;
        Ok(response)
    }

    /// Whether the link's share of calls allows one more.
    fn may_call(&mut self, slot: usize, request: &Request, now_ms: u64) -> bool {
        let ingress = &mut self.link(slot).ingress;
        match request {
            Request::Reconcile(_) => ingress.take_comparison(now_ms),
            Request::Offer(items) => ingress.take_offers(items.len(), now_ms),
            Request::Fetch(items) => ingress.take_offers(items.len(), now_ms),
            // Each bundle handed over is counted by itself; a settlement needs a secret to cost anything.
            Request::Hello(_) | Request::Transfer(_) | Request::Settle(_) => true,
        }
    }

    /// Bundles held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.custody.len()
    }

    /// Bytes held, with what holding costs.
    #[must_use]
    pub fn held_bytes(&self) -> u64 {
        self.custody.accounts().total_bytes()
    }

    /// Bytes held of one tier.
    #[must_use]
    pub fn held_bytes_of(&self, tier: Tier) -> u64 {
        self.custody.accounts().tier_bytes(tier)
    }

    /// Settled bundles remembered.
    #[must_use]
    pub fn tombstones(&self) -> usize {
        self.tombstones.len()
    }

    fn answered(
        &mut self,
        cx: &mut Context<'_>,
        call: CallId,
        result: Result<Response, CallFailure>,
    ) -> Result<(), StorageError> {
        // An answer to a call of a link that is gone comes too late.
        let Some((slot, purpose)) = self.calls.take(call) else { return Ok(()) };
        self.dirty |= 1 << slot;
        let retry_after_ms = match result {
            Ok(response) => {
                if self.take_response(cx, slot, &purpose, response)? {
                    self.lane_of(slot, &purpose).succeed();
                    return Ok(());
                }
                0
            }
            Err(CallFailure::Refused { retry_after_ms }) => retry_after_ms,
            Err(CallFailure::NoSession) => {
                self.link(slot).session = None;
                0
            }
            Err(CallFailure::Unreachable) => 0,
        };
        self.lane_of(slot, &purpose).fail(cx.now_ms, retry_after_ms);
        self.unanswered(slot, purpose);
        Ok(())
    }

    /// Whether the response fits the call; a neighbour that answers something else is treated as one that failed.
    fn take_response(
        &mut self,
        cx: &mut Context<'_>,
        slot: usize,
        purpose: &Purpose,
        response: Response,
    ) -> Result<bool, StorageError> {
        match (purpose, response) {
            (Purpose::Hello(share), Response::Hello(hello)) => Ok(self.take_hello(slot, share, &hello)),
            (Purpose::Reconcile, Response::Reconcile(answers)) => Ok(self.take_ranges(slot, &answers)),
            (Purpose::Offer(offered), Response::Offer(verdicts))
                if offered.keys.len() == verdicts.verdicts.len() =>
            {
                self.take_offer_verdicts(cx, slot, &offered.keys, &verdicts)?;
                Ok(true)
            }
            (Purpose::Transfer(sent), Response::Transfer(verdicts))
                if sent.len() == verdicts.verdicts.len() =>
            {
                self.take_transfer_verdicts(cx, slot, sent, &verdicts)?;
                Ok(true)
            }
            (Purpose::Fetch(items), Response::Fetch(verdicts)) if items.len() == verdicts.len() => {
                self.rumours.wants.heard(items, slot);
                Ok(true)
            }
            (Purpose::Settle(keys), Response::Settle) => {
                self.tombstones.told(keys, slot);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// The live link in a slot that an input or a call named.
    pub(crate) fn link(&mut self, slot: usize) -> &mut Link {
        self.links[slot].as_mut().expect("slots are named by links that are up")
    }

    pub(crate) fn session(&self, slot: usize) -> Option<&Session> {
        self.links[slot].as_ref()?.session.as_ref()
    }

    pub(crate) fn slot_of(&self, node: &NodeKey) -> Option<usize> {
        self.slots.live(node)
    }

    /// What was known of what the neighbour of a slot holds is no longer true.
    pub(crate) fn forget_holdings(&mut self, slot: usize) {
        self.custody.forget_neighbour(1 << slot);
        self.tombstones.forget_neighbour(slot);
        self.rumours.forget_neighbour(slot);
    }

    fn lane_of(&mut self, slot: usize, purpose: &Purpose) -> &mut Lane {
        let link = self.link(slot);
        if matches!(purpose, Purpose::Transfer(_)) { &mut link.carry } else { &mut link.talk }
    }
}
