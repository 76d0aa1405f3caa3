//! Rumours: between carriers that are linked for long, the news of a bundle travels at once and its body only where it is
//! wanted.
//!
//! ```text
//!   holder         carrier        carrier        recipient
//!     │── offer ──►│── offer ────►│── offer ────►│          27 bytes a hop, everywhere
//!     │            │              │◄── Mine ─────┤
//!     │◄── want ───┤◄── want ─────┤              │          everywhere too, until it meets a holder
//!     │── body ───►│── body ─────►│── body ─────►│          the body on this way only
//!     │◄─ settle ──┤◄─ settle ────┤◄─ settle ────┤
//! ```
//!
//! A carrier that is told of a bundle remembers the offer as a rumour and passes it on as if it held the bundle. When
//! somebody says that it is for him, the carrier asks all its neighbours that are carriers, and they ask theirs, until one
//! holds it. A *want* has a random number, by which a carrier knows that it has passed it on already; it remembers on which
//! link each came first, and that is the way that the body takes: offered in earnest from hop to hop, so that two
//! holders who answer the same want do not both send.
//!
//! A want is remembered as long as the rumour, and said again to carriers met later: so it waits for a partition to heal.
//! What is first heard of on a link that is mostly down is taken at once, with its body ([`Mesh::is_lazy`]): nobody knows
//! when it can be had again.
//!
//! Rumours are kept in memory, bounded in number and time. Nothing depends on them: a rumour that is lost costs a delay.
//! A want says to a neighbour that somebody behind this node, or this node, is among the recipients of a bundle; since all
//! carriers pass on the wants of all others, who it is remains open to all but the recipient's own neighbour, which
//! learns it anyway when it hands the bundle over.

use std::collections::{BTreeMap, BTreeSet};

use qpq_proto::limits::MESH_FETCH_ITEMS_MAX;

use crate::bundle::{ShortId, SortKey};
use crate::calls::Purpose;
use crate::custody::Entry;
use crate::effect::Context;
use crate::mesh::Mesh;
use crate::wire::{NodeKind, OfferItem, Request, Want};

/// Rumours remembered; the one that ends first makes room.
const RUMOURS_MAX: usize = 4_096;
/// Wants of one rumour of which the way back is remembered; the oldest makes room.
const WANTS_MAX: usize = 8;
/// Wants of one rumour that are passed on. Beyond them none is, since a number that was forgotten would go round for ever.
const NUMBERS_MAX: usize = 64;

/// A bundle that is known by hearsay.
#[derive(Clone, Debug)]
pub(crate) struct Rumour {
    item: OfferItem,
    /// Neighbours that told it, a bit each, by their slots.
    pub(crate) heard_from: u64,
    /// Neighbours that were told, a bit each.
    told: u64,
    /// Who wants it: the number of each want and the slot it came from first.
    wants: Vec<(u32, usize)>,
    /// The numbers of all wants that were passed on.
    numbers: Vec<u32>,
    until_ms: u64,
}

impl Rumour {
    /// Whether it makes sense to tell it to the neighbour of a slot.
    pub(crate) const fn is_news_to(&self, slot: usize) -> bool {
        (self.heard_from | self.told) & (1 << slot) == 0
    }

    /// What is said of it now.
    pub(crate) fn item(&self, now_ms: u64) -> OfferItem {
        let item = OfferItem { is_held: false, is_spare: false, ..self.item };
        item.ending_in(self.until_ms.saturating_sub(now_ms))
    }
}

