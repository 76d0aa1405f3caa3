//! What a struct weighs on the wire, without encoding it.
//!
//! All field numbers are below 16, so a key is one byte; a field that is empty or zero is left out.

use super::{
    FetchVerdict, Hello, OfferItem, OfferVerdict, Range, RangeAnswer, RangeContent, Request, Response,
    Settlement, TransferVerdict, Verdicts, Want,
};
use crate::bundle::{Bundle, Secret, ShortId};
use crate::work::Challenge;

impl OfferItem {
    /// Bytes of an item on the wire.
    pub const LENGTH_BYTES: usize = 27;
}

impl Want {
    /// Bytes of an item on the wire.
    pub const LENGTH_BYTES: usize = 13;
}

impl Settlement {
    /// Bytes of an item on the wire.
    pub const LENGTH_BYTES: usize = 41;
}

impl Request {
    /// Length of the payload, bytes.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        match self {
            Self::Hello(hello) => nested(hello.encoded_len()),
            Self::Reconcile(ranges) => {
                field(ShortId::LENGTH_BYTES)
                    + ranges.ranges.iter().map(|r| nested(r.encoded_len())).sum::<usize>()
            }
            Self::Offer(items) => field(items.len() * OfferItem::LENGTH_BYTES),
            Self::Transfer(transfer) => {
                let bundles: usize = transfer.bundles.iter().map(|bundle| nested(bundle.encoded_len())).sum();
                bundles
                    + transfer.solution.map_or(0, |s| nested(field(16) + if s.nonce == 0 { 0 } else { 9 }))
            }
            Self::Settle(items) => field(items.len() * Settlement::LENGTH_BYTES),
            Self::Fetch(items) => field(items.len() * Want::LENGTH_BYTES),
        }
    }
}

impl Response {
    /// Length of the payload, bytes.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        match self {
            Self::Hello(hello) => nested(hello.encoded_len()),
            Self::Reconcile(answers) => answers.iter().map(|answer| nested(answer.encoded_len())).sum(),
            Self::Offer(verdicts) => verdicts.encoded_len(OfferVerdict::code),
            Self::Transfer(verdicts) => verdicts.encoded_len(TransferVerdict::code),
            Self::Settle => 0,
            Self::Fetch(verdicts) => coded(verdicts, FetchVerdict::code),
        }
    }
}

impl Hello {
    fn encoded_len(&self) -> usize {
        number(self.version.into())
            + 2
            + field(16)
            + field(16)
            + number(self.held)
            + number(self.free_bytes)
            + number(self.accepts.into())
            + number(self.is_volatile.into())
            + bound(self.reconcile_from)
            + number(self.encounters.into())
    }
}

impl Range {
    fn encoded_len(&self) -> usize {
        let content = match &self.content {
            RangeContent::Fingerprint(summary) => field(16) + number(summary.count.into()),
            RangeContent::Ids(ids) => field(ids.len() * 8),
            RangeContent::Skip => 0,
        };
        bound(self.upper) + content
    }
}

impl RangeAnswer {
    fn encoded_len(&self) -> usize {
        let outcome = 2;
        match self {
            Self::Done | Self::Empty | Self::Continue => outcome,
            Self::Lack(bits) => outcome + field(bits.len()),
            Self::Split(parts) => {
                outcome + parts.iter().map(|part| nested(part.encoded_len())).sum::<usize>()
            }
        }
    }
}

impl<V> Verdicts<V> {
    fn encoded_len(&self, code: impl Fn(&V) -> (u8, Option<Secret>)) -> usize {
        coded(&self.verdicts, code)
            + self.challenge.as_ref().map_or(0, |challenge| nested(challenge.encoded_len()))
            + number(self.retry_after_ms.into())
    }
}

impl Challenge {
    fn encoded_len(&self) -> usize {
        field(16) + number(self.bits.into())
    }
}

impl Bundle {
    /// Length of the bundle within a message, bytes.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        let header = self.header();
        number(header.kind().to_byte().into())
            + number(header.lifetime_max_s().into())
            + field(8)
            + field(16)
            + field(if header.settle().is_some() { 32 } else { 0 })
            + field(self.body().len())
            + number(self.transit.remaining_s.into())
            + number(self.transit.hops_left.into())
            + number(self.transit.copies.into())
    }
}

fn coded<V>(verdicts: &[V], code: impl Fn(&V) -> (u8, Option<Secret>)) -> usize {
    let secrets = verdicts.iter().filter(|verdict| code(verdict).1.is_some()).count();
    field(verdicts.len()) + field(secrets * 32)
}

const fn bound(bound: Option<ShortId>) -> usize {
    if bound.is_some() { field(ShortId::LENGTH_BYTES) } else { 0 }
}

/// A field of bytes.
const fn field(length: usize) -> usize {
    if length == 0 { 0 } else { nested(length) }
}

/// A message within a message, which is there even if it is empty.
const fn nested(length: usize) -> usize {
    1 + varint(length as u64) + length
}

/// A field of a number.
const fn number(value: u64) -> usize {
    if value == 0 { 0 } else { 1 + varint(value) }
}

const fn varint(value: u64) -> usize {
    let bits = 64 - (value | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}
