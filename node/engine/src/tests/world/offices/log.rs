//! A relay's log of names, which a test may fork.

use std::{collections::BTreeMap, convert::Infallible};

use qpq_crypto::{
    identity::LogSecret,
    transparency::{
        Consistency, LogEntry, LogKeys, Revocation, Subject, TreeHead, Value, label, log,
        log::NodePlace,
        merkle::LogHash,
        prefix::{self, PrefixEnd, PrefixLeaf, PrefixNode, PrefixPlace, PrefixProof},
    },
    vrf::VrfSecret,
};
use qpq_proto::{ids::Identity, v1};

const ORIGIN: &str = "relay.example";
const OPENING: [u8; 32] = [7; 32];

/// A log; a clone of one is the beginning of another.
#[derive(Clone)]
pub(in crate::tests) struct Log {
    number: u8,
    origin: String,
    entries: Vec<LogEntry>,
    nodes: BTreeMap<NodePlace, LogHash>,
    prefix: BTreeMap<PrefixPlace, PrefixNode>,
    names: BTreeMap<String, Option<Identity>>,
    ended: BTreeMap<Identity, Revocation>,
    clock_ms: u64,
}

impl Log {
    pub(in crate::tests) fn of(number: u8) -> Self {
        Self {
            number,
            origin: ORIGIN.to_owned(),
            entries: Vec::new(),
            nodes: BTreeMap::new(),
            prefix: BTreeMap::new(),
            names: BTreeMap::new(),
            ended: BTreeMap::new(),
            clock_ms: 1_000,
        }
    }

    fn secret(&self) -> LogSecret {
        LogSecret::from_seed(&[self.number; 32])
    }

    fn vrf(&self) -> VrfSecret {
        VrfSecret::from_seed(&[self.number; 32])
    }

