//! Starting what there is to do: on each link that something happened to, one call in each lane.

use crate::bundle::SortKey;
use crate::calls::Purpose;
use crate::effect::{Context, Effect};
use crate::link::earlier;
use crate::mesh::Mesh;
use crate::storage::{StorageError, Tier};
use crate::wire::{Durability, Request};

/// Bundles and tombstones end at most this much later than they should, so that a node wakes seldom, ms.
const EXPIRY_GRAIN_MS: u64 = 60_000;

impl Mesh {
    /// Node time at which [`Input::Tick`](crate::Input::Tick) is due; none while nothing is waited for.
    #[must_use]
    pub fn wake_at(&self) -> Option<u64> {
        let ends = earlier(self.custody.next_expiry_ms(), self.tombstones.next_expiry_ms());
        let ends = ends.map(|ends| ends.saturating_add(EXPIRY_GRAIN_MS) / EXPIRY_GRAIN_MS * EXPIRY_GRAIN_MS);
        earlier(earlier(ends, self.rumours.wants.next_ms()), self.links_wake_ms)
    }

    /// Starts whatever can be started.
    pub(crate) fn drive(&mut self, cx: &mut Context<'_>) -> Result<(), StorageError> {
        self.look_everywhere(cx);
        if self.links_wake_ms.is_some_and(|at_ms| at_ms <= cx.now_ms) {
            self.wake_links(cx.now_ms);
        }
        while self.dirty != 0 {
            let slot = self.dirty.trailing_zeros() as usize;
            self.dirty &= self.dirty - 1;
            if self.links.get(slot).is_some_and(Option::is_some) {
                self.tell_found(cx, slot);
                self.drive_talk(cx, slot);
                self.drive_carry(cx, slot)?;
            }
        }
        let links = self.links.iter().flatten();
        let wakes = links.filter_map(|link| link.wake_at(self.node < link.node));
        self.links_wake_ms = wakes.min();
        Ok(())
    }

    /// Marks the links whose time has come.
    fn wake_links(&mut self, now_ms: u64) {
        for link in self.links.iter().flatten() {
            if link.wake_at(self.node < link.node).is_some_and(|at_ms| at_ms <= now_ms) {
                self.dirty |= link.bit();
            }
        }
    }

    /// Tells the driver which of this node's own bundles the neighbour has from somebody else.
    fn tell_found(&mut self, cx: &mut Context<'_>, slot: usize) {
        let found = std::mem::take(&mut self.link(slot).found);
        let node = self.link(slot).node;
        let Some(session) = self.session(slot) else { return };
        let kind = session.kind;
        let durability = if session.is_volatile { Durability::Volatile } else { Durability::Durable };
        for entry in found.into_iter().filter_map(|key| self.custody.get(key)) {
            let id = *entry.header.id();
            cx.effects.push(Effect::Handed { id, node, kind, durability, is_own: true });
        }
    }

    fn drive_talk(&mut self, cx: &mut Context<'_>, slot: usize) {
        if !self.link(slot).talk.is_free(cx.now_ms) {
            return;
        }
        let Some((request, purpose)) = self.next_talk(cx, slot) else {
            self.note_drained(slot);
            return;
        };
        let call = self.calls.start(slot, purpose);
        let link = self.link(slot);
        link.talk.start(call);
        cx.effects.push(Effect::Call { call, node: link.node, request });
    }

    /// What is said next: first who this is, then what has arrived, then what is offered, then what is compared: so that
    /// what a comparison has found already is handed over while it goes on.
    fn next_talk(&mut self, cx: &Context<'_>, slot: usize) -> Option<(Request, Purpose)> {
        let node = self.link(slot).node;
        if self.session(slot).is_none() {
            let reconcile_from = self.neighbours.get(&node).and_then(|memory| memory.resume_from);
            let own_first = self.node < node;
            return (self.link(slot).hello_at_ms(own_first) <= cx.now_ms).then(|| {
                let hello = self.hello(slot, reconcile_from);
                let purpose = Purpose::Hello(hello.key_share);
                (Request::Hello(hello), purpose)
            });
        }
        self.next_settlements(slot)
            .or_else(|| self.next_fetch(slot))
            .or_else(|| self.next_offer(cx, slot))
            .or_else(|| self.next_ranges(cx.now_ms, slot))
    }

    /// Nothing is left to be offered: the neighbour knows everything that has arrived so far.
    fn note_drained(&mut self, slot: usize) {
        let newest = self.custody.newest();
        let link = self.link(slot);
        if link.session.is_some() && link.is_drained() && link.carry.free_at_ms().is_some() {
            link.base = newest;
            link.is_compared = false;
        }
    }

    fn drive_carry(&mut self, cx: &mut Context<'_>, slot: usize) -> Result<(), StorageError> {
        let link = self.link(slot);
        if link.to_send.is_empty() || !link.carry.is_free(cx.now_ms) {
            return Ok(());
        }
        if let Some((request, purpose)) = self.next_transfer(cx, slot)? {
            let call = self.calls.start(slot, purpose);
            let link = self.link(slot);
            link.carry.start(call);
            cx.effects.push(Effect::Call { call, node: link.node, request });
        }
        Ok(())
    }

    /// Lets go of what has come to its end.
    pub(crate) fn end_lifetimes(&mut self, cx: &mut Context<'_>) -> Result<(), StorageError> {
        while let Some(key) = self.custody.expired(cx.now_ms) {
            let is_own = self.is_own(key);
            if let Some(id) = self.drop_entry(cx, key)? {
                cx.effects.push(Effect::Expired { id, is_own });
            }
        }
        while let Some(key) = self.tombstones.expired(cx.now_ms) {
            self.tombstones.remove(key);
            cx.store.remove_tombstone(key)?;
        }
        Ok(())
    }

    fn is_own(&self, key: SortKey) -> bool {
        self.custody.get(key).is_some_and(|entry| {
            let (tier, bringer) = self.custody.bringer(entry);
            tier == Tier::Own && bringer.is_none()
        })
    }
}
