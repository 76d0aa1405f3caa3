//! What is offered next on a link: what is held, and news of what is not.

use super::{ITEMS_MAX, waiting};
use crate::bundle::SortKey;
use crate::calls::{Offered, Purpose};
use crate::effect::Context;
use crate::fairness::{Budget, Waiting};
use crate::mesh::Mesh;
use crate::wire::{OfferItem, Request};

impl Mesh {
    /// The next offer on a link, if there is something to offer.
    pub(crate) fn next_offer(&mut self, cx: &Context<'_>, slot: usize) -> Option<(Request, Purpose)> {
        let now_ms = cx.now_ms;
        let link = self.links[slot].as_mut()?;
        while let Some((at_ms, key)) = link.later.first().copied().filter(|(at_ms, _)| *at_ms <= now_ms) {
            link.later.remove(&(at_ms, key));
            link.to_offer.insert(key);
        }
        if link.next_offer_ms > now_ms {
            return None;
        }
        let has_news = link.has_news && (link.next_news_ms <= now_ms || !link.to_offer.is_empty());
        let held_max = if has_news { ITEMS_MAX / 2 } else { ITEMS_MAX };
        let mut keys = self.next_held(now_ms, slot, held_max);
        let mut items: Vec<OfferItem> =
            keys.iter().filter_map(|key| self.item_of(now_ms, slot, *key)).collect();
        let mut told_before = Vec::new();
        if has_news {
            let news = self.next_news(now_ms, slot, ITEMS_MAX - keys.len());
            keys.extend(news.items.iter().map(|item| SortKey::first_of(item.short)));
            items.extend(news.items);
            told_before = news.told_before;
        }
        if keys.is_empty() {
            return None;
        }
        self.link(slot).next_offer_ms = now_ms + self.config.offer_interval_ms;
        Some((Request::Offer(items), Purpose::Offer(Offered { keys, told_before })))
    }

    /// Takes out what is offered in earnest, and rumours that were not taken note of before.
    fn next_held(&mut self, now_ms: u64, slot: usize, count_max: usize) -> Vec<SortKey> {
        let (custody, rumours) = (&self.custody, &self.rumours);
        let Some(link) = self.links[slot].as_mut() else { return Vec::new() };
        if link.to_offer.is_empty() {
            return Vec::new();
        }
        let bit = link.bit();
        link.to_offer.retain(|key| match custody.get(*key) {
            Some(entry) => entry.known_by & bit == 0,
            None => rumours.get(key.short()).is_some(),
        });
        let hearsay = |key: SortKey| Waiting { key, bringer: Some(link.node), cost: 1 };
        let waiting: Vec<Waiting> = link
            .to_offer
            .iter()
            .map(|key| waiting(custody, *key, 1).unwrap_or_else(|| hearsay(*key)))
            .collect();
        let budget = Budget { cost_max: count_max as u64, count_max };
        let keys = link.offer_turns.choose(now_ms, &waiting, budget);
        keys.iter().for_each(|key| {
            link.to_offer.remove(key);
        });
        keys
    }

    fn item_of(&self, now_ms: u64, slot: usize, key: SortKey) -> Option<OfferItem> {
        let Some(entry) = self.custody.get(key) else {
            return self.rumours.get(key.short()).map(|rumour| rumour.item(now_ms));
        };
        let header = &entry.header;
        let mut tag_start = [0; 8];
        tag_start.copy_from_slice(&header.tag()[..8]);
        let item = OfferItem {
            short: key.short(),
            salt: *header.salt(),
            tag_start,
            is_held: true,
            is_spare: self.gift_to(now_ms, slot, entry).is_some(),
            ends_in: 0,
        };
        Some(item.ending_in(entry.expires_ms.saturating_sub(now_ms)))
    }
}
