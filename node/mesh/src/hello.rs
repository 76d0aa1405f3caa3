//! How a session begins: the side with the smaller node key introduces itself, the other answers. If the other has no
//! session and hears nothing for a while, because it lost what it knew and the link did not break, it introduces itself.
//!
//! ```text
//!   smaller key                    larger key
//!       │  MeshHello {kind, instance,   │
//!       │    key share, accepts, ...}   │
//!       ├──────────────────────────────►│
//!       │◄──────────────────────────────┤   both know: kind, classes, session key = H(shares)
//!       │                               │
//!       │   what is new goes as offers; what is unknown is reconciled first
//! ```
//!
//! A node remembers of a neighbour how far it was offered what is held, as long as the neighbour has the same store
//! ([`Hello::instance`]), and which of the settled bundles it holds. What arrived since is offered. If that is much, or
//! nothing is remembered, both compare what they hold ([`reconcile`](crate::reconcile)); the side with the smaller key
//! starts it, for the needs of both.

use std::collections::BTreeSet;

use crate::bundle::{ShortId, SortKey};
use crate::effect::{CallRefused, Context};
use crate::link::{Link, Session};
use crate::mesh::Mesh;
use crate::neighbours::{Memory, Presence};
use crate::reconcile::Walk;
use crate::storage::StorageError;
use crate::wire::{Hello, MESH_VERSION, NodeKind, Response};

/// New bundles up to which they are offered one by one, without comparing first.
const OFFERED_DIRECTLY_MAX: usize = 256;
/// Where the order of all bundles starts.
pub(crate) const START: ShortId = ShortId::from_bytes([0; ShortId::LENGTH_BYTES]);

impl Mesh {
    /// What this node says of itself on a link.
    pub(crate) fn hello(&self, slot: usize, reconcile_from: Option<ShortId>) -> Hello {
        let quotas = self.config.quotas();
        let (standing, node, key_share) =
            self.links[slot].as_ref().map_or((crate::Tier::Stranger, self.node, [0; 16]), |link| {
                (link.standing, link.node, link.key_share)
            });
        Hello {
            version: MESH_VERSION,
            kind: self.config.kind,
            instance: self.instance,
            key_share,
            held: self.custody.len() as u64,
            free_bytes: quotas.free_bytes(self.custody.accounts(), standing, Some(node)),
            accepts: if self.config.kind == NodeKind::Leaf { 0 } else { self.config.accepts },
            is_volatile: self.config.custody_is_volatile,
            reconcile_from,
            encounters: self.encounters.rate(),
        }
    }

    /// The neighbour introduced itself: a session begins, or begins anew.
    pub(crate) fn answer_hello(
        &mut self,
        cx: &mut Context<'_>,
        slot: usize,
        hello: &Hello,
    ) -> Result<Response, CallRefused> {
        if hello.version != MESH_VERSION {
            return Err(CallRefused::Version);
        }
        // Where both introduce themselves at once, the one whose part it is goes on.
        let node = self.link(slot).node;
        if self.node < node && self.calls.is_greeting(slot) {
            return Err(CallRefused::Crossed);
        }
        let share = cx.random();
        self.link(slot).key_share = share;
        let reconcile_from = self.begin_session(slot, &share, hello);
        Ok(Response::Hello(self.hello(slot, reconcile_from)))
    }

    /// The neighbour answered the introduction that held this half of the key. Whether it speaks the same version.
    pub(crate) fn take_hello(&mut self, slot: usize, share: &[u8; 16], hello: &Hello) -> bool {
        if hello.version != MESH_VERSION {
            return false;
        }
        let own = self.begin_session(slot, share, hello);
        let from = own.into_iter().chain(hello.reconcile_from).min();
        let newest = self.custody.newest();
        let link = self.link(slot);
        if let Some(from) = from {
            link.walk = Some(Walk::new(from));
            (link.is_compared, link.awaits_walk, link.base) = (true, false, newest);
        }
        true
    }

