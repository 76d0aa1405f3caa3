//! Taking bundles in: from a link, from this node itself.
//!
//! What is addressed to this node is always taken, whether or not it fits a quota, as long as what waits to be opened
//! is not too much; it is opened within the same transaction, as a rule. What is not is taken for others, after the
//! checks of [`admission`](crate::admission) and [`custody::quota`](crate::custody).

use std::sync::Arc;

use qpq_proto::ids::NodeKey;

use crate::bundle::{Bundle, SortKey};
use crate::custody::cost_bytes;
use crate::effect::{Context, Effect};
use crate::lifetime;
use crate::mesh::Mesh;
use crate::storage::{Record, StorageError, Tier};
use crate::view::BY_FILE;
use crate::wire::{Durability, Refusal, Transfer, TransferVerdict, Verdicts};
use crate::work::{Challenge, WORK_BUNDLES};

impl Mesh {
    /// What this node says to a transfer.
    pub(crate) fn answer_transfer(
        &mut self,
        cx: &mut Context<'_>,
        slot: usize,
        transfer: Transfer,
    ) -> Result<Verdicts<TransferVerdict>, StorageError> {
        let node = self.link(slot).node;
        let work = &mut self.link(slot).work;
        if let Some((set, solution)) = work.set.zip(transfer.solution)
            && set.is_solved_by(&node, &solution)
        {
            work.set = None;
            work.credit = WORK_BUNDLES;
        }
        let mut retry_after_ms = 0;
        let mut verdicts = Vec::with_capacity(transfer.bundles.len());
        for bundle in &transfer.bundles {
            verdicts.push(self.take_from(cx, slot, bundle, &mut retry_after_ms)?);
        }
        let challenge = self.challenge_for(cx, slot);
        Ok(Verdicts { verdicts, challenge, retry_after_ms })
    }

    fn take_from(
        &mut self,
        cx: &mut Context<'_>,
        slot: usize,
        bundle: &Bundle,
        retry_after_ms: &mut u32,
    ) -> Result<TransferVerdict, StorageError> {
        let header = bundle.header();
        let key = SortKey::of(header);
        self.expected.done(key.short());
        if let Some(tombstone) = self.tombstones.get(key) {
            return Ok(tombstone.secret.map_or(TransferVerdict::Have, TransferVerdict::Settled));
        }
        if self.custody.get(key).is_some() {
            self.note_found(slot, key);
            return Ok(TransferVerdict::Have);
        }
        if bundle.transit.remaining_s == 0 {
            return Ok(TransferVerdict::Refused(Refusal::Expired));
        }
        if let Err(wait_ms) = self.link(slot).ingress.take(cost_bytes(header), cx.now_ms) {
            *retry_after_ms = wait_ms.max(*retry_after_ms);
            return Ok(TransferVerdict::Refused(Refusal::NotAccepting));
        }
        match self.admit(cx, Some(slot), bundle)? {
            Ok(()) => {
                let durability =
                    if self.config.custody_is_volatile { Durability::Volatile } else { Durability::Durable };
                Ok(TransferVerdict::Accepted(durability))
            }
            Err(refusal) => Ok(TransferVerdict::Refused(refusal)),
        }
    }

    /// Takes in what came over a link, or in a file, if there is room and right.
    pub(crate) fn admit(
        &mut self,
        cx: &mut Context<'_>,
        slot: Option<usize>,
        bundle: &Bundle,
    ) -> Result<Result<(), Refusal>, StorageError> {
        let header = bundle.header();
        let (bringer, standing) = match slot {
            Some(slot) => (self.link(slot).node, self.link(slot).standing),
            None => (BY_FILE, Tier::Contact),
        };
        let is_mine = cx.interest.is_mine(header.kind().class, header.salt(), header.tag());
        let tier = match self.room_for(slot, bundle, standing, bringer) {
            Ok(victims) => {
                self.evict(cx, &victims)?;
                standing
            }
            Err(_) if is_mine && self.has_room_unopened(bundle) => {
                self.unopened_bytes += cost_bytes(header);
                Tier::Own
            }
            Err(refusal) => return Ok(Err(refusal)),
        };
        let key = self.keep(cx, bundle, tier, Some(bringer), is_mine)?;
        if let Some(slot) = slot {
            self.note_known(slot, key);
        }
        if is_mine {
            cx.effects.push(Effect::Mine { bundle: bundle.clone() });
        }
        if self.carries(key) {
            self.spread(cx.now_ms, key, slot);
        }
        Ok(Ok(()))
    }

