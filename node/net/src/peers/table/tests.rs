use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

mod bounds;

const SMALL: NodeKey = NodeKey::from_bytes([1; 32]);
const OWN: NodeKey = NodeKey::from_bytes([5; 32]);
const LARGE: NodeKey = NodeKey::from_bytes([9; 32]);

fn limits() -> Limits {
    Limits { connections_per_node_max: 3, discovered_peers_max: 4, wanted_peers_max: 4, ..Limits::ROUTER }
}

/// Connections are numbers here.
fn table() -> Table<u32> {
    Table::new(OWN, false, &limits())
}

fn at(port: u16) -> SocketAddr {
    ([192, 0, 2, 1], port).into()
}

fn node(byte: u8) -> NodeKey {
    NodeKey::from_bytes([byte; 32])
}

#[test]
fn the_first_connection_is_used_until_it_is_gone() {
    let mut table = table();
    assert_eq!(table.admit(LARGE, &1, Dialler::Peer), Admission::First);
    assert_eq!(table.current(LARGE), Some(1));
    assert_eq!(table.departed(LARGE, &1, "gone"), Departure::Disconnected);
    assert_eq!(table.current(LARGE), None);
    assert_eq!(table.departed(LARGE, &1, "gone"), Departure::Unnoticed);
}

/// Both ends see the same two connections, and decide alike: `ours` is the one that the end in question dialled.
#[test]
fn of_two_dialled_at_once_the_one_of_the_smaller_key_stays_on_both_ends() {
    for (peer, favoured) in [(LARGE, Dialler::Us), (SMALL, Dialler::Peer)] {
        for first in [Dialler::Us, Dialler::Peer] {
            let second = if first == Dialler::Us { Dialler::Peer } else { Dialler::Us };
            let mut table = table();
            table.admit(peer, &1, first);
            if second == favoured {
                assert_eq!(table.admit(peer, &2, second), Admission::Replaces(1));
                assert_eq!(table.current(peer), Some(2));
            } else {
                assert_eq!(table.admit(peer, &2, second), Admission::Challenges(1));
                assert_eq!(table.current(peer), Some(1));
                assert_eq!(table.confirmed(peer, &1), [2]);
                assert_eq!(table.departed(peer, &2, "retired"), Departure::Unnoticed);
                assert_eq!(table.current(peer), Some(1));
            }
        }
    }
}

#[test]
fn a_challenger_takes_over_from_a_connection_that_dies() {
    let mut table = table();
    table.admit(LARGE, &1, Dialler::Us);
    assert_eq!(table.admit(LARGE, &2, Dialler::Peer), Admission::Challenges(1));
    assert_eq!(table.departed(LARGE, &1, "no sign of life"), Departure::TakenOver(2));
    assert_eq!(table.current(LARGE), Some(2));
    assert_eq!(table.departed(LARGE, &2, "gone"), Departure::Disconnected);
}

#[test]
fn a_confirmation_of_a_connection_that_is_no_longer_current_means_nothing() {
    let mut table = table();
    table.admit(LARGE, &1, Dialler::Peer);
    assert_eq!(table.admit(LARGE, &2, Dialler::Us), Admission::Replaces(1));
    assert_eq!(table.admit(LARGE, &3, Dialler::Peer), Admission::Challenges(2));
    assert!(table.confirmed(LARGE, &1).is_empty());
    assert_eq!(table.departed(LARGE, &2, "gone"), Departure::TakenOver(3));
    assert_eq!(table.current(LARGE), Some(3));
}

#[test]
fn who_dials_again_renews_its_own_connection() {
    for dialler in [Dialler::Us, Dialler::Peer] {
        let mut table = table();
        table.admit(LARGE, &1, dialler);
        assert_eq!(table.admit(LARGE, &2, dialler), Admission::Renews(1), "{dialler:?}");
    }
}