    pub(in crate::tests) fn key(&self) -> String {
        self.secret().public().as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub(in crate::tests) fn keys(&self) -> v1::TransparencyKeys {
        let (relay, log, vrf) = (self.origin.clone(), self.secret().public(), self.vrf().public());
        v1::TransparencyKeys::from(&LogKeys { relay, log, vrf })
    }

    /// Time passes.
    pub(in crate::tests) const fn pass(&mut self, ms: u64) {
        self.clock_ms += ms;
    }

    /// The log goes by another name.
    pub(in crate::tests) fn rename(&mut self, origin: &str) {
        origin.clone_into(&mut self.origin);
    }

    /// Puts somebody behind a name, or nobody.
    pub(in crate::tests) fn set(&mut self, name: &str, identity: Option<Identity>) {
        let value = identity.as_ref().map_or(Value::Nobody, Value::Identity);
        self.append(Subject::Name(name), value);
        self.names.insert(name.to_owned(), identity);
    }

    pub(in crate::tests) fn end(&mut self, identity: Identity, revocation: Revocation) {
        self.append(Subject::Revocation(&identity), Value::Revocation(&revocation));
        self.ended.insert(identity, revocation);
    }

    fn append(&mut self, subject: Subject<'_>, value: Value<'_>) {
        let version = self.version(subject) + 1;
        let label = label(&self.vrf().prove(&subject.vrf_input()).0);
        let leaf = PrefixLeaf { label, version, commitment: subject.commit(version, value, &OPENING) };
        let update =
            prefix::insert(leaf, |place| Ok::<_, Infallible>(self.prefix.get(&place).copied())).unwrap();
        self.prefix.extend(update.written);
        let entry = LogEntry { leaf, prefix_root: update.root };
        let written = log::append(self.size(), entry.hash(), |place| {
            Ok::<_, Infallible>(self.nodes.get(&place).copied())
        });
        self.nodes.extend(written.unwrap());
        self.entries.push(entry);
        self.clock_ms += 1;
    }

    fn size(&self) -> u64 {
        self.entries.len() as u64
    }

    fn prove(&self, subject: Subject<'_>) -> PrefixProof {
        let label = label(&self.vrf().prove(&subject.vrf_input()).0);
        prefix::prove(&label, |place| Ok::<_, Infallible>(self.prefix.get(&place).copied())).unwrap()
    }

    fn version(&self, subject: Subject<'_>) -> u64 {
        match self.prove(subject).end {
            PrefixEnd::Leaf(leaf) => leaf.version,
            PrefixEnd::Neighbour(_) | PrefixEnd::Empty => 0,
        }
    }

    fn head(&self) -> v1::TreeHead {
        let root = log::root(self.size(), |place| Ok::<_, Infallible>(self.nodes.get(&place).copied()));
        (&TreeHead::sign(&self.secret(), &self.origin, self.size(), root.unwrap(), self.clock_ms)).into()
    }

    fn consistency(&self, from: u64) -> Option<v1::ConsistencyProof> {
        let size = self.size();
        let path = (1..=size).contains(&from).then(|| {
            log::prove_consistency(from, size, |place| Ok::<_, Infallible>(self.nodes.get(&place).copied()))
        });
        path.map(|path| (&Consistency { from, size, path: path.unwrap() }).into())
    }

    fn inclusion(&self) -> Option<v1::InclusionProof> {
        let tree_size = self.size();
        let leaf_index = tree_size.checked_sub(1)?;
        let path = log::prove_inclusion(leaf_index, tree_size, |place| {
            Ok::<_, Infallible>(self.nodes.get(&place).copied())
        });
        let path = path.unwrap().iter().map(|hash| hash.to_vec()).collect();
        Some(v1::InclusionProof { leaf_index, tree_size, path })
    }

    pub(in crate::tests) fn name(&self, request: &v1::ResolveUserRequest) -> v1::ResolveUserResponse {
        let subject = Subject::Name(&request.username);
        let proof = self.prove(subject);
        let version = self.version(subject);
        let identity = self.names.get(&request.username).copied().flatten();
        v1::ResolveUserResponse {
            identity_key: identity.map(|identity| identity.to_vec()).unwrap_or_default(),
            version,
            consistency: self.consistency(request.last_tree_size),
            tree_head: Some(self.head()),
            proof: Some(v1::LookupProof {
                vrf_proof: self.vrf().prove(&subject.vrf_input()).1.to_vec(),
                opening: if version > 0 { OPENING.to_vec() } else { Vec::new() },
                prefix_path: proof.path.iter().map(|hash| hash.to_vec()).collect(),
                inclusion: self.inclusion(),
                newest: self.entries.last().map(Into::into),
                neighbour: neighbour(&proof),
            }),
        }
    }

    pub(in crate::tests) fn ended(
        &self,
        request: &v1::CheckRevocationRequest,
    ) -> v1::CheckRevocationResponse {
        let identity = Identity::try_from(request.identity_key.as_slice()).unwrap();
        let subject = Subject::Revocation(&identity);
        let (proof, revocation) = (self.prove(subject), self.ended.get(&identity));
        v1::CheckRevocationResponse {
            revoked: revocation.is_some(),
            reason: revocation.map(|revocation| revocation.reason.clone()).unwrap_or_default(),
            timestamp_ms: revocation.map_or(0, |revocation| revocation.at_ms),
            sequence: revocation.map_or(0, |revocation| revocation.sequence),
            signature: revocation.map(|revocation| revocation.signature.clone()).unwrap_or_default(),
            proof: Some(v1::RevocationProof {
                inclusion: self.inclusion(),
                prefix_path: proof.path.iter().map(|hash| hash.to_vec()).collect(),
                tree_head: Some(self.head()),
                vrf_proof: self.vrf().prove(&subject.vrf_input()).1.to_vec(),
                opening: revocation.map(|_| OPENING.to_vec()).unwrap_or_default(),
                newest: self.entries.last().map(Into::into),
                neighbour: neighbour(&proof),
                consistency: self.consistency(request.last_tree_size),
            }),
        }
    }
}

fn neighbour(proof: &PrefixProof) -> Option<v1::PrefixLeaf> {
    match &proof.end {
        PrefixEnd::Neighbour(leaf) => Some(leaf.into()),
        PrefixEnd::Leaf(_) | PrefixEnd::Empty => None,
    }
}