/// The rumours that a carrier remembers.
#[derive(Debug, Default)]
pub(crate) struct Rumours {
    by_short: BTreeMap<ShortId, Rumour>,
    by_end: BTreeSet<(u64, ShortId)>,
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
        // What has ended would be forgotten at once, and be news again when it comes back.
        if item.ends_in == 0 {
            return false;
        }
        if let Some(rumour) = self.by_short.get_mut(&item.short) {
            rumour.heard_from |= 1 << slot;
            return false;
        }
        let until_ms = now_ms + item.ends_in_ms();
        let rumour = Rumour {
            item: *item,
            heard_from: 1 << slot,
            told: 0,
            wants: Vec::new(),
            numbers: Vec::new(),
            until_ms,
        };
        self.by_short.insert(item.short, rumour);
        self.by_end.insert((until_ms, item.short));
        while self.by_short.len() > RUMOURS_MAX
            && let Some((_, short)) = self.by_end.first().copied()
        {
            self.remove(short);
        }
        true
    }

    pub(crate) fn remove(&mut self, short: ShortId) -> Option<Rumour> {
        let rumour = self.by_short.remove(&short)?;
        self.by_end.remove(&(rumour.until_ms, short));
        Some(rumour)
    }

    /// Whether somebody is looking for it.
    pub(crate) fn is_wanted(&self, short: ShortId) -> bool {
        self.get(short).is_some_and(|rumour| !rumour.wants.is_empty())
    }

    /// What the neighbour of a slot has not been told.
    fn untold(&self, slot: usize) -> impl Iterator<Item = SortKey> {
        let untold = self.by_short.values().filter(move |rumour| rumour.is_news_to(slot));
        untold.map(|rumour| SortKey::first_of(rumour.item.short))
    }

    /// What is wanted by others than the neighbour of a slot.
    fn wanted(&self, slot: usize, only_heard: bool) -> impl Iterator<Item = Want> {
        let all = self.by_short.values();
        all.filter(move |rumour| !only_heard || rumour.heard_from & (1 << slot) != 0).flat_map(
            move |rumour| {
                let others = rumour.wants.iter().filter(move |(_, asker)| *asker != slot);
                others.map(|(number, _)| Want { short: rumour.item.short, number: *number })
            },
        )
    }

    /// Forgets what the neighbour of a slot knows and wants.
    pub(crate) fn forget_neighbour(&mut self, slot: usize) {
        for rumour in self.by_short.values_mut() {
            rumour.told &= !(1 << slot);
            rumour.heard_from &= !(1 << slot);
            rumour.wants.retain(|(_, asker)| *asker != slot);
        }
    }

    fn forget_old(&mut self, now_ms: u64) {
        while let Some((_, short)) = self.by_end.first().copied().filter(|(end_ms, _)| *end_ms <= now_ms) {
            self.remove(short);
        }
    }
}

impl Mesh {
    /// Whether bodies wait on a link until they are wanted: it joins two carriers, has been up for long, and is not down
    /// most of the time.
    pub(crate) fn is_lazy(&self, slot: usize, now_ms: u64) -> bool {
        let Some(link) = self.links[slot].as_ref() else { return false };
        let is_carrier = link.session.as_ref().is_some_and(|session| session.kind == NodeKind::Carrier);
        self.config.kind == NodeKind::Carrier
            && is_carrier
            && !link.is_mostly_down
            && now_ms.saturating_sub(link.since_ms) >= self.config.lazy_after_ms
    }

    fn lazy_links(&self, now_ms: u64) -> u64 {
        let slots = 0..self.links.len();
        slots.filter(|slot| self.is_lazy(*slot, now_ms)).fold(0, |bits, slot| bits | 1 << slot)
    }

    /// Hears of a bundle and passes the news on. Whether it was heard before on a link that is there for long.
    pub(crate) fn hear(&mut self, now_ms: u64, slot: usize, item: &OfferItem) -> bool {
        let lazy = self.lazy_links(now_ms);
        let peer = self.session(slot).map(|session| session.kind);
        if self.config.kind != NodeKind::Carrier || (peer != Some(NodeKind::Carrier) && lazy == 0) {
            return false;
        }
        let others = lazy & !(1 << slot);
        let was_heard = self.rumours.get(item.short).is_some_and(|rumour| rumour.heard_from & others != 0);
        let key = SortKey::first_of(item.short);
        self.link(slot).to_offer.remove(&key);
        if !self.rumours.hear(item, slot, now_ms) {
            return was_heard;
        }
        let queued_max = self.config.offers_queued_max;
        for link in self.links.iter_mut().flatten() {
            // A link whose queue is full hears of it when the body comes, or when it is up again.
            if link.session.is_some() && link.slot != slot && link.to_offer.len() < queued_max {
                link.to_offer.insert(key);
                self.dirty |= link.bit();
            }
        }
        was_heard
    }

