//! Rumours: on stable links between carriers, the news of a bundle travels at once and its body only where it is wanted.
//!
//! ```text
//!   holder         carrier        carrier        recipient
//!     │── offer ──►│── offer ────►│── offer ────►│          25 bytes a hop, everywhere
//!     │            │              │◄── Mine ─────┤
//!     │◄── fetch ──┤◄── fetch ────┤              │          back along the way the news came
//!     │── body ───►│── body ─────►│── body ─────►│          the body on this way only
//!     │◄─ settle ──┤◄─ settle ────┤◄─ settle ────┤
//! ```
//!
//! A carrier that is offered a bundle remembers the offer as a rumour and passes it on as if it held the bundle. When
//! somebody says that it is for him, the carrier fetches it from whoever told it, who may have to fetch it in turn.
//!
//! So that a bundle whose recipient is away does not depend on one holder, a holder also offers it again in earnest
//! after a delay that grows with the hops it has come ([`lazy_delay_ms`]): an expanding ring. What is settled in the
//! meantime is gone before its body has spread.
//!
//! Rumours are kept in memory, bounded in number and time. Nothing depends on them: a rumour that is lost costs a delay.

use std::collections::{BTreeMap, BTreeSet};

use crate::bundle::{ShortId, SortKey};
use crate::calls::Purpose;
use crate::link::Errand;
use crate::mesh::Mesh;
use crate::wire::{FetchVerdict, NodeKind, OfferItem, Request};

/// Rumours remembered; the oldest makes room.
const RUMOURS_MAX: usize = 4_096;
/// How long a rumour is remembered, ms.
const RUMOUR_MS: u64 = 3_600_000;
/// Delay of the body for the first hop, ms; it doubles with each.
const DELAY_MS: u64 = 30_000;
/// After so many hops the delay does not grow any more.
const DELAY_DOUBLINGS_MAX: u32 = 7;

/// After which time a holder hands over the body of a bundle that nobody asked for, by the hops it may still go.
pub(crate) fn lazy_delay_ms(hops_left: u8) -> u64 {
    DELAY_MS << u32::from(u8::MAX - hops_left).min(DELAY_DOUBLINGS_MAX)
}

/// A bundle that is known by hearsay.
#[derive(Clone, Debug)]
pub(crate) struct Rumour {
    pub(crate) item: OfferItem,
    /// Slots of the links that told it, the first one first.
    pub(crate) sources: Vec<usize>,
    /// Links on which it is wanted, a bit each.
    pub(crate) wanted_by: u64,
    /// Neighbours that were told, a bit each, by their slots.
    pub(crate) told: u64,
    until_ms: u64,
}

impl Rumour {
    /// Whether it makes sense to tell it on a link: the bundle can be fetched, and from somewhere else.
    pub(crate) fn can_be_told(&self, slot: usize) -> bool {
        !self.sources.is_empty() && !self.sources.contains(&slot)
    }
}

/// The rumours that a carrier remembers.
#[derive(Debug, Default)]
pub(crate) struct Rumours {
    by_short: BTreeMap<ShortId, Rumour>,
    by_age: BTreeSet<(u64, ShortId)>,
}

impl Rumours {
    pub(crate) fn get(&self, short: ShortId) -> Option<&Rumour> {
        self.by_short.get(&short)
    }

    fn get_mut(&mut self, short: ShortId) -> Option<&mut Rumour> {
        self.by_short.get_mut(&short)
    }

    /// Hears of a bundle. Whether it is news.
    fn hear(&mut self, item: &OfferItem, slot: usize, now_ms: u64) -> bool {
        self.forget_old(now_ms);
        if let Some(rumour) = self.by_short.get_mut(&item.short) {
            if !rumour.sources.contains(&slot) {
                rumour.sources.push(slot);
            }
            return false;
        }
        let until_ms = now_ms + RUMOUR_MS;
        let rumour = Rumour { item: *item, sources: vec![slot], wanted_by: 0, told: 0, until_ms };
        self.by_short.insert(item.short, rumour);
        self.by_age.insert((until_ms, item.short));
        true
    }

    pub(crate) fn remove(&mut self, short: ShortId) -> Option<Rumour> {
        let rumour = self.by_short.remove(&short)?;
        self.by_age.remove(&(rumour.until_ms, short));
        Some(rumour)
    }

    /// A link is gone: nothing can be fetched there, and nothing is wanted. What is wanted and was to come from there.
    fn forget_link(&mut self, slot: usize) -> Vec<ShortId> {
        let mut wanted = Vec::new();
        for (short, rumour) in &mut self.by_short {
            let was_first = rumour.sources.first() == Some(&slot);
            rumour.sources.retain(|source| *source != slot);
            rumour.wanted_by &= !(1 << slot);
            if was_first && rumour.wanted_by != 0 {
                wanted.push(*short);
            }
        }
        wanted
    }

    /// What a neighbour has not been told.
    pub(crate) fn untold(&self, slot: usize) -> impl Iterator<Item = SortKey> {
        let is_untold = move |rumour: &&Rumour| rumour.told & (1 << slot) == 0 && rumour.can_be_told(slot);
        self.by_short.values().filter(is_untold).map(|rumour| SortKey::first_of(rumour.item.short))
    }

