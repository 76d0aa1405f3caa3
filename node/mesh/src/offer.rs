//! Offers: 27 bytes for each bundle decide what is handed over.
//!
//! ```text
//!   holder                               neighbour
//!     │  MeshOffer [kind, id start, salt,    │
//!     │             tag start]...            │
//!     ├─────────────────────────────────────►│  settled? held? mine? would carry?
//!     │◄─────────────────────────────────────┤
//!     │  verdict for each                    │
//!     │    Mine, Carry   handed over next    │
//!     │    Have          its bit is set      │
//!     │    Busy, Refused offered again later │
//!     │    Settled       checked and dropped │
//! ```
//!
//! Every bundle is offered once to every neighbour, whether or not it would carry: the neighbour may be the recipient,
//! and nobody else can know. Offers of one link are at least [`Config::offer_interval_ms`](crate::Config) apart, so that
//! what arrives in between goes out together.

use qpq_proto::limits::MESH_OFFER_ITEMS_MAX;

use crate::bundle::{Kind, SortKey};
use crate::custody::Entry;
use crate::effect::{Context, Effect};
use crate::fairness::Waiting;
use crate::link::Errand;
use crate::mesh::Mesh;
use crate::rumour::{Hearing, Hearsay};
use crate::spray::{self, Gift};
use crate::storage::{StorageError, Tier};
use crate::wire::{NodeKind, OfferItem, OfferVerdict, Refusal, Verdicts};

mod next;

/// After this time something is offered again that another neighbour was about to hand over, ms.
const BUSY_MS: u64 = 5_000;
/// Neighbours that hold a bundle besides this node, up to which a carrier hands it on unasked.
const HOLDERS_MIN: u32 = 3;
/// Bodies that go to a carrier unasked over a young link. Whatever there is more is told, and waits until somebody wants
/// it: where many carriers meet at once, as after a power cut, all would go to all.
const UNASKED_MAX: usize = 32;
/// After this time something is offered again that found no room, ms.
const FULL_MS: u64 = 600_000;

impl Mesh {
    /// What this node says to an offer.
    pub(crate) fn answer_offer(
        &mut self,
        cx: &mut Context<'_>,
        slot: usize,
        items: &[OfferItem],
    ) -> Result<Verdicts<OfferVerdict>, StorageError> {
        self.rumours.forget_old(cx.now_ms);
        let mut hearing = self.hearing(slot, cx.now_ms);
        let items = &items[..items.len().min(ITEMS_MAX)];
        if hearing.is_open() {
            self.rumours.look_ahead(items);
        }
        let verdicts = items.iter().map(|item| self.judge_offer(cx, slot, item, &mut hearing)).collect();
        if hearing.is_news {
            self.note_news(cx.now_ms, &hearing);
        }
        let challenge = self.challenge_for(cx, slot);
        Ok(Verdicts { verdicts, challenge, retry_after_ms: 0 })
    }

    fn judge_offer(
        &mut self,
        cx: &mut Context<'_>,
        slot: usize,
        item: &OfferItem,
        hearing: &mut Hearing,
    ) -> OfferVerdict {
        let Some(kind) = item.short.kind() else { return OfferVerdict::Refused(Refusal::NotAccepting) };
        let before = self.heard_before(hearing, item);
        if matches!(before, Some(Hearsay::Known { is_foreign: true, .. })) {
            return OfferVerdict::No;
        }
        if let Some((_, tombstone)) = self.tombstones.find(item.short) {
            return tombstone.secret.map_or(OfferVerdict::Have, OfferVerdict::Settled);
        }
        if let Some(key) = self.custody.find(item.short) {
            if item.is_held {
                self.note_found(slot, key);
            }
            return OfferVerdict::Have;
        }
        let is_mine = cx.interest.is_mine(kind.class, &item.salt, &item.tag_start);
        if !is_mine && self.config.kind == NodeKind::Leaf {
            return OfferVerdict::No;
        }
        if !is_mine && !self.config.takes(kind.class) {
            return OfferVerdict::Refused(Refusal::NotAccepting);
        }
        let was_heard = self.hear(cx.now_ms, hearing, (item, before), is_mine);
        let is_taken = is_mine || (item.is_spare && self.would_carry(cx.now_ms, slot, item, was_heard));
        if !is_taken {
            return OfferVerdict::No;
        }
        if !is_mine && self.evicted.is_recent(item.short, cx.now_ms) {
            return OfferVerdict::No;
        }
        if !self.expected.expect(item.short, slot, cx.now_ms) {
            return OfferVerdict::Busy;
        }
        if is_mine { OfferVerdict::Mine } else { OfferVerdict::Carry }
    }

