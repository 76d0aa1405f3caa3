//! Links that come up and go down.

use qpq_proto::ids::NodeKey;

use super::{Mesh, WAITING_MAX};
use crate::admission::Ingress;
use crate::calls::{Offered, Purpose};
use crate::config::Config;
use crate::effect::Context;
use crate::link::Link;
use crate::reconcile::Walk;
use crate::slots::Given;
use crate::storage::Tier;

impl Mesh {
    pub(super) fn link_up(&mut self, cx: &mut Context<'_>, node: NodeKey, standing: Tier) {
        if self.slots.live(&node).is_some() {
            return self.change_standing(&node, standing);
        }
        let Some(Given { slot, is_reused }) = self.slots.give(node) else {
            if self.waiting.len() < WAITING_MAX {
                self.waiting.insert(node, standing);
            }
            return;
        };
        if is_reused {
            self.forget_holdings(slot);
        }
        let Config { ingress_bytes_per_s_max, ingress_bundles_per_s_max, .. } = *self.config;
        let ingress = Ingress::new(ingress_bytes_per_s_max, ingress_bundles_per_s_max, cx.now_ms);
        if slot >= self.links.len() {
            self.links.resize_with(slot + 1, || None);
        }
        let mut link = Link::new(node, slot, standing, cx.random(), ingress);
        link.is_mostly_down =
            self.neighbours.get(&node).is_some_and(|memory| memory.presence.is_mostly_down(cx.now_ms));
        self.links[slot] = Some(link);
        self.encounters.meet(node, cx.now_ms);
        self.dirty |= 1 << slot;
    }

    pub(super) fn link_down(&mut self, cx: &mut Context<'_>, node: &NodeKey) {
        let now_ms = cx.now_ms;
        self.waiting.remove(node);
        let Some(slot) = self.slots.live(node) else { return };
        self.slots.link_down(slot);
        for purpose in self.calls.take_of(slot) {
            self.unanswered(slot, purpose);
        }
        if let Some(link) = self.links[slot].take() {
            self.remember(now_ms, &link);
        }
        self.expected.forget_link(slot);
        self.dirty &= !(1 << slot);
        if let Some((node, standing)) = self.waiting.pop_first() {
            self.link_up(cx, node, standing);
        }
    }

    pub(super) fn change_standing(&mut self, node: &NodeKey, standing: Tier) {
        if let Some(link) = self.slots.live(node).and_then(|slot| self.links[slot].as_mut()) {
            link.standing = standing;
        }
        if let Some(waiting) = self.waiting.get_mut(node) {
            *waiting = standing;
        }
    }

    /// A call that brought nothing: what it was about waits again, if the link is still there.
    pub(super) fn unanswered(&mut self, slot: usize, purpose: Purpose) {
        if let Purpose::Transfer(sent) = &purpose {
            sent.iter().for_each(|sent| self.take_back(sent));
        }
        let Some(link) = self.links.get_mut(slot).and_then(Option::as_mut) else { return };
        match purpose {
            Purpose::Hello(_) => {}
            Purpose::Reconcile => link.walk.iter_mut().for_each(Walk::unanswered),
            Purpose::Offer(Offered { keys, told_before }) => {
                link.has_news |= !told_before.is_empty();
                self.rumours.untell(slot, &told_before);
                // What was a rumour then may be here now.
                let held = keys.iter().filter_map(|key| self.custody.find(key.short()));
                link.to_offer.extend(held);
            }
            Purpose::Fetch(items) => link.to_fetch.extend(items),
            Purpose::Settle(keys) => link.to_settle.extend(keys),
            Purpose::Transfer(sent) => link.to_send.extend(sent.iter().map(|sent| (sent.key, sent.errand))),
        }
    }
}
