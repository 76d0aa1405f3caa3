//! The bundles that stand for the messages of a scenario, and who recognises them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use qpq_mesh::{Bundle, BundleId, Class, Interest, Label, Secret};

use crate::random::Random;
use crate::routers::baseline::HEADER_BYTES;
use crate::traffic::Message;

/// All bundles of a run. Maps are looked up and never walked through.
#[derive(Debug)]
pub(super) struct Bundles {
    seed: u64,
    by_id: HashMap<[u8; 32], u32>,
    /// What is for each node: few pieces, which lie together, where a table of all would be in nobody's cache.
    by_recipient: Vec<Vec<Sealed>>,
    written: BTreeSet<u32>,
    made: BTreeMap<u32, Bundle>,
    secrets: BTreeMap<u32, Secret>,
    /// A body of each length: what is sealed inside is nobody's business here.
    bodies: BTreeMap<u32, Bytes>,
}

/// By what a recipient recognises a bundle.
#[derive(Debug)]
struct Sealed {
    salt: [u8; 8],
    tag: [u8; 16],
}

impl Bundles {
    /// None yet.
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            by_id: HashMap::new(),
            by_recipient: Vec::new(),
            written: BTreeSet::new(),
            made: BTreeMap::new(),
            secrets: BTreeMap::new(),
            bodies: BTreeMap::new(),
        }
    }

    /// The bundle of a message.
    pub(super) fn make(&mut self, number: u32, message: &Message) -> Bundle {
        let salt = self.derive(number, "salt");
        let tag = self.derive(number, "tag");
        let secret =
            (message.recipients.len() == 1).then(|| Secret::from_bytes(self.derive(number, "secret")));
        let lifetime_max_s = u32::try_from(message.lifetime.as_secs()).unwrap_or(u32::MAX);
        let settle = secret.map(|secret| secret.settle());
        let label = Label { class: Class::Message, lifetime_max_s, salt, tag, settle };
        let length = message.body_bytes;
        let body = self.bodies.entry(length).or_insert_with(|| vec![0; length as usize].into());
        let bundle = Bundle::new(label, body.clone()).expect("scenarios of ours are padded and checked");
        self.by_id.insert(*bundle.id().as_bytes(), number);
        if self.written.insert(number) {
            message.recipients.iter().for_each(|node| self.address(*node, Sealed { salt, tag }));
        }
        self.secrets.extend(secret.map(|secret| (number, secret)));
        self.made.insert(number, bundle.clone());
        bundle
    }

    /// Puts a bundle among those for a node, by its salt.
    fn address(&mut self, node: u32, sealed: Sealed) {
        let node = node as usize;
        if node >= self.by_recipient.len() {
            self.by_recipient.resize_with(node + 1, Vec::new);
        }
        let row = &mut self.by_recipient[node];
        let place = row.partition_point(|other| other.salt < sealed.salt);
        row.insert(place, sealed);
    }

    /// A bundle that stands for no message.
    pub(super) fn add(&mut self, number: u32, bundle: Bundle) {
        self.by_id.insert(*bundle.id().as_bytes(), number);
        self.made.insert(number, bundle);
    }

    /// A bundle that nobody has.
    pub(super) fn forget(&mut self, number: u32) {
        if let Some(bundle) = self.made.remove(&number) {
            self.by_id.remove(bundle.id().as_bytes());
        }
    }

    /// The bundle of any message that was written so far.
    pub(super) fn any(&self, random: &mut Random) -> Option<&Bundle> {
        let written = u32::try_from(self.written.len()).ok().filter(|written| *written > 0)?;
        let number = u32::try_from(random.below(written as usize)).ok()?;
        self.made.get(&number)
    }

    /// The bundle of a message that was made before.
    pub(super) fn made(&self, number: u32) -> Option<Bundle> {
        self.made.get(&number).cloned()
    }

    /// The message of a bundle.
    pub(super) fn message(&self, id: &BundleId) -> Option<u32> {
        self.by_id.get(id.as_bytes()).copied()
    }

    /// The body of a bundle.
    pub(super) fn body(&self, id: &BundleId) -> Option<Bytes> {
        let message = self.message(id)?;
        self.made.get(&message).map(|bundle| bundle.body().clone())
    }

    /// What the bundle of a message takes in a store.
    pub(super) fn stored_bytes(&self, message: u32) -> u64 {
        self.made.get(&message).map_or(0, |bundle| bundle.body().len() as u64 + HEADER_BYTES)
    }

    /// What settles a message, if anything does.
    pub(super) fn secret(&self, message: u32) -> Option<Secret> {
        self.secrets.get(&message).copied()
    }

    fn derive<const N: usize>(&self, number: u32, what: &str) -> [u8; N] {
        let mut hasher = blake3::Hasher::new_derive_key("qpq-sim bundle v1");
        hasher.update(&self.seed.to_le_bytes()).update(&number.to_le_bytes()).update(what.as_bytes());
        let mut bytes = [0; N];
        hasher.finalize_xof().fill(&mut bytes);
        bytes
    }
}

/// A node that recognises what is for it by a table instead of by its secrets.
pub(super) struct Recipient<'a> {
    pub(super) bundles: &'a Bundles,
    pub(super) node: u32,
}

impl Interest for Recipient<'_> {
    fn is_mine(&mut self, _: Class, salt: &[u8; 8], tag: &[u8]) -> bool {
        let Some(row) = self.bundles.by_recipient.get(self.node as usize) else { return false };
        let found = row.binary_search_by(|sealed| sealed.salt.cmp(salt));
        found.is_ok_and(|place| row[place].tag.starts_with(tag))
    }
}
