//! Offers: 25 bytes for each bundle decide what is handed over.
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

use qpq_proto::ids::NodeKey;
use qpq_proto::limits::MESH_OFFER_ITEMS_MAX;

use crate::bundle::{Kind, SortKey};
use crate::calls::Purpose;
use crate::custody::Entry;
use crate::effect::{Context, Effect};
use crate::fairness::{Budget, Waiting};
use crate::lifetime;
use crate::link::Errand;
use crate::mesh::Mesh;
use crate::rumour::lazy_delay_ms;
use crate::spray;
use crate::storage::{StorageError, Tier};
use crate::wire::{NodeKind, OfferItem, OfferVerdict, Refusal, Request, Verdicts};

/// After this time something is offered again that another neighbour was about to hand over, ms.
const BUSY_MS: u64 = 15_000;
/// After this time something is offered again that found no room, ms.
const FULL_MS: u64 = 600_000;

impl Mesh {
    /// The next offer on a link, if there is something to offer.
    pub(crate) fn next_offer(&mut self, cx: &Context<'_>, slot: usize) -> Option<(Request, Purpose)> {
        let (custody, rumours) = (&self.custody, &self.rumours);
        let nodes: Vec<Option<NodeKey>> =
            self.links.iter().map(|link| link.as_ref().map(|link| link.node)).collect();
        let link = self.links[slot].as_mut()?;
        while let Some((at_ms, key)) = link.later.first().copied().filter(|(at_ms, _)| *at_ms <= cx.now_ms) {
            link.later.remove(&(at_ms, key));
            link.to_offer.insert(key);
        }
        if link.next_offer_ms > cx.now_ms {
            return None;
        }
        let bit = link.bit();
        link.to_offer.retain(|key| match custody.get(*key) {
            Some(entry) => entry.known_by & bit == 0,
            None => rumours.get(key.short()).is_some_and(|rumour| rumour.can_be_told(slot)),
        });
        let hearsay = |key: SortKey| {
            let source = *rumours.get(key.short())?.sources.first()?;
            Some(Waiting { key, bringer: *nodes.get(source)?, cost: 1 })
        };
        let waiting: Vec<Waiting> = link
            .to_offer
            .iter()
            .filter_map(|key| waiting(custody, *key, 1).or_else(|| hearsay(*key)))
            .collect();
        let budget = Budget { cost_max: ITEMS_MAX as u64, count_max: ITEMS_MAX };
        let keys = link.offer_turns.choose(cx.now_ms, &waiting, budget);
        if keys.is_empty() {
            return None;
        }
        link.next_offer_ms = cx.now_ms + self.config.offer_interval_ms;
        keys.iter().for_each(|key| {
            link.to_offer.remove(key);
        });
        let item = |key: &SortKey| match custody.get(*key) {
            Some(entry) => Some(item_of(entry)),
            None => rumours.get(key.short()).map(|rumour| rumour.item),
        };
        let items = keys.iter().filter_map(item).collect();
        Some((Request::Offer(items), Purpose::Offer(keys)))
    }

    /// What this node says to an offer.
    pub(crate) fn answer_offer(
        &mut self,
        cx: &mut Context<'_>,
        slot: usize,
        items: &[OfferItem],
    ) -> Result<Verdicts<OfferVerdict>, StorageError> {
        let verdicts = items.iter().take(ITEMS_MAX).map(|item| self.judge_offer(cx, slot, item)).collect();
        let challenge = self.challenge_for(cx, slot);
        Ok(Verdicts { verdicts, challenge, retry_after_ms: 0 })
    }

