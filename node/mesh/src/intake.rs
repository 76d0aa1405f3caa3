//! Taking bundles in: from a link, from this node itself.
//!
//! What is addressed to this node is always taken, whether or not it fits a quota, as long as what waits to be opened
//! is not too much; it is opened within the same transaction, as a rule. What is not is taken for others, after the
//! checks of [`admission`](crate::admission) and [`custody::quota`](crate::custody).

use std::sync::Arc;

use qpq_proto::ids::NodeKey;

use crate::bundle::{Bundle, BundleId, SortKey};
use crate::custody::cost_bytes;
use crate::effect::{Context, Effect};
use crate::lifetime;
use crate::mesh::Mesh;
use crate::spray;
use crate::storage::{Record, StorageError, Tier, TombstoneRecord};
use crate::wire::{Durability, NodeKind, Refusal, Transfer, TransferVerdict, Verdicts};
use crate::work::{Challenge, WORK_BUNDLES};

/// Most copies that a mobile node believes were handed over.
const COPIES_BELIEVED_MAX: u16 = 16;

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
            self.note_known(slot, key);
            return Ok(TransferVerdict::Have);
        }
        if bundle.transit.remaining_s == 0 {
            return Ok(TransferVerdict::Refused(Refusal::Expired));
        }
        if let Err(wait_ms) = self.link(slot).ingress.take(cost_bytes(header), cx.now_ms) {
            *retry_after_ms = wait_ms.max(*retry_after_ms);
            return Ok(TransferVerdict::Refused(Refusal::NotAccepting));
        }
        let is_mine = cx.interest.is_mine(header.salt(), header.tag());
        match self.admit(cx, slot, bundle, is_mine)? {
            Ok(()) => {
                let durability =
                    if self.config.custody_is_volatile { Durability::Volatile } else { Durability::Durable };
                Ok(TransferVerdict::Accepted(durability))
            }
            Err(refusal) => Ok(TransferVerdict::Refused(refusal)),
        }
    }

    /// Takes in what came over a link, if there is room and right.
    fn admit(
        &mut self,
        cx: &mut Context<'_>,
        slot: usize,
        bundle: &Bundle,
        is_mine: bool,
    ) -> Result<Result<(), Refusal>, StorageError> {
        let (node, standing) = (self.link(slot).node, self.link(slot).standing);
        let room = self.room_for(slot, bundle, standing, node);
        let (tier, bringer) = match room {
            Ok(victims) => {
                self.evict(cx, &victims)?;
                (standing, Some(node))
            }
            Err(_) if is_mine && self.has_room_unopened(bundle) => {
                self.unopened_bytes += cost_bytes(bundle.header());
                (Tier::Own, Some(node))
            }
            Err(refusal) => return Ok(Err(refusal)),
        };
        let key = self.keep(cx, bundle, tier, bringer, is_mine)?;
        self.note_known(slot, key);
        if is_mine {
            cx.effects.push(Effect::Mine { bundle: bundle.clone() });
        }
        if self.carries(key) {
            self.spread(key, Some(slot));
        }
        Ok(Ok(()))
    }

    /// What must go so that a neighbour's bundle is carried for others.
    fn room_for(
        &mut self,
        slot: usize,
        bundle: &Bundle,
        standing: Tier,
        node: NodeKey,
    ) -> Result<Vec<SortKey>, Refusal> {
        let quotas = self.config.quotas();
        if !self.config.takes(bundle.header().kind().class) {
            return Err(Refusal::NotAccepting);
        }
        let needs_work = standing == Tier::Stranger && quotas.is_under_pressure(self.custody.accounts());
        let work = &mut self.link(slot).work;
        if needs_work && work.credit == 0 {
            return Err(Refusal::WorkNeeded);
        }
        let victims = self.custody.make_room(&quotas, bundle.header(), standing, Some(node))?;
        if needs_work {
            self.link(slot).work.credit -= 1;
        }
        Ok(victims)
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
        let age_ms = lifetime::age_ms(cx.now_ms, expires_ms, lifetime_max_s);
        let copies = match self.config.kind {
            NodeKind::Carrier => self.config.carrier_copies,
            NodeKind::Mobile | NodeKind::Leaf => bundle.transit.copies.clamp(1, COPIES_BELIEVED_MAX),
        };
        let record = Record {
            header: Arc::clone(header),
            expires_ms,
            arrival: self.custody.next_arrival(),
            hops_left: bundle.transit.hops_left,
            copies,
            escalations: spray::escalations(age_ms, lifetime_max_s),
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
        own.transit.copies = self.config.own_copies();
        own.transit.remaining_s = header.lifetime_max_s();
        let key = self.keep(cx, &own, Tier::Own, None, false)?;
        self.spread(key, None);
        Ok(())
    }

    /// Bundles make room for another.
    fn evict(&mut self, cx: &mut Context<'_>, victims: &[SortKey]) -> Result<(), StorageError> {
        for key in victims {
            if let Some(id) = self.drop_entry(cx, *key)? {
                cx.effects.push(Effect::Evicted { id });
            }
        }
        Ok(())
    }

    /// Lets go of a bundle, wherever it waits.
    pub(crate) fn drop_entry(
        &mut self,
        cx: &mut Context<'_>,
        key: SortKey,
    ) -> Result<Option<BundleId>, StorageError> {
        let Some(entry) = self.custody.get(key) else { return Ok(None) };
        let id = *entry.header.id();
        if self.is_unopened(key) {
            self.unopened_bytes = self.unopened_bytes.saturating_sub(cost_bytes(&entry.header));
        }
        self.custody.remove(key);
        self.links.iter_mut().flatten().for_each(|link| link.forget(key));
        cx.store.remove(&id)?;
        Ok(Some(id))
    }

    /// Whether a bundle is kept only until it is opened: it is charged to nobody else, but did not start here.
    pub(crate) fn is_unopened(&self, key: SortKey) -> bool {
        self.custody.get(key).is_some_and(|entry| {
            let (tier, bringer) = self.custody.bringer(entry);
            tier == Tier::Own && bringer.is_some()
        })
    }

    /// Whether a bundle is offered to others.
    pub(crate) fn carries(&self, key: SortKey) -> bool {
        let is_own = self.custody.get(key).is_some_and(|entry| self.custody.bringer(entry).1.is_none());
        is_own || (self.config.kind != NodeKind::Leaf && !self.is_unopened(key))
    }

    /// This node has opened a bundle that nothing settles. It goes on carrying it, or remembers that it had it.
    pub(crate) fn opened(&mut self, cx: &mut Context<'_>, id: &BundleId) -> Result<(), StorageError> {
        let Some(key) = self.key_of(id) else { return Ok(()) };
        if !self.carries(key) {
            return self.bury(cx, key, None, 0);
        }
        let Some(entry) = self.custody.get_mut(key) else { return Ok(()) };
        entry.is_opened = true;
        if let Some(entry) = self.custody.get(key) {
            cx.store.update(&self.custody.record(entry))?;
        }
        Ok(())
    }

    /// Lets go of a bundle and sets a tombstone.
    pub(crate) fn bury(
        &mut self,
        cx: &mut Context<'_>,
        key: SortKey,
        secret: Option<crate::bundle::Secret>,
        untold: u64,
    ) -> Result<(), StorageError> {
        let Some(entry) = self.custody.get(key) else { return Ok(()) };
        let expires_ms = lifetime::tombstone_expires_ms(cx.now_ms, entry.header.lifetime_max_s());
        self.drop_entry(cx, key)?;
        let tombstone = TombstoneRecord { secret, expires_ms, sequence: self.tombstones.next_sequence() };
        self.tombstones.insert(key, tombstone, untold);
        cx.store.put_tombstone(key, &tombstone)?;
        while self.tombstones.len() > self.config.tombstones_max {
            let Some(oldest) = self.tombstones.oldest() else { break };
            self.tombstones.remove(oldest);
            cx.store.remove_tombstone(oldest)?;
        }
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

    /// What is held is looked through for what this node recognises now.
    pub(crate) fn look_through(&mut self, cx: &mut Context<'_>) -> Result<(), StorageError> {
        let mut found = Vec::new();
        for (key, entry) in self.custody.iter() {
            let is_own = self.custody.bringer(entry).1.is_none();
            if !is_own && !entry.is_mine && cx.interest.is_mine(entry.header.salt(), entry.header.tag()) {
                found.push(key);
            }
        }
        for key in found {
            let Some(entry) = self.custody.get_mut(key) else { continue };
            entry.is_mine = true;
            if let Some(entry) = self.custody.get(key) {
                cx.store.update(&self.custody.record(entry))?;
            }
            self.announce(cx, key)?;
        }
        Ok(())
    }

    /// What is addressed to this node and was not opened, after a restart.
    pub(crate) fn announce_unopened(&mut self, cx: &mut Context<'_>) -> Result<(), StorageError> {
        let unopened: Vec<SortKey> = self
            .custody
            .iter()
            .filter(|(_, entry)| entry.is_mine && !entry.is_opened)
            .map(|(key, _)| key)
            .collect();
        for key in unopened {
            if self.is_unopened(key) {
                self.unopened_bytes += self.custody.get(key).map_or(0, crate::custody::Entry::cost_bytes);
            }
            self.announce(cx, key)?;
        }
        Ok(())
    }

    fn announce(&self, cx: &mut Context<'_>, key: SortKey) -> Result<(), StorageError> {
        let Some(entry) = self.custody.get(key) else { return Ok(()) };
        let Some(body) = cx.store.body(entry.header.id())? else { return Ok(()) };
        let transit = crate::bundle::Transit {
            remaining_s: lifetime::remaining_s(cx.now_ms, entry.expires_ms),
            hops_left: entry.hops_left,
            copies: entry.copies,
        };
        cx.effects.push(Effect::Mine { bundle: Bundle::stored(Arc::clone(&entry.header), body, transit) });
        Ok(())
    }
}