    /// A neighbour has a bundle from somebody else that this node holds too. If it is this node's own, the driver is told.
    pub(crate) fn note_found(&mut self, slot: usize, key: SortKey) {
        let bit = 1 << slot;
        if self
            .custody
            .get(key)
            .is_some_and(|entry| entry.known_by & bit == 0 && self.custody.bringer(entry).1.is_none())
        {
            self.link(slot).found.insert(key);
            self.dirty |= bit;
        }
        self.note_known(slot, key);
    }

    /// Whether a bundle is taken of which there is a copy to spare. What has been heard of on a link that is there for
    /// long can be had whenever it is wanted; on one that is not, it is taken only if it was not heard of elsewhere.
    fn would_carry(&self, now_ms: u64, slot: usize, item: &OfferItem, was_heard: bool) -> bool {
        let peer = self.session(slot).map(|session| session.kind);
        let is_replica = self.config.kind == NodeKind::Carrier && peer == Some(NodeKind::Carrier);
        !is_replica || !was_heard || self.is_lazy(slot, now_ms) || self.rumours.wants.is_wanted(item.short)
    }

    /// A neighbour holds a bundle that this node holds too.
    pub(crate) fn note_known(&mut self, slot: usize, key: SortKey) {
        let bit = 1 << slot;
        if let Some(entry) = self.custody.get_mut(key) {
            entry.known_by |= bit;
            entry.wanted_by &= !bit;
        } else if self.tombstones.owe(key, bit) {
            // It was settled while the neighbour was taking it.
            self.link(slot).to_settle.insert(key);
            self.dirty |= bit;
        }
        self.link(slot).forget(key);
    }

    /// What the neighbour said to an offer.
    pub(crate) fn take_offer_verdicts(
        &mut self,
        cx: &mut Context<'_>,
        slot: usize,
        keys: &[SortKey],
        verdicts: &Verdicts<OfferVerdict>,
    ) -> Result<(), StorageError> {
        let queued_max = self.config.offers_queued_max;
        let retry_ms = cx.now_ms + u64::from(verdicts.retry_after_ms).clamp(1_000, FULL_MS);
        let verdicts_of = keys.iter().zip(&verdicts.verdicts);
        for (key, verdict) in verdicts_of.filter(|(_, verdict)| **verdict != OfferVerdict::No) {
            // The body of a rumour may have come in the meantime.
            let key = self.custody.find(key.short()).unwrap_or(*key);
            match *verdict {
                OfferVerdict::Busy => self.link(slot).queue_later(cx.now_ms + BUSY_MS, key, queued_max),
                OfferVerdict::Mine if self.custody.get(key).is_none() => self.look_for(cx, slot, key.short()),
                _ if self.custody.get(key).is_none() => {}
                OfferVerdict::No => {}
                OfferVerdict::Mine => self.queue_errand(slot, key, Errand::Delivery),
                OfferVerdict::Carry => {
                    let is_wanted =
                        self.custody.get(key).is_some_and(|entry| Self::is_wanted_by(slot, entry));
                    self.link(slot).given_unasked += usize::from(!is_wanted);
                    self.queue_errand(slot, key, Errand::Custody);
                }
                OfferVerdict::Have => self.note_found(slot, key),
                OfferVerdict::Settled(secret) => self.settle(cx, key, secret)?,
                OfferVerdict::Refused(refusal) => self.offer_again(slot, key, refusal, retry_ms),
            }
        }
        self.note_challenge(cx, slot, verdicts.challenge);
        Ok(())
    }

    /// What was refused is offered again after a while, unless that would be in vain.
    pub(crate) fn offer_again(&mut self, slot: usize, key: SortKey, refusal: Refusal, retry_ms: u64) {
        let queued_max = self.config.offers_queued_max;
        let takes = self.session(slot).map_or(0, |session| session.accepts);
        let is_taken = Kind::from_byte(key.kind_byte()).is_some_and(|kind| takes & kind.class.bit() != 0);
        let link = self.link(slot);
        match refusal {
            Refusal::NotAccepting if !is_taken => {}
            Refusal::TooLarge | Refusal::Expired => {}
            Refusal::QuotaExceeded => link.queue_later(retry_ms + FULL_MS, key, queued_max),
            Refusal::NotAccepting | Refusal::WorkNeeded => link.queue_later(retry_ms, key, queued_max),
        }
    }