    fn judge_offer(&mut self, cx: &mut Context<'_>, slot: usize, item: &OfferItem) -> OfferVerdict {
        let Some(kind) = item.short.kind() else { return OfferVerdict::Refused(Refusal::NotAccepting) };
        if let Some((_, tombstone)) = self.tombstones.find(item.short) {
            return tombstone.secret.map_or(OfferVerdict::Have, OfferVerdict::Settled);
        }
        if let Some(key) = self.custody.find(item.short) {
            self.note_found(slot, key);
            return OfferVerdict::Have;
        }
        let is_mine = cx.interest.is_mine(&item.salt, &item.tag_start);
        if !is_mine && self.config.kind == NodeKind::Leaf {
            return OfferVerdict::No;
        }
        if !is_mine && !self.config.takes(kind.class) {
            return OfferVerdict::Refused(Refusal::NotAccepting);
        }
        if !is_mine && self.is_lazy(slot, cx.now_ms) && !self.was_heard(slot, item.short) {
            self.hear(cx.now_ms, slot, item);
            return OfferVerdict::Carry;
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

    /// A neighbour holds a bundle that this node holds too.
    pub(crate) fn note_known(&mut self, slot: usize, key: SortKey) {
        let bit = 1 << slot;
        if let Some(entry) = self.custody.get_mut(key) {
            entry.known_by |= bit;
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
        for (key, verdict) in keys.iter().zip(&verdicts.verdicts) {
            let key = *key;
            match *verdict {
                OfferVerdict::No => {}
                OfferVerdict::Mine | OfferVerdict::Carry if self.custody.get(key).is_none() => {
                    self.take_rumour_verdict(slot, key.short(), *verdict == OfferVerdict::Mine);
                }
                OfferVerdict::Mine => self.queue_errand(slot, key, Errand::Delivery),
                OfferVerdict::Carry => self.give_or_wait(cx.now_ms, slot, key),
                OfferVerdict::Have => self.note_found(slot, key),
                OfferVerdict::Busy => self.link(slot).queue_later(cx.now_ms + BUSY_MS, key, queued_max),
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

    /// The neighbour would carry a bundle. On a lazy link it is told again after a delay before it is handed over.
    fn give_or_wait(&mut self, now_ms: u64, slot: usize, key: SortKey) {
        let queued_max = self.config.offers_queued_max;
        let hops_left = self.custody.get(key).map_or(0, |entry| entry.hops_left);
        let is_lazy = self.is_lazy(slot, now_ms);
        let link = self.link(slot);
        if is_lazy && !link.deferred.remove(&key) {
            link.deferred.insert(key);
            link.queue_later(now_ms + lazy_delay_ms(hops_left), key, queued_max);
        } else {
            self.consider_giving(now_ms, slot, key);
        }
    }

    /// The neighbour would carry a bundle: it is handed over if it has hops left and there is a copy to spare.
    fn consider_giving(&mut self, now_ms: u64, slot: usize, key: SortKey) {
        let Some(peer) = self.session(slot).map(|session| session.kind) else { return };
        let Some(entry) = self.custody.get(key) else { return };
        let (copies, _) = self.copies_now(now_ms, entry);
        if entry.hops_left > 0 && spray::gift(self.config.kind, peer, copies).is_some() {
            self.queue_errand(slot, key, Errand::Custody);
        }
    }

    /// Copies of a bundle, and how many of its additional ones were given, at its present age.
    pub(crate) fn copies_now(&self, now_ms: u64, entry: &Entry) -> (u16, u8) {
        let lifetime_max_s = entry.header.lifetime_max_s();
        let age_ms = lifetime::age_ms(now_ms, entry.expires_ms, lifetime_max_s);
        spray::escalated(entry.copies, entry.escalations, age_ms, lifetime_max_s)
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
        let told = self.confirm(now_ms, key);
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

fn item_of(entry: &Entry) -> OfferItem {
    let header = &entry.header;
    let mut tag_start = [0; 8];
    tag_start.copy_from_slice(&header.tag()[..8]);
    OfferItem { short: SortKey::of(header).short(), salt: *header.salt(), tag_start }
}

const ITEMS_MAX: usize = MESH_OFFER_ITEMS_MAX;
