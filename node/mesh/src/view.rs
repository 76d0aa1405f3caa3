//! Looking at a mesh from outside: what it holds, and whom it is linked to; and taking all of it along in a file.

use std::sync::Arc;

use qpq_proto::ids::NodeKey;

use crate::bundle::{Bundle, Header, Transit};
use crate::lifetime;
use crate::mesh::Mesh;
use crate::storage::{StorageError, Store, Tier};
use crate::wire::NodeKind;

/// Who is charged for what comes in a file: no node has this key.
pub const BY_FILE: NodeKey = NodeKey::from_bytes([0; NodeKey::LENGTH_BYTES]);

/// A neighbour on a live link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeighbourView {
    /// Who it is.
    pub node: NodeKey,
    /// How close it stands.
    pub standing: Tier,
    /// What kind of node it is; none before it introduced itself.
    pub kind: Option<NodeKind>,
    /// Bundles that it is known to hold of those held here.
    pub known: usize,
    /// Bundles that wait to be offered to it.
    pub to_offer: usize,
    /// Bundles that it wants and that wait to be handed over.
    pub to_send: usize,
}

/// A bundle held.
#[derive(Clone, Debug)]
pub struct BundleView<'a> {
    /// What never changes.
    pub header: &'a Arc<Header>,
    /// How close its bringer stood.
    pub tier: Tier,
    /// Who brought it; none for this node's own.
    pub bringer: Option<NodeKey>,
    /// Node time at which it ends, ms.
    pub expires_ms: u64,
    /// Copies that may be handed over, the one held included.
    pub copies: u16,
    /// Neighbours known to hold it, of those met last.
    pub holders: u32,
}

impl Mesh {
    /// The neighbours on live links.
    pub fn neighbours(&self) -> impl Iterator<Item = NeighbourView> {
        self.links.iter().flatten().map(|link| NeighbourView {
            node: link.node,
            standing: link.standing,
            kind: link.session.as_ref().map(|session| session.kind),
            known: self.custody.iter().filter(|(_, entry)| entry.known_by & link.bit() != 0).count(),
            to_offer: link.to_offer.len(),
            to_send: link.to_send.len(),
        })
    }

    /// The bundles held, in the order in which they travel.
    pub fn bundles(&self) -> impl Iterator<Item = BundleView<'_>> {
        self.custody.iter().map(|(_, entry)| {
            let (tier, bringer) = self.custody.bringer(entry);
            BundleView {
                header: &entry.header,
                tier,
                bringer,
                expires_ms: entry.expires_ms,
                copies: entry.copies,
                holders: entry.known_by.count_ones(),
            }
        })
    }

    /// Hands out every bundle that is carried, to be written to a file. Copies stay here; each in the file is one more.
    ///
    /// # Errors
    /// As the storage fails.
    pub fn export(
        &self,
        now_ms: u64,
        store: &mut dyn Store,
        each: &mut dyn FnMut(Bundle),
    ) -> Result<(), StorageError> {
        for (key, entry) in self.custody.iter().filter(|(_, entry)| entry.hops_left > 0) {
            let remaining_s = lifetime::remaining_s(now_ms, entry.expires_ms);
            if remaining_s == 0 || !self.carries(key) {
                continue;
            }
            if let Some(body) = store.body(entry.header.id())? {
                let transit = Transit { remaining_s, hops_left: entry.hops_left - 1, copies: 1 };
                each(Bundle::stored(Arc::clone(&entry.header), body, transit));
            }
        }
        Ok(())
    }
}
