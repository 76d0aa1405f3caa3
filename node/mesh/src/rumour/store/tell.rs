//! What a neighbour is told of rumours: of each row in turn what it was not told.

use super::Rumours;
use crate::wire::OfferItem;

/// What a neighbour is told next.
#[derive(Debug, Default)]
pub(crate) struct News {
    pub(crate) items: Vec<OfferItem>,
    /// How far it was told before, by source.
    pub(crate) told_before: Vec<(usize, u64)>,
    /// There is more.
    pub(crate) is_more: bool,
}

impl Rumours {
    /// What the neighbour of a slot has not been told, so many at most. It counts as told from now on.
    pub(crate) fn tell(&mut self, slot: usize, now_ms: u64, count_max: usize) -> News {
        if slot >= self.told.len() {
            self.told.resize_with(slot + 1, Vec::new);
        }
        let Self { told, sources, .. } = self;
        let told = &mut told[slot];
        told.resize(sources.len(), 0);
        let mut news = News::default();
        let waiting = sources.iter().zip(told.iter()).filter(|(source, told)| **told < source.end()).count();
        // Who told much leaves room for the others; what is left over goes out with the next offer.
        let share = count_max / waiting.max(1);
        for (number, (source, told)) in sources.iter().zip(told.iter_mut()).enumerate() {
            if *told >= source.end() {
                continue;
            }
            news.told_before.push((number, *told));
            if number == slot + 1 {
                *told = source.end();
                continue;
            }
            let from = usize::try_from(told.saturating_sub(source.first)).unwrap_or(usize::MAX);
            *told = source.end();
            let mut taken = 0;
            for (place, rumour) in source.row.range(from..).enumerate() {
                if rumour.heard_from & 1 << slot != 0 || rumour.is_over(now_ms) {
                    continue;
                }
                if taken == share {
                    (*told, news.is_more) = (source.first + (from + place) as u64, true);
                    break;
                }
                taken += 1;
                news.items.push(rumour.item(now_ms));
            }
        }
        news
    }

    /// The neighbour of a slot was not told after all.
    pub(crate) fn untell(&mut self, slot: usize, told_before: &[(usize, u64)]) {
        let Some(told) = self.told.get_mut(slot) else { return };
        for (source, before) in told_before {
            if let Some(told) = told.get_mut(*source) {
                *told = (*told).min(*before);
            }
        }
    }
}
