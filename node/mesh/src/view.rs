//! Looking at a mesh from outside: what it holds, and whom it is linked to; and taking all of it along in a file.

use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use qpq_proto::ids::NodeKey;

use crate::bundle::{Bundle, BundleId, Header, SortKey, Transit};
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

/// How much is held for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShareView {
    /// For whom.
    pub tier: Tier,
    /// Bytes held, with what holding costs.
    pub bytes: u64,
    /// Bytes that may be held.
    pub bytes_max: u64,
    /// Bundles held.
    pub bundles: usize,
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
    /// The neighbours on live links, from one walk over all that is held.
    pub fn neighbours(&self) -> impl Iterator<Item = NeighbourView> {
        let mut known = [0; u64::BITS as usize];
        for (_, entry) in self.custody.iter() {
            let mut bits = entry.known_by;
            while bits != 0 {
                known[bits.trailing_zeros() as usize] += 1;
                bits &= bits - 1;
            }
        }
        self.links.iter().flatten().map(move |link| NeighbourView {
            node: link.node,
            standing: link.standing,
            kind: link.session.as_ref().map(|session| session.kind),
            known: known[link.slot],
            to_offer: link.to_offer.len(),
            to_send: link.to_send.len(),
        })
    }

    /// What kind of node each neighbour is that has introduced itself.
    pub fn neighbour_kinds(&self) -> impl Iterator<Item = NodeKind> {
        self.links.iter().flatten().filter_map(|link| link.session.as_ref().map(|session| session.kind))
    }

    /// Whether it holds a bundle.
    #[must_use]
    pub fn holds(&self, key: SortKey) -> bool {
        self.custody.get(key).is_some()
    }

    /// Whether it holds a bundle, or knows that it has arrived.
    #[must_use]
    pub fn knows(&self, key: SortKey) -> bool {
        self.holds(key) || self.tombstones.get(key).is_some()
    }

    /// What kind of node this is to its neighbours.
    #[must_use]
    pub fn kind(&self) -> NodeKind {
        self.config.kind
    }

    /// Names the custody; another one after what was held is lost.
    #[must_use]
    pub const fn instance(&self) -> &[u8; 16] {
        &self.instance
    }

    /// Whether custody is lost at a restart.
    #[must_use]
    pub fn is_volatile(&self) -> bool {
        self.config.custody_is_volatile
    }

    /// Bytes that may be held.
    #[must_use]
    pub fn bytes_max(&self) -> u64 {
        self.config.bytes_max
    }

    /// How much is held for whom, the closest first.
    pub fn shares(&self) -> impl Iterator<Item = ShareView> {
        let (accounts, quotas) = (self.custody.accounts(), self.config.quotas());
        [Tier::Own, Tier::Paired, Tier::Contact, Tier::Stranger].into_iter().map(move |tier| ShareView {
            tier,
            bytes: accounts.tier_bytes(tier),
            bytes_max: quotas.tier_bytes_max(tier),
            bundles: accounts.of_tier(tier).map(|(_, account)| account.count()).sum(),
        })
    }

    /// Bytes held that a neighbour brought, with what holding costs.
    #[must_use]
    pub fn brought_bytes(&self, node: NodeKey) -> u64 {
        let accounts = self.custody.accounts();
        let tiers = [Tier::Paired, Tier::Contact, Tier::Stranger].into_iter();
        tiers.filter_map(|tier| accounts.of(tier, Some(node))).map(|(_, account)| account.bytes).sum()
    }

    /// The bundles held after one of them, or all of them, in the order in which they travel.
    pub fn bundles(&self, after: Option<SortKey>) -> impl Iterator<Item = BundleView<'_>> {
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.custody.range((after, Bound::Unbounded)).map(|(_, entry)| {
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

    /// A bundle held, with its body.
    ///
    /// # Errors
    /// As the storage fails.
    pub fn bundle(
        &self,
        now_ms: u64,
        store: &mut dyn Store,
        id: &BundleId,
    ) -> Result<Option<Bundle>, StorageError> {
        self.key_of(id).map_or(Ok(None), |key| self.take_out(now_ms, store, key))
    }

    /// Who brought a bundle that is held; none for this node's own.
    #[must_use]
    pub fn bringer_of(&self, id: &BundleId) -> Option<NodeKey> {
        let entry = self.custody.get(self.key_of(id)?)?;
        self.custody.bringer(entry).1
    }

    /// Hands out the bundles that are carried, after one of them, until `each` wants no more. Copies stay here; each that
    /// is handed out is one more.
    ///
    /// # Errors
    /// As the storage fails.
    pub fn export(
        &self,
        now_ms: u64,
        store: &mut dyn Store,
        after: Option<SortKey>,
        each: &mut dyn FnMut(Bundle) -> ControlFlow<()>,
    ) -> Result<(), StorageError> {
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        let held = self.custody.range((after, Bound::Unbounded));
        for (key, entry) in held.filter(|(_, entry)| entry.hops_left > 0) {
            let remaining_s = lifetime::remaining_s(now_ms, entry.expires_ms);
            if remaining_s == 0 || !self.carries(key) {
                continue;
            }
            if let Some(body) = store.body(entry.header.id())? {
                let transit = Transit { remaining_s, hops_left: entry.hops_left - 1, copies: 1 };
                if each(Bundle::stored(Arc::clone(&entry.header), body, transit)).is_break() {
                    break;
                }
            }
        }
        Ok(())
    }
}
