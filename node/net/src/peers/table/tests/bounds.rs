//! Many peers, wanted and seen and gone: the bounds are kept, and no peer that can be dialled is left waiting.

use std::collections::BTreeSet;

use super::*;

#[derive(Debug, Clone)]
enum Event {
    Want(u8, Vec<u16>),
    Release(u8),
    Discovered(u8, Vec<u16>),
    Lost(u8),
    Admit(u8, bool),
    Depart(u8),
    Failed(u8),
}

fn event() -> impl Strategy<Value = Event> {
    let peer = 0_u8..14;
    let ports = || vec(1_u16..60, 0..40);
    prop_oneof![
        4 => (peer.clone(), ports()).prop_map(|(peer, ports)| Event::Want(peer, ports)),
        2 => peer.clone().prop_map(Event::Release),
        4 => (peer.clone(), ports()).prop_map(|(peer, ports)| Event::Discovered(peer, ports)),
        2 => peer.clone().prop_map(Event::Lost),
        2 => (peer.clone(), any::<bool>()).prop_map(|(peer, ours)| Event::Admit(peer, ours)),
        2 => peer.clone().prop_map(Event::Depart),
        1 => peer.prop_map(Event::Failed),
    ]
}

/// What is true of the peers, told apart from the table.
#[derive(Default)]
struct Model {
    wanted: BTreeSet<u8>,
    seen: BTreeSet<u8>,
    links: BTreeMap<u8, Vec<u32>>,
    next_link: u32,
}

fn addresses(ports: &[u16]) -> Vec<SocketAddr> {
    ports.iter().map(|port| at(*port)).collect()
}

impl Model {
    fn apply(&mut self, table: &mut Table<u32>, event: &Event) {
        match event {
            Event::Want(peer, ports) => {
                let is_known = self.wanted.contains(peer);
                let has_room = is_known || self.wanted.len() < limits().wanted_peers_max;
                let starts = table.want(node(*peer), &addresses(ports));
                assert_eq!(
                    starts,
                    has_room && !is_known && node(*peer) != OWN,
                    "a dialler for each wanted peer"
                );
                if has_room && node(*peer) != OWN {
                    self.wanted.insert(*peer);
                }
            }
            Event::Release(peer) => {
                table.release(node(*peer));
                self.wanted.remove(peer);
            }
            Event::Discovered(peer, ports) => {
                let is_known = self.seen.contains(peer);
                let has_room = is_known || self.seen.len() < limits().discovered_peers_max;
                let is_news = table.discovered(node(*peer), &addresses(ports));
                assert!(!is_news || (has_room && !ports.is_empty() && node(*peer) != OWN));
                if is_news {
                    self.seen.insert(*peer);
                }
                assert!(is_news || is_known || !has_room || ports.is_empty() || node(*peer) == OWN);
            }
            Event::Lost(peer) => assert_eq!(table.lost(node(*peer)), self.seen.remove(peer)),
            Event::Admit(peer, ours) => {
                self.next_link += 1;
                let dialler = if *ours { Dialler::Us } else { Dialler::Peer };
                if table.admit(node(*peer), &self.next_link, dialler) != Admission::TooMany {
                    self.links.entry(*peer).or_default().push(self.next_link);
                }
            }
            Event::Depart(peer) => {
                if let Some(link) = self.links.get_mut(peer).and_then(Vec::pop) {
                    table.departed(node(*peer), &link, "gone");
                }
            }
            Event::Failed(peer) => table.failed(node(*peer), "no answer".to_owned()),
        }
    }

    fn check(&self, table: &Table<u32>) {
        let summaries = table.summaries();
        assert_eq!(summaries.iter().filter(|peer| peer.wanted).count(), self.wanted.len());
        assert_eq!(summaries.iter().filter(|peer| peer.discovered).count(), self.seen.len());
        assert!(self.wanted.len() <= limits().wanted_peers_max);
        assert!(self.seen.len() <= limits().discovered_peers_max);
        let linked: BTreeSet<u8> =
            self.links.iter().filter(|(_, links)| !links.is_empty()).map(|(peer, _)| *peer).collect();
        let known: BTreeSet<u8> = self.wanted.union(&self.seen).chain(&linked).copied().collect();
        assert_eq!(
            summaries.len(),
            known.len(),
            "nothing is kept of whoever is neither wanted, seen nor connected"
        );
        for peer in 0..14 {
            self.check_task(table, peer);
        }
    }

    /// A wanted peer is dialled exactly when that is of use.
    fn check_task(&self, table: &Table<u32>, peer: u8) {
        let known = table.addresses(node(peer));
        assert!(known.len() <= ENDPOINT_ADDRESSES_MAX);
        assert_eq!(known.iter().collect::<BTreeSet<_>>().len(), known.len(), "no address twice");
        let expected = match (self.wanted.contains(&peer), table.current(node(peer)), known.is_empty()) {
            (false, ..) => Task::End,
            (true, None, false) => Task::Dial(known),
            (true, ..) => Task::Wait,
        };
        assert_eq!(table.task(node(peer)).0, expected);
    }
}

proptest! {
    #[test]
    fn bounds_are_kept_and_whoever_is_wanted_is_dialled(events in vec(event(), 0..120)) {
        let (mut table, mut model) = (table(), Model::default());
        for event in &events {
            model.apply(&mut table, event);
            model.check(&table);
        }
    }

    /// Strangers who announce themselves do not keep a contact from being dialled, however many they are.
    #[test]
    fn strangers_in_sight_do_not_crowd_out_wanted_peers(strangers in vec(20_u8..250, 0..60), given in 1_u16..60) {
        let mut table = table();
        for stranger in strangers {
            table.discovered(node(stranger), &[at(9)]);
        }
        prop_assert!(table.want(LARGE, &[at(given)]));
        prop_assert_eq!(table.task(LARGE).0, Task::Dial(vec![at(given)]));
    }
}