    /// Notes the session and queues what is new. From where on all that is held must be compared, if it must.
    fn begin_session(&mut self, slot: usize, share: &[u8; 16], hello: &Hello) -> Option<ShortId> {
        let node = self.link(slot).node;
        let own_first = self.node < node;
        let link = self.link(slot);
        let key = session_key(own_first, share, &hello.key_share);
        let Hello { kind, instance, accepts, is_volatile, encounters, .. } = *hello;
        link.session = Some(Session { kind, instance, key, accepts, is_volatile, encounters });
        link.talk.resume();
        link.carry.resume();
        link.forget_all();
        self.dirty |= 1 << slot;
        let from =
            match self.neighbours.get(&node).filter(|memory| memory.instance == hello.instance).copied() {
                Some(memory) => self.queue_news(slot, memory),
                None => {
                    self.forget_holdings(slot);
                    self.meet(slot, hello)
                }
            };
        self.tell_rumours(slot);
        let link = self.link(slot);
        (link.awaits_walk, link.is_compared) = (from.is_some(), from.is_some());
        from
    }

    /// Nothing is known of the neighbour: all is compared, unless one of the two holds nothing.
    fn meet(&mut self, slot: usize, hello: &Hello) -> Option<ShortId> {
        let knows_nothing = self.custody.len() + self.tombstones.len() == 0;
        if hello.held > 0 && !knows_nothing {
            self.link(slot).base = self.custody.newest();
            return Some(START);
        }
        self.queue_news(
            slot,
            Memory { instance: hello.instance, through: 0, resume_from: None, presence: Presence::default() },
        )
    }

    /// Queues what arrived since the last session and what was settled, or says from where on all must be compared.
    fn queue_news(&mut self, slot: usize, memory: Memory) -> Option<ShortId> {
        let newest = self.custody.newest();
        let is_new =
            |key: &SortKey| self.custody.get(*key).is_some_and(|entry| entry.known_by & (1 << slot) == 0);
        let news: BTreeSet<SortKey> = self
            .custody
            .arrived_after(memory.through)
            .chain(self.spendable(slot))
            .filter(is_new)
            .filter(|key| self.carries(*key))
            .take(OFFERED_DIRECTLY_MAX + 1)
            .collect();
        let untold = self.tombstones.untold(slot).collect();
        let link = self.link(slot);
        link.to_settle = untold;
        if news.len() > OFFERED_DIRECTLY_MAX {
            link.base = newest;
            return Some(START);
        }
        link.to_offer.extend(news);
        link.base = memory.through;
        memory.resume_from
    }

    /// Neighbours are to offer again what they offered in vain: to those that come this node is one they do not know, and
    /// with those that are there all is compared.
    pub(crate) fn ask_again(&mut self, cx: &mut Context<'_>) -> Result<(), StorageError> {
        self.instance = cx.random();
        cx.store.put_instance(self.instance)?;
        for link in self.links.iter_mut().flatten() {
            (link.is_behind, link.next_walk_ms) = (true, cx.now_ms);
            self.dirty |= link.bit();
        }
        Ok(())
    }

    /// Remembers how far the neighbour of a link that is gone was offered what is held.
    pub(crate) fn remember(&mut self, now_ms: u64, link: &Link) {
        let Some(session) = &link.session else { return };
        let waits = [
            link.walk.as_ref().map(Walk::position),
            link.to_offer.first().map(|key| key.short()),
            link.later.iter().map(|(_, key)| key.short()).min(),
            link.to_send.keys().next().map(|key| key.short()),
        ];
        let resume_from = if link.awaits_walk || link.is_behind {
            Some(START)
        } else {
            waits.into_iter().flatten().min().filter(|_| link.is_compared)
        };
        let before = self.neighbours.get(&link.node).map(|memory| memory.presence).unwrap_or_default();
        let presence = before.after(link.since_ms, now_ms);
        let memory = Memory { instance: session.instance, through: link.base, resume_from, presence };
        self.neighbours.put(link.node, memory, self.config.neighbours_max);
    }
}

/// Both halves, that of the smaller node key first.
fn session_key(own_first: bool, own: &[u8; 16], other: &[u8; 16]) -> [u8; 32] {
    let (first, second) = if own_first { (own, other) } else { (other, own) };
    let mut hasher = blake3::Hasher::new_derive_key("qpq/v1/mesh session");
    hasher.update(first).update(second);
    *hasher.finalize().as_bytes()
}
