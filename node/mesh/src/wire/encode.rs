//! From structs to the messages of `mesh.proto`.

use bytes::Bytes;
use prost::Message as _;
use qpq_proto::v1;

use super::{
    Durability, FetchVerdict, Hello, NodeKind, OfferItem, OfferVerdict, Range, RangeAnswer, RangeContent,
    Ranges, Refusal, Request, Response, Settlement, Transfer, TransferVerdict, Verdicts, Want,
};
use crate::bundle::{Bundle, Secret, ShortId};
use crate::work::{Challenge, Solution};

impl Request {
    /// As the payload of its method.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let bytes = match self {
            Self::Hello(hello) => v1::MeshHelloRequest { caller: Some(hello.to_proto()) }.encode_to_vec(),
            Self::Reconcile(ranges) => ranges.to_proto().encode_to_vec(),
            Self::Offer(items) => {
                v1::MeshOfferRequest { items: concatenate(items, offer_item) }.encode_to_vec()
            }
            Self::Transfer(transfer) => transfer.to_proto().encode_to_vec(),
            Self::Settle(items) => {
                v1::MeshSettleRequest { items: concatenate(items, settlement) }.encode_to_vec()
            }
            Self::Fetch(items) => v1::MeshFetchRequest { items: concatenate(items, want) }.encode_to_vec(),
        };
        bytes.into()
    }
}

impl Response {
    /// As the payload of the response.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let bytes = match self {
            Self::Hello(hello) => v1::MeshHelloResponse { called: Some(hello.to_proto()) }.encode_to_vec(),
            Self::Reconcile(answers) => {
                let answers = answers.iter().map(RangeAnswer::to_proto).collect();
                v1::MeshReconcileResponse { answers }.encode_to_vec()
            }
            Self::Offer(verdicts) => {
                let (codes, secrets, challenge, retry_after_ms) = verdicts.parts(OfferVerdict::code);
                v1::MeshOfferResponse { verdicts: codes, secrets, challenge, retry_after_ms }.encode_to_vec()
            }
            Self::Transfer(verdicts) => {
                let (codes, secrets, challenge, retry_after_ms) = verdicts.parts(TransferVerdict::code);
                v1::MeshTransferResponse { verdicts: codes, secrets, challenge, retry_after_ms }
                    .encode_to_vec()
            }
            Self::Settle => v1::MeshSettleResponse {}.encode_to_vec(),
            Self::Fetch(verdicts) => {
                let (codes, secrets) = codes(verdicts, FetchVerdict::code);
                v1::MeshFetchResponse { verdicts: codes, secrets }.encode_to_vec()
            }
        };
        bytes.into()
    }
}

impl Hello {
    fn to_proto(&self) -> v1::MeshNeighbour {
        let kind = match self.kind {
            NodeKind::Carrier => v1::MeshKind::Carrier,
            NodeKind::Mobile => v1::MeshKind::Mobile,
            NodeKind::Leaf => v1::MeshKind::Leaf,
        };
        v1::MeshNeighbour {
            version: self.version,
            kind: kind.into(),
            instance: self.instance.to_vec(),
            key_share: self.key_share.to_vec(),
            held: self.held,
            free_bytes: self.free_bytes,
            accepts: self.accepts.into(),
            volatile: self.is_volatile,
            reconcile_from: bound(self.reconcile_from),
            encounters: self.encounters,
        }
    }
}

impl Ranges {
    fn to_proto(&self) -> v1::MeshReconcileRequest {
        v1::MeshReconcileRequest {
            lower: self.lower.as_bytes().to_vec(),
            ranges: self.ranges.iter().map(Range::to_proto).collect(),
        }
    }
}

impl Range {
    fn to_proto(&self) -> v1::MeshRange {
        let upper = bound(self.upper);
        match &self.content {
            RangeContent::Fingerprint(summary) => v1::MeshRange {
                upper,
                fingerprint: summary.hash.to_vec(),
                count: summary.count,
                ids: Vec::new(),
            },
            RangeContent::Skip => v1::MeshRange { upper, ..Default::default() },
            RangeContent::Ids(ids) => {
                let ids = concatenate(ids, |id| id.to_be_bytes());
                v1::MeshRange { upper, fingerprint: Vec::new(), count: 0, ids }
            }
        }
    }
}

impl RangeAnswer {
    fn to_proto(&self) -> v1::MeshRangeAnswer {
        let (outcome, lack, parts) = match self {
            Self::Done => (v1::MeshRangeOutcome::Done, Vec::new(), Vec::new()),
            Self::Lack(bits) => (v1::MeshRangeOutcome::Lack, bits.clone(), Vec::new()),
            Self::Empty => (v1::MeshRangeOutcome::Empty, Vec::new(), Vec::new()),
            Self::Continue => (v1::MeshRangeOutcome::Continue, Vec::new(), Vec::new()),
            Self::Split(parts) => {
                (v1::MeshRangeOutcome::Split, Vec::new(), parts.iter().map(Range::to_proto).collect())
            }
        };
        v1::MeshRangeAnswer { outcome: outcome.into(), lack, parts }
    }
}

impl Transfer {
    fn to_proto(&self) -> v1::MeshTransferRequest {
        v1::MeshTransferRequest {
            bundles: self.bundles.iter().map(bundle_to_proto).collect(),
            solution: self.solution.map(Solution::to_proto),
        }
    }
}

