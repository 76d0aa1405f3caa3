//! What has made room for something else a while ago, so that it is not taken in again at the next offer.

use std::collections::{BTreeMap, VecDeque};

use crate::bundle::ShortId;

/// How long it is remembered, ms.
const EVICTED_MS: u64 = 3_600_000;
/// Most that are remembered; the oldest is forgotten first.
const EVICTED_MAX: usize = 1_024;

/// Bundles that were evicted. In memory only: what is forgotten is taken in once more.
#[derive(Debug, Default)]
pub(crate) struct Evicted {
    until_ms: BTreeMap<ShortId, u64>,
    order: VecDeque<ShortId>,
}

impl Evicted {
    /// A bundle has made room.
    pub(crate) fn note(&mut self, short: ShortId, now_ms: u64) {
        if self.until_ms.insert(short, now_ms + EVICTED_MS).is_none() {
            self.order.push_back(short);
        }
        if self.order.len() > EVICTED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.until_ms.remove(&oldest);
        }
    }

    /// Whether it was evicted of late.
    pub(crate) fn is_recent(&self, short: ShortId, now_ms: u64) -> bool {
        self.until_ms.get(&short).is_some_and(|until_ms| now_ms < *until_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short(number: usize) -> ShortId {
        let mut bytes = [0; ShortId::LENGTH_BYTES];
        bytes[1..].copy_from_slice(&(number as u64).to_be_bytes());
        ShortId::from_bytes(bytes)
    }

    #[test]
    fn it_is_remembered_for_a_while() {
        let mut evicted = Evicted::default();
        evicted.note(short(1), 5);
        assert!(evicted.is_recent(short(1), 5 + EVICTED_MS - 1));
        assert!(!evicted.is_recent(short(1), 5 + EVICTED_MS) && !evicted.is_recent(short(2), 5));
    }

    #[test]
    fn only_so_many_are_remembered() {
        let mut evicted = Evicted::default();
        (0..=EVICTED_MAX).for_each(|number| evicted.note(short(number), 0));
        assert!(!evicted.is_recent(short(0), 0) && evicted.is_recent(short(1), 0));
        assert_eq!((evicted.order.len(), evicted.until_ms.len()), (EVICTED_MAX, EVICTED_MAX));
    }
}