    /// Forgets what a neighbour was told.
    pub(crate) fn forget_neighbour(&mut self, bit: u64) {
        self.by_short.values_mut().for_each(|rumour| rumour.told &= !bit);
    }

    fn forget_old(&mut self, now_ms: u64) {
        while let Some((until_ms, short)) = self.by_age.first().copied() {
            if until_ms > now_ms && self.by_short.len() < RUMOURS_MAX {
                break;
            }
            self.remove(short);
        }
    }
}

impl Mesh {
    /// Whether bodies wait on a link until they are wanted: it joins two carriers and has been up for long.
    pub(crate) fn is_lazy(&self, slot: usize, now_ms: u64) -> bool {
        let Some(link) = self.links[slot].as_ref() else { return false };
        let is_carrier = link.session.as_ref().is_some_and(|session| session.kind == NodeKind::Carrier);
        self.config.kind == NodeKind::Carrier
            && is_carrier
            && now_ms.saturating_sub(link.since_ms) >= self.config.lazy_after_ms
    }

    /// Whether a link has told of a bundle before: if it does so again, it means to hand it over.
    pub(crate) fn was_heard(&self, slot: usize, short: ShortId) -> bool {
        self.rumours.get(short).is_some_and(|rumour| rumour.sources.contains(&slot))
    }

    /// Hears of a bundle on a lazy link, and passes the news on.
    pub(crate) fn hear(&mut self, now_ms: u64, slot: usize, item: &OfferItem) {
        let key = SortKey::first_of(item.short);
        self.link(slot).to_offer.remove(&key);
        if !self.rumours.hear(item, slot, now_ms) {
            return;
        }
        let queued_max = self.config.offers_queued_max;
        for link in self.links.iter_mut().flatten() {
            // A link whose queue is full hears of it when the body comes.
            if link.session.is_some() && link.slot != slot && link.to_offer.len() < queued_max {
                link.to_offer.insert(key);
                self.dirty |= link.bit();
            }
        }
    }

    /// What a neighbour said to a rumour.
    pub(crate) fn take_rumour_verdict(&mut self, slot: usize, short: ShortId, is_wanted: bool) {
        let Some(rumour) = self.rumours.get_mut(short) else { return };
        rumour.told |= 1 << slot;
        if is_wanted {
            rumour.wanted_by |= 1 << slot;
            self.fetch(short);
        }
    }

    /// A link is gone: what was to come from there is fetched elsewhere.
    pub(crate) fn forget_source(&mut self, slot: usize) {
        self.rumours.forget_link(slot).into_iter().for_each(|short| self.fetch(short));
    }

    /// Asks the first link that told it for a bundle.
    fn fetch(&mut self, short: ShortId) {
        let source = self.rumours.get(short).and_then(|rumour| rumour.sources.first().copied());
        if let Some(source) = source {
            self.link(source).to_fetch.insert(short);
            self.dirty |= 1 << source;
        }
    }

    /// A neighbour asks for what is known by hearsay: it is fetched and handed on. `false` if nothing is known of it.
    pub(crate) fn fetch_for(&mut self, slot: usize, short: ShortId) -> bool {
        let Some(rumour) = self.rumours.get_mut(short) else { return false };
        rumour.sources.retain(|source| *source != slot);
        if rumour.sources.is_empty() {
            return false;
        }
        rumour.wanted_by |= 1 << slot;
        self.fetch(short);
        true
    }

    /// The next bundles to be asked for on a link.
    pub(crate) fn next_fetch(&mut self, slot: usize) -> Option<(Request, Purpose)> {
        let link = self.link(slot);
        let mut items = Vec::new();
        while items.len() < qpq_proto::limits::MESH_FETCH_ITEMS_MAX
            && let Some(short) = link.to_fetch.pop_first()
        {
            items.push(short);
        }
        (!items.is_empty()).then(|| (Request::Fetch(items.clone()), Purpose::Fetch(items)))
    }

    /// What a neighbour said to being asked: where it does not hold a bundle, the next one that told it is asked.
    pub(crate) fn take_fetch_verdicts(&mut self, slot: usize, items: &[ShortId], verdicts: &[FetchVerdict]) {
        for (short, verdict) in items.iter().zip(verdicts) {
            if *verdict == FetchVerdict::Coming {
                continue;
            }
            if let Some(rumour) = self.rumours.get_mut(*short) {
                rumour.sources.retain(|source| *source != slot);
            }
            self.fetch(*short);
        }
    }

    /// A bundle that was known by hearsay is here: it goes to those who want it, and later to those who were told.
    pub(crate) fn confirm(&mut self, now_ms: u64, key: SortKey) -> u64 {
        let short = key.short();
        let Some(rumour) = self.rumours.remove(short) else { return 0 };
        let hops_left = self.custody.get(key).map_or(0, |entry| entry.hops_left);
        let due_ms = now_ms + lazy_delay_ms(hops_left);
        let queued_max = self.config.offers_queued_max;
        for link in self.links.iter_mut().flatten() {
            link.to_offer.remove(&SortKey::first_of(short));
            if rumour.wanted_by & link.bit() != 0 {
                link.to_send.insert(key, Errand::Delivery);
                self.dirty |= link.bit();
            } else if rumour.told & link.bit() != 0 {
                link.deferred.insert(key);
                link.queue_later(due_ms, key, queued_max);
            }
        }
        rumour.wanted_by | rumour.told
    }
}
