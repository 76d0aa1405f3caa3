//! Delivery proofs: the node's signed word that a delivery is durable.
//!
//! The deliveries of one commit are the leaves of a Merkle tree (RFC 9162, 2.1), and one signature covers its root: it
//! costs as much for a thousand deliveries as for one. A leaf's entry is
//!
//! ```text
//! mailbox (32) | SHA-256 of the payload (32) | sequence (8) | Unix time in ms (8)
//! ```
//!
//! with integers big-endian. Whoever has the payload can show to anybody that the node promised to keep it.

use bytes::Bytes;
use prost::Message;
use qpq_crypto::identity::DeviceSecret;
use qpq_crypto::signature::Domain;
use qpq_crypto::transparency::merkle::{LogHash, leaf_hash, node_hash};
use qpq_proto::Method;
use qpq_proto::v1::{BatchEnqueueResponse, DeliveryProof, EnqueueResponse};

use crate::input::{CallId, Effect};

/// A delivery that is to be proved, and what was answered about it.
#[derive(Debug, Clone)]
pub(crate) struct ToProve {
    /// The answer, still without its proof.
    pub response: EnqueueResponse,
    /// Hash of its entry.
    pub leaf: LogHash,
    /// Unix time in ms that the entry carries.
    pub at_ms: u64,
}

/// A call whose deliveries are to be proved.
#[derive(Debug)]
pub(crate) struct Proved {
    /// Its deliveries, in the order of the request.
    pub deliveries: Vec<ToProve>,
    /// Whether it is answered by one response for all.
    pub is_batch: bool,
}

impl ToProve {
    /// The delivery's entry becomes a leaf.
    pub(crate) fn new(
        response: EnqueueResponse,
        mailbox: &[u8; 32],
        payload_hash: &[u8; 32],
        at_ms: u64,
    ) -> Self {
        let leaf = entry_hash(mailbox, payload_hash, response.seq, at_ms);
        Self { response, leaf, at_ms }
    }
}

/// The calls of a batch whose deliveries are to be proved.
#[derive(Debug, Default)]
pub(crate) struct Proofs {
    calls: Vec<(CallId, Proved)>,
}

impl Proofs {
    /// A call was carried out.
    pub(crate) fn add(&mut self, call: CallId, proved: Proved) {
        self.calls.push((call, proved));
    }

    /// Signs for all of them, and gives their answers.
    pub(crate) fn finish(&mut self, node: &DeviceSecret) -> Vec<Effect> {
        let calls = std::mem::take(&mut self.calls);
        if calls.is_empty() {
            return Vec::new();
        }
        let leaves = calls.iter().flat_map(|(_, proved)| &proved.deliveries).map(|delivery| delivery.leaf);
        let tree = Tree::new(leaves.collect());
        let signature = node.sign(Domain::DeliveryBatch, &[&tree.root()]);
        let mut signed = Signed { tree, node: node.public().as_bytes().to_vec(), signature, next: 0 };
        calls.into_iter().map(|(call, proved)| signed.answer(call, proved)).collect()
    }
}

/// A tree whose root is signed.
struct Signed {
    tree: Tree,
    node: Vec<u8>,
    signature: [u8; 64],
    /// Index of the next leaf.
    next: usize,
}

impl Signed {
    fn answer(&mut self, call: CallId, proved: Proved) -> Effect {
        let Proved { deliveries, is_batch } = proved;
        let results: Vec<_> = deliveries.into_iter().map(|delivery| self.prove(delivery)).collect();
        let (method, payload) = match is_batch {
            true => (Method::BatchEnqueue, BatchEnqueueResponse { results }.encode_to_vec()),
            false => {
                (Method::Enqueue, results.first().map(EnqueueResponse::encode_to_vec).unwrap_or_default())
            }
        };
        debug_assert!(payload.len() <= method.response_bytes_max(), "{} bytes", payload.len());
        Effect::Answer { call, result: Ok(Bytes::from(payload)) }
    }

    fn prove(&mut self, delivery: ToProve) -> EnqueueResponse {
        let index = self.next;
        self.next += 1;
        let proof = DeliveryProof {
            leaf_index: index as u64,
            leaf_count: self.tree.leaves() as u64,
            path: self.tree.path(index),
            root: self.tree.root().to_vec(),
            at_ms: delivery.at_ms,
            node: self.node.clone(),
            signature: self.signature.to_vec(),
        };
        EnqueueResponse { delivery_proof: Some(proof), ..delivery.response }
    }
}

/// The hash of an entry as a leaf.
fn entry_hash(mailbox: &[u8; 32], payload_hash: &[u8; 32], seq: u64, at_ms: u64) -> LogHash {
    leaf_hash(&[mailbox, payload_hash.as_slice(), &seq.to_be_bytes(), &at_ms.to_be_bytes()].concat())
}

/// A Merkle tree (RFC 9162, 2.1.1): each level from the leaves up, a last node without a sibling taken over as it is.
struct Tree {
    levels: Vec<Vec<LogHash>>,
}

impl Tree {
    /// Of at least one leaf.
    fn new(leaves: Vec<LogHash>) -> Self {
        let mut levels = vec![leaves];
        while let Some(below) = levels.last().filter(|level| level.len() > 1) {
            let above = below.chunks(2).map(|pair| match pair {
                [left, right] => node_hash(left, right),
                alone => alone[0],
            });
            levels.push(above.collect());
        }
        Self { levels }
    }

    fn leaves(&self) -> usize {
        self.levels.first().map_or(0, Vec::len)
    }

    fn root(&self) -> LogHash {
        self.levels.last().and_then(|level| level.first()).copied().unwrap_or_default()
    }

    /// The siblings on the way from a leaf to the root (RFC 9162, 2.1.3).
    fn path(&self, leaf: usize) -> Vec<Vec<u8>> {
        let on_the_way = self.levels.iter().enumerate();
        on_the_way
            .filter_map(|(height, level)| level.get((leaf >> height) ^ 1))
            .map(|node| node.to_vec())
            .collect()
    }
}

#[cfg(test)]
mod tests;
