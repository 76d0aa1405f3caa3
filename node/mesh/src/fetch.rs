//! Fetching: a neighbour asks for bundles by name.
//!
//! A carrier asks another for what it knows by hearsay ([`rumour`](crate::rumour)) and somebody wants; it is offered the
//! bundle in earnest. Any other neighbour is handed what it would be handed if it had answered an offer with "would
//! carry": no copy more.

use qpq_proto::limits::MESH_FETCH_ITEMS_MAX;

use crate::link::Errand;
use crate::mesh::Mesh;
use crate::wire::{FetchVerdict, NodeKind, Want};

impl Mesh {
    /// What this node says to a request for bundles.
    pub(crate) fn answer_fetch(&mut self, now_ms: u64, slot: usize, items: &[Want]) -> Vec<FetchVerdict> {
        items.iter().take(MESH_FETCH_ITEMS_MAX).map(|want| self.judge_fetch(now_ms, slot, *want)).collect()
    }

    fn judge_fetch(&mut self, now_ms: u64, slot: usize, want: Want) -> FetchVerdict {
        let short = want.short;
        if let Some((_, tombstone)) = self.tombstones.find(short) {
            return tombstone.secret.map_or(FetchVerdict::NotHeld, FetchVerdict::Settled);
        }
        let Some(key) = self.custody.find(short).filter(|key| self.carries(*key)) else {
            return if self.pass_on_want(now_ms, slot, want) {
                FetchVerdict::Coming
            } else {
                FetchVerdict::NotHeld
            };
        };
        let peer = self.session(slot).map(|session| session.kind);
        if peer != Some(NodeKind::Carrier) {
            self.queue_errand(slot, key, Errand::Custody);
        } else if let Some(entry) = self.custody.get_mut(key) {
            entry.wanted_by |= 1 << slot;
            entry.known_by &= !(1 << slot);
            let queued_max = self.config.offers_queued_max;
            self.link(slot).queue_offer(key, queued_max);
            self.dirty |= 1 << slot;
        }
        FetchVerdict::Coming
    }
}
