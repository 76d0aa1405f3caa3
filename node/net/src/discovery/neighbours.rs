//! The nodes in sight, and how long they are.
//!
//! ```text
//!             answered            announced
//!   unknown ───────────► answered ──────────► announced
//!      │ ▲                   │                 ▲  │
//!      │ └──── 10 seconds ───┘                 │  │
//!      └──────────────── announced ────────────┘  │ goodbye, or records expired
//!        ▲                                        │
//!        └────────────────────────────────────────┘
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
    /// The answer to our question, until the node was heard to announce itself.
    answer: Option<Answer>,
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
        self.in_sight.insert(name, Neighbour { node: heard.node, answer: None });
        Some(heard)
    }

    /// A node answers our question, perhaps on one of several interfaces. Returns where it is to be reached, unless
    /// there is no room for it, or its announcement was heard, which knows better.
    pub(super) fn answered(&mut self, heard: Heard, now: Instant) -> Option<Heard> {
        let name = self.name_if_room(heard.node)?;
        let addresses = match self.in_sight.get(&name) {
            Some(Neighbour { answer: None, .. }) => return None,
            Some(Neighbour { answer: Some(earlier), .. }) => {
                best(earlier.heard.addresses.iter().chain(&heard.addresses).copied())
            }
            None => heard.addresses,
        };
        let heard = Heard { node: heard.node, addresses };
        let answer = Answer { heard: heard.clone(), valid_until: now + UNCONFIRMED };
        self.in_sight.insert(name, Neighbour { node: heard.node, answer: Some(answer) });
        Some(heard)
    }

    /// The announcement of this name is over. Returns whose it was.
    pub(super) fn removed(&mut self, full_name: &str) -> Option<NodeKey> {
        self.in_sight.remove(full_name).map(|neighbour| neighbour.node)
    }

    /// When [`expired`](Self::expired) has something to do; `None` if nothing is due.
    pub(super) fn next_expiry(&self) -> Option<Instant> {
        self.in_sight.values().filter_map(Neighbour::valid_until).min()
    }

    /// Forgets nodes that answered and were not heard to announce themselves in time, and returns them.
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
        self.answer.as_ref().map(|answer| answer.valid_until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(node: u8, address: &str) -> Heard {
        Heard { node: NodeKey::from_bytes([node; 32]), addresses: vec![address.parse().unwrap()] }
    }

    fn name(node: u8) -> String {
        full_name(NodeKey::from_bytes([node; 32]))
    }

    fn nodes(neighbours: &Neighbours) -> Vec<u8> {
        neighbours.nodes().map(|node| node.as_bytes()[0]).collect()
    }

    #[test]
    fn an_answer_counts_until_it_expires() {
        let (mut neighbours, now) = (Neighbours::new(9), Instant::now());
        let answer = heard(1, "192.0.2.1:1");
        assert_eq!(neighbours.answered(answer.clone(), now), Some(answer.clone()));
        assert_eq!(neighbours.next_expiry(), Some(now + UNCONFIRMED));
        assert!(neighbours.expired(now + UNCONFIRMED - Duration::from_millis(1)).is_empty());
        assert_eq!(neighbours.expired(now + UNCONFIRMED), [answer.node]);
        assert_eq!((nodes(&neighbours), neighbours.next_expiry()), (vec![], None));
    }

    #[test]
    fn an_announcement_confirms_an_answer_and_knows_better() {
        let (mut neighbours, now) = (Neighbours::new(9), Instant::now());
        neighbours.answered(heard(1, "192.0.2.1:1"), now).unwrap();
        let announced = heard(1, "192.0.2.2:1");
        assert_eq!(neighbours.announced(announced.clone()), Some(announced.clone()));
        assert_eq!(neighbours.answered(heard(1, "192.0.2.1:1"), now), None);
        assert_eq!(neighbours.next_expiry(), None);
        assert!(neighbours.expired(now + 2 * UNCONFIRMED).is_empty());
        assert_eq!(neighbours.removed(&name(1)), Some(announced.node));
        assert_eq!(neighbours.removed(&name(1)), None);
    }

    #[test]
    fn answers_on_several_interfaces_add_up() {
        let (mut neighbours, now) = (Neighbours::new(9), Instant::now());
        let reached = |heard: Option<Heard>| {
            heard.unwrap().addresses.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(reached(neighbours.answered(heard(1, "[fe80::1%2]:1"), now)), ["[fe80::1%2]:1"]);
        assert_eq!(reached(neighbours.answered(heard(1, "192.0.2.1:1"), now)), ["192.0.2.1:1"]);
        let both = reached(neighbours.answered(heard(1, "[2001:db8::1]:1"), now));
        assert_eq!(both, ["192.0.2.1:1", "[2001:db8::1]:1"]);
    }

    #[test]
    fn a_goodbye_ends_an_answer_too() {
        let mut neighbours = Neighbours::new(9);
        let answer = neighbours.answered(heard(1, "192.0.2.1:1"), Instant::now()).unwrap();
        assert_eq!(neighbours.removed(&name(1)), Some(answer.node));
        assert_eq!(neighbours.next_expiry(), None);
    }

    #[test]
    fn there_is_room_for_so_many_and_no_more() {
        let (mut neighbours, now) = (Neighbours::new(2), Instant::now());
        neighbours.answered(heard(1, "192.0.2.1:1"), now).unwrap();
        neighbours.announced(heard(2, "192.0.2.2:1")).unwrap();
        assert_eq!(neighbours.answered(heard(3, "192.0.2.3:1"), now), None);
        assert_eq!(neighbours.announced(heard(3, "192.0.2.3:1")), None);
        assert!(neighbours.announced(heard(1, "192.0.2.9:1")).is_some());
        assert_eq!(nodes(&neighbours), [1, 2]);
        neighbours.removed(&name(1));
        assert!(neighbours.announced(heard(3, "192.0.2.3:1")).is_some());
    }
}
