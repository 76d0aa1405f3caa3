//! Which bundles hold the pieces of unfinished objects.

use std::collections::BTreeMap;

use qpq_proto::ids::NodeKey;

use super::{ObjectId, Piece};
use crate::bundle::{Bundle, BundleId};
use crate::custody::cost_bytes;

/// What a recipient waits for at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AssemblyLimits {
    /// Bytes of bundles that all neighbours brought.
    pub bytes_max: u64,
    /// Bytes of bundles that one neighbour brought.
    pub neighbour_bytes_max: u64,
}

/// What came of a piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Noted {
    /// Others are missing. These bundles are no longer waited with: too many bytes waited.
    Waits {
        /// The pieces given up, the oldest first.
        given_up: Vec<BundleId>,
    },
    /// All are here: their bundles, in the order of the pieces. They stay noted until they are forgotten.
    Whole(Vec<BundleId>),
    /// The same piece is here in another bundle, or in this one.
    Known,
}

/// Notes which bundle holds which piece, in any order and with repetitions. The bundles themselves stay in custody,
/// which bounds their lifetime; after a restart they are noted again.
#[derive(Debug, Default)]
pub struct Assembly {
    objects: BTreeMap<ObjectId, BTreeMap<u16, BundleId>>,
    waiting: BTreeMap<BundleId, Waiting>,
    /// Bundles by who brought them, in the order of their arrival, and their bytes.
    neighbours: BTreeMap<NodeKey, (BTreeMap<u64, BundleId>, u64)>,
    arrivals: u64,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    object: ObjectId,
    index: u16,
    bringer: NodeKey,
    arrival: u64,
    bytes: u64,
}

impl Assembly {
    /// Pieces noted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Bytes of the bundles that hold them.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.neighbours.values().map(|(_, bytes)| bytes).sum()
    }

    /// Notes a piece, the bundle that holds it, and who brought that.
    pub fn note(
        &mut self,
        limits: &AssemblyLimits,
        bringer: NodeKey,
        bundle: &Bundle,
        piece: &Piece,
    ) -> Noted {
        let (object, id) = (piece.object(), *bundle.id());
        let known = self.objects.get(&object).and_then(|pieces| pieces.get(&piece.index()));
        if known.is_some_and(|known| *known != id) {
            return Noted::Known;
        }
        if known.is_none() {
            let bytes = cost_bytes(bundle.header());
            self.arrivals += 1;
            let arrival = self.arrivals;
            let waiting = Waiting { object, index: piece.index(), bringer, arrival, bytes };
            self.waiting.insert(id, waiting);
            self.objects.entry(object).or_default().insert(piece.index(), id);
            let (bundles, held) = self.neighbours.entry(bringer).or_default();
            bundles.insert(arrival, id);
            *held += bytes;
        }
        let pieces = self.objects.get(&object).into_iter().flatten();
        let bundles: Vec<BundleId> = pieces.map(|(_, id)| *id).collect();
        if bundles.len() == usize::from(piece.count()) {
            return Noted::Whole(bundles);
        }
        Noted::Waits { given_up: self.make_room(limits, bringer) }
    }

    /// A bundle is no longer waited with. The other pieces of its object are.
    pub fn forget(&mut self, id: &BundleId) {
        let Some(waiting) = self.waiting.remove(id) else { return };
        if let Some(pieces) = self.objects.get_mut(&waiting.object) {
            pieces.remove(&waiting.index);
            if pieces.is_empty() {
                self.objects.remove(&waiting.object);
            }
        }
        if let Some((bundles, bytes)) = self.neighbours.get_mut(&waiting.bringer) {
            bundles.remove(&waiting.arrival);
            *bytes -= waiting.bytes;
            if bundles.is_empty() {
                self.neighbours.remove(&waiting.bringer);
            }
        }
    }

    /// The bundles that hold pieces of the same object as this one, and itself, in the order of the pieces.
    #[must_use]
    pub fn object_of(&self, id: &BundleId) -> Vec<BundleId> {
        let object = self.waiting.get(id).and_then(|waiting| self.objects.get(&waiting.object));
        object.into_iter().flatten().map(|(_, id)| *id).collect()
    }

    /// The neighbour gives up its oldest pieces until its share is kept, and whoever has most until that of all is.
    fn make_room(&mut self, limits: &AssemblyLimits, bringer: NodeKey) -> Vec<BundleId> {
        let mut given_up = Vec::new();
        while let Some(id) = self.surplus(limits, bringer) {
            self.forget(&id);
            given_up.push(id);
        }
        given_up
    }

    fn surplus(&self, limits: &AssemblyLimits, bringer: NodeKey) -> Option<BundleId> {
        let held = |node: &NodeKey| self.neighbours.get(node).map_or(0, |(_, bytes)| *bytes);
        let loser = if held(&bringer) > limits.neighbour_bytes_max {
            bringer
        } else if self.bytes() > limits.bytes_max {
            *self.neighbours.keys().max_by_key(|node| held(node))?
        } else {
            return None;
        };
        let (bundles, _) = self.neighbours.get(&loser)?;
        bundles.first_key_value().map(|(_, id)| *id)
    }
}
