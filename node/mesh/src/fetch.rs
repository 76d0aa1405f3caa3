//! Fetching: a neighbour asks for bundles by name.
//!
//! A carrier asks another for what it knows by hearsay ([`rumour`](crate::rumour)) and somebody wants. Any other neighbour
//! is handed what it would be handed if it had answered an offer with "would carry": no copy more.

use qpq_proto::limits::MESH_FETCH_ITEMS_MAX;

use crate::bundle::ShortId;
use crate::link::Errand;
use crate::mesh::Mesh;
use crate::wire::{FetchVerdict, NodeKind};

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
            let comes = self.fetch_for(slot, short);
            return if comes { FetchVerdict::Coming } else { FetchVerdict::NotHeld };
        };
        let peer = self.session(slot).map(|session| session.kind);
        let is_replica = self.config.kind == NodeKind::Carrier && peer == Some(NodeKind::Carrier);
        self.queue_errand(slot, key, if is_replica { Errand::Delivery } else { Errand::Custody });
        FetchVerdict::Coming
    }
}
