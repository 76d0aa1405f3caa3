//! Rumours: between carriers that are linked for long, the news of a bundle travels at once and its body only where it is
//! wanted.
//!
//! ```text
//!   holder         carrier        carrier        recipient
//!     │── offer ──►│── offer ────►│── offer ────►│          27 bytes a hop, everywhere
//!     │            │              │◄── Mine ─────┤
//!     │◄── want ───┤◄── want ─────┤              │          back the way of the news, to a holder
//!     │── body ───►│── body ─────►│── body ─────►│          the body on this way only
//!     │◄─ settle ──┤◄─ settle ────┤◄─ settle ────┤
//! ```
//!
//! A carrier that is told of a bundle remembers the offer as a rumour ([`store`]) and passes it on as if it held the
//! bundle. When somebody says that it is for him, the carrier asks the neighbour from whom it heard of the bundle first,
//! which asks on in the same way, until one holds it: so the want goes back the way that the news came, or where that
//! way is broken, to whoever else told it. A *want* has a random number, by which a carrier knows that it has passed it
//! on already; it remembers on which link each came first, and that is the way that the body takes: offered in earnest
//! from hop to hop, so that two holders who answer the same want do not both send. What did not come after a while is
//! asked for everywhere, as far as every carrier's budget for that goes ([`wants`]).
//!
//! A want is remembered as long as the rumour, and said again to carriers met later: so it waits for a partition to heal.
//! What is first heard of on a link that is mostly down is taken at once, with its body ([`Mesh::is_lazy`]): nobody knows
//! when it can be had again.
//!
//! The more news there is on a link, the longer what comes next waits for more ([`NEWS_MS`]): news of its own
//! goes at once, a stream of it in a call every two minutes.
//!
//! Rumours are kept in memory, bounded in number and time. Nothing depends on them: a rumour that is lost costs a delay.
//! A want says to a neighbour that somebody behind this node, or this node, is among the recipients of a bundle; since
//! carriers pass on the wants of others, who it is remains open to all but the recipient's own neighbour, which
//! learns it anyway when it hands the bundle over.

use qpq_proto::limits::MESH_FETCH_ITEMS_MAX;

use crate::bundle::{ShortId, SortKey};
use crate::calls::Purpose;
use crate::custody::Entry;
use crate::effect::Context;
use crate::mesh::Mesh;
use crate::wire::{NodeKind, OfferItem, Request, Want};

mod store;
mod table;
mod wants;

pub(crate) use store::{Hearsay, News, Rumours};
use wants::{Course, Unheard};

/// Pause after news for each piece of it, ms.
const NEWS_MS: u64 = 10_000;
/// Longest pause after news, ms.
const NEWS_MS_MAX: u64 = 120_000;

/// What the links of a node say about how it hears.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hearing {
    slot: usize,
    /// Links that are there for long, a bit each.
    lazy: u64,
    /// What is told on this link is remembered.
    is_open: bool,
    /// Something was news.
    pub(crate) is_news: bool,
}

impl Hearing {
    /// Whether what is told is remembered.
    pub(crate) const fn is_open(&self) -> bool {
        self.is_open
    }
}

impl Mesh {
    /// Whether bodies wait on a link until they are wanted: it joins two carriers, has been up for long, and is not down
    /// most of the time.
    pub(crate) fn is_lazy(&self, slot: usize, now_ms: u64) -> bool {
        let Some(link) = self.links[slot].as_ref() else { return false };
        self.config.kind == NodeKind::Carrier
            && link.is_to_carrier()
            && !link.is_mostly_down
            && now_ms.saturating_sub(link.since_ms) >= self.config.lazy_after_ms
    }

    /// How this node hears on a link.
    pub(crate) fn hearing(&self, slot: usize, now_ms: u64) -> Hearing {
        let slots = 0..self.links.len();
        let lazy = slots.filter(|slot| self.is_lazy(*slot, now_ms)).fold(0, |bits, slot| bits | 1 << slot);
        let peer = self.session(slot).map(|session| session.kind);
        let is_open = self.config.kind == NodeKind::Carrier && (peer == Some(NodeKind::Carrier) || lazy != 0);
        Hearing { slot, lazy, is_open, is_news: false }
    }

    /// What was heard before of what is said now to be had from somebody else. What is offered in earnest, or not
    /// remembered here, is not looked up.
    pub(crate) fn heard_before(&mut self, hearing: &Hearing, item: &OfferItem) -> Option<Hearsay> {
        let is_hearsay = !item.is_held && !item.is_spare;
        (is_hearsay && hearing.is_open).then(|| self.rumours.hear(item.short, hearing.slot))
    }

    /// Hears of a bundle, of which this was heard before if that is known. Whether it was heard before on a link that is
    /// there for long.
    pub(crate) fn hear(
        &mut self,
        now_ms: u64,
        hearing: &mut Hearing,
        (item, before): (&OfferItem, Option<Hearsay>),
        is_mine: bool,
    ) -> bool {
        if !hearing.is_open {
            return false;
        }
        let slot = hearing.slot;
        match before.unwrap_or_else(|| self.rumours.hear(item.short, slot)) {
            Hearsay::Known { heard_from, .. } => heard_from & hearing.lazy & !(1 << slot) != 0,
            Hearsay::Gone => false,
            Hearsay::Unknown => {
                hearing.is_news |= self.rumours.add(item, slot, is_mine, now_ms);
                false
            }
        }
    }