impl<V> Verdicts<V> {
    fn parts(
        &self,
        code: impl Fn(&V) -> (u8, Option<Secret>),
    ) -> (Vec<u8>, Vec<u8>, Option<v1::MeshChallenge>, u32) {
        let (codes, secrets) = codes(&self.verdicts, code);
        (codes, secrets, self.challenge.map(Challenge::to_proto), self.retry_after_ms)
    }
}

impl OfferVerdict {
    pub(super) const fn code(&self) -> (u8, Option<Secret>) {
        match self {
            Self::No => (1, None),
            Self::Mine => (2, None),
            Self::Carry => (3, None),
            Self::Have => (4, None),
            Self::Busy => (5, None),
            Self::Settled(secret) => (6, Some(*secret)),
            Self::Refused(refusal) => (refusal.code(), None),
        }
    }
}

impl TransferVerdict {
    pub(super) const fn code(&self) -> (u8, Option<Secret>) {
        match self {
            Self::Accepted(Durability::Durable) => (1, None),
            Self::Accepted(Durability::Volatile) => (2, None),
            Self::Have => (3, None),
            Self::Settled(secret) => (4, Some(*secret)),
            Self::Refused(refusal) => (refusal.code(), None),
        }
    }
}

impl FetchVerdict {
    pub(super) const fn code(&self) -> (u8, Option<Secret>) {
        match self {
            Self::Coming => (1, None),
            Self::NotHeld => (2, None),
            Self::Settled(secret) => (3, Some(*secret)),
        }
    }
}

impl Refusal {
    const fn code(self) -> u8 {
        REFUSAL_OFFSET
            + match self {
                Self::QuotaExceeded => v1::MeshRefusal::QuotaExceeded as u8,
                Self::NotAccepting => v1::MeshRefusal::NotAccepting as u8,
                Self::TooLarge => v1::MeshRefusal::TooLarge as u8,
                Self::Expired => v1::MeshRefusal::Expired as u8,
                Self::WorkNeeded => v1::MeshRefusal::WorkNeeded as u8,
            }
    }
}

impl Challenge {
    fn to_proto(self) -> v1::MeshChallenge {
        v1::MeshChallenge { challenge: self.bytes.to_vec(), bits: self.bits.into() }
    }
}

impl Solution {
    fn to_proto(self) -> v1::MeshSolution {
        v1::MeshSolution { challenge: self.challenge.to_vec(), nonce: self.nonce }
    }
}

/// A bundle as a message: also the form in which files carry it.
pub(crate) fn bundle_to_proto(bundle: &Bundle) -> v1::MeshBundle {
    let header = bundle.header();
    v1::MeshBundle {
        kind: header.kind().to_byte().into(),
        lifetime_max_s: header.lifetime_max_s(),
        salt: header.salt().to_vec(),
        tag: header.tag().to_vec(),
        settle: header.settle().map(|settle| settle.to_vec()).unwrap_or_default(),
        body: bundle.body().clone(),
        remaining_s: bundle.transit.remaining_s,
        hops_left: bundle.transit.hops_left.into(),
        copies: bundle.transit.copies.into(),
    }
}

fn offer_item(item: &OfferItem) -> [u8; OfferItem::LENGTH_BYTES] {
    let mut bytes = [0; OfferItem::LENGTH_BYTES];
    bytes[..9].copy_from_slice(item.short.as_bytes());
    bytes[0] |= if item.is_spare { SPARE_BIT } else { 0 } | if item.is_held { HELD_BIT } else { 0 };
    bytes[9..17].copy_from_slice(&item.salt);
    bytes[17..25].copy_from_slice(&item.tag_start);
    bytes[25..].copy_from_slice(&item.ends_in.to_be_bytes());
    bytes
}

fn want(want: &Want) -> [u8; Want::LENGTH_BYTES] {
    let mut bytes = [0; Want::LENGTH_BYTES];
    bytes[..9].copy_from_slice(want.short.as_bytes());
    bytes[9..].copy_from_slice(&want.number.to_be_bytes());
    bytes
}

fn settlement(item: &Settlement) -> [u8; Settlement::LENGTH_BYTES] {
    let mut bytes = [0; Settlement::LENGTH_BYTES];
    bytes[..9].copy_from_slice(item.short.as_bytes());
    bytes[9..].copy_from_slice(item.secret.as_bytes());
    bytes
}

fn bound(bound: Option<ShortId>) -> Vec<u8> {
    bound.map(|short| short.as_bytes().to_vec()).unwrap_or_default()
}

fn codes<V>(verdicts: &[V], code: impl Fn(&V) -> (u8, Option<Secret>)) -> (Vec<u8>, Vec<u8>) {
    let mut secrets = Vec::new();
    let mut one = |verdict| {
        let (code, secret) = code(verdict);
        secrets.extend(secret.iter().flat_map(|secret| *secret.as_bytes()));
        code
    };
    let codes = verdicts.iter().map(&mut one).collect();
    (codes, secrets)
}

fn concatenate<T, const N: usize>(items: &[T], encode: impl Fn(&T) -> [u8; N]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(items.len() * N);
    items.iter().for_each(|item| bytes.extend_from_slice(&encode(item)));
    bytes
}

/// In the first byte of an offer's item, above the kind: there is a copy to spare.
pub(super) const SPARE_BIT: u8 = 0x80;
/// The same: who offers it holds it.
pub(super) const HELD_BIT: u8 = 0x40;
/// What the code of a refusal in a verdict is higher by.
pub(super) const REFUSAL_OFFSET: u8 = 16;