    /// A session begins: what the neighbour has not heard of is offered, and it is asked for what is wanted.
    pub(crate) fn tell_rumours(&mut self, slot: usize) {
        let queued_max = self.config.offers_queued_max;
        let is_carrier = self.session(slot).is_some_and(|session| session.kind == NodeKind::Carrier);
        let Some(link) = self.links[slot].as_mut() else { return };
        let room = (queued_max / 2).saturating_sub(link.to_offer.len());
        link.to_offer.extend(self.rumours.untold(slot).take(room));
        link.to_fetch.extend(self.rumours.wanted(slot, !is_carrier).take(queued_max));
    }

    /// The neighbour was told a rumour. If it is for the neighbour, the bundle is looked for.
    pub(crate) fn take_rumour_verdict(
        &mut self,
        cx: &mut Context<'_>,
        slot: usize,
        short: ShortId,
        is_wanted: bool,
    ) {
        let Some(rumour) = self.rumours.get_mut(short) else { return };
        rumour.told |= 1 << slot;
        if is_wanted {
            // Another number than the last time: the ways may be others by now.
            rumour.wants.retain(|(_, asker)| *asker != slot);
            let number = u32::from_be_bytes(cx.random());
            self.pass_on_want(slot, Want { short, number });
        }
    }

    /// The neighbour of a slot wants what is known by hearsay. Whether it was asked on.
    pub(crate) fn pass_on_want(&mut self, slot: usize, want: Want) -> bool {
        let Some(rumour) = self.rumours.get_mut(want.short) else { return false };
        if rumour.numbers.len() >= NUMBERS_MAX || rumour.numbers.contains(&want.number) {
            return false;
        }
        rumour.numbers.push(want.number);
        if rumour.wants.len() >= WANTS_MAX {
            rumour.wants.remove(0);
        }
        rumour.wants.push((want.number, slot));
        let heard_from = rumour.heard_from;
        for link in self.links.iter_mut().flatten().filter(|link| link.slot != slot) {
            let kind = link.session.as_ref().map(|session| session.kind);
            let may_know = kind == Some(NodeKind::Carrier) || heard_from & link.bit() != 0;
            if kind.is_some() && may_know {
                link.to_fetch.insert(want);
                self.dirty |= link.bit();
            }
        }
        true
    }

    /// The next wants that are told on a link.
    pub(crate) fn next_fetch(&mut self, slot: usize) -> Option<(Request, Purpose)> {
        let (rumours, link) = (&self.rumours, self.links[slot].as_mut()?);
        let mut items = Vec::new();
        while items.len() < MESH_FETCH_ITEMS_MAX
            && let Some(want) = link.to_fetch.pop_first()
        {
            // What has come in the meantime is not asked for.
            if rumours.get(want.short).is_some() {
                items.push(want);
            }
        }
        (!items.is_empty()).then(|| (Request::Fetch(items.clone()), Purpose::Fetch(items)))
    }

    /// A bundle that was known by hearsay is here: it goes to those who want it. Which neighbours know of it already.
    pub(crate) fn confirm(&mut self, key: SortKey) -> u64 {
        let short = key.short();
        let Some(rumour) = self.rumours.remove(short) else { return 0 };
        let wanted_by = rumour.wants.iter().fold(0, |bits, (_, slot)| bits | 1_u64 << slot);
        if let Some(entry) = self.custody.get_mut(key) {
            entry.wanted_by |= wanted_by;
        }
        for link in self.links.iter_mut().flatten() {
            link.to_offer.remove(&SortKey::first_of(short));
        }
        (rumour.told | rumour.heard_from) & !wanted_by
    }

    /// Whether the neighbour of a slot asked for a bundle.
    pub(crate) const fn is_wanted_by(slot: usize, entry: &Entry) -> bool {
        entry.wanted_by & (1 << slot) != 0
    }
}
