//! One live neighbour: its session, what is under way, and what waits.
//!
//! A link has two lanes, each with one call at a time, so that a long transfer does not hold up short talk: *talk*
//! (hello, settlements, reconciliation, offers, fetching) and *carry* (transfers).

use std::collections::{BTreeMap, BTreeSet};

use qpq_proto::ids::NodeKey;

use crate::admission::{Ingress, Work};
use crate::bundle::SortKey;
use crate::fairness::Turns;
use crate::lane::Lane;
use crate::reconcile::Walk;
use crate::storage::Tier;
use crate::wire::{NodeKind, Want};

/// How long a node whose part it is not waits for the other's introduction, ms.
const HELLO_PATIENCE_MS: u64 = 5_000;

/// What the hello said.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// What kind of node it is.
    pub(crate) kind: NodeKind,
    /// Names its store.
    pub(crate) instance: [u8; 16],
    /// Key of fingerprints and short ids.
    pub(crate) key: [u8; 32],
    /// Classes it takes for others, a bit each.
    pub(crate) accepts: u8,
    /// What it takes does not survive a restart.
    pub(crate) is_volatile: bool,
    /// How many others it has met of late.
    pub(crate) encounters: u32,
}

/// Why a bundle waits to be handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Errand {
    /// It is addressed to the neighbour.
    Delivery,
    /// The neighbour carries it.
    Custody,
}

/// What is under way in a transfer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    pub(crate) key: SortKey,
    pub(crate) errand: Errand,
    /// Copies that left with it, and come back if it is not taken.
    pub(crate) taken: u16,
}

/// A live neighbour.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) node: NodeKey,
    pub(crate) slot: usize,
    /// When it came up.
    pub(crate) since_ms: u64,
    pub(crate) is_mostly_down: bool,
    pub(crate) standing: Tier,
    /// This node's half of the session's key.
    pub(crate) key_share: [u8; 16],
    pub(crate) session: Option<Session>,
    /// It introduces itself, whichever side's part that is.
    pub(crate) greets_at_once: bool,
    pub(crate) talk: Lane,
    pub(crate) carry: Lane,
    /// When the next offer may go out.
    pub(crate) next_offer_ms: u64,
    /// There may be rumours that the neighbour was not told.
    pub(crate) has_news: bool,
    /// When they may be told.
    pub(crate) next_news_ms: u64,
    /// Settled bundles that the neighbour holds.
    pub(crate) to_settle: BTreeSet<SortKey>,
    /// Bundles that the neighbour may not know.
    pub(crate) to_offer: BTreeSet<SortKey>,
    /// Bundles to be offered again, with the time.
    pub(crate) later: BTreeSet<(u64, SortKey)>,
    /// What the neighbour is asked for.
    pub(crate) to_fetch: BTreeSet<Want>,
    /// Bundles that the neighbour wants.
    pub(crate) to_send: BTreeMap<SortKey, Errand>,
    /// Bundles that the neighbour took unasked.
    pub(crate) given_unasked: usize,
    /// Comparing what both hold.
    pub(crate) walk: Option<Walk>,
    /// Something was left out for want of room: what both hold must be compared.
    pub(crate) is_behind: bool,
    /// When the comparison that this calls for may start.
    pub(crate) next_walk_ms: u64,
    /// Everything that arrived up to here was offered, or will be in this session.
    pub(crate) base: u64,
    /// What was found in a comparison is not all offered yet, so that [`base`](Self::base) alone does not say what was.
    pub(crate) is_compared: bool,
    /// The neighbour is to compare and has not come to the end.
    pub(crate) awaits_walk: bool,
    /// This node's own bundles that the neighbour has from somebody else, as far as the driver was not told.
    pub(crate) found: BTreeSet<SortKey>,
    pub(crate) ingress: Ingress,
    pub(crate) work: Work,
    pub(crate) offer_turns: Turns,
    pub(crate) transfer_turns: Turns,
}

impl Link {
    pub(crate) fn new(
        node: NodeKey,
        slot: usize,
        standing: Tier,
        key_share: [u8; 16],
        ingress: Ingress,
    ) -> Self {
        Self {
            node,
            slot,
            since_ms: ingress.since_ms(),
            is_mostly_down: false,
            standing,
            key_share,
            session: None,
            greets_at_once: false,
            talk: Lane::default(),
            carry: Lane::default(),
            next_offer_ms: 0,
            has_news: false,
            next_news_ms: 0,
            to_settle: BTreeSet::new(),
            to_offer: BTreeSet::new(),
            later: BTreeSet::new(),
            to_fetch: BTreeSet::new(),
            to_send: BTreeMap::new(),
            given_unasked: 0,
            walk: None,
            is_behind: false,
            next_walk_ms: 0,
            base: 0,
            is_compared: false,
            awaits_walk: false,
            found: BTreeSet::new(),
            ingress,
            work: Work::default(),
            offer_turns: Turns::default(),
            transfer_turns: Turns::default(),
        }
    }