    /// What must go so that somebody's bundle is carried for others.
    fn room_for(
        &mut self,
        slot: Option<usize>,
        bundle: &Bundle,
        standing: Tier,
        bringer: NodeKey,
    ) -> Result<Vec<SortKey>, Refusal> {
        let quotas = self.config.quotas();
        if !self.config.takes(bundle.header().kind().class) {
            return Err(Refusal::NotAccepting);
        }
        let is_pressed = standing == Tier::Stranger && quotas.is_under_pressure(self.custody.accounts());
        let worker = slot.filter(|_| is_pressed);
        if worker.is_some_and(|slot| self.link(slot).work.credit == 0) {
            return Err(Refusal::WorkNeeded);
        }
        let victims = self.custody.make_room(&quotas, bundle.header(), standing, Some(bringer))?;
        if let Some(slot) = worker {
            self.link(slot).work.credit -= 1;
        }
        Ok(victims)
    }

    /// Takes in a bundle from a file, as if a contact had brought it: all files together have a contact's share.
    pub(crate) fn import(&mut self, cx: &mut Context<'_>, bundle: &Bundle) -> Result<(), StorageError> {
        let key = SortKey::of(bundle.header());
        if self.custody.get(key).is_some() || self.tombstones.get(key).is_some() {
            return Ok(());
        }
        let taken = if bundle.transit.remaining_s == 0 {
            Err(Refusal::Expired)
        } else {
            self.admit(cx, None, bundle)?
        };
        if let Err(refusal) = taken {
            cx.effects.push(Effect::Refused { id: *bundle.id(), refusal });
        }
        Ok(())
    }

    fn has_room_unopened(&self, bundle: &Bundle) -> bool {
        self.unopened_bytes + cost_bytes(bundle.header()) <= self.config.unopened_bytes_max
    }

    /// Writes a bundle and its place in the index.
    fn keep(
        &mut self,
        cx: &mut Context<'_>,
        bundle: &Bundle,
        tier: Tier,
        bringer: Option<NodeKey>,
        is_mine: bool,
    ) -> Result<SortKey, StorageError> {
        let header = bundle.header();
        let lifetime_max_s = header.lifetime_max_s();
        let expires_ms = lifetime::expires_ms(cx.now_ms, bundle.transit.remaining_s, lifetime_max_s);
        let copies = bundle.transit.copies.clamp(1, self.config.copies_of(header.kind().size));
        let record = Record {
            header: Arc::clone(header),
            expires_ms,
            arrival: self.custody.next_arrival(),
            hops_left: bundle.transit.hops_left,
            copies,
            bringer,
            tier,
            is_mine,
            is_opened: false,
        };
        cx.store.put(&record, bundle.body())?;
        Ok(self.custody.insert(&record))
    }

    /// This node sends a bundle.
    pub(crate) fn deposit(&mut self, cx: &mut Context<'_>, bundle: &Bundle) -> Result<(), StorageError> {
        let header = bundle.header();
        let (key, id) = (SortKey::of(header), *header.id());
        if self.custody.get(key).is_some() || self.tombstones.get(key).is_some() {
            return Ok(());
        }
        let victims = match self.custody.make_room(&self.config.quotas(), header, Tier::Own, None) {
            Ok(victims) => victims,
            Err(refusal) => {
                cx.effects.push(Effect::Refused { id, refusal });
                return Ok(());
            }
        };
        self.evict(cx, &victims)?;
        let mut own = bundle.clone();
        own.transit.copies = self.config.copies_of(header.kind().size);
        own.transit.remaining_s = bundle.transit.remaining_s.min(header.lifetime_max_s());
        let key = self.keep(cx, &own, Tier::Own, None, false)?;
        self.spread(cx.now_ms, key, None);
        Ok(())
    }

    /// The challenge that a stranger has to solve before it may bring more.
    pub(crate) fn challenge_for(&mut self, cx: &mut Context<'_>, slot: usize) -> Option<Challenge> {
        let is_pressed = self.config.quotas().is_under_pressure(self.custody.accounts());
        let bits = self.config.work_bits;
        let link = self.link(slot);
        if !is_pressed || link.standing != Tier::Stranger || link.work.credit > 0 {
            return None;
        }
        Some(*link.work.set.get_or_insert_with(|| Challenge { bytes: cx.random(), bits }))
    }

    /// The driver found a solution.
    pub(crate) fn worked(&mut self, node: &NodeKey, solution: crate::work::Solution) {
        let Some(slot) = self.slot_of(node) else { return };
        let own = self.node;
        let work = &mut self.link(slot).work;
        if work.asked.is_some_and(|asked| asked.is_solved_by(&own, &solution)) {
            work.solution = Some(solution);
            self.dirty |= 1 << slot;
        }
    }
}
