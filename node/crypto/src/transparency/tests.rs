mod checkpoints;
mod evidence;
mod heads;
mod histories;
mod logs;
mod lookups;
mod prefixes;
mod wire;

use std::collections::BTreeMap;
use std::convert::Infallible;

use super::log::NodePlace;
use super::merkle::LogHash;
use super::prefix::{PrefixEnd, PrefixLeaf, PrefixNode, PrefixPlace, PrefixProof};
use super::*;
use crate::identity::LogSecret;
use crate::ids::Identity;
use crate::vrf::VrfSecret;

const RELAY: &str = "relay.example";

/// A relay's log in memory: what the relay does, and what it could do if it were dishonest.
#[derive(Clone, Default)]
struct Relay {
    clock_ms: u64,
    entries: Vec<LogEntry>,
    nodes: BTreeMap<NodePlace, LogHash>,
    prefix: BTreeMap<PrefixPlace, PrefixNode>,
}

fn log_secret() -> LogSecret {
    LogSecret::from_seed(&[1; 32])
}

fn vrf_secret() -> VrfSecret {
    VrfSecret::from_seed(&[2; 32])
}

fn keys() -> LogKeys {
    LogKeys { relay: RELAY.to_owned(), log: log_secret().public(), vrf: vrf_secret().public() }
}

fn identity(byte: u8) -> Identity {
    Identity::from_bytes([byte; 32])
}

fn opening(version: u64) -> [u8; OPENING_BYTES] {
    [u8::try_from(version % 251).unwrap() + 1; OPENING_BYTES]
}

impl Relay {
    /// A relay at which names were given identities, one after the other.
    fn with(names: &[(&str, u8)]) -> Self {
        let mut relay = Self::default();
        for (name, byte) in names {
            relay.set(Subject::Name(name), Value::Identity(&identity(*byte)));
        }
        relay
    }

    fn size(&self) -> u64 {
        self.entries.len() as u64
    }

    fn node(&self, place: NodePlace) -> Result<Option<LogHash>, Infallible> {
        Ok(self.nodes.get(&place).copied())
    }

    fn prefix_node(&self, place: PrefixPlace) -> Result<Option<PrefixNode>, Infallible> {
        Ok(self.prefix.get(&place).copied())
    }

    fn version(&self, subject: Subject<'_>) -> u64 {
        match self.prove(subject).end {
            PrefixEnd::Leaf(leaf) => leaf.version,
            PrefixEnd::Neighbour(_) | PrefixEnd::Empty => 0,
        }
    }

    fn prove(&self, subject: Subject<'_>) -> PrefixProof {
        let label = label(&vrf_secret().prove(&subject.vrf_input()).0);
        prefix::prove(&label, |place| self.prefix_node(place)).unwrap()
    }

    fn set(&mut self, subject: Subject<'_>, value: Value<'_>) {
        let version = self.version(subject) + 1;
        let label = label(&vrf_secret().prove(&subject.vrf_input()).0);
        let commitment = subject.commit(version, value, &opening(version));
        self.insert(PrefixLeaf { label, version, commitment });
    }

    fn insert(&mut self, leaf: PrefixLeaf) {
        let update = prefix::insert(leaf, |place| self.prefix_node(place)).unwrap();
        self.prefix.extend(update.written);
        self.push(LogEntry { leaf, prefix_root: update.root });
    }

    fn push(&mut self, entry: LogEntry) {
        let written = log::append(self.size(), entry.hash(), |place| self.node(place)).unwrap();
        self.nodes.extend(written);
        self.entries.push(entry);
        self.clock_ms += 1;
    }

    fn head(&self) -> TreeHead {
        self.head_at(self.size())
    }

    fn head_at(&self, size: u64) -> TreeHead {
        let root = log::root(size, |place| self.node(place)).unwrap();
        TreeHead::sign(&log_secret(), RELAY, size, root, self.clock_ms)
    }

    fn consistency(&self, from: u64, size: u64) -> Consistency {
        let path = log::prove_consistency(from, size, |place| self.node(place)).unwrap();
        Consistency { from, size, path }
    }

    /// The answer to a question about a subject by somebody who has seen a log of `seen` entries.
    fn answer(&self, subject: Subject<'_>, seen: u64) -> LookupAnswer {
        let size = self.size();
        let proof = self.prove(subject);
        let newest = self.entries.last().map(|entry| NewestEntry {
            entry: *entry,
            index: size - 1,
            size,
            path: log::prove_inclusion(size - 1, size, |place| self.node(place)).unwrap(),
        });
        let (opening, neighbour) = match proof.end {
            PrefixEnd::Leaf(leaf) => (Some(opening(leaf.version)), None),
            PrefixEnd::Neighbour(leaf) => (None, Some(leaf)),
            PrefixEnd::Empty => (None, None),
        };
        LookupAnswer {
            head: self.head(),
            consistency: (1..=size).contains(&seen).then(|| self.consistency(seen, size)),
            vrf_proof: vrf_secret().prove(&subject.vrf_input()).1.to_vec(),
            opening,
            newest,
            prefix_path: proof.path,
            neighbour,
        }
    }
}