    /// Its bit in [`known_by`](crate::custody::Entry::known_by).
    pub(crate) const fn bit(&self) -> u64 {
        1 << self.slot
    }

    /// A session begins: nothing of an earlier one is left.
    pub(crate) fn forget_all(&mut self) {
        self.to_settle.clear();
        self.to_offer.clear();
        self.later.clear();
        self.to_send.clear();
        self.to_fetch.clear();
        (self.has_news, self.next_news_ms) = (false, 0);
        (self.walk, self.is_behind, self.next_offer_ms) = (None, false, 0);
    }

    /// The bundle is gone, or the neighbour has it.
    pub(crate) fn forget(&mut self, key: SortKey) {
        self.to_offer.remove(&key);
        self.to_send.remove(&key);
    }

    /// Puts a bundle among those to be offered, if there is room.
    pub(crate) fn queue_offer(&mut self, key: SortKey, queued_max: usize) {
        if self.to_offer.len() < queued_max {
            self.to_offer.insert(key);
        } else {
            self.is_behind = true;
        }
    }

    /// Puts a bundle among those to be offered again.
    pub(crate) fn queue_later(&mut self, at_ms: u64, key: SortKey, queued_max: usize) {
        if self.later.len() < queued_max {
            self.later.insert((at_ms, key));
        } else {
            self.is_behind = true;
        }
    }

    /// Whether all that is held was offered.
    pub(crate) fn is_drained(&self) -> bool {
        let is_compared = self.walk.is_none() && !self.awaits_walk && !self.is_behind;
        is_compared && self.to_offer.is_empty() && self.later.is_empty() && self.to_send.is_empty()
    }

    /// When something can be done on this link without anything new coming in.
    pub(crate) fn wake_at(&self, is_caller: bool) -> Option<u64> {
        let talk = if self.session.is_none() {
            Some(self.hello_at_ms(is_caller))
        } else if !self.to_settle.is_empty() || !self.to_fetch.is_empty() {
            Some(0)
        } else if !self.to_offer.is_empty() {
            Some(self.next_offer_ms)
        } else {
            let walk = self.walk.as_ref().map(|_| 0);
            let news = self.has_news.then(|| self.news_at_ms());
            earlier(walk, news)
        };
        let later = self.later.first().map(|(at_ms, _)| *at_ms);
        let walk = (self.is_behind && self.to_offer.is_empty()).then_some(self.next_walk_ms);
        let talk = earlier(earlier(talk, later), walk).zip(self.talk.free_at_ms()).map(|(a, b)| a.max(b));
        let carries = !self.to_send.is_empty() && !self.waits_for_work();
        let carry = carries.then_some(0).zip(self.carry.free_at_ms()).map(|(a, b)| a.max(b));
        earlier(talk, carry)
    }

    /// When the neighbour may be told what it was not told.
    pub(crate) fn news_at_ms(&self) -> u64 {
        self.next_offer_ms.max(self.next_news_ms)
    }

    /// Whether the neighbour carries.
    pub(crate) fn is_to_carrier(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.kind == NodeKind::Carrier)
    }

    /// When this node introduces itself where there is no session: at once if that is its part, and later if it is the
    /// neighbour's, which may believe that there is one.
    pub(crate) const fn hello_at_ms(&self, is_caller: bool) -> u64 {
        if is_caller || self.greets_at_once { 0 } else { self.since_ms.saturating_add(HELLO_PATIENCE_MS) }
    }

    /// Nothing can be handed over for custody until the driver has found a solution.
    pub(crate) const fn waits_for_work(&self) -> bool {
        self.work.asked.is_some() && self.work.solution.is_none()
    }
}

/// The earlier of two times that may not be there.
pub(crate) fn earlier(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    a.into_iter().chain(b).min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::ShortId;

    #[test]
    fn full_queues_leave_the_link_behind() {
        let mut link = Link::new([1; 32].into(), 3, Tier::Contact, [0; 16], Ingress::new(1, 1, 0));
        let key = |byte| SortKey::first_of(ShortId::from_bytes([byte; 9]));
        link.queue_offer(key(1), 1);
        assert!(!link.is_behind && !link.is_drained());
        link.queue_offer(key(2), 1);
        assert!(link.is_behind);
        link.forget(key(1));
        assert!(!link.is_drained(), "what was left out is not forgotten");
    }
}
