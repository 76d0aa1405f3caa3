//! Fetching: a neighbour asks for bundles by name.
//!
//! It is handed what it would be handed if it had answered an offer with "would carry": no copy more.

use qpq_proto::limits::MESH_FETCH_ITEMS_MAX;

use crate::bundle::ShortId;
use crate::link::Errand;
use crate::mesh::Mesh;
use crate::wire::FetchVerdict;

impl Mesh {
    /// What this node says to a request for bundles.
    pub(crate) fn answer_fetch(&mut self, slot: usize, items: &[ShortId]) -> Vec<FetchVerdict> {
        items.iter().take(MESH_FETCH_ITEMS_MAX).map(|short| self.judge_fetch(slot, *short)).collect()
    }

    fn judge_fetch(&mut self, slot: usize, short: ShortId) -> FetchVerdict {
        if let Some((_, tombstone)) = self.tombstones.find(short) {
            return tombstone.secret.map_or(FetchVerdict::NotHeld, FetchVerdict::Settled);
        }
        let Some(key) = self.custody.find(short).filter(|key| self.carries(*key)) else {
            return FetchVerdict::NotHeld;
        };
        self.queue_errand(slot, key, Errand::Custody);
        FetchVerdict::Coming
    }
}