    pub(crate) fn queue_errand(&mut self, slot: usize, key: SortKey, errand: Errand) {
        if self.custody.get(key).is_some() {
            self.link(slot).to_send.insert(key, errand);
        }
    }

    /// What is handed to a neighbour that would carry a bundle; none if it gets no copy.
    ///
    /// A carrier hands a replica to another that asked for it, over a link that is not there for long, and to one or
    /// two in any case, so that no bundle depends on one carrier; a replica has no copies to hand on.
    pub(crate) fn gift_to(&self, now_ms: u64, slot: usize, entry: &Entry) -> Option<Gift> {
        let session = self.session(slot)?;
        if entry.hops_left == 0 {
            return None;
        }
        if self.config.kind == NodeKind::Carrier && session.kind == NodeKind::Carrier {
            let holders = (entry.known_by | entry.sent_to).count_ones();
            let is_needed = entry.copies > 1 && holders < HOLDERS_MIN;
            let is_given = is_needed || Self::is_wanted_by(slot, entry) || self.gives_unasked(slot, now_ms);
            return is_given.then_some(Gift { sent: 1, kept: entry.copies });
        }
        spray::gift(session.kind, entry.copies, [self.encounters.rate(), session.encounters])
    }

    /// Whether bodies go unasked over a link between carriers: it is down most of the time, or it is young and not too
    /// many went that way.
    fn gives_unasked(&self, slot: usize, now_ms: u64) -> bool {
        let link = self.links[slot].as_ref();
        let is_free = link.is_some_and(|link| link.is_mostly_down || link.given_unasked < UNASKED_MAX);
        is_free && !self.is_lazy(slot, now_ms)
    }

    /// What is offered again to a neighbour that may not have wanted it before: there are copies to give.
    pub(crate) fn spendable(&self, slot: usize) -> impl Iterator<Item = SortKey> {
        let peer = self.session(slot).map(|session| session.kind);
        let is_sprayed = peer == Some(NodeKind::Mobile);
        is_sprayed.then(|| self.custody.spare()).into_iter().flatten()
    }

    /// Says of a bundle that has come to all neighbours but the one it came from.
    pub(crate) fn spread(&mut self, now_ms: u64, key: SortKey, from: Option<usize>) {
        let queued_max = self.config.offers_queued_max;
        let told = self.confirm(key);
        let Some(entry) = self.custody.get(key) else { return };
        let slots = 0..self.links.len();
        let has_gift = slots.filter(|slot| self.gift_to(now_ms, *slot, entry).is_some());
        let told = told & !has_gift.fold(0, |bits, slot| bits | 1_u64 << slot);
        for link in self.links.iter_mut().flatten() {
            if link.session.is_some() && Some(link.slot) != from && told & link.bit() == 0 {
                link.queue_offer(key, queued_max);
                self.dirty |= link.bit();
            }
        }
    }

    /// The neighbour set a challenge: the driver is asked to solve it.
    pub(crate) fn note_challenge(
        &mut self,
        cx: &mut Context<'_>,
        slot: usize,
        challenge: Option<crate::work::Challenge>,
    ) {
        let link = self.link(slot);
        if challenge == link.work.asked {
            return;
        }
        link.work.asked = challenge.filter(|challenge| challenge.bits <= crate::work::WORK_BITS_MAX);
        link.work.solution = None;
        if let Some(challenge) = link.work.asked {
            cx.effects.push(Effect::Work { node: link.node, challenge });
        }
    }
}

/// A bundle as something that waits on a link; what is this node's own or its pairs' has no bringer to take turns with.
pub(crate) fn waiting(custody: &crate::custody::Custody, key: SortKey, cost: u64) -> Option<Waiting> {
    let (tier, bringer) = custody.bringer(custody.get(key)?);
    let takes_turns = tier > Tier::Paired;
    Some(Waiting { key, bringer: bringer.filter(|_| takes_turns), cost })
}

const ITEMS_MAX: usize = MESH_OFFER_ITEMS_MAX;