#[test]
fn connections_with_one_peer_are_bounded() {
    let mut table = table();
    for link in 0..3 {
        assert_ne!(table.admit(LARGE, &link, Dialler::Peer), Admission::TooMany);
    }
    assert_eq!(table.admit(LARGE, &3, Dialler::Peer), Admission::TooMany);
    assert_eq!(table.links(LARGE), 3);
    table.departed(LARGE, &0, "retired");
    assert!(table.has_room(LARGE));
}

#[test]
fn a_wanted_peer_is_dialled_at_everything_that_is_known() {
    let mut table = table();
    assert!(table.want(LARGE, &[]));
    assert_eq!(table.task(LARGE).0, Task::Wait);
    table.configure(LARGE, &[at(1), at(2)]);
    table.want(LARGE, &[at(2), at(3)]);
    table.discovered(LARGE, &[at(4)]);
    assert_eq!(table.task(LARGE).0, Task::Dial(vec![at(4), at(2), at(3), at(1)]));
    table.admit(LARGE, &1, Dialler::Peer);
    assert_eq!(table.task(LARGE).0, Task::Wait);
    table.departed(LARGE, &1, "gone");
    table.lost(LARGE);
    assert_eq!(table.task(LARGE).0, Task::Dial(vec![at(2), at(3), at(1)]));
    table.release(LARGE);
    assert_eq!(table.task(LARGE).0, Task::End);
}

#[tokio::test]
async fn whatever_changes_wakes_the_dialler() {
    let mut table = table();
    table.want(LARGE, &[]);
    let wake = table.task(LARGE).1;
    table.want(LARGE, &[at(1)]);
    wake.notified().await;
    table.discovered(LARGE, &[at(2)]);
    wake.notified().await;
    table.admit(LARGE, &1, Dialler::Us);
    table.departed(LARGE, &1, "gone");
    wake.notified().await;
    table.release(LARGE);
    wake.notified().await;
}

#[test]
fn release_gives_up_what_we_dialled_and_leaves_what_the_peer_dialled() {
    let mut table = table();
    table.want(LARGE, &[at(1)]);
    table.admit(LARGE, &1, Dialler::Us);
    table.want(SMALL, &[at(1)]);
    table.admit(SMALL, &2, Dialler::Peer);
    assert_eq!(table.release(LARGE), [1]);
    assert!(table.release(SMALL).is_empty());
    assert!(table.release(node(77)).is_empty());
}

#[test]
fn discovery_tells_news_only_and_is_bounded() {
    let mut table = table();
    assert!(table.discovered(LARGE, &[at(1)]));
    assert!(!table.discovered(LARGE, &[at(1)]));
    assert!(table.discovered(LARGE, &[at(2)]));
    assert!(!table.discovered(OWN, &[at(1)]));
    assert!(!table.discovered(SMALL, &[]));
    for byte in 100..103 {
        assert!(table.discovered(node(byte), &[at(1)]));
    }
    assert!(!table.discovered(node(103), &[at(1)]));
    assert!(table.discovered(LARGE, &[at(3)]), "those that are known may change");
    assert!(table.lost(node(100)) && !table.lost(node(100)));
    assert!(table.discovered(node(103), &[at(1)]));
    let many: Vec<_> = (1..100).map(at).collect();
    table.discovered(LARGE, &many);
    assert_eq!(table.addresses(LARGE).len(), ENDPOINT_ADDRESSES_MAX);
}

#[test]
fn wanted_peers_are_bounded() {
    let mut table = table();
    for byte in 100..104 {
        assert!(table.want(node(byte), &[at(1)]));
    }
    assert!(!table.want(node(104), &[at(1)]));
    assert!(!table.want(node(100), &[at(2)]), "wanted already");
    assert_eq!(table.addresses(node(100)), [at(2)]);
    assert!(!table.want(OWN, &[at(1)]));
}

/// Something that happens to one of three peers.
#[derive(Debug, Clone)]
enum Step {
    Want(u8),
    Release(u8),
    Discovered(u8, u16),
    Lost(u8),
    Admit(u8, bool),
    Confirm(u8),
    Depart(u8, usize),
}

