//! Looking up much at once.
//!
//! In a large mesh the rumours of a carrier are in no cache, and each name that is looked up waits twice for the memory:
//! for the table, and for the rumour. Lookups that do not depend on each other wait together.

use std::hint::black_box;

use super::{GONE, Rumours};
use crate::wire::OfferItem;

/// Names that are looked up together: more than a processor waits for at one time.
const TOGETHER: usize = 64;

impl Rumours {
    /// Brings near what is known of what is heard next. Nothing else comes of it.
    pub(crate) fn look_ahead(&self, items: &[OfferItem]) {
        for items in items.chunks(TOGETHER) {
            let mut prints = [0; TOGETHER];
            let mut seen = 0;
            for (print, item) in prints.iter_mut().zip(items) {
                *print = self.table.print(item.short);
                seen ^= self.table.touch(*print);
            }
            // With the table at hand, where the rumours stand is known without waiting.
            for print in &prints[..items.len()] {
                let place = self.table.find(*print, |place| place != GONE);
                seen ^= place.map_or(0, |place| self.at(place).heard_from);
            }
            black_box(seen);
        }
    }
}