    /// Something new was heard, and is passed on.
    pub(crate) fn note_news(&mut self, now_ms: u64, hearing: &Hearing) {
        for link in self.links.iter_mut().flatten().filter(|link| link.slot != hearing.slot) {
            link.has_news |= link.session.is_some();
            if link.has_news && link.news_at_ms() <= now_ms {
                self.dirty |= link.bit();
            }
        }
    }

    /// A session begins: what the neighbour has not heard of is told, and it is asked for what is wanted.
    pub(crate) fn tell_rumours(&mut self, slot: usize) {
        let queued_max = self.config.offers_queued_max;
        let rumours = &self.rumours;
        let Some(link) = self.links[slot].as_mut() else { return };
        link.has_news = self.config.kind == NodeKind::Carrier;
        let is_carrier = link.is_to_carrier();
        let is_asked = |unheard: &Unheard| {
            let heard_from = rumours.get(unheard.want.short).map_or(0, |rumour| rumour.heard_from);
            let is_teller = heard_from & 1 << slot != 0;
            let is_first = rumours.first_teller(unheard.want.short) == Some(slot);
            match unheard.course {
                Course::Everywhere => is_carrier || is_teller,
                // Whoever told it, if nobody was there so far, and who told it first in any case.
                Course::Back => is_teller && (unheard.said_to == 0 || is_first),
            }
        };
        let wants = rumours.wants.unheard_by(slot).filter(is_asked).map(|unheard| unheard.want);
        link.to_fetch.extend(wants.take(queued_max));
    }

    /// The next news on a link, if it is time for it or something else goes out anyway.
    pub(crate) fn next_news(&mut self, now_ms: u64, slot: usize, count_max: usize) -> News {
        let news = self.rumours.tell(slot, now_ms, count_max);
        let offer_interval_ms = self.config.offer_interval_ms;
        let link = self.link(slot);
        link.has_news = news.is_more;
        let pause_ms = NEWS_MS.saturating_mul(news.items.len() as u64).min(NEWS_MS_MAX);
        // What has waited long does not wait for more.
        link.next_news_ms = now_ms + if news.is_more { offer_interval_ms } else { pause_ms };
        news
    }

    /// The neighbour was told a rumour, and it is for the neighbour: the bundle is looked for.
    pub(crate) fn look_for(&mut self, cx: &mut Context<'_>, slot: usize, short: ShortId) {
        if self.rumours.get(short).is_some() {
            self.rumours.wants.renew(short, slot, cx.now_ms);
            let number = u32::from_be_bytes(cx.random());
            self.pass_on_want(cx.now_ms, slot, Want { short, number }.first());
        }
    }

    /// Asks everywhere for what was wanted a while ago and did not come.
    pub(crate) fn look_everywhere(&mut self, cx: &mut Context<'_>) {
        while let Some((short, slot)) = self.rumours.wants.impatient(cx.now_ms) {
            let number = u32::from_be_bytes(cx.random());
            self.pass_on_want(cx.now_ms, slot, Want { short, number }.everywhere());
        }
    }

    /// The neighbour of a slot wants what is known by hearsay. Whether it was asked on.
    pub(crate) fn pass_on_want(&mut self, now_ms: u64, slot: usize, want: Want) -> bool {
        let Some(rumour) = self.rumours.get(want.short) else { return false };
        let tellers = rumour.heard_from;
        let first = self.rumours.first_teller(want.short).map_or(0, |first| 1_u64 << first);
        let Some(course) = self.rumours.wants.note(want, slot, now_ms) else { return false };
        let others = self.links.iter().flatten().filter(|link| link.session.is_some() && link.slot != slot);
        let (mut up, mut carriers) = (0, 0);
        for link in others {
            up |= link.bit();
            carriers |= if link.is_to_carrier() { link.bit() } else { 0 };
        }
        // The way that the news came, or whoever told it, or whoever may know somebody who did.
        let back = [first & up, tellers & up, carriers].into_iter().find(|way| *way != 0);
        let way = match course {
            Course::Back => back.unwrap_or_default(),
            Course::Everywhere => tellers & up | carriers,
        };
        for link in self.links.iter_mut().flatten().filter(|link| way & link.bit() != 0) {
            link.to_fetch.insert(want);
        }
        self.dirty |= way;
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
        let Some((known, wanted_by)) = self.rumours.remove(short) else { return 0 };
        if let Some(entry) = self.custody.get_mut(key) {
            entry.wanted_by |= wanted_by;
        }
        for link in self.links.iter_mut().flatten() {
            link.to_offer.remove(&SortKey::first_of(short));
        }
        known & !wanted_by
    }

    /// Whether the neighbour of a slot asked for a bundle.
    pub(crate) const fn is_wanted_by(slot: usize, entry: &Entry) -> bool {
        entry.wanted_by & (1 << slot) != 0
    }
}
