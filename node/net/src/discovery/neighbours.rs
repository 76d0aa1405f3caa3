//! The nodes in sight, and how long they are.
//!
//! ```text
//!             answered            announced
//!   unknown ───────────► answered ──────────► announced ◄──┐
//!      │ ▲                   │                 ▲  │  │     │ announced
//!      │ ├──── 10 seconds ───┘                 │  │  └──► doubted
//!      └─│────────────── announced ────────────┘  │ mDNS   │
//!        │                                        │ began  │
//!        ├────── goodbye, or records expired ─────┘ anew   │
//!        └────── 10 seconds ───────────────────────────────┘
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use qpq_proto::ids::NodeKey;
use tokio::time::Instant;

use super::announcement::{Heard, best, full_name};

/// How long an answer counts without an announcement: the longest life of a record that is sent to one asker (RFC 6762,
/// section 6.7).
const UNCONFIRMED: Duration = Duration::from_secs(10);

/// Every node in sight, up to a number.
pub(super) struct Neighbours {
    max: usize,
    /// By the full name, which is all that a goodbye tells.
    in_sight: BTreeMap<String, Neighbour>,
}

struct Neighbour {
    node: NodeKey,
    standing: Standing,
}

/// What is known of a neighbour.
enum Standing {
    /// It announces itself.
    Announced,
    /// It answered our question, and was not heard to announce itself.
    Answered(Answer),
    /// It announced itself to an mDNS that has forgotten it. Valid until then.
    Doubted(Instant),
}

struct Answer {
    heard: Heard,
    valid_until: Instant,
}

impl Neighbours {
    pub(super) fn new(max: usize) -> Self {
        Self { max, in_sight: BTreeMap::new() }
    }

    /// A node announces itself. Returns where it is to be reached, unless there is no room for it.
    pub(super) fn announced(&mut self, heard: Heard) -> Option<Heard> {
        let name = self.name_if_room(heard.node)?;
        self.in_sight.insert(name, Neighbour { node: heard.node, standing: Standing::Announced });
        Some(heard)
    }

    /// A node answers our question, perhaps on one of several interfaces. Returns where it is to be reached, unless
    /// there is no room for it, or its announcement was heard, which knows better.
    pub(super) fn answered(&mut self, heard: Heard, now: Instant) -> Option<Heard> {
        let name = self.name_if_room(heard.node)?;
        let valid_until = now + UNCONFIRMED;
        let addresses = match self.in_sight.get_mut(&name).map(|neighbour| &mut neighbour.standing) {
            Some(Standing::Announced) => return None,
            // It is there. Where, its announcement told better.
            Some(Standing::Doubted(until)) => {
                *until = valid_until;
                return None;
            }
            Some(Standing::Answered(earlier)) => {
                best(earlier.heard.addresses.iter().chain(&heard.addresses).copied())
            }
            None => heard.addresses,
        };
        let heard = Heard { node: heard.node, addresses };
        let standing = Standing::Answered(Answer { heard: heard.clone(), valid_until });
        self.in_sight.insert(name, Neighbour { node: heard.node, standing });
        Some(heard)
    }

    /// mDNS has forgotten everybody: whoever announced itself is in sight as long as it takes to hear it again.
    pub(super) fn doubt(&mut self, now: Instant) {
        for neighbour in self.in_sight.values_mut() {
            if matches!(neighbour.standing, Standing::Announced) {
                neighbour.standing = Standing::Doubted(now + UNCONFIRMED);
            }
        }
    }

    /// The announcement of this name is over. Returns whose it was.
    pub(super) fn removed(&mut self, full_name: &str) -> Option<NodeKey> {
        self.in_sight.remove(full_name).map(|neighbour| neighbour.node)
    }

    /// When [`expired`](Self::expired) has something to do; `None` if nothing is due.
    pub(super) fn next_expiry(&self) -> Option<Instant> {
        self.in_sight.values().filter_map(Neighbour::valid_until).min()
    }

    /// Forgets nodes that were not heard to announce themselves in time, and returns them.
    pub(super) fn expired(&mut self, now: Instant) -> Vec<NodeKey> {
        let is_due = |_: &String, neighbour: &mut Neighbour| {
            neighbour.valid_until().is_some_and(|valid_until| valid_until <= now)
        };
        self.in_sight.extract_if(.., is_due).map(|(_, neighbour)| neighbour.node).collect()
    }

    /// Every node in sight.
    pub(super) fn nodes(&self) -> impl Iterator<Item = NodeKey> {
        self.in_sight.values().map(|neighbour| neighbour.node)
    }

    /// How many nodes are in sight.
    pub(super) fn len(&self) -> usize {
        self.in_sight.len()
    }

    /// Nobody is in sight any more.
    pub(super) fn clear(&mut self) {
        self.in_sight.clear();
    }

    fn name_if_room(&self, node: NodeKey) -> Option<String> {
        let name = full_name(node);
        (self.in_sight.len() < self.max || self.in_sight.contains_key(&name)).then_some(name)
    }
}

impl Neighbour {
    fn valid_until(&self) -> Option<Instant> {
        match &self.standing {
            Standing::Announced => None,
            Standing::Answered(answer) => Some(answer.valid_until),
            Standing::Doubted(until) => Some(*until),
        }
    }
}

#[cfg(test)]
mod tests;
