//! What becomes of bundles that are held: opened, buried, evicted, found to be this node's after all.

use std::sync::Arc;

use crate::bundle::{Bundle, BundleId, Secret, SortKey, Transit};
use crate::custody::{Entry, cost_bytes};
use crate::effect::{Context, Effect};
use crate::lifetime;
use crate::mesh::Mesh;
use crate::storage::{StorageError, Store, Tier, TombstoneRecord};
use crate::wire::NodeKind;

impl Mesh {
    /// Bundles make room for another.
    pub(crate) fn evict(&mut self, cx: &mut Context<'_>, victims: &[SortKey]) -> Result<(), StorageError> {
        for key in victims {
            if let Some(id) = self.drop_entry(cx, *key)? {
                self.evicted.note(key.short(), cx.now_ms);
                cx.effects.push(Effect::Evicted { id });
            }
        }
        Ok(())
    }

    /// Lets go of a bundle, wherever it waits.
    pub(crate) fn drop_entry(
        &mut self,
        cx: &mut Context<'_>,
        key: SortKey,
    ) -> Result<Option<BundleId>, StorageError> {
        let Some(entry) = self.custody.get(key) else { return Ok(None) };
        let id = *entry.header.id();
        if self.is_unopened(key) {
            self.unopened_bytes = self.unopened_bytes.saturating_sub(cost_bytes(&entry.header));
        }
        self.custody.remove(key);
        self.links.iter_mut().flatten().for_each(|link| link.forget(key));
        cx.store.remove(&id)?;
        Ok(Some(id))
    }

    /// Whether a bundle is kept only until it is opened: it is charged to nobody else, but did not start here.
    pub(crate) fn is_unopened(&self, key: SortKey) -> bool {
        self.custody.get(key).is_some_and(|entry| {
            let (tier, bringer) = self.custody.bringer(entry);
            tier == Tier::Own && bringer.is_some()
        })
    }

    /// Whether a bundle is offered to others.
    pub(crate) fn carries(&self, key: SortKey) -> bool {
        let is_own = self.custody.get(key).is_some_and(|entry| self.custody.bringer(entry).1.is_none());
        is_own || (self.config.kind != NodeKind::Leaf && !self.is_unopened(key))
    }

    /// This node has opened a bundle that nothing settles. It goes on carrying it, or remembers that it had it.
    pub(crate) fn opened(&mut self, cx: &mut Context<'_>, id: &BundleId) -> Result<(), StorageError> {
        let Some(key) = self.key_of(id) else { return Ok(()) };
        if !self.carries(key) {
            return self.bury(cx, key, None, 0);
        }
        let Some(entry) = self.custody.get_mut(key) else { return Ok(()) };
        entry.is_opened = true;
        if let Some(entry) = self.custody.get(key) {
            cx.store.update(&self.custody.record(entry))?;
        }
        Ok(())
    }

    /// Lets go of a bundle and sets a tombstone.
    pub(crate) fn bury(
        &mut self,
        cx: &mut Context<'_>,
        key: SortKey,
        secret: Option<Secret>,
        untold: u64,
    ) -> Result<(), StorageError> {
        let Some(entry) = self.custody.get(key) else { return Ok(()) };
        let expires_ms = lifetime::tombstone_expires_ms(cx.now_ms, entry.header.lifetime_max_s());
        self.drop_entry(cx, key)?;
        let tombstone = TombstoneRecord { secret, expires_ms, sequence: self.tombstones.next_sequence() };
        self.tombstones.insert(key, tombstone, untold);
        cx.store.put_tombstone(key, &tombstone)?;
        while self.tombstones.len() > self.config.tombstones_max {
            let Some(oldest) = self.tombstones.oldest() else { break };
            self.tombstones.remove(oldest);
            cx.store.remove_tombstone(oldest)?;
        }
        Ok(())
    }

    /// What is held is looked through for what this node recognises now.
    pub(crate) fn look_through(&mut self, cx: &mut Context<'_>) -> Result<(), StorageError> {
        let mut found = Vec::new();
        for (key, entry) in self.custody.iter() {
            let is_own = self.custody.bringer(entry).1.is_none();
            if !is_own && !entry.is_mine && is_recognised(cx, entry) {
                found.push(key);
            }
        }
        for key in found {
            let Some(entry) = self.custody.get_mut(key) else { continue };
            entry.is_mine = true;
            if let Some(entry) = self.custody.get(key) {
                cx.store.update(&self.custody.record(entry))?;
            }
            self.announce(cx, key)?;
        }
        Ok(())
    }

    /// What was recognised and no longer is: what is not carried for others is let go of.
    pub(crate) fn end_interest(&mut self, cx: &mut Context<'_>) -> Result<(), StorageError> {
        let mut ended = Vec::new();
        for (key, entry) in self.custody.iter() {
            if entry.is_mine && is_recognised(cx, entry) {
                ended.push(key);
            }
        }
        for key in ended {
            if !self.carries(key) {
                self.drop_entry(cx, key)?;
                continue;
            }
            let Some(entry) = self.custody.get_mut(key) else { continue };
            (entry.is_mine, entry.is_opened) = (false, false);
            if let Some(entry) = self.custody.get(key) {
                cx.store.update(&self.custody.record(entry))?;
            }
        }
        Ok(())
    }

    /// What is addressed to this node and was not opened, after a restart.
    pub(crate) fn announce_unopened(&mut self, cx: &mut Context<'_>) -> Result<(), StorageError> {
        let unopened: Vec<SortKey> = self
            .custody
            .iter()
            .filter(|(_, entry)| entry.is_mine && !entry.is_opened)
            .map(|(key, _)| key)
            .collect();
        for key in unopened {
            if self.is_unopened(key) {
                self.unopened_bytes += self.custody.get(key).map_or(0, Entry::cost_bytes);
            }
            self.announce(cx, key)?;
        }
        Ok(())
    }

    fn announce(&self, cx: &mut Context<'_>, key: SortKey) -> Result<(), StorageError> {
        if let Some(bundle) = self.take_out(cx.now_ms, cx.store, key)? {
            cx.effects.push(Effect::Mine { bundle });
        }
        Ok(())
    }

    /// A bundle as it is held, with its body.
    pub(crate) fn take_out(
        &self,
        now_ms: u64,
        store: &mut dyn Store,
        key: SortKey,
    ) -> Result<Option<Bundle>, StorageError> {
        let Some(entry) = self.custody.get(key) else { return Ok(None) };
        let Some(body) = store.body(entry.header.id())? else { return Ok(None) };
        let transit = Transit {
            remaining_s: lifetime::remaining_s(now_ms, entry.expires_ms),
            hops_left: entry.hops_left,
            copies: entry.copies,
        };
        Ok(Some(Bundle::stored(Arc::clone(&entry.header), body, transit)))
    }
}

fn is_recognised(cx: &mut Context<'_>, entry: &Entry) -> bool {
    let header = &entry.header;
    cx.interest.is_mine(header.kind().class, header.salt(), header.tag())
}
