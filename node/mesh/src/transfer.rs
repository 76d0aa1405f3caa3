//! Transfers: bundles change hands, and custody is taken only for what was committed.
//!
//! ```text
//!   holder                                neighbour
//!     │  MeshTransfer [bundle]..., solution   │  id computed, lifetime clamped, bucket, work, quota
//!     ├──────────────────────────────────────►│  put ── commit
//!     │◄──────────────────────────────────────┤
//!     │  Accepted(durable | volatile)         │
//!     │    its bit is set, copies are gone    │
//!     │  Have, Settled, Refused               │
//!     │    copies come back                   │
//! ```
//!
//! Copies leave with the transfer and come back unless it was accepted. Where the answer is lost they come back too: a
//! copy too many costs little, a copy lost costs a delivery.

use std::sync::Arc;

use qpq_proto::limits::{MESH_TRANSFER_BUNDLES_MAX, MESH_TRANSFER_BYTES_MAX};

use crate::bundle::{Bundle, SortKey, Transit};
use crate::calls::Purpose;
use crate::effect::{Context, Effect};
use crate::fairness::{Budget, Waiting};
use crate::lifetime;
use crate::link::{Errand, Link, Sent};
use crate::mesh::Mesh;
use crate::offer::waiting;
use crate::storage::{StorageError, Tier};
use crate::wire::{Request, Transfer, TransferVerdict, Verdicts};

impl Mesh {
    /// The next transfer on a link, if something is wanted there.
    pub(crate) fn next_transfer(
        &mut self,
        cx: &mut Context<'_>,
        slot: usize,
    ) -> Result<Option<(Request, Purpose)>, StorageError> {
        let keys = self.choose_errands(cx.now_ms, slot);
        let (mut bundles, mut sent) = (Vec::with_capacity(keys.len()), Vec::with_capacity(keys.len()));
        for key in keys {
            let Some(errand) = self.link(slot).to_send.remove(&key) else { continue };
            if let Some((bundle, one)) = self.hand_out(cx, slot, key, errand)? {
                bundles.push(bundle);
                sent.push(one);
            }
        }
        if bundles.is_empty() {
            return Ok(None);
        }
        let work = &mut self.link(slot).work;
        let solution = work.solution.take();
        if solution.is_some() {
            work.asked = None;
        }
        Ok(Some((Request::Transfer(Transfer { bundles, solution }), Purpose::Transfer(sent))))
    }

    /// What is addressed to the neighbour first, then what it carries, as fairness and the size of a transfer allow.
    fn choose_errands(&mut self, now_ms: u64, slot: usize) -> Vec<SortKey> {
        let custody = &self.custody;
        let Some(link) = self.links[slot].as_mut() else { return Vec::new() };
        link.to_send.retain(|key, _| custody.get(*key).is_some());
        let of = |link: &Link, errand| -> Vec<Waiting> {
            let keys = link.to_send.iter().filter(|(_, one)| **one == errand).map(|(key, _)| *key);
            keys.filter_map(|key| waiting(custody, key, body_bytes(custody, key))).collect()
        };
        let mut budget =
            Budget { cost_max: MESH_TRANSFER_BYTES_MAX as u64, count_max: MESH_TRANSFER_BUNDLES_MAX };
        let deliveries = of(link, Errand::Delivery);
        let mut keys = link.transfer_turns.choose(now_ms, &deliveries, budget);
        if link.waits_for_work() {
            return keys;
        }
        budget.cost_max -= keys.iter().map(|key| body_bytes(custody, *key)).sum::<u64>();
        budget.count_max -= keys.len();
        let carried = of(link, Errand::Custody);
        keys.extend(link.transfer_turns.choose(now_ms, &carried, budget));
        keys
    }

    /// Takes out of custody what goes over a link: the bundle, with the copies that go with it.
    fn hand_out(
        &mut self,
        cx: &mut Context<'_>,
        slot: usize,
        key: SortKey,
        errand: Errand,
    ) -> Result<Option<(Bundle, Sent)>, StorageError> {
        let Some(entry) = self.custody.get(key) else { return Ok(None) };
        let copies = entry.copies;
        let gift = match errand {
            Errand::Delivery => None,
            Errand::Custody => match self.gift_to(cx.now_ms, slot, entry) {
                Some(gift) => Some(gift),
                None => return Ok(None),
            },
        };
        let Some(body) = cx.store.body(entry.header.id())? else { return Ok(None) };
        let kept = gift.map_or(copies, |gift| gift.kept);
        self.custody.set_copies(key, kept);
        let Some(entry) = self.custody.get_mut(key) else { return Ok(None) };
        let taken = copies - kept;
        entry.sent_to |= 1 << slot;
        let transit = Transit {
            remaining_s: lifetime::remaining_s(cx.now_ms, entry.expires_ms),
            hops_left: entry.hops_left.saturating_sub(1),
            copies: gift.map_or(1, |gift| gift.sent),
        };
        let bundle = Bundle::stored(Arc::clone(&entry.header), body, transit);
        Ok(Some((bundle, Sent { key, errand, taken })))
    }

    /// Copies that were not taken come back.
    pub(crate) fn take_back(&mut self, sent: &Sent) {
        if let Some(copies) = self.custody.get(sent.key).map(|entry| entry.copies) {
            self.custody.set_copies(sent.key, copies.saturating_add(sent.taken));
        }
    }

    /// What the neighbour said to a transfer.
    pub(crate) fn take_transfer_verdicts(
        &mut self,
        cx: &mut Context<'_>,
        slot: usize,
        sent: &[Sent],
        verdicts: &Verdicts<TransferVerdict>,
    ) -> Result<(), StorageError> {
        let retry_ms = cx.now_ms + u64::from(verdicts.retry_after_ms).max(1_000);
        for (one, verdict) in sent.iter().zip(&verdicts.verdicts) {
            match *verdict {
                TransferVerdict::Accepted(durability) => {
                    self.note_known(slot, one.key);
                    self.handed(cx, slot, one, durability)?;
                }
                TransferVerdict::Have => {
                    self.take_back(one);
                    self.note_found(slot, one.key);
                }
                TransferVerdict::Settled(secret) => self.settle(cx, one.key, secret)?,
                TransferVerdict::Refused(refusal) => {
                    self.take_back(one);
                    if let Some(entry) = self.custody.get_mut(one.key) {
                        entry.sent_to &= !(1 << slot);
                    }
                    self.offer_again(slot, one.key, refusal, retry_ms);
                }
            }
        }
        self.note_challenge(cx, slot, verdicts.challenge);
        Ok(())
    }

    fn handed(
        &mut self,
        cx: &mut Context<'_>,
        slot: usize,
        sent: &Sent,
        durability: crate::wire::Durability,
    ) -> Result<(), StorageError> {
        let Some(kind) = self.session(slot).map(|session| session.kind) else { return Ok(()) };
        let node = self.link(slot).node;
        let Some(entry) = self.custody.get(sent.key) else { return Ok(()) };
        let record = self.custody.record(entry);
        if sent.taken > 0 {
            cx.store.update(&record)?;
        }
        let (id, is_own) = (*record.header.id(), record.tier == Tier::Own);
        cx.effects.push(Effect::Handed { id, node, kind, durability, is_own });
        Ok(())
    }
}

fn body_bytes(custody: &crate::custody::Custody, key: SortKey) -> u64 {
    custody.get(key).map_or(0, |entry| entry.header.kind().size.bytes() as u64)
}
