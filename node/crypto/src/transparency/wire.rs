//! The messages of the wire as what is verified here, and back.

use qpq_proto::limits::DOMAIN_BYTES_MAX;
use qpq_proto::v1;

use super::answer::{Consistency, LookupAnswer, NewestEntry};
use super::entry::{LogEntry, Revocation, Subject, Value};
use super::evidence::{Evidence, Grown};
use super::head::TreeHead;
use super::merkle::{LogHash, shown_root};
use super::prefix::{PREFIX_PATH_MAX, PrefixLeaf};
use super::view::{LogKeys, LogView};
use super::violation::Violation;
use crate::account::verify_revocation;
use crate::ids::{Identity, LogKey};
use crate::vrf::VrfPublic;

/// Who is behind a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NamedIdentity {
    /// The identity.
    pub identity: Identity,
    /// How often the name was set, from 1.
    pub version: u64,
}

impl LogView {
    /// Verifies an answer to "who is behind this name", as [`LogView::check_lookup`] does; gives nothing where
    /// the log proves that there is nobody: that the name has no entry, or that the newest one gave it up.
    /// `username` is in the relay's normal form.
    ///
    /// # Errors
    /// The first violation, of [`Violation`].
    pub fn check_name(
        &mut self,
        username: &str,
        answer: &v1::ResolveUserResponse,
    ) -> Result<Option<NamedIdentity>, Violation> {
        let named = match (answer.identity_key.is_empty(), answer.version) {
            (true, _) => None,
            (false, version) => {
                let identity = array(&answer.identity_key, "identity_key")?;
                Some(NamedIdentity { identity: Identity::from_bytes(identity), version })
            }
        };
        let proof = answer.proof.as_ref().ok_or(Violation::Malformed("proof"))?;
        let lookup = LookupAnswer {
            head: present(answer.tree_head.as_ref(), "tree_head")?.try_into()?,
            consistency: optional(answer.consistency.as_ref())?,
            vrf_proof: proof.vrf_proof.clone(),
            opening: opening(&proof.opening)?,
            newest: newest(proof.newest.as_ref(), proof.inclusion.as_ref())?,
            prefix_path: hashes(&proof.prefix_path, PREFIX_PATH_MAX, "prefix_path")?,
            neighbour: optional(proof.neighbour.as_ref())?,
        };
        let claim = match &named {
            Some(named) => Some((named.version, Value::Identity(&named.identity))),
            None => (answer.version > 0).then_some((answer.version, Value::Nobody)),
        };
        self.check_lookup(Subject::Name(username), claim, &lookup)?;
        Ok(named)
    }

    /// Verifies an answer to "has this identity ended", as [`LogView::check_lookup`] does, and the identity's
    /// own signature; gives nothing where the log proves that it has not.
    ///
    /// # Errors
    /// The first violation, of [`Violation`].
    pub fn check_revocation(
        &mut self,
        identity: &Identity,
        answer: &v1::CheckRevocationResponse,
    ) -> Result<Option<Revocation>, Violation> {
        let revocation = answer.revoked.then(|| Revocation {
            sequence: answer.sequence,
            at_ms: answer.timestamp_ms,
            reason: answer.reason.clone(),
            signature: answer.signature.clone(),
        });
        if let Some(Revocation { sequence, reason, signature, .. }) = &revocation {
            verify_revocation(identity, *sequence, reason, signature).map_err(|_| Violation::Revocation)?;
        }
        let proof = answer.proof.as_ref().ok_or(Violation::Malformed("proof"))?;
        let lookup = LookupAnswer {
            head: present(proof.tree_head.as_ref(), "tree_head")?.try_into()?,
            consistency: optional(proof.consistency.as_ref())?,
            vrf_proof: proof.vrf_proof.clone(),
            opening: opening(&proof.opening)?,
            newest: newest(proof.newest.as_ref(), proof.inclusion.as_ref())?,
            prefix_path: hashes(&proof.prefix_path, PREFIX_PATH_MAX, "prefix_path")?,
            neighbour: optional(proof.neighbour.as_ref())?,
        };
        // An identity ends once.
        let claim = revocation.as_ref().map(|revocation| (1, Value::Revocation(revocation)));
        self.check_lookup(Subject::Revocation(identity), claim, &lookup)?;
        Ok(revocation)
    }
}

impl LogView {
    /// What an answer that was refused is worth as evidence: the newest head that was seen, and the one of the answer, with
    /// what the answer says of how the log grew. Nothing where the answer has no head that the relay signed, or only the one
    /// that was seen.
    pub fn evidence(
        &self,
        head: Option<&v1::TreeHead>,
        consistency: Option<&v1::ConsistencyProof>,
        inclusion: Option<&v1::InclusionProof>,
    ) -> Option<Evidence> {
        let keys = self.keys();
        let seen = self.newest()?.clone();
        let shown = TreeHead::try_from(head?).ok().filter(|shown| {
            shown.verify(&keys.relay, &keys.log).is_ok() && (shown.size, shown.root) != (seen.size, seen.root)
        })?;
        let path = consistency.and_then(|proof| Consistency::try_from(proof).ok()).map(|proof| proof.path);
        // Where the path of a proof leaves out the root that it starts from, the proof of an entry may have it.
        let beside =
            inclusion.and_then(|proof| hashes(&proof.path, INCLUSION_PATH_MAX, "inclusion.path").ok());
        let grown = path.and_then(|path| {
            let mut candidates = beside.iter().flatten().chain([&seen.root]);
            let root = candidates
                .find_map(|root| shown_root(seen.size, shown.size, &shown.root, &path, root).ok())?;
            Some(Grown { root, path })
        });
        Some(Evidence { relay: keys.relay.clone(), log: keys.log, seen, shown, grown })
    }
}