fn step() -> impl Strategy<Value = Step> {
    let peer = prop_oneof![Just(1_u8), Just(7), Just(9)];
    prop_oneof![
        peer.clone().prop_map(Step::Want),
        peer.clone().prop_map(Step::Release),
        (peer.clone(), 1_u16..4).prop_map(|(peer, port)| Step::Discovered(peer, port)),
        peer.clone().prop_map(Step::Lost),
        (peer.clone(), any::<bool>()).prop_map(|(peer, ours)| Step::Admit(peer, ours)),
        peer.clone().prop_map(Step::Confirm),
        (peer, 0_usize..4).prop_map(|(peer, index)| Step::Depart(peer, index)),
    ]
}

/// The connections that exist, beside what the table makes of them.
#[derive(Default)]
struct Model {
    links: BTreeMap<u8, Vec<u32>>,
    connected: BTreeMap<u8, bool>,
    next: u32,
}

impl Model {
    fn apply(&mut self, table: &mut Table<u32>, step: &Step) {
        match *step {
            Step::Want(peer) => {
                table.want(node(peer), &[at(9)]);
            }
            Step::Release(peer) => {
                table.release(node(peer));
            }
            Step::Discovered(peer, port) => {
                table.discovered(node(peer), &[at(port)]);
            }
            Step::Lost(peer) => {
                table.lost(node(peer));
            }
            Step::Admit(peer, ours) => {
                self.admit(table, peer, if ours { Dialler::Us } else { Dialler::Peer })
            }
            Step::Confirm(peer) => {
                if let Some(current) = table.current(node(peer)) {
                    table.confirmed(node(peer), &current);
                }
            }
            Step::Depart(peer, index) => self.depart(table, peer, index),
        }
    }

    fn admit(&mut self, table: &mut Table<u32>, peer: u8, dialler: Dialler) {
        self.next += 1;
        match table.admit(node(peer), &self.next, dialler) {
            Admission::TooMany => return,
            Admission::First => assert_ne!(self.connected.insert(peer, true), Some(true)),
            Admission::Renews(_) => assert_eq!(self.connected.get(&peer), Some(&true)),
            Admission::Replaces(_) | Admission::Challenges(_) => {}
        }
        self.links.entry(peer).or_default().push(self.next);
    }

    fn depart(&mut self, table: &mut Table<u32>, peer: u8, index: usize) {
        let links = self.links.entry(peer).or_default();
        if index < links.len() {
            let departure = table.departed(node(peer), &links.remove(index), "gone");
            if departure == Departure::Disconnected {
                assert_eq!(self.connected.insert(peer, false), Some(true));
            }
        }
    }
}

proptest! {
    /// Whatever happens: the table knows exactly the connections that exist, within the bound; events of connection and
    /// disconnection alternate; and a peer counts as connected exactly while it has a connection that calls go over.
    #[test]
    fn nothing_is_lost_and_nothing_is_made_up(steps in vec(step(), 0..200)) {
        let (mut table, mut model) = (table(), Model::default());
        for step in &steps {
            model.apply(&mut table, step);
            for peer in [1_u8, 7, 9] {
                let links = model.links.get(&peer).cloned().unwrap_or_default();
                prop_assert_eq!(table.links(node(peer)), links.len());
                prop_assert!(links.len() <= limits().connections_per_node_max);
                let current = table.current(node(peer));
                prop_assert!(current.is_none_or(|current| links.contains(&current)));
                prop_assert_eq!(current.is_some(), model.connected.get(&peer).copied().unwrap_or(false));
            }
        }
        for peer in [1_u8, 7, 9] {
            table.release(node(peer));
            table.lost(node(peer));
            for link in model.links.remove(&peer).unwrap_or_default() {
                table.departed(node(peer), &link, "gone");
            }
        }
        prop_assert!(table.summaries().is_empty(), "nothing is left of peers that nobody wants or sees");
    }
}
