//! Settlement: a bundle that has arrived disappears, and the proof of it follows the bundle's own way.
//!
//! ```text
//!   sender ── A ── B ── recipient          the bundle goes this way
//!   sender ◄─ A ◄─ B ◄─ recipient          the secret comes back, from each holder to those it knows to hold it
//! ```
//!
//! The hash of the secret stands in the header. A bundle to one device carries the secret in its sealed body; of a
//! bundle to a group the sender alone knows it, and reveals it when all have acknowledged. Whoever learns the secret
//! checks it against the header of the very bundle it holds, drops the bundle, keeps a tombstone, and tells the
//! neighbours that it knows to hold it too: now, or when it meets them again. Others learn it when they offer the bundle.
//!
//! Nobody can make a bundle disappear without its secret; what is not held is not settled, so that foreign tombstones
//! take no room.

use qpq_proto::limits::MESH_SETTLE_ITEMS_MAX;

use crate::bundle::{BundleId, Class, Kind, Secret, SizeClass, SortKey};
use crate::calls::Purpose;
use crate::effect::{Context, Effect};
use crate::mesh::Mesh;
use crate::storage::{StorageError, Tier};
use crate::wire::{Request, Settlement};

impl Mesh {
    /// A bundle has arrived, if this is its secret.
    pub(crate) fn settle(
        &mut self,
        cx: &mut Context<'_>,
        key: SortKey,
        secret: Secret,
    ) -> Result<(), StorageError> {
        let Some(entry) = self.custody.get(key) else { return Ok(()) };
        if !entry.header.is_settled_by(&secret) {
            return Ok(());
        }
        let (id, held_by) = (*entry.header.id(), entry.known_by | entry.sent_to);
        let (tier, bringer) = self.custody.bringer(entry);
        self.bury(cx, key, Some(secret), held_by)?;
        for link in self.links.iter_mut().flatten().filter(|link| held_by & link.bit() != 0) {
            link.to_settle.insert(key);
            self.dirty |= link.bit();
        }
        let is_own = tier == Tier::Own && bringer.is_none();
        cx.effects.push(Effect::Settled { id, secret, is_own });
        Ok(())
    }

    /// A secret is revealed at this node.
    pub(crate) fn settle_by_id(
        &mut self,
        cx: &mut Context<'_>,
        id: &BundleId,
        secret: Secret,
    ) -> Result<(), StorageError> {
        match self.key_of(id) {
            Some(key) => self.settle(cx, key, secret),
            None => Ok(()),
        }
    }

    /// A neighbour says what has arrived.
    pub(crate) fn answer_settle(
        &mut self,
        cx: &mut Context<'_>,
        slot: usize,
        items: &[Settlement],
    ) -> Result<(), StorageError> {
        for item in items.iter().take(MESH_SETTLE_ITEMS_MAX) {
            let Some(key) = self.custody.find(item.short) else { continue };
            // The neighbour itself has dropped it; it needs not be told.
            let bit = 1 << slot;
            if let Some(entry) = self.custody.get_mut(key) {
                entry.known_by &= !bit;
                entry.sent_to &= !bit;
            }
            self.settle(cx, key, item.secret)?;
        }
        Ok(())
    }

    /// What a neighbour is told to have arrived.
    pub(crate) fn next_settlements(&mut self, slot: usize) -> Option<(Request, Purpose)> {
        let tombstones = &self.tombstones;
        let link = self.links[slot].as_mut()?;
        let (mut items, mut keys) = (Vec::new(), Vec::new());
        while keys.len() < MESH_SETTLE_ITEMS_MAX
            && let Some(key) = link.to_settle.pop_first()
        {
            if let Some(secret) = tombstones.get(key).and_then(|tombstone| tombstone.secret) {
                items.push(Settlement { short: key.short(), secret });
                keys.push(key);
            }
        }
        (!keys.is_empty()).then_some((Request::Settle(items), Purpose::Settle(keys)))
    }

    /// The key of a bundle that is held, by its id alone.
    pub(crate) fn key_of(&self, id: &BundleId) -> Option<SortKey> {
        let kinds = Class::ALL.into_iter().flat_map(|class| SizeClass::ALL.map(|size| Kind { class, size }));
        kinds.map(|kind| SortKey::new(kind, id)).find(|key| self.custody.get(*key).is_some())
    }
}