impl TryFrom<&v1::TransparencyKeys> for LogKeys {
    type Error = Violation;

    fn try_from(keys: &v1::TransparencyKeys) -> Result<Self, Violation> {
        if !(1..=DOMAIN_BYTES_MAX).contains(&keys.origin.len()) {
            return Err(Violation::Malformed("origin"));
        }
        Ok(Self {
            relay: keys.origin.clone(),
            log: LogKey::from_bytes(array(&keys.log_key, "log_key")?),
            vrf: VrfPublic::from_bytes(&keys.vrf_key)?,
        })
    }
}

impl From<&LogKeys> for v1::TransparencyKeys {
    fn from(keys: &LogKeys) -> Self {
        Self { log_key: keys.log.to_vec(), vrf_key: keys.vrf.as_bytes().to_vec(), origin: keys.relay.clone() }
    }
}

impl TryFrom<&v1::TreeHead> for TreeHead {
    type Error = Violation;

    fn try_from(head: &v1::TreeHead) -> Result<Self, Violation> {
        Ok(Self {
            relay: head.relay.clone(),
            size: head.tree_size,
            root: array(&head.root, "root")?,
            signed_at_ms: head.signed_at_ms,
            signature: array(&head.signature, "signature")?,
        })
    }
}

impl From<&TreeHead> for v1::TreeHead {
    fn from(head: &TreeHead) -> Self {
        Self {
            relay: head.relay.clone(),
            tree_size: head.size,
            root: head.root.to_vec(),
            signed_at_ms: head.signed_at_ms,
            signature: head.signature.to_vec(),
        }
    }
}

impl TryFrom<&v1::ConsistencyProof> for Consistency {
    type Error = Violation;

    fn try_from(proof: &v1::ConsistencyProof) -> Result<Self, Violation> {
        let path = hashes(&proof.path, CONSISTENCY_PATH_MAX, "consistency.path")?;
        Ok(Self { from: proof.from_tree_size, size: proof.tree_size, path })
    }
}

impl From<&Consistency> for v1::ConsistencyProof {
    fn from(proof: &Consistency) -> Self {
        let path = proof.path.iter().map(|hash| hash.to_vec()).collect();
        Self { from_tree_size: proof.from, tree_size: proof.size, path }
    }
}

impl TryFrom<&v1::PrefixLeaf> for PrefixLeaf {
    type Error = Violation;

    fn try_from(leaf: &v1::PrefixLeaf) -> Result<Self, Violation> {
        Ok(Self {
            label: array(&leaf.label, "label")?,
            version: leaf.version,
            commitment: array(&leaf.commitment, "commitment")?,
        })
    }
}

impl From<&PrefixLeaf> for v1::PrefixLeaf {
    fn from(leaf: &PrefixLeaf) -> Self {
        Self { label: leaf.label.to_vec(), version: leaf.version, commitment: leaf.commitment.to_vec() }
    }
}

impl TryFrom<&v1::LogEntry> for LogEntry {
    type Error = Violation;

    fn try_from(entry: &v1::LogEntry) -> Result<Self, Violation> {
        let label = array(&entry.label, "label")?;
        let commitment = array(&entry.commitment, "commitment")?;
        let leaf = PrefixLeaf { label, version: entry.version, commitment };
        Ok(Self { leaf, prefix_root: array(&entry.prefix_root, "prefix_root")? })
    }
}

impl From<&LogEntry> for v1::LogEntry {
    fn from(entry: &LogEntry) -> Self {
        Self {
            label: entry.leaf.label.to_vec(),
            version: entry.leaf.version,
            commitment: entry.leaf.commitment.to_vec(),
            prefix_root: entry.prefix_root.to_vec(),
        }
    }
}

fn newest(
    entry: Option<&v1::LogEntry>,
    inclusion: Option<&v1::InclusionProof>,
) -> Result<Option<NewestEntry>, Violation> {
    let Some(entry) = entry else { return Ok(None) };
    let inclusion = present(inclusion, "inclusion")?;
    Ok(Some(NewestEntry {
        entry: entry.try_into()?,
        index: inclusion.leaf_index,
        size: inclusion.tree_size,
        path: hashes(&inclusion.path, INCLUSION_PATH_MAX, "inclusion.path")?,
    }))
}

fn opening(bytes: &[u8]) -> Result<Option<[u8; 32]>, Violation> {
    if bytes.is_empty() { Ok(None) } else { array(bytes, "opening").map(Some) }
}

fn present<'a, T>(field: Option<&'a T>, name: &'static str) -> Result<&'a T, Violation> {
    field.ok_or(Violation::Malformed(name))
}

fn optional<'a, T, U: TryFrom<&'a T, Error = Violation>>(
    field: Option<&'a T>,
) -> Result<Option<U>, Violation> {
    field.map(U::try_from).transpose()
}

fn array<const N: usize>(bytes: &[u8], name: &'static str) -> Result<[u8; N], Violation> {
    bytes.try_into().map_err(|_| Violation::Malformed(name))
}

fn hashes(list: &[Vec<u8>], most: usize, name: &'static str) -> Result<Vec<LogHash>, Violation> {
    if list.len() > most {
        return Err(Violation::Malformed(name));
    }
    list.iter().map(|hash| array(hash, name)).collect()
}

const INCLUSION_PATH_MAX: usize = 64;
const CONSISTENCY_PATH_MAX: usize = 128;
